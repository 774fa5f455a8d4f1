//! The embedded sink: what would be sent, as files. One sink for each event;
//! the file's name is the mark.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::message_kind::{MessageKind, Reminder};
use super::messages::{Audience, Messages};
use super::row::{SinkRow, SinkSettings, Sinks, WorkflowNeeds};
use super::sink::{DeliveryError, Handoff, Mark, Notice, Sink};
use super::templates::{Medium, Message};
use crate::brief::EventKind;
use crate::model::{Check, Secrets};
use crate::settings::SettingsReader;

/// The events an outbox can hold, in the order of their numbers.
const EVENTS: &[EventKind] = &[
    EventKind::TaskOpened,
    EventKind::Notified,
    EventKind::Emailed,
    EventKind::ProjectStarted,
    EventKind::Welcomed,
    EventKind::RepTold,
    EventKind::CsmTold,
];

/// `deliver.outbox`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OutboxSettings {
    /// The folder, from the ledger's folder; `outbox` when absent.
    #[serde(default = "default_dir")]
    pub dir: PathBuf,
    /// Which events go there; absent: those that no other sink delivers.
    #[serde(default)]
    #[schemars(schema_with = "event_names")]
    pub events: Option<Vec<EventKind>>,
}

fn default_dir() -> PathBuf {
    PathBuf::from("outbox")
}

fn names() -> Vec<&'static str> {
    EVENTS.iter().map(|event| event.as_str()).collect()
}

fn event_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["array", "null"], "items": {"type": "string", "enum": names()}})
}

pub(super) const ROW: SinkRow = SinkRow {
    name: "outbox",
    title: "the outbox",
    secrets: &[],
    events: EVENTS,
    medium: Medium::Markdown,
    settings: SettingsReader::<dyn SinkSettings>::of::<OutboxSettings>(),
};

impl SinkSettings for OutboxSettings {
    /// One for each event that is named, or that no other sink delivers.
    fn sinks(&self, _: &Secrets, messages: &Messages, others: &[EventKind]) -> Sinks {
        let rest = || EVENTS.iter().copied().filter(|event| !others.contains(event)).collect();
        let events: Vec<EventKind> = self.events.clone().unwrap_or_else(rest);
        events
            .into_iter()
            .map(|event| match Outbox::new(self, event, messages.clone()) {
                Some(sink) => Ok(Box::new(sink) as Box<dyn Sink>),
                None => {
                    let known = names().join(", ");
                    Err(vec![format!("events: nothing is sent for {event}; choose among {known}")])
                }
            })
            .collect()
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds { keeps_files: true, ..WorkflowNeeds::default() }
    }

    fn sends_notices(&self) -> bool {
        true
    }

    fn takes_the_rest(&self) -> bool {
        true
    }
}

/// One event's files in the outbox.
#[derive(Clone)]
struct Outbox {
    event: EventKind,
    kind: MessageKind,
    number: usize,
    /// As configured, for marks.
    dir: PathBuf,
    /// Where it is on this machine.
    root: PathBuf,
    messages: Messages,
}

impl Outbox {
    /// The outbox for one of [`EVENTS`]; `None` for another event.
    fn new(settings: &OutboxSettings, event: EventKind, messages: Messages) -> Option<Self> {
        let number = EVENTS.iter().position(|known| *known == event)? + 1;
        let root = messages.context().folder.join(&settings.dir);
        Some(Self {
            event,
            kind: MessageKind::of(event),
            number,
            dir: settings.dir.clone(),
            root,
            messages,
        })
    }

    fn file(&self, handoff: &Handoff) -> PathBuf {
        let extension = if self.event == EventKind::Welcomed { "json" } else { "md" };
        // Each return is reported in a file of its own: `06-returned-2.md`.
        let step = self.kind.step(&handoff.timeline, self.event.as_str());
        let name = format!("{:02}-{step}.{extension}", self.number);
        Path::new(handoff.key.as_str()).join(name)
    }

    fn mark(&self, handoff: &Handoff) -> Mark {
        let path = self.dir.join(self.file(handoff));
        let reference =
            path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>();
        Mark::new(reference.join("/"), None, &[])
    }

    fn text(&self, handoff: &Handoff) -> Result<String, DeliveryError> {
        if self.event == EventKind::Welcomed {
            return Ok(format!("{:#}\n", self.messages.welcome(handoff)));
        }
        let message = match self.kind {
            MessageKind::Signed => self.messages.of_event(self.event, handoff, Medium::Markdown)?,
            _ => {
                let (kind, medium) = (&self.kind, Medium::Markdown);
                self.messages.again(handoff, kind, medium, Audience::Shared, None)?
            }
        };
        let Message { title, body } = message;
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

    fn subject(&self) -> &str {
        self.kind.subject()
    }

    fn for_reminder(&self, reminder: &Arc<Reminder>) -> Option<Box<dyn Sink>> {
        let kind = MessageKind::Reminder(reminder.clone());
        let (event, number) = (kind.event(self.event), EVENTS.len() + 1);
        (self.event == EventKind::Notified)
            .then(|| Box::new(Self { event, kind, number, ..self.clone() }) as Box<dyn Sink>)
    }

    async fn notify(&self, notice: &Notice) -> Result<bool, DeliveryError> {
        if self.event != EventKind::Emailed || notice.to.is_empty() {
            return Ok(false);
        }
        let path = self.root.join("held").join(format!("{}.md", notice.id));
        let (to, title) = (notice.to.join(", "), Medium::Markdown.harmless(&notice.title));
        let text =
            format!("To: {to}\n\n# {title}\n\n{}\n", Medium::Markdown.harmless(&notice.body));
        store(&path, text.as_bytes()).map_err(|error| fault(&path, &error.to_string(), false))?;
        Ok(true)
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
                "fix the rights, or give another folder as deliver.outbox.dir",
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
        DeliveryError::permanent(message, "move it away and deliver again")
    } else {
        DeliveryError::transient(message)
    }
}
