//! Checkpoints as a use case: brought together with the remote, checked
//! against each other and against those who may sign them.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode};

use super::context::{Context, WorkflowError};
use crate::audit::{self, AuditReport};
use crate::http::{ApiRequest, BaseUrl, Client, Schedule, Semantics};
use crate::ledger::{
    self, CheckpointFacts, ChosenParents, Containment, Ledger, find_containment, list_checkpoints,
};
use crate::model::{CheckpointDeal, ObjectId, Push};
use crate::text::shorten;

/// The checkpoints of a ledger, and what is wrong with the chain.
#[derive(Debug, Clone, Default)]
pub struct CheckpointChain {
    /// The checkpoints, oldest first.
    pub checkpoints: Vec<audit::CheckpointReport>,
    /// What is wrong with no single one of them.
    pub faults: Vec<String>,
    /// What a person should know of how it was read.
    pub notes: Vec<String>,
    /// What could not be looked at, in words: a chain that is required is not proved by
    /// what is left.
    pub unchecked: Vec<String>,
    /// By a checkpoint's name: when it was there by its timestamp, or why that one does not count.
    /// Only where certificates to trust were given.
    pub timestamps: BTreeMap<String, Result<DateTime<Utc>, String>>,
    /// The pushes that checkpoints of trusted signers keep.
    pub pushes: Vec<Push>,
}

impl CheckpointChain {
    /// Looks which checkpoints' tips a history along a line still holds. Where
    /// that cannot be told, it is noted.
    pub fn compare(&mut self, ledger: &Ledger, line: &ChosenParents, head: ObjectId) {
        for checkpoint in &mut self.checkpoints {
            let found = find_containment(ledger.git_dir(), line, checkpoint.tip, head);
            match found {
                Ok(Containment::InPlace) => {}
                Ok(Containment::BehindMerge(merge)) => checkpoint.displaced_by = Some(merge),
                Ok(Containment::Gone) => checkpoint.contained = false,
                Err(error) => self.unchecked.push(format!(
                    "whether the history still holds what {} saw cannot be told: {}",
                    checkpoint.name,
                    shorten(&error.to_string(), 200)
                )),
            }
        }
    }

    /// The checkpoints that count as a second clock: those that had just asked
    /// the remote, and with which nothing is wrong.
    pub fn believed(&self) -> impl Iterator<Item = &audit::CheckpointReport> {
        self.checkpoints.iter().filter(|it| it.is_current && it.faults.is_empty())
    }
}

/// How strictly checkpoints are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strictness<'a> {
    /// Whether the remote is asked for its checkpoints.
    pub ask_remote: bool,
    /// Whether there has to be one.
    pub required: bool,
    /// Who may have signed them: a file outside of the ledger.
    pub trust: Option<&'a Path>,
    /// Whose timestamps count: certificates (PEM) in a file outside of the ledger.
    pub tsa_trust: Option<&'a Path>,
}

/// Reads and checks the checkpoints up to a moment; [`CheckpointChain::compare`] holds
/// them against a history.
///
/// # Errors
/// When the ledger cannot be read.
pub fn read_chain(
    ledger: &Ledger,
    as_of: DateTime<Utc>,
    strictness: Strictness<'_>,
) -> Result<CheckpointChain, WorkflowError> {
    let mut chain = CheckpointChain::default();
    let mut replaced = Vec::new();
    let mut odd = BTreeMap::new();
    if strictness.ask_remote
        && let Some(remote) = ledger.remote()
    {
        match meet(ledger, &remote) {
            Ok(found) => {
                for name in found.only_here {
                    chain.notes.push(format!("the checkpoint {name} is not on {remote}"));
                }
                replaced = found.replaced;
                let refused = found.odd.into_iter();
                odd.extend(refused.map(|(name, why)| (name, (why, Some(remote.clone())))));
            }
            Err(error) => chain.unchecked.push(format!(
                "the checkpoints of {remote} could not be fetched: {}",
                shorten(&error.to_string(), 200)
            )),
        }
    }
    let listed = list_checkpoints(ledger.git_dir())?;
    for (name, why) in &listed.odd {
        odd.entry(name.clone()).or_insert((why.clone(), None));
    }
    chain
        .faults
        .extend(odd.iter().map(|(name, (why, remote))| odd_ref(name, why, remote.as_deref())));
    chain.faults.extend(stamps_alone(ledger, &listed)?);
    let mut before: Option<&ledger::Checkpoint> = None;
    // The last one that nobody else can have put between two of an auditor's.
    let mut last_signed: Option<&ledger::Checkpoint> = None;
    for checkpoint in listed.found.iter().filter(|checkpoint| checkpoint.at <= as_of) {
        let mut faults = Vec::new();
        let expected = [before, last_signed].map(|before| before.map(|before| before.id));
        if !checkpoint.is_unchained && !expected.contains(&checkpoint.previous) {
            faults.push(match (checkpoint.previous, before) {
                (Some(_), _) => {
                    "follows one that is not here: it was removed or replaced".to_owned()
                }
                (None, Some(before)) => {
                    format!("does not follow the one of {}", before.at.format("%Y-%m-%d %H:%M UTC"))
                }
                (None, None) => unreachable!("nothing equals nothing"),
            });
        }
        if !checkpoint.is_whole && !checkpoint.is_unchained {
            faults.push("holds other deals than its root stands for".to_owned());
        }
        if replaced.contains(&checkpoint.name) {
            faults.push("differs from the one on the remote".to_owned());
        }
        let signer =
            match strictness.trust.map(|trust| ledger.verify_checkpoint(checkpoint.id, trust)) {
                None => None,
                Some(Ok(signer)) => Some(signer),
                Some(Err(why)) => {
                    faults.push(format!(
                        "is not signed by anybody who is trusted: {}",
                        shorten(&why, 200)
                    ));
                    None
                }
            };
        let tip = checkpoint.facts.tip;
        let stamped = strictness.tsa_trust.and_then(|trust| {
            let reply = ledger.timestamp(&checkpoint.name).transpose()?;
            let verify =
                |reply: Vec<u8>| ledger.verify_timestamp(checkpoint.id, tip, &reply, trust);
            Some(reply.and_then(verify))
        });
        if let Some(stamped) = stamped {
            chain.timestamps.insert(checkpoint.name.clone(), stamped);
        }
        if signer.is_some() && faults.is_empty() {
            chain.pushes.extend(checkpoint.facts.pushes.iter().cloned());
        }
        let is_link = match strictness.trust {
            Some(_) => signer.is_some(),
            None => checkpoint.is_signed,
        };
        let deals = checkpoint.facts.deals.clone();
        chain.checkpoints.push(audit::CheckpointReport {
            name: checkpoint.name.clone(),
            at: checkpoint.at,
            tip,
            contained: true,
            displaced_by: None,
            is_signed: checkpoint.is_signed,
            signer,
            faults,
            is_current: checkpoint.facts.is_current,
            deals,
        });
        before = Some(checkpoint);
        if is_link {
            last_signed = before;
        }
    }
    if strictness.tsa_trust.is_some()
        && let Some(last) = chain.checkpoints.last()
        && !chain.timestamps.contains_key(&last.name)
    {
        // Those before the last stamped one are held by it, as each names the one before.
        let at = last.at.format("%Y-%m-%d %H:%M UTC");
        chain.faults.push(format!("The last checkpoint, of {at}, has no timestamp"));
    }
    if strictness.required && chain.checkpoints.is_empty() {
        chain.faults.push("There is no checkpoint, and one is required".to_owned());
    }
    Ok(chain)
}

/// A ref in the place of a checkpoint, as a sentence without its stop. Whoever
/// may push can make one, so it says how to be rid of it.
fn odd_ref(name: &str, why: &str, remote: Option<&str>) -> String {
    let why = shorten(why, 200);
    match remote {
        Some(remote) => format!(
            "{name} of {remote} is not a checkpoint: {why}. Once it is known who made it, take it away with `git push {remote} :{name}`"
        ),
        None => format!(
            "{name} is not a checkpoint: {why}. Once it is known where it came from, take it away with `git update-ref -d {name}`, and with `git push REMOTE :{name}` where a remote has it, too"
        ),
    }
}

/// The timestamps whose checkpoint is gone, as [`CheckpointChain::faults`].
fn stamps_alone(
    ledger: &Ledger,
    listed: &ledger::Checkpoints,
) -> Result<Vec<String>, WorkflowError> {
    let has = |stamp: &str| {
        let name = stamp.replacen("/timestamps/", "/audit/", 1);
        listed.odd.contains_key(&name) || listed.found.iter().any(|it| it.name == name)
    };
    let stamps = ledger.own_timestamps()?;
    let alone = stamps.keys().filter(|stamp| !has(stamp));
    Ok(alone.map(|stamp| format!("The checkpoint of the timestamp {stamp} is gone")).collect())
}

/// What this clone and a remote have not in common.
struct CheckpointDifference {
    only_here: Vec<String>,
    replaced: Vec<String>,
    /// What the remote has in the place of checkpoints and cannot be one, and why.
    odd: BTreeMap<String, String>,
}

/// Fetches the checkpoints that only the remote has.
fn meet(ledger: &Ledger, remote: &str) -> Result<CheckpointDifference, WorkflowError> {
    let there = ledger.remote_checkpoints(remote)?;
    let own = list_checkpoints(ledger.git_dir())?;
    let odd_here = own.odd;
    let here: BTreeMap<String, ObjectId> = own
        .found
        .into_iter()
        .map(|checkpoint| (checkpoint.name, checkpoint.id))
        .chain(ledger.own_timestamps()?)
        .collect();
    let is_missing = |name: &&String| !here.contains_key(*name) && !odd_here.contains_key(*name);
    let missing: Vec<String> = there.refs.keys().filter(is_missing).cloned().collect();
    let mut odd = there.odd;
    if !missing.is_empty() {
        odd.extend(ledger.fetch_checkpoints(remote, &missing)?);
    }
    // What was fetched before or just now, and is none.
    for (name, why) in list_checkpoints(ledger.git_dir())?.odd {
        if there.refs.contains_key(&name) {
            odd.insert(name, why);
        }
    }
    let is_there = |name: &String| there.refs.contains_key(name) || odd.contains_key(name);
    let differ =
        |(name, id): &(&String, &ObjectId)| there.refs.get(*name).is_some_and(|it| it != *id);
    Ok(CheckpointDifference {
        replaced: here.iter().filter(differ).map(|(name, _)| name.clone()).collect(),
        only_here: here.keys().filter(|name| !is_there(name)).cloned().collect(),
        odd,
    })
}

/// A checkpoint that was left.
#[derive(Debug, Clone)]
pub struct Left {
    /// Its ref.
    pub name: String,
    /// The tag object.
    pub id: ObjectId,
    /// Whether git signed it.
    pub is_signed: bool,
    /// Why the remote does not have it; `None` where it has, or where there is none.
    pub not_pushed: Option<String>,
}

/// The pushes that no earlier checkpoint keeps.
fn new_pushes(ledger: &Ledger, pushes: &[Push]) -> Result<Vec<Push>, WorkflowError> {
    if pushes.is_empty() {
        return Ok(Vec::new());
    }
    let listed = list_checkpoints(ledger.git_dir())?.found;
    let kept: Vec<&Push> = listed.iter().flat_map(|it| &it.facts.pushes).collect();
    let last = kept.iter().map(|push| push.at).max();
    let is_new = |push: &&Push| last.is_none_or(|last| push.at >= last) && !kept.contains(push);
    Ok(pushes.iter().filter(is_new).cloned().collect())
}

/// Asks a timestamp authority for a token over a checkpoint, by RFC 3161 over HTTP.
async fn ask_authority(url: &BaseUrl, query: Vec<u8>) -> Result<Vec<u8>, String> {
    let client = Client::new(url.clone(), HeaderMap::new(), Schedule::interactive());
    let request = ApiRequest::new(Semantics::Idempotent, Method::POST, "");
    let request = request.with_body("application/timestamp-query", query);
    let answer = client.send(&request).await.map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("{} answered {}", url.as_str(), answer.status));
    }
    Ok(answer.body.to_vec())
}

/// Has an authority stamp a checkpoint, and keeps and pushes the timestamp.
///
/// # Errors
/// Why the checkpoint has none.
pub async fn stamp_checkpoint(
    context: &Context,
    left: &Left,
    authority: &BaseUrl,
    push: bool,
) -> Result<(), String> {
    let ledger = &context.ledger;
    let query = ledger.timestamp_query(left.id)?;
    let reply = ask_authority(authority, query).await?;
    let name = ledger.keep_timestamp(&left.name, left.id, &reply)?;
    let Some(remote) = ledger.remote().filter(|_| push) else { return Ok(()) };
    ledger.push_checkpoint(&remote, &name).map_err(|error| {
        let why = shorten(&error.to_string(), 300);
        format!("it is kept here and is not on the remote: {why}; push it with: git push {remote} {name}")
    })
}

/// Leaves a checkpoint of a report, signed where git has a key, and pushes it.
///
/// # Errors
/// When it cannot be written or signed.
pub fn leave_checkpoint(
    context: &Context,
    report: &AuditReport,
    push: bool,
) -> Result<Left, WorkflowError> {
    let ledger = &context.ledger;
    let deals = report.deals.iter().map(|row| CheckpointDeal {
        key: row.key.as_str().to_owned(),
        class: row.class.as_str().to_owned(),
        value: row.value.as_ref().map(CheckpointDeal::told_value),
        won_at: row.closed_won_at,
        owner: row.owner.clone(),
    });
    let mut deals: Vec<CheckpointDeal> = deals.collect();
    // The order is hashed: it stays that of the keys as text.
    deals.sort_by(|a, b| a.key.cmp(&b.key));
    let facts = CheckpointFacts {
        tip: report.ledger.head,
        population_sha256: report.population.sha256.clone(),
        summary: serde_json::to_value(report.summary).unwrap_or_default(),
        settings: report.settings.blob,
        schema: report.settings.schema_blob,
        deals,
        is_current: report.ledger.is_current,
        pushes: new_pushes(ledger, &report.ledger.pushes)?,
    };
    let left = ledger.leave_checkpoint(&facts, context.now)?;
    let remote = ledger.remote().filter(|_| push);
    let pushed = remote.map(|remote| ledger.push_checkpoint(&remote, &left.name));
    Ok(Left {
        name: left.name,
        id: left.id,
        is_signed: left.is_signed,
        not_pushed: pushed.and_then(Result::err).map(|error| shorten(&error.to_string(), 300)),
    })
}
