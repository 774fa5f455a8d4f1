//! What one commit changed below `briefs/` and in the schema, beside its
//! first parent.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Gap, ObjectId};

use super::Id;
use super::bases::Bases;
use super::objects::{Kind, ObjectFault, ObjectReader, unreadable};
use super::tree::{self, DirectoryEntry, Form};
use crate::ledger::path::key_of;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum Slot {
    /// Nothing, or a directory.
    Absent,
    /// A file.
    Blob(Id),
    /// A symbolic link or a submodule: no brief, and somebody should look.
    Other,
}

impl Slot {
    pub(super) fn blob(self) -> Option<ObjectId> {
        match self {
            Self::Blob(id) => Some(ObjectId(id)),
            Self::Absent | Self::Other => None,
        }
    }
}

/// Deeper folders are not read; no writer makes them, and a hostile one must
/// not exhaust the stack.
const DEEPEST: usize = 200;
/// Directories of the commits around the present one.
const HELD_BYTES: usize = 8 << 20;

/// Which file of a handoff folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandoffFile {
    Brief,
    Timeline,
    Sources,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A file of the folder with this number in [`Differ::folders`].
    Folder(u32, HandoffFile),
    /// `schema/brief.schema.json`.
    Schema,
    /// `handoff.yaml`.
    Settings,
}

/// One change: where in the chain, what, and what is there from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeChange {
    pub(super) at: u32,
    pub(super) what: What,
    pub(super) slot: Slot,
}

/// What the ledger's root is looked at for: two directories and the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Root {
    briefs: RootEntry,
    schema: RootEntry,
    settings: Slot,
}

impl Root {
    const EMPTY: Self =
        Self { briefs: RootEntry::Absent, schema: RootEntry::Absent, settings: Slot::Absent };
}

/// What lies where one of the ledger's folders belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RootEntry {
    Absent,
    Directory(Id),
    /// A symbolic link or a submodule.
    Other,
}

impl RootEntry {
    fn id(self) -> Option<Id> {
        match self {
            Self::Directory(id) => Some(id),
            Self::Absent | Self::Other => None,
        }
    }
}

/// Compares commits, newest first, and collects what they changed.
pub(super) struct Differ {
    reader: ObjectReader,
    /// The names of the folders down to the ledger.
    prefix: Vec<Vec<u8>>,
    held: Bases<Id, ()>,
    last_root: Option<(Id, Root)>,
    path: Vec<u8>,
    numbers: HashMap<Vec<u8>, u32>,
    /// The changes, newest first.
    pub(super) changes: Vec<TreeChange>,
    /// The folders' paths by number.
    pub(super) folders: Vec<Vec<u8>>,
    /// What could not be read, with the object's id.
    pub(super) gaps: Vec<(Id, Gap)>,
}

impl Differ {
    /// A differ that reads with this reader.
    pub(super) fn new(reader: ObjectReader, prefix: &str) -> Self {
        let parts = prefix.split('/').filter(|part| !part.is_empty());
        Self {
            reader,
            prefix: parts.map(|part| part.as_bytes().to_vec()).collect(),
            held: Bases::new(HELD_BYTES),
            last_root: None,
            path: Vec::new(),
            numbers: HashMap::new(),
            changes: Vec::new(),
            folders: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Collects what the root tree `new` of the commit at this place changed
    /// beside `old`. A directory that cannot be read counts as empty and is a
    /// gap, on both sides alike: it hides nothing else.
    pub(super) fn compare(&mut self, at: u32, new: &Id, old: Option<&Id>) {
        if Some(new) == old {
            return;
        }
        let before = old.map_or(Root::EMPTY, |id| self.root(id));
        let after = self.root(new);
        self.last_root = old.map(|id| (*id, before));
        if before.briefs != after.briefs {
            self.path.clear();
            self.path.extend_from_slice(b"briefs");
            self.not_followed(
                at,
                before.briefs == RootEntry::Other,
                after.briefs == RootEntry::Other,
            );
            self.directory(at, after.briefs.id(), before.briefs.id(), 0);
        }
        if before.settings != after.settings {
            self.changes.push(TreeChange { at, what: What::Settings, slot: after.settings });
        }
        if before.schema != after.schema {
            let (new, old) = (self.schema(after.schema), self.schema(before.schema));
            if new != old {
                self.changes.push(TreeChange { at, what: What::Schema, slot: new });
            }
        }
    }

    /// Says that a commit of the chain is not in this repository.
    pub(super) fn check_commit(&mut self, id: &Id) {
        if !self.reader.has(id) {
            self.gaps.push((*id, unreadable("commit", id, "", &ObjectFault::Missing)));
        }
    }

    /// The bytes of the ledger's own directory in a root tree.
    fn ledger(&mut self, id: &Id) -> Option<Arc<Vec<u8>>> {
        self.path.clear();
        let mut id = *id;
        let mut bytes = self.bytes(&id);
        for name in self.prefix.clone() {
            match tree::find(&bytes, &name) {
                Ok(Some(DirectoryEntry { form: Form::Directory, id: below, .. })) => id = below,
                Ok(_) => return None,
                Err(tree::MalformedTree) => {
                    self.malformed(&id);
                    return None;
                }
            }
            bytes = self.bytes(&id);
        }
        Some(bytes)
    }

    fn root(&mut self, id: &Id) -> Root {
        if let Some((known, root)) = self.last_root
            && known == *id
        {
            return root;
        }
        let Some(bytes) = self.ledger(id) else { return Root::EMPTY };
        let directory = |name: &[u8]| {
            let found = tree::find(&bytes, name)?;
            Ok(match found {
                Some(DirectoryEntry { form: Form::Directory, id, .. }) => RootEntry::Directory(id),
                Some(DirectoryEntry { form: Form::Other, .. }) => RootEntry::Other,
                _ => RootEntry::Absent,
            })
        };
        let settings = || {
            let found = tree::find(&bytes, b"handoff.yaml")?;
            let found = found.filter(|entry| entry.form != Form::Directory);
            Ok(found.map_or(Slot::Absent, |entry| slot(&entry)))
        };
        match (directory(b"briefs"), directory(b"schema"), settings()) {
            (Ok(briefs), Ok(schema), Ok(settings)) => Root { briefs, schema, settings },
            (Err(tree::MalformedTree), ..)
            | (_, Err(tree::MalformedTree), _)
            | (.., Err(tree::MalformedTree)) => {
                self.malformed(id);
                Root::EMPTY
            }
        }
    }

    /// Notes that a link or submodule came in the place of a folder, or went.
    /// It counts as a folder of which neither file can be had.
    fn not_followed(&mut self, at: u32, before: bool, after: bool) {
        if before == after {
            return;
        }
        let slot = if after { Slot::Other } else { Slot::Absent };
        let folder = self.folder();
        for file in [HandoffFile::Brief, HandoffFile::Timeline] {
            self.changes.push(TreeChange { at, what: What::Folder(folder, file), slot });
        }
    }

    fn schema(&mut self, directory: RootEntry) -> Slot {
        let id = match directory {
            RootEntry::Absent => return Slot::Absent,
            RootEntry::Other => return Slot::Other,
            RootEntry::Directory(id) => id,
        };
        self.path.clear();
        self.path.extend_from_slice(b"schema");
        let bytes = self.bytes(&id);
        match tree::find(&bytes, b"brief.schema.json") {
            Ok(Some(entry)) if entry.form != Form::Directory => slot(&entry),
            Ok(_) => Slot::Absent,
            Err(tree::MalformedTree) => {
                self.malformed(&id);
                Slot::Absent
            }
        }
    }

    fn directory(&mut self, at: u32, new: Option<Id>, old: Option<Id>, depth: usize) {
        if depth > DEEPEST {
            let path = shown(&self.path);
            let gap = Gap {
                what: format!("the folders below {path}"),
                why: format!("folders are nested more than {DEEPEST} deep there"),
                help: Some("Move or remove them.".to_owned()),
            };
            self.gaps.push((new.or(old).unwrap_or_default(), gap));
            return;
        }
        let new_bytes = new.map_or_else(Arc::default, |id| self.bytes(&id));
        let old_bytes = old.map_or_else(Arc::default, |id| self.bytes(&id));
        let mut differing: Vec<(Option<DirectoryEntry<'_>>, Option<DirectoryEntry<'_>>)> =
            Vec::new();
        if tree::compare(&old_bytes, &new_bytes, |a, b| differing.push((a, b))).is_err() {
            // Which side it is shows when each is read through alone; what is
            // broken then counts as empty like what is missing.
            let old = old.filter(|id| self.is_sound(id, &old_bytes));
            let new = new.filter(|id| self.is_sound(id, &new_bytes));
            if old != new {
                self.directory(at, new, old, depth + 1);
            }
            return;
        }
        let length = self.path.len();
        for (before, after) in differing {
            let (is_dir_before, is_dir_after) = (is_directory(before), is_directory(after));
            if depth > 0 && !(is_dir_before && is_dir_after) {
                let named = if is_dir_after { before } else { after.or(before) };
                let file = named.filter(|e| e.form != Form::Directory).and_then(|e| file(e.name));
                if let Some(file) = file {
                    let slot = after.filter(|_| !is_dir_after).map_or(Slot::Absent, |e| slot(&e));
                    let folder = self.folder();
                    self.changes.push(TreeChange { at, what: What::Folder(folder, file), slot });
                }
            }
            let (is_other_before, is_other_after) = (is_link(before), is_link(after));
            if is_dir_before || is_dir_after || is_other_before || is_other_after {
                let name = after.or(before).map_or(&b""[..], |entry| entry.name);
                let is_of_handoff = depth > 0 && file(name).is_some() || self.is_in_handoff();
                self.path.push(b'/');
                self.path.extend_from_slice(name);
                if !is_of_handoff {
                    self.not_followed(at, is_other_before, is_other_after);
                }
                let id = |entry: Option<DirectoryEntry<'_>>| {
                    entry.filter(|e| e.form == Form::Directory).map(|e| e.id)
                };
                self.directory(at, id(after), id(before), depth + 1);
                self.path.truncate(length);
            }
        }
    }

    /// Whether the path is a handoff's folder, by its name, or lies in one.
    fn is_in_handoff(&self) -> bool {
        shown(&self.path).split('/').any(|part| key_of(part).is_some())
    }

    fn is_sound(&mut self, id: &Id, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        loop {
            match tree::take(&mut rest) {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(tree::MalformedTree) => {
                    self.malformed(id);
                    return false;
                }
            }
        }
    }

    fn folder(&mut self) -> u32 {
        if let Some(number) = self.numbers.get(&self.path) {
            return *number;
        }
        let number = u32::try_from(self.folders.len()).expect("fewer folders than bytes in memory");
        self.folders.push(self.path.clone());
        self.numbers.insert(self.path.clone(), number);
        number
    }

    /// A directory's bytes; none when it cannot be read, which is then a gap.
    fn bytes(&mut self, id: &Id) -> Arc<Vec<u8>> {
        if let Some((bytes, ())) = self.held.get(id) {
            return bytes;
        }
        let bytes = match self.reader.read_kind(id, Kind::Tree) {
            Ok(bytes) => bytes,
            Err(fault) => {
                let gap = unreadable("directory", id, &shown(&self.path), &fault);
                self.gaps.push((*id, gap));
                Arc::default()
            }
        };
        self.held.put(*id, Arc::clone(&bytes), ());
        bytes
    }

    fn malformed(&mut self, id: &Id) {
        let fault = ObjectFault::Broken("its entries are malformed".to_owned());
        let gap = unreadable("directory", id, &shown(&self.path), &fault);
        self.gaps.push((*id, gap));
    }
}

fn is_directory(entry: Option<DirectoryEntry<'_>>) -> bool {
    entry.is_some_and(|entry| entry.form == Form::Directory)
}

fn is_link(entry: Option<DirectoryEntry<'_>>) -> bool {
    entry.is_some_and(|entry| entry.form == Form::Other)
}

fn file(name: &[u8]) -> Option<HandoffFile> {
    match name {
        b"brief.yaml" => Some(HandoffFile::Brief),
        b"timeline.yaml" => Some(HandoffFile::Timeline),
        b"sources.yaml" => Some(HandoffFile::Sources),
        _ => None,
    }
}

fn slot(entry: &DirectoryEntry<'_>) -> Slot {
    if entry.form == Form::File { Slot::Blob(entry.id) } else { Slot::Other }
}

/// A path for people: bytes that are not UTF-8 as `\xNN`.
pub(super) fn shown(path: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}
