//! The table of the deals, and names with numbers that link to it.

use std::collections::BTreeMap;
use std::io::BufWriter;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use indexmap::{IndexMap, IndexSet};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use url::Url;

use crate::audit::{AuditReport, Class, DealKey, DealRow};
use crate::finding::Finding;
use crate::model::thousands;
use crate::report::sentences::moment;
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
    /// By the name of the cell; a cell that a deal does not have is null.
    deals: IndexMap<&'static str, DealColumn<'a>>,
    sets: &'a IndexMap<String, Set>,
}

/// Some of the deals.
#[derive(Serialize)]
struct Set {
    label: String,
    /// Their places in the list, each as the step from the one before: places
    /// that follow each other take next to nothing in a packed page.
    steps: Vec<i64>,
}

/// Sets of deals with the names that links use.
pub(super) struct Sets<'a> {
    places: BTreeMap<&'a str, i64>,
    sets: IndexMap<String, Set>,
}

impl<'a> Sets<'a> {
    pub(super) fn new(report: &'a AuditReport) -> Self {
        let places = (0..).zip(&report.deals).map(|(at, deal)| (deal.key.as_str(), at)).collect();
        Self { places, sets: IndexMap::new() }
    }

    /// Registers a set and gives the link to it, which stands behind `#deals?`.
    pub(super) fn link<'k>(
        &mut self,
        name: &str,
        label: impl Into<String>,
        deals: impl IntoIterator<Item = &'k DealKey>,
    ) -> String {
        // Each deal once, in the order given: a set may list the slowest first.
        let deals: IndexSet<i64> =
            deals.into_iter().filter_map(|key| self.places.get(key.as_str()).copied()).collect();
        let before = std::iter::once(0).chain(deals.iter().copied());
        let steps = deals.iter().zip(before).map(|(place, before)| place - before).collect();
        self.sets.insert(name.to_owned(), Set { label: label.into(), steps });
        format!("set={name}")
    }

    /// Whether a deal with this key is in the table.
    pub(super) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }
}

/// A deal and what was found about it.
struct ListedDeal<'a> {
    deal: &'a DealRow,
    findings: Vec<&'a Finding>,
}

/// What a deal has in a column; null for nothing.
type CellValue = fn(&ListedDeal<'_>) -> Value;

/// One cell of every deal: a column beside a column packs better than a deal
/// beside a deal, by a quarter.
struct DealColumn<'a> {
    rows: &'a [ListedDeal<'a>],
    cell: CellValue,
}

impl Serialize for DealColumn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(self.cell))
    }
}

/// The columns; a name is the script's.
const COLUMNS: [(&str, CellValue); 30] = [
    ("key", |row| row.deal.key.as_str().into()),
    ("id", |row| text::one_line(row.deal.deal_id.as_str()).into()),
    ("name", |row| line(row.deal.name.as_deref())),
    ("url", |row| row.deal.url.as_deref().and_then(web_url).into()),
    ("owner", |row| line(row.deal.owner.as_deref())),
    ("csm", |row| line(row.deal.csm.as_deref())),
    ("tier", |row| line(row.deal.tier.as_deref())),
    ("amount", |row| row.deal.value.as_ref().map(|value| value.amount.to_string()).into()),
    ("currency", |row| line(row.deal.value.as_ref().and_then(|it| it.currency.as_deref()))),
    ("won", |row| row.deal.closed_won_at.map(moment).into()),
    ("won_from", |row| line(row.deal.closed_won_evidence.as_deref())),
    ("class", |row| row.deal.class.as_str().into()),
    ("reason", |row| line(row.deal.reason.as_deref())),
    ("approver", |row| line(row.deal.approver.as_deref())),
    ("brief", |row| line(row.deal.brief.as_deref())),
    ("signed", |row| row.deal.signed_at.map(moment).into()),
    ("received", |row| row.deal.received_at.map(moment).into()),
    ("delivered", |row| row.deal.delivered_at.map(moment).into()),
    ("commit", |row| row.deal.delivered_commit.map(|commit| commit.to_string()).into()),
    ("latency", |row| row.deal.latency_s.into()),
    ("business", |row| row.deal.business_latency_s.into()),
    ("task", |row| line(row.deal.task.as_deref())),
    ("touch_due", |row| row.deal.first_touch_due.map(moment).into()),
    ("touched", |row| row.deal.first_touch_at.map(moment).into()),
    ("accepted", |row| row.deal.accepted_at.map(moment).into()),
    ("complete", |row| row.deal.complete.into()),
    ("unanswered", |row| {
        let fields = row.deal.unanswered.iter().map(|field| text::one_line(field));
        list(fields.map(Value::from).collect())
    }),
    ("backfilled", |row| row.deal.backfilled.then_some(true).into()),
    ("suggestion", |row| {
        let told = row.deal.suggestion.as_ref();
        told.map(|it| text::one_line(&format!("{} ({})", it.what, it.because))).into()
    }),
    ("findings", |row| {
        let told = row.findings.iter().map(|it| {
            let help = it.help.as_deref().map(text::one_line);
            json!([it.severity.as_str(), it.rule, text::one_line(&it.message), help])
        });
        list(told.collect())
    }),
];

fn line(text: Option<&str>) -> Value {
    text.map(text::one_line).filter(|text| !text.is_empty()).into()
}

fn list(items: Vec<Value>) -> Value {
    if items.is_empty() { Value::Null } else { Value::Array(items) }
}

/// How many deals a page holds as plain JSON; of more, the data is packed, so
/// that the page can be sent and opened.
const PLAIN: usize = 5_000;

/// So many bytes of packed data are in one element: a browser takes long for a
/// text of many megabytes. Divisible by three, so that each piece is base64 of its own.
const PIECE: usize = 48 * 1024;

/// The data of the script in pieces, and whether it is packed: JSON that can
/// stand inside a `<script>` element, else the same as gzip in base64.
pub(super) fn data(report: &AuditReport, sets: &Sets<'_>) -> (Vec<String>, bool) {
    let mut by_key: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        if let Some(key) = &finding.key {
            by_key.entry(key.as_str()).or_default().push(finding);
        }
    }
    let rows: Vec<ListedDeal<'_>> = (report.deals.iter())
        .map(|deal| ListedDeal {
            deal,
            findings: by_key.remove(deal.key.as_str()).unwrap_or_default(),
        })
        .collect();
    let deals = COLUMNS.map(|(name, cell)| (name, DealColumn { rows: &rows, cell })).into();
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
        // JSON is written a few bytes at a time, and each call of the encoder costs.
        let packed = GzEncoder::new(Vec::new(), Compression::default());
        let mut packed = BufWriter::with_capacity(1 << 16, packed);
        serde_json::to_writer(&mut packed, &data).expect("memory takes what is written");
        let packed = packed.into_inner().ok().and_then(|packed| packed.finish().ok());
        let packed = packed.expect("memory takes what is written");
        return (packed.chunks(PIECE).map(|piece| STANDARD.encode(piece)).collect(), true);
    }
    let json = serde_json::to_string(&data).expect("plain data with text keys becomes JSON");
    // Nothing in it may end the element or begin a comment.
    let json = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    (vec![json], false)
}

/// A link that opens a web page and does nothing else.
fn web_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}
