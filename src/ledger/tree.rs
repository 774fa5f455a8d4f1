//! A folder's object: its entries as git writes them, read from the bytes, and
//! the bytes with entries put in or taken out.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use git2::{ObjectType, Oid};
use memchr::memchr;

/// An entry of a tree: the object and its mode.
pub(super) type ObjectAndMode = (Oid, i32);

/// The mode of a tree inside a tree.
pub(super) const TREE: i32 = 0o040_000;

/// The modes of a symbolic link and of a submodule.
pub(super) const LINK: i32 = 0o120_000;
pub(super) const SUBMODULE: i32 = 0o160_000;

/// Why a folder's object cannot be read.
pub(super) const UNREADABLE: &str = "a folder's object is damaged";

/// How long an id is.
const ID: usize = 20;

/// A folder's entries, by name.
pub(super) struct Tree {
    bytes: Arc<[u8]>,
    /// Sorted by name; git sorts a folder as if its name ended in a slash.
    lines: Vec<EntrySpan>,
}

/// Where an entry stands in the bytes: its name from here to there, and the id
/// behind it.
struct EntrySpan {
    mode: i32,
    name: u32,
    end: u32,
}

/// One entry of a folder.
#[derive(Clone, Copy)]
pub(super) struct TreeEntry<'a> {
    pub(super) name: &'a [u8],
    pub(super) id: Oid,
    pub(super) mode: i32,
}

impl<'a> TreeEntry<'a> {
    /// The kind of its object; a link's is a blob.
    pub(super) fn kind(self) -> ObjectType {
        match self.mode {
            TREE => ObjectType::Tree,
            SUBMODULE => ObjectType::Commit,
            _ => ObjectType::Blob,
        }
    }

    pub(super) fn is_folder(self) -> bool {
        self.mode == TREE
    }

    /// Its name, where that is text.
    pub(super) fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.name).ok()
    }

    pub(super) fn entry(self) -> ObjectAndMode {
        (self.id, self.mode)
    }
}

impl Tree {
    /// Reads a folder's object.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn parse(bytes: Arc<[u8]>) -> Result<Self, git2::Error> {
        let unreadable = || git2::Error::from_str(UNREADABLE);
        let mut lines = Vec::with_capacity(bytes.len() / 64);
        let (mut at, mut is_sorted) = (0, true);
        for line in tree_lines(&bytes) {
            let line = line.map_err(|_| unreadable())?;
            let name = at + line.mode.len() + 1;
            let end = name + line.name.len();
            at = end + 1 + ID;
            let place = |at: usize| u32::try_from(at).map_err(|_| unreadable());
            let mode = mode_of(line.mode).ok_or_else(unreadable)?;
            let line = EntrySpan { mode, name: place(name)?, end: place(end)? };
            if let Some(last) = lines.last() {
                is_sorted &= name_of(&bytes, last) < name_of(&bytes, &line);
            }
            lines.push(line);
        }
        if !is_sorted {
            lines.sort_unstable_by(|a, b| name_of(&bytes, a).cmp(name_of(&bytes, b)));
        }
        Ok(Self { bytes, lines })
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The entries, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = TreeEntry<'_>> {
        self.lines.iter().map(|line| self.entry(line))
    }

    /// The entry of this name.
    pub(super) fn get(&self, name: impl AsRef<[u8]>) -> Option<TreeEntry<'_>> {
        let find = |line: &EntrySpan| name_of(&self.bytes, line).cmp(name.as_ref());
        let at = self.lines.binary_search_by(find).ok()?;
        Some(self.entry(&self.lines[at]))
    }

    fn entry(&self, line: &EntrySpan) -> TreeEntry<'_> {
        let end = line.end as usize;
        let id = Oid::from_bytes(&self.bytes[end + 1..=end + ID]).expect("an id has twenty bytes");
        TreeEntry { name: name_of(&self.bytes, line), id, mode: line.mode }
    }
}

fn name_of<'a>(bytes: &'a [u8], line: &EntrySpan) -> &'a [u8] {
    &bytes[line.name as usize..line.end as usize]
}

/// A mode as it is meant: files are executable or not.
fn mode_of(octal: &[u8]) -> Option<i32> {
    let mode = i32::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok()?;
    Some(match mode & 0o170_000 {
        TREE => TREE,
        _ if mode & 0o100 != 0 => 0o100_755,
        SUBMODULE => SUBMODULE,
        LINK => LINK,
        _ => 0o100_644,
    })
}

/// One line of a tree as git writes it: mode, name, id.
struct TreeLine<'a> {
    raw: Cow<'a, [u8]>,
    mode: &'a [u8],
    name: &'a [u8],
}

impl TreeLine<'_> {
    /// The order that git has the entries of a tree in: a folder as if its name
    /// ended in a slash.
    fn compare(&self, other: &Self) -> Ordering {
        let end = |it: &Self| if matches!(it.mode, b"40000" | b"040000") { b'/' } else { 0 };
        let common = self.name.len().min(other.name.len());
        let rest = |it: &Self| it.name.get(common).copied().unwrap_or_else(|| end(it));
        let by_name = self.name[..common].cmp(&other.name[..common]);
        by_name.then_with(|| rest(self).cmp(&rest(other)))
    }
}

fn tree_lines(mut tree: &[u8]) -> impl Iterator<Item = Result<TreeLine<'_>, &'static str>> {
    std::iter::from_fn(move || {
        if tree.is_empty() {
            return None;
        }
        let parsed = || {
            let space = tree.iter().take(8).position(|byte| *byte == b' ')?;
            let end = space + memchr(0, &tree[space..])?;
            let (raw, rest) = tree.split_at_checked(end + 1 + ID)?;
            let (mode, name) = (&raw[..space], &raw[space + 1..end]);
            Some((TreeLine { raw: raw.into(), mode, name }, rest))
        };
        Some(match parsed() {
            Some((entry, rest)) => {
                tree = rest;
                Ok(entry)
            }
            None => {
                tree = &[];
                Err(UNREADABLE)
            }
        })
    })
}

/// What a folder's bytes have by a name: the object and its mode.
///
/// # Errors
/// When they are damaged.
pub(super) fn find_entry(bytes: &[u8], name: &str) -> Result<Option<ObjectAndMode>, &'static str> {
    let is_it = |line: &Result<TreeLine<'_>, _>| {
        line.as_ref().map_or(true, |line| line.name == name.as_bytes())
    };
    let Some(line) = tree_lines(bytes).find(is_it).transpose()? else { return Ok(None) };
    let id = Oid::from_bytes(&line.raw[line.raw.len() - ID..]).map_err(|_| UNREADABLE)?;
    let mode = std::str::from_utf8(line.mode).ok();
    let mode = mode.and_then(|mode| i32::from_str_radix(mode, 8).ok());
    Ok(Some((id, mode.ok_or(UNREADABLE)?)))
}

/// A folder's bytes with entries put in or taken out.
///
/// # Errors
/// When they are damaged, or a name cannot be in a folder.
pub(super) fn edited(
    old: &[u8],
    edits: &[(String, Option<ObjectAndMode>)],
) -> Result<Vec<u8>, &'static str> {
    let modes: Vec<String> = edits
        .iter()
        .map(|(_, entry)| entry.map_or_else(String::new, |(_, mode)| format!("{mode:o}")))
        .collect();
    let mut tree = tree_lines(old).collect::<Result<Vec<_>, _>>()?;
    for ((name, entry), mode) in edits.iter().zip(&modes) {
        let is_name = !matches!(name.as_str(), "" | "." | "..")
            && !name.contains(['/', '\0'])
            && !name.eq_ignore_ascii_case(".git");
        if !is_name {
            return Err("a name cannot be in a folder");
        }
        if let Some(at) = tree.iter().position(|entry| entry.name == name.as_bytes()) {
            tree.remove(at);
        }
        let Some((id, _)) = entry else { continue };
        let mut raw = format!("{mode} {name}\0").into_bytes();
        raw.extend(id.as_bytes());
        let new = TreeLine { raw: raw.into(), mode: mode.as_bytes(), name: name.as_bytes() };
        let at = tree.partition_point(|entry| entry.compare(&new) == Ordering::Less);
        tree.insert(at, new);
    }
    let mut bytes = Vec::with_capacity(old.len() + 64 * edits.len());
    tree.iter().for_each(|entry| bytes.extend_from_slice(&entry.raw));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::blob::object_hash;

    /// libgit2 writes the same bytes: names that sort otherwise as a folder's among them.
    #[test]
    fn folders_are_written_as_libgit2_does_and_read_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let repo = git2::Repository::init_bare(folder.path()).unwrap();
        let file = (repo.blob(b"x").unwrap(), 0o100_644);
        let below = (repo.treebuilder(None).unwrap().write().unwrap(), TREE);
        let names = ["a", "a-b", "a.b", "a0", "ab", "B", "é", "a--hubspot-1", "a-b--hubspot-1"];
        for of_folders in 0..1_u32 << names.len() {
            let mut builder = repo.treebuilder(None).unwrap();
            let entry = |at: usize| if of_folders & (1 << at) == 0 { file } else { below };
            let mut bytes = Vec::new();
            for (at, name) in names.into_iter().enumerate() {
                builder.insert(name, entry(at).0, entry(at).1).unwrap();
                bytes = edited(&bytes, &[(name.to_owned(), Some(entry(at)))]).unwrap();
            }
            assert_eq!(object_hash(ObjectType::Tree, &bytes), builder.write().unwrap());
            let tree = Tree::parse(bytes.clone().into()).unwrap();
            assert!(tree.iter().map(|it| it.name).is_sorted());
            for (at, name) in names.into_iter().enumerate() {
                assert_eq!(tree.get(name).map(TreeEntry::entry), Some(entry(at)), "{name}");
                assert_eq!(find_entry(&bytes, name), Ok(Some(entry(at))), "{name}");
                bytes = edited(&bytes, &[(name.to_owned(), None)]).unwrap();
                assert_eq!(find_entry(&bytes, name), Ok(None), "{name}");
            }
            assert!(bytes.is_empty());
            assert!(tree.get("b").is_none());
        }
    }

    #[test]
    fn what_is_cut_is_no_folder() {
        let id = [7; ID];
        let bytes = [&b"100644 a\0"[..], &id[..], &b"40000 b\0"[..], &id[..]].concat();
        for end in 1..bytes.len() {
            let is_whole = end == b"100644 a\0".len() + ID;
            assert_eq!(Tree::parse(bytes[..end].into()).is_ok(), is_whole, "{end}");
        }
        assert!(Tree::parse(b"10o644 a\0aaaaaaaaaaaaaaaaaaaa"[..].into()).is_err());
    }
}
