//! Whose export a file is, and which of its columns holds what: configured, else
//! by the names that vendors and people give it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::headers::{ANYBODY, Forms, IdForm, KnownColumn, VENDORS, Vendor, is_known, normal};
use super::problem::Problem;
use super::record::{IdFault, record_of_address};
use super::settings::{Column, FileSettings};
use super::table::{Cursor, ExportTable};
use crate::crm::record::role_word;
use crate::model::currency_code;
use crate::text::quoted;

/// Whose export a table is, by labels that no other vendor has.
pub(super) fn recognise(table: &ExportTable) -> Option<&'static Vendor> {
    let forms: Vec<Forms> = table.headers.iter().map(|header| Forms::of(header)).collect();
    let has_label = |label: &String| forms.iter().any(|forms| forms.are(label));
    let has = |group: &&Vec<String>| group.iter().any(has_label);
    let mut found: Vec<(usize, &Vendor)> = VENDORS
        .iter()
        .filter_map(|vendor| {
            let prefixed = forms
                .iter()
                .filter(|f| vendor.prefixes.iter().any(|p| f.plain.starts_with(p.as_str())))
                .count();
            let ids = vendor.ids_of(table, &forms);
            let id_weight = vendor.tells.iter().map(|form| form.weight(&ids)).max().unwrap_or(0);
            let marks = vendor
                .marks
                .iter()
                .filter(|group| group.iter().all(|mark| table.marks.contains(mark)));
            // What its API writes is a vendor's own in an answer, or beside its ids.
            let is_written = (table.is_json() || id_weight > 0)
                && vendor.written.iter().any(|name| table.headers.contains(name));
            let own = vendor.own.iter().filter(has).count()
                + prefixed
                + marks.count()
                + usize::from(is_written)
                + if id_weight > 1 { id_weight } else { 0 };
            let all = own + vendor.shared.iter().filter(has).count() + usize::from(id_weight == 1);
            let together = vendor.together.iter().find(|labels| labels.iter().all(has_label));
            let together = together.map_or(0, Vec::len);
            ((own > 0 && all >= vendor.least || together > 0) && vendor.owns_ids(&ids))
                .then_some((own + all + together, vendor))
        })
        .collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    match found.as_slice() {
        [] => None,
        [(_, vendor)] => Some(vendor),
        [(first, vendor), (second, _), ..] => (first > second).then_some(*vendor),
    }
}

impl Vendor {
    /// What stands before the labels of a table of this vendor.
    fn prefixes_in(&self, forms: &[Forms]) -> Vec<&String> {
        let is_proved = |outer: &&String| {
            let has = |forms: &Forms| {
                forms.plain.starts_with(outer.as_str()) && self.is_own_label(&forms.plain)
            };
            forms.iter().any(has)
        };
        self.prefixes.iter().chain(self.outer.iter().filter(is_proved)).collect()
    }

    /// The ids of the table's first rows, under this vendor's labels for them.
    fn ids_of(&self, table: &ExportTable, forms: &[Forms]) -> Vec<String> {
        let ids = self.columns.iter().filter(|known| known.column == Some(Column::Id));
        let column = ids
            .flat_map(|known| &known.labels)
            .find_map(|label| forms.iter().position(|forms| forms.are(label)));
        let cells = column.map_or(Vec::new(), |column| table.first_cells(column));
        let whole = |id: String| super::record::repaired(&id).unwrap_or(id);
        cells.into_iter().map(whole).collect()
    }

    /// Whether most ids of the table can be of this vendor.
    fn owns_ids(&self, ids: &[String]) -> bool {
        let own = ids.iter().filter(|id| {
            // What a spreadsheet made of digits is told later.
            super::record::read_id(id).is_err_and(|it| it == IdFault::Rounded) || self.fits(id)
        });
        self.ids.is_empty() || own.count() * 2 >= ids.len()
    }

    /// Whether this can be the id of a deal of this vendor; it is none where it is
    /// that of another object.
    pub(super) fn is_own(&self, id: &str) -> bool {
        let tells = !self.object.is_empty()
            && matches!(id.len(), 15 | 18)
            && id.bytes().all(|b| b.is_ascii_alphanumeric());
        self.fits(id) && (!tells || id.starts_with(&self.object))
    }

    fn fits(&self, id: &str) -> bool {
        match self.ids.as_str() {
            "" => true,
            "digits" => id.bytes().all(|b| b.is_ascii_digit()),
            "salesforce" => {
                matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric())
            }
            start => id.starts_with(start),
        }
    }
}

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
    /// The column with the currency of each column of amounts that has one.
    pub(super) currencies: BTreeMap<usize, usize>,
    /// The currencies that the headers of amounts name: `Amount (EUR)`.
    pub(super) header_currencies: BTreeMap<usize, &'static str>,
    /// The columns that the vendor itself fills.
    pub(super) of_vendor: BTreeSet<usize>,
    /// Columns whose amounts are in the smallest unit.
    pub(super) cents: Vec<usize>,
    pub(super) merged_ids: Option<usize>,
    /// Deal types are told in the vendor's API as words without spaces.
    pub(super) deal_type: Option<usize>,
}

impl Columns {
    /// Finds the columns, and everything that is wrong with them.
    pub(super) fn find(
        table: &ExportTable,
        vendor: Option<&'static Vendor>,
        settings: &FileSettings,
    ) -> Result<Self, Vec<Problem>> {
        let configured = &settings.columns;
        let forms: Vec<Forms> = table.headers.iter().map(|header| Forms::of(header)).collect();
        let prefixes = vendor.map_or(Vec::new(), |vendor| vendor.prefixes_in(&forms));
        let forms: Vec<Forms> =
            forms.into_iter().map(|forms| forms.without_prefix(&prefixes)).collect();
        let mut problems = Vec::new();
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
        let vendors = vendor.map_or(&[][..], |vendor| &vendor.columns);
        let has_status = vendors.iter().any(|known| known.column == Some(Column::Status));
        for known in vendors.iter().chain(&ANYBODY.columns) {
            let Some(column) = known.column.filter(|column| !configured.contains_key(column))
            else {
                continue;
            };
            // HubSpot and Salesforce have stages; a `Status` there is of something else.
            if column == Column::Status && vendor.is_some() && !has_status {
                continue;
            }
            let keeps_archived = vendor.is_some_and(|vendor| vendor.keeps_archived);
            for label in &known.labels {
                if keeps_archived && column == Column::Deleted && label.contains("archived") {
                    continue;
                }
                if let Some(at) = forms.iter().position(|forms| forms.are(label)) {
                    let found = by_use.entry(column).or_default();
                    if !found.contains(&at) {
                        found.push(at);
                    }
                }
            }
        }
        // What reports put before each name is taken off where nothing else fits.
        for known in vendors.iter().chain(&ANYBODY.columns) {
            let free = |column: &Column| {
                !by_use.contains_key(column)
                    && (*column != Column::Status || vendor.is_none() || has_status)
            };
            let Some(column) = known.column.filter(free) else { continue };
            let bare = |label: &String| forms.iter().position(|forms| forms.are_bare(label));
            if let Some(at) = known.labels.iter().find_map(bare) {
                by_use.insert(column, vec![at]);
            }
        }
        // `amount_usd`, `Amount (EUR)`, `Value in CHF`.
        let is_amount = |label: &str| {
            vendors.iter().chain(&ANYBODY.columns).any(|known| {
                known.column == Some(Column::Amount) && known.labels.iter().any(|l| l == label)
            })
        };
        let in_headers: BTreeMap<usize, &'static str> = forms
            .iter()
            .enumerate()
            .filter_map(|(at, forms)| {
                let text = forms.plain.trim_end_matches([')', ']']);
                let code = currency_code(text.get(text.len().checked_sub(3)?..)?)?;
                let before = &text[..text.len() - 3];
                let base = before.trim_end_matches([' ', '(', '[', '-', ':']);
                let is_named = text.len() < forms.plain.len() && before.ends_with(['(', '[']);
                let base = base.strip_suffix(" in").unwrap_or(base);
                (is_amount(base) || is_named).then_some((at, code))
            })
            .collect();
        if let Entry::Vacant(amount) = by_use.entry(Column::Amount) {
            let is_base = |at: &&usize| {
                let text = forms[**at].plain.trim_end_matches([')', ']']);
                let base = text[..text.len() - 3].trim_end_matches([' ', '(', '[', '-', ':']);
                is_amount(base.strip_suffix(" in").unwrap_or(base))
            };
            if let Some(at) = in_headers.keys().find(is_base) {
                amount.insert(vec![*at]);
            }
        }
        problems.extend(doubled(table, &by_use));
        if let Entry::Vacant(id) = by_use.entry(Column::Id)
            && let Some(at) = addresses(table)
        {
            id.insert(vec![at]);
        }
        let keyed_weakly = by_use.contains_key(&Column::Name)
            && by_use.contains_key(&Column::Company)
            && by_use.contains_key(&Column::ClosedWonAt);
        if problems.is_empty() && !by_use.contains_key(&Column::Id) {
            let read: BTreeSet<usize> = by_use.values().flatten().copied().collect();
            match unnamed_id(table, &read).filter(|_| keyed_weakly) {
                Some(at) => problems.push(is_that_the_id(&table.headers[at], settings)),
                None if !keyed_weakly => problems.push(without_id(table, settings)),
                None => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let currencies = currencies(&by_use, &forms, configured);
        let api = |name: &str| {
            let known = vendors.iter().find(|known| known.api == name)?;
            forms.iter().position(|forms| known.has(forms))
        };
        let cents: Vec<usize> = vendors
            .iter()
            .filter(|known| known.cents)
            .filter_map(|known| forms.iter().position(|forms| known.has(forms)))
            .collect();
        let amounts = by_use.get(&Column::Amount).map_or(&[][..], Vec::as_slice);
        let header_currencies =
            in_headers.into_iter().filter(|(at, _)| amounts.contains(at)).collect();
        let of_vendor = (0..forms.len())
            .filter(|at| vendors.iter().any(|known| known.has(&forms[*at])))
            .collect();
        let merged_ids = api("hs_merged_object_ids");
        let deal_type = api("dealtype");
        let names = names(table, &forms, vendors);
        let company = of_company(table);
        let by_use =
            Column::ALL.iter().map(|column| by_use.remove(column).unwrap_or_default()).collect();
        Ok(Self {
            by_use,
            names,
            company,
            currencies,
            header_currencies,
            of_vendor,
            cents,
            merged_ids,
            deal_type,
        })
    }

    /// The best column for a use.
    pub(super) fn of(&self, column: Column) -> Option<usize> {
        self.all(column).first().copied()
    }

    /// All columns for a use, the best one first.
    pub(super) fn all(&self, column: Column) -> &[usize] {
        &self.by_use[column as usize]
    }

    /// Whether any column says where a deal stands.
    pub(super) fn say_outcome(&self) -> bool {
        [
            Column::Stage,
            Column::Status,
            Column::IsWon,
            Column::IsLost,
            Column::IsClosed,
            Column::Probability,
        ]
        .into_iter()
        .any(|column| self.of(column).is_some())
    }

    /// Refuses real dates beside texts in the column that says when deals were won: the
    /// spreadsheet read those that fit its own order of day and month, and so exchanged
    /// the two in some; the others it left as they were. In other columns it is remarked.
    pub(super) fn refuse_mixed_dates(&self, table: &mut ExportTable) -> Result<(), Problem> {
        let told = |table: &ExportTable, at: usize, (date, text): (usize, usize)| {
            let header = &table.headers[at];
            let mut cursor = Cursor::default();
            let row = (0..table.len()).find(|row| table.number(*row) == text)?;
            table.seek_until(row, at, &mut cursor);
            let cell = quoted(&table.cell(&cursor, at));
            Some((
                header.clone(),
                format!(
                    "Real dates (row {date}) stand beside texts such as {cell} (row {text}): a spreadsheet \
                 has read some of the dates in another order of day and month than they were written in"
                ),
            ))
        };
        let found: Vec<_> = table.typed.dates.iter().map(|(at, rows)| (*at, *rows)).collect();
        for (at, rows) in found.into_iter().filter(|(at, _)| *at < table.headers.len()) {
            let Some((header, what)) = told(table, at, rows) else { continue };
            if self.all(Column::ClosedWonAt).contains(&at) {
                return Err(Problem::column(&header, what).help(
                    "Export again and give that file, without opening it in a spreadsheet; or import it there with the column as text.",
                ));
            }
            table.remarks.push(format!("Column {}: {what}.", quoted(&header)));
        }
        Ok(())
    }

    /// The columns that hold no flags: those of another use, and ids of other records.
    pub(super) fn never_flags(&self, table: &ExportTable) -> BTreeSet<usize> {
        let flags =
            [Column::IsWon, Column::IsLost, Column::IsClosed, Column::Deleted, Column::Active];
        let used = Column::ALL.iter().filter(|column| !flags.contains(column));
        let used = used.flat_map(|column| self.all(*column)).copied();
        let headers = table.headers.iter().enumerate();
        let ids = headers.filter(|(_, header)| header.ends_with("_id")).map(|(at, _)| at);
        used.chain(ids).collect()
    }

    /// A column by its header, or by its name in the configuration; for joins.
    pub(super) fn named(&self, table: &ExportTable, name: &str) -> Option<usize> {
        table.column(name).or_else(|| {
            let column = Column::ALL.iter().copied().find(|column| column.key() == name)?;
            self.of(column)
        })
    }
}

/// The problem of a table in which deals cannot be told apart.
fn without_id(table: &ExportTable, settings: &FileSettings) -> Problem {
    let Some(likely) = table.headers.get(likely_id(&table.headers)) else {
        return Problem::file("The records are empty")
            .help("Save what the API lists as deals, with their fields.");
    };
    if table.headers.len() < 2 || !table.headers.iter().any(|header| is_known(header)) {
        let first: String = table.headers.join(" ").chars().take(80).collect();
        let export = "Export the deals as CSV with a line of headers in front.";
        let help = match table.headers.len() {
            1 => export.to_owned(),
            _ => format!(
                "{export} If these are the headers, name the columns: write {}, and the others \
                 beside the id.",
                id_line(likely, settings)
            ),
        };
        let what = "No column has a name that an export of deals has; the first line is";
        return Problem::file(format!("{what} {}", quoted(&first))).help(help);
    }
    Problem::file(format!(
        "There is no column with the deal's id; the columns are {}",
        table.headers_in_words()
    ))
    .help(format!(
        "Add the id to the export (Record ID, Opportunity ID, ID), or name its column: write {}. \
         Without an id, deals are told apart by company, name and close date, and the file \
         needs all three.",
        id_line(likely, settings)
    ))
}

/// The line that names the column of the ids.
fn id_line(header: &str, settings: &FileSettings) -> String {
    settings.line(&format!("columns: {{id: {}}}", serde_json::json!(header)))
}

/// A column that no name is known for and that looks like the ids of the deals: the
/// ids of Salesforce's opportunities, or under a header with the word `id` another
/// one in each row.
fn unnamed_id(table: &ExportTable, read: &BTreeSet<usize>) -> Option<usize> {
    const OF_OTHERS: [&str; 16] = [
        "account",
        "company",
        "contact",
        "customer",
        "client",
        "organization",
        "organisation",
        "owner",
        "user",
        "lead",
        "campaign",
        "person",
        "product",
        "parent",
        "team",
        "tax",
    ];
    let rows = table.len().min(100);
    let ids = |at: usize| {
        let cells = table.first_cells(at);
        (rows > 0 && cells.len() == rows).then_some(cells)
    };
    let free = || (0..table.headers.len()).filter(|at| !read.contains(at));
    let of_salesforce =
        free().find(|at| ids(*at).is_some_and(|cells| IdForm::Opportunity.weight(&cells) > 0));
    of_salesforce.or_else(|| {
        free().find(|at| {
            let header = Forms::of(&table.headers[*at]).apart;
            let words: Vec<&str> = header.split(|c: char| !c.is_alphanumeric()).collect();
            words.contains(&"id")
                && !words.iter().any(|word| OF_OTHERS.contains(word))
                && ids(*at).is_some_and(|cells| {
                    let all_have_digits =
                        cells.iter().all(|c| c.bytes().any(|b| b.is_ascii_digit()));
                    all_have_digits && BTreeSet::from_iter(&cells).len() == rows
                })
        })
    })
}

fn is_that_the_id(header: &str, settings: &FileSettings) -> Problem {
    Problem::column(header, "No column has a name that a deal's id has, and this one may hold it")
        .help(format!(
            "If it does, write {}; if it does not, leave it out of the export. Without an id a key is \
             made of company, name and close date, and changes with them.",
            id_line(header, settings)
        ))
}

/// The first column in which each row has the address of a record, another one in
/// each: the ids are in them.
fn addresses(table: &ExportTable) -> Option<usize> {
    let rows = table.len().min(100);
    (0..table.headers.len()).find(|column| {
        let cells = table.first_cells(*column);
        let ids: Option<BTreeSet<String>> =
            cells.iter().map(|cell| record_of_address(cell)).collect();
        rows > 0 && cells.len() == rows && ids.is_some_and(|ids| ids.len() == rows)
    })
}

/// The header that may well be an id's, for a proposal; else the first one.
fn likely_id(headers: &[String]) -> usize {
    let is_id = |header: &String| {
        normal(header).split(' ').any(|word| matches!(word, "id" | "no" | "nr" | "number" | "key"))
    };
    headers.iter().position(is_id).unwrap_or_default()
}

/// Columns with one header cannot be told apart, where one of them is read.
fn doubled(table: &ExportTable, by_use: &BTreeMap<Column, Vec<usize>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for at in by_use.values().flatten() {
        let header = table.headers[*at].to_lowercase();
        let other =
            table.headers.iter().enumerate().find(|(n, h)| n != at && h.to_lowercase() == header);
        if let Some((other, header)) = other {
            let (first, second) = (other.min(*at) + 1, other.max(*at) + 1);
            let problem = Problem::column(
                header,
                format!("The column occurs twice, as column {first} and {second}"),
            )
            .help("Take one of the two out of the export, or rename it.");
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// The currency column that belongs to each amount: Salesforce writes one for
/// each, `Amount (converted) Currency` beside `Amount (converted)`.
fn currencies(
    by_use: &BTreeMap<Column, Vec<usize>>,
    forms: &[Forms],
    configured: &BTreeMap<Column, String>,
) -> BTreeMap<usize, usize> {
    let general = by_use.get(&Column::Currency).and_then(|at| at.first().copied());
    let of = |amount: &usize| {
        if configured.contains_key(&Column::Currency) {
            return general;
        }
        let own = &forms[*amount].plain;
        let beside = forms.iter().position(|forms| {
            is_currency_of(&forms.plain, own) || is_currency_of(&forms.apart, own)
        });
        // What is converted is not in the deal's own currency.
        let converted = ["convert", "company currency", "home currency"];
        let converted = converted.iter().any(|word| own.contains(word));
        beside.or(if converted { None } else { general })
    };
    let amounts = by_use.get(&Column::Amount).into_iter().flatten();
    amounts.filter_map(|amount| Some((*amount, of(amount)?))).collect()
}

/// `Amount Currency`, `currency of value`, `Betrag Währung`, `金額 通貨`.
fn is_currency_of(header: &str, amount: &str) -> bool {
    const WORDS: [&str; 9] =
        ["currency", "wahrung", "devise", "divisa", "moneda", "moeda", "valuta", "waluta", "通貨"];
    const BETWEEN: [&str; 8] = ["of", "von", "des", "de", "di", "van", "av", "for"];
    let word = header.strip_prefix(amount).and_then(|rest| rest.strip_prefix(' '));
    let of = || {
        let (word, rest) = header.split_once(' ')?;
        let (between, own) = rest.split_once(' ')?;
        (BETWEEN.contains(&between) && own == amount).then_some(word)
    };
    word.or_else(of).is_some_and(|word| WORDS.contains(&word))
}

fn of_company(table: &ExportTable) -> Vec<(usize, Vec<String>)> {
    let mut columns = Vec::new();
    for (at, header) in table.headers.iter().enumerate() {
        let lower = header.to_lowercase();
        let prefixes = [
            "account.",
            "account: ",
            "company.",
            "organization - ",
            "organisation - ",
            "organização - ",
            "organización - ",
            "organizacja - ",
        ];
        let prefix = prefixes.into_iter().find(|prefix| lower.starts_with(prefix));
        let Some(own) = prefix.and_then(|prefix| header.get(prefix.len()..)) else { continue };
        let mut names = vec![own.to_owned(), snake(&normal(own), own)];
        names.dedup();
        columns.push((at, names));
    }
    columns
}

/// What was meant, for a name that is not there.
pub(super) fn did_you_mean(name: &str, table: &ExportTable) -> String {
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

fn names(table: &ExportTable, forms: &[Forms], vendor: &[KnownColumn]) -> Vec<Vec<String>> {
    let mut taken = std::collections::BTreeSet::new();
    let mut names: Vec<Vec<String>> = Vec::with_capacity(table.headers.len());
    // Headers first: what a column is called by itself is never another's name.
    for (at, header) in table.headers.iter().enumerate() {
        let doubled = table.headers.iter().filter(|other| *other == header).count() > 1;
        let header = match (header.is_empty(), doubled) {
            (true, _) => format!("column {}", at + 1),
            (false, true) => format!("{header} (column {})", at + 1),
            (false, false) => header.clone(),
        };
        taken.insert(header.clone());
        names.push(vec![header]);
    }
    for (at, forms) in forms.iter().enumerate() {
        let doubled = table.headers.iter().filter(|other| **other == table.headers[at]).count() > 1;
        if doubled {
            continue;
        }
        let api = vendor
            .iter()
            .find(|known| known.has(forms) && !known.api.is_empty())
            .map(|known| known.api.clone())
            .or_else(|| custom_field(&table.headers[at]));
        let snake = snake(&forms.written, &table.headers[at]);
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
