//! `backdated-commit`: a commit that claims to be older than it can be.

use chrono::{DateTime, Timelike as _, Utc};

use super::{Case, words};
use crate::audit::classify::short;
use crate::audit::clock::CLOCK_SKEW;
use crate::audit::{Arrival, Class, Delivery, LedgerInput, Proof};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::time::describe_seconds;

pub(super) static RULE: Rule = Rule {
    id: "backdated-commit",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A commit is dated before its parent, or a delivery before its signature.",
    explain: include_str!("../../../docs/rules/backdated-commit.md"),
};

/// A delivery dated before its signature, or in time only by a date that
/// cannot be true: the class of the deal rests on it.
pub(super) fn check_deal(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let delivery = handoff.delivered.as_ref()?;
    let signed = handoff.signature()?.signed_at?;
    let commit = short(delivery.change.commit);
    // Commits are dated in whole seconds.
    let whole = signed.with_nanosecond(0).unwrap_or(signed);
    let (severity, message) = if delivery.change.at < whole {
        let before = words::time_between(delivery.change.at, whole);
        let message = format!(
            "The brief of {} came in commit {commit}, which is dated {before} before the signature on {}.",
            words::deal(case),
            words::moment(signed)
        );
        (Severity::Error, message)
    } else if let Some(arrival) = &delivery.arrival {
        (RULE.severity, contradicted(case, delivery, arrival, signed)?)
    } else if case.judged.row.class == Class::OnTime
        && delivery.not_before > delivery.change.at
        // A commit dated in the future says nothing about those behind it.
        && delivery.not_before <= case.input.as_of
        && delivery.not_before > case.policy().in_time_until(signed, false)
    {
        let message = format!(
            "The brief of {} is on time by commit {commit} alone, which is dated {} and follows a commit of {}.",
            words::deal(case),
            words::moment(delivery.change.at),
            words::moment(delivery.not_before)
        );
        // Where the commit's own parent is older, an earlier one may have had a wrong clock.
        let own = delivery.dated_before_parent;
        (if own { Severity::Error } else { RULE.severity }, message)
    } else {
        return None;
    };
    Some(
        Finding::new(&RULE, message)
            .severity(severity)
            .help(format!(
                "See who made it with `git show --format=fuller {commit}`, and compare with the `received` time in the timeline."
            ))
            .at(words::brief(case)),
    )
}

/// A committer date that a second clock contradicts, in a way that matters.
fn contradicted(
    case: &Case<'_>,
    delivery: &Delivery,
    arrival: &Arrival,
    signed: DateTime<Utc>,
) -> Option<String> {
    let policy = case.policy();
    let until = policy.in_time_until(signed, false);
    let won = case.judged.deal.closed_won_at.filter(|won| !policy.is_only_a_day(*won));
    let until = won.map_or(until, |won| until.min(policy.in_time_until(won, false)));
    let (claimed, deal) = (delivery.change.at, || words::deal(case));
    let commit = short(delivery.change.commit);
    let (date, at) = (words::moment(claimed), words::moment(arrival.at));
    let source = &arrival.source;
    let by = arrival
        .by
        .as_deref()
        .map_or_else(String::new, |by| format!(", pushed by {}", crate::text::quoted(by)));
    if claimed <= until && arrival.at > until {
        let what = match arrival.proof {
            Proof::Recorded => format!("{source} has it only since {at}{by}"),
            Proof::BehindGap => format!(
                "{source} has it since {at} at the latest{by}; the push that brought it is not recorded"
            ),
            Proof::NotBefore => format!("{source} did not have it at {at}"),
        };
        return Some(format!(
            "The brief of {} came in commit {commit}, which is dated {date}, in time, and {what}: that counts.",
            deal()
        ));
    }
    (claimed > arrival.at + CLOCK_SKEW && arrival.proof == Proof::Recorded).then(|| {
        let after = words::time_between(arrival.at, claimed);
        format!(
            "The brief of {} came in commit {commit}, which is dated {date}, {after} after {source} has it{by}.",
            deal()
        )
    })
}

/// Commits dated before their parent, whatever they hold.
pub(super) fn check_ledger(ledger: &LedgerInput) -> Vec<Finding> {
    let backdated = ledger.commits.iter().filter_map(|commit| {
        let before = commit.parent_committed_at?.saturating_sub(commit.committed_at);
        (before > 0).then_some((commit, before))
    });
    backdated
        .map(|(commit, before)| {
            let id = short(commit.id);
            let at = DateTime::from_timestamp(commit.committed_at, 0)
                .map_or_else(|| "an impossible time".to_owned(), words::moment);
            let message = format!(
                "Commit {id} is dated {at}, {} before its parent.",
                describe_seconds(before)
            );
            let skew = before <= CLOCK_SKEW.num_seconds();
            Finding::new(&RULE, message)
                .severity(if skew { Severity::Info } else { RULE.severity })
                .help(if skew {
                    "Two machines' clocks can differ by this much; check that both use NTP."
                        .to_owned()
                } else {
                    format!("See who made it with `git show --format=fuller {id}`.")
                })
        })
        .collect()
}
