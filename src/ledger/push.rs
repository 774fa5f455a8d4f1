//! Pushing: the remote is the arbiter. Rejected because others were faster:
//! fetch, put our commits on top, push again. Never by force.

use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use git2::Oid;

use super::checkout::Remark;
use super::git_program::run;
use super::remote::NETWORK;
use super::repository::{branch_commit, check_branch, hold};
use super::snapshot::object_id;
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
    /// render them anew and commit.
    pub merged: Vec<String>,
    /// What was left as it is in the checkout.
    pub remarks: Vec<Remark>,
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
            if before == Some(tip) {
                return Ok(done);
            }
            done.tries += 1;
            let Some(why) = self.try_push(remote, branch, tip)? else { return Ok(done) };
            // Before the fetch and not behind it: what was fetched is to be pushed onto at once.
            sleep(pause(tip, done.tries));
            self.fetch_branch(remote, branch, before.is_some())?;
            match self.on_remote(remote, branch)? {
                Some(upstream) if !self.has(tip, upstream)? => {
                    let mut writer = self.lock(LOCK)?;
                    let at = now + start.elapsed();
                    let refname = format!("refs/heads/{branch}");
                    let replayed = writer.replay(&refname, remote, upstream, at)?;
                    done.merged.extend(replayed.merged);
                    done.remarks.extend(replayed.remarks);
                }
                // The remote has not moved: it does not want this, or was busy for a moment.
                _ => {
                    refusals += 1;
                    if refusals >= REFUSALS {
                        return Err(LedgerError::Rejected {
                            remote: remote.to_owned(),
                            branch: branch.to_owned(),
                            why,
                        });
                    }
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
        self.fetch(remote)?;
        let mut done = Pushed::default();
        if let Some(upstream) = self.on_remote(remote, self.branch())? {
            let mut writer = self.lock(LOCK)?;
            let refname = format!("refs/heads/{}", self.branch());
            let replayed = writer.replay(&refname, remote, upstream, now)?;
            done = Pushed { merged: replayed.merged, remarks: replayed.remarks, ..done };
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
        let ran = run(self.root(), &args, b"", NETWORK)?;
        if ran.status.success() {
            return Ok(());
        }
        self.fetch_pruned(remote)?;
        if self.on_remote(remote, branch)?.is_none() {
            return Ok(());
        }
        Err(LedgerError::Rejected {
            remote: remote.to_owned(),
            branch: branch.to_owned(),
            why: ran.stderr,
        })
    }

    /// Fetches one branch in the least time; all of them while the remote may not have it.
    fn fetch_branch(&self, remote: &str, branch: &str, is_there: bool) -> Result<(), LedgerError> {
        if !is_there {
            return self.fetch(remote).map(drop);
        }
        let spec = format!("+refs/heads/{branch}:refs/remotes/{remote}/{branch}");
        let args = ["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--", remote, &spec];
        super::git_program::run_well(self.root(), &args, NETWORK).map(drop)
    }

    fn fetch_pruned(&self, remote: &str) -> Result<(), LedgerError> {
        let args = ["fetch", "--quiet", "--no-tags", "--prune", "--", remote];
        super::git_program::run_well(self.root(), &args, NETWORK).map(drop)
    }

    fn local(&self, branch: &str) -> Result<Option<Oid>, LedgerError> {
        branch_commit(&hold(self.shared()), &format!("refs/heads/{branch}"), self.root())
    }

    /// Whether a commit has another one in its history.
    fn has(&self, commit: Oid, other: Oid) -> Result<bool, LedgerError> {
        if commit == other {
            return Ok(true);
        }
        hold(self.shared())
            .graph_descendant_of(commit, other)
            .map_err(LedgerError::git("comparing with the remote", self.root()))
    }

    /// Pushes once; why it was rejected, if it was.
    fn try_push(
        &self,
        remote: &str,
        branch: &str,
        tip: Oid,
    ) -> Result<Option<String>, LedgerError> {
        let target = format!("{tip}:refs/heads/{branch}");
        let args = ["push", "--porcelain", "--", remote, &target];
        let ran = run(self.root(), &args, b"", NETWORK)?;
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

/// Longer with each try, and different for each clone, whose commits differ.
fn pause(tip: Oid, tries: u32) -> Duration {
    let bytes = tip.as_bytes();
    let jitter = u64::from(bytes[0]) * 256 + u64::from(bytes[1]);
    let most = 20 * u64::from(tries.min(10));
    Duration::from_millis(jitter % most)
}
