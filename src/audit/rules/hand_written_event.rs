//! `hand-written-event`: a signature that no event of handoff's own backs.

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "hand-written-event",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A signed brief or an event was not written by handoff.",
    explain: include_str!("../../../docs/rules/hand-written-event.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.judged.handoffs.first().copied()?;
    signature(case).or_else(|| {
        let early = handoff.ahead?;
        let message = format!(
            "The timeline of {} holds an event of {} in a commit of {}, which is {} earlier.",
            words::deal(case),
            words::moment(early.at),
            words::moment(early.change.at),
            words::time_between(early.change.at, early.at)
        );
        let latest = crate::time::deadline(early.change.at, case.policy().clock_skew, None);
        (early.at > latest).then(|| {
            Finding::new(&RULE, message)
                .help(format!(
                    "See who wrote it with `git show {}`. An event cannot be recorded before it happened.",
                    crate::audit::classify::short(early.change.commit)
                ))
                .at(Location::file(format!("{}/timeline.yaml", handoff.location())))
        })
    })
}

fn signature(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let delivery = handoff.delivered.as_ref()?;
    let signature = delivery.brief.signature.as_ref()?;
    let document = signature.document_id.as_ref().map(crate::model::DocumentId::as_str);
    let blob = delivery.blob.to_string();
    let written = [EventKind::Signed, EventKind::Backfilled];
    let mut of_document = written
        .into_iter()
        .flat_map(|kind| handoff.events.of(kind))
        .filter(|event| event.via == signature.provider.as_str() && event.reference == document)
        .peekable();
    let what = if of_document.peek().is_none() {
        "no event of its timeline records that signature"
    } else if case.policy().waits_in_pull_request || of_document.any(|it| it.brief == Some(&blob)) {
        return None;
    } else {
        "the timeline records another brief than the one that arrived"
    };
    let message = format!(
        "The brief of {} says that {} document {} was signed, and {what}.",
        words::deal(case),
        signature.provider,
        quoted(document.unwrap_or_default())
    );
    let commit = crate::audit::classify::short(delivery.change.commit);
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "See who wrote it with `git show {commit}`. `handoff sign EVENT` with the provider's event makes a brief that counts."
            ))
            .at(words::brief(case)),
    )
}
