//! What the ledger's history says about each handoff folder, and what a server
//! recorded of pushes.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::money::Money;

/// One move of a branch, as the server that holds it recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// When, by the server's clock.
    pub at: DateTime<Utc>,
    /// Where the branch was; `None` when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ObjectId>,
    /// Where it went; `None` when it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ObjectId>,
    /// The account that pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether it was forced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_forced: bool,
}

/// What one server recorded of one branch, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRecord {
    /// Whose record it is, in a reader's words: `GitHub's record of acme/handoffs`.
    pub source: String,
    /// The pushes.
    pub pushes: Vec<Push>,
}

/// Why a log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LogFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Reads what a log says of one branch, oldest first.
///
/// # Errors
/// Where a line is none of a log: one that was cut or changed must not pass
/// for one that never was.
pub fn read_push_log(bytes: &[u8], branch: &str) -> Result<Vec<Push>, LogFault> {
    let fault = |line: usize, why: &str| LogFault { line, why: why.to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|_| fault(1, "it is not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    let wanted = format!("refs/heads/{branch}");
    let mut pushes = Vec::new();
    if text.trim_start().starts_with('[') {
        let value: Value = crate::model::read_json(text.as_bytes())
            .map_err(|error| fault(error.line(), &format!("it is not JSON: {error}")))?;
        // `gh api --paginate --slurp` gives a list of pages.
        let pages = value.as_array().into_iter().flatten();
        let items = pages.flat_map(|item| match item {
            Value::Array(items) => items.iter().collect::<Vec<_>>(),
            other => vec![other],
        });
        for (item, at) in items.zip(1..) {
            let push = push_of_activity(item, branch)
                .map_err(|why| fault(1, &format!("entry {at} is not a GitHub activity: {why}")))?;
            pushes.extend(push);
        }
    } else {
        for (line, at) in text.lines().zip(1..) {
            if line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.splitn(6, '\t').collect();
            let [time, before, after, name, kind, who] = fields[..] else {
                return Err(fault(
                    at,
                    "expected time, before, after, ref, kind and who, separated by tabs",
                ));
            };
            let push = BranchActivity::read(time, before, after, name, kind, Some(who))
                .map_err(|why| fault(at, &why))?;
            pushes.extend(push.on(&wanted));
        }
    }
    pushes.sort_by_key(|push| push.at);
    Ok(pushes)
}

/// Reads an item of GitHub's list of activities, see
/// <https://docs.github.com/en/rest/repos/repos#list-repository-activities>;
/// `None` for another branch.
///
/// # Errors
/// What is wrong with it.
pub fn push_of_activity(item: &Value, branch: &str) -> Result<Option<Push>, String> {
    let text = |name: &str| item[name].as_str().ok_or_else(|| format!("it has no `{name}`"));
    let (time, kind) = (text("timestamp")?, text("activity_type")?);
    let who = item["actor"]["login"].as_str();
    let read =
        BranchActivity::read(time, text("before")?, text("after")?, text("ref")?, kind, who)?;
    Ok(read.on(&format!("refs/heads/{branch}")))
}

/// One move of some branch, in the words that GitHub and the hook share.
struct BranchActivity {
    name: String,
    push: Push,
}

impl BranchActivity {
    fn read(
        time: &str,
        before: &str,
        after: &str,
        name: &str,
        kind: &str,
        who: Option<&str>,
    ) -> Result<Self, String> {
        let id = |text: &str| -> Result<Option<ObjectId>, String> {
            let id: ObjectId =
                text.parse().map_err(|_| "it has no commit id of 40 digits".to_owned())?;
            Ok(Some(id).filter(|id| id.0 != [0; 20]))
        };
        let at = DateTime::parse_from_rfc3339(time).map_err(|_| {
            "its time is not valid; expected one such as 2026-11-20T15:02:11Z".to_owned()
        })?;
        let plain = |who: &str| who.chars().filter(|c| !c.is_control()).take(100).collect();
        let who: Option<String> = who.map(plain).filter(|who: &String| !who.is_empty());
        let push = Push {
            at: at.with_timezone(&Utc),
            before: id(before)?,
            after: id(after)?,
            by: who,
            is_forced: kind == "force_push",
        };
        Ok(Self { name: name.to_owned(), push })
    }

    fn on(self, branch: &str) -> Option<Push> {
        (self.name == branch).then_some(self.push)
    }
}

// What the ledger's history says about each handoff folder: the scan's
// result, and what the audit judges.

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

/// What a folder held from one commit on. No file means that the folder
/// left this path there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The commit, as an index into [`History::commits`].
    pub commit: u32,
    /// The blob of `brief.yaml`.
    pub brief: Option<ObjectId>,
    /// The blob of `timeline.yaml`.
    pub timeline: Option<ObjectId>,
    /// The blob of `sources.yaml`.
    pub sources: Option<ObjectId>,
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

/// One deal as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointDeal {
    /// The key its handoff has or would have.
    pub key: String,
    /// The class, `on_time`.
    pub class: String,
    /// What it is worth, `48000.00 USD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was won.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub won_at: Option<DateTime<Utc>>,
    /// Whose deal it was; checkpoints of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl CheckpointDeal {
    /// An amount as checkpoints keep it.
    #[must_use]
    pub fn told_value(money: &Money) -> String {
        match &money.currency {
            Some(currency) => format!("{} {currency}", money.amount),
            None => money.amount.to_string(),
        }
    }

    /// The amount that it was worth, where it says one.
    #[must_use]
    pub fn money(&self) -> Option<Money> {
        let value = self.value.as_deref()?;
        let (amount, currency) = match value.split_once(' ') {
            Some((amount, currency)) => (amount, Some(currency.to_owned())),
            None => (value, None),
        };
        Some(Money { amount: amount.parse().ok()?, currency })
    }
}
