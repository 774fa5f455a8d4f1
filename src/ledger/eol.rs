//! What git would write into a checkout for a text file, and whether a file
//! there is the one that git has.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use git2::{AttrCheckFlags, AttrValue, Index, ObjectType, Oid, Repository};

use super::LedgerError;
use super::names::Names;
use super::working_file::bare_entry;

/// How lines end in the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    AsTheyAre,
    CrLf,
}

/// What a checkout's configuration says of line ends, read once for all files.
pub(super) struct LineRules<'a> {
    repo: &'a Repository,
    auto: Option<String>,
    is_native_crlf: bool,
}

impl<'a> LineRules<'a> {
    pub(super) fn of(repo: &'a Repository) -> Self {
        let config = repo.config().and_then(|mut config| config.snapshot()).ok();
        let value = |key: &str| config.as_ref().and_then(|config| config.get_string(key).ok());
        let eol = value("core.eol");
        let is = |name: &str| eol.as_ref().is_some_and(|eol| eol.eq_ignore_ascii_case(name));
        let is_native_crlf = is("crlf") || (cfg!(windows) && !is("lf"));
        Self { repo, auto: value("core.autocrlf"), is_native_crlf }
    }

    /// The line ends that attributes and configuration ask for at a path.
    pub(super) fn at(&self, path: &str) -> LineEnds {
        let attribute = |name: &str| {
            self.repo
                .get_attr(Path::new(path), name, AttrCheckFlags::FILE_THEN_INDEX)
                .ok()
                .flatten()
                .map(str::to_owned)
        };
        let is_auto =
            |value: &str| self.auto.as_ref().is_some_and(|auto| auto.eq_ignore_ascii_case(value));
        let eol = attribute("eol");
        let eol = AttrValue::from_string(eol.as_deref());
        if eol == AttrValue::String("lf") {
            return LineEnds::AsTheyAre;
        }
        let is_crlf = eol == AttrValue::String("crlf");
        // Each attribute costs a look into all folders above: only what decides is asked for.
        if !is_crlf && !is_auto("true") && (is_auto("input") || !self.is_native_crlf) {
            return LineEnds::AsTheyAre;
        }
        let text = attribute("text");
        match AttrValue::from_string(text.as_deref()) {
            AttrValue::False => LineEnds::AsTheyAre,
            AttrValue::Unspecified if !is_crlf && !is_auto("true") => LineEnds::AsTheyAre,
            _ => LineEnds::CrLf,
        }
    }
}

/// Attributes as git has them for a file that goes into a commit: those of the
/// checkout, and for what a sparse checkout leaves out those of a commit. The
/// index, which lists every file of the ledger, is not read for them.
pub(super) struct Attributes {
    repo: Repository,
    /// Stands in for the index: the files with attributes that the commit has.
    index: Index,
    names: Arc<Names>,
    tree: Option<Oid>,
    looked_at: BTreeSet<String>,
}

impl Attributes {
    /// Those of a checkout, by its git folder, and of a tree.
    pub(super) fn open(
        git_dir: &Path,
        names: &Arc<Names>,
        tree: Option<Oid>,
    ) -> Result<Self, LedgerError> {
        let failed = || LedgerError::git("reading attributes", git_dir);
        let repo = Repository::open(git_dir).map_err(failed())?;
        let mut index = Index::new().map_err(failed())?;
        repo.set_index(&mut index).map_err(failed())?;
        Ok(Self { repo, index, names: Arc::clone(names), tree, looked_at: BTreeSet::new() })
    }

    /// Whether they are those of this tree.
    pub(super) fn is_of(&self, tree: Option<Oid>) -> bool {
        self.tree == tree
    }

    /// Refuses a path whose content is to pass a filter program (encryption,
    /// large files): what is committed here would have passed it by.
    pub(super) fn refuse_filter(&mut self, path: &str) -> Result<(), LedgerError> {
        let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at + 1);
        for end in std::iter::once(0).chain(ends) {
            let file = format!("{}.gitattributes", &path[..end]);
            let Some(tree) = self.tree.filter(|_| self.looked_at.insert(file.clone())) else {
                continue;
            };
            let found = self.names.trees().entry_at(&self.repo, tree, &file)?;
            if let Some((id, ObjectType::Blob)) = found {
                self.index
                    .add(&bare_entry(&file, id, 0o100_644))
                    .map_err(LedgerError::git("reading attributes", self.repo.path()))?;
            }
        }
        let filter = self
            .repo
            .get_attr(Path::new(path), "filter", AttrCheckFlags::FILE_THEN_INDEX)
            .ok()
            .flatten();
        match AttrValue::from_string(filter) {
            AttrValue::String(filter) => {
                Err(LedgerError::Filtered { path: path.to_owned(), filter: filter.to_owned() })
            }
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
