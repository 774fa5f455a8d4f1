//! `delivery-failed`: a delivery that failed and was not made since.

use std::collections::BTreeMap;

use super::{Case, words};
use crate::audit::Happened;
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "delivery-failed",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A delivery failed for good and has not been made since.",
    explain: include_str!("../../../docs/rules/delivery-failed.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    if !handoff.events.has(EventKind::DeliveryFailed) {
        return None;
    }
    // Whatever went through a sink after its failure shows that it works again.
    let mut failed: BTreeMap<&str, Happened<'_>> = BTreeMap::new();
    for event in handoff.events.iter() {
        if event.event == EventKind::DeliveryFailed {
            failed.insert(event.via, event);
        } else {
            failed.remove(event.via);
        }
    }
    if failed.is_empty() {
        return None;
    }
    let told: Vec<String> = failed
        .iter()
        .map(|(via, event)| {
            let why = event.reason.map_or_else(String::new, |why| format!(": {}", quoted(why)));
            format!("{} on {}{why}", crate::text::one_line(via), words::moment(event.at))
        })
        .collect();
    let message = format!("A delivery of {} failed: {}.", words::deal(case), told.join("; "));
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Fix the cause (`handoff doctor` helps), then run `handoff deliver {}`.",
                handoff.key
            ))
            .at(words::brief(case)),
    )
}
