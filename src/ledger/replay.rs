//! Putting our commits that the remote does not have on top of the remote's:
//! same message and author, a new committer time, no merge commits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use git2::{Commit, Oid, Repository, Sort};

use super::change::is_handoff_message;
use super::checkout::CheckoutRemark;
use super::handle::{LOOKED_AT, check_history, find_commit};
use super::merge::Wish;
use super::snapshot::{ledger_tree, read_blob, tree_of};
use super::tree::ObjectAndMode;
use super::tree_diff::differing_files;
use super::writer::Writer;
use super::{Identity, LedgerError};

/// What bringing a branch up to its remote came to.
pub(super) struct Replayed {
    pub(super) merged: Vec<String>,
    pub(super) remarks: Vec<CheckoutRemark>,
}

impl Writer {
    /// Brings a branch onto what was last fetched of its remote. Nothing
    /// happens where the remote has nothing new.
    pub(super) fn replay(
        &mut self,
        refname: &str,
        remote: &str,
        upstream: Oid,
        now: DateTime<Utc>,
    ) -> Result<Replayed, LedgerError> {
        let mut done = Replayed { merged: Vec::new(), remarks: Vec::new() };
        for _ in 0..10 {
            let local = super::handle::branch_commit(self.repo(), refname, self.ledger().root())?;
            let ours = match local {
                Some(local) if local == upstream => return Ok(done),
                Some(local) => self.unpushed(local, upstream, remote)?,
                None => Vec::new(),
            };
            if let Some(local) = local
                && self.contains(local, upstream)?
            {
                return Ok(done);
            }
            let mut build = self.build(Some(upstream), Some(upstream))?;
            for id in ours {
                let (files, message, author) = {
                    let repo = self.repo();
                    let commit = find(repo, id)?;
                    let wishes = wishes(repo, &commit, self.ledger().prefix())?;
                    let author = author(&commit);
                    let message = commit.message().unwrap_or_default().to_owned();
                    let staged = super::handle::hold(build.staging.repo());
                    (build.onto.resolve(&staged, build.tree, wishes)?, message, author)
                };
                build.add_files(files, &message, Some(author), now.timestamp())?;
            }
            // git does not sync all of what it fetches.
            self.journal().sync()?;
            done.merged = build.onto.combined.iter().cloned().collect();
            let new = build.tip().unwrap_or(upstream);
            let log = format!("handoff: on top of {remote}");
            if let Some(remarks) =
                self.move_branch(refname, local, new, build.staging, now.timestamp(), &log)?
            {
                self.saw(refname, new);
                done.remarks = remarks;
                return Ok(done);
            }
        }
        Err(LedgerError::BranchBusy {
            branch: refname.to_owned(),
            why: "it moved while it was being put on top of the remote's".into(),
        })
    }

    fn contains(&self, local: Oid, upstream: Oid) -> Result<bool, LedgerError> {
        let repo = self.repo();
        check_history(repo, [local, upstream], LOOKED_AT)
            .and_then(|()| repo.graph_descendant_of(local, upstream))
            .map_err(LedgerError::git("comparing with the remote", self.ledger().root()))
    }

    /// Our commits that the remote does not have, oldest first.
    fn unpushed(&self, local: Oid, upstream: Oid, remote: &str) -> Result<Vec<Oid>, LedgerError> {
        let repo = self.repo();
        let failed = |error| LedgerError::git("listing commits", self.ledger().root())(error);
        check_history(repo, [local, upstream], LOOKED_AT).map_err(failed)?;
        let mut walk = repo.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(failed)?;
        walk.push(local).map_err(failed)?;
        walk.hide(upstream).map_err(failed)?;
        let ids = walk.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        if self.contains(local, upstream)? {
            return Ok(ids);
        }
        for id in &ids {
            let commit = find(repo, *id)?;
            let is_ours = is_handoff_message(commit.message().unwrap_or_default())
                && is_inside(repo, &commit, self.ledger().prefix())?;
            if !is_ours || commit.parent_count() > 1 {
                return Err(LedgerError::ForeignCommit {
                    commit: id.to_string()[..10].to_owned(),
                    subject: commit.summary().ok().flatten().unwrap_or_default().to_owned(),
                    remote: remote.to_owned(),
                });
            }
        }
        Ok(ids)
    }
}

fn find(repo: &Repository, id: Oid) -> Result<Commit<'_>, LedgerError> {
    find_commit(repo, id).map_err(LedgerError::git("reading a commit", repo.path()))
}

fn author(commit: &Commit<'_>) -> (Identity, i64) {
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let who = Identity { name: text(author.name_bytes()), email: text(author.email_bytes()) };
    (who, author.when().seconds())
}

/// Whether a commit changed nothing outside of the ledger's folder.
fn is_inside(repo: &Repository, commit: &Commit<'_>, prefix: &str) -> Result<bool, LedgerError> {
    if prefix.is_empty() {
        return Ok(true);
    }
    let before = commit.parent_id(0).ok().map(|id| tree_of(repo, id)).transpose()?;
    let files = differing_files(repo, before, Some(commit.tree_id()))?;
    let inside = format!("{prefix}/");
    Ok(files.iter().all(|file| file.path.starts_with(&inside)))
}

/// What a commit changed in the ledger, file by file.
fn wishes(repo: &Repository, commit: &Commit<'_>, prefix: &str) -> Result<Vec<Wish>, LedgerError> {
    let before = match commit.parent_id(0) {
        Ok(id) => ledger_tree(repo, id, prefix)?,
        Err(_) => None,
    };
    let after = ledger_tree(repo, commit.id(), prefix)?;
    let bytes = |side: Option<ObjectAndMode>| side.map(|(id, _)| read_blob(repo, id)).transpose();
    // By path, so that a folder's files come together.
    let files: BTreeMap<_, _> = differing_files(repo, before, after)?
        .into_iter()
        .map(|file| (file.path.clone(), file))
        .collect();
    files
        .into_values()
        .map(|file| Ok(Wish { base: bytes(file.old)?, ours: bytes(file.new)?, path: file.path }))
        .collect()
}
