//! An audit as a page.

use serde::Serialize;

use super::chart::{Chart, chart};
use super::deals::{Sets, data};
use super::groups::{Grouping, groupings};
use super::wrong::{Rule, rules};
use super::{Shell, render};
use crate::audit::{AuditReport, Class, Latency, Values};
use crate::facts::Gap;
use crate::finding::Severity;
use crate::report::sentences::{
    currencies, currency_title, day_or_minute, evidence, footing, headline, percent,
    percent_or_dash, question, sum, sums, window,
};
use crate::report::{count, thousands};
use crate::text;
use crate::time::describe_seconds;

const TEMPLATE: &str = include_str!("../../../templates/report/audit.html");
const STYLE: &str = include_str!("../../../templates/report/audit.css");
const SCRIPT: &str = include_str!("../../../templates/report/audit.js");

/// How many unanswered fields are named for a question.
const FIELDS: usize = 4;

#[derive(Serialize)]
struct Page {
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
    figure_words: String,
    footing: String,
    strip: Vec<StripPart>,
    strip_label: String,
    tiles: Vec<Tile>,
    currencies: Vec<String>,
    classes: Vec<ClassRow>,
    exclusions: Vec<Linked>,
    rules: Vec<Rule>,
    chart: Option<Chart>,
    times: Vec<TimeRow>,
    first_pass: Option<FirstPass>,
    questions: Vec<QuestionRow>,
    returns: Vec<Linked>,
    groupings: Vec<Grouping>,
    class_names: Vec<&'static str>,
    orphans: Vec<OrphanRow>,
    evidence: Vec<Line>,
    data: String,
}

#[derive(Serialize)]
struct StripPart {
    class: &'static str,
    x: String,
    width: String,
    title: String,
}

#[derive(Serialize)]
struct Tile {
    name: &'static str,
    value: String,
    note: String,
    mood: &'static str,
    link: String,
}

#[derive(Serialize)]
struct ClassRow {
    class: Option<&'static str>,
    name: &'static str,
    total: bool,
    width: String,
    count: String,
    link: String,
    sums: Vec<String>,
}

/// A name with a number that links to its deals.
#[derive(Serialize)]
struct Linked {
    name: String,
    reason: String,
    count: String,
    link: String,
}

#[derive(Serialize)]
struct TimeRow {
    name: &'static str,
    n: String,
    all: String,
    slow: String,
    median: Option<String>,
    p90: Option<String>,
    business_median: Option<String>,
    business_p90: Option<String>,
}

#[derive(Serialize)]
struct FirstPass {
    percent: String,
    not: String,
}

#[derive(Serialize)]
struct QuestionRow {
    name: &'static str,
    count: String,
    of: String,
    width: String,
    link: String,
    fields: Vec<Linked>,
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
struct Line {
    name: &'static str,
    value: String,
}

/// The page.
pub(in crate::report) fn audit(report: &AuditReport) -> Vec<u8> {
    let mut sets = Sets::new(report);
    let (groupings, months) = groupings(report, &mut sets);
    let coverage = &report.metrics.coverage;
    let first_pass = &report.metrics.first_pass_complete;
    sets.link("incomplete", "incomplete when delivered", &first_pass.not);
    let share = &coverage.handed_over;
    let figure = percent(share.count, share.of);
    let page = Page {
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
        first_pass: (first_pass.of > 0).then(|| FirstPass {
            percent: percent_or_dash(first_pass),
            not: thousands(first_pass.not.len()),
        }),
        questions: questions(report, &mut sets),
        returns: returns(report, &mut sets),
        groupings,
        class_names: scope_classes().map(Class::label).collect(),
        orphans: orphans(report),
        evidence: evidence(report)
            .into_iter()
            .map(|(name, value)| Line { name, value: text::one_line(&value) })
            .collect(),
        data: data(report, &sets),
    };
    render(TEMPLATE, &page)
}

fn gap(gap: &Gap) -> Gap {
    Gap {
        what: text::one_line(&gap.what),
        why: text::one_line(&gap.why),
        help: gap.help.as_deref().map(text::one_line),
    }
}

/// The classes in scope.
pub(super) fn scope_classes() -> impl Iterator<Item = Class> {
    Class::ALL.into_iter().filter(|class| *class != Class::Excluded)
}

fn mood(report: &AuditReport) -> &'static str {
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
fn strip(report: &AuditReport) -> Vec<StripPart> {
    let total: usize = scope_classes().map(|class| report.summary.of(class)).sum();
    let mut before = 0;
    scope_classes()
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

fn strip_label(report: &AuditReport) -> String {
    let parts: Vec<String> = scope_classes()
        .map(|class| format!("{} {}", thousands(report.summary.of(class)), class.label()))
        .collect();
    format!("Deals in scope: {}", parts.join(", "))
}

fn tiles(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Tile> {
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

fn classes(report: &AuditReport) -> Vec<ClassRow> {
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
    let mut rows: Vec<ClassRow> = scope_classes().map(of).collect();
    let mut values = Values::default();
    for class in scope_classes() {
        values.add_all(report.values.of(class));
    }
    let names: Vec<&str> = scope_classes().map(Class::as_str).collect();
    let link = format!("class={}", names.join(","));
    rows.push(row("in scope", None, report.population.in_scope, &values, link));
    rows.push(of(Class::Excluded));
    let all = report.values.total();
    rows.push(row("closed won", None, report.population.closed_won, &all, "class=".to_owned()));
    rows
}

/// A bar's length in percent; what is there at all is seen.
fn width(number: usize, most: usize) -> String {
    if number == 0 || most == 0 {
        return "0".to_owned();
    }
    format!("{:.2}", (number as f64 * 100.0 / most as f64).max(1.0))
}

fn linked(name: &str, number: usize, link: String) -> Linked {
    let name = text::one_line(name);
    Linked { reason: name.clone(), name, count: thousands(number), link }
}

fn exclusions(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Linked> {
    let all = report.population.exclusions.iter().enumerate();
    all.map(|(at, it)| {
        let label = format!("excluded: {}", text::one_line(&it.reason));
        linked(&it.reason, it.count, sets.link(&format!("excluded.{at}"), label, &it.deals))
    })
    .collect()
}

fn times(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<TimeRow> {
    let latency = &report.metrics.latency;
    let all: [(&'static str, &str, &Latency); 4] = [
        ("brief", "to-brief", &latency.signature_to_brief),
        ("first-touch task", "to-task", &latency.signature_to_task),
        ("first touch", "to-touch", &latency.signature_to_first_touch),
        ("acceptance", "to-acceptance", &latency.signature_to_acceptance),
    ];
    let told = |seconds: Option<i64>| seconds.map(describe_seconds);
    all.into_iter()
        .map(|(name, set, latency)| {
            let figures = latency.figures;
            let slow = latency
                .samples
                .iter()
                .filter(|sample| figures.p90_s.is_some_and(|p90| sample.seconds >= p90));
            TimeRow {
                name,
                n: thousands(figures.n),
                all: sets.link(
                    set,
                    format!("slowest first: signature to {name}"),
                    latency.samples.iter().map(|sample| &sample.key),
                ),
                slow: sets.link(
                    &format!("{set}-slow"),
                    format!("p90 and slower: signature to {name}"),
                    slow.map(|sample| &sample.key),
                ),
                median: told(figures.median_s),
                p90: told(figures.p90_s),
                business_median: told(figures.business_median_s),
                business_p90: told(figures.business_p90_s),
            }
        })
        .collect()
}

fn questions(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<QuestionRow> {
    let asked = report.metrics.unanswered.iter().filter(|asked| asked.count > 0);
    asked
        .enumerate()
        .map(|(at, asked)| QuestionRow {
            name: question(asked.question),
            count: thousands(asked.count),
            of: thousands(asked.of),
            width: width(asked.count, asked.of),
            link: sets.link(
                &format!("unanswered.{at}"),
                format!("unanswered: {}", question(asked.question)),
                &asked.deals,
            ),
            fields: asked
                .fields
                .iter()
                .take(FIELDS)
                .enumerate()
                .map(|(field, it)| {
                    let label = format!("unanswered: {}", text::one_line(&it.field));
                    let set = format!("unanswered.{at}.{field}");
                    linked(&it.field, it.count, sets.link(&set, label, &it.deals))
                })
                .collect(),
        })
        .collect()
}

fn returns(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Linked> {
    let all = report.metrics.returns.iter().enumerate();
    all.map(|(at, it)| {
        let label = format!("returned: {}", text::one_line(&it.reason));
        linked(&it.reason, it.count, sets.link(&format!("returned.{at}"), label, &it.deals))
    })
    .collect()
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
            deal: line(it.deal_id.as_ref().map(crate::facts::DealId::as_str)),
            value: sums(&value),
            signed: it.signed_at.map(day_or_minute).unwrap_or_default(),
            brief: text::one_line(&it.brief),
            suggestion: line(suggestion.as_deref()),
        }
    })
    .collect()
}
