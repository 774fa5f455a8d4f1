//! One repository as the scan sees it: where its parts are, and what says
//! that it is not whole.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Gap;

use super::Id;
use super::objects::Objects;

/// An opened repository.
pub(in crate::ledger) struct Repository {
    /// For refs, configuration and revisions.
    pub(in crate::ledger) git: git2::Repository,
    /// The folder shared by all worktrees, absolute.
    pub(in crate::ledger) common: PathBuf,
    pub(in crate::ledger) objects: Arc<Objects>,
    graph: OnceCell<Option<gix::commitgraph::Graph>>,
    /// The commits whose parents were not fetched.
    pub(in crate::ledger) shallow: HashSet<Id>,
    /// Whether objects may be left on the remote (`--filter=blob:none`).
    pub(in crate::ledger) partial: bool,
    pub(in crate::ledger) line: ChosenParents,
}

/// The merges behind which a branch goes on along another parent than the
/// first, and that parent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChosenParents(pub(in crate::ledger) HashMap<Id, Id>);

impl ChosenParents {
    /// Whether it is that of all first parents.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.is_empty()
    }
}

impl Repository {
    /// Opens the repository whose git folder this is.
    ///
    /// # Errors
    /// When it cannot be opened; the reason.
    pub(in crate::ledger) fn open(git_dir: &Path) -> Result<Self, String> {
        let git = git2::Repository::open(git_dir).map_err(|e| e.message().to_owned())?;
        let common = common_of(&git)?;
        let dir = common.join("objects");
        let objects = Objects::open(&dir)?;
        let shallow = read_shallow(&common)?;
        let partial = is_partial(&git)?;
        Ok(Self {
            git,
            common,
            objects,
            graph: OnceCell::new(),
            shallow,
            partial,
            line: ChosenParents::default(),
        })
    }

    /// The same, read along a line.
    pub(in crate::ledger) fn along(mut self, line: &ChosenParents) -> Self {
        self.line = line.clone();
        self
    }

    /// The commit-graph, when there is one and it is sound. There is none for
    /// shallow clones, as in git: the graph would hide the cut.
    pub(in crate::ledger) fn graph(&self) -> Option<&gix::commitgraph::Graph> {
        let open = || {
            let info = self.common.join("objects").join("info");
            if !self.shallow.is_empty() || !is_graph_sound(&info) {
                return None;
            }
            gix::commitgraph::at(info, gix::hash::Kind::Sha1, None).ok()
        };
        self.graph.get_or_init(open).as_ref()
    }

    /// Whether everything that was committed is meant to be here.
    pub(in crate::ledger) fn is_whole(&self) -> bool {
        self.shallow.is_empty() && !self.partial
    }
}

/// The folder shared by all worktrees of a repository, absolute.
///
/// # Errors
/// When the repository cannot be opened; the reason.
pub(in crate::ledger) fn common_dir(git_dir: &Path) -> Result<PathBuf, String> {
    common_of(&git2::Repository::open(git_dir).map_err(|e| e.message().to_owned())?)
}

fn common_of(git: &git2::Repository) -> Result<PathBuf, String> {
    std::fs::canonicalize(git.commondir()).map_err(|e| e.to_string())
}

/// Whether each file of the commit-graph has the checksum it ends with: a
/// parent read from a broken one would be another history. An unsound graph is
/// not needed, the commits say the same.
fn is_graph_sound(info: &Path) -> bool {
    let single = info.join("commit-graph");
    if single.exists() {
        return ends_with_its_sum(&single);
    }
    let split = info.join("commit-graphs");
    let Ok(chain) = std::fs::read_to_string(split.join("commit-graph-chain")) else { return false };
    chain.lines().all(|name| ends_with_its_sum(&split.join(format!("graph-{name}.graph"))))
}

fn ends_with_its_sum(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let Some((body, sum)) = bytes.split_last_chunk::<20>() else { return false };
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(body);
    hasher.try_finalize().is_ok_and(|found| found.as_slice() == sum)
}

fn read_shallow(common: &Path) -> Result<HashSet<Id>, String> {
    let path = common.join("shallow");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(format!("{} cannot be read: {e}", path.display())),
    };
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut id = Id::default();
            hex::decode_to_slice(line, &mut id)
                .map(|()| id)
                .map_err(|_| format!("{} holds a line that is not a commit", path.display()))
        })
        .collect()
}

fn is_partial(git: &git2::Repository) -> Result<bool, String> {
    let words = |e: git2::Error| e.message().to_owned();
    let config = git.config().and_then(|mut config| config.snapshot()).map_err(words)?;
    let mut entries = config
        .entries(Some("^(extensions\\.partialclone|remote\\..*\\.(promisor|partialclonefilter))$"))
        .map_err(words)?;
    Ok(entries.next().is_some())
}

/// The blobs that a partial clone has left on the remote, as one gap.
pub(in crate::ledger) fn wholeness(
    repository: &Repository,
    blobs: impl Iterator<Item = Id>,
) -> Option<Gap> {
    if !repository.partial {
        return None;
    }
    let mut reader = repository.objects.reader(1 << 20);
    let mut missing: Vec<Id> = blobs.filter(|id| !reader.has(id)).collect();
    missing.sort_unstable();
    missing.dedup();
    let first = crate::model::ObjectId(*missing.first()?);
    let count = missing.len();
    let (them, were) = if count == 1 { ("file version", "was") } else { ("file versions", "were") };
    Some(Gap {
        what: format!("{count} {them} of the ledger, such as blob {first}"),
        why: format!("this is a partial clone: they {were} not fetched")
            .replace("they was", "it was"),
        help: Some(
            "Run `git fetch --refetch --no-filter` (in GitHub Actions: no `filter` for \
             actions/checkout), or audit a full clone."
                .to_owned(),
        ),
    })
}
