//! Tables for spreadsheets: RFC 4180, UTF-8, and no cell that a spreadsheet
//! would compute (<https://owasp.org/www-community/attacks/CSV_Injection>).

use chrono::{DateTime, Utc};

use super::FindingsReport;
use super::sentences::moment;
use crate::audit::{AuditReport, DealRow, Matched};
use crate::text;

/// One row for each finding.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    let header =
        ["rule", "severity", "message", "help", "key", "file", "line", "column", "question"];
    let rows = report.findings().iter().map(|finding| {
        let place = &finding.place;
        vec![
            safe(finding.rule),
            safe(finding.severity.as_str()),
            safe(&finding.message),
            safe(finding.help.as_deref().unwrap_or_default()),
            safe(finding.key.as_ref().map_or("", |key| key.as_str())),
            safe(place.file.as_deref().unwrap_or_default()),
            number(place.line),
            number(place.column),
            number(finding.question),
        ]
    });
    table(&header, rows)
}

/// One row for each closed-won deal. Every row says whether the audit saw
/// everything, because a table has no other place for it.
pub(super) fn audit(report: &AuditReport) -> Vec<u8> {
    let rows = report.deals.iter().map(|deal| deal_cells(deal, report.complete));
    table(DEAL_COLUMNS, rows)
}

const DEAL_COLUMNS: &[&str] = &[
    "key",
    "class",
    "reason",
    "name",
    "crm",
    "deal_id",
    "url",
    "owner",
    "csm",
    "tier",
    "amount",
    "currency",
    "closed_won_at",
    "closed_won_evidence",
    "approver",
    "brief",
    "matched",
    "signed_at",
    "received_at",
    "delivered_at",
    "delivered_commit",
    "latency_s",
    "business_latency_s",
    "task",
    "task_at",
    "first_touch_due",
    "first_touch_at",
    "accepted_at",
    "complete",
    "unanswered",
    "backfilled",
    "suggestion",
    "findings",
    "audit_complete",
];

fn deal_cells(deal: &DealRow, complete: bool) -> Vec<String> {
    let optional = |text: &Option<String>| safe(text.as_deref().unwrap_or_default());
    let at = |at: Option<DateTime<Utc>>| at.map(moment).unwrap_or_default();
    let matched = match deal.matched {
        None => "",
        Some(Matched::Key) => "key",
        Some(Matched::MergedId) => "merged_id",
        Some(Matched::Document) => "document",
    };
    let suggestion = deal.suggestion.as_ref();
    let suggestion = suggestion.map(|it| format!("{} ({})", it.what, it.because));
    vec![
        safe(deal.key.as_str()),
        safe(deal.class.as_str()),
        optional(&deal.reason),
        optional(&deal.name),
        safe(deal.crm.as_str()),
        safe(deal.deal_id.as_str()),
        optional(&deal.url),
        optional(&deal.owner),
        optional(&deal.csm),
        optional(&deal.tier),
        number(deal.value.as_ref().map(|value| value.amount)),
        safe(deal.value.as_ref().and_then(|value| value.currency.as_deref()).unwrap_or_default()),
        at(deal.closed_won_at),
        optional(&deal.closed_won_evidence),
        optional(&deal.approver),
        optional(&deal.brief),
        safe(matched),
        at(deal.signed_at),
        at(deal.received_at),
        at(deal.delivered_at),
        number(deal.delivered_commit),
        number(deal.latency_s),
        number(deal.business_latency_s),
        optional(&deal.task),
        at(deal.task_at),
        at(deal.first_touch_due),
        at(deal.first_touch_at),
        at(deal.accepted_at),
        number(deal.complete),
        safe(&deal.unanswered.join("; ")),
        number(Some(deal.backfilled)),
        optional(&suggestion),
        safe(&deal.findings.join("; ")),
        number(Some(complete)),
    ]
}

/// A number's own text; it may begin with a sign.
fn number(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A text that no spreadsheet takes for a formula: on one line, and behind an
/// apostrophe where it begins like one.
fn safe(given: &str) -> String {
    let line = text::one_line(given);
    let acts = |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    // A tab or a line end in front is one of the signs too, and is gone from the line.
    let began_blank = given.starts_with(['\t', '\r', '\n']);
    if line.starts_with(acts) || (began_blank && !line.is_empty()) {
        format!("'{line}")
    } else {
        line
    }
}

/// A table of texts for a spreadsheet; no cell is taken for a formula.
#[must_use]
pub fn csv_table(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    table(header, rows.iter().map(|row| row.iter().map(|cell| safe(cell)).collect()))
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let records = std::iter::once(header.iter().map(ToString::to_string).collect()).chain(rows);
    for record in records {
        writer.write_record(&record).expect("rows of one length go into memory");
    }
    writer.into_inner().expect("memory can be flushed")
}
