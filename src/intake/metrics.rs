//! Counts for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// One thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counter {
    Received,
    Accepted,
    Rejected,
    NotStored,
    Processed,
}

/// Name, labels and meaning, in the order of the page.
const COUNTERS: &[(Counter, &str, &[&str], &str)] = &[
    (Counter::Received, "handoff_webhooks_received_total", &["provider"], "Requests to /webhooks."),
    (
        Counter::Accepted,
        "handoff_webhooks_accepted_total",
        &["provider", "as"],
        "Verified requests: stored, known already, ignored as of no interest, or a test of the address.",
    ),
    (
        Counter::Rejected,
        "handoff_webhooks_rejected_total",
        &["provider", "reason"],
        "Requests that were refused.",
    ),
    (
        Counter::NotStored,
        "handoff_webhooks_not_stored_total",
        &["provider"],
        "Verified requests that could not be stored and were answered with 503.",
    ),
    (
        Counter::Processed,
        "handoff_inbox_processed_total",
        &["provider", "outcome"],
        "Events taken from the inbox: done, held, again, or failed.",
    ),
];

/// The counts since the start.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<(Counter, Vec<String>), u64>>);

impl Metrics {
    /// Adds one.
    pub(super) fn count(&self, counter: Counter, labels: &[&str]) {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((counter, labels)).or_insert(0) += 1;
    }

    /// The counts in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = String::new();
        for (counter, name, labels, help) in COUNTERS {
            header(&mut page, name, "counter", help);
            for ((_, values), count) in counts.iter().filter(|((other, _), _)| other == counter) {
                let labels: Vec<String> = labels
                    .iter()
                    .zip(values)
                    .map(|(label, value)| format!("{label}=\"{value}\""))
                    .collect();
                // Writing to a text cannot fail.
                let _ = writeln!(page, "{name}{{{}}} {count}", labels.join(","));
            }
        }
        page
    }
}

/// The two lines that stand before a family.
pub(super) fn header(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
