//! Which column holds what: configured, else by the names that vendors and
//! people give it; and under which names its cells are kept for the mapping.

use std::collections::BTreeMap;

use super::problems::Problem;
use super::settings::Column;
use super::table::Table;
use super::vendor;
use super::vendor_columns::{ANYBODY, Known, Vendor};
use crate::crm::people::role_word;
use crate::text::quoted;

/// The columns of a deals file.
#[derive(Debug)]
pub(super) struct Columns {
    /// By `Column as usize`, the best one first: it is asked for every cell.
    by_use: Vec<Vec<usize>>,
    /// The names under which each column's cells are kept: the header itself,
    /// in words joined by `_`, and as the vendor's API calls it.
    pub(super) names: Vec<Vec<String>>,
    /// Columns that belong to the company, `Account.Industry` or `Organization -
    /// Industry`, and their names there.
    pub(super) company: Vec<(usize, Vec<String>)>,
    /// The currency of the amount, where a column beside it says so.
    pub(super) currency: Option<usize>,
    pub(super) merged_ids: Option<usize>,
    /// Deal types are told in the vendor's API as words without spaces.
    pub(super) deal_type: Option<usize>,
}

impl Columns {
    /// Finds the columns, and everything that is wrong with them.
    pub(super) fn find(
        table: &Table,
        vendor: Option<Vendor>,
        configured: &BTreeMap<Column, String>,
    ) -> Result<Self, Vec<Problem>> {
        let normals: Vec<String> = table
            .headers
            .iter()
            .map(|header| {
                let normal = vendor::normal(header);
                match vendor {
                    Some(Vendor::Pipedrive) => vendor::without_prefix(&normal).to_owned(),
                    _ => normal,
                }
            })
            .collect();
        let mut problems = doubled(table);
        let mut by_use: BTreeMap<Column, Vec<usize>> = BTreeMap::new();
        for (column, header) in configured {
            match table.column(header) {
                Some(at) => {
                    by_use.insert(*column, vec![at]);
                }
                None => problems.push(
                    Problem::column(
                        header,
                        format!("There is no such column, which `columns.{}` names", column.key()),
                    )
                    .help(did_you_mean(header, table)),
                ),
            }
        }
        let vendors = vendor.map_or(&[][..], Vendor::columns);
        for known in vendors.iter().chain(ANYBODY) {
            let Some(column) = known.column.filter(|column| !configured.contains_key(column))
            else {
                continue;
            };
            // HubSpot and Salesforce have stages; a `Status` there is of something else.
            let elsewhere = column == Column::Status
                && matches!(vendor, Some(Vendor::HubSpot | Vendor::Salesforce));
            if elsewhere {
                continue;
            }
            for label in known.labels {
                if let Some(at) = normals.iter().position(|normal| normal == label) {
                    let found = by_use.entry(column).or_default();
                    if !found.contains(&at) {
                        found.push(at);
                    }
                }
            }
        }
        let keyed_weakly = by_use.contains_key(&Column::Name)
            && by_use.contains_key(&Column::Company)
            && by_use.contains_key(&Column::ClosedWonAt);
        if problems.is_empty() && !by_use.contains_key(&Column::Id) && !keyed_weakly {
            problems.push(
                Problem::file(format!(
                    "There is no column with the deal's id; the columns are {}",
                    table.headers_in_words()
                ))
                .help(
                    "Add the id to the export (Record ID, Opportunity ID, ID), or name its column \
                     under crm.file.columns.id. Without an id, deals are told apart by company, \
                     name and close date, and the file needs all three.",
                ),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let currency = currency_beside(&by_use, &normals, configured);
        let api = |name: &str| {
            let known = vendors.iter().find(|known| known.api == name)?;
            normals.iter().position(|normal| known.labels.contains(&normal.as_str()))
        };
        let merged_ids = api("hs_merged_object_ids");
        let deal_type = api("dealtype");
        let names = names(table, &normals, vendors);
        let company = of_company(table);
        let by_use = Column::ALL.map(|column| by_use.remove(&column).unwrap_or_default()).into();
        Ok(Self { by_use, names, company, currency, merged_ids, deal_type })
    }

    /// The best column for a use.
    pub(super) fn of(&self, column: Column) -> Option<usize> {
        self.all(column).first().copied()
    }

    /// All columns for a use, the best one first.
    pub(super) fn all(&self, column: Column) -> &[usize] {
        &self.by_use[column as usize]
    }

    /// A column by its header, or by its name in the configuration; for joins.
    pub(super) fn named(&self, table: &Table, name: &str) -> Option<usize> {
        table.column(name).or_else(|| {
            let column = Column::ALL.into_iter().find(|column| column.key() == name)?;
            self.of(column)
        })
    }
}

/// Columns with one header cannot be told apart.
fn doubled(table: &Table) -> Vec<Problem> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for (at, header) in table.headers.iter().enumerate() {
        if header.is_empty() {
            continue;
        }
        if let Some(first) = seen.insert(header.to_lowercase(), at) {
            problems.push(
                Problem::column(
                    header,
                    format!(
                        "The column stands there twice, as column {} and {}",
                        first + 1,
                        at + 1
                    ),
                )
                .help("Take one of the two out of the export, or rename it."),
            );
        }
    }
    problems
}

/// The currency column that belongs to the amount: Salesforce writes one for
/// each amount, `Amount (converted) Currency` beside `Amount (converted)`.
fn currency_beside(
    by_use: &BTreeMap<Column, Vec<usize>>,
    normals: &[String],
    configured: &BTreeMap<Column, String>,
) -> Option<usize> {
    let general = by_use.get(&Column::Currency).and_then(|at| at.first().copied());
    if configured.contains_key(&Column::Currency) {
        return general;
    }
    let amount = *by_use.get(&Column::Amount)?.first()?;
    let paired = format!("{} currency", normals[amount]);
    let of = format!("currency of {}", normals[amount]);
    let beside = normals.iter().position(|normal| *normal == paired || *normal == of);
    // What is converted is not in the deal's own currency.
    let converted =
        normals[amount].contains("convert") || normals[amount].contains("company currency");
    beside.or(if converted { None } else { general })
}

fn of_company(table: &Table) -> Vec<(usize, Vec<String>)> {
    let mut columns = Vec::new();
    for (at, header) in table.headers.iter().enumerate() {
        let lower = header.to_lowercase();
        let prefix = ["account.", "account: ", "company.", "organization - ", "organisation - "]
            .into_iter()
            .find(|prefix| lower.starts_with(prefix));
        let Some(own) = prefix.and_then(|prefix| header.get(prefix.len()..)) else { continue };
        let mut names = vec![own.to_owned(), snake(&vendor::normal(own), own)];
        names.dedup();
        columns.push((at, names));
    }
    columns
}

/// What was meant, for a name that is not there.
pub(super) fn did_you_mean(name: &str, table: &Table) -> String {
    let requested = name.to_lowercase();
    let near = table
        .headers
        .iter()
        .map(|header| (strsim::jaro_winkler(&requested, &header.to_lowercase()), header))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, header)) => format!("Did you mean {}?", quoted(header)),
        None => format!("The columns are {}.", table.headers_in_words()),
    }
}

fn names(table: &Table, normals: &[String], vendor: &[Known]) -> Vec<Vec<String>> {
    let mut taken = std::collections::BTreeSet::new();
    let mut names: Vec<Vec<String>> = Vec::with_capacity(table.headers.len());
    // Headers first: what a column is called by itself is never another's name.
    for (at, header) in table.headers.iter().enumerate() {
        let header = if header.is_empty() { format!("column {}", at + 1) } else { header.clone() };
        taken.insert(header.clone());
        names.push(vec![header]);
    }
    for (at, normal) in normals.iter().enumerate() {
        let api = vendor
            .iter()
            .find(|known| known.labels.contains(&normal.as_str()) && !known.api.is_empty())
            .map(|known| known.api.to_owned())
            .or_else(|| custom_field(&table.headers[at]));
        let snake = snake(normal, &table.headers[at]);
        for name in [api, Some(snake)].into_iter().flatten() {
            if !name.is_empty() && taken.insert(name.clone()) {
                names[at].push(name);
            }
        }
    }
    names
}

/// Words joined by `_`: `Handoff: success metric` is `handoff_success_metric`,
/// `Success_Metric__c` is `success_metric`.
fn snake(normal: &str, header: &str) -> String {
    let word = role_word(normal);
    match word.strip_suffix("_c") {
        Some(bare) if header.to_lowercase().ends_with("__c") => bare.to_owned(),
        _ => word,
    }
}

/// Data Loader writes `SUCCESS_METRIC__C` for the field `Success_Metric__c`.
fn custom_field(header: &str) -> Option<String> {
    let bare = header.strip_suffix("__C")?;
    let words = bare.split('_').map(|word| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        format!("{first}{}", rest.to_lowercase())
    });
    Some(format!("{}__c", words.collect::<Vec<_>>().join("_")))
}
