//! The history scan: every version of every brief along the first-parent
//! history of a branch, and what could not be read of it.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::model::{Gap, History, ObjectId};

use super::cache;
pub use super::error::HistoryError;
use super::handle::resolve;
pub use super::scan::ChosenParents;
use super::scan::{self, Chain, ObjectFault, Repository, ScanRecord};

/// Where the scan begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanAt {
    /// The tip of a branch: `main`, `refs/heads/main`, or `origin/main` where
    /// there is no local one.
    Branch(String),
    /// Any revision git understands: an id, a tag, `main~3`.
    Revision(String),
    /// A branch as it was at a moment: its newest first-parent commit that is
    /// dated at or before it. All that stands behind that commit in the chain
    /// counts as having existed then, whatever its own date says: what a later
    /// commit builds on was there before it. Commits that claim otherwise are
    /// the backdated ones, and all of those are in [`History::commits`].
    AsOf {
        /// The branch, as for [`ScanAt::Branch`].
        branch: String,
        /// The moment.
        at: DateTime<Utc>,
    },
}

/// A history together with what could not be read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a history must be looked at with its gaps"]
pub struct Scanned {
    /// The history as far as it could be read.
    pub history: History,
    /// What could not be read; when this is not empty, nothing may be called
    /// clean.
    pub gaps: Vec<Gap>,
}

/// Scans the first-parent history of a branch or revision: for each folder
/// below `briefs/` that directly holds a `brief.yaml` or `timeline.yaml` every
/// version of the two; a merge counts where it was merged. Uses the cache in
/// the git folder and leaves one for the next time, see [`super::cache`].
/// `progress` hears now and then how many commits are done.
///
/// # Errors
/// When the repository, the branch or its tip cannot be read at all. What is
/// missing further down (a shallow clone, a lost or corrupt object) is a gap
/// beside the result.
pub fn scan(
    git_dir: &Path,
    at: &ScanAt,
    progress: &dyn Fn(usize),
) -> Result<Scanned, HistoryError> {
    scan_in(git_dir, "", &ChosenParents::default(), at, true, progress)
}

/// The same as [`scan`], from the commits alone: the cache is neither read nor
/// written.
///
/// # Errors
/// As for [`scan`].
pub fn scan_cold(
    git_dir: &Path,
    at: &ScanAt,
    progress: &dyn Fn(usize),
) -> Result<Scanned, HistoryError> {
    scan_in(git_dir, "", &ChosenParents::default(), at, false, progress)
}

/// The whole history of a branch or commit along a line, with its committer
/// times, oldest first, as far as it can be read: [`scan`] tells what cannot.
///
/// # Errors
/// As for [`scan`].
pub fn first_parents(
    git_dir: &Path,
    line: &ChosenParents,
    at: &ScanAt,
) -> Result<Vec<(ObjectId, i64)>, HistoryError> {
    let repository = Repository::open(git_dir)
        .map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })?
        .along(line);
    let (head, _) = find_head(&repository, git_dir, at)?;
    let mut reader = repository.objects.reader(1 << 20);
    let chain = scan::walk(&repository, &mut reader, head, None)
        .map_err(|fault| unreadable(head, &fault))?;
    Ok(chain.links.iter().map(|link| (ObjectId(link.id), link.committed_at)).collect())
}

/// As [`scan`] or [`scan_cold`], of a ledger that is a folder of the repository,
/// along a line; the cache is only that of the plain one.
///
/// # Errors
/// As for [`scan`].
pub fn scan_in(
    git_dir: &Path,
    prefix: &str,
    line: &ChosenParents,
    at: &ScanAt,
    use_cache: bool,
    progress: &dyn Fn(usize),
) -> Result<Scanned, HistoryError> {
    let repository = Repository::open(git_dir)
        .map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })?
        .along(line);
    let (head, name) = find_head(&repository, git_dir, at)?;
    // A cache is only ever left by a whole repository; one that has become
    // shallow since must say so, and not live on what it once knew.
    let use_cache = use_cache && line.is_plain() && repository.is_whole();
    let known = if use_cache { cache::load_record(&repository.common, prefix) } else { None };

    let (mut chain, mut record) = find_start(&repository, head, at, known)?;
    let (parts, more_gaps) =
        scan::compare(&repository.objects, &chain, prefix, record.walked, progress);
    let mut gaps = std::mem::take(&mut chain.gaps);
    gaps.extend(more_gaps);
    let fresh = chain.links.len();
    record.extend(&chain, parts);
    if use_cache
        && matches!(at, ScanAt::Branch(_))
        && gaps.is_empty()
        && cache::is_worth_saving(&record, fresh)
    {
        cache::save_record(&repository.common, prefix, &record);
    }
    gaps.extend(scan::wholeness(&repository, record.blobs()));
    gaps.extend(record.oddities());
    Ok(Scanned { history: record.into_history(name), gaps })
}

/// The commits that are still to be compared, and the record they extend.
fn find_start(
    repository: &Repository,
    head: scan::Id,
    at: &ScanAt,
    known: Option<ScanRecord>,
) -> Result<(Chain, ScanRecord), HistoryError> {
    let mut reader = repository.objects.reader(1 << 20);
    let mut walk = |from: scan::Id, known: Option<scan::Id>| {
        scan::walk(repository, &mut reader, from, known).map_err(|fault| unreadable(from, &fault))
    };
    let mut chain = walk(head, known.as_ref().map(|known| known.tip))?;
    if let ScanAt::AsOf { branch, at } = at {
        if chain.base.is_some() && !is_dated_by(&chain, *at) {
            // The moment lies behind the cache's tip.
            chain = walk(head, None)?;
        }
        let first = chain.links.first().map(|link| link.committed_at);
        if !cut(&mut chain, *at) {
            // What could not be followed may hold what was there at the moment.
            return Err(match chain.gaps.pop() {
                Some(gap) => HistoryError::NotReached { branch: branch.clone(), at: *at, gap },
                None => before_history(branch, *at, first),
            });
        }
    }
    let Some(mut known) = known else { return Ok((chain, ScanRecord::new())) };
    if chain.base.is_some() {
        return Ok((chain, known));
    }
    // The cache may know a longer history of which this is the beginning.
    if let Some(last) = chain.links.last().map(|link| link.id)
        && chain.gaps.is_empty()
        && let Ok(rest) = walk(known.tip, Some(last))
        && rest.base.is_some()
    {
        known.truncate(last, rest.links.len());
        return Ok((Chain { links: Vec::new(), base: rest.base, gaps: Vec::new() }, known));
    }
    Ok((chain, ScanRecord::new()))
}

fn is_dated_by(chain: &Chain, at: DateTime<Utc>) -> bool {
    let mut links = chain.base.iter().chain(&chain.links);
    links.any(|link| link.committed_at <= at.timestamp())
}

/// Drops the commits after the newest one dated at or before the moment;
/// whether one is left.
fn cut(chain: &mut Chain, at: DateTime<Utc>) -> bool {
    let at = at.timestamp();
    let newest = chain.links.iter().rposition(|link| link.committed_at <= at);
    chain.links.truncate(newest.map_or(0, |newest| newest + 1));
    newest.is_some() || chain.base.is_some_and(|base| base.committed_at <= at)
}

fn find_head(
    repository: &Repository,
    git_dir: &Path,
    at: &ScanAt,
) -> Result<(scan::Id, String), HistoryError> {
    let path = git_dir.to_owned();
    match at {
        ScanAt::Branch(branch) | ScanAt::AsOf { branch, .. } => {
            let names =
                [format!("refs/heads/{branch}"), branch.clone(), format!("refs/remotes/{branch}")];
            let found = names
                .iter()
                .filter(|name| name.starts_with("refs/"))
                .find_map(|name| repository.git.find_reference(name).ok())
                .and_then(|reference| reference.resolve().ok())
                .and_then(|reference| reference.target());
            let id = found.ok_or(HistoryError::NoBranch { branch: branch.clone(), path })?;
            let short = branch
                .strip_prefix("refs/heads/")
                .or_else(|| branch.strip_prefix("refs/remotes/"))
                .unwrap_or(branch);
            Ok((id_of(id), short.to_owned()))
        }
        ScanAt::Revision(revision) => {
            let id = resolve(&repository.git, revision, git_dir).map_err(|error| {
                HistoryError::NoRevision {
                    revision: revision.clone(),
                    path,
                    why: error.to_string(),
                }
            })?;
            Ok((id_of(id), revision.clone()))
        }
    }
}

fn id_of(id: git2::Oid) -> scan::Id {
    id.as_bytes().try_into().expect("libgit2 opens repositories with SHA-1 only")
}

fn unreadable(id: scan::Id, fault: &ObjectFault) -> HistoryError {
    HistoryError::Object { what: format!("commit {}", ObjectId(id)), why: fault.to_string() }
}

fn before_history(branch: &str, at: DateTime<Utc>, first: Option<i64>) -> HistoryError {
    let first = first.and_then(|time| DateTime::from_timestamp(time, 0));
    HistoryError::BeforeHistory {
        branch: branch.to_owned(),
        at,
        first: first.map_or_else(|| "unknown".to_owned(), |time| time.to_string()),
    }
}
