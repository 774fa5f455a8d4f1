//! A folder whose files are payloads: each one goes into the inbox once it is
//! whole. What is seen decides, not what the system tells: its messages only
//! say when to look, and a look every few seconds makes up for lost ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{mpsc, watch};

use super::http::Senders;
use super::inbox::{Envelope, EventName, EventState, Inbox, Put};
use crate::esign::{DeliveryId, ParseError};
use crate::model::{ProviderName, SignatureEvent};
use crate::text::{quoted, terminal};
use crate::time::Clock;

/// How long to wait before a file that could not be read is looked at again.
const UNCLEAR: Duration = Duration::from_millis(700);
/// How often it is looked although the system told nothing.
const ANYWAY: Duration = Duration::from_secs(5);
/// So many files are put into the inbox together.
const TOGETHER: usize = 256;
/// So many files whose events may still be held are remembered.
const REMEMBERED: usize = 10_000;
/// So deep are folders looked into.
const DEEPEST: usize = 16;
/// The largest file that is read.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// What the system says of a file when whoever wrote it is done.
const WRITTEN: AccessKind = AccessKind::Close(AccessMode::Write);

/// What is watched, and how.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// The folder.
    pub folder: PathBuf,
    /// Look so often, and do not ask the system to tell: for network drives.
    pub poll: Option<Duration>,
    /// Where files go once they are in the inbox; they stay where they are otherwise.
    pub move_done: Option<PathBuf>,
    /// Whether folders below it are watched as well.
    pub recursive: bool,
}

/// Size and time of a file, by which a change shows.
type SizeAndTime = (u64, Option<SystemTime>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SeenFile {
    /// Not readable when it was last looked at: half written, perhaps.
    Unclear(SizeAndTime),
    /// Nothing more is to be done with it until it changes.
    Settled(SizeAndTime),
}

/// Watches a folder.
pub struct FolderWatch {
    settings: WatchSettings,
    senders: Arc<Senders>,
    inbox: Arc<dyn Inbox>,
    clock: Clock,
    seen: BTreeMap<PathBuf, SeenFile>,
    /// Where the files are whose events were put in and may be held.
    taken: Mutex<BTreeMap<EventName, PathBuf>>,
    /// Entries that could not be read, each said once.
    unreadable: BTreeSet<PathBuf>,
    gone: bool,
}

impl FolderWatch {
    /// A watch that puts what it finds into an inbox.
    #[must_use]
    pub fn new(
        settings: WatchSettings,
        senders: Arc<Senders>,
        inbox: Arc<dyn Inbox>,
        clock: Clock,
    ) -> Self {
        Self {
            settings,
            senders,
            inbox,
            clock,
            seen: BTreeMap::new(),
            taken: Mutex::default(),
            unreadable: BTreeSet::new(),
            gone: false,
        }
    }

    /// Watches until `stop` says so; what is there already comes first.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (tell, mut told) = mpsc::channel(1);
        let mut watcher: Option<RecommendedWatcher> = None;
        while !*stop.borrow() {
            if self.settings.poll.is_none() && watcher.is_none() && self.settings.folder.is_dir() {
                watcher = self.watcher(&tell);
            }
            if !self.look().await {
                // The system forgets a folder that was removed; it is told again when it is made again.
                watcher = None;
            }
            let unclear = self.seen.values().any(|seen| matches!(seen, SeenFile::Unclear(_)));
            let wait = match self.settings.poll {
                Some(poll) => poll,
                None if unclear || watcher.is_none() => UNCLEAR,
                None => ANYWAY,
            };
            tokio::select! {
                Some(removed) = told.recv() => if removed { watcher = None },
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Asks the system to tell; looking every second is what is left when it cannot.
    fn watcher(&self, tell: &mpsc::Sender<bool>) -> Option<RecommendedWatcher> {
        let (tell, folder) = (tell.clone(), self.settings.folder.clone());
        let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // To look at the folder is to open it: that is reported, too, and changes nothing.
            let is_reading = |event: &notify::Event| matches!(&event.kind, EventKind::Access(what) if *what != WRITTEN);
            if event.as_ref().is_ok_and(is_reading) {
                return;
            }
            let removed =
                event.map_or(true, |event| event.kind.is_remove() && event.paths.contains(&folder));
            // One message that waits is enough: everything is looked at.
            let _ = tell.try_send(removed);
        });
        let watched = made.and_then(|mut watcher| {
            let mode = match self.settings.recursive {
                true => RecursiveMode::Recursive,
                false => RecursiveMode::NonRecursive,
            };
            watcher.watch(&self.settings.folder, mode)?;
            Ok(watcher)
        });
        watched
            .inspect_err(|error| tracing::warn!(%error, "the system does not report changes; the folder is read again and again instead"))
            .ok()
    }

    /// Looks at the folder once; whether it is there.
    async fn look(&mut self) -> bool {
        let folder = self.settings.folder.clone();
        let recursive = self.settings.recursive;
        let aside = self.aside();
        let listed = tokio::task::spawn_blocking(move || list(&folder, recursive, &aside))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let files = match listed {
            Ok((files, unreadable)) => {
                for (path, error) in &unreadable {
                    if !self.unreadable.contains(path) {
                        let file = quoted(&path.to_string_lossy());
                        tracing::warn!(file, %error, "cannot be read; the others are processed");
                    }
                }
                self.unreadable = unreadable.into_iter().map(|(path, _)| path).collect();
                files
            }
            Err(error) => {
                if !self.gone {
                    tracing::warn!(folder = %self.settings.folder.display(), %error, "the folder cannot be read; waiting for it");
                }
                (self.gone, self.seen) = (true, BTreeMap::new());
                return false;
            }
        };
        if std::mem::take(&mut self.gone) {
            tracing::info!(folder = %self.settings.folder.display(), "the folder is there again");
        }
        self.seen.retain(|path, _| files.contains_key(path));
        let changed: Vec<(PathBuf, SizeAndTime)> = files
            .into_iter()
            .filter(|(path, stamp)| self.seen.get(path) != Some(&SeenFile::Settled(*stamp)))
            .collect();
        for part in changed.chunks(TOGETHER) {
            let taken = futures_util::future::join_all(
                part.iter().map(|(path, stamp)| self.take(path, *stamp)),
            )
            .await;
            for ((path, _), seen) in part.iter().zip(taken) {
                match seen {
                    Some(seen) => self.seen.insert(path.clone(), seen),
                    None => self.seen.remove(path),
                };
            }
        }
        self.move_held().await;
        true
    }

    /// The folders within the watched one that hold what was dealt with.
    fn aside(&self) -> Vec<PathBuf> {
        let mut aside = vec![self.held_folder()];
        aside.extend(self.settings.move_done.clone());
        aside
    }

    /// Where files go whose documents are held: seen by whoever looks.
    fn held_folder(&self) -> PathBuf {
        self.settings.move_done.as_ref().unwrap_or(&self.settings.folder).join("held")
    }

    /// Moves the files aside whose events are held.
    async fn move_held(&self) {
        if self.taken().is_empty() {
            return;
        }
        // What cannot be told now is told by the next look.
        let Ok(held) = self.inbox.list(&[EventState::Held], (self.clock)()).await else { return };
        for event in held {
            let Some(path) = self.taken().remove(&event.name) else { continue };
            let why = event.envelope.ok().and_then(|it| it.held).map(|hold| hold.reason);
            let file = terminal(&path.file_name().unwrap_or_default().to_string_lossy());
            tracing::warn!(file, why = terminal(&why.unwrap_or_default()), "held; moved to held/");
            self.put_away(&path, &self.held_folder());
        }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<EventName, PathBuf>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one file; `None` for one that is to be looked at again as if it were new.
    async fn take(&self, path: &Path, stamp: SizeAndTime) -> Option<SeenFile> {
        let name = terminal(&path.file_name().unwrap_or_default().to_string_lossy());
        let owned_path = path.to_path_buf();
        let owned = owned_path.clone();
        let bytes = match tokio::task::spawn_blocking(move || read(&owned)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return None,
            Ok(Err(error)) => return Some(self.unclear(path, stamp, &name, &error.to_string())),
            Err(error) => return Some(self.unclear(path, stamp, &name, &error.to_string())),
        };
        let envelope = match self.envelope(&bytes) {
            Ok(Some(envelope)) => envelope,
            Ok(None) => {
                tracing::info!(file = name, "describes no document that was completed or voided");
                return Some(SeenFile::Settled(stamp));
            }
            Err(error) => return Some(self.unclear(path, stamp, &name, &error.to_string())),
        };
        let event = envelope.name();
        match self.inbox.put(envelope).await {
            Ok(put) => {
                let what = if put == Put::Stored { "stored" } else { "known" };
                tracing::info!(file = name, what, "taken");
                let to = self.settings.move_done.as_ref();
                let path = to.and_then(|to| self.put_away(path, to));
                let path = path.unwrap_or_else(|| owned_path.clone());
                let mut taken = self.taken();
                if put != Put::Known(EventState::Done) && taken.len() < REMEMBERED {
                    taken.insert(event, path);
                }
                Some(SeenFile::Settled(stamp))
            }
            Err(error) => {
                tracing::error!(file = name, %error, "not stored; it is tried again");
                Some(SeenFile::Unclear(stamp))
            }
        }
    }

    /// A file that is no payload (yet). The first time it may be half written;
    /// when it stays as it is, somebody is told, once.
    fn unclear(&self, path: &Path, stamp: SizeAndTime, name: &str, why: &str) -> SeenFile {
        if self.seen.get(path) == Some(&SeenFile::Unclear(stamp)) {
            tracing::warn!(
                file = name,
                why,
                "is not a provider's payload; it is skipped until it changes"
            );
            return SeenFile::Settled(stamp);
        }
        SeenFile::Unclear(stamp)
    }

    /// The event of a payload; nothing when it is of no interest.
    fn envelope(&self, bytes: &[u8]) -> Result<Option<Envelope>, ParseError> {
        let senders = self.senders.now();
        let (provider, events) = senders.providers.parse(None, bytes)?;
        if events.iter().all(|event| matches!(event, SignatureEvent::Ignored { .. })) {
            return Ok(None);
        }
        let id = DeliveryId::of(&[b"file", provider.name().as_bytes(), bytes]);
        Ok(Some(Envelope::new(
            ProviderName::new(provider.name()),
            &id,
            None,
            (self.clock)(),
            provider.redact(bytes),
        )))
    }

    /// Moves a file into a folder; where it is then.
    fn put_away(&self, path: &Path, folder: &Path) -> Option<PathBuf> {
        let name = path.file_name()?;
        let mut to = folder.join(name);
        for number in 2.. {
            if !to.exists() {
                break;
            }
            to = folder.join(format!("{number}-{}", name.to_string_lossy()));
        }
        let moved = fs::create_dir_all(folder).and_then(|()| match fs::rename(path, &to) {
            // Another disk.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                fs::copy(path, &to).and_then(|_| fs::remove_file(path))
            }
            other => other,
        });
        match moved {
            Ok(()) => Some(to),
            Err(error) => {
                tracing::warn!(file = quoted(&path.to_string_lossy()), %error, "is in the inbox and could not be moved away");
                None
            }
        }
    }
}

/// Files with their stamps, and entries that could not be looked at.
type Files = (BTreeMap<PathBuf, SizeAndTime>, Vec<(PathBuf, io::Error)>);

/// The files of a folder that may be payloads. Hidden files and those that
/// browsers and copying programs are still writing are not. One entry that
/// cannot be read keeps no other back.
fn list(folder: &Path, recursive: bool, aside: &[PathBuf]) -> io::Result<Files> {
    let (mut files, mut unreadable) = (BTreeMap::new(), Vec::new());
    let mut open = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(error) => {
                unreadable.push((folder, error));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    unreadable.push((folder.clone(), error));
                    break;
                }
            };
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let unfinished = [".tmp", ".part", ".partial", ".crdownload", ".filepart", "~"];
            if name.starts_with('.') || unfinished.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let path = entry.path();
            match fs::metadata(&path) {
                Ok(data) if data.is_file() => {
                    files.insert(path, (data.len(), data.modified().ok()));
                }
                // A link to a folder may lead in a circle: it is not followed.
                Ok(data) if data.is_dir() && recursive && depth < DEEPEST => {
                    let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                    if !is_link && !aside.contains(&path) {
                        open.push((path, depth + 1));
                    }
                }
                Ok(_) => {}
                // Moved away meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => unreadable.push((path, error)),
            }
        }
    }
    Ok((files, unreadable))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is larger than 32 MiB"));
    }
    Ok(bytes)
}
