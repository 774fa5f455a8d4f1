//! The audit as a use case: the population and the histories are read, and
//! judged as they were at one moment.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::WorkflowError;
use super::checkpoints::{Strictness, check_checkpoints};
use super::digests::digest;
use crate::audit::{
    self, AuditInput, AuditReport, LedgerInput, Policies, Policy, PolicyVersion, Scope,
    SignaturesInput,
};
use crate::brief::{Completeness, Decision, Schema};
use crate::config::Config;
use crate::crm::export::{Counted, Detail};
use crate::ledger::{Ledger, ScanAt, scan, scan_cold};
use crate::model::{Company, Contact, Deal, Gap, LineItem, ObjectId, Population, Window};

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
    /// How strictly checkpoints are looked at.
    pub checkpoints: Strictness<'a>,
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

/// The rules of each time, as a ledger's history holds them.
#[derive(Debug)]
pub struct RulesOfTime {
    policies: Policies,
    /// The settings of each version of the policies; empty where no commit
    /// holds any.
    configs: Vec<Config>,
}

impl RulesOfTime {
    /// Reads every version of settings and schema that the history holds, up
    /// to the commit that is audited. A version that could not be read when it
    /// was there did nothing then, and is passed by. Where no commit holds
    /// settings, `config` counts for all times.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn of(
        ledger: &Ledger,
        input: &LedgerInput,
        config: &Config,
    ) -> Result<Self, WorkflowError> {
        let changes: BTreeSet<u32> =
            input.settings.iter().chain(&input.schemas).map(|(at, _)| *at).collect();
        let at = |versions: &[(u32, Option<ObjectId>)], commit: u32| {
            let later = versions.partition_point(|(at, _)| *at <= commit);
            versions[..later].last().and_then(|(_, blob)| *blob)
        };
        let (mut versions, mut configs): (Vec<PolicyVersion>, _) = (Vec::new(), Vec::new());
        let mut from = i64::MIN;
        let mut passed = 0;
        for change in changes {
            let place = usize::try_from(change).expect("a place in memory");
            for commit in &input.commits[passed..=place] {
                from =
                    from.max(commit.committed_at).max(commit.parent_committed_at.unwrap_or(from));
            }
            passed = place + 1;
            let (settings, schema) = (at(&input.settings, change), at(&input.schemas, change));
            let Some(config) = parse_settings(ledger, settings)? else { continue };
            let Some(required) = required_answers(ledger, schema)? else { continue };
            let commit = input.commits[place].id;
            versions.push(PolicyVersion {
                from: DateTime::from_timestamp(from, 0).unwrap_or_default(),
                commit: Some(commit),
                by: ledger.commit_author(commit)?,
                settings,
                schema,
                policy: policy_of(&config),
                scope: config.scope.iter().map(|rule| rule.when.source().to_owned()).collect(),
                required,
            });
            configs.push(config);
        }
        Ok(match Policies::new(versions) {
            Some(policies) => Self { policies, configs },
            None => Self { policies: Policies::unchanged(policy_of(config)), configs: Vec::new() },
        })
    }

    /// The settings in force when a deal was won.
    fn config<'a>(&'a self, now: &'a Config, deal: &Deal) -> &'a Config {
        self.configs.get(self.policies.place_at(deal.closed_won_at)).unwrap_or(now)
    }
}

fn parse_settings(
    ledger: &Ledger,
    blob: Option<ObjectId>,
) -> Result<Option<Config>, WorkflowError> {
    let Some(blob) = blob else { return Ok(None) };
    let bytes = ledger.blob(blob)?;
    Ok(bytes.and_then(|bytes| Config::parse(&bytes).ok()))
}

fn required_answers(
    ledger: &Ledger,
    blob: Option<ObjectId>,
) -> Result<Option<BTreeSet<String>>, WorkflowError> {
    let own = blob.map(|blob| ledger.blob(blob)).transpose()?.flatten();
    let own = match own.map(|bytes| Schema::compile(&bytes)) {
        Some(Err(_)) => return Ok(None),
        Some(Ok(schema)) => Some(schema),
        None => None,
    };
    let schema = own.as_ref().unwrap_or(Schema::shipped());
    let missing = Completeness::of(schema, &serde_json::json!({})).missing;
    Ok(Some(missing.into_iter().map(|field| field.field).collect()))
}

fn policy_of(config: &Config) -> Policy {
    let calendar = config.first_touch.calendar.clone();
    Policy {
        handoff_within: config.handoff_within,
        first_touch_within: config.first_touch.within,
        first_touch_needs_evidence: config.first_touch.needs_evidence(),
        zone: company_zone(config).unwrap_or(chrono_tz::Tz::UTC),
        calendar,
        expects_task: config.deliver.opens_task(),
        waits_in_pull_request: config.deliver.opens_pull_request(),
        approvers: config.team.approvers.clone(),
        ..Policy::default()
    }
}

/// What an audit of these ledgers needs of each deal of an export file.
#[must_use]
pub fn counted(config: &Config, rules: &RulesOfTime, ledgers: &[LedgerInput]) -> Detail {
    let signatures = ledgers
        .iter()
        .flat_map(|ledger| &ledger.handoffs)
        .filter_map(|handoff| handoff.signature()?.document_id.as_ref());
    let documents = signatures.map(|document| document.as_str().to_owned()).collect();
    read_by_scope(std::iter::once(config).chain(&rules.configs), documents)
}

/// What is needed of each deal of an export file to tell whether it is in scope.
#[must_use]
pub fn in_scope(config: &Config) -> Detail {
    read_by_scope(std::iter::once(config), HashSet::new())
}

fn read_by_scope<'a>(
    configs: impl Iterator<Item = &'a Config>,
    documents: HashSet<String>,
) -> Detail {
    let mut properties = BTreeSet::new();
    for rule in configs.flat_map(|config| &config.scope) {
        match rule.when.deal_properties() {
            Some(names) => properties.extend(names),
            None => return Detail::Whole,
        }
    }
    Detail::Counted(Counted { properties, documents })
}

/// Audits one or several ledgers against a population. Each deal is judged by
/// the rules in force when it was won; `config` counts where no commit holds any.
///
/// # Errors
/// When no ledger is given.
pub fn audit(
    ledgers: &[LedgerInput],
    config: &Config,
    rules: &RulesOfTime,
    request: &AuditRequest<'_>,
) -> Result<AuditReport, WorkflowError> {
    let Some((first, more)) = ledgers.split_first() else {
        return Err(WorkflowError::Template("no ledger was named".to_owned()));
    };
    Ok(audit::audit(&AuditInput {
        population: request.population,
        signatures: request.signatures,
        window: request.window,
        as_of: request.as_of,
        at_present: request.at_present,
        ledger: first,
        more_ledgers: more,
        policies: &rules.policies,
        exclude: &|deal| scope_of(rules.config(config, deal), deal),
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
    scope_of(config, deal).map(|scope| scope.excluded)
}

/// What the rules of the scope say about a deal. One that cannot be decided
/// does not hold.
fn scope_of(config: &Config, deal: &Deal) -> Result<Scope, Gap> {
    let scope_context = ScopeContext {
        deal,
        company: deal.company.as_ref(),
        contacts: &deal.contacts,
        line_items: &deal.line_items,
    };
    let mut scope = Scope::default();
    for rule in &config.scope {
        match rule.when.decide(&scope_context) {
            Ok(Decision::Holds) => {
                return Ok(Scope { excluded: Some(rule.reason.clone()), ..scope });
            }
            Ok(Decision::DoesNot) => {}
            Ok(Decision::Undecided { .. }) => {
                scope.undecided.push(rule.when.source().to_owned());
            }
            Err(error) => {
                return Err(Gap {
                    what: format!("deal {}: whether it is in scope", deal.id),
                    why: format!("`{}` fails: {error}", rule.when.source()),
                    help: Some("Correct the expression under `scope:` in handoff.yaml.".to_owned()),
                });
            }
        }
    }
    Ok(scope)
}

fn read_ledger(
    ledger: &Ledger,
    repository: Option<&str>,
    read: &LedgersAt<'_>,
    progress: &dyn Fn(usize),
) -> Result<LedgerInput, WorkflowError> {
    let git_dir = ledger.git_dir();
    // What the remote has counts; what only this clone has is named.
    let remote = ledger.remote_branch()?;
    let branch = remote.clone().unwrap_or_else(|| ledger.branch().to_owned());
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
    let chain = check_checkpoints(ledger, history.head, read.as_of, read.checkpoints)?;
    let mut input = LedgerInput::new(history, digests, scanned.gaps, read.as_of, repository);
    input.checkpoints = chain.checkpoints;
    input.checkpoint_faults = chain.faults;
    input.notes = chain.notes;
    if remote.is_some() {
        input.unpushed = ledger.unpushed()?.map_or(0, |unpushed| unpushed.commits);
    }
    Ok(input)
}
