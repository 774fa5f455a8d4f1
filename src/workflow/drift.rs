//! What deals say of promises and terms now, beside what their briefs say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::WorkflowError;
use crate::audit::{Differences, LedgerInput};
use crate::brief::{Brief, MappingInput, fold_property};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::model::{Deal, Population, normalise_deal_id};
use crate::text::{one_line, quoted};

/// The fields that are compared, dotted.
const COMPARED: [&str; 3] = ["commitments", "purchase.term", "purchase.special_terms"];

/// So many of what one side has alone are named.
const NAMED: usize = 3;

/// The parts of `purchase.term`, each in words.
const TERM: [(&str, &str); 5] = [
    ("months", "the term in months"),
    ("starts", "the term's start"),
    ("ends", "the term's end"),
    ("renewal", "the renewal"),
    ("notice_by", "the day of notice"),
];

/// The properties of deals that hold what is compared, by the mapping.
pub(crate) fn compared_properties(config: &Config) -> BTreeSet<String> {
    config.mapping.properties_below(&COMPARED).deal
}

/// What each deal says otherwise than its brief does at the tip. A deal that
/// says nothing of promises and terms costs nothing.
///
/// # Errors
/// When a ledger cannot be read.
pub fn differences(
    ledgers: &[Ledger],
    read: &[LedgerInput],
    config: &Config,
    population: &Population,
) -> Result<Differences, WorkflowError> {
    let names: BTreeSet<String> =
        compared_properties(config).iter().map(|name| fold_property(name)).collect();
    let says = |deal: &&Deal| deal.properties.keys().any(|it| names.contains(&fold_property(it)));
    let (deals, _) = population.deals.parts();
    let deals: Vec<&Deal> = deals.iter().filter(says).collect();
    let mut differences = Differences::new();
    if deals.is_empty() {
        return Ok(differences);
    }
    let mut briefs = BTreeMap::new();
    for (ledger, input) in ledgers.iter().zip(read) {
        for handoff in input.handoffs.iter().filter(|handoff| handoff.tip.is_some()) {
            if let (Some(deal), Some(version)) = (handoff.deal(), handoff.versions.last()) {
                briefs.entry(deal.identity()).or_insert((ledger, version.blob));
            }
        }
    }
    for deal in deals {
        let identity = (deal.crm.clone(), normalise_deal_id(&deal.crm, &deal.id));
        let Some((ledger, blob)) = briefs.get(&identity) else { continue };
        // One that cannot be read is a gap of the audit already.
        let Some(Ok(brief)) = ledger.blob(*blob)?.map(|bytes| Brief::parse(&bytes)) else {
            continue;
        };
        let input = MappingInput { deal: Some(deal), ..MappingInput::default() };
        let now = Value::Object(config.mapping.apply_below(&COMPARED, &input).sections);
        let told = compare(&now, brief.json());
        if !told.is_empty() {
            differences.insert(identity, told);
        }
    }
    Ok(differences)
}

/// What the deal says otherwise, in words. What one side does not say is not compared.
fn compare(deal: &Value, brief: &Value) -> Vec<String> {
    let mut told = Vec::new();
    let sides =
        |pointer: &str| Some((list(deal.pointer(pointer)?)?, list(brief.pointer(pointer)?)?));
    if let Some((now, then)) = sides("/commitments") {
        only(&now, &then, "the deal has the promise", "the brief does not", &mut told);
        only(&then, &now, "the brief has the promise", "the deal does not", &mut told);
        for (what, day) in &now {
            let same = then.iter().find(|(it, _)| folded(it) == folded(what));
            if let (Some(day), Some((_, Some(other)))) = (day, same)
                && day != other
            {
                told.push(format!(
                    "{} is promised by {day}, in the brief by {other}",
                    quoted(what)
                ));
            }
        }
    }
    for (name, words) in TERM {
        let pointer = format!("/purchase/term/{name}");
        let (now, then) = (scalar(deal.pointer(&pointer)), scalar(brief.pointer(&pointer)));
        if let (Some(now), Some(then)) = (now, then)
            && folded(&now) != folded(&then)
        {
            told.push(format!("{words} is {}, in the brief {}", quoted(&now), quoted(&then)));
        }
    }
    if let Some((now, then)) = sides("/purchase/special_terms") {
        only(&now, &then, "the deal has the special term", "the brief does not", &mut told);
        only(&then, &now, "the brief has the special term", "the deal does not", &mut told);
    }
    told
}

/// An entry of a list: what it says, and by when where it says so.
type ListEntry = (String, Option<String>);

/// The entries of an answer; of `none` no entries, of an open one nothing.
fn list(answer: &Value) -> Option<Vec<ListEntry>> {
    let entry = |it: &Value| {
        let what = it.as_str().or_else(|| it["promise"].as_str())?;
        Some((one_line(what), it["due"].as_str().map(str::to_owned)))
    };
    match answer {
        Value::String(word) if word == "none" => Some(Vec::new()),
        Value::Array(entries) => Some(entries.iter().filter_map(entry).collect()),
        _ => None,
    }
}

fn scalar(answer: Option<&Value>) -> Option<String> {
    match answer? {
        Value::String(text) => Some(one_line(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whatever the case and the spacing.
fn folded(text: &str) -> String {
    one_line(text).to_lowercase()
}

fn only(here: &[ListEntry], there: &[ListEntry], has: &str, has_not: &str, told: &mut Vec<String>) {
    let is_there = |what: &str| there.iter().any(|(it, _)| folded(it) == folded(what));
    let alone: Vec<&str> =
        here.iter().map(|(what, _)| what.as_str()).filter(|what| !is_there(what)).collect();
    if alone.is_empty() {
        return;
    }
    let named: Vec<String> = alone.iter().take(NAMED).map(|what| quoted(what)).collect();
    let more = match alone.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    told.push(format!("{has} {}{more}, which {has_not}", named.join(", ")));
}
