//! The audit's page.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::deals::{Linked, Sets, data, linked, width};
use super::measured::{
    Chart, FirstPassShare, Grouping, QuestionRow, TimeRow, chart, first_pass, groupings, questions,
    returns, times,
};
use super::{Shell, render};
use crate::audit::{AuditReport, Class, DealKey, Values};
use crate::finding::{Finding, Severity};
use crate::model::{Gap, Key, count, thousands};
use crate::report::sentences::{
    currencies, currency_title, day_or_minute, evidence, footing, headline, percent,
    percent_or_dash, sum, sums, window,
};
use crate::text;
use crate::time::describe_seconds;

// All deals by class: the bar below the headline, the tiles, the table
// of classes.

#[derive(Serialize)]
pub(super) struct StripPart {
    class: &'static str,
    x: String,
    width: String,
    title: String,
}

#[derive(Serialize)]
pub(super) struct Tile {
    name: &'static str,
    value: String,
    note: String,
    mood: &'static str,
    link: String,
}

#[derive(Serialize)]
pub(super) struct ClassRow {
    class: Option<&'static str>,
    name: &'static str,
    total: bool,
    width: String,
    count: String,
    link: String,
    sums: Vec<String>,
}

pub(super) fn mood(report: &AuditReport) -> &'static str {
    let share = &report.metrics.coverage.handed_over;
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    if !report.complete || share.count < share.of {
        "bad"
    } else if worst.is_some_and(|worst| worst > Severity::Info) {
        "warn"
    } else {
        "good"
    }
}

/// The parts of the bar below the headline, in thousandths of its width.
pub(super) fn strip(report: &AuditReport) -> Vec<StripPart> {
    let total: usize = Class::in_scope().map(|class| report.summary.of(class)).sum();
    let mut before = 0;
    Class::in_scope()
        .filter(|class| report.summary.of(*class) > 0)
        .map(|class| {
            let number = report.summary.of(class);
            let x = before as f64 * 1000.0 / total as f64;
            before += number;
            let end = before as f64 * 1000.0 / total as f64;
            StripPart {
                class: class.as_str(),
                x: format!("{x:.2}"),
                // A few among thousands must still be seen.
                width: format!("{:.2}", (end - x).max(2.0)),
                title: format!("{} {}", count(number, "deal"), class.label()),
            }
        })
        .collect()
}

pub(super) fn strip_label(report: &AuditReport) -> String {
    let parts: Vec<String> = Class::in_scope()
        .map(|class| format!("{} {}", thousands(report.summary.of(class)), class.label()))
        .collect();
    format!("Deals in scope: {}", parts.join(", "))
}

pub(super) fn tiles(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Tile> {
    let worth = |classes: &[Class]| {
        let mut values = Values::default();
        for class in classes {
            values.add_all(report.values.of(*class));
        }
        match sums(&values) {
            none if none.is_empty() => "no value".to_owned(),
            sums => sums,
        }
    };
    let summary = &report.summary;
    let gone = summary.missing + summary.removed;
    let coverage = &report.metrics.coverage;
    let late = sets.link("not-on-time", "due and not on time", &coverage.on_time.not);
    let touch = &report.metrics.latency.signature_to_first_touch;
    let touched =
        sets.link("touched", "with a first touch", touch.samples.iter().map(|it| &it.key));
    let told = |seconds: Option<i64>| seconds.map_or_else(|| "–".to_owned(), describe_seconds);
    let on_time_all = coverage.on_time.count == coverage.on_time.of;
    vec![
        Tile {
            name: "Without a handoff",
            value: thousands(gone),
            note: worth(&[Class::Missing, Class::Removed]),
            mood: if gone > 0 { "bad" } else { "good" },
            link: "class=missing,removed".to_owned(),
        },
        Tile {
            name: "Late",
            value: thousands(summary.late),
            note: worth(&[Class::Late]),
            mood: if summary.late > 0 { "warn" } else { "good" },
            link: "class=late".to_owned(),
        },
        Tile {
            name: "On time",
            value: percent_or_dash(&coverage.on_time),
            note: format!("within {} of the signature", report.settings.handoff_within),
            mood: if on_time_all { "good" } else { "" },
            link: late,
        },
        Tile {
            name: "Signature to first touch",
            value: told(touch.figures.median_s),
            note: format!("median; p90 {}", told(touch.figures.p90_s)),
            mood: "",
            link: touched,
        },
    ]
}

pub(super) fn classes(report: &AuditReport) -> Vec<ClassRow> {
    let currencies = currencies(report);
    let most = Class::ALL.into_iter().map(|class| report.summary.of(class)).max().unwrap_or(0);
    let row = |name, class: Option<Class>, number: usize, values: &Values, link: String| ClassRow {
        class: class.map(Class::as_str),
        name,
        total: class.is_none(),
        width: width(number, most),
        count: thousands(number),
        link,
        sums: currencies.iter().map(|currency| sum(values, currency)).collect(),
    };
    let of = |class: Class| {
        let link = format!("class={}", class.as_str());
        row(class.label(), Some(class), report.summary.of(class), report.values.of(class), link)
    };
    let mut rows: Vec<ClassRow> = Class::in_scope().map(of).collect();
    let mut values = Values::default();
    for class in Class::in_scope() {
        values.add_all(report.values.of(class));
    }
    let names: Vec<&str> = Class::in_scope().map(Class::as_str).collect();
    let link = format!("class={}", names.join(","));
    rows.push(row("in scope", None, report.population.in_scope, &values, link));
    rows.push(of(Class::Excluded));
    let all = report.values.total();
    rows.push(row("closed won", None, report.population.closed_won, &all, "class=".to_owned()));
    rows
}

pub(super) fn exclusions(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Linked> {
    let all = report.population.exclusions.iter().enumerate();
    all.map(|(at, it)| {
        let label = format!("excluded: {}", text::one_line(&it.reason));
        linked(&it.reason, it.count, sets.link(&format!("excluded.{at}"), label, &it.deals))
    })
    .collect()
}

// What is wrong, by rule.

/// How many findings of one rule stand in the page itself; the table has all.
const SHOWN: usize = 100;

#[derive(Serialize)]
pub(super) struct RuleRow {
    name: &'static str,
    severity: &'static str,
    summary: Option<&'static str>,
    count: String,
    link: Option<String>,
    findings: Vec<DealFinding>,
    more: Option<String>,
}

#[derive(Serialize)]
struct DealFinding {
    message: String,
    help: Option<String>,
    key: Option<String>,
    file: Option<String>,
    link: Option<String>,
}

/// The rules that fired, in the order of their worst finding.
pub(super) fn rules(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<RuleRow> {
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
) -> RuleRow {
    let keys: Vec<DealKey> = findings
        .iter()
        .filter_map(|finding| finding.key.as_ref())
        .filter(|key| sets.has(key.as_str()))
        .map(|key| DealKey::new(key.as_str()))
        .collect();
    let link = (!keys.is_empty()).then(|| sets.link(&format!("rule.{name}"), name, &keys));
    let more = findings.len().saturating_sub(SHOWN);
    RuleRow {
        name,
        severity: findings.iter().map(|it| it.severity).max().map_or("", |it| it.as_str()),
        summary: known.get(name).copied(),
        count: thousands(findings.len()),
        link,
        findings: findings.iter().take(SHOWN).map(|finding| shown(finding, sets)).collect(),
        more: (more > 0).then(|| thousands(more)),
    }
}

fn shown(finding: &Finding, sets: &Sets<'_>) -> DealFinding {
    let key = finding.key.as_ref().map(Key::as_str);
    DealFinding {
        message: text::one_line(&finding.message),
        help: finding.help.as_deref().map(text::terminal),
        key: key.map(ToOwned::to_owned),
        file: finding.place.file.as_deref().map(text::one_line),
        // A key has no character that means something in a link.
        link: key.filter(|key| sets.has(key)).map(|key| format!("q={key}")),
    }
}

// An audit as a page.

const TEMPLATE: &str = include_str!("../../../templates/report/audit.html");
const STYLE: &str = include_str!("../../../templates/report/audit.css");
const SCRIPT: &str = include_str!("../../../templates/report/audit.js");

#[derive(Serialize)]
struct AuditPage {
    #[serde(flatten)]
    shell: Shell,
    audit_style: &'static str,
    headline: String,
    window: String,
    as_of: String,
    complete: bool,
    gaps: Vec<Gap>,
    mood: &'static str,
    figure: String,
    figure_link: String,
    figure_words: String,
    footing: String,
    strip: Vec<StripPart>,
    strip_label: String,
    tiles: Vec<Tile>,
    currencies: Vec<String>,
    classes: Vec<ClassRow>,
    exclusions: Vec<Linked>,
    rules: Vec<RuleRow>,
    chart: Option<Chart>,
    times: Vec<TimeRow>,
    first_pass: Option<FirstPassShare>,
    questions: Vec<QuestionRow>,
    returns: Vec<Linked>,
    groupings: Vec<Grouping>,
    class_names: Vec<&'static str>,
    orphans: Vec<OrphanRow>,
    evidence: Vec<EvidenceLine>,
    earlier: Vec<EarlierAudit>,
    data: Vec<String>,
    packed: bool,
}

/// What an earlier audit found, as its checkpoint keeps it.
#[derive(Serialize)]
struct EarlierAudit {
    at: String,
    percent: String,
    width: usize,
    covered: String,
    due: String,
}

#[derive(Serialize)]
struct OrphanRow {
    customer: String,
    key: String,
    why: &'static str,
    deal: String,
    value: String,
    signed: String,
    brief: String,
    suggestion: String,
}

#[derive(Serialize)]
struct EvidenceLine {
    name: &'static str,
    value: String,
}

/// The page.
pub(in crate::report) fn audit(report: &AuditReport) -> Vec<u8> {
    let mut sets = Sets::new(report);
    let (groupings, months) = groupings(report, &mut sets);
    let coverage = &report.metrics.coverage;
    let share = &coverage.handed_over;
    let figure = percent(share.count, share.of);
    let page = AuditPage {
        earlier: earlier(report),
        shell: Shell::new(SCRIPT),
        audit_style: STYLE,
        headline: headline(report),
        window: window(report, day_or_minute),
        as_of: day_or_minute(report.as_of),
        complete: report.complete,
        gaps: report.gaps.iter().map(gap).collect(),
        mood: mood(report),
        figure_words: match &figure {
            None => "No deal was due a handoff".to_owned(),
            Some(_) => format!(
                "{} of {} due have their handoff",
                thousands(share.count),
                count(share.of, "closed-won deal")
            ),
        },
        figure: figure.unwrap_or_else(|| "–".to_owned()),
        // To what is left to do; to what is done where nothing is left.
        figure_link: if share.not.is_empty() {
            "class=on_time,late".to_owned()
        } else {
            sets.link("not-handed-over", "due and not handed over", &share.not)
        },
        footing: footing(report),
        strip: strip(report),
        strip_label: strip_label(report),
        tiles: tiles(report, &mut sets),
        currencies: currencies(report).iter().map(|it| currency_title(it).to_owned()).collect(),
        classes: classes(report),
        exclusions: exclusions(report, &mut sets),
        rules: rules(report, &mut sets),
        chart: chart(&report.metrics.by_month, &months),
        times: times(report, &mut sets),
        first_pass: first_pass(report, &mut sets),
        questions: questions(report, &mut sets),
        returns: returns(report, &mut sets),
        groupings,
        class_names: Class::in_scope().map(Class::label).collect(),
        orphans: orphans(report),
        evidence: evidence(report)
            .into_iter()
            .map(|(name, value)| EvidenceLine { name, value: text::one_line(&value) })
            .collect(),
        data: Vec::new(),
        packed: false,
    };
    let (data, packed) = data(report, &sets);
    render(TEMPLATE, &AuditPage { data, packed, ..page })
}

/// The audits before this one, oldest first, and this one.
fn earlier(report: &AuditReport) -> Vec<EarlierAudit> {
    let row = |at: String, covered: usize, due: usize| EarlierAudit {
        at,
        percent: percent(covered, due).unwrap_or_else(|| "–".to_owned()),
        width: (covered * 100).checked_div(due).unwrap_or(0),
        covered: thousands(covered),
        due: thousands(due),
    };
    let mut checkpoints: Vec<_> = report.ledger.checkpoints.iter().collect();
    checkpoints.sort_by_key(|checkpoint| checkpoint.at);
    let first = checkpoints.len().saturating_sub(EARLIER);
    let mut rows: Vec<EarlierAudit> = checkpoints[first..]
        .iter()
        .map(|checkpoint| {
            let of = |test: fn(Class) -> bool| {
                let classes = Class::ALL.into_iter().filter(|class| test(*class));
                let names: Vec<&str> = classes.map(Class::as_str).collect();
                let deals = checkpoint.deals.iter();
                deals.filter(|deal| names.contains(&deal.class.as_str())).count()
            };
            row(day_or_minute(checkpoint.at), of(Class::is_covered), of(Class::is_due))
        })
        .collect();
    if !rows.is_empty() {
        let share = &report.metrics.coverage.handed_over;
        rows.push(row(format!("{}, this one", day_or_minute(report.as_of)), share.count, share.of));
    }
    rows
}

/// How many earlier audits are shown: half a year of weeks.
const EARLIER: usize = 26;

fn gap(gap: &Gap) -> Gap {
    Gap {
        what: text::one_line(&gap.what),
        why: text::one_line(&gap.why),
        help: gap.help.as_deref().map(text::one_line),
    }
}

fn orphans(report: &AuditReport) -> Vec<OrphanRow> {
    let line = |text: Option<&str>| text.map(text::one_line).unwrap_or_default();
    let all = report.orphans.iter();
    all.map(|it| {
        let mut value = Values::default();
        it.value.iter().for_each(|money| value.add(money));
        let suggestion = it.suggestion.as_ref().map(|it| format!("{} ({})", it.what, it.because));
        OrphanRow {
            customer: line(it.customer.as_deref()),
            key: it.key.to_string(),
            why: it.why.as_str(),
            deal: line(it.deal_id.as_ref().map(crate::model::DealId::as_str)),
            value: sums(&value),
            signed: it.signed_at.map(day_or_minute).unwrap_or_default(),
            brief: text::one_line(&it.brief),
            suggestion: line(suggestion.as_deref()),
        }
    })
    .collect()
}
