//! Markdown for a GitHub job summary, an issue or a wiki: at most 1 MiB, which
//! is what a summary holds.

use super::FindingsReport;
use super::findings::{location, worst_first};
use super::sentences::{
    claimed_and_shown, currencies, currency_title, evidence, footing, headline, latencies,
    percent_or_dash, question, sum, tally,
};
use crate::audit::{AuditReport, Class, Group, Values};
use crate::finding::{Finding, Severity};
use crate::model::{count, thousands};
use crate::text;
use crate::time::describe_seconds;

/// What a job summary holds, less what the sentence about the cut needs and
/// what other tools may have put there before.
const MOST: usize = 1024 * 1024 - 16 * 1024;

/// A table of findings.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    let checked = count(report.checked().len(), "brief");
    let mut page = BoundedText::new();
    page.push("## handoff validate\n\n");
    page.push(&format!(
        "{} Checked {checked}: **{}**.\n",
        sign(report.worst()),
        tally(report.findings())
    ));
    findings_table(&mut page, report.findings());
    page.finish("handoff validate --format json")
}

/// How many findings are listed: a summary is read from the top, and a longer
/// table hides what comes after it.
const FINDINGS: usize = 100;

/// How many groups of one kind are listed.
const GROUPS: usize = 50;

/// An audit: the number, what is wrong, the classes, the times, the evidence.
pub(super) fn audit(report: &AuditReport) -> Vec<u8> {
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    let worst = match (report.complete, report.deals.is_empty()) {
        (false, _) => Some(Severity::Error),
        // Where there was nothing to judge, nothing is well.
        (true, true) => worst.max(Some(Severity::Warning)),
        (true, false) => worst,
    };
    let mut page = BoundedText::new();
    page.push("## handoff audit\n\n");
    page.push(&format!("{} **{}**\n", sign(worst), headline(report)));
    gaps(&mut page, report);
    classes(&mut page, report);
    // What follows the findings is short; they may have what is left.
    let mut rest = BoundedText::new();
    times(&mut rest, report);
    unanswered(&mut rest, report);
    for (title, noun, groups) in [
        ("CSM", "CSM", &report.metrics.by_csm),
        ("Rep", "rep", &report.metrics.by_rep),
        ("Tier", "tier", &report.metrics.by_tier),
        ("Month", "month", &report.metrics.by_month),
    ] {
        group_table(&mut rest, title, noun, groups);
    }
    rest.push("\n<details open><summary>Evidence</summary>\n\n| | |\n|---|---|\n");
    rest.rows("line of the evidence", &evidence(report), |(name, value)| {
        format!("| {name} | {} |\n", cell_code(value))
    });
    rest.push("\n</details>\n");
    page.most = MOST.saturating_sub(rest.text.len());
    findings_table(&mut page, &report.findings);
    page.push(&rest.text);
    page.left_out.extend(rest.left_out);
    page.finish("handoff audit --format json")
}

fn gaps(page: &mut BoundedText, report: &AuditReport) {
    if report.complete && report.gaps.is_empty() {
        return;
    }
    page.push("\n> [!CAUTION]\n> Not everything could be read, so this is no result.\n");
    page.most = MOST / 4;
    page.rows("gap", &report.gaps, |gap| {
        let help = gap.help.as_deref().map(|help| format!(" *help:* {}", text::markdown(help)));
        format!(
            "> - {}: {}{}\n",
            text::markdown(&gap.what),
            text::markdown(&gap.why),
            help.unwrap_or_default()
        )
    });
}

/// Count and value of each class, and how they add up.
fn classes(page: &mut BoundedText, report: &AuditReport) {
    let currencies = currencies(report);
    page.push("\n| Class | Deals |");
    for currency in &currencies {
        page.push(&format!(" {} |", text::markdown(currency_title(currency))));
    }
    page.push(&format!("\n|---|--:|{}\n", "--:|".repeat(currencies.len())));
    let mut row = |name: &str, number: usize, values: &Values| {
        page.push(&format!("| {name} | {} |", thousands(number)));
        for currency in &currencies {
            page.push(&format!(" {} |", sum(values, currency)));
        }
        page.push("\n");
    };
    for class in Class::ALL {
        row(class.label(), report.summary.of(class), report.values.of(class));
    }
    row("**closed won**", report.population.closed_won, &report.values.total());
    page.push(&format!("\n{}\n", footing(report)));
}

fn times(page: &mut BoundedText, report: &AuditReport) {
    let rows = latencies(report);
    if rows.iter().all(|(_, figures)| figures.n == 0) {
        return;
    }
    page.push("\n| Signature to | Deals | Median | p90 | Business median | Business p90 |\n");
    page.push("|---|--:|--:|--:|--:|--:|\n");
    let told = |seconds: Option<i64>| seconds.map(describe_seconds).unwrap_or_default();
    for (name, figures) in rows {
        page.push(&format!(
            "| {name} | {} | {} | {} | {} | {} |\n",
            thousands(figures.n),
            told(figures.median_s),
            told(figures.p90_s),
            told(figures.business_median_s),
            told(figures.business_p90_s)
        ));
    }
}

/// Which questions were unanswered when the briefs were delivered.
fn unanswered(page: &mut BoundedText, report: &AuditReport) {
    let asked = report.metrics.unanswered.iter().filter(|asked| asked.count > 0);
    let rows: Vec<String> = asked
        .map(|asked| {
            let (number, of) = (thousands(asked.count), thousands(asked.of));
            format!("| {} | {number} | {of} |\n", question(asked.question))
        })
        .collect();
    if !rows.is_empty() {
        page.push("\n| Unanswered at delivery | Briefs | Of |\n|---|--:|--:|\n");
        page.push(&rows.concat());
    }
}

fn group_table(page: &mut BoundedText, title: &str, noun: &str, groups: &[Group]) {
    if groups.is_empty() {
        return;
    }
    page.push(&format!("\n<details><summary>By {noun}</summary>\n\n"));
    page.push(&format!("| {title} | Deals | On time | Late | Missing | Removed | Handed over | First touch on time | Claimed | Shown by CRM |\n"));
    page.push("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for group in groups.iter().take(GROUPS) {
        let summary = &group.figures.summary;
        let [claimed, shown] = claimed_and_shown(&group.figures.first_touch_evidenced);
        page.push(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {claimed} | {shown} |\n",
            text::markdown(&text::shorten(&group.name, 120)),
            thousands(summary.total()),
            thousands(summary.on_time),
            thousands(summary.late),
            thousands(summary.missing),
            thousands(summary.removed),
            percent_or_dash(&group.figures.coverage.handed_over),
            percent_or_dash(&group.figures.first_touch_on_time)
        ));
    }
    if groups.len() > GROUPS {
        page.left_out.push(format!("{} by {}", count(groups.len() - GROUPS, "row"), noun));
    }
    page.push("\n</details>\n");
}

/// A table of findings, worst first.
fn findings_table(page: &mut BoundedText, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    page.push("\n| | Rule | Where | What is wrong, and what to do |\n|---|---|---|---|\n");
    let sorted = worst_first(findings);
    let shown = &sorted[..sorted.len().min(FINDINGS)];
    if sorted.len() > shown.len() {
        page.left_out.push(count(sorted.len() - shown.len(), "finding"));
    }
    page.rows("finding", shown, |finding| {
        let mut told = with_code(&finding.message);
        if let Some(help) = &finding.help {
            let lines = help.lines().map(with_code).filter(|line| !line.is_empty());
            told.push_str("<br>*help:* ");
            told.push_str(&lines.collect::<Vec<_>>().join("<br>"));
        }
        let place = location(finding).map(|place| cell_code(&place)).unwrap_or_default();
        format!("| {} | `{}` | {place} | {told} |\n", sign(Some(finding.severity)), finding.rule)
    });
}

/// A sentence of ours: what stands in backticks stays code, the rest is inert.
fn with_code(given: &str) -> String {
    let parts: Vec<&str> = given.split('`').collect();
    // A backtick without its other half is a character like any other.
    if parts.len().is_multiple_of(2)
        || parts.iter().skip(1).step_by(2).any(|part| part.trim().is_empty())
    {
        return text::markdown(given);
    }
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at % 2 == 1 {
            out.push_str(&cell_code(part));
            continue;
        }
        let blank = |has: bool| if has { " " } else { "" };
        let inner = text::markdown(part);
        out.push_str(blank(part.starts_with(' ')));
        out.push_str(&inner);
        out.push_str(blank(!inner.is_empty() && part.ends_with(' ')));
    }
    out
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
struct BoundedText {
    text: String,
    most: usize,
    left_out: Vec<String>,
}

impl BoundedText {
    fn new() -> Self {
        Self { text: String::new(), most: MOST, left_out: Vec::new() }
    }

    /// Adds what is bounded by itself.
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds rows as long as they fit, and remembers how many did not.
    fn rows<T>(&mut self, noun: &str, items: &[T], row: impl Fn(&T) -> String) {
        for (at, item) in items.iter().enumerate() {
            let row = row(item);
            if self.text.len() + row.len() > self.most {
                self.left_out.push(count(items.len() - at, noun));
                return;
            }
            self.text.push_str(&row);
        }
    }

    /// The text, with a last sentence about what did not fit.
    fn finish(mut self, all: &str) -> Vec<u8> {
        if !self.left_out.is_empty() {
            let left = self.left_out.join(" and ");
            self.text.push_str(&format!(
                "\n> **{left} left out:** a summary shows the worst {FINDINGS} and holds 1 MiB. All of them: {}\n",
                text::code(all)
            ));
        }
        self.text.into_bytes()
    }
}
