//! How deals, money and moments are told in findings.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::Case;
use crate::audit::SignatureRow;
use crate::finding::Location;
use crate::model::Money;
use crate::text::{one_line, quoted, shorten};
use crate::time::describe_seconds;

/// `"Acme Corp platform" (USD 48,000.00, Riley Ross)`: what a reader knows the deal by.
pub(super) fn deal(case: &Case<'_>) -> String {
    let row = &case.judged.row;
    let name = row.name.as_deref().map_or_else(|| row.key.to_string(), quoted);
    let facts: Vec<String> = row
        .value
        .as_ref()
        .map(Money::shown)
        .into_iter()
        .chain(row.owner.as_deref().map(crate::text::one_line))
        .collect();
    if facts.is_empty() { name } else { format!("{name} ({})", facts.join(", ")) }
}

/// Whether two amounts are further apart than records may be, or in two
/// currencies; one without a currency is of whichever one.
pub(super) fn differ(one: &Money, other: &Money, tolerance: Decimal) -> bool {
    let currencies = one.currency.as_ref().zip(other.currency.as_ref());
    one.amount.saturating_sub(other.amount).abs() > tolerance
        || currencies.is_some_and(|(one, other)| one != other)
}

/// `2026-11-20 15:02 UTC`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The time from one moment to a later one.
pub(super) fn time_between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    describe_seconds((to - from).num_seconds())
}

/// `"Acme order form" (pandadoc 550e8400) was signed on 2026-11-20 15:02 UTC`.
pub(super) fn signed(row: &SignatureRow) -> String {
    let id = shorten(&one_line(row.document_id.as_str()), 40);
    let document = match row.document_name.as_deref() {
        Some(name) => format!("{} ({} {id})", quoted(name), row.provider),
        None => format!("The document {id} of {}", row.provider),
    };
    let when = row.signed_at.map_or_else(String::new, |at| format!(" on {}", moment(at)));
    format!("{document} was signed{when}")
}

/// The deal a document names, quoted.
pub(super) fn named_deal(row: &SignatureRow) -> String {
    row.deal_id.as_ref().map(|id| quoted(id.as_str())).unwrap_or_default()
}

/// How a document is handed over that never arrived.
pub(super) fn catch_up(row: &SignatureRow) -> String {
    let since = row.signed_at.map_or_else(
        || "TIME".to_owned(),
        |at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    );
    format!("Run `handoff catch-up --since {since}` to make the handoff.")
}

/// The brief of the handoff that counts.
pub(super) fn brief(case: &Case<'_>) -> Location {
    case.judged
        .row
        .brief
        .as_deref()
        .map_or_else(Location::default, |folder| Location::file(format!("{folder}/brief.yaml")))
}
