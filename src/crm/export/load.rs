//! One state of the files: read, columns found, rows found by id, joined files.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::OnceLock;

use rayon::prelude::*;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::cell::is_placeholder;
use super::columns::Columns;
use super::files::{self, ExportRoot, Stamp};
use super::headers::{Scale, Vendor, normal};
use super::outcome::{Pipelines, ScaleProof};
use super::problem::{Problem, many};
use super::record::IdFault;
use super::settings::{Column, DateOrder, DecimalSign, FileSettings, JoinRole, JoinSettings};
use super::table::{Cursor, ExportTable};
use super::{columns, record};
use crate::crm::CrmError;
use crate::model::{
    Company, Contact, CrmName, DealId, Key, LineItem, Locale, NumberForm, OrderProof, SignProof,
    WrittenDate, normalise_deal_id, read_amount, read_date,
};

// More files, joined to each deal: its company, its people, what was bought.

/// A joined file with its rows by key.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) path: PathBuf,
    pub(super) role: JoinRole,
    /// The column of the deals file.
    on: usize,
    table: ExportTable,
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
        table: ExportTable,
        deals: &ExportTable,
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
                doubled.push(Problem::column(header, "The column occurs twice"));
            }
            names.push(vec![header.clone()]);
        }
        for (at, header) in table.headers.iter().enumerate() {
            let snake = crate::crm::record::role_word(&normal(header));
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
    pub(super) fn records(&self, deals: &ExportTable, cursor: &Cursor) -> Vec<Map<String, Value>> {
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
        deals: &ExportTable,
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
    let repaired = super::record::repaired(key);
    let key = repaired.as_deref().unwrap_or(key).trim();
    let id = normalise_deal_id(crm, &DealId::new(key));
    crate::text::one_line(id.as_str()).to_lowercase()
}

/// The order in which files are named in the evidence.
pub(super) fn hashes(joined: &[Joined]) -> BTreeMap<String, String> {
    joined.iter().map(|join| (join.path.display().to_string(), join.sha256().to_owned())).collect()
}

// One state of the files: read, columns found, rows found by id, joined files
// at hand. Kept until a file changes.

/// Rows are worked on in pieces of this many.
pub(super) const PIECE: usize = 8_192;

/// Rows that tell what a column holds.
const SAMPLE: usize = 1_000;

/// How a single `,` or `.` before three digits is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignRule {
    /// The decimal sign is configured, or the other amounts prove it.
    Known(DecimalSign),
    /// The program that wrote the file knows no other.
    Written(DecimalSign),
    /// Nothing proves it; a file with this delimiter is written in a locale
    /// with this decimal sign, so the other sign groups thousands. The sign
    /// itself stays in doubt: money with three decimals is rare.
    Likely(DecimalSign),
    /// The column holds both signs as decimal signs.
    Mixed,
}

/// The order of a column's dates, and the column that proves it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProvedOrder {
    pub(super) order: DateOrder,
    pub(super) by: usize,
}

/// Everything that is known of the files before a deal is built.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The file as it is configured: messages are the same on every machine.
    pub(super) path: PathBuf,
    pub(super) name: CrmName,
    pub(super) vendor: Option<&'static Vendor>,
    pub(super) table: ExportTable,
    pub(super) columns: Columns,
    pub(super) joined: Vec<Joined>,
    pub(super) stamps: Vec<Stamp>,
    /// Rows by the hash of their id, in order.
    ids: Vec<(u64, u32)>,
    orders: HashMap<usize, OnceLock<Option<ProvedOrder>>>,
    amount: OnceLock<Option<usize>>,
    pipelines: OnceLock<Pipelines>,
    sign: OnceLock<SignRule>,
    locale: OnceLock<Locale>,
    scale: OnceLock<Option<Scale>>,
}

impl Loaded {
    /// Reads the files.
    pub(super) fn read(
        settings: &FileSettings,
        root: &ExportRoot,
        given: Option<&[u8]>,
    ) -> Result<Self, CrmError> {
        let path = settings.deals.clone();
        let (mut table, stamp) = match given {
            Some(bytes) => {
                let table = ExportTable::read(bytes.to_vec(), settings)
                    .map_err(|problem| many(&path, &[problem]))?;
                (table, None)
            }
            None => {
                let (table, stamp) = files::read_table(root, &path, "deals", settings)?;
                (table, Some(stamp))
            }
        };
        let vendor = columns::recognise(&table);
        let name =
            settings.name.as_deref().or(vendor.map(|vendor| vendor.name.as_str())).unwrap_or("csv");
        let name = CrmName::new(name);
        let columns =
            Columns::find(&table, vendor, settings).map_err(|found| many(&path, &found))?;
        columns.refuse_mixed_dates(&mut table).map_err(|problem| many(&path, &[problem]))?;
        if vendor.is_some_and(|vendor| vendor.false_is_empty) {
            table.drop_false(&columns.never_flags(&table));
        }
        let mut stamps: Vec<Stamp> = stamp.into_iter().collect();
        let mut joined = Vec::new();
        for join in &settings.join {
            let path = join.file.clone();
            let (other, stamp) = files::read_table(root, &path, "join", settings)?;
            if !other.broken.is_empty() {
                return Err(many(&path, &other.broken));
            }
            stamps.push(stamp);
            joined.push(
                Joined::new(join, path.clone(), other, &table, &columns, &name)
                    .map_err(|found| many(&path, &found))?,
            );
        }
        let date_columns = columns.all(Column::ClosedWonAt).iter().copied();
        let orders = date_columns.map(|at| (at, OnceLock::new())).collect();
        let mut loaded = Self {
            path,
            name,
            vendor,
            table,
            columns,
            joined,
            stamps,
            ids: Vec::new(),
            orders,
            amount: OnceLock::new(),
            pipelines: OnceLock::new(),
            sign: OnceLock::new(),
            locale: OnceLock::new(),
            scale: OnceLock::new(),
        };
        loaded.ids = loaded.index();
        Ok(loaded)
    }

    /// Whether the files are as they were.
    pub(super) fn is_current(&self) -> bool {
        self.stamps.iter().all(Stamp::holds)
    }

    /// The path as messages show it.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn index(&self) -> Vec<(u64, u32)> {
        let mut ids = Vec::new();
        (0..self.table.len())
            .into_par_iter()
            .with_min_len(PIECE)
            .map_init(Cursor::default, |cursor, row| {
                (self.hash_of(row, cursor), u32::try_from(row).unwrap_or(u32::MAX))
            })
            .collect_into_vec(&mut ids);
        ids.par_sort_unstable();
        ids
    }

    /// The hash of a row's id in the form a key has it. Most ids are in it but
    /// for the case, which is seen without building anything.
    fn hash_of(&self, row: usize, cursor: &mut Cursor) -> u64 {
        if let Some(column) = self.columns.of(Column::Id) {
            self.table.seek_until(row, column, cursor);
            let cell = self.table.cell(cursor, column);
            let in_form = cell.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
            if in_form && cell.len() != 15 {
                return hash(&cell);
            }
        }
        hash(&self.canonical(&self.id_of(row, cursor)))
    }

    /// A row's id in its one form; of company, name and close date where the
    /// file has no ids. Empty where there is none.
    pub(super) fn id_of(&self, row: usize, cursor: &mut Cursor) -> DealId {
        if let Some(column) = self.columns.of(Column::Id) {
            self.table.seek_until(row, column, cursor);
        } else {
            self.table.seek(row, cursor);
        }
        self.id_at(cursor)
    }

    /// The id of the cursor's row.
    pub(super) fn id_at(&self, cursor: &Cursor) -> DealId {
        if let Some(column) = self.columns.of(Column::Id) {
            return self.normal_id(&self.table.cell(cursor, column));
        }
        let cell = |column| {
            let at = self.columns.all(column).iter();
            at.map(|at| self.table.cell(cursor, *at)).find(|cell| !cell.is_empty())
        };
        let part = |column| cell(column).map(|c| crate::text::one_line(&c)).unwrap_or_default();
        let [company, name, closed] =
            [Column::Company, Column::Name, Column::ClosedWonAt].map(part);
        if name.is_empty() || closed.is_empty() {
            return DealId::new("");
        }
        let all = format!("{company}\n{name}\n{closed}").to_lowercase();
        let digest = hex::encode(&Sha256::digest(all.as_bytes())[..5]);
        DealId::new(format!("{}-{digest}", crate::text::slug(&name, 48)))
    }

    /// The same as a text, which is the cell's own where that is in the one form
    /// already, as nearly all are.
    pub(super) fn id_text(&self, cursor: &Cursor) -> Cow<'_, str> {
        if let Some(column) = self.columns.of(Column::Id).filter(|_| !self.is_salesforce())
            && let Cow::Borrowed(cell) = self.table.cell(cursor, column)
            && record::is_plain_id(cell)
        {
            return Cow::Borrowed(cell);
        }
        Cow::Owned(self.id_at(cursor).as_str().to_owned())
    }

    /// The one form of an id: out of a spreadsheet's `="…"`, without the `.0`
    /// that makes a number of it, a Salesforce id with 18 characters.
    pub(super) fn normal_id(&self, cell: &str) -> DealId {
        let repaired = record::repaired(cell);
        let id = repaired.as_deref().unwrap_or(cell).trim();
        normalise_deal_id(&self.name, &DealId::new(id))
    }

    /// An id as a key holds it: two ids that fall together there are one.
    fn canonical(&self, id: &DealId) -> String {
        match Key::for_deal(&self.name, id) {
            Ok(key) => {
                key.as_str().get(self.name.as_str().len() + 1..).unwrap_or_default().to_owned()
            }
            Err(_) => id.as_str().to_owned(),
        }
    }

    /// The rows with this id; one, in a file without mistakes.
    pub(super) fn rows_with(&self, id: &DealId) -> Vec<usize> {
        let requested = self.canonical(&self.normal_id(id.as_str()));
        let hash = hash(&requested);
        let mut cursor = Cursor::default();
        let from = self.ids.partition_point(|(h, _)| *h < hash);
        self.ids[from..]
            .iter()
            .take_while(|(h, _)| *h == hash)
            .map(|(_, row)| *row as usize)
            .filter(|row| self.canonical(&self.id_of(*row, &mut cursor)) == requested)
            .collect()
    }

    /// Rows whose ids fall together, as problems.
    pub(super) fn doubled_ids(&self) -> Vec<Problem> {
        let mut cursor = Cursor::default();
        let mut problems = Vec::new();
        for pair in self.ids.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let (first, second) = (pair[0].1 as usize, pair[1].1 as usize);
            let id = self.id_of(second, &mut cursor);
            if id.as_str().is_empty()
                || self.canonical(&self.id_of(first, &mut cursor)) != self.canonical(&id)
            {
                continue;
            }
            problems.push(self.doubled(&id, first, second));
        }
        problems.extend(self.rounded_ids());
        problems.extend(self.lowered_ids());
        problems.sort_by_key(|problem| problem.row);
        problems
    }

    /// A spreadsheet keeps fifteen digits and writes zeros behind them: where every
    /// longer id ends so, their last digits are lost.
    fn rounded_ids(&self) -> Option<Problem> {
        let column = self.columns.of(Column::Id)?;
        let ids = self.table.first_cells(column);
        let long: Vec<&String> = ids
            .iter()
            .filter(|it| it.len() > 15 && it.bytes().all(|b| b.is_ascii_digit()))
            .collect();
        let zeros: usize = long.iter().map(|it| it.len() - 15).sum();
        let lost = long.iter().all(|it| it.bytes().skip(15).all(|b| b == b'0'));
        (lost && zeros > 2).then(|| {
            let (what, help) = IdFault::Rounded.words(&crate::text::quoted(long[0]));
            Problem::column(&self.table.headers[column], what).help(help)
        })
    }

    /// Salesforce's ids of 15 characters without any capital, or without any
    /// small letter: a program has changed them where all of a column are so, or
    /// where another row has the same id in other capitals.
    fn lowered_ids(&self) -> Vec<Problem> {
        let Some(column) = self.columns.of(Column::Id).filter(|_| self.is_salesforce()) else {
            return Vec::new();
        };
        let header = &self.table.headers[column];
        let problem = |row: Option<usize>, id: &str| {
            let (what, help) = IdFault::Capitals.words(&crate::text::quoted(id));
            let problem = match row {
                Some(row) => Problem::cell(self.table.number(row), header, what),
                None => Problem::column(header, what),
            };
            problem.help(help)
        };
        let letters = |id: &str| id.bytes().skip(3).filter(u8::is_ascii_alphabetic).count();
        let is_short = |id: &str| id.len() == 15 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_one_case = |id: &str| {
            let has = |is: fn(&u8) -> bool| id.bytes().any(|c| is(&c));
            !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
        };
        let first: BTreeSet<String> =
            self.table.first_cells(column).into_iter().filter(|id| is_short(id)).collect();
        // Of three ids with a dozen letters one has a capital, unless they are lost.
        if first.len() > 2
            && first.iter().all(|id| is_one_case(id))
            && first.iter().map(|id| letters(id)).sum::<usize>() > 11
        {
            return first.first().map(|id| problem(None, id)).into_iter().collect();
        }
        let mut cursor = Cursor::default();
        let mut lowered: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        let mut each = |see: &mut dyn FnMut(usize, &str)| {
            for row in 0..self.table.len() {
                self.table.seek_until(row, column, &mut cursor);
                see(row, self.table.cell(&cursor, column).trim());
            }
        };
        each(&mut |row, id| {
            if is_short(id) && is_one_case(id) && letters(id) > 0 {
                let of = lowered.entry(id.to_lowercase()).or_default();
                of.push((row, id.to_owned()));
            }
        });
        if lowered.is_empty() {
            return Vec::new();
        }
        let mut collide: BTreeSet<String> = BTreeSet::new();
        each(&mut |_, id| {
            let id = id.get(..15).filter(|_| matches!(id.len(), 15 | 18)).unwrap_or(id);
            let folded = id.to_lowercase();
            if lowered.get(&folded).is_some_and(|of| of.iter().any(|(_, other)| other != id)) {
                collide.insert(folded);
            }
        });
        let of = collide.iter().filter_map(|id| lowered.get(id)).flatten();
        of.map(|(row, id)| problem(Some(*row), id)).collect()
    }

    pub(super) fn is_salesforce(&self) -> bool {
        self.name.as_str() == "salesforce"
    }

    /// The problem of two rows with one id.
    pub(super) fn doubled(&self, id: &DealId, first: usize, second: usize) -> Problem {
        let (first, second) = (self.table.number(first), self.table.number(second));
        match self.columns.of(Column::Id) {
            Some(column) => Problem::cell(
                second,
                &self.table.headers[column],
                format!("The id {} is that of row {first} too", crate::text::quoted(id.as_str())),
            )
            .help("Each deal needs one row; a report with one row for each product or contact repeats them."),
            None => Problem::row(
                second,
                format!("Company, name and close date are those of row {first} too"),
            )
            .help("Without an id these deals cannot be told apart: add the id to the export."),
        }
    }

    /// Whether a cell holds nothing: it is empty, or written for one that is. Odoo
    /// writes `False`.
    pub(super) fn is_nothing(&self, cell: &str) -> bool {
        cell.is_empty()
            || is_placeholder(cell)
            || self.vendor.is_some_and(|it| it.false_is_empty) && cell.eq_ignore_ascii_case("false")
    }

    /// The column that the deals' amounts are read from: the best one that holds any.
    /// Another one is another measure.
    pub(super) fn amount_column(&self) -> Option<usize> {
        *self.amount.get_or_init(|| {
            let columns = self.columns.all(Column::Amount);
            let mut cursor = Cursor::default();
            let mut holds_any = |at: usize| {
                (0..self.table.len()).any(|row| {
                    self.table.seek_until(row, at, &mut cursor);
                    !self.is_nothing(&self.table.cell(&cursor, at))
                })
            };
            let found = columns.iter().copied().find(|at| holds_any(*at));
            found.or_else(|| columns.first().copied())
        })
    }

    /// What stands in brackets behind stages and is a pipeline.
    pub(super) fn pipelines(&self) -> &Pipelines {
        self.pipelines.get_or_init(|| {
            let cells = |column: Column| {
                let columns = self.columns.all(column).iter();
                columns.flat_map(move |at| {
                    let mut cursor = Cursor::default();
                    (0..self.table.len()).map(move |row| {
                        self.table.seek_until(row, *at, &mut cursor);
                        Cow::Owned(self.table.cell(&cursor, *at).into_owned())
                    })
                })
            };
            let of = self.columns.of(Column::Stage).map(|at| self.table.headers[at].as_str());
            let by_header = of.is_some_and(|header| header.ends_with("(pipeline)"));
            let by_vendor = self.vendor.is_some_and(|vendor| vendor.stage_with_pipeline);
            let stages = cells(Column::Stage).chain(cells(Column::Status));
            Pipelines::find(stages, cells(Column::Pipeline), by_header || by_vendor)
        })
    }

    /// The order of a date column: configured, else proved by the column, else by a
    /// date column that the vendor itself fills, as this one.
    pub(super) fn order(&self, column: usize, configured: Option<DateOrder>) -> Option<DateOrder> {
        if configured.is_some() {
            return configured;
        }
        let proved = *self.orders.get(&column)?.get_or_init(|| {
            let of = |at: usize, proof: OrderProof| {
                proof.order().map(|order| ProvedOrder { order, by: at })
            };
            let proof = self.date_proof(column);
            if proof.order().is_some() || proof.day_first.is_some() {
                return of(column, proof);
            }
            let others: Vec<Option<ProvedOrder>> = (self.columns.of_vendor.iter().copied())
                .filter(|at| *at != column && self.columns.of_vendor.contains(&column))
                .filter(|at| is_date_header(&self.table.headers[*at]))
                .map(|at| (at, self.date_proof(at)))
                .filter(|(_, proof)| proof.day_first.is_some() || proof.month_first.is_some())
                .map(|(at, proof)| of(at, proof))
                .collect();
            let first = (*others.first()?)?;
            let is_same = |it: &Option<ProvedOrder>| it.is_some_and(|it| it.order == first.order);
            others.iter().all(is_same).then_some(first)
        });
        proved.map(|proved| proved.order)
    }

    /// The order that the column was read in without being configured.
    pub(super) fn decided_order(&self, column: usize) -> Option<ProvedOrder> {
        self.orders.get(&column)?.get().copied().flatten()
    }

    /// What proves a column's order: rows with a day past 12.
    pub(super) fn date_proof(&self, column: usize) -> OrderProof {
        let mut cursor = Cursor::default();
        let mut proof = OrderProof::default();
        for row in 0..self.table.len() {
            self.table.seek_until(row, column, &mut cursor);
            proof.see(&self.table.cell(&cursor, column), self.table.number(row));
        }
        proof
    }

    /// How a single sign before three digits is read: as configured, else as
    /// the column proves, else as the vendor always writes, else as it fits
    /// the file's delimiter.
    pub(super) fn sign(&self, configured: Option<DecimalSign>) -> SignRule {
        if let Some(sign) = configured {
            return SignRule::Known(sign);
        }
        *self.sign.get_or_init(|| {
            let Some(column) = self.amount_column() else { return SignRule::Mixed };
            let mut cursor = Cursor::default();
            let mut proof = SignProof::default();
            for row in 0..self.table.len() {
                self.table.seek_until(row, column, &mut cursor);
                // How a spreadsheet keeps its numbers says nothing of how texts are written.
                if self.table.is_number(&cursor, column) {
                    continue;
                }
                proof.see(&self.table.cell(&cursor, column), self.table.number(row));
            }
            // HubSpot's exports and JSON know the point only.
            let point = self.writes_points();
            match (proof.sign(), proof.point, self.table.delimiter()) {
                (Some(sign), _, _) => SignRule::Known(sign),
                (None, Some(_), _) => SignRule::Mixed,
                (None, None, _) if point => SignRule::Written(DecimalSign::Point),
                (None, None, Some(b';')) => SignRule::Likely(DecimalSign::Comma),
                (None, None, _) => SignRule::Likely(DecimalSign::Point),
            }
        })
    }

    /// Whether a program wrote the numbers, with a point: HubSpot's exports and JSON
    /// know nothing else.
    pub(super) fn writes_points(&self) -> bool {
        self.table.is_json() || self.vendor.is_some_and(|vendor| vendor.name == "hubspot")
    }

    /// What was found of the decimal sign without its being configured.
    pub(super) fn decided_sign(&self) -> Option<SignRule> {
        self.sign.get().copied()
    }

    /// How the file writes dates and numbers, all columns together.
    pub(super) fn locale(&self, settings: &FileSettings) -> Locale {
        *self.locale.get_or_init(|| {
            let numbers = match self.sign(settings.numbers.decimal) {
                _ if self.table.is_json() => NumberForm::Plain,
                SignRule::Known(sign) | SignRule::Written(sign) => NumberForm::Sign(sign),
                SignRule::Likely(_) | SignRule::Mixed => self.other_numbers(),
            };
            let order = settings.dates.order.or_else(|| self.unanimous_order());
            Locale { order, numbers, zone: settings.zone() }
        })
    }

    /// The order that all date columns of the file agree on.
    fn unanimous_order(&self) -> Option<DateOrder> {
        let mut cursor = Cursor::default();
        let found: Vec<OrderProof> = (0..self.table.headers.len())
            .filter(|at| {
                (0..self.table.len().min(SAMPLE)).any(|row| {
                    self.table.seek_until(row, *at, &mut cursor);
                    matches!(
                        read_date(&self.table.cell(&cursor, *at)),
                        Ok(WrittenDate::Two { .. } | WrittenDate::Short { .. })
                    )
                })
            })
            .map(|at| self.date_proof(at))
            .filter(|proof| proof.day_first.is_some() || proof.month_first.is_some())
            .collect();
        let first = found.first()?.order()?;
        found.iter().all(|proof| proof.order() == Some(first)).then_some(first)
    }

    /// The decimal sign that columns of numbers other than the amount agree on.
    fn other_numbers(&self) -> NumberForm {
        let mut cursor = Cursor::default();
        let mut proof = SignProof::default();
        for at in 0..self.table.headers.len() {
            let mut own = SignProof::default();
            let mut all = true;
            for row in 0..self.table.len().min(SAMPLE) {
                self.table.seek_until(row, at, &mut cursor);
                let cell = self.table.cell(&cursor, at);
                all &= cell.is_empty() || read_amount(&cell).is_ok();
                if !self.table.is_number(&cursor, at) {
                    own.see(&cell, row);
                }
            }
            if all {
                proof = proof.and(own);
            }
        }
        proof.sign().map_or(NumberForm::Undecided, NumberForm::Sign)
    }

    /// How the file's probabilities are written: as the vendor does, else as
    /// the column proves.
    pub(super) fn scale(&self) -> Option<Scale> {
        *self.scale.get_or_init(|| {
            let column = self.columns.of(Column::Probability)?;
            let mut cursor = Cursor::default();
            let mut proof = ScaleProof::default();
            for row in 0..self.table.len() {
                self.table.seek_until(row, column, &mut cursor);
                proof.see(&self.table.cell(&cursor, column));
            }
            proof.scale().or_else(|| self.vendor.and_then(|vendor| vendor.probability))
        })
    }

    /// The ids nearest to one that is not there.
    pub(super) fn near(&self, id: &DealId) -> Vec<String> {
        let digits =
            |text: &str| text.bytes().filter(u8::is_ascii_alphanumeric).collect::<Vec<_>>();
        let requested = id.as_str().to_lowercase();
        let bare = digits(&requested);
        let mut cursor = Cursor::default();
        let mut near: Vec<(usize, String)> = Vec::new();
        for row in 0..self.table.len() {
            let other = self.id_of(row, &mut cursor);
            let lower = other.as_str().to_lowercase();
            let same_but_signs = digits(&lower) == bare;
            if !same_but_signs && lower.len().abs_diff(requested.len()) > 2 {
                continue;
            }
            let distance =
                if same_but_signs { 0 } else { strsim::osa_distance(&lower, &requested) };
            if distance <= 2 {
                near.push((distance, other.as_str().to_owned()));
                near.sort();
                near.truncate(3);
            }
        }
        near.into_iter().map(|(_, id)| id).collect()
    }
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

fn is_date_header(header: &str) -> bool {
    let header = header.to_lowercase();
    ["date", "time", "created", "closed on", "datum", "fecha"]
        .iter()
        .any(|word| header.contains(word))
}
