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

/// Indented JSON with a line end.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).expect("plain data with text keys always becomes JSON");
    bytes.push(b'\n');
    bytes
}
