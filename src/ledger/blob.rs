//! Single blobs by their id, and the id that bytes will have.

use chrono::{DateTime, Utc};
use git2::{ErrorCode, ObjectType, Oid};
use gix::objs::Kind;

use super::handle::{find_blob, find_commit, hold, object_id, resolve};
use super::snapshot::read_blob;
use super::{Ledger, LedgerError};
use crate::model::ObjectId;

/// The id that git gives to these bytes as a file.
///
/// # Panics
/// Never: hashing bytes in memory cannot fail.
#[must_use]
pub fn blob_id(bytes: &[u8]) -> ObjectId {
    object_id(object_hash(ObjectType::Blob, bytes))
}

/// The id that git gives to these bytes as an object of a kind.
pub(super) fn object_hash(kind: ObjectType, bytes: &[u8]) -> Oid {
    let kind = match kind {
        ObjectType::Tree => Kind::Tree,
        ObjectType::Commit => Kind::Commit,
        _ => Kind::Blob,
    };
    // As libgit2 hashes, several times faster.
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes)
        .expect("bytes in memory can always be hashed");
    Oid::from_bytes(id.as_slice()).expect("a SHA-1 has twenty bytes")
}

impl Ledger {
    /// The bytes of a blob; `None` if this clone does not have it.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn blob(&self, id: ObjectId) -> Result<Option<Vec<u8>>, LedgerError> {
        let repo = hold(self.shared());
        let oid = Oid::from_bytes(&id.0)
            .map_err(LedgerError::git("reading an object id", self.git_dir()))?;
        match find_blob(&repo, oid) {
            Ok(_) => read_blob(&repo, oid).map(Some),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(LedgerError::git("reading an earlier brief", self.git_dir())(error)),
        }
    }

    /// The commit that a revision names and its committer time; `None` if it names none.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn commit_at(
        &self,
        revision: &str,
    ) -> Result<Option<(ObjectId, DateTime<Utc>)>, LedgerError> {
        let repo = hold(self.shared());
        let id = match resolve(&repo, revision, self.root()) {
            Err(LedgerError::UnknownRevision { .. }) => return Ok(None),
            id => id?,
        };
        let commit =
            find_commit(&repo, id).map_err(LedgerError::git("reading a commit", self.root()))?;
        let at = DateTime::from_timestamp(commit.committer().when().seconds(), 0);
        Ok(at.map(|at| (object_id(id), at)))
    }

    /// The author of a commit, `Riley Ross <riley@example.com>`.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn commit_author(&self, commit: ObjectId) -> Result<String, LedgerError> {
        self.commit_people(commit).map(|[author, _]| author)
    }

    /// The author and the committer of a commit, each `Riley Ross <riley@example.com>`.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn commit_people(&self, commit: ObjectId) -> Result<[String; 2], LedgerError> {
        let repo = hold(self.shared());
        let id = git2::Oid::from_bytes(&commit.0).expect("twenty bytes are an id");
        let failed = LedgerError::git("reading a commit", self.root());
        let commit = find_commit(&repo, id).map_err(failed)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let person = |it: git2::Signature<'_>| {
            format!("{} <{}>", text(it.name_bytes()), text(it.email_bytes()))
        };
        Ok([person(commit.author()), person(commit.committer())])
    }
}
