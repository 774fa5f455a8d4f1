//! The metrics. Every number keeps the deals behind it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use super::{ClassCounts, DealKey, ValuesByClass};

/// So many of so many, and which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// The deals that are counted in `of` and not in `count`: what is left to do.
    pub not: Vec<DealKey>,
}

impl Share {
    /// Counts one more deal.
    pub fn count_in(&mut self, key: &DealKey, counts: bool) {
        self.of += 1;
        if counts {
            self.count += 1;
        } else {
            self.not.push(key.clone());
        }
    }
}

/// So much of so much money in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ValueShare {
    /// How much.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// Of how much.
    #[serde(with = "rust_decimal::serde::str")]
    pub of: Decimal,
}

/// How many of the deals that were due a handoff have one. Pending, exempt
/// and excluded deals are not due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// On time or late, of all that were due.
    pub handed_over: Share,
    /// On time, of all that were due.
    pub on_time: Share,
    /// Handed over by value, for each currency.
    pub handed_over_value: BTreeMap<String, ValueShare>,
    /// On time by value, for each currency.
    pub on_time_value: BTreeMap<String, ValueShare>,
}

/// One deal's time between two events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The deal.
    pub key: DealKey,
    /// Calendar seconds.
    pub seconds: i64,
    /// Business seconds, where a calendar is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_seconds: Option<i64>,
}

/// Median and 90th percentile (nearest rank) of some times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencyFigures {
    /// How many deals are measured.
    pub n: usize,
    /// The median in calendar seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_s: Option<i64>,
    /// The 90th percentile in calendar seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_s: Option<i64>,
    /// The median in business seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_median_s: Option<i64>,
    /// The 90th percentile in business seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_p90_s: Option<i64>,
}

/// A latency with the deals behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The figures.
    #[serde(flatten)]
    pub figures: LatencyFigures,
    /// The deals, slowest first.
    pub samples: Vec<Sample>,
}

/// The times from the signature on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Latencies<T> {
    /// To the signed brief on the default branch.
    pub signature_to_brief: T,
    /// To the first-touch task.
    pub signature_to_task: T,
    /// To the first touch.
    pub signature_to_first_touch: T,
    /// To the acceptance.
    pub signature_to_acceptance: T,
}

/// How often one field was unanswered when the brief was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldCount {
    /// The field, dotted.
    pub field: String,
    /// How many briefs.
    pub count: usize,
    /// Which.
    pub deals: Vec<DealKey>,
}

/// How often one of the seven questions was unanswered at delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuestionCount {
    /// The question, 1 to 7; absent for a company's own fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<u8>,
    /// How many briefs leave at least one of its fields unanswered.
    pub count: usize,
    /// Of how many delivered briefs.
    pub of: usize,
    /// Which.
    pub deals: Vec<DealKey>,
    /// The fields, most often unanswered first.
    pub fields: Vec<FieldCount>,
}

/// How often a brief was returned for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReturnCount {
    /// The reason: `unanswered`, `wrong`, `not-our-customer`, or `other` for free text.
    pub reason: String,
    /// How many returns; one deal may be returned more than once.
    pub count: usize,
    /// Which deals.
    pub deals: Vec<DealKey>,
}

/// The same figures for some of the deals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The CSM, rep, tier or month (`2026-11`); `(none)` where the record does not say.
    pub name: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The deals of the group.
    pub deals: Vec<DealKey>,
}

/// What is measured for a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// How many deals of each class.
    pub summary: ClassCounts,
    /// What they are worth.
    pub values: ValuesByClass,
    /// How many have their handoff.
    pub coverage: Coverage,
    /// The times.
    pub latency: Latencies<LatencyFigures>,
    /// How many briefs were complete when they were delivered.
    pub first_pass_complete: Share,
    /// First touches in time, of those that were made or are overdue.
    pub first_touch_on_time: Share,
    /// Of the first touches, how many the CRM shows; the others are claimed.
    pub first_touch_evidenced: Share,
    /// The deals that were returned at least once.
    pub returned: Vec<DealKey>,
}

/// All metrics of an audit, over the deals in scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// How many of the deals that were due have their handoff.
    pub coverage: Coverage,
    /// The times from the signature on.
    pub latency: Latencies<Latency>,
    /// How many briefs were complete when they were delivered.
    pub first_pass_complete: Share,
    /// First touches in time, of those that were made or are overdue.
    pub first_touch_on_time: Share,
    /// Of the first touches, how many the CRM shows; the others are claimed.
    pub first_touch_evidenced: Share,
    /// What was unanswered, by question.
    pub unanswered: Vec<QuestionCount>,
    /// Why briefs were returned, most frequent first.
    pub returns: Vec<ReturnCount>,
    /// By the CSM the brief names.
    pub by_csm: Vec<Group>,
    /// By the deal's owner.
    pub by_rep: Vec<Group>,
    /// By the customer's tier.
    pub by_tier: Vec<Group>,
    /// By the month in which the deal was won, in the calendar's time zone, else UTC.
    pub by_month: Vec<Group>,
}
