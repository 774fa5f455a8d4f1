//! Findings and audits for people, on a terminal or in a log.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr as _;

use super::findings::location;
use super::sentences::{
    claimed_and_shown, class_severity, closing, currencies, currency_title, evidence, footing,
    headline, latencies, percent_or_dash, question, sum, tally,
};
use super::table::{Paint, Table, TableColumn, inert};
use super::{FindingsReport, Options};
use crate::audit::{AuditReport, Class, LatencyFigures, Values};
use crate::finding::{Finding, Severity};
use crate::model::{Money, count, thousands};
use crate::text;
use crate::text::shorten;
use crate::time::describe_seconds;

// An audit on a terminal: what is wrong, the table, the footing, the times,
// the evidence.

/// How many findings of one rule are shown; the other formats have all.
const SHOWN: usize = 20;

/// How many deals without a handoff are listed where there is no ledger yet.
const LISTED: usize = 100;

/// The whole report.
pub(super) fn audit(report: &AuditReport, options: &Options) -> Vec<u8> {
    let mut out = String::new();
    gaps(&mut out, report, options);
    let paint = Paint { color: options.color };
    match &report.ledger.absent {
        Some(why) if report.more_ledgers.is_empty() => {
            out.push_str(&format!(
                "{}\n\n",
                paint.bold(&format!("No deal can have a handoff: {}.", inert(why)))
            ));
            population(&mut out, report, options);
        }
        _ => finding_list(&mut out, report, options),
    }
    out.push_str(&paint.bold(&headline(report)));
    out.push_str("\n\n");
    out.push_str(&classes(report, options));
    out.push_str(&format!("\n{}\n", footing(report)));
    times(&mut out, report, options);
    people(&mut out, report, options);
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

/// The one number and a line for each finding, for a screen that has more to show.
pub(super) fn in_short(report: &AuditReport, options: &Options, width: usize) -> Vec<String> {
    let paint = Paint { color: options.color };
    let mut lines = vec![paint.bold(&headline(report))];
    for finding in &report.findings {
        let name = format!("{}: ", finding.rule);
        let message = shorten(&inert(&finding.message), width.saturating_sub(name.len()));
        lines.push(format!("{}{message}", paint.severity(finding.severity, &name)));
    }
    lines
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
fn finding_list(out: &mut String, report: &AuditReport, options: &Options) {
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

/// The deals by month and owner, and each that has no handoff: what an export
/// says before there is any ledger.
fn population(out: &mut String, report: &AuditReport, options: &Options) {
    let currencies = currencies(report);
    let money = || currencies.iter().map(|currency| TableColumn::number(currency_title(currency)));
    for (heading, groups) in
        [("Month", &report.metrics.by_month), ("Owner", &report.metrics.by_rep)]
    {
        let columns = [TableColumn::text(heading), TableColumn::number("Deals")];
        let mut table = Table::new(columns.into_iter().chain(money()));
        for group in groups {
            let values = group.figures.values.total();
            let sums = currencies.iter().map(|currency| sum(&values, currency));
            let cells = [group.name.clone(), thousands(group.deals.len())];
            table.row(cells.into_iter().chain(sums));
        }
        if !table.is_empty() {
            out.push_str(&table.render(options));
            out.push('\n');
        }
    }
    let mut without: Vec<_> =
        report.deals.iter().filter(|deal| deal.class == Class::Missing).collect();
    without.sort_by(|a, b| (b.closed_won_at, &a.key).cmp(&(a.closed_won_at, &b.key)));
    let mut table = Table::new([
        TableColumn::text("Without a handoff"),
        TableColumn::text("Won"),
        TableColumn::text("Owner"),
        TableColumn::number("Value"),
        TableColumn::whole("Deal"),
    ]);
    for deal in without.iter().take(LISTED) {
        table.row([
            deal.name.clone().unwrap_or_default(),
            deal.closed_won_at.map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default(),
            deal.owner.clone().unwrap_or_default(),
            deal.value.as_ref().map(Money::shown).unwrap_or_default(),
            deal.key.to_string(),
        ]);
    }
    if !table.is_empty() {
        out.push_str(&table.render(options));
        if without.len() > LISTED {
            let more = thousands(without.len() - LISTED);
            out.push_str(&format!(
                "and {more} more; --format csv, html and json have all of them\n"
            ));
        }
        out.push('\n');
    }
}

/// Count and value of each class.
fn classes(report: &AuditReport, options: &Options) -> String {
    let currencies = currencies(report);
    let columns = [TableColumn::text("Class"), TableColumn::number("Deals")]
        .into_iter()
        .chain(currencies.iter().map(|currency| TableColumn::number(currency_title(currency))));
    let mut table = Table::new(columns);
    let mut row = |name: &str, number: usize, values: &Values| {
        let sums = currencies.iter().map(|currency| sum(values, currency));
        table.row([name.to_owned(), thousands(number)].into_iter().chain(sums));
    };
    let mut in_scope = Values::default();
    for class in Class::in_scope() {
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
    let rows = latencies(report);
    if rows.iter().all(|(_, figures)| figures.n == 0) {
        return;
    }
    let business = rows.iter().any(|(_, figures)| figures.business_median_s.is_some());
    let mut columns = vec![
        TableColumn::text("Signature to"),
        TableColumn::number("Deals"),
        TableColumn::number("Median"),
        TableColumn::number("p90"),
    ];
    if business {
        columns.push(TableColumn::number("Business median"));
        columns.push(TableColumn::number("Business p90"));
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
    let (on_time, evidenced) =
        (&report.metrics.first_touch_on_time, &report.metrics.first_touch_evidenced);
    if on_time.of > 0 {
        out.push_str(&format!(
            "first touches on time: {} of {} ({}); the CRM shows {} of the {} made, the others are claimed\n",
            thousands(on_time.count),
            thousands(on_time.of),
            percent_or_dash(on_time),
            thousands(evidenced.count),
            thousands(evidenced.of),
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

/// What each CSM has taken over and each rep has sold: handoffs, first touches, completeness.
fn people(out: &mut String, report: &AuditReport, options: &Options) {
    if report.ledger.absent.is_some() {
        return;
    }
    for (heading, groups) in [("CSM", &report.metrics.by_csm), ("Rep", &report.metrics.by_rep)] {
        if groups.len() < 2 {
            continue;
        }
        let numbers = [
            "Deals",
            "Handed over",
            "First touch on time",
            "Claimed",
            "Shown by CRM",
            "Complete",
            "Returned",
        ];
        let mut table = Table::new(
            [TableColumn::text(heading)].into_iter().chain(numbers.map(TableColumn::number)),
        );
        for group in groups {
            let figures = &group.figures;
            let [claimed, shown] = claimed_and_shown(&figures.first_touch_evidenced);
            table.row([
                group.name.clone(),
                thousands(group.deals.len()),
                percent_or_dash(&figures.coverage.handed_over),
                percent_or_dash(&figures.first_touch_on_time),
                claimed,
                shown,
                percent_or_dash(&figures.first_pass_complete),
                thousands(figures.returned.len()),
            ]);
        }
        out.push('\n');
        out.push_str(&table.render(options));
    }
}

/// Which questions were unanswered when the briefs were delivered.
fn unanswered(out: &mut String, report: &AuditReport, options: &Options) {
    let asked: Vec<_> = report.metrics.unanswered.iter().filter(|asked| asked.count > 0).collect();
    if asked.is_empty() {
        return;
    }
    let mut table = Table::new([
        TableColumn::text("Unanswered at delivery"),
        TableColumn::number("Briefs"),
        TableColumn::number("Of"),
    ]);
    for asked in asked {
        table.row([question(asked.question), thousands(asked.count), thousands(asked.of)]);
    }
    out.push('\n');
    out.push_str(&table.render(options));
}

// Findings as the Rust compiler shows them: what, where, the line, the help.

/// How wide a line may be when nobody says how wide the screen is.
const WIDE: usize = 140;

/// Findings one below the other and a closing line.
pub(super) fn findings(report: &FindingsReport, options: &Options) -> Vec<u8> {
    let paint = Paint { color: options.color };
    let mut out = String::new();
    for finding in report.findings() {
        diagnostic(&mut out, finding, options);
        out.push('\n');
    }
    let checked = count(report.checked().len(), "brief");
    let tally = tally(report.findings());
    let tally = match report.worst() {
        None => paint.good(&tally),
        Some(worst) => paint.severity(worst, &tally),
    };
    out.push_str(&format!("checked {checked}: {tally}\n"));
    out.into_bytes()
}

/// One finding: heading, place, line with underline, help.
pub(in crate::report) fn diagnostic(out: &mut String, finding: &Finding, options: &Options) {
    let paint = Paint { color: options.color };
    let place = &finding.place;
    let label = format!("{}[{}]", finding.severity.as_str(), finding.rule);
    let label = paint.severity(finding.severity, &label);
    let message = paint.bold(&format!(": {}", inert(&finding.message)));
    out.push_str(&format!("{label}{message}\n"));

    let number = place.line.map(|line| line.to_string()).unwrap_or_default();
    let gutter = number.len().max(1);
    if let Some(location) = location(finding) {
        let arrow = paint.frame(&format!("{}-->", " ".repeat(gutter)));
        out.push_str(&format!("{arrow} {}\n", inert(&location)));
    }
    let bar = paint.frame(&format!("{} |", " ".repeat(gutter)));
    if let (Some(_), Some(source)) = (place.line, &place.source) {
        let most = options.width.unwrap_or(WIDE).saturating_sub(gutter + 3);
        let indent = source.chars().take_while(|c| c.is_whitespace()).count();
        let column = place.column.unwrap_or(indent + 1);
        let shown = snippet(source, column, place.width.unwrap_or(1), most);
        let marks = paint.severity(finding.severity, &"^".repeat(shown.length));
        let line_bar = paint.frame(&format!("{number} |"));
        out.push_str(&format!("{bar}\n{line_bar} {}\n", shown.line));
        out.push_str(&format!("{bar} {}{marks}\n", " ".repeat(shown.indent)));
    }
    if let Some(help) = &finding.help {
        let equals = paint.frame(&format!("{} =", " ".repeat(gutter)));
        let mut lines = help.lines().map(inert).filter(|line| !line.is_empty());
        if let Some(first) = lines.next() {
            out.push_str(&format!("{equals} {} {first}\n", paint.bold("help:")));
        }
        for line in lines {
            out.push_str(&format!("{}         {line}\n", " ".repeat(gutter)));
        }
    }
}

// One line of a file with an underline, cut to what fits.

/// How a tab is shown.
const TAB: &str = "    ";

/// A line as it is shown, and below it the underline.
#[derive(Debug, PartialEq, Eq)]
struct Snippet {
    /// The line: tabs widened, controls visible, cut with `…`.
    line: String,
    /// Columns before the underline.
    indent: usize,
    /// Columns of the underline; at least one.
    length: usize,
}

/// Shows the part of a line around a column (from 1, in characters) in at most
/// `most` columns.
fn snippet(source: &str, column: usize, width: usize, most: usize) -> Snippet {
    let source = source.trim_end_matches(['\r', '\n']).trim_end();
    let mut cells: Vec<String> = source.chars().map(show).collect();
    // GitHub's runner takes `##[…]` for a command wherever it stands in a line.
    for (at, _) in source.match_indices("##[") {
        cells[source[..at].chars().count() + 2] = " [".to_owned();
    }
    // A finding can point behind the end of a line, where something is missing.
    let start = column.saturating_sub(1).min(cells.len());
    let end = start.saturating_add(width).clamp(start, cells.len());

    let (from, to) = window(&cells, start, end, most.max(20));
    let (head, tail) = (if from > 0 { "…" } else { "" }, if to < cells.len() { "…" } else { "" });
    let before: String =
        std::iter::once(head).chain(cells[from..start].iter().map(String::as_str)).collect();
    let marked = cells[start..end.min(to)].concat();
    let after: String = cells[end.min(to)..to].iter().map(String::as_str).chain([tail]).collect();
    Snippet {
        indent: before.width(),
        length: marked.width().max(1),
        line: before + &marked + &after,
    }
}

/// One character as it is shown.
fn show(c: char) -> String {
    match c {
        '\t' => TAB.to_owned(),
        // A line has no line feed; one that is there all the same must not end it.
        '\n' => "\\n".to_owned(),
        _ => text::terminal(c.encode_utf8(&mut [0; 4])),
    }
}

/// Which cells fit: all if they do, else those from a little before the
/// underline on.
fn window(cells: &[String], start: usize, end: usize, most: usize) -> (usize, usize) {
    let widths: Vec<usize> = cells.iter().map(|cell| cell.width()).collect();
    if widths.iter().sum::<usize>() <= most {
        return (0, cells.len());
    }
    let inner = most.saturating_sub(2);
    let reach: usize = widths[..end].iter().sum();
    let mut from = 0;
    if reach > inner {
        let lead = inner / 4;
        let mut before = 0;
        from = start;
        while from > 0 && before + widths[from - 1] <= lead {
            from -= 1;
            before += widths[from];
        }
    }
    let mut to = from;
    let mut used = 0;
    while to < cells.len() && used + widths[to] <= inner {
        used += widths[to];
        to += 1;
    }
    (from, to.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &str, column: usize, width: usize, most: usize) -> String {
        let shown = snippet(source, column, width, most);
        format!("{}\n{}{}", shown.line, " ".repeat(shown.indent), "^".repeat(shown.length))
    }

    #[test]
    fn tabs_and_wide_characters_are_underlined_where_they_stand() {
        assert_eq!(drawn("\tname: 株式会社", 8, 4, 80), "    name: 株式会社\n          ^^^^^^^^");
        assert_eq!(drawn("a: b", 1, 1, 80), "a: b\n^");
    }

    #[test]
    fn controls_are_shown_and_counted() {
        assert_eq!(drawn("x: \u{1b}[2J", 4, 1, 80), "x: \\u{1b}[2J\n   ^^^^^^");
    }

    #[test]
    fn long_lines_are_cut_around_the_underline() {
        let long = format!("{}NAME{}", "a".repeat(300), "b".repeat(300));
        let shown = snippet(&long, 301, 4, 60);
        assert!(shown.line.starts_with('…') && shown.line.ends_with('…'), "{}", shown.line);
        assert!(shown.line.width() <= 60);
        assert_eq!(&shown.line.chars().skip(shown.indent).take(4).collect::<String>(), "NAME");
        let cut = snippet(&"w".repeat(500), 1, 500, 60);
        assert_eq!(cut.length, 58);
    }

    #[test]
    fn places_outside_the_line_are_harmless() {
        assert_eq!(drawn("a:", 9, 3, 80), "a:\n  ^");
        assert_eq!(drawn("", 1, 5, 80), "\n^");
        assert_eq!(drawn("abc", 0, usize::MAX, 0), "abc\n^^^");
    }
}
