//! What can go wrong with the ledger, and what to do about it.

use chrono::{DateTime, Utc};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::Gap;
use crate::text::{quoted, shell_word};

/// Why the ledger did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no repository here or above.
    #[error("{} is not inside a git repository", start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// The repository is of a kind that this program does not handle.
    #[error("the repository {} uses {what}, which handoff does not support", path.display())]
    Unsupported {
        /// The repository.
        path: PathBuf,
        /// The format or extension.
        what: String,
    },
    /// The repository belongs to somebody else.
    #[error("the repository {} belongs to another user", path.display())]
    NotOwned {
        /// The repository.
        path: PathBuf,
    },
    /// No branch can be told to be the ledger's.
    #[error("the default branch of {} is not clear: {why}", path.display())]
    NoBranch {
        /// The repository.
        path: PathBuf,
        /// What was looked at.
        why: String,
    },
    /// It is not certain which branch is the ledger's.
    #[error("it is not certain that {branch} is the branch of the ledger in {}: {why}", path.display())]
    DoubtfulBranch {
        /// The repository.
        path: PathBuf,
        /// The branch that it may be.
        branch: String,
        /// What speaks against it.
        why: String,
    },
    /// The remote's branch no longer holds what was pushed to it.
    #[error(
        "{branch} on {remote} no longer holds what was pushed to it: it was {was} and is {is} now, without {missing} of its commits"
    )]
    HistoryReplaced {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// The commit it had, whole.
        was: String,
        /// The commit it has, short.
        is: String,
        /// How many commits are gone.
        missing: usize,
    },
    /// The remote no longer has the branch.
    #[error("{remote} no longer has the branch {branch}{}", renamed(default.as_deref()))]
    BranchGone {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// The default branch it has now.
        default: Option<String>,
    },
    /// The branch is not there, and its log says that it was.
    #[error("the branch {branch} {}, though its log says that it was at {last}", match cut {
        Some(file) => format!("cannot be read, since the file {} is cut", file.display()),
        None => "is not there".to_owned(),
    })]
    BranchLost {
        /// The branch.
        branch: String,
        /// The commit that it had last.
        last: String,
        /// Its file, where that is there and says nothing.
        cut: Option<PathBuf>,
    },
    /// A branch, commit or other revision does not exist.
    #[error("there is no revision {} in {}", quoted(name), path.display())]
    UnknownRevision {
        /// The repository.
        path: PathBuf,
        /// As it was asked for.
        name: String,
    },
    /// A path that may not be written.
    #[error("the path {} cannot be used in a ledger: {why}", quoted(path))]
    BadPath {
        /// The path.
        path: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A link or a submodule where a file or folder of the ledger belongs.
    #[error("{} is {what}, which handoff does not follow", quoted(path))]
    NotFollowed {
        /// The link itself, relative to the ledger.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// `commit.gpgsign` is set, and git could not sign a commit.
    #[error("git could not sign the commit, and nothing was written: {why}")]
    NotSigned {
        /// Its words, without secrets.
        why: String,
    },
    /// A layout that is no strftime pattern, or does not give a folder.
    #[error("the layout {} is not a strftime pattern for folders", quoted(layout))]
    BadLayout {
        /// The pattern.
        layout: String,
    },
    /// A branch name that git does not allow.
    #[error("{} cannot be a branch name", quoted(name))]
    BadBranch {
        /// The name.
        name: String,
    },
    /// Attributes ask for a filter program, which would be passed by.
    #[error("{path} is to pass the git filter {}, which handoff does not run", quoted(filter))]
    Filtered {
        /// The file.
        path: String,
        /// The filter.
        filter: String,
    },
    /// Another handoff process is writing into this clone.
    #[error("another handoff process{holder} is writing to this ledger; waited {} for {}", seconds(*waited), path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// ` (process 4711, for 12 s)`, or nothing if it cannot be told.
        holder: String,
        /// How long this process waited.
        waited: Duration,
    },
    /// A program of the user holds a branch, or moves it faster than one can follow.
    #[error("the branch {branch} is busy: {why}")]
    BranchBusy {
        /// The branch.
        branch: String,
        /// What was seen.
        why: String,
    },
    /// Two sides changed the same thing in ways that do not go together.
    #[error("{file} was changed on both sides: {why}")]
    Conflict {
        /// The file or folder.
        file: String,
        /// What differs.
        why: String,
    },
    /// A timeline cannot be merged because it cannot be read.
    #[error("{file} cannot be merged: {source}")]
    Timeline {
        /// The file.
        file: String,
        /// Where and why.
        source: crate::yaml::Error,
    },
    /// Commits of a person stand in the way of re-applying ours.
    #[error(
        "the commit {commit} {} is not a handoff's and is not on {remote} yet",
        quoted(subject)
    )]
    ForeignCommit {
        /// Its id, short.
        commit: String,
        /// Its subject.
        subject: String,
        /// The remote.
        remote: String,
    },
    /// There is no such remote.
    #[error("there is no remote {}{}", quoted(name), known_remotes(known))]
    UnknownRemote {
        /// As it was asked for.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// The remote refused the push for good.
    #[error("{remote} refused the push to {branch}: {why}")]
    Rejected {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// Its words, without secrets.
        why: String,
        /// The repository that is pushed to, where it is not the one that is fetched from.
        pushes_to: Option<String>,
    },
    /// Others pushed faster, each time.
    #[error("{remote} moved on before each of {tries} pushes to {branch}")]
    Outrun {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The `git` program could not be started.
    #[error("the git program could not be started: {source}")]
    NoProgram {
        /// Why.
        source: io::Error,
    },
    /// The `git` program failed.
    #[error("git {command} failed: {why}")]
    Program {
        /// The subcommand.
        command: String,
        /// Its words, without secrets.
        why: String,
    },
    /// The `git` program took too long.
    #[error("git {command} was stopped after {}", seconds(*after))]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The limit.
        after: Duration,
    },
    /// The machine went down, and what that cost cannot be written again.
    #[error("the machine went down before all of the last commits were in the repository; they are safe in {}, and this user may not write them into it", path.display())]
    PowerFailure {
        /// The write-ahead journal.
        path: PathBuf,
    },
    /// libgit2 failed.
    #[error("{doing} failed in {}: {}", path.display(), source.message())]
    Git {
        /// What was tried.
        doing: &'static str,
        /// The repository.
        path: PathBuf,
        /// Why.
        source: git2::Error,
    },
    /// A file could not be read or written.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LedgerError {
    pub(super) fn git(doing: &'static str, path: &Path) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Git { doing, path: path.to_path_buf(), source }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_path_buf(), source }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NotFound { .. } => "run `handoff init` to make a ledger here, or name one with `-C DIR`".into(),
            Self::Unsupported { .. } => {
                "keep the ledger in a repository with the SHA-1 object format and files as reference storage, as `git init` makes it by default".into()
            }
            Self::NotOwned { path } => format!(
                "run handoff as the owner of the files, or trust the folder: `git config --global --add safe.directory '{}'`",
                path.display()
            ),
            Self::NoBranch { .. } => "add `branch: NAME` to handoff.yaml, or check the branch out".into(),
            Self::DoubtfulBranch { .. } => "add `branch: NAME` to handoff.yaml, or run `git remote set-head origin --auto` where there is a remote".into(),
            Self::HistoryReplaced { remote, branch, was, .. } => format!(
                "get back what is gone with `git push {remote} {was}:refs/heads/lost-{branch}`, and find out who removed it; only where it was meant, run `git update-ref -d refs/handoff/pushed/{branch}` and put your own commits on top by hand"
            ),
            Self::BranchGone { remote, branch, default } => match default {
                Some(default) => format!(
                    "where it was renamed, set `branch: {default}` in handoff.yaml and run `git branch -m {branch} {default}`; otherwise bring it back with `git push {remote} {branch}`"
                ),
                None => format!("bring it back with `git push {remote} {branch}`"),
            },
            Self::BranchLost { branch, last, cut: Some(file) } => format!(
                "remove the file with `rm {}`, bring the branch back with `git update-ref refs/heads/{branch} {last}`, then run `git fsck`",
                shell_word(&file.display().to_string())
            ),
            Self::BranchLost { branch, last, cut: None } => format!(
                "bring it back with `git update-ref refs/heads/{branch} {last}`, then run `git fsck`; only where it was removed on purpose, delete the file logs/refs/heads/{branch} in git's folder"
            ),
            Self::UnknownRevision { .. } => {
                "check the spelling; in a shallow or single-branch clone, fetch it first".into()
            }
            Self::BadPath { .. } => "this is refused so that nothing is written outside of its folder".into(),
            Self::NotFollowed { .. } => "commit the file or folder itself in its place".into(),
            Self::NotSigned { .. } => {
                "check the key with `git commit-tree -S -m test HEAD^{tree}` (user.signingkey, gpg.format, a running agent), or leave the commits of this clone unsigned with `git config commit.gpgsign false`; then run this again".into()
            }
            Self::BadLayout { .. } => "use a pattern such as \"%Y/%m\" or \"%Y/%m/%d\"".into(),
            Self::BadBranch { .. } => "see `git help check-ref-format` for what a branch may be called".into(),
            Self::Filtered { .. } => "take the filter off the ledger's folders in .gitattributes".into(),
            Self::Locked { .. } => {
                "wait for it to end, or end it; the lock goes with the process, so the file itself never has to be removed".into()
            }
            Self::BranchBusy { .. } => {
                "let the other git program finish and run this again; if none runs, remove the .lock file that git names".into()
            }
            Self::Conflict { file, .. } => format!(
                "run `git pull --rebase`, decide on {file}, `git add` it, `git rebase --continue`, and run this again"
            ),
            Self::Timeline { .. } => "fix the file in a commit of your own, and run this again".into(),
            Self::ForeignCommit { .. } => "run `git pull --rebase` to put your own commits on top, and run this again".into(),
            Self::UnknownRemote { .. } => "see `git remote -v`".into(),
            Self::Rejected { remote, pushes_to: Some(url), .. } => format!(
                "{remote} is fetched from one repository and pushed to another, {url}; make it one (`git config --get-regexp '^(remote|url)\\.'` shows the settings); the commits are kept here"
            ),
            Self::Rejected { .. } => {
                "allow this account to push to the branch (branch protection, hooks, permissions); the commits are kept here".into()
            }
            Self::Outrun { .. } => "run this again; the commits are kept here".into(),
            Self::NoProgram { .. } => "install git 2.30 or later and put it on the PATH".into(),
            Self::Program { .. } | Self::TimedOut { .. } => {
                "check that the same git command works by hand (network, credentials, permissions); the commits are kept here".into()
            }
            Self::PowerFailure { .. } => {
                "run `handoff status` there as a user who may write; it puts them in place".into()
            }
            Self::Git { source, .. } if source.code() == git2::ErrorCode::NotFound => {
                "in a partial clone, fetch the rest with `git fetch --refetch --no-filter`; else check the repository with `git fsck`".into()
            }
            Self::Git { .. } => "check the repository with `git fsck`".into(),
            Self::Io { .. } => "check that the disk has room and that this user may write there".into(),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn renamed(default: Option<&str>) -> String {
    default.map_or_else(String::new, |name| format!("; its default branch is {name}"))
}

fn known_remotes(known: &[String]) -> String {
    if known.is_empty() {
        "; the repository has none".into()
    } else {
        format!("; there are {}", known.join(", "))
    }
}

/// Why there is no history at all.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The repository cannot be opened.
    #[error("The repository {} cannot be opened: {why}.", path.display())]
    Open {
        /// Its git folder.
        path: PathBuf,
        /// The reason in git's words.
        why: String,
    },
    /// There is no such branch, or it has no commit yet.
    #[error(
        "There is no branch {} with commits in {}. Name the ledger's default branch, and fetch it if this is a fresh clone.",
        quoted(branch), path.display()
    )]
    NoBranch {
        /// The branch that was asked for.
        branch: String,
        /// The repository's git folder.
        path: PathBuf,
    },
    /// The revision does not name a commit.
    #[error("{} names no commit in {}: {why}.", quoted(revision), path.display())]
    NoRevision {
        /// The revision that was asked for.
        revision: String,
        /// The repository's git folder.
        path: PathBuf,
        /// The reason in git's words.
        why: String,
    },
    /// The branch begins after the moment that was asked for.
    #[error(
        "The branch {} has no commit dated at or before {at}; its first one that can be read is dated {first}.",
        quoted(branch)
    )]
    BeforeHistory {
        /// The branch.
        branch: String,
        /// The moment that was asked for.
        at: DateTime<Utc>,
        /// The date of the branch's oldest commit.
        first: String,
    },
    /// The history ends, for this clone, after the moment that was asked for.
    #[error(
        "The history of {} cannot be followed back to {at}, so nothing can be said of that moment: {} ({}).{}",
        quoted(branch), gap.what, gap.why, gap.help.as_deref().map(|help| format!(" {help}")).unwrap_or_default()
    )]
    NotReached {
        /// The branch.
        branch: String,
        /// The moment that was asked for.
        at: DateTime<Utc>,
        /// Where it ends, and why.
        gap: Gap,
    },
    /// An object cannot be read.
    #[error("The {what} cannot be read: {why}.")]
    Object {
        /// Which one: kind and id.
        what: String,
        /// Why not.
        why: String,
    },
    /// A checkpoint cannot be written or read.
    #[error("The audit checkpoint {name} {why}.")]
    Checkpoint {
        /// The ref's name.
        name: String,
        /// What is wrong.
        why: String,
        /// Whether it was to be written; else it was read.
        is_written: bool,
    },
}

impl HistoryError {
    /// What to do next, where the message does not say it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoBranch { .. }
            | Self::NotReached { .. }
            | Self::Checkpoint { is_written: false, .. } => None,
            Self::Open { .. } => {
                Some("check that it is a repository and that this user may read it")
            }
            Self::NoRevision { .. } => {
                Some("check the spelling; in a shallow or single-branch clone, fetch it first")
            }
            Self::BeforeHistory { .. } => Some("name a moment after that commit"),
            Self::Object { .. } => Some("check the repository with `git fsck`"),
            Self::Checkpoint { is_written: true, .. } => Some(
                "run it as a user who may write to the repository and with room on its disk; where git cannot sign, check user.signingkey and gpg.format",
            ),
        }
    }
}
