//! What was measured: times, groups and charts.

use serde::Serialize;

use super::deals::{Linked, Sets, linked, width};
use crate::audit::{AuditReport, Class, Group, Latency};
use crate::model::{count, thousands};
use crate::report::sentences::{claimed_and_shown, percent, percent_or_dash, question};
use crate::text;
use crate::time::describe_seconds;

// The stacked columns of coverage by month, as numbers for an SVG.

const WIDTH: usize = 680;
const HEIGHT: usize = 286;
const LEFT: usize = 44;
const TOP: usize = 26;
const BOTTOM: usize = 26;

/// The classes from the bottom of a column to its top.
const STACK: [Class; 6] =
    [Class::OnTime, Class::Late, Class::Pending, Class::Exempt, Class::Removed, Class::Missing];

#[derive(Serialize)]
pub(super) struct Chart {
    width: usize,
    height: usize,
    left: usize,
    legend: Vec<LegendEntry>,
    grid: Vec<Gridline>,
    months: Vec<Month>,
}

#[derive(Serialize)]
struct LegendEntry {
    class: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Gridline {
    y: String,
    text_y: String,
    label: String,
}

#[derive(Serialize)]
struct Month {
    x: String,
    width: String,
    middle: String,
    top: String,
    label: Option<String>,
    coverage: Option<String>,
    parts: Vec<Bar>,
}

#[derive(Serialize)]
struct Bar {
    class: &'static str,
    link: String,
    title: String,
    y: String,
    height: String,
}

/// The chart, and for each month the link to its deals; `None` without months.
pub(super) fn chart(months: &[Group], links: &[String]) -> Option<Chart> {
    let in_scope = |group: &Group| -> usize {
        STACK.into_iter().map(|class| group.figures.summary.of(class)).sum()
    };
    let most = months.iter().map(in_scope).max().filter(|most| *most > 0)?;
    let step = step(most);
    let high = most.div_ceil(step) * step;
    let plot = (HEIGHT - TOP - BOTTOM) as f64;
    let y = |number: usize| TOP as f64 + plot * (1.0 - number as f64 / high as f64);
    let slot = (WIDTH - LEFT) as f64 / months.len() as f64;
    let column = (slot * 0.68).min(64.0);
    // A label needs some 56 units.
    let every = (56.0 / slot).ceil().max(1.0) as usize;

    let drawn = months
        .iter()
        .zip(links)
        .enumerate()
        .map(|(at, (group, link))| {
            let middle = LEFT as f64 + slot * (at as f64 + 0.5);
            let mut below = 0;
            let parts = STACK
                .into_iter()
                .filter(|class| group.figures.summary.of(*class) > 0)
                .map(|class| {
                    let number = group.figures.summary.of(class);
                    let part = Bar {
                        class: class.as_str(),
                        link: format!("{link}&class={}", class.as_str()),
                        title: format!(
                            "{}: {} {}",
                            group.name,
                            count(number, "deal"),
                            class.label()
                        ),
                        y: figure(y(below + number)),
                        height: figure(y(below) - y(below + number)),
                    };
                    below += number;
                    part
                })
                .collect();
            let share = &group.figures.coverage.handed_over;
            let wide = slot >= 40.0;
            Month {
                x: figure(middle - column / 2.0),
                width: figure(column),
                middle: figure(middle),
                top: figure(y(below) - 7.0),
                label: at.is_multiple_of(every).then(|| group.name.clone()),
                coverage: percent(share.count, share.of)
                    .filter(|_| wide)
                    .map(|p| p.replace(' ', "")),
                parts,
            }
        })
        .collect();
    Some(Chart {
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        legend: STACK
            .into_iter()
            .filter(|class| months.iter().any(|group| group.figures.summary.of(*class) > 0))
            .map(|class| LegendEntry { class: class.as_str(), name: class.label() })
            .collect(),
        grid: (0..=high / step)
            .map(|line| Gridline {
                y: figure(y(line * step)),
                text_y: figure(y(line * step) + 4.0),
                label: thousands(line * step),
            })
            .collect(),
        months: drawn,
    })
}

/// A round distance of grid lines, so that there are three to five.
fn step(most: usize) -> usize {
    let mut unit = 1;
    loop {
        for factor in [1, 2, 5] {
            if unit * factor * 5 >= most {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

/// A coordinate with one decimal.
fn figure(number: f64) -> String {
    format!("{number:.1}")
}

// The same figures by CSM, rep, tier and month.

#[derive(Serialize)]
pub(super) struct Grouping {
    id: &'static str,
    title: &'static str,
    heading: &'static str,
    rows: Vec<GroupRow>,
}

#[derive(Serialize)]
struct GroupRow {
    name: String,
    count: String,
    link: String,
    classes: Vec<ClassCell>,
    coverage: String,
    not_covered: Option<String>,
    brief: String,
    touch: String,
    touch_on_time: String,
    touch_link: Option<String>,
    claimed: String,
    claimed_link: String,
    shown: String,
    complete: String,
    returned: String,
    returned_link: String,
}

#[derive(Serialize)]
struct ClassCell {
    count: String,
    link: String,
}

/// The tables, and the links to the deals of each month.
pub(super) fn groupings(report: &AuditReport, sets: &mut Sets<'_>) -> (Vec<Grouping>, Vec<String>) {
    let metrics = &report.metrics;
    let all: [(&str, &str, &str, &[Group]); 4] = [
        ("csm", "CSM", "CSM", &metrics.by_csm),
        ("rep", "rep", "Rep", &metrics.by_rep),
        ("tier", "tier", "Tier", &metrics.by_tier),
        ("month", "month", "Month", &metrics.by_month),
    ];
    let mut months = Vec::new();
    let mut tables = Vec::new();
    for (id, title, heading, groups) in all {
        let rows: Vec<GroupRow> =
            groups.iter().enumerate().map(|(at, group)| row(id, at, group, sets)).collect();
        if id == "month" {
            months = rows.iter().map(|row| row.link.clone()).collect();
        }
        if !rows.is_empty() {
            tables.push(Grouping { id, title, heading, rows });
        }
    }
    (tables, months)
}

fn row(id: &str, at: usize, group: &Group, sets: &mut Sets<'_>) -> GroupRow {
    let name = text::shorten(&text::one_line(&group.name), 120);
    let link = sets.link(&format!("{id}.{at}"), name.clone(), &group.deals);
    let figures = &group.figures;
    let (on_time, evidenced) = (&figures.first_touch_on_time, &figures.first_touch_evidenced);
    let [claimed, shown] = claimed_and_shown(evidenced);
    let told = |seconds: Option<i64>| seconds.map(describe_seconds).unwrap_or_default();
    GroupRow {
        count: thousands(group.deals.len()),
        classes: Class::in_scope()
            .map(|class| ClassCell {
                count: thousands(figures.summary.of(class)),
                link: format!("{link}&class={}", class.as_str()),
            })
            .collect(),
        coverage: percent_or_dash(&figures.coverage.handed_over),
        not_covered: (!figures.coverage.handed_over.not.is_empty())
            .then(|| format!("{link}&class=missing,removed")),
        brief: told(figures.latency.signature_to_brief.median_s),
        touch_on_time: percent_or_dash(on_time),
        touch_link: (!on_time.not.is_empty()).then(|| {
            let label = format!("{name}, first touch late or overdue");
            sets.link(&format!("{id}.{at}.touch"), label, &on_time.not)
        }),
        claimed,
        claimed_link: sets.link(
            &format!("{id}.{at}.claimed"),
            format!("{name}, first touch claimed"),
            &evidenced.not,
        ),
        shown,
        touch: told(figures.latency.signature_to_first_touch.median_s),
        complete: percent_or_dash(&figures.first_pass_complete),
        returned: thousands(figures.returned.len()),
        returned_link: sets.link(
            &format!("{id}.{at}.returned"),
            format!("{name}, returned"),
            &figures.returned,
        ),
        name,
        link,
    }
}

// What was measured: times, completeness, unanswered questions, returns.

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
pub(super) struct FirstPassShare {
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
pub(super) fn first_pass(report: &AuditReport, sets: &mut Sets<'_>) -> Option<FirstPassShare> {
    let share = &report.metrics.first_pass_complete;
    sets.link("incomplete", "incomplete when delivered", &share.not);
    (share.of > 0).then(|| FirstPassShare {
        percent: percent_or_dash(share),
        not: thousands(share.not.len()),
    })
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
