//! What is wrong, by rule.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::deals::Sets;
use crate::audit::{AuditReport, DealKey};
use crate::finding::Finding;
use crate::model::Key;
use crate::report::thousands;
use crate::text;

/// How many findings of one rule stand in the page itself; the table has all.
const SHOWN: usize = 100;

#[derive(Serialize)]
pub(super) struct Rule {
    name: &'static str,
    severity: &'static str,
    summary: Option<&'static str>,
    count: String,
    link: Option<String>,
    findings: Vec<Shown>,
    more: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    message: String,
    help: Option<String>,
    key: Option<String>,
    file: Option<String>,
    link: Option<String>,
}

/// The rules that fired, in the order of their worst finding.
pub(super) fn rules(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Rule> {
    let mut by_rule: IndexMap<&'static str, Vec<&Finding>> = IndexMap::new();
    for finding in &report.findings {
        by_rule.entry(finding.rule).or_default().push(finding);
    }
    let known: BTreeMap<&str, &'static str> =
        crate::audit::rules().map(|rule| (rule.id, rule.summary)).collect();
    by_rule.into_iter().map(|(name, findings)| rule(name, &findings, &known, sets)).collect()
}

fn rule(
    name: &'static str,
    findings: &[&Finding],
    known: &BTreeMap<&str, &'static str>,
    sets: &mut Sets<'_>,
) -> Rule {
    let keys: Vec<DealKey> = findings
        .iter()
        .filter_map(|finding| finding.key.as_ref())
        .filter(|key| sets.has(key.as_str()))
        .map(|key| DealKey::new(key.as_str()))
        .collect();
    let link = (!keys.is_empty()).then(|| sets.link(&format!("rule.{name}"), name, &keys));
    let more = findings.len().saturating_sub(SHOWN);
    Rule {
        name,
        severity: findings.iter().map(|it| it.severity).max().map_or("", |it| it.as_str()),
        summary: known.get(name).copied(),
        count: thousands(findings.len()),
        link,
        findings: findings.iter().take(SHOWN).map(|finding| shown(finding, sets)).collect(),
        more: (more > 0).then(|| thousands(more)),
    }
}

fn shown(finding: &Finding, sets: &Sets<'_>) -> Shown {
    let key = finding.key.as_ref().map(Key::as_str);
    Shown {
        message: text::one_line(&finding.message),
        help: finding.help.as_deref().map(text::terminal),
        key: key.map(ToOwned::to_owned),
        file: finding.place.file.as_deref().map(text::one_line),
        // A key has no character that means something in a link.
        link: key.filter(|key| sets.has(key)).map(|key| format!("q={key}")),
    }
}
