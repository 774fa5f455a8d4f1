//! Counts for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// One thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Requests, by provider.
    Received,
    /// Verified requests, by provider and what was done.
    Accepted,
    /// Refused requests, by provider and reason.
    Rejected,
    /// Verified requests that could not be stored, by provider.
    NotStored,
    /// Events taken from the inbox, by provider and outcome.
    Processed,
    /// Deliveries, by target, event and outcome.
    Delivered,
    /// Reminders, by target and outcome.
    Reminded,
    /// Pushes to the ledger's remote, by outcome.
    Pushed,
    /// Times that the worker crashed.
    Restarted,
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
    (
        Counter::Delivered,
        "handoff_deliveries_total",
        &["target", "event", "outcome"],
        "Deliveries: made, found as made before, or failed.",
    ),
    (
        Counter::Reminded,
        "handoff_reminders_total",
        &["target", "outcome"],
        "Reminders and escalations.",
    ),
    (
        Counter::Pushed,
        "handoff_pushes_total",
        &["outcome"],
        "Times the ledger and its remote were brought together: done, refused, failed, or slow.",
    ),
    (
        Counter::Restarted,
        "handoff_worker_restarts_total",
        &[],
        "Times the worker crashed, which is a bug, and was restarted.",
    ),
];

/// Upper bounds of the ages of deliveries, in seconds.
const AGES: [u64; 8] = [10, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];

/// How old signatures were when a delivery of theirs was made.
#[derive(Debug, Clone, Default)]
struct Ages {
    within: [u64; AGES.len()],
    count: u64,
    sum: u64,
}

/// What is wrong now and needs no event to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degraded {
    /// Settings, CRM or deliveries cannot be used: events are kept.
    Settings,
    /// The remote lacks what is committed.
    Remote,
}

/// What may become of a push.
const PUSHED: [&str; 4] = ["done", "refused", "failed", "slow"];

/// The counts since the start.
#[derive(Debug)]
pub struct ServiceMetrics {
    counts: Mutex<BTreeMap<(Counter, Vec<String>), u64>>,
    ages: Mutex<BTreeMap<String, Ages>>,
    degraded: Mutex<BTreeMap<Degraded, String>>,
}

impl Default for ServiceMetrics {
    /// What has the same labels everywhere begins at zero.
    fn default() -> Self {
        let new =
            Self { counts: Mutex::default(), ages: Mutex::default(), degraded: Mutex::default() };
        for outcome in PUSHED {
            new.begin(Counter::Pushed, &[outcome]);
        }
        new.begin(Counter::Restarted, &[]);
        new
    }
}

impl ServiceMetrics {
    /// Lets a count stand at zero before its first event: a rate over a series
    /// that was not there before does not see its first step.
    pub fn begin(&self, counter: Counter, labels: &[&str]) {
        self.add(counter, labels, 0);
    }

    /// Has the counts of a sender begin at zero.
    pub(super) fn begin_sender(&self, name: &str) {
        self.begin(Counter::Received, &[name]);
        self.begin(Counter::NotStored, &[name]);
        for what in ["stored", "known", "ignored", "test"] {
            self.begin(Counter::Accepted, &[name, what]);
        }
        self.begin(Counter::Rejected, &[name, "bad_signature"]);
    }

    /// Has the counts of a target's delivery begin at zero.
    pub fn begin_delivery(&self, target: &str, event: &str) {
        for outcome in ["made", "found", "failed"] {
            self.begin(Counter::Delivered, &[target, event, outcome]);
        }
    }

    fn add(&self, counter: Counter, labels: &[&str], more: u64) {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((counter, labels)).or_insert(0) += more;
    }

    /// Adds one.
    pub fn count(&self, counter: Counter, labels: &[&str]) {
        self.add(counter, labels, 1);
    }

    /// Notes how old a signature was when this target had its delivery.
    pub fn delivered_after(&self, target: &str, seconds: u64) {
        let mut all = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        let ages = all.entry(target.to_owned()).or_default();
        for (bound, within) in AGES.iter().zip(&mut ages.within) {
            *within += u64::from(seconds <= *bound);
        }
        ages.count += 1;
        ages.sum = ages.sum.saturating_add(seconds);
    }

    /// Notes that something is wrong, or is not any more.
    pub fn degraded(&self, what: Degraded, why: Option<String>) {
        let mut all = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => all.insert(what, why),
            None => all.remove(&what),
        };
    }

    /// What is wrong now.
    #[must_use]
    pub fn degradations(&self) -> Vec<(Degraded, String)> {
        let all = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(what, why)| (*what, why.clone())).collect()
    }

    /// The counts in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
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
                let labels = labels.join(",");
                let _ = match labels.is_empty() {
                    true => writeln!(page, "{name} {count}"),
                    false => writeln!(page, "{name}{{{labels}}} {count}"),
                };
            }
        }
        drop(counts);
        self.render_ages(&mut page);
        let help = "Requests to CRMs, providers and targets, by host and outcome.";
        header(&mut page, "handoff_http_requests_total", "counter", help);
        for ((host, outcome), count) in crate::http::requests() {
            let _ = writeln!(
                page,
                "handoff_http_requests_total{{host=\"{host}\",outcome=\"{outcome}\"}} {count}"
            );
        }
        let help = "Whether settings, CRM and deliveries can be used.";
        header(&mut page, "handoff_settings_usable", "gauge", help);
        let broken = self.degradations().iter().any(|(what, _)| *what == Degraded::Settings);
        let _ = writeln!(page, "handoff_settings_usable {}", u8::from(!broken));
        header(&mut page, "handoff_build_info", "gauge", "The version that runs.");
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(page, "handoff_build_info{{version=\"{version}\"}} 1");
        page
    }

    fn render_ages(&self, page: &mut String) {
        let name = "handoff_delivery_age_seconds";
        let help = "How old the signature was when a delivery was made.";
        header(page, name, "histogram", help);
        let all = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, ages) in all.iter() {
            for (bound, within) in AGES.iter().zip(ages.within) {
                let _ =
                    writeln!(page, "{name}_bucket{{target=\"{target}\",le=\"{bound}\"}} {within}");
            }
            let _ = writeln!(
                page,
                "{name}_bucket{{target=\"{target}\",le=\"+Inf\"}} {count}\n{name}_sum{{target=\"{target}\"}} {}\n{name}_count{{target=\"{target}\"}} {count}",
                ages.sum,
                count = ages.count
            );
        }
    }
}

/// The two lines that stand before a family.
pub(super) fn header(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
