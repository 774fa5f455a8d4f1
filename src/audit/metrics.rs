//! The metrics over the deals in scope.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use rayon::prelude::*;

use super::metric_values::{
    Coverage, FieldCount, Figures, Group, Latencies, Latency, LatencyFigures, Metrics,
    QuestionCount, ReturnCount, Sample, Share, ValueShare,
};
use super::rows::{Elapsed, Judged};
use super::{Class, DealKey, Policy};
use crate::brief::{EventKind, TouchEvidence};
use crate::model::Money;

/// What a group is called where the record does not say.
const NONE: &str = "(none)";

/// The reasons for a return that have a name of their own.
const RETURN_REASONS: [&str; 3] = ["unanswered", "wrong", "not-our-customer"];

/// Counts and measures the deals in scope.
pub(super) fn measure(judged: &[Judged<'_>], policy: &Policy, as_of: DateTime<Utc>) -> Metrics {
    let in_scope: Vec<&Judged<'_>> =
        judged.iter().filter(|judged| judged.row.class != Class::Excluded).collect();
    let month = |judged: &Judged<'_>| {
        let at = policy.local(judged.row.closed_won_at?);
        Some(match at.year() {
            // What the pattern gives, in a tenth of its time.
            year @ 0..=9999 => format!("{year:04}-{:02}", at.month()),
            _ => at.format("%Y-%m").to_string(),
        })
    };
    Metrics {
        coverage: coverage(&in_scope),
        latency: Latencies {
            signature_to_brief: latency(&in_scope, |times| times.signature_to_brief),
            signature_to_task: latency(&in_scope, |times| times.signature_to_task),
            signature_to_first_touch: latency(&in_scope, |times| times.signature_to_first_touch),
            signature_to_acceptance: latency(&in_scope, |times| times.signature_to_acceptance),
        },
        first_pass_complete: first_pass(&in_scope),
        first_touch_on_time: touched_on_time(&in_scope, as_of),
        first_touch_evidenced: evidenced(&in_scope),
        unanswered: unanswered(&in_scope),
        returns: returns(&in_scope),
        by_csm: groups(&in_scope, as_of, |judged| judged.row.csm.clone()),
        by_rep: groups(&in_scope, as_of, |judged| judged.row.owner.clone()),
        by_tier: groups(&in_scope, as_of, |judged| judged.row.tier.clone()),
        by_month: groups(&in_scope, as_of, month),
    }
}

fn coverage(judged: &[&Judged<'_>]) -> Coverage {
    let mut coverage = Coverage::default();
    for row in judged.iter().map(|judged| &judged.row).filter(|row| row.class.is_due()) {
        let on_time = row.class == Class::OnTime;
        coverage.handed_over.count_in(&row.key, row.class.is_covered());
        coverage.on_time.count_in(&row.key, on_time);
        if let Some(value) = &row.value {
            add_value(&mut coverage.handed_over_value, value, row.class.is_covered());
            add_value(&mut coverage.on_time_value, value, on_time);
        }
    }
    coverage
}

fn add_value(shares: &mut BTreeMap<String, ValueShare>, value: &Money, counts: bool) {
    let currency = value.currency.as_deref().unwrap_or(super::Values::NO_CURRENCY);
    let share = match shares.get_mut(currency) {
        Some(share) => share,
        None => shares.entry(currency.to_owned()).or_default(),
    };
    share.of = share.of.saturating_add(value.amount);
    if counts {
        share.amount = share.amount.saturating_add(value.amount);
    }
}

/// One of a deal's times.
type Pick = fn(&Latencies<Option<Elapsed>>) -> Option<Elapsed>;

/// The times of the deals that have been handed over and have both moments,
/// with the deals behind them.
fn latency(judged: &[&Judged<'_>], pick: Pick) -> Latency {
    // Nearly all deals have one: a list that grows would take its room three times.
    let mut samples: Vec<Sample> = Vec::with_capacity(judged.len());
    samples.extend(judged.iter().filter_map(|judged| {
        let elapsed = pick(&judged.times)?;
        Some(Sample {
            key: judged.row.key.clone(),
            seconds: elapsed.seconds,
            business_seconds: elapsed.business_seconds,
        })
    }));
    samples.par_sort_by(|a, b| b.seconds.cmp(&a.seconds).then_with(|| a.key.cmp(&b.key)));
    Latency { figures: latency_figures(judged, pick), samples }
}

fn latency_figures(judged: &[&Judged<'_>], pick: Pick) -> LatencyFigures {
    let times = || judged.iter().filter_map(|judged| pick(&judged.times));
    let mut plain: Vec<i64> = Vec::with_capacity(judged.len());
    plain.extend(times().map(|elapsed| elapsed.seconds));
    let business = times().filter_map(|elapsed| elapsed.business_seconds).collect();
    let n = plain.len();
    let (median_s, p90_s) = median_and_p90(plain);
    let (business_median_s, business_p90_s) = median_and_p90(business);
    LatencyFigures { n, median_s, p90_s, business_median_s, business_p90_s }
}

/// The median (of an even number, the mean of the middle two, rounded down)
/// and the 90th percentile by nearest rank.
pub(super) fn median_and_p90(mut values: Vec<i64>) -> (Option<i64>, Option<i64>) {
    values.sort_unstable();
    let n = values.len();
    if n == 0 {
        return (None, None);
    }
    let median = if n % 2 == 1 {
        values[n / 2]
    } else {
        let (low, high) = (values[n / 2 - 1], values[n / 2]);
        low + (high - low).div_euclid(2)
    };
    let rank = (n * 9).div_ceil(10);
    (Some(median), Some(values[rank - 1]))
}

fn first_pass(judged: &[&Judged<'_>]) -> Share {
    let mut share = Share::default();
    for judged in judged {
        if judged.handed_over().is_some() {
            share.count_in(&judged.row.key, judged.row.complete == Some(true));
        }
    }
    share
}

/// Of the deals whose first touch was made or is overdue, those where it came in time.
fn touched_on_time(judged: &[&Judged<'_>], as_of: DateTime<Utc>) -> Share {
    let mut share = Share::default();
    for row in judged.iter().map(|judged| &judged.row) {
        let Some(due) = row.first_touch_due else { continue };
        match row.first_touch_at {
            Some(at) => share.count_in(&row.key, at <= due),
            None if due < as_of => share.count_in(&row.key, false),
            None => {}
        }
    }
    share
}

/// Of the deals whose CSM has touched the customer, those of which the CRM shows it.
fn evidenced(judged: &[&Judged<'_>]) -> Share {
    let mut share = Share::default();
    for judged in judged.iter().filter(|judged| judged.handed_over().is_some()) {
        if let Some(evidence) = judged.row.first_touch_evidence {
            share.count_in(&judged.row.key, evidence == TouchEvidence::Crm);
        }
    }
    share
}

fn unanswered(judged: &[&Judged<'_>]) -> Vec<QuestionCount> {
    type DealsByField<'a> = BTreeMap<&'a str, Vec<DealKey>>;
    let delivered = judged.iter().filter(|judged| judged.handed_over().is_some()).count();
    // `None`, a company's own fields, goes behind the seven questions.
    let mut questions: BTreeMap<(bool, Option<u8>), DealsByField<'_>> = BTreeMap::new();
    for judged in judged {
        for missing in judged.unanswered() {
            let question = (missing.question.is_none(), missing.question);
            let deals = questions.entry(question).or_default().entry(&missing.field).or_default();
            if deals.last() != Some(&judged.row.key) {
                deals.push(judged.row.key.clone());
            }
        }
    }
    questions
        .into_iter()
        .map(|((_, question), fields)| {
            let mut deals: Vec<DealKey> = fields.values().flatten().cloned().collect();
            deals.sort();
            deals.dedup();
            let mut fields: Vec<FieldCount> = fields
                .into_iter()
                .map(|(field, deals)| FieldCount {
                    field: field.to_owned(),
                    count: deals.len(),
                    deals,
                })
                .collect();
            fields.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.field.cmp(&b.field)));
            QuestionCount { question, count: deals.len(), of: delivered, deals, fields }
        })
        .collect()
}

/// The name of a return's reason: its first word, where that is one of the known ones.
pub(super) fn return_reason(text: Option<&str>) -> &'static str {
    let text = text.unwrap_or_default().trim().to_lowercase();
    RETURN_REASONS
        .into_iter()
        .find(|reason| {
            text.strip_prefix(reason)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
        })
        .unwrap_or("other")
}

fn returns(judged: &[&Judged<'_>]) -> Vec<ReturnCount> {
    let mut reasons: BTreeMap<&str, (usize, Vec<DealKey>)> = BTreeMap::new();
    for judged in judged {
        let handoff = judged.handed_over().into_iter();
        for event in handoff.flat_map(|handoff| handoff.events.of(EventKind::Returned)) {
            let (count, deals) = reasons.entry(return_reason(event.reason)).or_default();
            *count += 1;
            if deals.last() != Some(&judged.row.key) {
                deals.push(judged.row.key.clone());
            }
        }
    }
    let mut returns: Vec<ReturnCount> = reasons
        .into_iter()
        .map(|(reason, (count, deals))| ReturnCount { reason: reason.to_owned(), count, deals })
        .collect();
    returns.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    returns
}

/// The same figures for each value of one field; by name, and last the deals
/// of which the record does not say.
fn groups<'a>(
    judged: &[&'a Judged<'a>],
    as_of: DateTime<Utc>,
    name: impl Fn(&Judged<'_>) -> Option<String>,
) -> Vec<Group> {
    let mut groups: BTreeMap<(bool, String), Vec<&Judged<'_>>> = BTreeMap::new();
    for judged in judged {
        let name = name(judged).filter(|name| !name.trim().is_empty());
        let name = name.map_or_else(|| (true, NONE.to_owned()), |name| (false, name));
        groups.entry(name).or_default().push(judged);
    }
    let groups: Vec<_> = groups.into_iter().collect();
    groups
        .into_par_iter()
        .map(|((_, name), members)| Group {
            name,
            figures: figures(&members, as_of),
            deals: members.iter().map(|judged| judged.row.key.clone()).collect(),
        })
        .collect()
}

fn figures(judged: &[&Judged<'_>], as_of: DateTime<Utc>) -> Figures {
    let mut figures = Figures {
        coverage: coverage(judged),
        latency: Latencies {
            signature_to_brief: latency_figures(judged, |times| times.signature_to_brief),
            signature_to_task: latency_figures(judged, |times| times.signature_to_task),
            signature_to_first_touch: latency_figures(judged, |times| {
                times.signature_to_first_touch
            }),
            signature_to_acceptance: latency_figures(judged, |times| times.signature_to_acceptance),
        },
        first_pass_complete: first_pass(judged),
        first_touch_on_time: touched_on_time(judged, as_of),
        first_touch_evidenced: evidenced(judged),
        ..Figures::default()
    };
    for judged in judged {
        figures.summary.add(judged.row.class);
        if let Some(value) = &judged.row.value {
            figures.values.add(judged.row.class, value);
        }
        if judged.handed_over().is_some_and(|handoff| handoff.events.has(EventKind::Returned)) {
            figures.returned.push(judged.row.key.clone());
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_p90_by_nearest_rank() {
        assert_eq!(median_and_p90(vec![]), (None, None));
        assert_eq!(median_and_p90(vec![7]), (Some(7), Some(7)));
        assert_eq!(median_and_p90(vec![4, 1]), (Some(2), Some(4)));
        assert_eq!(median_and_p90((1..=10).rev().collect()), (Some(5), Some(9)));
        assert_eq!(median_and_p90((1..=11).collect()), (Some(6), Some(10)));
    }

    #[test]
    fn a_returns_reason_is_its_first_word() {
        assert_eq!(return_reason(Some("Unanswered: who signs?")), "unanswered");
        assert_eq!(return_reason(Some("wrong")), "wrong");
        assert_eq!(return_reason(Some("wrongly assigned")), "other");
        assert_eq!(return_reason(Some("not-our-customer, moved to EMEA")), "not-our-customer");
        assert_eq!(return_reason(None), "other");
    }
}
