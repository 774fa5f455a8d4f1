//! The figures of the made-up company, counted the plain way.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use handoff::audit::{
    Class, ClassCounts, Coverage, DealKey, DealRow, Figures, Group, Latencies, Latency,
    LatencyFigures, Sample, Share, ValueShare, ValuesByClass,
};
use handoff::brief::TouchEvidence;

fn percentile(sorted: &[i64], share: usize) -> Option<i64> {
    (!sorted.is_empty()).then(|| sorted[(sorted.len() * share).div_ceil(100).max(1) - 1])
}

fn figures_of(samples: &[Sample]) -> LatencyFigures {
    let mut seconds: Vec<i64> = samples.iter().map(|sample| sample.seconds).collect();
    seconds.sort_unstable();
    let mut business: Vec<i64> =
        samples.iter().filter_map(|sample| sample.business_seconds).collect();
    business.sort_unstable();
    LatencyFigures {
        n: samples.len(),
        median_s: percentile(&seconds, 50),
        p90_s: percentile(&seconds, 90),
        business_median_s: percentile(&business, 50),
        business_p90_s: percentile(&business, 90),
    }
}

fn latency(rows: &[&DealRow], end: impl Fn(&DealRow) -> Option<DateTime<Utc>>) -> Latency {
    let mut samples: Vec<Sample> = rows
        .iter()
        .filter_map(|row| {
            let seconds = (end(row)? - row.signed_at?).num_seconds();
            Some(Sample { key: row.key.clone(), seconds, business_seconds: Some(seconds / 3) })
        })
        .collect();
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.seconds));
    Latency { figures: figures_of(&samples), samples }
}

pub(crate) fn latencies(rows: &[&DealRow]) -> Latencies<Latency> {
    Latencies {
        signature_to_brief: latency(rows, |row| row.delivered_at),
        signature_to_task: latency(rows, |row| row.task_at),
        signature_to_first_touch: latency(rows, |row| row.first_touch_at),
        signature_to_acceptance: latency(rows, |row| row.accepted_at),
    }
}

fn share(
    rows: &[&DealRow],
    of: impl Fn(&DealRow) -> bool,
    counts: impl Fn(&DealRow) -> bool,
) -> Share {
    let all: Vec<&&DealRow> = rows.iter().filter(|row| of(row)).collect();
    let not: Vec<DealKey> =
        all.iter().filter(|row| !counts(row)).map(|row| row.key.clone()).collect();
    Share { count: all.len() - not.len(), of: all.len(), not }
}

pub(crate) fn coverage(rows: &[&DealRow]) -> Coverage {
    Coverage {
        handed_over: share(rows, |row| row.class.is_due(), |row| row.class.is_covered()),
        on_time: share(rows, |row| row.class.is_due(), |row| row.class == Class::OnTime),
        handed_over_value: BTreeMap::from([("USD".to_owned(), ValueShare::default())]),
        on_time_value: BTreeMap::new(),
    }
}

pub(crate) fn counted(rows: &[&DealRow]) -> (ClassCounts, ValuesByClass) {
    let mut counts = ClassCounts::default();
    let mut values = ValuesByClass::default();
    for row in rows {
        counts.add(row.class);
        if let Some(value) = &row.value {
            values.add(row.class, value);
        }
    }
    (counts, values)
}

pub(crate) fn first_pass(rows: &[&DealRow]) -> Share {
    share(rows, |row| row.complete.is_some(), |row| row.complete == Some(true))
}

pub(crate) fn touched_on_time(rows: &[&DealRow]) -> Share {
    let touched = |row: &DealRow| row.first_touch_at.zip(row.first_touch_due);
    share(rows, |row| touched(row).is_some(), |row| touched(row).is_some_and(|(at, due)| at <= due))
}

pub(crate) fn evidenced(rows: &[&DealRow]) -> Share {
    let shown = Some(TouchEvidence::Crm);
    share(rows, |row| row.first_touch_at.is_some(), |row| row.first_touch_evidence == shown)
}

pub(crate) fn groups(rows: &[&DealRow], name: impl Fn(&DealRow) -> Option<String>) -> Vec<Group> {
    let mut by_name: BTreeMap<String, Vec<&DealRow>> = BTreeMap::new();
    for row in rows {
        by_name.entry(name(row).unwrap_or_else(|| "(none)".to_owned())).or_default().push(row);
    }
    by_name
        .into_iter()
        .map(|(name, rows)| {
            let (summary, values) = counted(&rows);
            let latency = latencies(&rows);
            let figures = Figures {
                summary,
                values,
                coverage: coverage(&rows),
                latency: Latencies {
                    signature_to_brief: latency.signature_to_brief.figures,
                    signature_to_task: latency.signature_to_task.figures,
                    signature_to_first_touch: latency.signature_to_first_touch.figures,
                    signature_to_acceptance: latency.signature_to_acceptance.figures,
                },
                first_pass_complete: first_pass(&rows),
                first_touch_on_time: touched_on_time(&rows),
                first_touch_evidenced: evidenced(&rows),
                returned: rows.iter().take(1).map(|row| row.key.clone()).collect(),
            };
            Group { name, figures, deals: rows.iter().map(|row| row.key.clone()).collect() }
        })
        .collect()
}
