//! The remotes of a ledger, and what was fetched from them.

use std::time::Duration;

use git2::{Oid, Repository};

use super::git_program::{run_well, without_secrets};
use super::repository::{branch_commit, hold};
use super::snapshot::object_id;
use super::web_url::{WebLinks, web_links};
use super::{Ledger, LedgerError};
use crate::model::ObjectId;

/// A slow line and a large first fetch fit; a server that hangs does not hold a writer for ever.
pub(super) const NETWORK: Duration = Duration::from_secs(120);

/// `origin`, else the only remote there is.
pub(super) fn usual_remote(repo: &Repository) -> Option<String> {
    let remotes = names(repo);
    if remotes.iter().any(|name| name == "origin") {
        return Some("origin".into());
    }
    match &remotes[..] {
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn names(repo: &Repository) -> Vec<String> {
    let Ok(remotes) = repo.remotes() else { return Vec::new() };
    let mut names: Vec<String> =
        remotes.iter().filter_map(|name| name.ok().flatten().map(str::to_owned)).collect();
    names.sort();
    names
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
        web_links(remote.url().ok()?, self.branch())
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
        run_well(self.root(), &["fetch", "--quiet", "--no-tags", "--", remote], NETWORK)?;
        Ok(self.on_remote(remote, self.branch())?.map(object_id))
    }

    /// The commit that a branch had on a remote when it was last seen.
    pub(super) fn on_remote(&self, remote: &str, branch: &str) -> Result<Option<Oid>, LedgerError> {
        let repo = hold(self.shared());
        branch_commit(&repo, &format!("refs/remotes/{remote}/{branch}"), self.root())
    }

    pub(super) fn known_remote(&self, remote: &str) -> Result<(), LedgerError> {
        let known = names(&hold(self.shared()));
        if known.iter().any(|name| name == remote) {
            return Ok(());
        }
        Err(LedgerError::UnknownRemote { name: without_secrets(remote), known })
    }
}
