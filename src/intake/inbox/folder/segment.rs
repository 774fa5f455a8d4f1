//! A segment: the file that events are appended to before they are answered,
//! one sync for all that wait together. Each process has its own; the events'
//! files are made from it later, by whoever comes first.
//!
//! A record is a mark, a kind, a length, a checksum and its content. A segment
//! is read as far as its checksums hold, so what was cut off by a crash was
//! never answered.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::disk::{self, Access, FileLock, sync_folder};

/// How a segment's file ends.
const ENDING: &str = "segment";
/// What a segment is called that holds something unreadable before its end.
const DAMAGED: &str = "damaged";
/// What a record begins with. Its first byte is in no UTF-8 text, and so in no
/// event's content.
const MARK: [u8; 4] = [0xff, b'h', b'o', b'1'];
const HEADER: usize = 17;
/// The longest content that is read: a body of the largest size, escaped.
const LONGEST: usize = 16 * 1024 * 1024;

/// What a record is.
const EVENT: u8 = b'e';
const MADE: u8 = b'm';

/// Appends a record to a group that is written together.
pub(super) fn add_event(group: &mut Vec<u8>, content: &[u8]) {
    add(group, EVENT, content);
}

fn add(group: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let length = u64::try_from(content.len()).expect("a length fits");
    group.extend(MARK);
    group.push(kind);
    group.extend(length.to_le_bytes());
    group.extend(checksum(kind, content).to_le_bytes());
    group.extend(content);
}

fn checksum(kind: u8, content: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&[kind]);
    hash.update(content);
    hash.finalize()
}

/// A segment of this process. Its lock tells others that its owner lives.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    pub(super) path: PathBuf,
    /// So far it is whole and on the disk.
    pub(super) written: u64,
    /// So far its events have files.
    pub(super) made: u64,
    /// Nothing is appended to it any more.
    pub(super) is_closed: bool,
    _lock: FileLock,
}

impl Segment {
    /// Makes an empty one in a folder.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let name = format!("{}-{:08x}.{ENDING}", std::process::id(), fastrand::u32(..));
        // Locked before it has its name, so that nobody takes it for one whose owner is gone.
        let unnamed = folder.join(format!(".{name}"));
        let path = folder.join(name);
        let made = disk::create_appended(&unnamed, Access::Private).and_then(|file| {
            let lock = FileLock::try_take(&unnamed)?.ok_or(io::ErrorKind::WouldBlock)?;
            fs::rename(&unnamed, &path)?;
            sync_folder(folder)?;
            Ok(Self {
                file,
                path: path.clone(),
                written: 0,
                made: 0,
                is_closed: false,
                _lock: lock,
            })
        });
        if made.is_err() {
            // It may not be there; an empty one is removed by whoever finds it.
            let _ = fs::remove_file(&unnamed);
        }
        made
    }

    /// Appends a group of records and waits for the disk. When this fails
    /// nothing of the group counts, and where that cannot be made sure the
    /// segment is closed: after a sync that failed nobody knows what the disk
    /// has of it.
    pub(super) fn append(&mut self, group: &[u8]) -> io::Result<()> {
        self.write(group)?;
        if let Err(error) = self.file.sync_data() {
            self.is_closed = true;
            return Err(error);
        }
        self.written += group.len() as u64;
        Ok(())
    }

    /// Notes that all events before a place have their files. The disk is not
    /// waited for: without the note they are looked for once more.
    pub(super) fn note_made(&mut self, place: u64) {
        self.made = place;
        if self.is_closed {
            return;
        }
        let mut note = Vec::new();
        add(&mut note, MADE, &place.to_le_bytes());
        if self.write(&note).is_ok() {
            self.written += note.len() as u64;
        }
        if place + note.len() as u64 == self.written {
            self.made = self.written;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        if written.is_err() && self.file.set_len(self.written).is_err() {
            self.is_closed = true;
        }
        written
    }

    #[cfg(all(test, unix))]
    pub(super) fn replace_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Whether every event in it has its file.
    pub(super) fn is_made(&self) -> bool {
        self.made >= self.written
    }
}

/// The events of a segment, as they are read one after another.
#[derive(Debug)]
pub(super) struct Events {
    bytes: Vec<u8>,
    /// Where in the file `bytes` begins.
    start: u64,
    at: usize,
    /// Whether what is unreadable is passed over to find what comes after it.
    salvages: bool,
    /// Whether there was something readable after something unreadable.
    pub(super) is_damaged: bool,
}

impl Events {
    /// Reads a part of a segment.
    pub(super) fn between(path: &Path, from: u64, to: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
        Ok(Self { bytes, start: from, at: 0, salvages: false, is_damaged: false })
    }

    /// Reads what has no file yet of another process's segment. The end of one
    /// whose owner lives may be half written.
    pub(super) fn unmade(path: &Path, owner_lives: bool) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let mut events = Self { bytes, start: 0, at: 0, salvages: !owner_lives, is_damaged: false };
        let mut made = 0;
        while let Some((kind, content, _)) = events.next_record() {
            if kind == MADE
                && let Ok(place) = <[u8; 8]>::try_from(content)
            {
                made = made.max(u64::from_le_bytes(place));
            }
        }
        events.at = usize::try_from(made).unwrap_or(usize::MAX).min(events.bytes.len());
        Ok(events)
    }

    /// The next event's content, and where in the file it ends.
    pub(super) fn next(&mut self) -> Option<(&[u8], u64)> {
        loop {
            let (kind, _, _) = self.peek()?;
            if kind == EVENT {
                let (_, content, end) = self.next_record()?;
                return Some((content, end));
            }
            self.next_record()?;
        }
    }

    /// Whether all was read, and nothing unreadable stands at the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn peek(&mut self) -> Option<(u8, usize, usize)> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            if rest.is_empty() {
                return None;
            }
            if let Some((kind, length)) = record(rest) {
                return Some((kind, self.at + HEADER, length));
            }
            if !self.salvages {
                return None;
            }
            let next = rest[1..].windows(MARK.len()).position(|it| it == MARK)? + 1;
            self.at += next;
            if record(&self.bytes[self.at..]).is_some() {
                self.is_damaged = true;
            }
        }
    }

    fn next_record(&mut self) -> Option<(u8, &[u8], u64)> {
        let (kind, begin, length) = self.peek()?;
        self.at = begin + length;
        Some((kind, &self.bytes[begin..self.at], self.start + self.at as u64))
    }
}

/// The kind and the length of the record that these bytes begin with.
fn record(bytes: &[u8]) -> Option<(u8, usize)> {
    let header = bytes.get(..HEADER)?;
    let kind = header[4];
    let length = u64::from_le_bytes(header[5..13].try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST)?;
    let content = bytes.get(HEADER..HEADER + length)?;
    let fits = header[..4] == MARK && checksum(kind, content).to_le_bytes() == header[13..17];
    fits.then_some((kind, length))
}

/// The segments in a folder.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let path = folder.join(&name);
        let is_hidden = name.to_string_lossy().starts_with('.');
        if !is_hidden && path.extension().is_some_and(|ending| ending == ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Takes the lock of another process's segment; nothing while its owner lives.
pub(super) fn take_abandoned(path: &Path) -> io::Result<Option<FileLock>> {
    FileLock::try_take_existing(path)
}

/// Removes a segment whose events have files; one that holds something
/// unreadable before its end is kept for people under another name.
pub(super) fn remove(path: &Path, is_damaged: bool) -> io::Result<()> {
    let removed = match is_damaged {
        true => fs::rename(path, path.with_extension(DAMAGED)),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
