//! The embedded sink: what would be sent, as files. One sink for each event;
//! the file's name is the mark.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Deserialize;

use super::{DeliveryError, Handoff, Mark, Medium, Message, MessageKind, Messages, Sink, TaskForm};
use crate::brief::EventKind;
use crate::model::Check;

/// The events an outbox can hold, in the order of their numbers.
const EVENTS: [EventKind; 7] = [
    EventKind::TaskOpened,
    EventKind::Notified,
    EventKind::Emailed,
    EventKind::ProjectStarted,
    EventKind::Welcomed,
    EventKind::RepTold,
    EventKind::CsmTold,
];

/// `deliver.outbox`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxSettings {
    /// The folder, from the ledger's folder; `outbox` when absent.
    #[serde(default = "default_dir")]
    pub dir: PathBuf,
    /// Which events go there; absent: those that no other sink delivers.
    #[serde(default)]
    pub events: Option<Vec<EventKind>>,
}

fn default_dir() -> PathBuf {
    PathBuf::from("outbox")
}

/// The outbox's sinks: one for each event that is named, or that no other sink delivers.
///
/// # Errors
/// When an event is named that nothing is sent for.
pub(super) fn sinks(
    settings: &OutboxSettings,
    others: &[EventKind],
    letters: &Messages,
) -> Result<Vec<Box<dyn Sink>>, String> {
    let rest = || EVENTS.into_iter().filter(|event| !others.contains(event)).collect();
    let events: Vec<EventKind> = settings.events.clone().unwrap_or_else(rest);
    events
        .into_iter()
        .map(|event| match Outbox::new(settings, event, letters.clone()) {
            Some(sink) => Ok(Box::new(sink) as Box<dyn Sink>),
            None => {
                let known = EVENTS.map(EventKind::as_str).join(", ");
                Err(format!("events: nothing is sent for {}; choose among {known}", event))
            }
        })
        .collect()
}

/// One event's files in the outbox.
struct Outbox {
    event: EventKind,
    number: usize,
    /// As configured, for marks.
    dir: PathBuf,
    /// Where it is on this machine.
    root: PathBuf,
    letters: Messages,
}

impl Outbox {
    /// The outbox for one of [`EVENTS`]; `None` for another event.
    fn new(settings: &OutboxSettings, event: EventKind, letters: Messages) -> Option<Self> {
        let number = EVENTS.iter().position(|known| *known == event)? + 1;
        let root = letters.site().folder.join(&settings.dir);
        Some(Self { event, number, dir: settings.dir.clone(), root, letters })
    }

    fn file(&self, handoff: &Handoff) -> PathBuf {
        let extension = if self.event == EventKind::Welcomed { "json" } else { "md" };
        // Each return is told of in a file of its own: `06-returned-2.md`.
        let step = MessageKind::of(self.event).step(handoff, self.event.as_str());
        let name = format!("{:02}-{step}.{extension}", self.number);
        Path::new(handoff.key.as_str()).join(name)
    }

    fn mark(&self, handoff: &Handoff) -> Mark {
        let path = self.dir.join(self.file(handoff));
        let reference =
            path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>();
        Mark { reference: reference.join("/"), at: None, remark: None }
    }

    fn text(&self, handoff: &Handoff) -> Result<String, DeliveryError> {
        let letter = match self.event {
            EventKind::TaskOpened => {
                self.letters.task(handoff, TaskForm::Issue, Medium::Markdown)?
            }
            EventKind::Notified => self.letters.notice(handoff, Medium::Markdown, None)?,
            EventKind::Emailed => self.letters.mail(handoff, Medium::Markdown)?,
            EventKind::ProjectStarted => self.letters.project(handoff, Medium::Markdown)?,
            EventKind::RepTold | EventKind::CsmTold => {
                let occasion = MessageKind::of(self.event);
                self.letters.again(handoff, occasion, Medium::Markdown, None)?
            }
            _ => {
                let mut json = format!("{:#}", self.letters.welcome(handoff));
                json.push('\n');
                return Ok(json);
            }
        };
        let Message { title, body } = letter;
        let title = Medium::Markdown.harmless(&title);
        Ok(format!("<!-- {} -->\n\n# {title}\n\n{body}\n", handoff.key))
    }
}

#[async_trait]
impl Sink for Outbox {
    fn event(&self) -> EventKind {
        self.event
    }

    fn via(&self) -> &'static str {
        "outbox"
    }

    fn describe(&self, handoff: &Handoff) -> String {
        format!("write {}", self.mark(handoff).reference)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let path = self.root.join(self.file(handoff));
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => Ok(Some(self.mark(handoff))),
            Ok(_) => Err(fault(&path, "there is something that is not a file", true)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(&path, &error.to_string(), false)),
        }
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let text = self.text(handoff)?;
        let path = self.root.join(self.file(handoff));
        store(&path, text.as_bytes()).map_err(|error| fault(&path, &error.to_string(), false))?;
        Ok(self.mark(handoff))
    }

    async fn checks(&self, _offline: bool) -> Vec<Check> {
        let what = format!("outbox: {}", self.event);
        let place = self.root.display();
        vec![match std::fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => Check::ok(what, format!("files go to {place}")),
            Ok(_) => Check::failed(
                what,
                format!("{place} is a file"),
                "move it away, or give another folder as deliver.outbox.dir",
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Check::ok(what, format!("files go to {place}, which the first one makes"))
            }
            Err(error) => Check::failed(
                what,
                format!("{place}: {error}"),
                "mend the rights, or give another folder as deliver.outbox.dir",
            ),
        }]
    }
}

/// Writes a file whole or not at all, durably, and leaves one that is there.
fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".handoff-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        // Another run was faster and wrote the same.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.error),
    }
    std::fs::File::open(folder)?.sync_all()
}

fn fault(path: &Path, why: &str, for_good: bool) -> DeliveryError {
    let message = format!("{}: {why}", path.display());
    if for_good {
        DeliveryError::Permanent { message, help: "move it away and deliver again".to_owned() }
    } else {
        DeliveryError::Transient { message, retry_after: None }
    }
}
