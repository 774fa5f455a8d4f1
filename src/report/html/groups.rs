//! The same figures by CSM, rep, tier and month.

use serde::Serialize;

use super::deals::Sets;
use super::standing::scope_classes;
use crate::audit::{AuditReport, Group};
use crate::report::sentences::{Touches, percent_or_dash};
use crate::report::thousands;
use crate::text;
use crate::time::describe_seconds;

#[derive(Serialize)]
pub(super) struct Grouping {
    id: &'static str,
    title: &'static str,
    heading: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    count: String,
    link: String,
    classes: Vec<Cell>,
    coverage: String,
    not_covered: Option<String>,
    brief: String,
    touch: String,
    touch_on_time: String,
    touch_link: Option<String>,
    complete: String,
    returned: String,
    returned_link: String,
}

#[derive(Serialize)]
struct Cell {
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
        let rows: Vec<Row> =
            groups.iter().enumerate().map(|(at, group)| row(id, at, group, report, sets)).collect();
        if id == "month" {
            months = rows.iter().map(|row| row.link.clone()).collect();
        }
        if !rows.is_empty() {
            tables.push(Grouping { id, title, heading, rows });
        }
    }
    (tables, months)
}

fn row(id: &str, at: usize, group: &Group, report: &AuditReport, sets: &mut Sets<'_>) -> Row {
    let name = text::shorten(&text::one_line(&group.name), 120);
    let link = sets.link(&format!("{id}.{at}"), name.clone(), &group.deals);
    let figures = &group.figures;
    let touches = Touches::of(report, group);
    let told = |seconds: Option<i64>| seconds.map(describe_seconds).unwrap_or_default();
    Row {
        count: thousands(group.deals.len()),
        classes: scope_classes()
            .map(|class| Cell {
                count: thousands(figures.summary.of(class)),
                link: format!("{link}&class={}", class.as_str()),
            })
            .collect(),
        coverage: percent_or_dash(&figures.coverage.handed_over),
        not_covered: (!figures.coverage.handed_over.not.is_empty())
            .then(|| format!("{link}&class=missing,removed")),
        brief: told(figures.latency.signature_to_brief.median_s),
        touch_on_time: percent_or_dash(&touches.on_time),
        touch_link: (!touches.on_time.not.is_empty()).then(|| {
            let label = format!("{name}, first touch late or overdue");
            sets.link(&format!("{id}.{at}.touch"), label, &touches.on_time.not)
        }),
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
