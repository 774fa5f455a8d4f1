//! `self-approved`: an exemption or acceptance by the deal's own rep, or by somebody who is not allowed to.

use std::collections::BTreeSet;

use super::{Case, words};
use crate::audit::orphans::well_inside;
use crate::audit::rows::Judged;
use crate::audit::{AuditInput, Class, HandoffFacts};
use crate::brief::EventKind;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::model::{Deal, Key, ObjectId, is_same_person, may_be_person};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "self-approved",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "An exemption or acceptance by the deal's own rep, or by somebody who is not allowed to.",
    explain: include_str!("../../../docs/rules/self-approved.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    exempted(case).or_else(|| unapproved(case)).or_else(|| accepted(case))
}

/// An exemption that counts for nothing, because nobody approved it or nobody says why.
fn unapproved(case: &Case<'_>) -> Option<Finding> {
    if case.judged.row.class == Class::Exempt {
        return None;
    }
    let counts_not = |handoff: &&&HandoffFacts| handoff.exemption().is_none();
    let handoff = case.judged.handoffs.iter().filter(counts_not);
    let (handoff, event) =
        handoff.filter_map(|handoff| Some((handoff, handoff.last_exempted()?))).next()?;
    let says = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
    let lacks = match (says(event.by), says(event.reason)) {
        (false, false) => "without an approver and without a reason",
        (false, true) => "without an approver",
        (true, _) => "without a reason",
    };
    let message = format!(
        "{} was exempted on {} {lacks}, which counts for nothing.",
        words::deal(case),
        words::moment(event.at)
    );
    Some(
        Finding::new(&RULE, message)
            .severity(Severity::Warning)
            .help(format!(
                "Have somebody decide: `handoff exempt {} --reason … --by …`, or make the handoff.",
                case.judged.row.key
            ))
            .at(Location::file(format!("{}/timeline.yaml", handoff.location()))),
    )
}

/// Whether somebody is the deal's rep, by name or address.
fn is_rep(case: &Case<'_>, who: &str) -> bool {
    rep_words(case).any(|word| is_same_person(word, who))
}

fn rep_words<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a String> + use<'a> {
    let owner = case.judged.deal.owner.as_ref();
    owner.into_iter().flat_map(|owner| [&owner.name, &owner.email]).flatten()
}

/// Whether somebody whom nothing else names may be the deal's rep: by a first
/// name alone, or by the beginning of an address. Who is in the team under a
/// name alone is not told apart by it.
fn may_be_rep(case: &Case<'_>, who: &str) -> bool {
    let policy = case.policy();
    let rep: Vec<String> = rep_words(case).cloned().collect();
    let is_other = |words: &[String]| {
        words.iter().any(|it| is_same_person(it, who))
            && words.len() > 1
            && !words.iter().any(|it| rep.iter().any(|rep| is_same_person(rep, it)))
    };
    let is_known = policy.team.iter().any(|words| is_other(words))
        || policy.approvers.iter().any(|it| is_same_person(it, who));
    !is_known && may_be_person(who, &rep)
}

/// Author or committer of a commit, where it is the deal's rep.
fn rep_in<'a>(case: &Case<'a>, commit: ObjectId) -> Option<&'a str> {
    case.people(commit).iter().find_map(|person| {
        let (name, email) = person.split_once(" <").unwrap_or((person, ""));
        (is_rep(case, name) || is_rep(case, email.trim_end_matches('>'))).then_some(name)
    })
}

fn exempted(case: &Case<'_>) -> Option<Finding> {
    let row = &case.judged.row;
    if row.class != Class::Exempt {
        return None;
    }
    let approver = row.approver.as_deref()?;
    let handoff = case.judged.handoffs.iter().find(|handoff| handoff.exemption().is_some())?;
    let approvers = &case.policy().approvers;
    let rep = handoff.incidents().exempted.and_then(|change| rep_in(case, change.commit));
    let mut severity = RULE.severity;
    let why = if is_rep(case, approver) {
        "who is the deal's own rep".to_owned()
    } else if !approvers.is_empty() && !approvers.iter().any(|name| is_same_person(name, approver))
    {
        format!("who is not one of the approvers ({})", approvers.join(", "))
    } else if let Some(name) = rep {
        format!("and the deal's own rep, {}, committed it", quoted(name))
    } else if may_be_rep(case, approver) {
        severity = Severity::Warning;
        let rep: Vec<&str> = rep_words(case).map(String::as_str).collect();
        format!("who may be the deal's own rep, {}", rep.join(" or "))
    } else {
        return None;
    };
    let message = format!("{} was exempted by {}, {why}.", words::deal(case), quoted(approver));
    Some(
        Finding::new(&RULE, message)
            .severity(severity)
            .help(format!(
                "Have somebody else decide: `handoff exempt {} --reason … --by …`; `team.approvers` in handoff.yaml says who may.",
                row.key
            ))
            .at(Location::file(format!("{}/timeline.yaml", handoff.location()))),
    )
}

/// The last acceptance, where the rep gave it.
fn accepted(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let by = handoff.last(EventKind::Accepted)?.by.filter(|by| is_rep(case, by))?;
    let message = format!(
        "The handoff of {} was accepted by {}, who is the deal's own rep.",
        words::deal(case),
        quoted(by)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "The CSM accepts or returns it: `handoff accept {} --by …`.",
                case.judged.row.key
            ))
            .at(Location::file(format!("{}/timeline.yaml", handoff.location()))),
    )
}

/// Exemptions of keys that no deal has, which wait for a deal of that name.
pub(super) fn check_rows(input: &AuditInput<'_>, _: &[Judged<'_>]) -> Vec<Finding> {
    let deals = input.population.deals.parts().0;
    let loose = |handoff: &&HandoffFacts| handoff.exemption().is_some() && !handoff.signed_at_tip;
    let exemptions: Vec<&HandoffFacts> =
        input.ledgers().flat_map(|ledger| &ledger.handoffs).filter(loose).collect();
    if exemptions.is_empty() {
        return Vec::new();
    }
    let ids = |deal: &Deal| -> Vec<Key> {
        let ids = std::iter::once(&deal.id).chain(&deal.merged_ids);
        ids.filter_map(|id| Key::for_deal(&deal.crm, id).ok()).collect()
    };
    let keys: BTreeSet<Key> = deals.iter().flat_map(ids).collect();
    let unknown = exemptions.into_iter().filter(|handoff| !keys.contains(&handoff.key));
    unknown
        .filter_map(|handoff| {
            let at = handoff.last(EventKind::Exempted)?.at;
            // About deals outside of the window the source says nothing.
            if !well_inside(input, Some(at)) {
                return None;
            }
            let (_, by) = handoff.exemption()?;
            let message = format!(
                "{} was exempted by {} on {}, and no deal that was read has this key.",
                handoff.key,
                quoted(by),
                words::moment(at)
            );
            Some(
                Finding::new(&RULE, message)
                    .severity(Severity::Warning)
                    .help("Check which deal was meant; the exemption applies to any deal that gets this key.")
                    .key(&handoff.key)
                    .at(Location::file(format!("{}/timeline.yaml", handoff.location()))),
            )
        })
        .collect()
}
