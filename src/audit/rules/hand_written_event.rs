//! `hand-written-event`: a signature that no event of handoff's own backs.

use super::{Case, words};
use crate::audit::classify::short;
use crate::audit::rows::Judged;
use crate::audit::{Altered, AuditInput, Class, ForeignEvent};
use crate::brief::EventKind;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::{one_line, quoted, shorten};

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
        let early = handoff.incidents().ahead?;
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
                    short(early.change.commit)
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
    // On the CRM's word there is no document: the event names the deal.
    let deal = delivery.brief.deal.as_ref();
    let named = document.or_else(|| deal.map(|deal| deal.id.as_str()));
    let blob = delivery.blob.to_string();
    let written = [EventKind::Signed, EventKind::Backfilled];
    let mut of_document = written
        .into_iter()
        .flat_map(|kind| handoff.events.of(kind))
        .filter(|event| event.via == signature.provider.as_str() && event.reference == named)
        .peekable();
    let what = if of_document.peek().is_none() {
        "no event of its timeline records that signature"
    } else if case.policy().waits_in_pull_request || of_document.any(|it| it.brief == Some(&blob)) {
        return None;
    } else {
        "the timeline records another brief than the one that arrived"
    };
    let said = match document {
        Some(id) => format!("{} document {} was signed", signature.provider, quoted(id)),
        None => format!("it was signed by the word of {}", signature.provider),
    };
    let message = format!("The brief of {} says that {said}, and {what}.", words::deal(case));
    let commit = short(delivery.change.commit);
    let help = match document {
        Some(_) => {
            "`handoff sign EVENT` with the provider's event makes a brief that counts.".to_owned()
        }
        None => format!(
            "`handoff sign --deal {}` makes a brief that counts.",
            shorten(&one_line(case.judged.deal.id.as_str()), 60)
        ),
    };
    Some(
        Finding::new(&RULE, message)
            .help(format!("See who wrote it with `git show {commit}`. {help}"))
            .at(words::brief(case)),
    )
}

/// Events that somebody wrote into a timeline past handoff.
pub(super) fn check_events(case: &Case<'_>) -> Option<Finding> {
    let merged = case.judged.handoffs.first().and_then(|it| it.delivered.as_ref());
    // What people merge arrives in a commit of theirs.
    let merged = merged.filter(|_| case.policy().waits_in_pull_request);
    let merged = merged.map(|delivery| delivery.change.order);
    let events: Vec<(&ForeignEvent, String)> = case
        .judged
        .handoffs
        .iter()
        .flat_map(|handoff| {
            handoff.incidents().foreign.iter().map(|it| (&it.0, handoff.locate(&it.1)))
        })
        .filter(|(event, _)| Some(event.change.order) != merged && event.at <= case.input.as_of)
        .collect();
    let (event, folder) = events
        .iter()
        .max_by_key(|(event, _)| (rests_on(case, event), std::cmp::Reverse(event.change.order)))?;
    let commit = short(event.change.commit);
    let by = case
        .author(event.change.commit)
        .map_or_else(String::new, |by| format!(" by {}", crate::text::one_line(by)));
    let more = match events.len() - 1 {
        0 => String::new(),
        1 => ", and one event more".to_owned(),
        more => format!(", and {more} events more"),
    };
    let message = format!(
        "Commit {commit}{by} of {} wrote `{}` of {} into the timeline of {}{more}; handoff did not make it.",
        words::moment(event.change.at),
        event.event.as_str(),
        words::moment(event.at),
        words::deal(case)
    );
    let severity = if rests_on(case, event) { Severity::Error } else { Severity::Warning };
    Some(
        Finding::new(&RULE, message)
            .severity(severity)
            .help(format!(
                "Only handoff writes timelines. See the change with `git show {commit}`, and ask whoever made it; what truly happened is recorded with the command for it."
            ))
            .at(Location::file(format!("{folder}/timeline.yaml"))),
    )
}

/// Whether the deal's class or the first touch's deadline rests on an event.
fn rests_on(case: &Case<'_>, event: &ForeignEvent) -> bool {
    let row = &case.judged.row;
    match event.event {
        EventKind::Signed | EventKind::Backfilled | EventKind::DeadlineMoved => true,
        EventKind::Exempted => row.class == Class::Exempt,
        EventKind::Touched => row.first_touch_at == Some(event.at),
        EventKind::Received => row.class == Class::Pending || row.signed_at == Some(event.at),
        _ => false,
    }
}

/// Briefs that somebody gave to another deal, key or document than they were
/// handed over with.
pub(super) fn check_rows(input: &AuditInput<'_>, _: &[Judged<'_>]) -> Vec<Finding> {
    let handoffs = input.ledgers().flat_map(|ledger| &ledger.handoffs);
    handoffs
        .filter_map(|handoff| {
            let at = handoff.delivered.as_ref()?.at();
            if !input.window.contains(at) || at > input.as_of {
                return None;
            }
            let mut altered = handoff.altered();
            let swapped = handoff.swapped_deal().and_then(|now| Some((handoff.deal()?, now)));
            if let Some((then, now)) = swapped {
                let [then, now] = [then, now].map(|deal| quoted(deal.id.as_str()));
                altered.insert(0, Altered { what: "deal", then, now });
            }
            let what = altered.iter().map(|it| {
                let [then, now] = [&it.then, &it.now].map(|text| shorten(&one_line(text), 120));
                format!("its {} was {then} and is {now}", it.what)
            });
            let what = what.collect::<Vec<_>>();
            let last = handoff.versions.last().filter(|_| !what.is_empty())?;
            let by = match last.recorded {
                true => "",
                false => ", which handoff did not record",
            };
            let message = format!(
                "The brief of {} is not what was handed over: {}; it was last changed on {} in commit {}{by}.",
                quoted(handoff.brief()?.customer.as_deref().unwrap_or(handoff.key.as_str())),
                what.join(", "),
                words::moment(last.change.at),
                short(last.change.commit)
            );
            let mut help =
                "It counts as what it was handed over as. Restore what was changed in brief.yaml"
                    .to_owned();
            if let Some((_, now)) = swapped {
                let id = shorten(&one_line(now.id.as_str()), 60);
                help.push_str(&format!(
                    ", and make the other deal's handoff with `handoff sign --deal {id}`"
                ));
            }
            Some(
                Finding::new(&RULE, message)
                    .help(format!("{help}."))
                    .key(&handoff.key)
                    .at(Location::file(format!("{}/brief.yaml", handoff.location()))),
            )
        })
        .collect()
}
