//! What git would write into a checkout for a text file, and whether a file
//! there is the one that git has.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use git2::{AttrCheckFlags, AttrValue, Index, ObjectType, Oid, Repository};

use super::LedgerError;
use super::names::FolderNames;
use super::working_file::bare_entry;

/// How lines end in the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    AsTheyAre,
    CrLf,
}

/// The file in which a folder says something of its files.
pub(super) const ATTRIBUTES: &str = ".gitattributes";

/// What is said of a file under one name.
enum Attribute {
    Set,
    Unset,
    Unspecified,
    Text(String),
}

impl Attribute {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Text(text) if text == word)
    }
}

/// What is asked for attributes. libgit2 looks into each folder above a file for
/// every file; where no folder has any, and the clone has none of its own, what
/// the machine says of every repository is all there is.
pub(super) struct AttributeSource<'a> {
    repo: &'a Repository,
    /// A repository of this machine without attributes of its own.
    plain: Option<&'a Repository>,
    /// Whether a folder has some.
    folders: RefCell<HashMap<String, bool>>,
}

impl<'a> AttributeSource<'a> {
    /// A repository, and one that has no attributes of its own, if there is one.
    pub(super) fn new(repo: &'a Repository, plain: Option<&'a Repository>) -> Self {
        let file_named = |repo: &Repository| {
            repo.config().and_then(|config| config.get_string("core.attributesfile")).ok()
        };
        let is_plain = |plain: &&Repository| {
            let own = repo.commondir().join("info").join("attributes");
            own.symlink_metadata().is_err() && file_named(repo) == file_named(plain)
        };
        Self { repo, plain: plain.filter(is_plain), folders: RefCell::default() }
    }

    fn get(&self, path: &str, name: &str) -> Attribute {
        let plain = self.plain.filter(|_| !self.is_in_folders(path));
        let repo = plain.unwrap_or(self.repo);
        let value = repo.get_attr(Path::new(path), name, AttrCheckFlags::FILE_THEN_INDEX);
        // libgit2 tells "set" and "not set" by where the text stands, which a copy loses.
        match AttrValue::from_string(value.ok().flatten()) {
            AttrValue::True => Attribute::Set,
            AttrValue::False => Attribute::Unset,
            AttrValue::Unspecified => Attribute::Unspecified,
            AttrValue::String(text) => Attribute::Text(text.to_owned()),
            AttrValue::Bytes(bytes) => Attribute::Text(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// Whether a folder above a file has attributes, in the checkout or the index.
    fn is_in_folders(&self, path: &str) -> bool {
        let mut folders = self.folders.borrow_mut();
        above(path).any(|folder| match folders.get(folder) {
            Some(has) => *has,
            None => {
                let file = format!("{folder}{ATTRIBUTES}");
                let in_checkout = |root: &Path| root.join(&file).symlink_metadata().is_ok();
                let in_index = || {
                    let index = self.repo.index();
                    index.map_or(true, |index| index.get_path(Path::new(&file), 0).is_some())
                };
                let has = self.repo.workdir().is_some_and(in_checkout) || in_index();
                folders.insert(folder.to_owned(), has);
                has
            }
        })
    }
}

/// The folders above a file, the top first, each with a slash at its end.
fn above(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).map(|end| &path[..end])
}

/// What a checkout's configuration says of line ends, read once for all files.
pub(super) struct LineRules<'a> {
    attributes: AttributeSource<'a>,
    auto: Option<String>,
    is_native_crlf: bool,
}

impl<'a> LineRules<'a> {
    pub(super) fn of(attributes: AttributeSource<'a>) -> Self {
        let repo = attributes.repo;
        let config = repo.config().and_then(|mut config| config.snapshot()).ok();
        let value = |key: &str| config.as_ref().and_then(|config| config.get_string(key).ok());
        let eol = value("core.eol");
        let is = |name: &str| eol.as_ref().is_some_and(|eol| eol.eq_ignore_ascii_case(name));
        let is_native_crlf = is("crlf") || (cfg!(windows) && !is("lf"));
        Self { attributes, auto: value("core.autocrlf"), is_native_crlf }
    }

    /// The line ends that attributes and configuration ask for at a path.
    pub(super) fn at(&self, path: &str) -> LineEnds {
        let is_auto =
            |value: &str| self.auto.as_ref().is_some_and(|auto| auto.eq_ignore_ascii_case(value));
        let eol = self.attributes.get(path, "eol");
        if eol.is("lf") {
            return LineEnds::AsTheyAre;
        }
        let is_crlf = eol.is("crlf");
        // Each attribute costs a look into all folders above: only what decides is asked for.
        if !is_crlf && !is_auto("true") && (is_auto("input") || !self.is_native_crlf) {
            return LineEnds::AsTheyAre;
        }
        match self.attributes.get(path, "text") {
            Attribute::Unset => LineEnds::AsTheyAre,
            Attribute::Unspecified if !is_crlf && !is_auto("true") => LineEnds::AsTheyAre,
            _ => LineEnds::CrLf,
        }
    }
}

/// Attributes as git has them for a file that goes into a commit: those of the
/// checkout, and for what a sparse checkout leaves out those of a commit. The
/// index, which lists every file of the ledger, is not read for them.
pub(super) struct Attributes {
    /// Stands in for the index: the files with attributes that the commit has.
    index: Index,
    names: Arc<FolderNames>,
    tree: Option<Oid>,
    looked_at: BTreeSet<String>,
}

impl Attributes {
    /// Those of a checkout and of a tree. The handle has no other index from then on.
    pub(super) fn open(
        repo: &Repository,
        names: &Arc<FolderNames>,
        tree: Option<Oid>,
    ) -> Result<Self, LedgerError> {
        let failed = || LedgerError::git("reading attributes", repo.path());
        let mut index = Index::new().map_err(failed())?;
        repo.set_index(&mut index).map_err(failed())?;
        Ok(Self { index, names: Arc::clone(names), tree, looked_at: BTreeSet::new() })
    }

    /// Whether they are those of this tree.
    pub(super) fn is_of(&self, tree: Option<Oid>) -> bool {
        self.tree == tree
    }

    /// Refuses a path whose content is to pass a filter program (encryption,
    /// large files): what is committed here would have passed it by.
    pub(super) fn refuse_filter(
        &mut self,
        source: &AttributeSource<'_>,
        path: &str,
    ) -> Result<(), LedgerError> {
        let repo = source.repo;
        for folder in above(path) {
            let file = format!("{folder}{ATTRIBUTES}");
            let Some(tree) = self.tree.filter(|_| self.looked_at.insert(file.clone())) else {
                continue;
            };
            let found = self.names.trees().entry_at(repo, tree, &file)?;
            if let Some((id, ObjectType::Blob)) = found {
                self.index
                    .add(&bare_entry(&file, id, 0o100_644))
                    .map_err(LedgerError::git("reading attributes", repo.path()))?;
            }
        }
        match source.get(path, "filter") {
            Attribute::Text(filter) => Err(LedgerError::Filtered { path: path.to_owned(), filter }),
            _ => Ok(()),
        }
    }
}

/// The bytes for the checkout.
pub(super) fn for_checkout(bytes: &[u8], ends: LineEnds) -> Vec<u8> {
    if ends == LineEnds::AsTheyAre || bytes.contains(&0) || bytes.contains(&b'\r') {
        return bytes.to_vec();
    }
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for &byte in bytes {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Whether a file of the checkout holds a blob's bytes, line ends aside.
pub(super) fn is_same(file: &[u8], blob: &[u8]) -> bool {
    file == blob || (file.contains(&b'\r') && without_cr(file) == without_cr(blob))
}

fn without_cr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        if !(byte == b'\r' && bytes.get(at + 1) == Some(&b'\n')) {
            out.push(byte);
        }
    }
    out
}
