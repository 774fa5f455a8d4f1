//! How deals, money and moments are told in findings.

use chrono::{DateTime, Utc};

use super::Case;
use crate::facts::Money;
use crate::finding::Place;
use crate::text::quoted;
use crate::time::describe_seconds;

/// `"Acme Corp platform" (48000.00 USD, Riley Ross)`: what a reader knows the deal by.
pub(super) fn deal(case: &Case<'_>) -> String {
    let row = &case.judged.row;
    let name = row.name.as_deref().map_or_else(|| row.key.to_string(), quoted);
    let facts: Vec<String> = row
        .value
        .as_ref()
        .map(money)
        .into_iter()
        .chain(row.owner.as_deref().map(crate::text::one_line))
        .collect();
    if facts.is_empty() { name } else { format!("{name} ({})", facts.join(", ")) }
}

pub(super) fn money(money: &Money) -> String {
    match &money.currency {
        Some(currency) => format!("{} {currency}", money.amount),
        None => money.amount.to_string(),
    }
}

/// `2026-11-20 15:02 UTC`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The time from one moment to a later one.
pub(super) fn time_between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    describe_seconds((to - from).num_seconds())
}

/// The brief of the handoff that counts.
pub(super) fn brief(case: &Case<'_>) -> Place {
    case.judged
        .row
        .brief
        .as_deref()
        .map_or_else(Place::default, |folder| Place::file(format!("{folder}/brief.yaml")))
}
