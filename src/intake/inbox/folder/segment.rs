//! A segment: the file that events are appended to before they are answered,
//! one sync for all that wait together. Each process has its own; the events'
//! files are made from it later, by whoever comes first.
//!
//! A record is a mark, a kind, a length, a checksum and its content. What is
//! written together begins with a record that says how far the segment was on
//! the disk by then. The file is longer than what is in it: zeros are written
//! ahead, so that a sync of what is written over them has no new size and no
//! new blocks to write. A segment is read as far as its checksums hold; what a
//! crash cut off, or wrote in part over the zeros, was never answered.

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
const GROUP: u8 = b'g';
/// How long a record is that holds a place in the file.
const PLACE: usize = HEADER + size_of::<u64>();

/// So many zeros are written ahead at least, and at most: as many as the
/// segment holds.
const AHEAD: (u64, u64) = (64 * 1024, 1024 * 1024);
/// Zeros are written up to the end of a block.
const BLOCK: u64 = 4096;

/// Events that are written together.
#[derive(Debug)]
pub(super) struct EventGroup(Vec<u8>);

impl EventGroup {
    /// An empty one, with room for so many events of so many bytes.
    pub(super) fn with_room(events: usize, bytes: usize) -> Self {
        let mut group = Vec::with_capacity(PLACE + events * HEADER + bytes);
        // What it begins with is known when it is written.
        group.resize(PLACE, 0);
        Self(group)
    }

    /// Adds an event.
    pub(super) fn add(&mut self, content: &[u8]) {
        add(&mut self.0, EVENT, content);
    }

    /// Its bytes, behind what is on the disk up to a place.
    fn into_bytes(mut self, synced: u64) -> Vec<u8> {
        let mut first = Vec::with_capacity(PLACE);
        add(&mut first, GROUP, &synced.to_le_bytes());
        self.0[..PLACE].copy_from_slice(&first);
        self.0
    }
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
    /// So far it is whole. Behind it are zeros.
    pub(super) written: u64,
    /// So far it is whole and on the disk.
    synced: u64,
    /// How long the file is.
    length: u64,
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
        let made = disk::create(&unnamed, Access::Private).and_then(|file| {
            let lock = FileLock::try_take(&unnamed)?.ok_or(io::ErrorKind::WouldBlock)?;
            fs::rename(&unnamed, &path)?;
            sync_folder(folder)?;
            Ok(Self {
                file,
                path: path.clone(),
                written: 0,
                synced: 0,
                length: 0,
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

    /// Appends a group of events and waits for the disk. When this fails
    /// nothing of the group counts, and where that cannot be made sure the
    /// segment is closed: after a sync that failed nobody knows what the disk
    /// has of it.
    pub(super) fn append(&mut self, group: EventGroup) -> io::Result<()> {
        let before = self.written;
        self.write(group.into_bytes(self.synced))?;
        if let Err(error) = self.file.sync_data() {
            self.is_closed = true;
            self.written = before;
            return Err(error);
        }
        self.synced = self.written;
        Ok(())
    }

    /// Notes that all events before a place have their files. The disk is not
    /// waited for: without the note they are looked for once more.
    pub(super) fn note_made(&mut self, place: u64) {
        self.made = place;
        if self.is_closed {
            return;
        }
        let mut note = Vec::with_capacity(PLACE);
        add(&mut note, MADE, &place.to_le_bytes());
        let end = place + PLACE as u64;
        if self.write(note).is_ok() && end == self.written {
            self.made = self.written;
        }
    }

    /// Writes behind what is written, and zeros behind that where there are not
    /// enough.
    fn write(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        let whole = bytes.len();
        let end = self.written + whole as u64;
        if end > self.length {
            let length = (end + end.clamp(AHEAD.0, AHEAD.1)).next_multiple_of(BLOCK);
            bytes.resize(whole + usize::try_from(length - end).expect("it is short"), 0);
        }
        let mut written = self.overwrite(&bytes);
        if written.is_err() && bytes.len() > whole && !self.is_closed {
            // There may be room for these bytes and not for the zeros.
            bytes.truncate(whole);
            written = self.overwrite(&bytes);
        }
        written?;
        self.length = self.length.max(self.written + bytes.len() as u64);
        self.written = end;
        Ok(())
    }

    /// Writes over the zeros. When this fails they are gone, or the segment is
    /// closed.
    fn overwrite(&mut self, bytes: &[u8]) -> io::Result<()> {
        let place = SeekFrom::Start(self.written);
        let written = self.file.seek(place).and_then(|_| self.file.write_all(bytes));
        if written.is_err() {
            self.is_closed |= self.file.set_len(self.written).is_err();
            self.length = self.written;
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
pub(super) struct SegmentEvents {
    bytes: Vec<u8>,
    /// Where in the file `bytes` begins.
    start: u64,
    at: usize,
    /// Whether what is unreadable is passed over to find what comes after it.
    salvages: bool,
    /// Where something unreadable stands before something readable.
    gap: Option<usize>,
    /// Whether something is unreadable that was on the disk.
    pub(super) is_damaged: bool,
}

impl SegmentEvents {
    /// Reads a part of a segment.
    pub(super) fn between(path: &Path, from: u64, to: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
        Ok(Self { bytes, start: from, at: 0, salvages: false, gap: None, is_damaged: false })
    }

    /// Reads what has no file yet of another process's segment. The end of one
    /// whose owner lives may be half written.
    pub(super) fn unmade(path: &Path, owner_lives: bool) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let salvages = !owner_lives;
        let mut events = Self { bytes, start: 0, at: 0, salvages, gap: None, is_damaged: false };
        let (mut made, mut synced) = (0, None);
        while let Some((kind, content, _)) = events.next_record() {
            let Ok(place) = <[u8; 8]>::try_from(content).map(u64::from_le_bytes) else { continue };
            match kind {
                MADE => made = made.max(place),
                GROUP => synced = synced.max(Some(place)),
                _ => {}
            }
        }
        // The last group may have been written in part; what says nothing of groups is older.
        let was_synced = |gap: usize| synced.is_none_or(|synced| (gap as u64) < synced.max(made));
        events.is_damaged = events.gap.is_some_and(was_synced);
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
            let unreadable = self.at;
            loop {
                let rest = self.bytes.get(self.at + 1..)?;
                self.at += rest.windows(MARK.len()).position(|it| it == MARK)? + 1;
                if record(&self.bytes[self.at..]).is_some() {
                    break;
                }
            }
            self.gap.get_or_insert(unreadable);
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
