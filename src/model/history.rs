//! What the ledger's history says about each handoff folder: the scan's
//! result, and what the audit judges.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A git object id, SHA-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(pub [u8; 20]);

/// A text that is no object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an object id has 40 hexadecimal digits")]
pub struct ObjectIdError;

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;
    fn from_str(text: &str) -> Result<Self, ObjectIdError> {
        let mut id = [0; 20];
        hex::decode_to_slice(text, &mut id).map_err(|_| ObjectIdError)?;
        Ok(Self(id))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = ObjectIdError;
    fn try_from(text: String) -> Result<Self, ObjectIdError> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}

/// One commit of the first-parent history; times are seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitInfo {
    /// The commit.
    pub id: ObjectId,
    /// The committer's time.
    pub committed_at: i64,
    /// The first parent's committer time; `None` for the first commit.
    pub parent_committed_at: Option<i64>,
}

/// What a folder held from one commit on. Neither file means that the folder
/// left this path there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The commit, as an index into [`History::commits`].
    pub commit: u32,
    /// The blob of `brief.yaml`.
    pub brief: Option<ObjectId>,
    /// The blob of `timeline.yaml`.
    pub timeline: Option<ObjectId>,
}

/// One path below `briefs/` over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderHistory {
    /// The folder, `briefs/2026/11/acme-corp--hubspot-1`; bytes that are not
    /// UTF-8 are shown as `\xNN`.
    pub path: String,
    /// What stands behind the last `--` of the folder's name; the audit
    /// compares it with the `key:` in the files.
    pub key_text: Option<String>,
    /// The versions, oldest first; neighbours differ.
    pub versions: Vec<Version>,
}

/// The first-parent history of the default branch as far as the ledger's
/// folders are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The commit the scan began with.
    pub head: ObjectId,
    /// The branch, such as `main`; or the revision that was asked for.
    pub branch: String,
    /// How many commits the first-parent history has.
    pub walked: usize,
    /// The commits that versions point to, and those dated before their
    /// parent; oldest first.
    pub commits: Vec<CommitInfo>,
    /// The folders, sorted by path.
    pub folders: Vec<FolderHistory>,
    /// The versions of `schema/brief.schema.json`, oldest first: from which
    /// commit (index) which blob; `None` while there is none.
    pub schemas: Vec<(u32, Option<ObjectId>)>,
    /// The versions of `handoff.yaml`, in the same way.
    pub settings: Vec<(u32, Option<ObjectId>)>,
}
