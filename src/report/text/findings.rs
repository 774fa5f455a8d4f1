//! Findings as the Rust compiler shows them: what, where, the line, the help.

use crate::finding::Finding;
use crate::report::findings::{location, tally};
use crate::report::screen::{Paint, inert};
use crate::report::{FindingsReport, Options, count};

use super::snippet::snippet;

/// How wide a line may be when nobody says how wide the screen is.
const WIDE: usize = 140;

/// Findings one below the other and a closing line.
pub(in crate::report) fn findings(report: &FindingsReport, options: &Options) -> Vec<u8> {
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
