//! Where every deal stands: the bar below the headline, the tiles, the table
//! of classes.

use serde::Serialize;

use super::deals::Sets;
use super::linked::{Linked, linked, width};
use crate::audit::{AuditReport, Class, Values};
use crate::finding::Severity;
use crate::report::sentences::{currencies, percent_or_dash, sum, sums};
use crate::report::{count, thousands};
use crate::text;
use crate::time::describe_seconds;

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

/// The classes in scope.
pub(super) fn scope_classes() -> impl Iterator<Item = Class> {
    Class::ALL.into_iter().filter(|class| *class != Class::Excluded)
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

pub(super) fn strip_label(report: &AuditReport) -> String {
    let parts: Vec<String> = scope_classes()
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

pub(super) fn exclusions(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Linked> {
    let all = report.population.exclusions.iter().enumerate();
    all.map(|(at, it)| {
        let label = format!("excluded: {}", text::one_line(&it.reason));
        linked(&it.reason, it.count, sets.link(&format!("excluded.{at}"), label, &it.deals))
    })
    .collect()
}
