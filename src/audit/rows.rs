//! From a deal and its handoffs to its line of the report.

use chrono::{DateTime, Utc};

use super::classify::{Verdict, classify, signed_at};
use super::matching::Match;
use super::selection::Selected;
use super::suggest::Suggestions;
use super::{AuditInput, Class, DealRow, HandoffFacts, Latencies, Policy, UnansweredField};
use crate::brief::{EventKind, TouchEvidence, deadline_in_force};
use crate::model::Deal;

/// A deal that was judged, with what its line rests on.
pub(super) struct Judged<'a> {
    pub(super) row: DealRow,
    pub(super) deal: &'a Deal,
    /// The one that counts first.
    pub(super) handoffs: Vec<&'a HandoffFacts>,
    /// How long after the signature what followed came, for a deal that has
    /// been handed over.
    pub(super) times: Latencies<Option<Elapsed>>,
}

/// The time between two events in seconds.
#[derive(Clone, Copy)]
pub(super) struct Elapsed {
    pub(super) seconds: i64,
    /// Business time, where a calendar is configured.
    pub(super) business_seconds: Option<i64>,
}

impl Elapsed {
    fn between(from: DateTime<Utc>, to: DateTime<Utc>, policy: &Policy) -> Self {
        let calendar = policy.calendar.as_ref();
        Self {
            seconds: (to - from).num_seconds(),
            business_seconds: calendar.map(|calendar| calendar.between(from, to)),
        }
    }
}

impl<'a> Judged<'a> {
    /// The handoff that counts, for a deal that has been handed over.
    pub(super) fn handed_over(&self) -> Option<&'a HandoffFacts> {
        self.handoffs.first().copied().filter(|_| self.row.class.is_covered())
    }

    /// What was unanswered when it was delivered.
    pub(super) fn unanswered(&self) -> &'a [UnansweredField] {
        self.handed_over()
            .and_then(|handoff| handoff.delivered.as_ref())
            .map_or(&[], |delivery| &delivery.brief.unanswered)
    }
}

/// Judges one deal.
pub(super) fn judge<'a>(
    input: &AuditInput<'_>,
    selected: &Selected<'a>,
    found: &Match,
    all: &[&'a HandoffFacts],
    suggestions: &Suggestions<'_>,
) -> Judged<'a> {
    let deal = selected.deal;
    let handoffs: Vec<&HandoffFacts> = found.handoffs.iter().map(|at| all[*at]).collect();
    let verdict = classify(
        selected.excluded.as_deref(),
        deal.closed_won_at,
        &handoffs,
        input.policy_of(deal),
        input.as_of,
    );
    let mut row = bare_row(selected, &verdict);
    if matches!(verdict.class, Class::Missing | Class::Pending) {
        row.suggestion = suggestions.for_deal(deal).map(Box::new);
    }
    if let Some(handoff) = handoffs.first().copied() {
        row.matched = found.by;
        row.brief = Some(handoff.location());
        fill_from_handoff(&mut row, input, deal, handoff);
    }
    let times = times(&row, input.policy_of(deal));
    Judged { row, deal, handoffs, times }
}

fn times(row: &DealRow, policy: &Policy) -> Latencies<Option<Elapsed>> {
    let signed = row.signed_at.filter(|_| row.class.is_covered());
    let until = |end: Option<DateTime<Utc>>| Some(Elapsed::between(signed?, end?, policy));
    Latencies {
        signature_to_brief: until(row.delivered_at),
        signature_to_task: until(row.task_at),
        signature_to_first_touch: until(row.first_touch_at),
        signature_to_acceptance: until(row.accepted_at),
    }
}

fn bare_row(selected: &Selected<'_>, verdict: &Verdict) -> DealRow {
    let deal = selected.deal;
    let owner = deal.owner.as_ref();
    DealRow {
        key: selected.key.clone(),
        crm: deal.crm.clone(),
        deal_id: deal.id.clone(),
        name: deal.name.clone(),
        url: deal.url.clone(),
        owner: owner.and_then(|person| person.name.clone().or_else(|| person.email.clone())),
        csm: None,
        tier: None,
        value: deal.amount.clone(),
        closed_won_at: deal.closed_won_at,
        closed_won_evidence: deal.closed_won_evidence.clone(),
        class: verdict.class,
        reason: verdict.reason.clone(),
        approver: verdict.approver.clone(),
        brief: None,
        matched: None,
        signed_at: None,
        received_at: None,
        delivered_at: None,
        committed_at: None,
        clock: None,
        delivered_commit: None,
        latency_s: None,
        business_latency_s: None,
        task: None,
        task_at: None,
        first_touch_due: None,
        first_touch_at: None,
        first_touch_evidence: None,
        accepted_at: None,
        complete: None,
        unanswered: Vec::new(),
        backfilled: false,
        suggestion: None,
        findings: Vec::new(),
    }
}

fn fill_from_handoff(
    row: &mut DealRow,
    input: &AuditInput<'_>,
    deal: &Deal,
    handoff: &HandoffFacts,
) {
    let brief = handoff.brief();
    row.csm = brief.and_then(|brief| brief.csm.clone());
    row.tier = brief.and_then(|brief| brief.tier.clone());
    row.received_at = handoff.first(EventKind::Received).map(|event| event.at);
    row.backfilled = handoff.is_backfilled();
    let task = handoff.first(EventKind::TaskOpened);
    row.task = task.map(|event| event.reference.unwrap_or(event.via).to_owned());
    row.task_at = task.map(|event| event.at);
    let needs_evidence = input.policy_of(deal).first_touch_needs_evidence;
    row.first_touch_at = handoff.first_touch(needs_evidence).map(|event| event.at);
    row.first_touch_evidence = handoff
        .first_touch(true)
        .or_else(|| handoff.first_touch(false))
        .map(|event| event.evidence.unwrap_or(TouchEvidence::Claimed));
    row.accepted_at = handoff.first(EventKind::Accepted).map(|event| event.at);

    let Some(delivery) = &handoff.delivered else { return };
    row.signed_at = signed_at(Some(handoff), deal.closed_won_at);
    row.delivered_at = Some(delivery.at());
    if let Some(arrival) = &delivery.arrival {
        row.committed_at = Some(delivery.change.at);
        row.clock = Some(arrival.source.to_string());
    }
    row.delivered_commit = Some(delivery.change.commit);
    row.complete = Some(delivery.brief.complete);
    row.unanswered =
        delivery.brief.unanswered.iter().map(|missing| missing.field.clone()).collect();
    row.first_touch_due = first_touch_due(input.policy_of(deal), handoff, row.signed_at);
    if let Some(signed) = row.signed_at {
        let elapsed = Elapsed::between(signed, delivery.at(), input.policy_of(deal));
        row.latency_s = Some(elapsed.seconds);
        row.business_latency_s = elapsed.business_seconds;
    }
}

/// When the first touch is due: as the delivered brief told the CSM, else by
/// the configuration; moved where somebody moved it in time.
fn first_touch_due(
    policy: &Policy,
    handoff: &HandoffFacts,
    signed_at: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let told = handoff.delivered.as_ref().and_then(|delivery| delivery.brief.due);
    let told = told.or_else(|| {
        Some(crate::time::deadline(signed_at?, policy.first_touch_within, policy.calendar.as_ref()))
    });
    let moves = handoff.events.of(EventKind::DeadlineMoved);
    deadline_in_force(told, moves.filter_map(|event| Some((event.at, event.due?))))
}
