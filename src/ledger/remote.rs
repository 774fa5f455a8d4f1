//! The remotes of a ledger, and what was fetched from them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use git2::{Commit, Oid, Repository};

use super::change::trailer;
use super::git_program::{Ran, run, without_secrets};
use super::handle::{
    LOOKED_AT, branch_commit, check_history, find_commit, hold, object_id, remote_names,
    usual_remote,
};
use super::web_url::{WebLinks, web_links};
use super::{Ledger, LedgerError};
use crate::model::{Key, ObjectId};

/// What only this clone has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unpushed {
    /// The remote that lacks it.
    pub remote: String,
    /// How many commits; where it was never asked, no more than a thousand.
    pub commits: usize,
    /// When the oldest of those that are counted was made.
    pub since: DateTime<Utc>,
    /// Whether this clone has ever fetched from it or pushed to it. A `git clone
    /// --bare` keeps nothing of what its origin has.
    pub asked: bool,
}

/// So many commits are counted of which nobody has asked the remote.
const MOST_UNASKED: usize = 1_000;

/// What a remote says to a push that sends nothing, and why, in git's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushProbe {
    /// It would take it.
    Takes,
    /// It can be read, and refuses to be written.
    Refuses(String),
    /// It can be neither read nor written.
    Unreachable(String),
    /// It did not answer within the time limit.
    Silent(String),
}

impl Unpushed {
    /// What tells more, as a sentence's end.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        if self.asked {
            "`handoff doctor` says why"
        } else {
            "`handoff deliver` asks it, and pushes what it lacks"
        }
    }
}

impl std::fmt::Display for Unpushed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { remote, commits, since, asked } = self;
        let (are, s) = if *commits == 1 { ("is", "") } else { ("are", "s") };
        if !asked {
            return write!(f, "whether {remote} has the commits here is not known");
        }
        write!(
            f,
            "{commits} commit{s} {are} not on {remote} since {}",
            since.format("%Y-%m-%d %H:%M UTC")
        )
    }
}

impl Ledger {
    /// The remote that is meant when none is named: `origin`, else the only one.
    #[must_use]
    pub fn remote(&self) -> Option<String> {
        usual_remote(&hold(self.shared()))
    }

    /// The remote's URL without secrets, for messages.
    #[must_use]
    pub fn remote_url(&self, remote: &str) -> Option<String> {
        let repo = hold(self.shared());
        let remote = repo.find_remote(remote).ok()?;
        remote.url().ok().map(without_secrets)
    }

    /// Links to files of this ledger's branch on the forge behind the usual
    /// remote; `None` where its kind cannot be told from the URL.
    #[must_use]
    pub fn web_links(&self) -> Option<WebLinks> {
        let repo = hold(self.shared());
        let name = usual_remote(&repo)?;
        let remote = repo.find_remote(&name).ok()?;
        let links = web_links(remote.url().ok()?, self.branch())?;
        Some(links.within(self.prefix()))
    }

    /// Where people read a folder of the ledger in their browser.
    #[must_use]
    pub fn web_url(&self, folder: &str) -> Option<String> {
        self.web_links().map(|links| links.folder(folder))
    }

    /// Where people read a file of the ledger in their browser.
    #[must_use]
    pub fn web_file_url(&self, path: &str) -> Option<String> {
        self.web_links().map(|links| links.file(path))
    }

    /// Fetches a remote's branches; gives the commit of the ledger's branch
    /// there, if it has one. Moves nothing that is local.
    ///
    /// # Errors
    /// When there is no such remote, or git fails.
    pub fn fetch(&self, remote: &str) -> Result<Option<ObjectId>, LedgerError> {
        self.known_remote(remote)?;
        self.git_well(&["fetch", "--quiet", "--no-tags", "--prune", "--", remote])?;
        Ok(self.on_remote(remote, self.branch())?.map(object_id))
    }

    /// Runs git for the network. Who has waited once for a remote in vain does
    /// not wait again in the same run.
    pub(super) fn git(&self, args: &[&str]) -> Result<Ran, LedgerError> {
        let (limit, is_silent) = (self.network().limit, &self.network().is_silent);
        if is_silent.load(Ordering::Relaxed) {
            let command = args.first().copied().unwrap_or("git").to_owned();
            return Err(LedgerError::TimedOut { command, after: limit });
        }
        let ran = run(self.root(), args, b"", limit);
        if matches!(ran, Err(LedgerError::TimedOut { .. })) {
            is_silent.store(true, Ordering::Relaxed);
        }
        ran
    }

    /// The same, where anything but success is an error.
    pub(super) fn git_well(&self, args: &[&str]) -> Result<String, LedgerError> {
        let ran = self.git(args)?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        let command = args.first().copied().unwrap_or("git").to_owned();
        let why = if ran.stderr.is_empty() { ran.status.to_string() } else { ran.stderr };
        Err(LedgerError::Program { command, why })
    }

    /// The ledger's branch as the usual remote had it when it was last seen:
    /// the ref's full name, where there is one.
    ///
    /// # Errors
    /// When the branch cannot be read.
    pub fn remote_branch(&self) -> Result<Option<String>, LedgerError> {
        let Some(remote) = self.remote() else { return Ok(None) };
        let there = self.on_remote(&remote, self.branch())?;
        Ok(there.map(|_| format!("refs/remotes/{remote}/{}", self.branch())))
    }

    /// The commits of this clone that the usual remote is not known to have;
    /// `None` where there is no remote or it has them all.
    ///
    /// # Errors
    /// When the branches or commits cannot be read.
    pub fn unpushed(&self) -> Result<Option<Unpushed>, LedgerError> {
        let Some(remote) = self.remote() else { return Ok(None) };
        let asked = {
            let repo = hold(self.shared());
            let of_remote = repo.references_glob(&known_of(&repo, &remote));
            of_remote.is_ok_and(|mut of_remote| of_remote.next().is_some())
        };
        let (mut commits, mut since) = (0, i64::MAX);
        self.each_unpushed(&remote, |commit| {
            commits += 1;
            since = since.min(commit.committer().when().seconds());
            // Else a clone that keeps nothing of its origin is read whole each time.
            asked || commits < MOST_UNASKED
        })?;
        let since = DateTime::from_timestamp(since, 0).unwrap_or_default();
        Ok((commits > 0).then_some(Unpushed { remote, commits, since, asked }))
    }

    /// The keys of the handoffs that were signed in commits that the usual
    /// remote is not known to have.
    ///
    /// # Errors
    /// As for [`Ledger::unpushed`].
    pub fn unpushed_signed(&self) -> Result<BTreeSet<Key>, LedgerError> {
        let mut keys = BTreeSet::new();
        let Some(remote) = self.remote() else { return Ok(keys) };
        self.each_unpushed(&remote, |commit| {
            let message = commit.message().unwrap_or_default();
            if trailer(message, "Handoff-Event") == Some("signed") {
                keys.extend(trailer(message, "Handoff-Key").and_then(|key| Key::parse(key).ok()));
            }
            true
        })?;
        Ok(keys)
    }

    /// Looks at the commits of this clone that a remote is not known to have, while
    /// `look` wants more.
    fn each_unpushed(
        &self,
        remote: &str,
        mut look: impl FnMut(&Commit<'_>) -> bool,
    ) -> Result<(), LedgerError> {
        let repo = hold(self.shared());
        let failed = |error| LedgerError::git("listing commits", self.root())(error);
        let mut walk = repo.revwalk().map_err(failed)?;
        let mut ours = Vec::new();
        let own = format!("refs/heads/{}", self.branch());
        if let Some(tip) = branch_commit(&repo, &own, self.root())? {
            ours.push(tip);
        }
        for reference in repo.references_glob("refs/heads/handoff/*").map_err(failed)? {
            if let Some(tip) = reference.map_err(failed)?.target() {
                ours.push(tip);
            }
        }
        if ours.is_empty() {
            return Ok(());
        }
        check_history(&repo, ours.iter().copied(), LOOKED_AT).map_err(failed)?;
        ours.into_iter().try_for_each(|tip| walk.push(tip)).map_err(failed)?;
        walk.hide_glob(&known_of(&repo, remote)).map_err(failed)?;
        for id in walk {
            if !look(&id.and_then(|id| find_commit(&repo, id)).map_err(failed)?) {
                break;
            }
        }
        Ok(())
    }

    /// Asks the usual remote whether it would take the ledger's branch now,
    /// without sending anything. `None` where there is no remote, or no commit
    /// yet.
    ///
    /// # Errors
    /// When the branch cannot be read or git cannot be run.
    pub fn probe_push(&self) -> Result<Option<PushProbe>, LedgerError> {
        let Some(remote) = self.remote() else { return Ok(None) };
        let refname = format!("refs/heads/{}", self.branch());
        let Some(tip) = branch_commit(&hold(self.shared()), &refname, self.root())? else {
            return Ok(None);
        };
        // Behind the remote is no refusal: what is there is taken over first.
        let tip = match self.on_remote(&remote, self.branch())? {
            Some(upstream) if !self.has(tip, upstream)? => upstream,
            _ => tip,
        };
        let target = format!("{tip}:{refname}");
        let push = ["push", "--dry-run", "--porcelain", "--", &remote, &target];
        let failed = match self.git(&push) {
            Ok(ran) if ran.status.success() => return Ok(Some(PushProbe::Takes)),
            Ok(ran) => ran.stderr,
            Err(error @ LedgerError::TimedOut { .. }) => {
                return Ok(Some(PushProbe::Silent(error.to_string())));
            }
            Err(error) => return Err(error),
        };
        // Git ends alike for a server that is not there and for one that refuses. Who may read
        // has reached it.
        Ok(Some(match self.git(&["ls-remote", "--quiet", "--", &remote, &refname]) {
            Ok(ran) if ran.status.success() => PushProbe::Refuses(failed),
            Ok(ran) => PushProbe::Unreachable(ran.stderr),
            Err(error @ LedgerError::TimedOut { .. }) => PushProbe::Silent(error.to_string()),
            Err(error) => return Err(error),
        }))
    }

    /// The commit that a branch had on a remote when it was last seen.
    pub(super) fn on_remote(&self, remote: &str, branch: &str) -> Result<Option<Oid>, LedgerError> {
        let repo = hold(self.shared());
        branch_commit(&repo, &format!("refs/remotes/{remote}/{branch}"), self.root())
    }

    pub(super) fn known_remote(&self, remote: &str) -> Result<(), LedgerError> {
        let known = remote_names(&hold(self.shared()));
        if known.iter().any(|name| name == remote) {
            return Ok(());
        }
        Err(LedgerError::UnknownRemote { name: without_secrets(remote), known })
    }
}

/// The refs that say what a remote has: what was fetched from it, or pushed to
/// it where the clone keeps no such refs, as a bare one.
fn known_of(repo: &Repository, remote: &str) -> String {
    let fetched = format!("refs/remotes/{remote}/*");
    let has_any = repo.references_glob(&fetched).is_ok_and(|mut refs| refs.next().is_some());
    if has_any { fetched } else { "refs/handoff/pushed/*".to_owned() }
}
