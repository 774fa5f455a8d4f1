//! The audit as a use case: the population and the histories are read, and
//! judged as they were at one moment.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::WorkflowError;
use super::checkpoints::{CheckpointChain, Strictness, read_chain};
use super::digests::digest;
use super::drift::compared_properties;
use crate::audit::{
    self, AuditInput, AuditReport, DealRow, Differences, LedgerInput, Policies, Policy,
    PolicyVersion, PushClock, Scope, SettingsRemoval, SignaturesInput, TurnedMerge, WebAddress,
};
use crate::brief::{Completeness, Decision, SHIPPED_SCHEMA, Schema, fold_property};
use crate::config::Config;
use crate::crm::CrmError;
use crate::crm::export::{Counted, Detail};
use crate::ledger::{Displaced, Followed, Gone, HistoryError, Ledger, ScanAt, find_line, scan_in};
use crate::model::{
    Company, Contact, CrmName, Deal, Gap, Key, LineItem, ObjectId, Outcome, Population, Push,
    PushRecord, Window, normalise_deal_id,
};
use crate::yaml;

/// As of when ledgers are read, and how.
#[derive(Debug, Clone, Copy)]
pub struct LedgersAt<'a> {
    /// The moment the audit speaks of.
    pub as_of: DateTime<Utc>,
    /// Whether `as_of` lies in the past: then the history is cut there too.
    pub cut: bool,
    /// A revision of the first ledger to read instead of the default branch.
    pub revision: Option<&'a str>,
    /// Whether the cache in the git folder may be used.
    pub cache: bool,
    /// How strictly checkpoints are looked at.
    pub checkpoints: Strictness<'a>,
    /// What second clocks recorded of each ledger, in their order.
    pub clocks: &'a [Clocks],
}

/// What second clocks recorded of one ledger.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    /// The records.
    pub records: Vec<PushRecord>,
    /// The records that could not be read.
    pub gaps: Vec<Gap>,
    /// Whether the remote was asked for its branch right before, or there is none.
    pub is_current: bool,
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
    /// When the deals were read, or exported: a won deal dated ahead was won by then.
    pub exported_at: DateTime<Utc>,
    /// What deals say otherwise than their briefs, of promises and terms.
    pub differences: &'a Differences,
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
    let none = Clocks::default();
    ledgers
        .iter()
        .enumerate()
        .map(|(place, ledger)| {
            let clocks = at.clocks.get(place).unwrap_or(&none);
            // A revision is one of the first ledger; the others are read as of its moment.
            let cut = at.cut || place > 0 && at.revision.is_some();
            let at = LedgersAt { cut, revision: at.revision.filter(|_| place == 0), ..*at };
            read_ledger(ledger, name(ledger).as_deref(), &at, clocks, progress)
        })
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
    /// was there did nothing then, nor did settings' removal: those before it
    /// stayed in force. Where no commit holds settings, `config` counts for all
    /// times.
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
        let mut removals = Vec::new();
        // What was read last, of either file.
        let (mut settings, mut is_there) = (None, false);
        let mut schema = None;
        let mut from = i64::MIN;
        let mut passed = 0;
        for change in changes {
            let place = usize::try_from(change).expect("a place in memory");
            for commit in &input.commits[passed..=place] {
                from =
                    from.max(commit.committed_at).max(commit.parent_committed_at.unwrap_or(from));
            }
            // A date that a second clock contradicts brings no rule forward.
            let arrivals = input.arrivals.commits.get(passed..=place).unwrap_or_default();
            for arrival in arrivals.iter().flatten() {
                from = from.max(arrival.at.timestamp());
            }
            passed = place + 1;
            let commit = input.commits[place].id;
            let moment = DateTime::from_timestamp(from, 0).unwrap_or_default();
            let written = at(&input.settings, change);
            if written.is_none() && is_there {
                let by = ledger.commit_author(commit)?;
                removals.push(SettingsRemoval { at: moment, commit, by });
            }
            is_there = written.is_some();
            let before = (settings, schema);
            if parse_settings(ledger, written)?.is_some() {
                settings = written;
            }
            let asked = at(&input.schemas, change);
            if required_answers(ledger, asked)?.is_some() {
                schema = asked;
            }
            let Some((config, reading)) = parse_settings(ledger, settings)? else { continue };
            let Some(required) = required_answers(ledger, schema)? else { continue };
            if before == (settings, schema) {
                continue;
            }
            versions.push(PolicyVersion {
                from: moment,
                commit: Some(commit),
                by: ledger.commit_author(commit)?,
                settings,
                schema,
                policy: policy_of(&config),
                scope: config.scope.iter().map(|rule| rule.when.source().to_owned()).collect(),
                required,
                constraints: constraints(ledger, schema)?,
                reading,
            });
            configs.push(config);
        }
        Ok(match Policies::new(versions) {
            Some(policies) => Self { policies: policies.with_removals(removals), configs },
            None => Self::unchanged(config),
        })
    }

    /// These rules at all times: those of a folder without a ledger, or of a plan.
    #[must_use]
    pub fn unchanged(config: &Config) -> Self {
        Self { policies: Policies::unchanged(policy_of(config)), configs: Vec::new() }
    }

    /// The settings in force when a deal was won.
    fn config<'a>(&'a self, now: &'a Config, deal: &Deal) -> &'a Config {
        self.configs.get(self.policies.place_at(deal.closed_won_at)).unwrap_or(now)
    }
}

/// The last settings of a history that could be read.
///
/// # Errors
/// When the repository cannot be read.
pub fn last_settings(
    ledger: &Ledger,
    input: &LedgerInput,
) -> Result<Option<Config>, WorkflowError> {
    for (_, blob) in input.settings.iter().rev() {
        if let Some((config, _)) = parse_settings(ledger, *blob)? {
            return Ok(Some(config));
        }
    }
    Ok(None)
}

/// Settings by their names, as they are written.
pub(super) type ReadingSettings = BTreeMap<String, String>;

fn parse_settings(
    ledger: &Ledger,
    blob: Option<ObjectId>,
) -> Result<Option<(Config, ReadingSettings)>, WorkflowError> {
    let Some(blob) = blob else { return Ok(None) };
    let bytes = ledger.blob(blob)?;
    Ok(bytes.and_then(|bytes| {
        let config = Config::parse(&bytes).ok()?;
        Some((config, reading_settings(&bytes)))
    }))
}

/// The settings that say which deals are read, how, and of which branch, by
/// their names, as they are written.
fn reading_settings(settings: &[u8]) -> ReadingSettings {
    let Ok(written) = yaml::read(settings).map(yaml::Node::into_json) else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for name in ["branch", "timezone", "crm"] {
        flatten(name, &written[name], &mut found);
    }
    // What is written to the CRM decides about no deal.
    found.retain(|name, _| !name.ends_with(".update_closed_won") && !name.contains(".triggers"));
    found
}

pub(super) fn flatten(name: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            // That it is there says which CRM it is, whatever is set in it.
            found.insert(name.to_owned(), "{}".to_owned());
            for (field, value) in fields {
                flatten(&format!("{name}.{field}"), value, found);
            }
        }
        Value::String(text) => {
            found.insert(name.to_owned(), text.clone());
        }
        other => {
            found.insert(name.to_owned(), other.to_string());
        }
    }
}

/// What a schema asks of answers beside that they are there.
const CONSTRAINTS: [&str; 12] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "minimum",
    "maximum",
    "pattern",
    "format",
    "enum",
    "const",
    "type",
];

/// The constraints of a schema under their JSON pointers.
fn constraints(
    ledger: &Ledger,
    blob: Option<ObjectId>,
) -> Result<BTreeMap<String, Value>, WorkflowError> {
    let own = blob.map(|blob| ledger.blob(blob)).transpose()?.flatten();
    let own = own.as_deref().unwrap_or(SHIPPED_SCHEMA.as_bytes());
    let mut found = BTreeMap::new();
    if let Ok(schema) = crate::model::read_json(own) {
        collect_constraints("", &schema, &mut found);
    }
    Ok(found)
}

fn collect_constraints(at: &str, schema: &Value, found: &mut BTreeMap<String, Value>) {
    match schema {
        Value::Object(fields) => {
            // Below `properties` a field may be called like a keyword.
            let is_schema = !matches!(at.rsplit('/').next(), Some("properties" | "$defs"));
            for (name, value) in fields {
                let at = format!("{at}/{name}");
                if is_schema && CONSTRAINTS.contains(&name.as_str()) {
                    found.insert(at, value.clone());
                } else {
                    collect_constraints(&at, value, found);
                }
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                collect_constraints(&format!("{at}/{place}"), value, found);
            }
        }
        _ => {}
    }
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
        approvers: approvers(config),
        team: config.team.csms.iter().map(|csm| csm.words().map(str::to_owned).collect()).collect(),
        asks_clock: config.audit_clock.is_some(),
        ..Policy::default()
    }
}

/// The approvers under each of their words.
fn approvers(config: &Config) -> Vec<String> {
    let team = &config.team;
    let mut words = team.approvers.clone();
    for csm in team.approvers.iter().filter_map(|word| team.csms.get(team.find(word)?)) {
        words.extend(
            [csm.github.clone(), csm.email.clone(), Some(csm.name.clone())].into_iter().flatten(),
        );
    }
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(word.to_lowercase()));
    words
}

/// What an audit of these ledgers needs of each deal of an export file; with
/// neither rules of other times nor ledgers, what the scope needs.
#[must_use]
pub fn counted(config: &Config, rules: Option<&RulesOfTime>, ledgers: &[LedgerInput]) -> Detail {
    let mut properties = BTreeSet::new();
    let earlier = rules.into_iter().flat_map(|rules| &rules.configs);
    for rule in std::iter::once(config).chain(earlier).flat_map(|config| &config.scope) {
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
    let handoffs = || ledgers.iter().flat_map(|ledger| &ledger.handoffs);
    let of_deals =
        handoffs().filter_map(|it| it.deal().and_then(|it| Key::for_deal(&it.crm, &it.id).ok()));
    let named = handoffs().map(|handoff| handoff.key.clone()).chain(of_deals).collect();
    // Promises and terms are compared where there is a brief to compare them with.
    let is_empty = ledgers.iter().all(|ledger| ledger.handoffs.is_empty());
    let alike = Some(config).filter(|_| !is_empty).map(compared_properties).unwrap_or_default();
    let alike = alike.iter().map(|name| fold_property(name)).collect();
    Detail::Counted(Counted { properties, alike, documents, named, newest: None })
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
    with_input(ledgers, config, rules, request, audit::audit)
}

/// The class of each deal, as [`audit`] gives it, and what could not be read.
///
/// # Errors
/// When no ledger is given.
pub(super) fn classes(
    ledgers: &[LedgerInput],
    config: &Config,
    rules: &RulesOfTime,
    request: &AuditRequest<'_>,
) -> Result<(Vec<DealRow>, Vec<Gap>), WorkflowError> {
    with_input(ledgers, config, rules, request, audit::classes)
}

fn with_input<T>(
    ledgers: &[LedgerInput],
    config: &Config,
    rules: &RulesOfTime,
    request: &AuditRequest<'_>,
    judge: impl FnOnce(&AuditInput<'_>) -> T,
) -> Result<T, WorkflowError> {
    let Some((first, more)) = ledgers.split_first() else {
        return Err(WorkflowError::Template("no ledger was named".to_owned()));
    };
    let keys = ledgers.iter().flat_map(|ledger| &ledger.handoffs).map(|handoff| &handoff.key);
    refuse_other_name(keys, request.population)?;
    Ok(judge(&AuditInput {
        population: request.population,
        signatures: request.signatures,
        window: request.window,
        as_of: request.as_of,
        exported_at: request.exported_at,
        ledger: first,
        more_ledgers: more,
        policies: &rules.policies,
        differences: request.differences,
        exclude: &|deal| scope_of(rules.config(config, deal), deal),
        generated_by: concat!("handoff ", env!("CARGO_PKG_VERSION")),
        command: request.command,
    }))
}

/// Whether two sets of settings, each in force all the time, give every deal of one
/// population the same class.
pub(super) fn judge_alike(one: &Config, other: &Config) -> bool {
    let of = |config: &Config| {
        let scope = config.scope.iter();
        let scope: Vec<_> =
            scope.map(|rule| (rule.when.source().to_owned(), rule.reason.clone())).collect();
        (format!("{:?}", policy_of(config)), scope)
    };
    of(one) == of(other)
}

/// Refuses the deals of an export that the ledger knows by the same ids under another
/// CRM's name: the file is not recognised as what it is, and each deal with a brief
/// would have none.
pub(super) fn refuse_other_name<'a>(
    keys: impl Iterator<Item = &'a Key>,
    population: &Population,
) -> Result<(), WorkflowError> {
    let (deals, _) = population.deals.parts();
    let won: Vec<&Deal> = deals.iter().filter(|deal| deal.outcome == Outcome::Won).collect();
    let Some(first) = won.first().filter(|_| population.source.kind == "file") else {
        return Ok(());
    };
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for key in keys.map(Key::as_str) {
        let Some((name, _)) = key.split_once('-') else { continue };
        by_name.entry(name).or_default().insert(key);
    }
    let has_own = |key: &&str| key.starts_with(&format!("{}-", first.crm));
    if by_name.values().flatten().any(has_own) {
        return Ok(());
    }
    for (name, keys) in by_name {
        let crm = CrmName::new(name);
        let same: Vec<Key> = won
            .iter()
            .filter_map(|deal| Key::for_deal(&crm, &normalise_deal_id(&crm, &deal.id)).ok())
            .filter(|key| keys.contains(key.as_str()))
            .collect();
        let Some(example) = same.first().filter(|_| same.len() * 2 >= won.len().min(keys.len()))
        else {
            continue;
        };
        return Err(WorkflowError::Crm(CrmError::BadData {
            place: population.source.location.clone(),
            message: format!(
                "The file's deals are those of {}, and {} of them have briefs as deals of {name}, such as {example}.",
                first.crm,
                same.len()
            ),
            help: format!(
                "If they are the same deals, write `name: {name}` under `crm: file:` in handoff.yaml, or export more of the columns by which {name} is known; otherwise they would count as missing, and get second briefs."
            ),
        }));
    }
    Ok(())
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

/// Refuses a deal that needs no handoff; `None` is no deal, about which no rule
/// says anything.
///
/// # Errors
/// When it is outside the scope, or a rule cannot be decided.
pub(super) fn in_scope(
    config: &Config,
    key: &Key,
    deal: Option<&Deal>,
) -> Result<(), WorkflowError> {
    let Some(deal) = deal else { return Ok(()) };
    match exclusion(config, deal) {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(WorkflowError::OutOfScope { id: deal.id.clone(), reason }),
        Err(gap) => Err(WorkflowError::unfit(key, format!("{}: {}", gap.what, gap.why))),
    }
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

/// What the branch ended with at some moment, by checkpoints and records of pushes.
fn ends_seen(chain: &CheckpointChain, records: &[PushRecord]) -> Vec<ObjectId> {
    let pushes = records.iter().flat_map(|record| &record.pushes);
    let of_pushes = pushes.flat_map(|push| [push.before, push.after]).flatten();
    let mut seen: Vec<ObjectId> = chain.believed().map(|it| it.tip).chain(of_pushes).collect();
    let mut once = HashSet::new();
    seen.retain(|id| once.insert(*id));
    seen
}

/// The merges at which the branch's line is not that of the first parents, and
/// who saw its end.
fn turned_merges(
    ledger: &Ledger,
    followed: &Followed,
    chain: &CheckpointChain,
    records: &[PushRecord],
) -> Result<Vec<TurnedMerge>, WorkflowError> {
    let source_of = |tip: ObjectId| {
        let moment = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
        let checkpoint = chain.believed().find(|it| it.tip == tip);
        let named = checkpoint.map(|it| format!("the checkpoint of {}", moment(it.at)));
        let of = |push: &&Push| [push.before, push.after].contains(&Some(tip));
        let recorded = || records.iter().find(|record| record.pushes.iter().any(|it| of(&it)));
        named.or_else(|| recorded().map(|record| record.source.clone())).unwrap_or_default()
    };
    let turned = followed.displaced.iter().map(|&Displaced { merge, tip, .. }| {
        let by = ledger.commit_author(merge)?;
        Ok(TurnedMerge { merge, tip, source: source_of(tip), by })
    });
    turned.collect()
}

fn read_ledger(
    ledger: &Ledger,
    repository: Option<&str>,
    read: &LedgersAt<'_>,
    clocks: &Clocks,
    progress: &dyn Fn(usize),
) -> Result<LedgerInput, WorkflowError> {
    let git_dir = ledger.git_dir();
    // What the remote has counts; what only this clone has is named.
    let remote = ledger.remote_branch()?;
    let gone = ledger.branch_gone()?;
    let last_seen = gone.as_ref().and_then(|gone| gone.last_seen.clone());
    let branch = remote.clone().or(last_seen).unwrap_or_else(|| ledger.branch().to_owned());
    let mut chain = read_chain(ledger, read.as_of, read.checkpoints)?;
    let mut records = clocks.records.clone();
    // What a trusted auditor kept of a record counts when the record is gone.
    if !chain.pushes.is_empty() {
        let source = "the record that signed checkpoints keep".to_owned();
        records.push(PushRecord { source, pushes: std::mem::take(&mut chain.pushes) });
    }
    let mut followed = Followed::default();
    let mut recorded_tip = None;
    if !records.is_empty() || !chain.checkpoints.is_empty() {
        let at = match read.revision {
            Some(revision) => ScanAt::Revision(revision.to_owned()),
            None => ScanAt::Branch(branch.clone()),
        };
        followed = find_line(git_dir, &at, &ends_seen(&chain, &records))?;
        if read.cut && read.revision.is_none() {
            let whole = PushClock::new(&followed.commits, &records, DateTime::<Utc>::MAX_UTC);
            recorded_tip = whole.tip_at(read.as_of);
        }
    }
    let at = match (read.revision, recorded_tip) {
        (Some(revision), _) => ScanAt::Revision(revision.to_owned()),
        (None, Some(tip)) => ScanAt::Revision(tip.to_string()),
        (None, None) if read.cut => ScanAt::AsOf { branch: branch.clone(), at: read.as_of },
        (None, None) => ScanAt::Branch(branch.clone()),
    };
    let scanned = scan_in(git_dir, ledger.prefix(), &followed.line, &at, read.cache, progress);
    let scanned = match scanned {
        Err(HistoryError::BeforeHistory { branch, first, .. }) => {
            let why = format!("{branch} had no commit yet; its first one is dated {first}");
            let repository = repository.map(str::to_owned);
            return Ok(LedgerInput { repository, branch, ..LedgerInput::absent(why) });
        }
        other => other?,
    };
    // What an audit of the past makes would push out what the present one needs.
    let keep = read.cache
        && followed.line.is_plain()
        && matches!(at, ScanAt::Branch(_))
        && scanned.gaps.is_empty();
    let mut history = scanned.history;
    if recorded_tip.is_some() {
        let short = branch.strip_prefix("refs/remotes/").unwrap_or(&branch);
        history.branch = short.to_owned();
    }
    if let Some(Gone { remote, last_seen: Some(_) }) = &gone {
        history.branch = format!("{remote}/{}", ledger.branch());
    }
    let digests = digest(git_dir, &history, read.cache, keep)?;
    chain.compare(ledger, &followed.line, history.head);
    let seen: Vec<_> = chain.believed().map(|checkpoint| (checkpoint.tip, checkpoint.at)).collect();
    let turned = turned_merges(ledger, &followed, &chain, &records)?;
    let mut input = LedgerInput::new(history, digests, scanned.gaps, read.as_of, repository);
    input.turned = turned;
    input.checkpoints = chain.checkpoints;
    let exempted = input.handoffs.iter().filter_map(|handoff| handoff.incidents().exempted);
    let foreign = input.handoffs.iter().flat_map(|handoff| &handoff.incidents().foreign);
    let asked = exempted.chain(foreign.map(|(event, _)| event.change));
    let asked: BTreeSet<ObjectId> = asked.map(|change| change.commit).collect();
    for commit in asked {
        input.people.insert(commit, ledger.commit_people(commit)?.into());
    }
    input.checkpoint_faults = chain.faults;
    input.notes = chain.notes;
    match read.checkpoints.required {
        true => input.gaps.extend(chain.unchecked.into_iter().map(|why| Gap {
            what: "the checkpoints, which are required".to_owned(),
            why,
            help: Some(
                "Audit again when the remote answers; `handoff verify` tries it.".to_owned(),
            ),
        })),
        false => input.notes.extend(chain.unchecked),
    }
    input.web = ledger.web_links().map(|links| WebAddress {
        folders: format!("{}/", links.folder("").trim_end_matches('/')),
        commits: format!("{}/commit/", links.project()),
    });
    input.gaps.extend(clocks.gaps.iter().cloned());
    input.is_current = clocks.is_current;
    let mut history_of_branch = followed.commits;
    if !history_of_branch.is_empty() {
        let end = history_of_branch.iter().rposition(|(id, _)| *id == input.head);
        history_of_branch.truncate(end.map_or(0, |end| end + 1));
        // A revision is dated before the push that brought it.
        let until = if read.revision.is_some() { DateTime::<Utc>::MAX_UTC } else { read.as_of };
        let clock = PushClock::new(&history_of_branch, &records, until);
        let arrivals = clock.arrivals(&input.commits, &seen);
        input.set_arrivals(arrivals);
        let kept = |push: &&Push| push.at <= read.as_of;
        let pushes = clocks.records.iter().flat_map(|record| &record.pushes).filter(kept);
        input.pushes = pushes.cloned().collect();
        input.pushes.sort_by_key(|push| push.at);
        input.pushes.dedup();
    }
    if let Some(Gone { remote, .. }) = gone {
        let name = ledger.branch();
        input.gaps.push(Gap {
            what: format!("which handoffs {remote} has"),
            why: format!("its branch {name} is gone; this clone knew it before"),
            help: Some(format!(
                "Where it was renamed, say so under `branch:` in handoff.yaml; where it was deleted, bring it back with `git push {remote} {name}`."
            )),
        });
    }
    if remote.is_some() {
        input.unpushed = ledger.unpushed()?.map_or(0, |unpushed| unpushed.commits);
    }
    Ok(input)
}
