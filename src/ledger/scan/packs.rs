//! The packs of a repository and of its alternates, opened once and read by
//! all threads.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gix::odb::pack;

use super::Id;

/// One pack with its index; the pack itself is opened on first use.
pub(super) struct Pack {
    index: pack::index::File,
    path: PathBuf,
    data: OnceLock<Option<pack::data::File>>,
}

impl Pack {
    fn open(index: &Path) -> Option<Self> {
        let opened = pack::index::File::at(index, gix::hash::Kind::Sha1).ok()?;
        Some(Self { index: opened, path: index.with_extension("pack"), data: OnceLock::new() })
    }

    /// Where the object begins in this pack, with the checksum of its packed
    /// bytes as the index gives it.
    pub(super) fn find(&self, id: &Id) -> Option<(u64, Option<u32>)> {
        let found = self.place(id)?;
        Some((self.index.pack_offset_at_index(found), self.index.crc32_at_index(found)))
    }

    /// Where the object stands in the index. Ids are spread evenly, so their first bytes
    /// tell it nearly: that is a third of the looks that halving takes.
    fn place(&self, id: &Id) -> Option<u32> {
        const GUESSES: u32 = 8;
        let head = |id: &[u8]| id.first_chunk().copied().map_or(0, u64::from_be_bytes);
        let wanted = head(id);
        let (mut low, mut high) = (0, self.index.num_objects());
        let (mut least, mut most) = (0, u64::MAX);
        for look in 0.. {
            if low >= high {
                break;
            }
            let (below, spread) = (wanted.saturating_sub(least), most.saturating_sub(least));
            // An index may be made so that no guess is near.
            let ahead = match look < GUESSES && below <= spread {
                true => u128::from(high - low) * u128::from(below) / (u128::from(spread) + 1),
                false => u128::from(high - low) / 2,
            };
            let at = low + u32::try_from(ahead).ok()?;
            let there = self.index.oid_at_index(at).as_bytes();
            match head(there).cmp(&wanted).then_with(|| there.cmp(&id[..])) {
                Ordering::Equal => return Some(at),
                Ordering::Less => (low, least) = (at + 1, head(there)),
                Ordering::Greater => (high, most) = (at, head(there)),
            }
        }
        None
    }

    /// Where the object begins in this pack.
    pub(super) fn offset(&self, id: &Id) -> Option<u64> {
        Some(self.find(id)?.0)
    }

    /// The pack; `None` when it cannot be opened.
    pub(super) fn data(&self) -> Option<&pack::data::File> {
        self.data
            .get_or_init(|| pack::data::File::at(&self.path, gix::hash::Kind::Sha1).ok())
            .as_ref()
    }
}

/// All packs that can be opened, the largest first. A pack left out here is
/// not lost: who does not find an object here asks the general object
/// database, which says what is wrong.
pub(super) fn open_packs(object_dirs: &[PathBuf]) -> Vec<Pack> {
    let mut packs = Vec::new();
    for dir in object_dirs {
        let Ok(entries) = std::fs::read_dir(dir.join("pack")) else { continue };
        let indexes =
            entries.flatten().map(|entry| entry.path()).filter(|path| has_extension(path, "idx"));
        packs.extend(indexes.filter_map(|path| Pack::open(&path)));
    }
    packs.sort_by_key(|pack| (std::cmp::Reverse(pack.index.num_objects()), pack.path.clone()));
    packs
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
