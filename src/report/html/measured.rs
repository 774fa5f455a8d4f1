//! What was measured: times, completeness, unanswered questions, returns.

use serde::Serialize;

use super::deals::Sets;
use super::linked::{Linked, linked, width};
use crate::audit::{AuditReport, Latency};
use crate::report::sentences::{percent_or_dash, question};
use crate::report::thousands;
use crate::text;
use crate::time::describe_seconds;

/// How many unanswered fields are named for a question.
const FIELDS: usize = 4;

#[derive(Serialize)]
pub(super) struct TimeRow {
    name: &'static str,
    n: String,
    all: String,
    slow: String,
    median: Option<String>,
    p90: Option<String>,
    business_median: Option<String>,
    business_p90: Option<String>,
}

#[derive(Serialize)]
pub(super) struct FirstPass {
    percent: String,
    not: String,
}

#[derive(Serialize)]
pub(super) struct QuestionRow {
    name: String,
    count: String,
    of: String,
    width: String,
    link: String,
    fields: Vec<Linked>,
}

/// How many briefs were complete when they were delivered.
pub(super) fn first_pass(report: &AuditReport, sets: &mut Sets<'_>) -> Option<FirstPass> {
    let share = &report.metrics.first_pass_complete;
    sets.link("incomplete", "incomplete when delivered", &share.not);
    (share.of > 0)
        .then(|| FirstPass { percent: percent_or_dash(share), not: thousands(share.not.len()) })
}

pub(super) fn times(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<TimeRow> {
    let latency = &report.metrics.latency;
    let all: [(&'static str, &str, &Latency); 4] = [
        ("brief", "to-brief", &latency.signature_to_brief),
        ("first-touch task", "to-task", &latency.signature_to_task),
        ("first touch", "to-touch", &latency.signature_to_first_touch),
        ("acceptance", "to-acceptance", &latency.signature_to_acceptance),
    ];
    let told = |seconds: Option<i64>| seconds.map(describe_seconds);
    all.into_iter()
        .map(|(name, set, latency)| {
            let figures = latency.figures;
            let slow = latency
                .samples
                .iter()
                .filter(|sample| figures.p90_s.is_some_and(|p90| sample.seconds >= p90));
            TimeRow {
                name,
                n: thousands(figures.n),
                all: sets.link(
                    set,
                    format!("slowest first: signature to {name}"),
                    latency.samples.iter().map(|sample| &sample.key),
                ),
                slow: sets.link(
                    &format!("{set}-slow"),
                    format!("p90 and slower: signature to {name}"),
                    slow.map(|sample| &sample.key),
                ),
                median: told(figures.median_s),
                p90: told(figures.p90_s),
                business_median: told(figures.business_median_s),
                business_p90: told(figures.business_p90_s),
            }
        })
        .collect()
}

pub(super) fn questions(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<QuestionRow> {
    let asked = report.metrics.unanswered.iter().filter(|asked| asked.count > 0);
    asked
        .enumerate()
        .map(|(at, asked)| QuestionRow {
            name: question(asked.question),
            count: thousands(asked.count),
            of: thousands(asked.of),
            width: width(asked.count, asked.of),
            link: sets.link(
                &format!("unanswered.{at}"),
                format!("unanswered: {}", question(asked.question)),
                &asked.deals,
            ),
            fields: asked
                .fields
                .iter()
                .take(FIELDS)
                .enumerate()
                .map(|(field, it)| {
                    let label = format!("unanswered: {}", text::one_line(&it.field));
                    let set = format!("unanswered.{at}.{field}");
                    linked(&it.field, it.count, sets.link(&set, label, &it.deals))
                })
                .collect(),
        })
        .collect()
}

pub(super) fn returns(report: &AuditReport, sets: &mut Sets<'_>) -> Vec<Linked> {
    let all = report.metrics.returns.iter().enumerate();
    all.map(|(at, it)| {
        let label = format!("returned: {}", text::one_line(&it.reason));
        linked(&it.reason, it.count, sets.link(&format!("returned.{at}"), label, &it.deals))
    })
    .collect()
}
