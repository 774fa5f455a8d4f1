//! `duplicate-handoff`: more than one signed brief for one deal.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::{Case, words};
use crate::audit::AuditInput;
use crate::audit::rows::Judged;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::model::Key;
use crate::text::{quoted, shorten};

pub(super) static RULE: Rule = Rule {
    id: "duplicate-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "One deal has more than one signed brief, or one document is the signature of several deals.",
    explain: include_str!("../../../docs/rules/duplicate-handoff.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let first = case.handed_over()?;
    let handoffs = &case.judged.handoffs;
    // Nearly every deal has one.
    if handoffs.iter().flat_map(|it| &it.folders).filter(|it| it.signed_at_tip).count() < 2 {
        return None;
    }
    // A renewal is a handoff of its own: a rule, or a person, said so.
    let mut several: BTreeMap<Option<&Key>, Vec<String>> = BTreeMap::new();
    for handoff in handoffs {
        let is_renewal = handoffs.iter().any(|other| handoff.renews(other));
        let signed = handoff.folders.iter().filter(|folder| folder.signed_at_tip);
        several
            .entry(is_renewal.then_some(&handoff.key))
            .or_default()
            .extend(signed.map(|folder| handoff.locate(&folder.path)));
    }
    let mut folders = several.into_values().find(|folders| folders.len() > 1)?;
    let first = first.location();
    folders.sort_by_key(|folder| *folder != first);
    let kept = folders.remove(0);
    let others = folders;
    let message = format!(
        "{} has {} signed briefs: {kept} and {}.",
        words::deal(case),
        others.len() + 1,
        others.join(", ")
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Keep one: move what only the other one has into {kept}, close its task, and remove its folder."
            ))
            .at(words::brief(case)),
    )
}

/// One signed document that several deals were handed over with.
pub(super) fn check_documents(_: &AuditInput<'_>, judged: &[Judged<'_>]) -> Vec<Finding> {
    let mut first: HashMap<(&str, &str), &Judged<'_>> = HashMap::new();
    let mut several: BTreeMap<(&str, &str), Vec<&Judged<'_>>> = BTreeMap::new();
    for judged in judged {
        if let Some(handoff) = judged.handed_over()
            && !handoff.is_on_crm_word()
            && let Some(signature) = handoff.signature()
            && let Some(document) = &signature.document_id
        {
            let document = (signature.provider.as_str(), document.as_str());
            match first.entry(document) {
                Entry::Vacant(free) => drop(free.insert(judged)),
                Entry::Occupied(first) => {
                    several.entry(document).or_insert_with(|| vec![first.get()]).push(judged);
                }
            }
        }
    }
    several
        .into_iter()
        .map(|((provider, document), deals)| {
            let keys: Vec<String> = deals.iter().map(|it| it.row.key.to_string()).collect();
            let message = format!(
                "The {provider} document {} is the signature of {} deals: {}.",
                quoted(document),
                keys.len(),
                shorten(&keys.join(", "), 300)
            );
            let finding = Finding::new(&RULE, message)
                .severity(Severity::Warning)
                .help("Fine when one contract covers all of them; else somebody copied a brief. See whose name is in the document.");
            match Key::parse(deals[0].row.key.as_str()) {
                Ok(key) => finding.key(&key),
                Err(_) => finding,
            }
        })
        .collect()
}
