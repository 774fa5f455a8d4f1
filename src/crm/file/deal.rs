//! One row as a deal.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::amounts::{self, AmountFault};
use super::dates::{self, DateFault};
use super::load::{Loaded, SignRule};
use super::problems::Problem;
use super::record;
use super::settings::{Column, DecimalSign, FileSettings};
use super::source::WonTest;
use super::table::{Cursor, without_controls};
use super::won::{self, Evidence, Signs};
use crate::crm::amount::settle;
use crate::crm::people::website;
use crate::facts::{Company, Deal, DealId, Key, Outcome, Person};
use crate::text::quoted;

/// How much of each deal is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Detail {
    /// Everything the files say.
    #[default]
    Whole,
    /// What an audit counts, and these properties of deal and company, for
    /// files with very many rows.
    Named(BTreeSet<String>),
}

/// What was assumed while deals were built, counted for the remarks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) without_offset: usize,
    pub(super) whole_days: usize,
    pub(super) by_probability: BTreeMap<String, usize>,
    pub(super) unknown_stages: BTreeMap<String, usize>,
    pub(super) unknown: usize,
    pub(super) without_amount: usize,
    pub(super) without_currency: usize,
    pub(super) weak: usize,
    pub(super) several_companies: usize,
    pub(super) unjoined: BTreeMap<usize, usize>,
    pub(super) likely_sign: usize,
    pub(super) won_without_date: usize,
    pub(super) controls: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.without_offset += other.without_offset;
        self.whole_days += other.whole_days;
        self.unknown += other.unknown;
        self.without_amount += other.without_amount;
        self.without_currency += other.without_currency;
        self.weak += other.weak;
        self.several_companies += other.several_companies;
        self.likely_sign += other.likely_sign;
        self.won_without_date += other.won_without_date;
        self.controls += other.controls;
        for (stage, n) in other.by_probability {
            *self.by_probability.entry(stage).or_default() += n;
        }
        for (stage, n) in other.unknown_stages {
            *self.unknown_stages.entry(stage).or_default() += n;
        }
        for (join, n) in other.unjoined {
            *self.unjoined.entry(join).or_default() += n;
        }
    }
}

/// Builds deals from rows.
pub(super) struct Builder<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) settings: &'a FileSettings,
    pub(super) won: Option<&'a WonTest>,
    pub(super) zone: Tz,
    /// Whether a deal that is not won is read whole, too.
    pub(super) every: bool,
    pub(super) detail: &'a Detail,
}

impl Builder<'_> {
    /// A row's deal; `None` when something is wrong, which is then among the
    /// problems.
    pub(super) fn build(
        &self,
        row: usize,
        cursor: &mut Cursor,
        tally: &mut Tally,
        problems: &mut Vec<Problem>,
    ) -> Option<Deal> {
        let loaded = self.loaded;
        let before = problems.len();
        let id = loaded.id_of(row, cursor);
        loaded.table.seek(row, cursor);
        let cursor = &*cursor;
        if let Err(problem) = self.check_id(&id, row) {
            problems.push(problem);
            return None;
        }
        let mut deal = Deal::new(loaded.name.clone(), id);
        deal.name = self.text(cursor, Column::Name);
        deal.stage = self.text(cursor, Column::Stage);
        let signs =
            [Column::IsWon, Column::IsClosed, Column::Status, Column::Stage, Column::Probability]
                .map(|column| self.cell(cursor, column));
        let [is_won, is_closed, status, stage, probability] = &signs;
        let (outcome, evidence) =
            won::outcome(Signs { is_won, is_closed, status, stage, probability });
        deal.outcome = outcome;
        let weak = loaded.columns.of(Column::Id).is_none();
        let keeps_all = self.every || self.won.is_some();
        if !keeps_all && matches!(outcome, Outcome::Open | Outcome::Lost | Outcome::Gone) {
            return Some(deal);
        }
        self.fill(&mut deal, row, cursor, tally, problems);
        if weak {
            deal.properties.insert("weak_match".to_owned(), Value::Bool(true));
        }
        if let Some(test) = self.won {
            match test(&deal) {
                Ok(true) => deal.outcome = Outcome::Won,
                Ok(false) if matches!(outcome, Outcome::Lost | Outcome::Gone) => {}
                Ok(false) => deal.outcome = Outcome::Open,
                Err(why) => problems.push(
                    Problem::row(
                        loaded.table.number(row),
                        format!("crm.file.won gives no answer: {why}"),
                    )
                    .help("The expression reads `deal`, and is true where a row is won."),
                ),
            }
        }
        if problems.len() > before {
            return None;
        }
        if !matches!(deal.outcome, Outcome::Won | Outcome::Unknown) {
            // The close date of an open deal is a hope.
            deal.closed_won_at = None;
            deal.closed_won_evidence = None;
        }
        self.trim(&mut deal);
        if weak {
            tally.weak += 1;
        }
        if self.won.is_none() {
            count_stage(&deal, evidence, tally);
        }
        Some(deal)
    }

    fn check_id(&self, id: &DealId, row: usize) -> Result<(), Problem> {
        let loaded = self.loaded;
        let number = loaded.table.number(row);
        let text = id.as_str();
        let Some(column) = loaded.columns.of(Column::Id) else {
            return if text.is_empty() {
                Err(Problem::row(
                    number,
                    "The row has no name or no close date, and there is no id",
                )
                .help("Add the id to the export: rows without one cannot be told apart."))
            } else {
                Ok(())
            };
        };
        let header = &loaded.table.headers[column];
        if text.is_empty() {
            return Err(Problem::cell(number, header, "The row has no id")
                .help("Each deal needs its id; a row that is no deal must go."));
        }
        let mangled = text.contains(['.', ','])
            && text.to_ascii_uppercase().split_once("E+").is_some_and(|(a, b)| {
                a.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b','))
                    && b.bytes().all(|c| c.is_ascii_digit())
            });
        if mangled {
            return Err(Problem::cell(
                number,
                header,
                format!("A spreadsheet has rounded the id to {}", quoted(text)),
            )
            .help(
                "Export again and do not save the file from a spreadsheet; its digits are lost.",
            ));
        }
        // What every vendor writes is a key already; the rest is asked.
        if text.len() > 60 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Key::for_deal(&loaded.name, id).map_err(|error| {
                Problem::cell(
                    number,
                    header,
                    format!("The id {} cannot be used: {error}", quoted(text)),
                )
            })?;
        }
        Ok(())
    }

    fn cell<'c>(&'c self, cursor: &'c Cursor, column: Column) -> Cow<'c, str> {
        let columns = self.loaded.columns.all(column).iter();
        columns
            .map(|at| self.loaded.table.cell(cursor, *at))
            .find(|cell| !cell.is_empty())
            .unwrap_or(Cow::Borrowed(""))
    }

    fn text(&self, cursor: &Cursor, column: Column) -> Option<String> {
        let cell = self.cell(cursor, column);
        let text = without_controls(&cell);
        (!text.is_empty()).then_some(text)
    }

    fn fill(
        &self,
        deal: &mut Deal,
        row: usize,
        cursor: &Cursor,
        tally: &mut Tally,
        problems: &mut Vec<Problem>,
    ) {
        let loaded = self.loaded;
        deal.url = self.text(cursor, Column::Url);
        deal.pipeline = self.text(cursor, Column::Pipeline);
        let owner = Person {
            name: self.text(cursor, Column::Owner),
            email: self.text(cursor, Column::OwnerEmail),
        };
        deal.owner = (owner != Person::default()).then_some(owner);
        self.fill_amount(deal, row, cursor, tally, problems);
        self.fill_closing(deal, row, cursor, tally, problems);
        deal.company = self.company(cursor, tally);
        if *self.detail == Detail::Whole || self.won.is_some() {
            let ids = self.cell(cursor, Column::ContactIds);
            deal.contacts = record::contacts_in_cell(&self.cell(cursor, Column::Contacts), &ids);
            if let ([only], Some(email)) =
                (deal.contacts.as_mut_slice(), self.text(cursor, Column::ContactEmail))
            {
                only.email.get_or_insert(email);
            }
        }
        if let Some(children) = loaded.table.children(cursor) {
            if let Some(company) = &children.company {
                record::fill_company(deal.company.get_or_insert_default(), company.clone());
            }
            for contact in &children.contacts {
                record::merge_contact(&mut deal.contacts, record::contact(contact.clone()));
            }
            deal.line_items.extend(children.line_items.iter().cloned().map(record::line_item));
        }
        for (at, join) in loaded.joined.iter().enumerate() {
            let found = join.apply(
                &loaded.table,
                cursor,
                &mut deal.company,
                &mut deal.contacts,
                &mut deal.line_items,
            );
            *tally.unjoined.entry(at).or_default() += usize::from(!found);
        }
        if let Some(column) = loaded.columns.merged_ids {
            let cell = loaded.table.cell(cursor, column);
            let ids = cell.split(';').map(str::trim).filter(|id| !id.is_empty());
            deal.merged_ids = ids.map(|id| loaded.normal_id(id)).collect();
        }
        deal.properties = self.properties(cursor, tally);
    }

    fn fill_amount(
        &self,
        deal: &mut Deal,
        row: usize,
        cursor: &Cursor,
        tally: &mut Tally,
        problems: &mut Vec<Problem>,
    ) {
        let loaded = self.loaded;
        let columns = loaded.columns.all(Column::Amount);
        let found = columns.iter().find_map(|at| {
            let cell = loaded.table.cell(cursor, *at);
            (!cell.is_empty()).then_some((*at, cell))
        });
        let Some((column, cell)) = found else {
            tally.without_amount += 1;
            return;
        };
        let number = loaded.table.number(row);
        let header = &loaded.table.headers[column];
        let (amount, written) = match self.amount(&cell, tally) {
            Ok(read) => read,
            Err(AmountFault::NoAmount) => {
                problems.push(
                    Problem::cell(number, header, format!("{} is no amount", quoted(&cell)))
                        .help("An amount is a number such as 48000.00, 48,000.00 or 48.000,00."),
                );
                return;
            }
            Err(AmountFault::Either(grouped, decimal)) => {
                problems.push(
                    Problem::cell(
                        number,
                        header,
                        format!("{} can be {grouped} or {decimal}", quoted(&cell)),
                    )
                    .help("Say which sign stands before the decimals: crm.file.numbers.decimal: \".\" or \",\"."),
                );
                return;
            }
        };
        // The second choice of an amount is the converted one, and the deal's
        // currency is not its.
        let own = columns.first() == Some(&column);
        let beside = own.then_some(loaded.columns.currency).flatten();
        let currency = beside.map(|at| loaded.table.cell(cursor, at)).filter(|c| !c.is_empty());
        let currency = match currency {
            Some(code) if code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()) => {
                Some(code.to_ascii_uppercase())
            }
            Some(other) => {
                let at = beside.unwrap_or(column);
                problems.push(
                    Problem::cell(
                        number,
                        &loaded.table.headers[at],
                        format!("{} is no ISO 4217 currency code", quoted(&other)),
                    )
                    .help("A currency is three letters such as USD."),
                );
                return;
            }
            None => written
                .map(str::to_owned)
                .or_else(|| self.settings.currency.as_ref().map(|code| code.0.clone())),
        };
        tally.without_currency += usize::from(currency.is_none());
        deal.amount = Some(settle(amount, currency));
    }

    fn amount(
        &self,
        cell: &str,
        tally: &mut Tally,
    ) -> Result<(Decimal, Option<&'static str>), AmountFault> {
        let configured = self.settings.numbers.decimal;
        // The column is asked only where the cell does not tell by itself.
        let Some((amounts::Written::Either { sign, .. }, _)) = amounts::read(cell) else {
            return amounts::amount(cell, configured);
        };
        match self.loaded.sign(configured) {
            SignRule::Known(known) => amounts::amount(cell, Some(known)),
            SignRule::Likely(likely) if likely != sign && !self.may_have_three_decimals(cell) => {
                tally.likely_sign += 1;
                amounts::amount(cell, Some(likely))
            }
            SignRule::Likely(_) | SignRule::Mixed => amounts::amount(cell, None),
        }
    }

    /// Dinars have three decimals, so that a group of three proves nothing.
    fn may_have_three_decimals(&self, cell: &str) -> bool {
        const THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
        let configured =
            self.settings.currency.as_ref().is_some_and(|c| THREE.contains(&c.0.as_str()));
        configured || THREE.iter().any(|code| cell.contains(code))
    }

    fn fill_closing(
        &self,
        deal: &mut Deal,
        row: usize,
        cursor: &Cursor,
        tally: &mut Tally,
        problems: &mut Vec<Problem>,
    ) {
        let loaded = self.loaded;
        let found = loaded.columns.all(Column::ClosedWonAt).iter().find_map(|at| {
            let cell = loaded.table.cell(cursor, *at);
            (!cell.is_empty()).then_some((*at, cell))
        });
        let counts = self.won.is_some() || matches!(deal.outcome, Outcome::Won | Outcome::Unknown);
        let Some((column, cell)) = found else {
            tally.won_without_date += usize::from(deal.outcome == Outcome::Won);
            return;
        };
        if !counts {
            return;
        }
        let order = match dates::read(&cell) {
            Some(dates::Written::Two { .. } | dates::Written::Short { .. }) => {
                loaded.order(column, self.settings.dates.order)
            }
            _ => None,
        };
        let header = &loaded.table.headers[column];
        let number = loaded.table.number(row);
        match dates::moment(&cell, order, self.zone) {
            Ok(moment) => {
                deal.closed_won_at = Some(moment.at);
                deal.closed_won_evidence = Some(header.clone());
                tally.without_offset += usize::from(moment.has_time && !moment.has_offset);
                tally.whole_days += usize::from(!moment.has_time);
            }
            Err(DateFault::NoDate) => problems.push(
                Problem::cell(number, header, format!("{} is no date", quoted(&cell)))
                    .help("A date is written like 2026-10-30, 2026-10-30 16:42 or 10/30/2026."),
            ),
            Err(DateFault::Either(first, second)) => problems.push(
                Problem::cell(
                    number,
                    header,
                    format!("{} can be {first} or {second}", quoted(&cell)),
                )
                .help("Say which comes first: crm.file.dates.order: mdy, dmy or ymd."),
            ),
            Err(DateFault::NotInOrder) => problems.push(
                Problem::cell(
                    number,
                    header,
                    format!("{} does not fit the order of the other dates", quoted(&cell)),
                )
                .help("Look at crm.file.dates.order, and at rows from another source."),
            ),
        }
    }

    fn company(&self, cursor: &Cursor, tally: &mut Tally) -> Option<Company> {
        let mut name = self.text(cursor, Column::Company);
        let mut id = self.text(cursor, Column::CompanyId);
        // Several companies stand in one cell, and their ids in the other.
        if let (Some(names), Some(ids)) = (&name, &id) {
            let (names, ids): (Vec<&str>, Vec<&str>) =
                (names.split(';').collect(), ids.split(';').collect());
            if names.len() > 1 && names.len() == ids.len() {
                tally.several_companies += 1;
                let first = (names[0].trim().to_owned(), ids[0].trim().to_owned());
                (name, id) = (Some(first.0), Some(first.1));
            }
        }
        let company = Company {
            id,
            name,
            website: self.text(cursor, Column::Website).map(|site| website(&site)),
            industry: self.text(cursor, Column::Industry),
            employees: record::count(&self.cell(cursor, Column::Employees)),
            properties: self.company_properties(cursor),
        };
        (company != Company::default()).then_some(company)
    }

    fn company_properties(&self, cursor: &Cursor) -> Map<String, Value> {
        let mut properties = Map::new();
        for (column, names) in &self.loaded.columns.company {
            let Some(value) = self.loaded.table.value(cursor, *column) else { continue };
            for name in names {
                properties.insert(name.clone(), value.clone());
            }
        }
        properties
    }

    /// All cells under all their names.
    fn properties(&self, cursor: &Cursor, tally: &mut Tally) -> Map<String, Value> {
        let loaded = self.loaded;
        let mut properties = Map::new();
        for (column, names) in loaded.columns.names.iter().enumerate() {
            let wanted = |name: &&String| match self.detail {
                Detail::Named(wanted) if self.won.is_none() => wanted.contains(*name),
                _ => true,
            };
            let mut names = names.iter().filter(wanted).peekable();
            if names.peek().is_none() {
                continue;
            }
            let Some(value) = loaded.table.value(cursor, column) else { continue };
            if let Value::String(text) = &value {
                // Each control character is a byte or two, and the text is trimmed alike.
                let changed = !loaded.table.is_json()
                    && text.len() != loaded.table.cell(cursor, column).len();
                tally.controls += usize::from(changed);
            }
            for name in names {
                let value = match (&value, loaded.columns.deal_type == Some(column)) {
                    (Value::String(text), true) if name == "dealtype" => api_word(text),
                    _ => value.clone(),
                };
                properties.insert(name.clone(), value);
            }
        }
        properties
    }

    /// Leaves out what is not wanted, where it was read for the won test.
    fn trim(&self, deal: &mut Deal) {
        let Detail::Named(wanted) = self.detail else { return };
        deal.contacts = Vec::new();
        deal.line_items = Vec::new();
        let keep = |name: &String, _: &mut Value| wanted.contains(name) || name == "weak_match";
        deal.properties.retain(keep);
        if let Some(company) = &mut deal.company {
            company.properties.retain(keep);
        }
    }
}

/// A deal type as HubSpot's API has it: `New Business` is `newbusiness`.
fn api_word(label: &str) -> Value {
    let word = label.to_lowercase().replace(' ', "");
    let known = matches!(word.as_str(), "newbusiness" | "existingbusiness");
    Value::String(if known { word } else { label.to_owned() })
}

fn count_stage(deal: &Deal, evidence: Evidence, tally: &mut Tally) {
    let into = match evidence {
        Evidence::Said => return,
        Evidence::Probability => &mut tally.by_probability,
        Evidence::Nothing => {
            tally.unknown += 1;
            &mut tally.unknown_stages
        }
    };
    // As many as a reader can look at; the count above holds all.
    let stage = deal.stage.as_deref().map(quoted).unwrap_or_default();
    if !stage.is_empty() && (into.len() < 20 || into.contains_key(&stage)) {
        *into.entry(stage).or_default() += 1;
    }
}

/// The sign as people write it.
pub(super) fn sign_in_words(sign: DecimalSign) -> &'static str {
    match sign {
        DecimalSign::Point => "a point",
        DecimalSign::Comma => "a comma",
    }
}
