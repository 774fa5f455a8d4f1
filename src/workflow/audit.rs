//! The audit as a use case: the population and the histories are read, and
//! judged as they were at one moment.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::WorkflowError;
use super::digests::digest;
use crate::audit::{
    self, AuditInput, AuditReport, Checkpoint, LedgerInput, Policy, SignaturesInput,
};
use crate::config::Config;
use crate::facts::{Deal, Gap, Population, Window};
use crate::ledger::{
    Containment, Ledger, ScanAt, find_containment, list_checkpoints, scan, scan_cold,
    write_checkpoint,
};

/// What is audited.
pub struct AuditRequest<'a> {
    /// The deals.
    pub population: &'a Population,
    /// What the e-sign providers completed, where they were asked.
    pub signatures: Option<&'a SignaturesInput>,
    /// Which of them, by the time they were won.
    pub window: Window,
    /// The moment the audit speaks of.
    pub as_of: DateTime<Utc>,
    /// Whether `as_of` lies in the past: then the history is cut there too.
    pub cut: bool,
    /// A revision to read instead of the default branch.
    pub revision: Option<&'a str>,
    /// Whether the cache in the git folder may be used.
    pub cache: bool,
    /// The command that gives this audit again.
    pub command: &'a str,
}

/// Audits one or several ledgers against a population. `progress` hears how
/// many commits are read.
///
/// # Errors
/// When a ledger cannot be read at all. What is missing of it makes the
/// report incomplete instead.
pub fn audit(
    ledgers: &[Ledger],
    config: &Config,
    request: &AuditRequest<'_>,
    progress: &dyn Fn(usize),
) -> Result<AuditReport, WorkflowError> {
    let mut inputs = Vec::with_capacity(ledgers.len());
    for ledger in ledgers {
        let name = (ledgers.len() > 1).then(|| ledger.root().display().to_string());
        inputs.push(read_ledger(ledger, name.as_deref(), request, progress)?);
    }
    let Some((first, more)) = inputs.split_first() else {
        return Err(WorkflowError::Template("no ledger was named".to_owned()));
    };
    let policy = Policy {
        handoff_within: config.handoff_within,
        first_touch_within: config.first_touch.within,
        calendar: config.first_touch.calendar.clone(),
        zone: config
            .first_touch
            .calendar
            .as_ref()
            .map_or(chrono_tz::Tz::UTC, crate::time::Calendar::zone),
        expects_task: config.deliver.opens_task(),
        ..Policy::default()
    };
    Ok(audit::audit(&AuditInput {
        population: request.population,
        signatures: request.signatures,
        window: request.window,
        as_of: request.as_of,
        ledger: first,
        more_ledgers: more,
        policy: &policy,
        exclude: &|deal| exclusion(config, deal),
        generated_by: concat!("handoff ", env!("CARGO_PKG_VERSION")),
        command: request.command,
    }))
}

/// Why a deal is outside the scope, if it is.
pub(super) fn exclusion(config: &Config, deal: &Deal) -> Result<Option<String>, Gap> {
    let context = serde_json::json!({
        "deal": deal, "company": deal.company, "contacts": deal.contacts, "line_items": deal.line_items,
    });
    for rule in &config.scope {
        match rule.when.is_true(&context) {
            Ok(true) => return Ok(Some(rule.reason.clone())),
            Ok(false) => {}
            Err(error) => {
                return Err(Gap {
                    what: format!("deal {}: whether it is in scope", deal.id),
                    why: format!("`{}` fails: {error}", rule.when.source()),
                    help: Some("Correct the expression under `scope:` in handoff.yaml.".to_owned()),
                });
            }
        }
    }
    Ok(None)
}

fn read_ledger(
    ledger: &Ledger,
    repository: Option<&str>,
    request: &AuditRequest<'_>,
    progress: &dyn Fn(usize),
) -> Result<LedgerInput, WorkflowError> {
    let git_dir = ledger.git_dir();
    let branch = ledger.branch().to_owned();
    let at = match request.revision {
        Some(revision) => ScanAt::Revision(revision.to_owned()),
        None if request.cut => ScanAt::AsOf { branch, at: request.as_of },
        None => ScanAt::Branch(branch),
    };
    let scanned = if request.cache {
        scan(git_dir, &at, progress)
    } else {
        scan_cold(git_dir, &at, progress)
    }?;
    let history = scanned.history;
    let digests = digest(git_dir, &history, request.cache)?;
    let checkpoints = checkpoints(git_dir, &history.head, request.as_of)?;
    let mut input = LedgerInput::new(&history, digests, scanned.gaps, request.as_of, repository);
    input.checkpoints = checkpoints;
    Ok(input)
}

/// Earlier checkpoints up to the moment, and whether the history still holds them.
fn checkpoints(
    git_dir: &Path,
    head: &crate::facts::ObjectId,
    as_of: DateTime<Utc>,
) -> Result<Vec<Checkpoint>, WorkflowError> {
    list_checkpoints(git_dir)?
        .into_iter()
        .filter(|checkpoint| checkpoint.at <= as_of)
        .map(|checkpoint| {
            let contained = find_containment(git_dir, checkpoint.tip, *head)? != Containment::Gone;
            Ok(Checkpoint {
                name: checkpoint.name,
                at: checkpoint.at,
                tip: checkpoint.tip,
                contained,
            })
        })
        .collect()
}

/// Leaves a checkpoint of a report: a later audit whose history no longer
/// contains its tip says so.
///
/// # Errors
/// When the ref cannot be written.
pub fn leave_checkpoint(
    ledger: &Ledger,
    report: &AuditReport,
    now: DateTime<Utc>,
) -> Result<String, WorkflowError> {
    let summary = serde_json::to_value(report.summary).unwrap_or_default();
    let sha256 = report.population.sha256.as_str();
    Ok(write_checkpoint(ledger.git_dir(), report.ledger.head, sha256, &summary, now)?.name)
}
