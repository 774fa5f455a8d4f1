//! Markdown for a GitHub job summary, an issue or a wiki: at most 1 MiB, which
//! is what a summary holds.

use super::findings::{location, tally, worst_first};
use super::{FindingsReport, count};
use crate::finding::{Finding, Severity};
use crate::text;

/// What a job summary holds, less what the sentence about the cut needs and
/// what other tools may have put there before.
const MOST: usize = 1024 * 1024 - 16 * 1024;

/// A table of findings.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    let checked = count(report.checked().len(), "brief");
    let mut page = Page::new();
    page.push("## handoff validate\n\n");
    page.push(&format!(
        "{} Checked {checked}: **{}**.\n",
        sign(report.worst()),
        tally(report.findings())
    ));
    findings_table(&mut page, report.findings());
    page.finish("handoff validate --format json")
}

/// A table of findings, worst first.
fn findings_table(page: &mut Page, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    page.push("\n| | Rule | Where | What is wrong, and what to do |\n|---|---|---|---|\n");
    let sorted = worst_first(findings);
    page.rows(
        "finding",
        sorted.into_iter().map(|finding| {
            let mut told = text::markdown(&finding.message);
            if let Some(help) = &finding.help {
                told.push_str("<br>*help:* ");
                told.push_str(&text::markdown_block(help));
            }
            let place = location(finding).map(|place| cell_code(&place)).unwrap_or_default();
            format!(
                "| {} | `{}` | {place} | {told} |\n",
                sign(Some(finding.severity)),
                finding.rule
            )
        }),
    );
}

/// A code span inside a table's cell, where a bare `|` would end the cell even so.
fn cell_code(given: &str) -> String {
    text::code(given).replace('|', "\\|")
}

fn sign(severity: Option<Severity>) -> &'static str {
    match severity {
        None => "✅",
        Some(Severity::Error) => "❌",
        Some(Severity::Warning) => "⚠️",
        Some(Severity::Info) => "ℹ️",
    }
}

/// A text that knows how long it may become, and what was left out of it.
struct Page {
    text: String,
    left_out: Vec<String>,
}

impl Page {
    fn new() -> Self {
        Self { text: String::new(), left_out: Vec::new() }
    }

    /// Adds what is bounded by itself.
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds rows as long as they fit, and remembers how many did not.
    fn rows(&mut self, noun: &str, rows: impl Iterator<Item = String>) {
        let mut left = 0;
        for row in rows {
            if left > 0 || self.text.len() + row.len() > MOST {
                left += 1;
            } else {
                self.text.push_str(&row);
            }
        }
        if left > 0 {
            self.left_out.push(count(left, noun));
        }
    }

    /// The text, with a last sentence about what did not fit.
    fn finish(mut self, all: &str) -> Vec<u8> {
        if !self.left_out.is_empty() {
            let left = self.left_out.join(" and ");
            self.text.push_str(&format!(
                "\n> **{left} did not fit:** a job summary holds 1 MiB. All of them: {}\n",
                text::code(all)
            ));
        }
        self.text.into_bytes()
    }
}
