//! What a server recorded of a branch: who pushed what, and when, by the
//! server's clock. A log that handoff's own hook keeps and a saved answer of
//! GitHub's activity say the same in two forms.
//!
//! A line of the log is `time, before, after, ref, kind, who`, parted by tabs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ObjectId;

/// One move of a branch, as the server that holds it recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// When, by the server's clock.
    pub at: DateTime<Utc>,
    /// Where the branch was; `None` when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ObjectId>,
    /// Where it went; `None` when it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ObjectId>,
    /// The account that pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
        let value: Value = serde_json::from_str(text)
            .map_err(|error| fault(error.line(), &format!("it is not JSON: {error}")))?;
        // `gh api --paginate --slurp` gives a list of pages.
        let pages = value.as_array().into_iter().flatten();
        let items = pages.flat_map(|item| match item {
            Value::Array(items) => items.iter().collect::<Vec<_>>(),
            other => vec![other],
        });
        for (item, at) in items.zip(1..) {
            let push = push_of_activity(item, branch)
                .map_err(|why| fault(1, &format!("entry {at} is no activity of GitHub: {why}")))?;
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
                    "expected time, before, after, ref, kind and who, parted by tabs",
                ));
            };
            let push = Activity::read(time, before, after, name, kind, Some(who))
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
    let read = Activity::read(time, text("before")?, text("after")?, text("ref")?, kind, who)?;
    Ok(read.on(&format!("refs/heads/{branch}")))
}

/// One move of some branch, in the words that GitHub and the hook share.
struct Activity {
    name: String,
    push: Push,
}

impl Activity {
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
                text.parse().map_err(|_| "it names no commit of forty digits".to_owned())?;
            Ok(Some(id).filter(|id| id.0 != [0; 20]))
        };
        let at = DateTime::parse_from_rfc3339(time)
            .map_err(|_| "its time is none, such as 2026-11-20T15:02:11Z".to_owned())?;
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
