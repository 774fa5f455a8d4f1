//! Links that were withdrawn: a file in the ledger, where every server and
//! every clone sees it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::LOCK_WAIT;
use super::{Context, Remarks, WorkflowError};
use crate::ledger::{Change, Snapshot};
use crate::link::Grant;
use crate::text::{one_line, shorten};
use crate::yaml;

/// The file, in the ledger's root.
const FILE: &str = "revoked-links.yaml";

/// That links made up to a moment do not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Links that were made up to then.
    pub at: DateTime<Utc>,
    /// Of which handoff (its key) or person (their address).
    pub of: String,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocations {
    revoked: Vec<Revocation>,
}

/// Withdraws every link of a handoff or person that was made so far.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn revoke_links(
    context: &Context,
    of: &str,
    by: Option<&str>,
    reason: Option<&str>,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let mut all = read(&writer.snapshot()?)?;
    let word = |text: Option<&str>| text.map(|text| shorten(&one_line(text), 500));
    let of = one_line(of).to_lowercase();
    all.revoked.push(Revocation { at: context.now, of, by: word(by), reason: word(reason) });
    let change = Change::new("", "handoff: links are withdrawn", context.now)
        .put(FILE, yaml::write(&json!({"revoked": all.revoked})));
    if let Some(committed) = writer.commit(&change)? {
        remarks.extend(committed.remarks.iter().map(ToString::to_string));
    }
    Ok(())
}

/// Whether the link of a grant was withdrawn after it was made.
///
/// # Errors
/// When the file cannot be read; then no link counts.
pub(super) fn is_revoked(context: &Context, grant: &Grant) -> Result<bool, WorkflowError> {
    let all = read(&context.ledger.snapshot()?)?;
    Ok(all
        .revoked
        .iter()
        .any(|it| grant.issued <= it.at && (it.of == grant.key.as_str() || it.of == grant.person)))
}

fn read(snapshot: &Snapshot) -> Result<Revocations, WorkflowError> {
    let Some(bytes) = snapshot.read(FILE)? else { return Ok(Revocations::default()) };
    yaml::read(&bytes)
        .and_then(|node| yaml::from_node(&node))
        .map_err(|error| WorkflowError::File { file: FILE.to_owned(), error })
}
