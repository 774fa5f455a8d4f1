//! What the headers of exports mean: the names that vendors and people give to
//! columns, which are data, one file a vendor in `templates/columns`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::cell::{folded, without_marks};
use super::settings::Column;
use crate::model::{Outcome, fits_its_checksum};

/// A vendor's columns, as `templates/columns` has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vendor {
    /// The CRM's name in keys.
    pub(super) name: String,
    /// What its ids are: `digits`, `salesforce`, or how they begin.
    #[serde(default)]
    pub(super) ids: String,
    /// How the ids of its opportunities begin, where ids tell whose they are by
    /// their first letters.
    #[serde(default)]
    pub(super) object: String,
    /// What stands before a label, in the vendor's languages.
    #[serde(default)]
    pub(super) prefixes: Vec<String>,
    /// What warehouses and libraries put before the API's names: it is taken off
    /// where one of the vendor's own labels has it.
    #[serde(default)]
    pub(super) outer: Vec<String>,
    /// Groups of labels that no other vendor has; one must be there.
    #[serde(default)]
    pub(super) own: Vec<Vec<String>>,
    /// Groups of labels that others have too.
    #[serde(default)]
    pub(super) shared: Vec<Vec<String>>,
    /// Groups of marks that its answers have around the records or in them; one that
    /// is there whole counts as a label of its own.
    #[serde(default)]
    pub(super) marks: Vec<Vec<String>>,
    /// Labels that no other vendor has together; one list that is there is enough.
    #[serde(default)]
    pub(super) together: Vec<Vec<String>>,
    /// Headers as its API writes them, capitals and all. In a text they count
    /// beside ids that may be its own.
    #[serde(default)]
    pub(super) written: Vec<String>,
    /// What its ids look like, where that tells whose they are.
    #[serde(default)]
    pub(super) tells: Vec<IdForm>,
    /// Whether its API writes `false` where there is nothing.
    #[serde(default)]
    pub(super) false_is_empty: bool,
    /// Whether times without an offset in an answer of its API are in UTC, whatever
    /// the user's time zone.
    #[serde(default)]
    pub(super) answers_in_utc: bool,
    /// Whether its exports write each stage with its pipeline in brackets.
    #[serde(default)]
    pub(super) stage_with_pipeline: bool,
    /// So many groups must be there in all.
    #[serde(default = "two")]
    pub(super) least: usize,
    /// How its probabilities are written.
    #[serde(default)]
    pub(super) probability: Option<Scale>,
    /// Whether a won deal keeps the probability that it had.
    #[serde(default)]
    pub(super) probability_stays: bool,
    /// Whether a deal that is archived is there all the same.
    #[serde(default)]
    pub(super) keeps_archived: bool,
    /// Its own words for a status or a stage.
    #[serde(default)]
    pub(super) words: Words,
    pub(super) columns: Vec<KnownColumn>,
}

fn two() -> usize {
    2
}

/// What ids look like by which a vendor is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdForm {
    /// `006…` with 15 characters, or with 18 of which the last three fit.
    Opportunity,
    /// `b4b4b4b4-0000-4000-8000-000000000001`.
    Guid,
    /// Numbers of fifteen digits and more.
    LongNumber,
    /// They begin so.
    Start(String),
}

impl IdForm {
    /// How much the ids of a file tell: nothing, something beside a label, or all.
    pub(super) fn weight(&self, ids: &[String]) -> usize {
        let all = |is: &dyn Fn(&str) -> bool| !ids.is_empty() && ids.iter().all(|id| is(id));
        match self {
            Self::Opportunity => {
                let is_whole = |id: &str| id.len() == 18 && fits_its_checksum(id);
                let is_short = |id: &str| {
                    let has = |is: fn(&u8) -> bool| id.bytes().skip(3).any(|byte| is(&byte));
                    id.len() == 15
                        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
                        && has(u8::is_ascii_alphabetic)
                        && has(u8::is_ascii_digit)
                };
                if !all(&|id| id.starts_with("006") && (is_whole(id) || is_short(id))) {
                    0
                } else if all(&is_short) {
                    1
                } else {
                    2
                }
            }
            Self::Guid => usize::from(all(&|id| uuid_like(id))),
            Self::LongNumber => {
                usize::from(all(&|id| id.len() >= 15 && id.bytes().all(|b| b.is_ascii_digit())))
            }
            Self::Start(start) => 2 * usize::from(all(&|id| id.starts_with(start.as_str()))),
        }
    }
}

fn uuid_like(id: &str) -> bool {
    let parts: Vec<&str> = id.trim_matches(['{', '}']).split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A vendor's words for where a deal stands.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Words {
    /// Whether stages have the number of their pipeline before them: `C1:WON`.
    behind_pipeline: bool,
    open: Vec<String>,
    won: Vec<String>,
    lost: Vec<String>,
}

impl Words {
    /// The outcome of a word in lower case.
    pub(super) fn outcome(&self, word: &str) -> Option<Outcome> {
        let word = match word.strip_prefix('c').and_then(|rest| rest.split_once(' ')) {
            Some((number, stage)) if self.behind_pipeline && is_number(number) => stage,
            _ => word,
        };
        [(&self.open, Outcome::Open), (&self.won, Outcome::Won), (&self.lost, Outcome::Lost)]
            .into_iter()
            .find_map(|(words, outcome)| words.iter().any(|it| it == word).then_some(outcome))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How probabilities are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scale {
    /// 1 is certain.
    Part,
    /// 100 is certain.
    Percent,
}

/// One column that is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownColumn {
    #[serde(default)]
    pub(super) column: Option<Column>,
    /// The API's name for it; empty where there is none.
    #[serde(default)]
    pub(super) api: String,
    /// Its labels in lower case; the better one comes first.
    pub(super) labels: Vec<String>,
    /// Whether its amounts are in the smallest unit.
    #[serde(default)]
    pub(super) cents: bool,
}

impl KnownColumn {
    pub(super) fn has(&self, forms: &Forms) -> bool {
        self.labels.iter().any(|label| forms.are(label))
    }
}

fn table_of(source: &str) -> Vendor {
    let node = crate::yaml::read(source.as_bytes()).expect("a shipped table is YAML");
    let mut vendor: Vendor =
        crate::yaml::from_node(&node).expect("a shipped table has the fields of a table");
    let groups = vendor.own.iter_mut().chain(&mut vendor.shared).chain(&mut vendor.together);
    let labels = groups.chain(vendor.columns.iter_mut().map(|known| &mut known.labels)).flatten();
    for label in labels.chain(&mut vendor.prefixes).chain(&mut vendor.outer) {
        *label = without_marks(label);
    }
    let words = [&mut vendor.words.open, &mut vendor.words.won, &mut vendor.words.lost];
    for word in words.into_iter().flatten() {
        *word = folded(word);
    }
    vendor
}

macro_rules! shipped {
    ($($file:literal),*) => {
        vec![$(table_of(include_str!(concat!("../../../templates/columns/", $file, ".yaml")))),*]
    };
}

pub(super) static VENDORS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    shipped![
        "hubspot",
        "salesforce",
        "pipedrive",
        "zoho",
        "attio",
        "close",
        "dynamics",
        "odoo",
        "freshsales",
        "monday",
        "insightly",
        "activecampaign",
        "bitrix24"
    ]
});

pub(super) static ANYBODY: LazyLock<Vendor> =
    LazyLock::new(|| table_of(include_str!("../../../templates/columns/any.yaml")));

/// A header as the labels have it: lower case, one space between words, without
/// accents and the star of a required column; and with the words of `CamelCase`
/// apart.
#[derive(Debug)]
pub(super) struct Forms {
    pub(super) plain: String,
    pub(super) apart: String,
    /// With its accents, as it names what is kept.
    pub(super) written: String,
    /// Without what a report puts before and behind the name of each column.
    pub(super) bare: Option<String>,
}

/// What reports and BI tools put before each column of deals: `Opportunity Stage`,
/// `opportunities.stage_name`, `Opportunity[Stage]`.
const TABLE_NAMES: [&str; 5] = ["opportunities", "opportunity", "deals", "deal", "opp"];

impl Forms {
    pub(super) fn of(header: &str) -> Self {
        let written = normal(header);
        let mut apart = String::new();
        let mut before = ' ';
        // `deal-stage` as `deal stage`, where no space says that the hyphen is in a word.
        let is_kebab = !header.trim().contains(char::is_whitespace);
        let header = if is_kebab { header.replace('-', " ") } else { header.to_owned() };
        for c in header.chars() {
            if c.is_uppercase() && before.is_lowercase() {
                apart.push(' ');
            }
            apart.push(c);
            before = c;
        }
        let plain = without_marks(&written);
        let named = TABLE_NAMES.iter().find_map(|name| plain.strip_prefix(name));
        let bare = named
            .and_then(|rest| rest.strip_prefix([' ', '.', '[', ':']))
            .or_else(|| plain.strip_prefix("sum of "))
            .map(|rest| rest.trim().trim_end_matches([']', '?']))
            .map(|rest| rest.strip_suffix("(yes / no)").unwrap_or(rest).trim().to_owned());
        Self { apart: without_marks(&normal(&apart)), plain, written, bare }
    }

    pub(super) fn are(&self, label: &str) -> bool {
        self.plain == label || self.apart == label
    }

    /// Whether it is this label once the name of the table is taken off, which
    /// counts where nothing else does.
    pub(super) fn are_bare(&self, label: &str) -> bool {
        self.bare.as_deref() == Some(label)
    }

    pub(super) fn without_prefix(self, prefixes: &[&String]) -> Self {
        // Marks apart, a prefix has as many characters written as compared.
        let bare = |text: &str| {
            let prefix = prefixes.iter().find(|it| without_marks(text).starts_with(it.as_str()));
            text.chars().skip(prefix.map_or(0, |it| it.chars().count())).collect()
        };
        Self {
            plain: bare(&self.plain),
            apart: bare(&self.apart),
            written: bare(&self.written),
            bare: self.bare,
        }
    }
}

/// A header in the form the labels have: without the star of a required column, the
/// mark of a question and the arrow of a sorted one.
pub(super) fn normal(header: &str) -> String {
    let lower = header.to_lowercase().replace('_', " ").replace('\u{2019}', "'");
    let is_mark = |c: char| matches!(c, '*' | '?' | '↑' | '↓' | '▲' | '▼') || c.is_whitespace();
    let words: Vec<&str> = lower.trim_end_matches(is_mark).split_whitespace().collect();
    words.join(" ")
}

/// Whether a header is one that a deals file has.
pub(super) fn is_known(header: &str) -> bool {
    means(header, |column| column.is_some())
}

/// Whether a header is one that a deal's id has.
pub(super) fn is_id(header: &str) -> bool {
    means(header, |column| column == Some(Column::Id))
}

fn means(header: &str, is_wanted: impl Fn(Option<Column>) -> bool) -> bool {
    let forms = Forms::of(header);
    VENDORS.iter().chain([&*ANYBODY]).any(|vendor| {
        let prefix = vendor.prefixes.iter().find(|it| forms.plain.starts_with(it.as_str()));
        let behind = prefix.map(|prefix| &forms.plain[prefix.len()..]);
        let is_flattened = !vendor.outer.is_empty() && vendor.is_own_label(&forms.plain);
        let known = |known: &KnownColumn| {
            is_wanted(known.column)
                && known.labels.iter().any(|label| {
                    forms.are(label) || forms.are_bare(label) || behind == Some(label.as_str())
                })
        };
        vendor.columns.iter().any(known)
            || (behind.is_some() || is_flattened) && is_wanted(Some(Column::Type))
    })
}

impl Vendor {
    pub(super) fn is_own_label(&self, label: &str) -> bool {
        self.own.iter().flatten().any(|own| own == label)
    }
}
