//! An audit on a terminal: what is wrong, the table, the footing, the times,
//! the evidence.

use std::collections::BTreeMap;

use crate::audit::{AuditReport, Class, LatencyFigures, Values};
use crate::finding::Severity;
use crate::report::screen::{Paint, inert};
use crate::report::sentences::{
    class_severity, closing, currencies, currency_title, evidence, footing, headline,
    percent_or_dash, question, sum,
};
use crate::report::table::{Column, Table};
use crate::report::{Options, count, thousands};
use crate::time::describe_seconds;

use super::findings::diagnostic;

/// How many findings of one rule are shown; the other formats have all.
const SHOWN: usize = 20;

/// The whole report.
pub(in crate::report) fn audit(report: &AuditReport, options: &Options) -> Vec<u8> {
    let mut out = String::new();
    gaps(&mut out, report, options);
    findings(&mut out, report, options);
    let paint = Paint { color: options.color };
    out.push_str(&paint.bold(&headline(report)));
    out.push_str("\n\n");
    out.push_str(&classes(report, options));
    out.push_str(&format!("\n{}\n", footing(report)));
    times(&mut out, report, options);
    unanswered(&mut out, report, options);
    out.push_str(&format!("\n{}\n", paint.bold("Evidence")));
    for (name, value) in evidence(report) {
        out.push_str(&format!("  {name:<10}  {}\n", inert(&value)));
    }
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    let closing = closing(report);
    let closing = match worst {
        _ if !report.complete => {
            paint.severity(Severity::Error, &format!("{closing}; INCOMPLETE, so this is no result"))
        }
        None => paint.good(&closing),
        Some(worst) => paint.severity(worst, &closing),
    };
    out.push_str(&format!("\n{closing}\n"));
    out.into_bytes()
}

/// What could not be read, before anything else.
fn gaps(out: &mut String, report: &AuditReport, options: &Options) {
    if report.complete && report.gaps.is_empty() {
        return;
    }
    let paint = Paint { color: options.color };
    let number = count(report.gaps.len(), "thing");
    let title = format!("INCOMPLETE: {number} could not be read");
    out.push_str(&format!("{}\n", paint.severity(Severity::Error, &title)));
    for gap in &report.gaps {
        out.push_str(&format!("  {}: {}\n", inert(&gap.what), inert(&gap.why)));
        if let Some(help) = &gap.help {
            out.push_str(&format!("    {} {}\n", paint.bold("help:"), inert(help)));
        }
    }
    out.push('\n');
}

/// The findings, a bounded number of each rule.
fn findings(out: &mut String, report: &AuditReport, options: &Options) {
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        let number = shown.entry(finding.rule).or_default();
        *number += 1;
        if *number <= SHOWN {
            diagnostic(out, finding, options);
            out.push('\n');
        }
    }
    let mut cut = false;
    for (rule, number) in shown.iter().filter(|(_, number)| **number > SHOWN) {
        out.push_str(&format!("and {} more {rule}\n", thousands(number - SHOWN)));
        cut = true;
    }
    if cut {
        out.push_str("--format csv, html and json have all of them\n\n");
    }
}

/// Count and value of each class.
fn classes(report: &AuditReport, options: &Options) -> String {
    let currencies = currencies(report);
    let columns = [Column::text("Class"), Column::number("Deals")]
        .into_iter()
        .chain(currencies.iter().map(|currency| Column::number(currency_title(currency))));
    let mut table = Table::new(columns);
    let mut row = |name: &str, number: usize, values: &Values| {
        let sums = currencies.iter().map(|currency| sum(values, currency));
        table.row([name.to_owned(), thousands(number)].into_iter().chain(sums));
    };
    let mut in_scope = Values::default();
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Excluded) {
        let values = report.values.of(class);
        in_scope.add_all(values);
        row(class.label(), report.summary.of(class), values);
    }
    row("= in scope", report.population.in_scope, &in_scope);
    row(Class::Excluded.label(), report.summary.excluded, report.values.of(Class::Excluded));
    row("= closed won", report.population.closed_won, &report.values.total());
    let drawn = table.render(options);
    let paint = Paint { color: options.color };
    // Colours come last, so that they do not count as columns.
    let mut out = String::with_capacity(drawn.len());
    for line in drawn.lines() {
        let of_class = Class::ALL.into_iter().find(|class| {
            line.strip_prefix(class.label()).is_some_and(|rest| rest.starts_with(' '))
        });
        let severity =
            of_class.filter(|class| report.summary.of(*class) > 0).and_then(class_severity);
        match severity {
            Some(severity) => out.push_str(&paint.severity(severity, line)),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Median and 90th percentile of each time, where there is one.
fn times(out: &mut String, report: &AuditReport, options: &Options) {
    let latency = &report.metrics.latency;
    let rows = [
        ("brief", &latency.signature_to_brief.figures),
        ("task", &latency.signature_to_task.figures),
        ("first touch", &latency.signature_to_first_touch.figures),
        ("acceptance", &latency.signature_to_acceptance.figures),
    ];
    if rows.iter().all(|(_, figures)| figures.n == 0) {
        return;
    }
    let business = rows.iter().any(|(_, figures)| figures.business_median_s.is_some());
    let mut columns = vec![
        Column::text("Signature to"),
        Column::number("Deals"),
        Column::number("Median"),
        Column::number("p90"),
    ];
    if business {
        columns.push(Column::number("Business median"));
        columns.push(Column::number("Business p90"));
    }
    let mut table = Table::new(columns);
    for (name, figures) in rows {
        table.row(time_cells(name, figures, business));
    }
    out.push('\n');
    out.push_str(&table.render(options));
    let complete = &report.metrics.first_pass_complete;
    if complete.of > 0 {
        out.push_str(&format!(
            "\ncomplete when delivered: {} of {} ({})\n",
            thousands(complete.count),
            count(complete.of, "brief"),
            percent_or_dash(complete)
        ));
    }
    let evidenced = &report.metrics.first_touch_evidenced;
    if evidenced.of > 0 {
        out.push_str(&format!(
            "first touches that the CRM shows: {} of {} ({}); the others are claimed\n",
            thousands(evidenced.count),
            thousands(evidenced.of),
            percent_or_dash(evidenced)
        ));
    }
}

fn time_cells(name: &str, figures: &LatencyFigures, business: bool) -> Vec<String> {
    let told = |seconds: Option<i64>| seconds.map(describe_seconds).unwrap_or_default();
    let mut cells =
        vec![name.to_owned(), thousands(figures.n), told(figures.median_s), told(figures.p90_s)];
    if business {
        cells.push(told(figures.business_median_s));
        cells.push(told(figures.business_p90_s));
    }
    cells
}

/// Which questions were unanswered when the briefs were delivered.
fn unanswered(out: &mut String, report: &AuditReport, options: &Options) {
    let asked: Vec<_> = report.metrics.unanswered.iter().filter(|asked| asked.count > 0).collect();
    if asked.is_empty() {
        return;
    }
    let mut table = Table::new([
        Column::text("Unanswered at delivery"),
        Column::number("Briefs"),
        Column::number("Of"),
    ]);
    for asked in asked {
        table.row([question(asked.question), thousands(asked.count), thousands(asked.of)]);
    }
    out.push('\n');
    out.push_str(&table.render(options));
}
