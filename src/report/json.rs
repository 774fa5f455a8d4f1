//! Results for programs: versioned, stable key order, indented.

use serde::Serialize;

use super::FindingsReport;
use crate::finding::Finding;

/// The version of the contract in `docs/formats.md`. It grows when a field
/// changes its meaning or goes; new fields may come without it.
const FINDINGS_VERSION: u32 = 1;

#[derive(Serialize)]
struct Findings<'a> {
    version: u32,
    checked: usize,
    findings: &'a [Finding],
}

/// `{version, checked, findings}`.
pub(super) fn findings(report: &FindingsReport) -> Vec<u8> {
    pretty(&Findings {
        version: FINDINGS_VERSION,
        checked: report.checked().len(),
        findings: report.findings(),
    })
}

/// Indented JSON with a line end. Characters that would act on a terminal or
/// reorder what is read are written as `\u` escapes, which every reader takes
/// for the same characters.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let json =
        serde_json::to_string_pretty(value).expect("plain data with text keys always becomes JSON");
    // They stand in texts alone: JSON's own signs are ASCII.
    let mut out = String::with_capacity(json.len() + 1);
    let mut rest = json.as_str();
    while let Some(at) = rest.find(acts) {
        out.push_str(&rest[..at]);
        let c = rest[at..].chars().next().expect("one was found there");
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
    out.push('\n');
    out.into_bytes()
}

/// Whether a character moves the cursor, hides or reorders what is read.
/// Those below U+0020 are escaped by JSON itself.
fn acts(c: char) -> bool {
    matches!(c,
        '\u{7F}'..='\u{9F}' | '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}
