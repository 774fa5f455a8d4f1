//! The audit as a use case: the population and the histories are read, and
//! judged as they were at one moment.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::WorkflowError;
use super::digests::digest;
use crate::audit::{
    self, AuditInput, AuditReport, Checkpoint, LedgerInput, Policy, SignaturesInput,
};
use crate::config::Config;
use crate::crm::export::{Counted, Detail};
use crate::ledger::{
    Containment, Ledger, ScanAt, find_containment, list_checkpoints, scan, scan_cold,
    write_checkpoint,
};
use crate::model::{Company, Contact, Deal, Gap, LineItem, Population, Window};

/// As of when ledgers are read, and how.
#[derive(Debug, Clone, Copy)]
pub struct LedgersAt<'a> {
    /// The moment the audit speaks of.
    pub as_of: DateTime<Utc>,
    /// Whether `as_of` lies in the past: then the history is cut there too.
    pub cut: bool,
    /// A revision to read instead of the default branch.
    pub revision: Option<&'a str>,
    /// Whether the cache in the git folder may be used.
    pub cache: bool,
}

/// What is audited against the ledgers.
pub struct AuditRequest<'a> {
    /// The deals.
    pub population: &'a Population,
    /// What the e-sign providers completed, where they were asked.
    pub signatures: Option<&'a SignaturesInput>,
    /// Which of them, by the time they were won.
    pub window: Window,
    /// The moment the audit speaks of; that of the ledgers.
    pub as_of: DateTime<Utc>,
    /// Whether that moment is now: a won deal dated ahead counts then.
    pub at_present: bool,
    /// The command that gives this audit again.
    pub command: &'a str,
}

/// Reads ledgers for an audit. `progress` hears how many commits are read.
///
/// # Errors
/// When a ledger cannot be read at all. What is missing of it makes the
/// report incomplete instead.
pub fn read_ledgers(
    ledgers: &[Ledger],
    at: &LedgersAt<'_>,
    progress: &dyn Fn(usize),
) -> Result<Vec<LedgerInput>, WorkflowError> {
    let name = |ledger: &Ledger| (ledgers.len() > 1).then(|| ledger.root().display().to_string());
    ledgers
        .iter()
        .map(|ledger| read_ledger(ledger, name(ledger).as_deref(), at, progress))
        .collect()
}

/// What an audit of these ledgers needs of each deal of an export file.
#[must_use]
pub fn counted(config: &Config, ledgers: &[LedgerInput]) -> Detail {
    let mut properties = BTreeSet::new();
    for rule in &config.scope {
        match rule.when.deal_properties() {
            Some(names) => properties.extend(names),
            None => return Detail::Whole,
        }
    }
    let signatures = ledgers
        .iter()
        .flat_map(|ledger| &ledger.handoffs)
        .filter_map(|handoff| handoff.signature()?.document_id.as_ref());
    let documents = signatures.map(|document| document.as_str().to_owned()).collect();
    Detail::Counted(Counted { properties, documents })
}

/// Audits one or several ledgers against a population.
///
/// # Errors
/// When no ledger is given.
pub fn audit(
    ledgers: &[LedgerInput],
    config: &Config,
    request: &AuditRequest<'_>,
) -> Result<AuditReport, WorkflowError> {
    let Some((first, more)) = ledgers.split_first() else {
        return Err(WorkflowError::Template("no ledger was named".to_owned()));
    };
    let policy = Policy {
        handoff_within: config.handoff_within,
        first_touch_within: config.first_touch.within,
        calendar: config.first_touch.calendar.clone(),
        zone: company_zone(config).unwrap_or(chrono_tz::Tz::UTC),
        expects_task: config.deliver.opens_task(),
        ..Policy::default()
    };
    Ok(audit::audit(&AuditInput {
        population: request.population,
        signatures: request.signatures,
        window: request.window,
        as_of: request.as_of,
        at_present: request.at_present,
        ledger: first,
        more_ledgers: more,
        policy: &policy,
        exclude: &|deal| exclusion(config, deal),
        generated_by: concat!("handoff ", env!("CARGO_PKG_VERSION")),
        command: request.command,
    }))
}

/// The zone that the company's days are days of, else that of its export file;
/// `None` where neither is set.
#[must_use]
pub fn company_zone(config: &Config) -> Option<chrono_tz::Tz> {
    let own = Some(config.timezone).filter(|zone| *zone != chrono_tz::Tz::UTC);
    own.or_else(|| config.crm.file()?.zone())
}

/// What the expressions of `scope:` see.
#[derive(Serialize)]
struct ScopeContext<'a> {
    deal: &'a Deal,
    company: Option<&'a Company>,
    contacts: &'a [Contact],
    line_items: &'a [LineItem],
}

/// Why a deal is outside the scope, if it is.
pub(super) fn exclusion(config: &Config, deal: &Deal) -> Result<Option<String>, Gap> {
    let scope_context = ScopeContext {
        deal,
        company: deal.company.as_ref(),
        contacts: &deal.contacts,
        line_items: &deal.line_items,
    };
    for rule in &config.scope {
        match rule.when.is_true(&scope_context) {
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
    read: &LedgersAt<'_>,
    progress: &dyn Fn(usize),
) -> Result<LedgerInput, WorkflowError> {
    let git_dir = ledger.git_dir();
    let branch = ledger.branch().to_owned();
    let at = match read.revision {
        Some(revision) => ScanAt::Revision(revision.to_owned()),
        None if read.cut => ScanAt::AsOf { branch, at: read.as_of },
        None => ScanAt::Branch(branch),
    };
    let scanned =
        if read.cache { scan(git_dir, &at, progress) } else { scan_cold(git_dir, &at, progress) }?;
    // What an audit of the past makes would push out what the present one needs.
    let keep = read.cache && matches!(at, ScanAt::Branch(_)) && scanned.gaps.is_empty();
    let history = scanned.history;
    let digests = digest(git_dir, &history, read.cache, keep)?;
    let checkpoints = checkpoints(git_dir, &history.head, read.as_of)?;
    let mut input = LedgerInput::new(history, digests, scanned.gaps, read.as_of, repository);
    input.checkpoints = checkpoints;
    Ok(input)
}

/// Earlier checkpoints up to the moment, and whether the history still holds them.
fn checkpoints(
    git_dir: &Path,
    head: &crate::model::ObjectId,
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
