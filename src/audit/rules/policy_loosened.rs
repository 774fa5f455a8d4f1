//! `policy-loosened`: the rules became laxer inside the window.

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
    inside
        .filter_map(|(before, now)| {
            let laxer = now.laxer_than(before);
            if laxer.is_empty() {
                return None;
            }
            let commit = now.commit.map(short).unwrap_or_default();
            let message = format!(
                "Commit {commit} by {} made the rules laxer on {}: {}.",
                one_line(&now.by),
                words::moment(now.from),
                laxer.join("; ")
            );
            let file = if now.settings == before.settings {
                "schema/brief.schema.json"
            } else {
                "handoff.yaml"
            };
            Some(
                Finding::new(&RULE, message)
                    .help(format!(
                        "See it with `git show {commit} -- {file}`, and ask who agreed to it. Deals won before it are judged by the rules before it."
                    ))
                    .at(Location::file(file)),
            )
        })
        .collect()
}
