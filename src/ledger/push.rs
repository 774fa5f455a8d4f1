//! Pushing: the remote is the arbiter. Rejected because others were faster:
//! fetch, put our commits on top, push again. Never by force.

use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use git2::{Oid, Repository};

use super::checkout::CheckoutRemark;
use super::git_program::without_secrets;
use super::handle::{LOOKED_AT, branch_commit, check_branch, check_history, hold, object_id};
use super::{Ledger, LedgerError};
use crate::model::ObjectId;

/// Others may push faster for as long as they have a backlog; a few tries are had in any case.
const PATIENCE: Duration = Duration::from_secs(180);
const TRIES: u32 = 8;
/// A refusal without a reason that one can see (two pushes at the same moment) is tried so often.
const REFUSALS: u32 = 4;
const LOCK: Duration = Duration::from_secs(60);

/// What a push came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// The commit that the remote's branch has now; `None` where there is nothing yet.
    pub tip: Option<ObjectId>,
    /// How often it was tried; 0 if the remote had everything.
    pub tries: u32,
    /// Folders into which both sides wrote. Their rendering may be stale:
    /// render them again and commit.
    pub merged: Vec<String>,
    /// What was left as it is in the checkout.
    pub remarks: Vec<CheckoutRemark>,
}

/// A branch that a remote had and has no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The remote.
    pub remote: String,
    /// The ref that keeps what it had last, where this clone knows it.
    pub last_seen: Option<String>,
}

impl Ledger {
    /// Pushes the ledger's branch. When others pushed first, our commits are
    /// put on top of theirs, with `now` as the new committer time, and pushed
    /// again. Takes the writer's lock for that, so do not hold a writer.
    ///
    /// # Errors
    /// When git fails or the remote refuses; when both sides changed one
    /// brief in ways that do not go together; when commits of a person would
    /// have to be rewritten. What was committed stays committed.
    pub fn push(&self, remote: &str, now: DateTime<Utc>) -> Result<Pushed, LedgerError> {
        self.push_branch(remote, self.branch(), now)
    }

    /// Pushes another branch in the same way, such as a draft's.
    ///
    /// # Errors
    /// As for [`Ledger::push`].
    pub fn push_branch(
        &self,
        remote: &str,
        branch: &str,
        now: DateTime<Utc>,
    ) -> Result<Pushed, LedgerError> {
        check_branch(branch)?;
        self.known_remote(remote)?;
        let mut done = Pushed::default();
        let mut refusals = 0;
        let start = Instant::now();
        while done.tries < TRIES || start.elapsed() < PATIENCE {
            let Some(tip) = self.local(branch)? else { return Ok(done) };
            done.tip = Some(object_id(tip));
            let before = self.on_remote(remote, branch)?;
            self.note_seen(branch, before)?;
            if before == Some(tip) {
                self.note_pushed(branch, tip)?;
                return Ok(done);
            }
            self.check_pushed(remote, branch, before)?;
            if let Some(upstream) = before
                && !self.has(tip, upstream)?
            {
                let mut writer = self.lock(LOCK)?;
                let at = now + start.elapsed();
                let refname = format!("refs/heads/{branch}");
                let replayed = writer.replay(&refname, remote, upstream, at)?;
                done.merged.extend(replayed.merged);
                done.remarks.extend(replayed.remarks);
                continue;
            }
            done.tries += 1;
            let Some(why) = self.try_push(remote, branch, before, tip)? else {
                self.note_pushed(branch, tip)?;
                return Ok(done);
            };
            // Before the fetch and not behind it: what was fetched is to be pushed onto at once.
            sleep(pause(tip, done.tries));
            self.fetch_branch(remote, branch, before.is_some())?;
            if self.on_remote(remote, branch)? == before {
                // The remote has not moved: it does not want this, or was busy for a moment.
                refusals += 1;
                if refusals >= REFUSALS {
                    return Err(LedgerError::Rejected {
                        remote: remote.to_owned(),
                        branch: branch.to_owned(),
                        why,
                        pushes_to: self.pushes_to(remote),
                    });
                }
            }
        }
        Err(LedgerError::Outrun {
            remote: remote.to_owned(),
            branch: branch.to_owned(),
            tries: done.tries,
        })
    }

    /// Fetches, and brings the ledger's branch onto the remote's, without
    /// pushing: what to do before a key is looked for, so that another clone's
    /// folder is seen.
    ///
    /// # Errors
    /// As for [`Ledger::push`].
    pub fn catch_up(&self, remote: &str, now: DateTime<Utc>) -> Result<Pushed, LedgerError> {
        // What a fetch forgets is missed all the same.
        self.note_seen(self.branch(), self.on_remote(remote, self.branch())?)?;
        self.fetch(remote)?;
        let mut done = Pushed::default();
        let upstream = self.on_remote(remote, self.branch())?;
        self.check_pushed(remote, self.branch(), upstream)?;
        if let Some(upstream) = upstream {
            let mut writer = self.lock(LOCK)?;
            let refname = format!("refs/heads/{}", self.branch());
            let replayed = writer.replay(&refname, remote, upstream, now)?;
            done = Pushed { merged: replayed.merged, remarks: replayed.remarks, ..done };
            self.note_pushed(self.branch(), upstream)?;
        }
        done.tip = self.local(self.branch())?.map(object_id);
        Ok(done)
    }

    /// Deletes a branch on a remote, such as a draft's that has landed; a
    /// branch that is not there is fine.
    ///
    /// # Errors
    /// When git fails or the remote refuses.
    pub fn delete_remote_branch(&self, remote: &str, branch: &str) -> Result<(), LedgerError> {
        check_branch(branch)?;
        self.known_remote(remote)?;
        let target = format!(":refs/heads/{branch}");
        let args = ["push", "--porcelain", "--quiet", "--", remote, &target];
        let ran = self.git(&args)?;
        if ran.status.success() {
            return Ok(());
        }
        self.fetch(remote)?;
        if self.on_remote(remote, branch)?.is_none() {
            return Ok(());
        }
        Err(LedgerError::Rejected {
            remote: remote.to_owned(),
            branch: branch.to_owned(),
            why: ran.stderr,
            pushes_to: self.pushes_to(remote),
        })
    }

    /// Refuses a remote whose branch no longer holds what was pushed to it.
    fn check_pushed(
        &self,
        remote: &str,
        branch: &str,
        upstream: Option<Oid>,
    ) -> Result<(), LedgerError> {
        if branch != self.branch() {
            return Ok(());
        }
        let pushed = branch_commit(&hold(self.shared()), &pushed_ref(branch), self.root())?;
        let Some(upstream) = upstream else {
            if pushed.is_none() && self.gone_from(remote)?.is_none() {
                return Ok(());
            }
            return Err(LedgerError::BranchGone {
                remote: remote.to_owned(),
                branch: branch.to_owned(),
                default: self.remote_default(remote),
            });
        };
        let Some(pushed) = pushed else { return Ok(()) };
        if self.has(upstream, pushed)? {
            return Ok(());
        }
        let repo = hold(self.shared());
        let missing = check_history(&repo, [pushed, upstream], LOOKED_AT)
            .and_then(|()| repo.graph_ahead_behind(pushed, upstream));
        let (missing, _) =
            missing.map_err(LedgerError::git("comparing with the remote", self.root()))?;
        Err(LedgerError::HistoryReplaced {
            remote: remote.to_owned(),
            branch: branch.to_owned(),
            was: pushed.to_string(),
            is: upstream.to_string()[..10].to_owned(),
            missing,
        })
    }

    /// The ledger's branch as the usual remote had it last, where it had it and
    /// has it no more, by what was fetched: renamed or deleted.
    ///
    /// # Errors
    /// When the branches cannot be read.
    pub fn branch_gone(&self) -> Result<Option<Gone>, LedgerError> {
        let Some(remote) = self.remote() else { return Ok(None) };
        match self.on_remote(&remote, self.branch())? {
            Some(_) => Ok(None),
            None => self.gone_from(&remote),
        }
    }

    /// What is known of the ledger's branch on a remote that is not seen to have it.
    fn gone_from(&self, remote: &str) -> Result<Option<Gone>, LedgerError> {
        let repo = hold(self.shared());
        let last_seen = pushed_ref(self.branch());
        let was_there = branch_commit(&repo, &last_seen, self.root())?.is_some();
        let others = repo.references_glob(&format!("refs/remotes/{remote}/*"));
        let has_others = others.is_ok_and(|mut others| others.next().is_some());
        // A bare clone keeps no branches of its remote: that none is seen says nothing.
        let is_gone = match was_there {
            true => has_others || !repo.is_bare(),
            false => has_others && follows(&repo, remote, self.branch()),
        };
        let last_seen = was_there.then_some(last_seen);
        Ok(is_gone.then(|| Gone { remote: remote.to_owned(), last_seen }))
    }

    /// Remembers what the remote was seen to have, where nothing is known yet.
    fn note_seen(&self, branch: &str, seen: Option<Oid>) -> Result<(), LedgerError> {
        let known = branch_commit(&hold(self.shared()), &pushed_ref(branch), self.root())?;
        match seen.filter(|_| known.is_none()) {
            Some(seen) => self.note_pushed(branch, seen),
            None => Ok(()),
        }
    }

    /// Remembers what the remote has, so that it is missed when it is gone.
    fn note_pushed(&self, branch: &str, tip: Oid) -> Result<(), LedgerError> {
        if branch != self.branch() {
            return Ok(());
        }
        let repo = hold(self.shared());
        let name = pushed_ref(branch);
        if branch_commit(&repo, &name, self.root())? == Some(tip) {
            return Ok(());
        }
        repo.reference(&name, tip, true, "handoff: pushed")
            .map(drop)
            .map_err(LedgerError::git("remembering what was pushed", self.root()))
    }

    /// Where a remote is pushed to, where that is not where it is fetched from.
    fn pushes_to(&self, remote: &str) -> Option<String> {
        let url = |more: &[&str]| {
            let ran = self.git(&[&["remote", "get-url"], more, &["--", remote]].concat()).ok()?;
            ran.status.success().then(|| ran.stdout.trim().to_owned())
        };
        let (from, to) = (url(&[])?, url(&["--push"])?);
        (from != to).then(|| without_secrets(&to))
    }

    /// The default branch of a remote, where it says so.
    fn remote_default(&self, remote: &str) -> Option<String> {
        let ran = self.git(&["ls-remote", "--symref", "--", remote, "HEAD"]).ok()?;
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix("ref: refs/heads/"))?;
        line.split_once('\t').map(|(name, _)| name.to_owned())
    }

    /// Fetches one branch in the least time; all of them while the remote may not have it.
    fn fetch_branch(&self, remote: &str, branch: &str, is_there: bool) -> Result<(), LedgerError> {
        if !is_there {
            return self.fetch(remote).map(drop);
        }
        let spec = format!("+refs/heads/{branch}:refs/remotes/{remote}/{branch}");
        let args = ["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--", remote, &spec];
        match self.git_well(&args) {
            // The branch may be gone, which only a look at all of them tells.
            Err(LedgerError::Program { .. }) => self.fetch(remote).map(drop),
            other => other.map(drop),
        }
    }

    fn local(&self, branch: &str) -> Result<Option<Oid>, LedgerError> {
        branch_commit(&hold(self.shared()), &format!("refs/heads/{branch}"), self.root())
    }

    /// Whether a commit has another one in its history.
    pub(super) fn has(&self, commit: Oid, other: Oid) -> Result<bool, LedgerError> {
        if commit == other {
            return Ok(true);
        }
        let repo = hold(self.shared());
        check_history(&repo, [commit, other], LOOKED_AT)
            .and_then(|()| repo.graph_descendant_of(commit, other))
            .map_err(LedgerError::git("comparing with the remote", self.root()))
    }

    /// Pushes once; why it was rejected, if it was.
    fn try_push(
        &self,
        remote: &str,
        branch: &str,
        before: Option<Oid>,
        tip: Oid,
    ) -> Result<Option<String>, LedgerError> {
        let target = format!("{tip}:refs/heads/{branch}");
        // Never by force: the commit has `before` in its history. The lease makes
        // git look whether the branch is still as it was seen, so that one that
        // is gone or was replaced is noticed and not made again in silence.
        let seen = before.map_or_else(String::new, |id| id.to_string());
        let lease = format!("--force-with-lease=refs/heads/{branch}:{seen}");
        let args = ["push", "--porcelain", &lease, "--", remote, &target];
        let ran = self.git(&args)?;
        if ran.status.success() {
            return Ok(None);
        }
        // A line for each ref, with the flag first; `!` is a rejection
        // (https://git-scm.com/docs/git-push#_output). Without one, git did not get so far.
        let rejected = ran.stdout.lines().find_map(|line| {
            let line = line.strip_prefix("!\t")?;
            Some(line.split('\t').nth(1).unwrap_or(line).to_owned())
        });
        match rejected {
            Some(reason) if ran.stderr.is_empty() => Ok(Some(reason)),
            Some(reason) => Ok(Some(format!("{reason}: {}", ran.stderr))),
            None => Err(LedgerError::Program { command: "push".into(), why: ran.stderr }),
        }
    }
}

/// Whether a branch was set up to follow that of its name on a remote, as by
/// `git clone` and `git push -u`.
fn follows(repo: &Repository, remote: &str, branch: &str) -> bool {
    let config = repo.config().and_then(|mut config| config.snapshot());
    let is = |name: &str, value: &str| {
        let name = format!("branch.{branch}.{name}");
        config.as_ref().is_ok_and(|config| config.get_str(&name).is_ok_and(|it| it == value))
    };
    is("remote", remote) && is("merge", &format!("refs/heads/{branch}"))
}

fn pushed_ref(branch: &str) -> String {
    format!("refs/handoff/pushed/{branch}")
}

/// Longer with each try, and different for each clone, whose commits differ.
fn pause(tip: Oid, tries: u32) -> Duration {
    let bytes = tip.as_bytes();
    let jitter = u64::from(bytes[0]) * 256 + u64::from(bytes[1]);
    let most = 20 * u64::from(tries.min(10));
    Duration::from_millis(jitter % most)
}
