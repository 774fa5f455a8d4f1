//! How findings and audits are shown: one file for each format. Imports from
//! `audit`, `finding`, `model` and `text` only; nothing outside this room knows
//! what a format looks like.
//!
//! A new format is one file here, one variant and one row in `format.rs`, one
//! arm in each `match` below, and one section in `docs/formats.md`.

mod csv;
mod findings;
mod format;
mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod sarif;
mod sentences;
pub mod table;
mod text;

pub use csv::csv_table;
pub use findings::FindingsReport;
pub use format::{Format, Options, UnknownFormat};

use std::io::{self, Write};

use crate::audit::AuditReport;

/// Renders what `handoff validate` found. The same report gives the same
/// bytes.
#[must_use]
pub fn render_findings(format: Format, report: &FindingsReport, options: &Options) -> Vec<u8> {
    match format {
        Format::Text => text::findings(report, options),
        Format::Json => json::findings(report),
        Format::Markdown => markdown::findings(report),
        Format::Html => html::findings(report),
        Format::Csv => csv::findings(report),
        Format::Github => github::findings(report),
        Format::Sarif => sarif::findings(report),
        Format::Junit => junit::findings(report),
    }
}

/// An audit in one line: `92.0 % handed over, 3 errors`.
#[must_use]
pub fn audit_summary(report: &AuditReport) -> String {
    let share = &report.metrics.coverage.handed_over;
    let told = sentences::tally(&report.findings);
    let told = if report.complete { told } else { format!("{told}, incomplete") };
    match sentences::percent(share.count, share.of) {
        Some(percent) => format!("{percent} handed over, {told}"),
        None => format!("no deal was due, {told}"),
    }
}

/// An audit in a few lines: the one number, and a line of at most so many
/// characters for each finding.
#[must_use]
pub fn audit_in_short(report: &AuditReport, options: &Options, width: usize) -> Vec<String> {
    text::in_short(report, options, width)
}

/// Writes an audit as [`render_audit`] gives it; JSON as it is made, without
/// holding all of it.
///
/// # Errors
/// When `out` takes no more.
pub fn write_audit(
    format: Format,
    report: &AuditReport,
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Json => json::write_pretty(report, out),
        _ => out.write_all(&render_audit(format, report, options)),
    }
}

/// Renders an audit. The same report gives the same bytes.
#[must_use]
pub fn render_audit(format: Format, report: &AuditReport, options: &Options) -> Vec<u8> {
    match format {
        Format::Text => text::audit(report, options),
        Format::Json => json::pretty(report),
        Format::Markdown => markdown::audit(report),
        Format::Html => html::audit(report),
        Format::Csv => csv::audit(report),
        Format::Github => github::audit(report),
        Format::Sarif => sarif::audit(report),
        Format::Junit => junit::audit(report),
    }
}
