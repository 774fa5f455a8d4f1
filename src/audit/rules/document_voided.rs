//! `document-voided`: the document that a handoff stands on was voided.

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "document-voided",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "The document that a handoff stands on was voided, and none was signed since.",
    explain: include_str!("../../../docs/rules/document-voided.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over().filter(|it| it.events.has(EventKind::Voided))?;
    let events: Vec<_> = handoff.events.iter().collect();
    let signed = [EventKind::Signed, EventKind::Backfilled];
    let at = events.iter().rposition(|event| signed.contains(&event.event))?;
    // A later document of the deal may be voided alone.
    let voided = events[at..].iter().find(|event| {
        event.event == EventKind::Voided
            && (event.reference.is_none() || event.reference == events[at].reference)
    })?;
    let why = voided.reason.map_or_else(String::new, |why| format!(": {}", quoted(why)));
    let message = format!(
        "The document of {} was voided on {}{why}, and its handoff stands.",
        words::deal(case),
        words::moment(voided.at)
    );
    Some(
        Finding::new(&RULE, message)
            .help("Have it signed again, which goes on with the handoff, or take the deal out of Closed Won.")
            .at(words::brief(case)),
    )
}
