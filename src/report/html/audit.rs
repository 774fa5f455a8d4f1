//! An audit as a page.

use serde::Serialize;

use super::chart::{Chart, chart};
use super::deals::{Sets, data};
use super::groups::{Grouping, groupings};
use super::linked::Linked;
use super::measured::{FirstPass, QuestionRow, TimeRow, first_pass, questions, returns, times};
use super::standing::{
    ClassRow, StripPart, Tile, classes, exclusions, mood, scope_classes, strip, strip_label, tiles,
};
use super::wrong::{Rule, rules};
use super::{Shell, render};
use crate::audit::{AuditReport, Class, Values};
use crate::model::Gap;
use crate::report::sentences::{
    currencies, currency_title, day_or_minute, evidence, footing, headline, percent, sums, window,
};
use crate::report::{count, thousands};
use crate::text;

const TEMPLATE: &str = include_str!("../../../templates/report/audit.html");
const STYLE: &str = include_str!("../../../templates/report/audit.css");
const SCRIPT: &str = include_str!("../../../templates/report/audit.js");

#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    shell: Shell,
    audit_style: &'static str,
    headline: String,
    window: String,
    as_of: String,
    complete: bool,
    gaps: Vec<Gap>,
    mood: &'static str,
    figure: String,
    figure_link: String,
    figure_words: String,
    footing: String,
    strip: Vec<StripPart>,
    strip_label: String,
    tiles: Vec<Tile>,
    currencies: Vec<String>,
    classes: Vec<ClassRow>,
    exclusions: Vec<Linked>,
    rules: Vec<Rule>,
    chart: Option<Chart>,
    times: Vec<TimeRow>,
    first_pass: Option<FirstPass>,
    questions: Vec<QuestionRow>,
    returns: Vec<Linked>,
    groupings: Vec<Grouping>,
    class_names: Vec<&'static str>,
    orphans: Vec<OrphanRow>,
    evidence: Vec<Line>,
    earlier: Vec<EarlierAudit>,
    data: String,
    packed: bool,
}

/// What an earlier audit found, as its checkpoint keeps it.
#[derive(Serialize)]
struct EarlierAudit {
    at: String,
    percent: String,
    width: usize,
    covered: String,
    due: String,
}

#[derive(Serialize)]
struct OrphanRow {
    customer: String,
    key: String,
    why: &'static str,
    deal: String,
    value: String,
    signed: String,
    brief: String,
    suggestion: String,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: String,
}

/// The page.
pub(in crate::report) fn audit(report: &AuditReport) -> Vec<u8> {
    let mut sets = Sets::new(report);
    let (groupings, months) = groupings(report, &mut sets);
    let coverage = &report.metrics.coverage;
    let share = &coverage.handed_over;
    let figure = percent(share.count, share.of);
    let page = Page {
        earlier: earlier(report),
        shell: Shell::new(SCRIPT),
        audit_style: STYLE,
        headline: headline(report),
        window: window(report, day_or_minute),
        as_of: day_or_minute(report.as_of),
        complete: report.complete,
        gaps: report.gaps.iter().map(gap).collect(),
        mood: mood(report),
        figure_words: match &figure {
            None => "No deal was due a handoff".to_owned(),
            Some(_) => format!(
                "{} of {} due have their handoff",
                thousands(share.count),
                count(share.of, "closed-won deal")
            ),
        },
        figure: figure.unwrap_or_else(|| "–".to_owned()),
        // To what is left to do; to what is done where nothing is left.
        figure_link: if share.not.is_empty() {
            "class=on_time,late".to_owned()
        } else {
            sets.link("not-handed-over", "due and not handed over", &share.not)
        },
        footing: footing(report),
        strip: strip(report),
        strip_label: strip_label(report),
        tiles: tiles(report, &mut sets),
        currencies: currencies(report).iter().map(|it| currency_title(it).to_owned()).collect(),
        classes: classes(report),
        exclusions: exclusions(report, &mut sets),
        rules: rules(report, &mut sets),
        chart: chart(&report.metrics.by_month, &months),
        times: times(report, &mut sets),
        first_pass: first_pass(report, &mut sets),
        questions: questions(report, &mut sets),
        returns: returns(report, &mut sets),
        groupings,
        class_names: scope_classes().map(Class::label).collect(),
        orphans: orphans(report),
        evidence: evidence(report)
            .into_iter()
            .map(|(name, value)| Line { name, value: text::one_line(&value) })
            .collect(),
        data: String::new(),
        packed: false,
    };
    let (data, packed) = data(report, &sets);
    render(TEMPLATE, &Page { data, packed, ..page })
}

/// The audits before this one, oldest first, and this one.
fn earlier(report: &AuditReport) -> Vec<EarlierAudit> {
    let row = |at: String, covered: usize, due: usize| EarlierAudit {
        at,
        percent: percent(covered, due).unwrap_or_else(|| "–".to_owned()),
        width: (covered * 100).checked_div(due).unwrap_or(0),
        covered: thousands(covered),
        due: thousands(due),
    };
    let mut checkpoints: Vec<_> = report.ledger.checkpoints.iter().collect();
    checkpoints.sort_by_key(|checkpoint| checkpoint.at);
    let first = checkpoints.len().saturating_sub(EARLIER);
    let mut rows: Vec<EarlierAudit> = checkpoints[first..]
        .iter()
        .map(|checkpoint| {
            let of = |test: fn(Class) -> bool| {
                let classes = Class::ALL.into_iter().filter(|class| test(*class));
                let names: Vec<&str> = classes.map(Class::as_str).collect();
                let deals = checkpoint.deals.iter();
                deals.filter(|deal| names.contains(&deal.class.as_str())).count()
            };
            row(day_or_minute(checkpoint.at), of(Class::is_covered), of(Class::is_due))
        })
        .collect();
    if !rows.is_empty() {
        let share = &report.metrics.coverage.handed_over;
        rows.push(row(format!("{}, this one", day_or_minute(report.as_of)), share.count, share.of));
    }
    rows
}

/// How many earlier audits are shown: half a year of weeks.
const EARLIER: usize = 26;

fn gap(gap: &Gap) -> Gap {
    Gap {
        what: text::one_line(&gap.what),
        why: text::one_line(&gap.why),
        help: gap.help.as_deref().map(text::one_line),
    }
}

fn orphans(report: &AuditReport) -> Vec<OrphanRow> {
    let line = |text: Option<&str>| text.map(text::one_line).unwrap_or_default();
    let all = report.orphans.iter();
    all.map(|it| {
        let mut value = Values::default();
        it.value.iter().for_each(|money| value.add(money));
        let suggestion = it.suggestion.as_ref().map(|it| format!("{} ({})", it.what, it.because));
        OrphanRow {
            customer: line(it.customer.as_deref()),
            key: it.key.to_string(),
            why: it.why.as_str(),
            deal: line(it.deal_id.as_ref().map(crate::model::DealId::as_str)),
            value: sums(&value),
            signed: it.signed_at.map(day_or_minute).unwrap_or_default(),
            brief: text::one_line(&it.brief),
            suggestion: line(suggestion.as_deref()),
        }
    })
    .collect()
}
