//! Many new objects as one pack with its index, in git's formats
//! (<https://git-scm.com/docs/gitformat-pack>). A folder that was changed many
//! times is written once, and then as what each change did to it.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::{Compress, Compression, FlushCompress, Status};
use git2::{ObjectType, Oid};
use sha1::{Digest as _, Sha1};

/// As long as git lets the chains of its own packs be.
const LONGEST_CHAIN: u32 = 50;
/// The most that one instruction copies, and inserts.
const MOST_COPIED: usize = 0x10000;
const MOST_INSERTED: usize = 0x7F;

/// A pack that is being written, in memory: it is small beside its objects.
pub(super) struct PackWriter {
    bytes: Vec<u8>,
    deflate: Compress,
    /// Each with its checksum, its place, and the length of its chain.
    objects: HashMap<Oid, (u32, usize, u32)>,
}

impl PackWriter {
    pub(super) fn new(count: usize) -> io::Result<Self> {
        let count = u32::try_from(count).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = b"PACK\0\0\0\x02".to_vec();
        bytes.extend(count.to_be_bytes());
        let deflate = Compress::new(Compression::fast(), true);
        Ok(Self { bytes, deflate, objects: HashMap::new() })
    }

    /// Whether an object may be given as a delta to this one.
    pub(super) fn takes_delta_to(&self, base: Oid) -> bool {
        self.objects.get(&base).is_some_and(|(.., chain)| *chain < LONGEST_CHAIN)
    }

    pub(super) fn add(&mut self, id: Oid, kind: ObjectType, content: &[u8]) -> io::Result<()> {
        let number = match kind {
            ObjectType::Commit => 1,
            ObjectType::Tree => 2,
            ObjectType::Tag => 4,
            _ => 3,
        };
        self.entry(id, number, None, content)
    }

    /// Adds an object as what turns another one, which is in the pack, into it.
    pub(super) fn add_delta(&mut self, id: Oid, base: Oid, delta: &[u8]) -> io::Result<()> {
        self.entry(id, 6, Some(base), delta)
    }

    fn entry(&mut self, id: Oid, kind: u8, base: Option<Oid>, content: &[u8]) -> io::Result<()> {
        let start = self.bytes.len();
        let mut size = content.len();
        let mut byte = (kind << 4) | low(size, 0x0F);
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = low(size, 0x7F);
            size >>= 7;
        }
        self.bytes.push(byte);
        let mut chain = 0;
        if let Some(base) = base {
            let (_, place, above) = self.objects[&base];
            chain = above + 1;
            self.bytes.extend(distance(start - place));
        }
        self.deflate(content)?;
        let sum = crc32fast::hash(&self.bytes[start..]);
        self.objects.insert(id, (sum, start, chain));
        Ok(())
    }

    /// Appends a content, deflated. One stream's room serves for all of them.
    fn deflate(&mut self, content: &[u8]) -> io::Result<()> {
        self.deflate.reset();
        self.bytes.reserve(content.len() / 2 + 64);
        loop {
            let read = usize::try_from(self.deflate.total_in()).map_err(io::Error::other)?;
            let rest = &content[read..];
            let deflated =
                self.deflate.compress_vec(rest, &mut self.bytes, FlushCompress::Finish)?;
            if deflated == Status::StreamEnd {
                return Ok(());
            }
            self.bytes.reserve(content.len() / 2 + 1_024);
        }
    }

    /// Writes the two files into a folder; they are not synced. The pack comes
    /// first, as git looks for packs by their index.
    pub(super) fn finish(mut self, folder: &Path) -> io::Result<[PathBuf; 2]> {
        let sum = Sha1::digest(&self.bytes);
        self.bytes.extend(sum);
        let mut objects: Vec<_> = self.objects.iter().collect();
        objects.sort_unstable_by_key(|(id, _)| **id);
        let mut index = b"\xfftOc\0\0\0\x02".to_vec();
        for first in 0..=u8::MAX {
            let until = objects.partition_point(|(id, _)| id.as_bytes()[0] <= first);
            index.extend(u32::try_from(until).map_err(io::Error::other)?.to_be_bytes());
        }
        objects.iter().for_each(|(id, _)| index.extend(id.as_bytes()));
        objects.iter().for_each(|(_, (sum, ..))| index.extend(sum.to_be_bytes()));
        for (_, (_, place, _)) in &objects {
            // Larger places have a table of their own, which a batch in memory never needs.
            let place = i32::try_from(*place).map_err(|_| io::ErrorKind::FileTooLarge)?;
            index.extend(place.to_be_bytes());
        }
        index.extend(sum);
        let index_sum = Sha1::digest(&index);
        index.extend(index_sum);
        let name = format!("pack-{}", hex::encode(sum));
        let files = ["pack", "idx"].map(|kind| folder.join(format!("{name}.{kind}")));
        for (file, bytes) in files.iter().zip([&self.bytes, &index]) {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o444);
            options.open(file)?.write_all(bytes)?;
        }
        Ok(files)
    }
}

/// What turns one content into another that differs from it in one place; `None`
/// where that is not much shorter.
pub(super) fn delta(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let same = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| {
        pairs.take_while(|(one, other)| one == other).count()
    };
    let before = same(&mut old.iter().zip(new));
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let after = same(&mut old_rest.iter().rev().zip(new_rest.iter().rev()));
    let inserted = &new_rest[..new_rest.len() - after];
    if inserted.len() * 2 > new.len() {
        return None;
    }
    let mut out = Vec::with_capacity(inserted.len() + 64);
    length(&mut out, old.len());
    length(&mut out, new.len());
    copy(&mut out, 0, before);
    for piece in inserted.chunks(MOST_INSERTED) {
        out.push(low(piece.len(), 0x7F));
        out.extend(piece);
    }
    copy(&mut out, old.len() - after, after);
    Some(out)
}

fn copy(out: &mut Vec<u8>, mut from: usize, mut left: usize) {
    while left > 0 {
        let size = left.min(MOST_COPIED);
        let start = out.len();
        out.push(0x80);
        // Bytes that are zero are left out; so is a size of 0x10000, which is what none means.
        let bytes = (0..4)
            .map(|n| (n, from >> (8 * n)))
            .chain((0..3).map(|n| (n + 4, if size == MOST_COPIED { 0 } else { size >> (8 * n) })));
        for (bit, byte) in bytes {
            let byte = low(byte, 0xFF);
            if byte != 0 {
                out[start] |= 1 << bit;
                out.push(byte);
            }
        }
        (from, left) = (from + size, left - size);
    }
}

/// A length in groups of seven bits, the lowest first.
fn length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(0x80 | low(length, 0x7F));
        length >>= 7;
    }
    out.push(low(length, 0x7F));
}

/// How far back a base is, in groups of seven bits, the highest first, each but
/// the last with one taken off.
fn distance(mut back: usize) -> Vec<u8> {
    let mut out = vec![low(back, 0x7F)];
    while back >= 0x80 {
        back = (back >> 7) - 1;
        out.push(0x80 | low(back, 0x7F));
    }
    out.reverse();
    out
}

fn low(number: usize, mask: u8) -> u8 {
    u8::try_from(number & usize::from(mask)).expect("a mask is a byte")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::handle::read_object;

    /// libgit2 reads what is written here: contents of each size around the
    /// limits of an instruction, changed at the beginning, inside and at the end.
    #[test]
    fn deltas_are_read_as_what_they_were_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let repo = git2::Repository::init_bare(folder.path()).unwrap();
        let mut pack = PackWriter::new(0).unwrap();
        let mut contents = Vec::new();
        for size in [1_000, 0xFFFF, 0x10000, 0x10001, 0x1_FFFF, 0x30000, 300_000] {
            let old: Vec<u8> = (0..size).map(|n: u32| (n * 7 + n / 251) as u8).collect();
            let base = Oid::hash_object(ObjectType::Blob, &old).unwrap();
            pack.add(base, ObjectType::Blob, &old).unwrap();
            contents.push((base, old.clone()));
            for (at, gone, new) in [
                (0, 0, &b"more"[..]),
                (500, 3, &[7; 300]),
                (size as usize / 2, 0, b"x"),
                (size as usize - 9, 9, b""),
                (size as usize, 0, &[9; 127]),
            ] {
                let mut changed = old.clone();
                changed.splice(at..at + gone, new.iter().copied());
                let id = Oid::hash_object(ObjectType::Blob, &changed).unwrap();
                assert!(pack.takes_delta_to(base));
                pack.add_delta(id, base, &delta(&old, &changed).unwrap()).unwrap();
                contents.push((id, changed));
            }
        }
        assert_eq!(delta(b"one thing", b"quite another"), None);
        pack.bytes[8..12].copy_from_slice(&u32::try_from(contents.len()).unwrap().to_be_bytes());
        pack.finish(&folder.path().join("objects/pack")).unwrap();
        for (id, content) in contents {
            let (_, bytes) = read_object(&repo, repo.commondir(), id).unwrap();
            assert!(*bytes == *content, "{id} of {} bytes", content.len());
        }
    }
}
