//! The audit itself: select, match, judge, check, count.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::matching::match_deals;
use super::metrics::measure;
use super::orphans::find_orphans;
use super::rows::{Judged, judge};
use super::rules::check_all;
use super::selection::{Selection, select};
use super::signatures::judge_signatures;
use super::suggest::Suggestions;
use super::{
    AuditInput, AuditReport, Class, ClassCounts, DealKey, DealRow, Exclusion, HandoffFacts,
    LedgerInput, LedgerReport, PopulationReport, REPORT_VERSION, SourceReport, UndecidedRule,
    Values, ValuesByClass,
};
use crate::model::Gap;

/// The handoffs of all ledgers, by key.
fn sorted_handoffs<'a>(input: &AuditInput<'a>) -> Vec<&'a HandoffFacts> {
    let mut handoffs: Vec<&HandoffFacts> =
        input.ledgers().flat_map(|ledger| &ledger.handoffs).collect();
    // Each ledger's come sorted by key already.
    handoffs.par_sort_by(|a, b| a.key.cmp(&b.key).then_with(|| a.location().cmp(&b.location())));
    handoffs
}

/// The class of every closed-won deal, as [`audit`] gives it, and what could not be
/// read: without findings, orphans and metrics.
#[must_use]
pub fn classes(input: &AuditInput<'_>) -> (Vec<DealRow>, Vec<Gap>) {
    let handoffs = sorted_handoffs(input);
    let selection = select(input);
    let matches = match_deals(&selection.deals, &handoffs);
    let suggestions = Suggestions::new(std::iter::empty(), std::iter::empty());
    let rows = selection.deals.par_iter().zip(&matches.of_deals);
    let rows = rows.map(|(deal, found)| judge(input, deal, found, &handoffs, &suggestions).row);
    (rows.collect(), all_gaps(input, &selection))
}

/// Puts every closed-won deal into exactly one class and judges what it finds.
/// The order of deals and handoffs in the input makes no difference.
#[must_use]
pub fn audit(input: &AuditInput<'_>) -> AuditReport {
    let handoffs = sorted_handoffs(input);
    let selection = select(input);
    let matches = match_deals(&selection.deals, &handoffs);
    let without_brief = selection
        .deals
        .iter()
        .zip(&matches.of_deals)
        .filter(|(_, found)| found.handoffs.is_empty())
        .map(|(deal, _)| deal);
    let without_deal = handoffs
        .iter()
        .zip(&matches.taken)
        .filter(|(handoff, taken)| !**taken && handoff.signed_at_tip)
        .map(|(handoff, _)| *handoff);
    let suggestions = Suggestions::new(without_brief, without_deal);
    let mut judged: Vec<Judged<'_>> = selection
        .deals
        .par_iter()
        .zip(&matches.of_deals)
        .map(|(deal, found)| judge(input, deal, found, &handoffs, &suggestions))
        .collect();
    let orphans = find_orphans(input, &handoffs, &matches.taken, &suggestions);
    drop(matches);

    let gaps = all_gaps(input, &selection);
    let signatures = judge_signatures(input, &handoffs);
    let documents = signatures.as_ref().map_or(&[][..], |told| &told.documents);
    let findings = check_all(input, &mut judged, &orphans, documents, &gaps);
    let metrics = measure(&judged, input.policy(), input.as_of);
    let population = population(input, &selection, &judged);
    let (mut summary, mut values) = (ClassCounts::default(), ValuesByClass::default());
    for row in judged.iter().map(|judged| &judged.row) {
        summary.add(row.class);
        if let Some(value) = &row.value {
            values.add(row.class, value);
        }
    }
    AuditReport {
        version: REPORT_VERSION,
        generated_by: input.generated_by.to_owned(),
        complete: gaps.is_empty(),
        as_of: input.as_of,
        window: input.window,
        settings: input.policies.settings(),
        population,
        ledger: ledger_report(input.ledger),
        more_ledgers: input.more_ledgers.iter().map(ledger_report).collect(),
        summary,
        values,
        deals: judged.into_iter().map(|judged| judged.row).collect(),
        orphans: orphans.into_iter().map(|found| found.orphan).collect(),
        signatures,
        held: Vec::new(),
        findings,
        metrics,
        gaps,
        command: input.command.to_owned(),
    }
}

/// Everything that could not be read, each once, in an order of its own.
fn all_gaps(input: &AuditInput<'_>, selection: &Selection<'_>) -> Vec<Gap> {
    let of_ledgers = input.ledgers().flat_map(|ledger| &ledger.gaps);
    let of_signatures = input.signatures.into_iter().flat_map(|given| &given.gaps);
    let mut gaps: Vec<Gap> =
        of_ledgers.chain(&selection.gaps).chain(of_signatures).cloned().collect();
    gaps.sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
    gaps.dedup();
    gaps
}

fn population(
    input: &AuditInput<'_>,
    selection: &Selection<'_>,
    judged: &[Judged<'_>],
) -> PopulationReport {
    let source = &input.population.source;
    let mut value = Values::default();
    let mut without_amount = 0;
    let mut exclusions: BTreeMap<&str, Exclusion> = BTreeMap::new();
    for row in judged.iter().map(|judged| &judged.row) {
        match &row.value {
            Some(money) => value.add(money),
            None => without_amount += 1,
        }
        if row.class == Class::Excluded {
            let reason = row.reason.as_deref().unwrap_or_default();
            let exclusion = exclusions.entry(reason).or_insert_with(|| Exclusion {
                reason: reason.to_owned(),
                count: 0,
                value: Values::default(),
                deals: Vec::new(),
            });
            exclusion.count += 1;
            exclusion.deals.push(row.key.clone());
            if let Some(money) = &row.value {
                exclusion.value.add(money);
            }
        }
    }
    let excluded = exclusions.values().map(|exclusion| exclusion.count).sum();
    let remarks: BTreeSet<&String> =
        source.remarks.iter().chain(selection.remarks.iter()).collect();
    PopulationReport {
        source: SourceReport {
            kind: source.kind.clone(),
            location: source.location.clone(),
            query: source.query.clone(),
            remarks: remarks.into_iter().cloned().collect(),
        },
        sha256: source.sha256.clone(),
        rows: source.rows,
        closed_won: judged.len(),
        in_scope: judged.len() - excluded,
        excluded,
        undated: selection.undated,
        without_amount,
        value,
        exclusions: exclusions.into_values().collect(),
        undecided: undecided(selection),
    }
}

/// How many deals each rule of the scope could not be decided for.
fn undecided(selection: &Selection<'_>) -> Vec<UndecidedRule> {
    let mut rules: BTreeMap<&str, Vec<DealKey>> = BTreeMap::new();
    for selected in &selection.deals {
        for rule in &selected.undecided {
            rules.entry(rule).or_default().push(selected.key.clone());
        }
    }
    let rules = rules.into_iter();
    rules
        .map(|(rule, deals)| UndecidedRule { rule: rule.to_owned(), count: deals.len(), deals })
        .collect()
}

fn ledger_report(ledger: &LedgerInput) -> LedgerReport {
    LedgerReport {
        repository: ledger.repository.clone(),
        head: ledger.head,
        branch: ledger.branch.clone(),
        commits: ledger.walked,
        briefs: ledger.handoffs.iter().filter(|handoff| handoff.signed_at_tip).count(),
        checkpoints: ledger.checkpoints.clone(),
        unpushed: ledger.unpushed,
        absent: ledger.absent.clone(),
        web: ledger.web.clone(),
        clocks: ledger.arrivals.clocks.clone(),
        pushes: ledger.pushes.clone(),
        is_current: ledger.is_current,
    }
}
