//! More files, joined to each deal: its company, its people, what was bought.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::columns::{self, Columns};
use super::problems::Problem;
use super::record;
use super::settings::{JoinRole, JoinSettings};
use super::table::{Cursor, Table};
use crate::model::{Company, Contact, CrmName, DealId, LineItem, Locale, normalise_deal_id};

/// A joined file with its rows by key.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) path: PathBuf,
    pub(super) role: JoinRole,
    /// The column of the deals file.
    on: usize,
    table: Table,
    /// The names of each column: header and words joined by `_`.
    names: Vec<Vec<String>>,
    rows: HashMap<String, Vec<u32>>,
    crm: CrmName,
}

impl Joined {
    /// Finds the columns of both files and the rows by key.
    pub(super) fn new(
        settings: &JoinSettings,
        path: PathBuf,
        table: Table,
        deals: &Table,
        deal_columns: &Columns,
        crm: &CrmName,
    ) -> Result<Self, Vec<Problem>> {
        let Some(on) = deal_columns.named(deals, &settings.on) else {
            return Err(vec![
                Problem::column(&settings.on, "The deals file has no such column to join on")
                    .help(columns::did_you_mean(&settings.on, deals)),
            ]);
        };
        let requested = settings.key.as_deref();
        let found = match requested {
            Some(key) => table.column(key),
            None => table.column(&settings.on).or_else(|| table.column(&deals.headers[on])),
        };
        let Some(key) = found else {
            let name = requested.unwrap_or(&settings.on);
            return Err(vec![Problem::column(name, "There is no such column to join by").help(
                format!(
                    "{} Name the column of this file under `key`.",
                    columns::did_you_mean(name, &table)
                ),
            )]);
        };
        let mut taken = std::collections::BTreeSet::new();
        let mut doubled = Vec::new();
        let mut names: Vec<Vec<String>> = Vec::new();
        for header in &table.headers {
            if !header.is_empty() && !taken.insert(header.clone()) {
                doubled.push(Problem::column(header, "The column stands there twice"));
            }
            names.push(vec![header.clone()]);
        }
        for (at, header) in table.headers.iter().enumerate() {
            let snake = crate::crm::people::role_word(&columns::normal(header));
            if !snake.is_empty() && taken.insert(snake.clone()) {
                names[at].push(snake);
            }
        }
        let mut rows: HashMap<String, Vec<u32>> = HashMap::new();
        let mut cursor = Cursor::default();
        for row in 0..table.len() {
            table.seek_until(row, key, &mut cursor);
            let value = fold(crm, &table.cell(&cursor, key));
            if value.is_empty() {
                continue;
            }
            let same = rows.entry(value).or_default();
            if settings.role == JoinRole::Company && !same.is_empty() {
                let first = table.number(same[0] as usize);
                doubled.push(
                    Problem::cell(
                        table.number(row),
                        &table.headers[key],
                        format!("The company is that of row {first} too"),
                    )
                    .help("Join on an id that each company has once."),
                );
            }
            same.push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        if !doubled.is_empty() {
            return Err(doubled);
        }
        Ok(Self { path, role: settings.role, on, table, names, rows, crm: crm.clone() })
    }

    /// The records that belong to a deal's row.
    pub(super) fn records(&self, deals: &Table, cursor: &Cursor) -> Vec<Map<String, Value>> {
        let key = fold(&self.crm, &deals.cell(cursor, self.on));
        let Some(rows) = self.rows.get(&key) else { return Vec::new() };
        let mut other = Cursor::default();
        rows.iter()
            .map(|row| {
                self.table.seek(*row as usize, &mut other);
                let mut record = Map::new();
                for (column, names) in self.names.iter().enumerate() {
                    let Some(value) = self.table.value(&other, column) else { continue };
                    for name in names {
                        record.insert(name.clone(), value.clone());
                    }
                }
                record
            })
            .collect()
    }

    /// Puts the records of a deal's row where they belong.
    pub(super) fn apply(
        &self,
        deals: &Table,
        cursor: &Cursor,
        company: &mut Option<Company>,
        contacts: &mut Vec<Contact>,
        line_items: &mut Vec<LineItem>,
        locale: Locale,
    ) -> bool {
        let records = self.records(deals, cursor);
        let found = !records.is_empty();
        match self.role {
            JoinRole::Company => {
                for properties in records {
                    record::fill_company(company.get_or_insert_default(), properties);
                }
            }
            JoinRole::Contacts => {
                for properties in records {
                    record::merge_contact(contacts, record::contact(properties));
                }
            }
            JoinRole::LineItems => {
                line_items.extend(records.into_iter().map(|item| record::line_item(item, locale)))
            }
        }
        found
    }

    /// The SHA-256 of the file.
    pub(super) fn sha256(&self) -> &str {
        &self.table.sha256
    }

    /// What a reader should know of this file.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> + '_ {
        let path = self.path.display();
        self.table.remarks.iter().map(move |remark| format!("{path}: {remark}"))
    }
}

/// A key in the one form: case and white space do not count, and a Salesforce
/// id of 15 characters is the one of 18.
fn fold(crm: &CrmName, key: &str) -> String {
    let repaired = super::ids::repaired(key);
    let key = repaired.as_deref().unwrap_or(key).trim();
    let id = normalise_deal_id(crm, &DealId::new(key));
    crate::text::one_line(id.as_str()).to_lowercase()
}

/// The order in which files are named in the evidence.
pub(super) fn hashes(joined: &[Joined]) -> BTreeMap<String, String> {
    joined.iter().map(|join| (join.path.display().to_string(), join.sha256().to_owned())).collect()
}
