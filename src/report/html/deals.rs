//! The table of the deals, and names with numbers that link to it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use indexmap::{IndexMap, IndexSet};
use serde::Serialize;
use url::Url;

use crate::audit::{AuditReport, Class, DealKey, DealRow};
use crate::finding::Finding;
use crate::report::sentences::moment;
use crate::report::thousands;
use crate::text;

// A name with a number that links to its deals, and the bar beside it.

/// A name with a number that links to its deals.
#[derive(Serialize)]
pub(super) struct Linked {
    name: String,
    reason: String,
    count: String,
    link: String,
}

/// A bar's length in percent; what is there at all is seen.
pub(super) fn width(number: usize, most: usize) -> String {
    if number == 0 || most == 0 {
        return "0".to_owned();
    }
    format!("{:.2}", (number as f64 * 100.0 / most as f64).max(1.0))
}

pub(super) fn linked(name: &str, number: usize, link: String) -> Linked {
    let name = text::one_line(name);
    Linked { reason: name.clone(), name, count: thousands(number), link }
}

// The data behind the page's table: every deal, and the sets of deals that
// the page's numbers link to.

/// What the script reads.
#[derive(Serialize)]
struct Data<'a> {
    as_of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    folders: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commits: Option<&'a str>,
    classes: IndexMap<&'static str, &'static str>,
    deals: Vec<Row<'a>>,
    sets: &'a IndexMap<String, Set>,
}

/// Some of the deals, by their place in the list.
#[derive(Serialize)]
struct Set {
    label: String,
    deals: Vec<usize>,
}

/// Sets of deals with the names that links use.
pub(super) struct Sets<'a> {
    places: BTreeMap<&'a str, usize>,
    sets: IndexMap<String, Set>,
}

impl<'a> Sets<'a> {
    pub(super) fn new(report: &'a AuditReport) -> Self {
        let places =
            report.deals.iter().enumerate().map(|(at, deal)| (deal.key.as_str(), at)).collect();
        Self { places, sets: IndexMap::new() }
    }

    /// Registers a set and gives the link to it, which stands behind `#deals?`.
    pub(super) fn link<'k>(
        &mut self,
        name: &str,
        label: impl Into<String>,
        deals: impl IntoIterator<Item = &'k DealKey>,
    ) -> String {
        // Each deal once, in the order given: a set may tell of the slowest first.
        let deals: IndexSet<usize> =
            deals.into_iter().filter_map(|key| self.places.get(key.as_str()).copied()).collect();
        let deals = deals.into_iter().collect();
        self.sets.insert(name.to_owned(), Set { label: label.into(), deals });
        format!("set={name}")
    }

    /// Whether a deal with this key is in the table.
    pub(super) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }
}

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    csm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    won: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    won_from: Option<String>,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brief: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    touch_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unanswered: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    backfilled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<(&'static str, &'static str, String, Option<String>)>,
}

/// How many deals a page holds as plain JSON; of more, the data is packed, so
/// that the page can be sent and opened.
const PLAIN: usize = 5_000;

/// The data of the script, and whether it is packed: JSON that can stand
/// inside a `<script>` element, else the same as gzip in base64.
pub(super) fn data(report: &AuditReport, sets: &Sets<'_>) -> (String, bool) {
    let mut by_key: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        if let Some(key) = &finding.key {
            by_key.entry(key.as_str()).or_default().push(finding);
        }
    }
    let deals = report
        .deals
        .iter()
        .map(|deal| row(deal, by_key.get(deal.key.as_str()).map(Vec::as_slice).unwrap_or_default()))
        .collect();
    let classes = Class::ALL.into_iter().map(|class| (class.as_str(), class.label())).collect();
    let web = report.ledger.web.as_ref().filter(|_| report.more_ledgers.is_empty());
    let data = Data {
        as_of: moment(report.as_of),
        folders: web.map(|web| web.folders.as_str()),
        commits: web.map(|web| web.commits.as_str()),
        classes,
        deals,
        sets: &sets.sets,
    };
    if report.deals.len() > PLAIN {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut packed, &data).expect("memory takes what is written");
        let packed = packed.finish().expect("memory takes what is written");
        return (STANDARD.encode(packed), true);
    }
    let json = serde_json::to_string(&data).expect("plain data with text keys becomes JSON");
    // Nothing in it may end the element or begin a comment.
    let json = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    (json, false)
}

fn row<'a>(deal: &'a DealRow, findings: &[&Finding]) -> Row<'a> {
    let line =
        |text: &Option<String>| text.as_deref().map(text::one_line).filter(|text| !text.is_empty());
    let value = deal.value.as_ref();
    Row {
        key: deal.key.as_str(),
        id: text::one_line(deal.deal_id.as_str()),
        name: line(&deal.name),
        url: deal.url.as_deref().and_then(web_url),
        owner: line(&deal.owner),
        csm: line(&deal.csm),
        tier: line(&deal.tier),
        amount: value.map(|value| value.amount.to_string()),
        currency: value.and_then(|value| line(&value.currency)),
        won: deal.closed_won_at.map(moment),
        won_from: line(&deal.closed_won_evidence),
        class: deal.class.as_str(),
        reason: line(&deal.reason),
        approver: line(&deal.approver),
        brief: line(&deal.brief),
        signed: deal.signed_at.map(moment),
        received: deal.received_at.map(moment),
        delivered: deal.delivered_at.map(moment),
        commit: deal.delivered_commit.map(|commit| commit.to_string()),
        latency: deal.latency_s,
        business: deal.business_latency_s,
        task: line(&deal.task),
        touch_due: deal.first_touch_due.map(moment),
        touched: deal.first_touch_at.map(moment),
        accepted: deal.accepted_at.map(moment),
        complete: deal.complete,
        unanswered: deal.unanswered.iter().map(|field| text::one_line(field)).collect(),
        backfilled: deal.backfilled,
        suggestion: deal
            .suggestion
            .as_ref()
            .map(|it| text::one_line(&format!("{} ({})", it.what, it.because))),
        findings: findings
            .iter()
            .map(|it| {
                let help = it.help.as_deref().map(text::one_line);
                (it.severity.as_str(), it.rule, text::one_line(&it.message), help)
            })
            .collect(),
    }
}

/// A link that opens a web page and does nothing else.
fn web_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}
