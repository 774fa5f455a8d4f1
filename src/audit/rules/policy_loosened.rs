//! `policy-loosened`: the rules became laxer inside the window.

use chrono::{DateTime, TimeDelta, Utc};

use super::words;
use crate::audit::AuditInput;
use crate::audit::classify::short;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::one_line;

pub(super) static RULE: Rule = Rule {
    id: "policy-loosened",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A limit, the scope, the calendar or the schema became laxer in the audited time.",
    explain: include_str!("../../../docs/rules/policy-loosened.md"),
};

pub(super) fn check(input: &AuditInput<'_>) -> Vec<Finding> {
    let versions = input.policies.versions();
    let pairs = versions.iter().zip(versions.iter().skip(1));
    let inside = pairs.filter(|(_, now)| {
        now.from <= input.as_of && input.window.from.is_none_or(|from| now.from >= from)
    });
    let removed = input.policies.removals().iter().filter(|removal| {
        removal.at <= input.as_of && input.window.from.is_none_or(|from| removal.at >= from)
    });
    let removed = removed.map(|removal| {
        let commit = short(removal.commit);
        let message = format!(
            "Commit {commit} by {} took handoff.yaml off the branch on {}; the settings before it stay in force.",
            one_line(&removal.by),
            words::moment(removal.at)
        );
        Finding::new(&RULE, message)
            .help(format!(
                "See it with `git show {commit} -- handoff.yaml`, and ask who agreed to it. Commit handoff.yaml again: what a checkout holds beside the branch does not count."
            ))
            .at(Location::file("handoff.yaml"))
    });
    let loosened = inside.filter_map(|(before, now)| {
        let laxer = now.laxer_than(before);
        // What had been won is read by them, too: they hold for no deal alone.
        let read = is_in_use(input, now.from).then(|| now.reads_otherwise(before));
        let read = read.unwrap_or_default();
        let (what, help) = match (&laxer[..], &read[..]) {
            ([], []) => return None,
            ([], _) => {
                ("changed how deals are read", "All deals are read so, also those won before it.")
            }
            (_, []) => {
                ("made the rules laxer", "Deals won before it are judged by the rules before it.")
            }
            _ => (
                "made the rules laxer and changed how deals are read",
                "Deals won before it are judged by the rules before it, and read by the new ones.",
            ),
        };
        let commit = now.commit.map(short).unwrap_or_default();
        let message = format!(
            "Commit {commit} by {} {what} on {}: {}.",
            one_line(&now.by),
            words::moment(now.from),
            [laxer, read].concat().join("; ")
        );
        let file = if now.settings == before.settings {
            "schema/brief.schema.json"
        } else {
            "handoff.yaml"
        };
        Some(
            Finding::new(&RULE, message)
                .help(format!(
                    "See it with `git show {commit} -- {file}`, and ask who agreed to it. {help}"
                ))
                .at(Location::file(file)),
        )
    });
    loosened.chain(removed).collect()
}

/// Whether the ledger was in use by then: a deal had been won or handed over under
/// its settings, or they were older than a day. When a deal was won rests on what
/// was changed, so the deals alone do not tell.
fn is_in_use(input: &AuditInput<'_>, from: DateTime<Utc>) -> bool {
    let first = input.policies.versions().first().map(|version| version.from);
    let deals = input.population.deals.parts().0.iter();
    let won = deals.filter_map(|deal| deal.closed_won_at);
    let handoffs = input.ledgers().flat_map(|ledger| &ledger.handoffs);
    let delivered = handoffs.filter_map(|handoff| Some(handoff.delivered.as_ref()?.at()));
    first.is_some_and(|first| {
        from - first >= TimeDelta::days(1)
            || won.chain(delivered).any(|at| first <= at && at < from)
    })
}
