//! The versions of one file: which commit wrote each, and who its author is.

use chrono::{DateTime, Utc};
use git2::{Commit, ObjectType, Oid, Repository};

use super::change::is_handoff_message;
use super::handle::{find_commit, hold, object_id, resolve};
use super::snapshot::entry_at;
use super::{Ledger, LedgerError};
use crate::model::ObjectId;

/// One version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// The commit that wrote it.
    pub commit: ObjectId,
    /// The author's name, as the commit has it.
    pub author: String,
    /// The author's address, as the commit has it.
    pub email: String,
    /// The author's time.
    pub at: DateTime<Utc>,
    /// The file's blob.
    pub blob: ObjectId,
    /// Whether handoff made the commit, by the key in its message.
    pub by_handoff: bool,
}

/// The versions of a file, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersions {
    /// Each commit that changed it.
    pub versions: Vec<FileVersion>,
    /// Whether the history before the oldest version is here; not in a
    /// shallow clone whose first commit has the file already.
    pub complete: bool,
}

impl Ledger {
    /// The commits that changed a file, back to the one that made it. As with
    /// `git log`, a merge is followed to the parent that has the same file, so
    /// that the author is the one who wrote it and not the one who merged it.
    ///
    /// # Errors
    /// When there is no such revision, or an object cannot be read.
    pub fn file_versions(&self, revision: &str, path: &str) -> Result<FileVersions, LedgerError> {
        self.versions(revision, path, false)
    }

    /// The commits of the branch itself that changed a file: a merge stands
    /// for all that it brought.
    ///
    /// # Errors
    /// As [`Ledger::file_versions`].
    pub fn merged_versions(&self, revision: &str, path: &str) -> Result<FileVersions, LedgerError> {
        self.versions(revision, path, true)
    }

    fn versions(
        &self,
        revision: &str,
        path: &str,
        branch_alone: bool,
    ) -> Result<FileVersions, LedgerError> {
        let path = self.in_repository(path);
        let repo = hold(self.shared());
        let failed = |error| LedgerError::git("reading the history", self.root())(error);
        let blob = |commit: &Commit<'_>| -> Result<Option<Oid>, LedgerError> {
            Ok(match entry_at(&repo, commit.tree_id(), &path)? {
                Some((id, ObjectType::Blob)) => Some(id),
                _ => None,
            })
        };
        let mut versions = Vec::new();
        let mut complete = true;
        let mut at = Some(resolve(&repo, revision, self.root())?);
        while let Some(id) = at.take() {
            let commit = find_commit(&repo, id).map_err(failed)?;
            let here = blob(&commit)?;
            let mut same = None;
            let mut before = None;
            let parents = if branch_alone { 1 } else { usize::MAX };
            for (number, parent) in commit.parent_ids().enumerate().take(parents) {
                let parent = find_commit(&repo, parent).map_err(failed)?;
                let there = blob(&parent)?;
                // A branch that brought the file has what was written in it.
                if number == 0 || matches!(before, Some((_, None))) && there.is_some() {
                    before = Some((parent.id(), there));
                }
                if there == here {
                    same = Some(parent.id());
                    break;
                }
            }
            if same.is_some() {
                at = same;
                continue;
            }
            if let Some(here) = here {
                versions.push(version(&commit, here));
                complete = before.is_some() || !is_cut(&repo, id);
            }
            // Before the commit that made the file there is nothing of it.
            at = before.filter(|(_, there)| there.is_some() || here.is_none()).map(|(id, _)| id);
        }
        versions.reverse();
        Ok(FileVersions { versions, complete })
    }
}

/// Whether a commit without parents has them elsewhere: the end of a shallow clone.
fn is_cut(repo: &Repository, id: Oid) -> bool {
    let cut = std::fs::read_to_string(repo.commondir().join("shallow")).unwrap_or_default();
    cut.lines().any(|line| line.trim() == id.to_string())
}

fn version(commit: &Commit<'_>, blob: Oid) -> FileVersion {
    let author = commit.author();
    FileVersion {
        commit: object_id(commit.id()),
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        at: DateTime::from_timestamp(author.when().seconds(), 0).unwrap_or_default(),
        blob: object_id(blob),
        by_handoff: is_handoff_message(commit.message().unwrap_or_default()),
    }
}
