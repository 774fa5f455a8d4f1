//! Annotations on a pull request: workflow commands as GitHub Actions reads
//! them from a step's output
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use super::FindingsReport;
use super::findings::{in_briefs, worst_first};
use super::sentences::{closing, footing, headline, tally};
use crate::audit::AuditReport;
use crate::finding::{Finding, Severity};
use crate::model::count;
use crate::text;

/// GitHub shows ten annotations of each level for a step and drops the rest
/// without a word.
const SHOWN: usize = 10;

/// Annotations for briefs.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    let mut out = annotations(report.findings());
    let checked = count(report.checked().len(), "brief");
    out.push_str(&format!("checked {checked}: {}\n", tally(report.findings())));
    out.into_bytes()
}

/// Annotations for an audit; what could not be read is an error of its own and
/// comes first.
pub(super) fn audit(report: &AuditReport) -> Vec<u8> {
    let mut out = String::new();
    let told = report.findings.iter().any(|finding| finding.rule == "audit-incomplete");
    if !report.complete && !told {
        let gaps: Vec<String> = report
            .gaps
            .iter()
            .map(|gap| format!("{}: {}", text::one_line(&gap.what), text::one_line(&gap.why)))
            .collect();
        let message = format!("Not everything could be read.\n{}", gaps.join("\n"));
        out.push_str(&format!("::error title=audit-incomplete::{}\n", data(&message)));
    }
    out.push_str(&annotations(&in_briefs(report)));
    out.push_str(&format!("{}\n{}\n", headline(report), footing(report)));
    out.push_str(&format!("{}\n", closing(report)));
    out.into_bytes()
}

/// The commands, worst first, at most ten of each level, and how many more.
fn annotations(findings: &[Finding]) -> String {
    let mut out = String::new();
    let sorted = worst_first(findings);
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let of_level = sorted.iter().filter(|finding| finding.severity == severity);
        for finding in of_level.clone().take(SHOWN) {
            out.push_str(&command(finding));
            out.push('\n');
        }
        let more = of_level.count().saturating_sub(SHOWN);
        if more > 0 {
            let more = count(more, severity.as_str());
            out.push_str(&format!(
                "and {more} more: GitHub shows {SHOWN} annotations of a level in a step; \
                 --format markdown and --format json have all of them\n"
            ));
        }
    }
    out
}

/// One command.
fn command(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let place = &finding.place;
    let mut properties = Vec::new();
    if let Some(file) = &place.file {
        properties.push(format!("file={}", property(file)));
        if let Some(line) = place.line {
            properties.push(format!("line={line}"));
            if let Some(column) = place.column {
                properties.push(format!("col={column}"));
                let end = column.saturating_add(place.width.unwrap_or(1).max(1) - 1);
                properties.push(format!("endColumn={end}"));
            }
        }
    }
    properties.push(format!("title={}", property(finding.rule)));
    let mut message = finding.message.clone();
    if place.file.is_none()
        && let Some(key) = &finding.key
    {
        message = format!("{key}: {message}");
    }
    if let Some(help) = &finding.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    format!("::{level} {}::{}", properties.join(","), data(&message))
}

/// A message as the runner's `unescapeData` reads it back: its lines without
/// controls and direction overrides.
fn data(given: &str) -> String {
    let lines: Vec<String> =
        given.lines().map(text::one_line).filter(|line| !line.is_empty()).collect();
    lines.join("\n").replace("##[", "## [").replace('%', "%25").replace('\n', "%0A")
}

/// A property as the runner's `unescapeProperty` reads it back.
fn property(given: &str) -> String {
    data(given).replace(':', "%3A").replace(',', "%2C")
}
