//! Reads objects. Packs are read here with a memory of delta bases that fits
//! the scan (directories of neighbouring commits are deltas of each other);
//! everything else, and every failure, goes to the general object database.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub(in crate::ledger) use gix::objs::Kind;
use gix::objs::{Exists as _, Find as _};
use gix::odb::pack::data::{self, entry::Header};

use super::Id;
use super::bases::Bases;
use super::delta;
use super::packs::{Pack, open_packs};
use crate::model::{Gap, ObjectId};

/// No tree, commit, brief or timeline is larger; what claims to be is not
/// allocated.
const LARGEST: u64 = 128 << 20;
/// No writer makes longer chains (git's default is 50, its limit 4095).
const LONGEST_CHAIN: usize = 4096;

/// Why an object could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) enum ObjectFault {
    /// It is not in this repository.
    Missing,
    /// It is there and broken; the reason.
    Broken(String),
}

impl std::fmt::Display for ObjectFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not in this repository"),
            Self::Broken(why) => write!(f, "it is corrupt: {why}"),
        }
    }
}

/// The object database of one repository, shared by readers in many threads.
pub(in crate::ledger) struct Objects {
    packs: Vec<Pack>,
    /// Copied for each reader; handles cannot be shared.
    general: Mutex<gix::odb::Handle>,
}

impl Objects {
    /// Opens the objects below an absolute `objects` folder, alternates
    /// included. Replacement objects are not followed: the audit reads what
    /// was committed.
    pub(in crate::ledger) fn open(objects: &Path) -> Result<Arc<Self>, String> {
        let mut dirs = vec![objects.to_owned()];
        dirs.extend(
            gix::odb::alternate::resolve(objects.to_owned(), objects).map_err(|e| words(&e))?,
        );
        let options = gix::odb::store::init::Options {
            alloc_limit_bytes: usize::try_from(4 * LARGEST).ok(),
            current_dir: Some(objects.to_owned()),
            ..Default::default()
        };
        let general = gix::odb::at_opts(objects, gix::hash::Kind::Sha1, None, options)
            .map_err(|e| e.to_string())?;
        Ok(Arc::new(Self { packs: open_packs(&dirs), general: Mutex::new(general) }))
    }

    /// A reader for one thread that remembers about this many bytes.
    pub(in crate::ledger) fn reader(self: &Arc<Self>, bytes: usize) -> ObjectReader {
        let general = self.general.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ObjectReader {
            objects: Arc::clone(self),
            general,
            bases: Bases::new(bytes),
            inflate: gix::zlib::Inflate::default(),
            delta: Vec::new(),
            last_pack: 0,
            misses: 0,
        }
    }

    /// Where an object stands in the packs; none for a loose one.
    pub(in crate::ledger) fn place(&self, id: &Id) -> Option<InPack> {
        (0..self.packs.len()).find_map(|pack| self.place_in(pack, id))
    }

    fn place_in(&self, pack: usize, id: &Id) -> Option<InPack> {
        let (offset, checksum) = self.packs.get(pack)?.find(id)?;
        Some(InPack { pack, offset, checksum })
    }
}

/// Where an object stands. Objects that are read in this order build on what was
/// read right before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ledger) struct InPack {
    pack: usize,
    offset: u64,
    checksum: Option<u32>,
}

/// Reads objects in one thread.
pub(in crate::ledger) struct ObjectReader {
    objects: Arc<Objects>,
    general: gix::odb::Handle,
    /// By pack and offset, with the kind and the length of the packed bytes.
    bases: Bases<(usize, u64), (Kind, usize)>,
    inflate: gix::zlib::Inflate,
    /// One delta's instructions; kept, as there are five for each commit.
    delta: Vec<u8>,
    last_pack: usize,
    misses: usize,
}

impl ObjectReader {
    /// Whether the object is in this repository.
    pub(in crate::ledger) fn has(&mut self, id: &Id) -> bool {
        let found = self.locate(id).is_some() || self.general.exists(&gix::ObjectId::Sha1(*id));
        if !found {
            self.count_miss();
        }
        found
    }

    /// Each miss makes the general database look at the disk again, for packs
    /// that came since. In a clone that lacks thousands of objects that adds up.
    fn count_miss(&mut self) {
        self.misses += 1;
        if self.misses == 32 {
            self.general.refresh_never();
        }
    }

    /// The bytes and kind of an object that stands at this place, or loose.
    fn read(
        &mut self,
        place: Option<InPack>,
        id: &Id,
    ) -> Result<(Arc<Vec<u8>>, Kind), ObjectFault> {
        if let Some(found) = place.and_then(|place| self.read_packed(place)) {
            return Ok(found);
        }
        let wanted = gix::ObjectId::Sha1(*id);
        let mut bytes = Vec::new();
        let kind = match self.general.try_find(&wanted, &mut bytes) {
            Ok(Some(found)) => found.kind,
            Ok(None) => {
                self.count_miss();
                return Err(ObjectFault::Missing);
            }
            Err(error) => return Err(ObjectFault::Broken(words(&error))),
        };
        // Entries of packs are guarded by zlib's checksum and their deltas'
        // lengths; what comes this way (loose, or odd) is checked as a whole.
        match gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, &bytes) {
            Ok(found) if found == wanted => Ok((Arc::new(bytes), kind)),
            Ok(found) => Err(ObjectFault::Broken(format!("its bytes have the id {found}"))),
            Err(error) => Err(ObjectFault::Broken(words(&error))),
        }
    }

    /// The object's bytes when it is of this kind.
    pub(in crate::ledger) fn read_kind(
        &mut self,
        id: &Id,
        wanted: Kind,
    ) -> Result<Arc<Vec<u8>>, ObjectFault> {
        let place = self.locate(id);
        self.read_kind_at(place, id, wanted)
    }

    /// As [`ObjectReader::read_kind`], of an object of which it is known where it stands.
    pub(in crate::ledger) fn read_kind_at(
        &mut self,
        place: Option<InPack>,
        id: &Id,
        wanted: Kind,
    ) -> Result<Arc<Vec<u8>>, ObjectFault> {
        let (bytes, kind) = self.read(place, id)?;
        if kind != wanted {
            return Err(ObjectFault::Broken(format!("it is a {kind} where a {wanted} belongs")));
        }
        Ok(bytes)
    }

    fn locate(&mut self, id: &Id) -> Option<InPack> {
        let found = self.objects.place_in(self.last_pack, id);
        let found = found.or_else(|| self.objects.place(id))?;
        self.last_pack = found.pack;
        Some(found)
    }

    /// Reads an entry and the bases it builds on. `None` for anything odd:
    /// the general object database then finds another copy or says why not.
    fn read_packed(
        &mut self,
        InPack { pack, offset, checksum }: InPack,
    ) -> Option<(Arc<Vec<u8>>, Kind)> {
        let objects = Arc::clone(&self.objects);
        let file = objects.packs[pack].data()?;
        let mut deltas: Vec<(u64, data::Entry)> = Vec::new();
        let mut at = offset;
        let (mut bytes, (kind, mut length)) = loop {
            if let Some(known) = self.bases.get(&(pack, at)) {
                break known;
            }
            let entry = file.entry(at).ok()?;
            let base = match entry.header {
                Header::OfsDelta { base_distance } => {
                    entry.checked_base_pack_offset(base_distance)?
                }
                Header::RefDelta { base_id } => {
                    objects.packs[pack].offset(base_id.as_slice().try_into().ok()?)?
                }
                Header::Commit | Header::Tree | Header::Blob | Header::Tag => {
                    let kind = entry.header.as_kind()?;
                    let mut bytes = Vec::new();
                    let length = inflate(&mut self.inflate, file, &entry, &mut bytes)?;
                    let bytes = Arc::new(bytes);
                    self.bases.put((pack, at), Arc::clone(&bytes), (kind, length));
                    break (bytes, (kind, length));
                }
            };
            if deltas.len() == LONGEST_CHAIN {
                return None;
            }
            deltas.push((at, entry));
            at = base;
        };
        while let Some((at, entry)) = deltas.pop() {
            length = inflate(&mut self.inflate, file, &entry, &mut self.delta)?;
            let (base_size, size, header) = delta::sizes(&self.delta)?;
            if base_size != bytes.len() as u64 || size > LARGEST {
                return None;
            }
            let size = usize::try_from(size).ok()?;
            bytes = Arc::new(delta::apply(&bytes, &self.delta[header..], size)?);
            self.bases.put((pack, at), Arc::clone(&bytes), (kind, length));
        }
        // An index that points at another entry would give another object.
        let is_meant = checksum.is_none_or(|sum| file.entry_crc32(offset, length) == sum);
        is_meant.then_some((bytes, kind))
    }
}

/// Unpacks an entry; how many bytes of the pack it takes.
fn inflate(
    inflate: &mut gix::zlib::Inflate,
    file: &data::File,
    entry: &data::Entry,
    bytes: &mut Vec<u8>,
) -> Option<usize> {
    if entry.decompressed_size > LARGEST {
        return None;
    }
    bytes.clear();
    bytes.resize(usize::try_from(entry.decompressed_size).ok()?, 0);
    let packed = file.decompress_entry(entry, inflate, bytes).ok()?;
    Some(entry.header_size() + packed)
}

/// The whole chain of a gix error in one line.
fn words(error: &gix::Error) -> String {
    let mut words: Vec<String> = error.iter_errors().map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}

/// A gap for an object that cannot be read.
pub(super) fn unreadable(kind: &str, id: &Id, path: &str, fault: &ObjectFault) -> Gap {
    let at = if path.is_empty() { String::new() } else { format!(" ({path})") };
    let help = match fault {
        ObjectFault::Missing => {
            "Fetch it from a whole clone with `git fetch --refetch --no-filter`, or audit a fresh full clone."
        }
        ObjectFault::Broken(_) => {
            "Run `git fsck` to see the damage, and audit a fresh full clone of the ledger."
        }
    };
    Gap {
        what: format!("the {kind} {}{at}", ObjectId(*id)),
        why: fault.to_string(),
        help: Some(help.to_owned()),
    }
}
