//! Tables for spreadsheets: RFC 4180, UTF-8, and no cell that a spreadsheet
//! would compute (<https://owasp.org/www-community/attacks/CSV_Injection>).

use super::FindingsReport;

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

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let records = std::iter::once(header.iter().map(ToString::to_string).collect()).chain(rows);
    for record in records {
        writer.write_record(&record).expect("rows of one length go into memory");
    }
    writer.into_inner().expect("memory can be flushed")
}
