//! The audit's rules: one file each, one line in the table below. A rule looks
//! at one deal, one orphan, one ledger or one gap and makes findings as data.
//!
//! A new rule needs its file here with `RULE` and `check`, its line in
//! [`TABLE`], its page `docs/rules/<id>.md` and its test in
//! `tests/suite/audit/rules.rs` or `rules_after.rs`.

mod audit_incomplete;
mod backdated_commit;
mod checkpoint_contradicted;
mod deal_drift;
mod delivery_failed;
mod document_voided;
mod duplicate_handoff;
mod edited_after_acceptance;
mod first_touch_late;
mod first_touch_overdue;
mod hand_written_event;
mod handoff_returned;
mod history_rewritten;
mod incomplete_handoff;
mod late_handoff;
mod missing_handoff;
mod never_accepted;
mod onboarding_overdue;
mod orphan_brief;
mod policy_loosened;
mod removed_handoff;
mod self_approved;
mod signature_without_deal;
mod signature_without_handoff;
mod signed_after_won;
mod signed_not_won;
mod signed_total_differs;
mod sources_rewritten;
mod task_not_opened;
mod timeline_rewritten;
mod words;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::orphans::FoundOrphan;
use super::rows::Judged;
use super::{AuditInput, Class, HandoffFacts, LedgerInput, Policy, SignatureRow};
use crate::finding::{Finding, Rule};
use crate::model::{Gap, Key, ObjectId};
use crate::text::natural_order;

/// What a rule looks at.
enum AuditCheck {
    /// One deal in scope.
    Deal(fn(&Case<'_>) -> Option<Finding>),
    /// One signed brief without a closed-won deal.
    Orphan(fn(&FoundOrphan<'_>) -> Finding),
    /// One document that an e-sign provider completed.
    Signature(fn(&SignatureRow) -> Option<Finding>),
    /// All deals together.
    Rows(fn(&AuditInput<'_>, &[Judged<'_>]) -> Vec<Finding>),
    /// The rules of each time.
    Policies(fn(&AuditInput<'_>) -> Vec<Finding>),
    /// One ledger.
    Ledger(fn(&LedgerInput) -> Vec<Finding>),
    /// One thing that could not be read.
    Gap(fn(&Gap) -> Finding),
}

/// A deal in scope with what was found for it.
struct Case<'a> {
    input: &'a AuditInput<'a>,
    judged: &'a Judged<'a>,
}

impl<'a> Case<'a> {
    /// The rules in force when the deal was won.
    fn policy(&self) -> &'a Policy {
        self.input.policy_of(self.judged.deal)
    }

    /// Who made a commit, where that was read.
    fn author(&self, commit: ObjectId) -> Option<&'a str> {
        self.people(commit).first().map(String::as_str)
    }

    /// Author and committer of a commit, where that was read.
    fn people(&self, commit: ObjectId) -> &'a [String] {
        let people = self.input.ledgers().find_map(|ledger| ledger.people.get(&commit));
        people.map_or(&[], Vec::as_slice)
    }

    /// The handoff that counts, for a deal that has been handed over.
    fn handed_over(&self) -> Option<&'a HandoffFacts> {
        self.judged.handed_over()
    }
}

/// Every rule of the audit, in the order in which findings of one severity are told.
static TABLE: [(&Rule, AuditCheck); 36] = [
    (&audit_incomplete::RULE, AuditCheck::Gap(audit_incomplete::check)),
    (&history_rewritten::RULE, AuditCheck::Ledger(history_rewritten::check)),
    (&checkpoint_contradicted::RULE, AuditCheck::Ledger(checkpoint_contradicted::check_ledger)),
    (&checkpoint_contradicted::RULE, AuditCheck::Rows(checkpoint_contradicted::check_deals)),
    (&missing_handoff::RULE, AuditCheck::Deal(missing_handoff::check)),
    (&signature_without_handoff::RULE, AuditCheck::Signature(signature_without_handoff::check)),
    (&signed_not_won::RULE, AuditCheck::Signature(signed_not_won::check)),
    (&signature_without_deal::RULE, AuditCheck::Signature(signature_without_deal::check)),
    (&removed_handoff::RULE, AuditCheck::Deal(removed_handoff::check)),
    (&duplicate_handoff::RULE, AuditCheck::Deal(duplicate_handoff::check)),
    (&duplicate_handoff::RULE, AuditCheck::Rows(duplicate_handoff::check_documents)),
    (&backdated_commit::RULE, AuditCheck::Deal(backdated_commit::check_deal)),
    (&backdated_commit::RULE, AuditCheck::Ledger(backdated_commit::check_ledger)),
    (&hand_written_event::RULE, AuditCheck::Deal(hand_written_event::check)),
    (&hand_written_event::RULE, AuditCheck::Deal(hand_written_event::check_events)),
    (&hand_written_event::RULE, AuditCheck::Rows(hand_written_event::check_rows)),
    (&timeline_rewritten::RULE, AuditCheck::Deal(timeline_rewritten::check)),
    (&sources_rewritten::RULE, AuditCheck::Deal(sources_rewritten::check)),
    (&self_approved::RULE, AuditCheck::Deal(self_approved::check)),
    (&self_approved::RULE, AuditCheck::Rows(self_approved::check_rows)),
    (&policy_loosened::RULE, AuditCheck::Policies(policy_loosened::check)),
    (&signed_after_won::RULE, AuditCheck::Deal(signed_after_won::check)),
    (&first_touch_overdue::RULE, AuditCheck::Deal(first_touch_overdue::check)),
    (&task_not_opened::RULE, AuditCheck::Deal(task_not_opened::check)),
    (&delivery_failed::RULE, AuditCheck::Deal(delivery_failed::check)),
    (&document_voided::RULE, AuditCheck::Deal(document_voided::check)),
    (&late_handoff::RULE, AuditCheck::Deal(late_handoff::check)),
    (&incomplete_handoff::RULE, AuditCheck::Deal(incomplete_handoff::check)),
    (&handoff_returned::RULE, AuditCheck::Deal(handoff_returned::check)),
    (&first_touch_late::RULE, AuditCheck::Deal(first_touch_late::check)),
    (&edited_after_acceptance::RULE, AuditCheck::Deal(edited_after_acceptance::check)),
    (&never_accepted::RULE, AuditCheck::Deal(never_accepted::check)),
    (&onboarding_overdue::RULE, AuditCheck::Deal(onboarding_overdue::check)),
    (&signed_total_differs::RULE, AuditCheck::Deal(signed_total_differs::check)),
    (&deal_drift::RULE, AuditCheck::Deal(deal_drift::check)),
    (&orphan_brief::RULE, AuditCheck::Orphan(orphan_brief::check)),
];

/// The audit's rules, each once.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let mut seen = BTreeSet::new();
    TABLE.iter().map(|(rule, _)| *rule).filter(move |rule| seen.insert(rule.id))
}

/// Checks everything and writes into each deal's line which rules fired. The
/// findings come worst first, then by rule, then by key.
pub(super) fn check_all(
    input: &AuditInput<'_>,
    judged: &mut [Judged<'_>],
    orphans: &[FoundOrphan<'_>],
    signatures: &[SignatureRow],
    gaps: &[Gap],
) -> Vec<Finding> {
    let of_deals: Vec<Vec<Finding>> = judged
        .par_iter()
        .map(|judged| {
            if judged.row.class == Class::Excluded {
                return Vec::new();
            }
            check_deal(&Case { input, judged })
        })
        .collect();
    let mut by_row = check_signatures(signatures);
    for (_, check) in &TABLE {
        if let AuditCheck::Rows(check) = check {
            by_row.extend(check(input, judged));
        }
    }
    let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for finding in &by_row {
        if let Some(key) = &finding.key {
            by_key.entry(key.as_str()).or_default().push(finding.rule);
        }
    }
    for (judged, findings) in judged.iter_mut().zip(&of_deals) {
        let mut fired: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
        fired.extend(by_key.get(judged.row.key.as_str()).into_iter().flatten());
        judged.row.findings = fired.into_iter().collect();
    }
    let mut findings: Vec<Finding> = of_deals.into_iter().flatten().chain(by_row).collect();
    for (_, check) in &TABLE {
        match check {
            AuditCheck::Deal(_) | AuditCheck::Signature(_) | AuditCheck::Rows(_) => {}
            AuditCheck::Orphan(check) => findings.extend(orphans.iter().map(check)),
            AuditCheck::Policies(check) => findings.extend(check(input)),
            AuditCheck::Ledger(check) => findings.extend(input.ledgers().flat_map(check)),
            AuditCheck::Gap(check) => findings.extend(gaps.iter().map(check)),
        }
    }
    let ranks: BTreeMap<&str, usize> = rules().map(|rule| rule.id).zip(0..).collect();
    let mut ranked: Vec<_> = findings
        .into_iter()
        .map(|finding| ((Reverse(finding.severity), ranks.get(finding.rule).copied()), finding))
        .collect();
    ranked.par_sort_by(|(rank, a), (other, b)| {
        let by_key = || match (&a.key, &b.key) {
            (Some(a), Some(b)) => natural_order(a.as_str(), b.as_str()),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        let in_detail =
            || by_key().then_with(|| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        rank.cmp(other).then_with(in_detail)
    });
    ranked.into_iter().map(|(_, finding)| finding).collect()
}

/// The findings about documents, each with the key of its handoff.
fn check_signatures(rows: &[SignatureRow]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, check) in &TABLE {
        let AuditCheck::Signature(check) = check else { continue };
        for row in rows {
            let key = row.key.as_ref().and_then(|key| Key::parse(key.as_str()).ok());
            findings.extend(check(row).map(|finding| Finding { key, ..finding }));
        }
    }
    findings
}

fn check_deal(case: &Case<'_>) -> Vec<Finding> {
    let key = Key::parse(case.judged.row.key.as_str()).ok();
    TABLE
        .iter()
        .filter_map(|(_, check)| match check {
            AuditCheck::Deal(check) => check(case),
            AuditCheck::Orphan(_)
            | AuditCheck::Signature(_)
            | AuditCheck::Rows(_)
            | AuditCheck::Policies(_)
            | AuditCheck::Ledger(_)
            | AuditCheck::Gap(_) => None,
        })
        .map(|mut finding| {
            finding.key = finding.key.or_else(|| key.clone());
            finding
        })
        .collect()
}
