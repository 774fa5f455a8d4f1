//! One row as a deal.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::cell::{is_placeholder, without_controls};
use super::load::Loaded;
use super::outcome::{FileOutcome, KnownOutcomes, OutcomeEvidence, Signs};
use super::problem::Problem;
use super::remarks::{Tally, UndecidedRow};
use super::settings::{Column, FileSettings};
use super::table::Cursor;
use super::{outcome, record};
use crate::brief::{Decision, fold_property};
use crate::crm::record::website;
use crate::model::{
    Company, Contact, Deal, DealId, Key, Locale, Money, Outcome, Person, Window, fits_its_checksum,
};
use crate::text::quoted;

/// Whether a row is won: the configured expression, compiled by who knows
/// expressions. It reads the deal as far as the row says.
pub type WonTest = Box<dyn Fn(&Deal) -> Result<Decision, String> + Send + Sync>;

/// How much of each deal is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Detail {
    /// Everything the files say.
    #[default]
    Whole,
    /// What an audit counts.
    Counted(Counted),
}

/// What an audit needs of a deal beside what it counts: little, for files with
/// very many rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Properties of deal and company by name.
    pub properties: BTreeSet<String>,
    /// Properties by their folded names, as a mapping's `property()` compares them.
    pub alike: BTreeSet<String>,
    /// Texts that are kept in whatever column they stand: the ids of signed
    /// documents, which tell a deal's brief.
    pub documents: HashSet<String>,
    /// Deals that are asked for whatever became of them. Of the others those
    /// are given that are won, or may be.
    pub named: HashSet<Key>,
    /// Where the newest so many won deals are all that is asked for.
    pub newest: Option<usize>,
}

impl Counted {
    fn reads(&self, name: &str) -> bool {
        self.properties.contains(name)
            || (!self.alike.is_empty() && self.alike.contains(&fold_property(name)))
    }
}

/// What became of a row.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is moved on at once")]
pub(super) enum RowOutcome {
    /// A deal that is asked for.
    Deal(Deal),
    /// A deal that is not; it was checked and counted like the others.
    LeftOut,
    /// Something is wrong, which is then among the problems.
    Refused,
}

/// What one thread takes from row to row.
#[derive(Default)]
pub(super) struct Scratch {
    cursor: Cursor,
    pub(super) tally: Tally,
    outcomes: KnownOutcomes,
    /// A won deal from before this is not among the newest.
    pub(super) since: Option<DateTime<Utc>>,
}

/// The columns that say where a deal stands.
const SAY: [Column; 8] = [
    Column::IsWon,
    Column::IsLost,
    Column::IsClosed,
    Column::Deleted,
    Column::Active,
    Column::Status,
    Column::Stage,
    Column::Probability,
];

/// Columns with the names under which they are kept.
type NamedColumns<'a> = Vec<(usize, Vec<&'a str>)>;

/// Builds deals from rows.
pub(super) struct Builder<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) settings: &'a FileSettings,
    pub(super) won: Option<&'a WonTest>,
    pub(super) zone: Tz,
    /// Whether a deal that is not won is read whole, too.
    pub(super) every: bool,
    pub(super) detail: &'a Detail,
    /// The columns that are kept as properties, and under which names.
    pub(super) kept: NamedColumns<'a>,
    /// The other columns, which are kept where one of these texts stands there.
    others: Option<(NamedColumns<'a>, &'a HashSet<String>)>,
    /// Won deals outside of it are checked and counted, and not given.
    window: Window,
}

impl<'a> Builder<'a> {
    /// A builder for deals in so much detail; the won test reads everything.
    pub(super) fn new(
        loaded: &'a Loaded,
        settings: &'a FileSettings,
        won: Option<&'a WonTest>,
        every: bool,
        detail: &'a Detail,
    ) -> Self {
        let counted = match detail {
            Detail::Counted(counted) if won.is_none() => Some(counted),
            _ => None,
        };
        let columns_with = |requested: &dyn Fn(&&str) -> bool| {
            let columns = loaded.columns.names.iter().enumerate();
            columns
                .map(|(at, names)| {
                    (at, names.iter().map(String::as_str).filter(requested).collect())
                })
                .filter(|(_, names): &(usize, Vec<&str>)| !names.is_empty())
                .collect()
        };
        let kept = columns_with(&|name| counted.is_none_or(|counted| counted.reads(name)));
        let others = counted.filter(|counted| !counted.documents.is_empty()).map(|counted| {
            let others = columns_with(&|name| !counted.reads(name));
            (others, &counted.documents)
        });
        let zone = settings.zone().unwrap_or(Tz::UTC);
        let window = Window::default();
        Self { loaded, settings, won, zone, every, detail, kept, others, window }
    }

    /// The same for an audit of this window.
    pub(super) fn within(self, window: Window) -> Self {
        Self { window, ..self }
    }
}

impl Builder<'_> {
    /// A row's deal, checked.
    pub(super) fn build(
        &self,
        row: usize,
        scratch: &mut Scratch,
        problems: &mut Vec<Problem>,
    ) -> RowOutcome {
        let Scratch { cursor, tally, outcomes, since } = scratch;
        let loaded = self.loaded;
        let before = problems.len();
        loaded.table.seek(row, cursor);
        let cursor = &*cursor;
        let id = loaded.id_text(cursor);
        if let Err(problem) = self.check_id(&id, row) {
            problems.push(problem);
            return RowOutcome::Refused;
        }
        // What stands as it is was not repaired.
        if let Some(column) =
            loaded.columns.of(Column::Id).filter(|_| !matches!(id, Cow::Borrowed(_)))
        {
            let cell = loaded.table.cell(cursor, column);
            if let Some(whole) = record::repaired(&cell) {
                tally.repaired_ids += 1;
                tally.repaired_id.get_or_insert_with(|| {
                    let read = format!("{} as {}", quoted(&cell), quoted(&whole));
                    (loaded.table.number(row), read)
                });
            }
        }
        let cells = SAY.map(|column| self.said(cursor, column));
        let signs = Signs::of(cells.each_ref().map(|cell| &**cell));
        let vendor = loaded.vendor;
        let others = self.other_cells(cursor, &cells);
        let stages = [signs.status, signs.stage].into_iter();
        let mut stages = stages.chain(others.iter().map(|(_, other)| &**other));
        let reading = FileOutcome {
            scale: if signs.probability.is_empty() { None } else { loaded.scale() },
            probability_stays: vendor.is_some_and(|vendor| vendor.probability_stays),
            probability_of_stage: vendor.is_some_and(|vendor| vendor.probability.is_some()),
            words: vendor.map(|vendor| &vendor.words),
            pipelines: stages.any(|it| it.ends_with(')')).then(|| loaded.pipelines()),
        };
        let (mut outcome, mut evidence) = outcomes.find(&signs, &reading);
        for (at, other) in &others {
            // A second column of the same use, which must not say something else.
            let mut texts = cells.each_ref().map(|cell| &**cell);
            texts[*at] = other;
            let (also, why) = outcome::outcome(&Signs::of(texts), &reading);
            if also == outcome {
                continue;
            }
            if outcome == Outcome::Unknown && evidence == OutcomeEvidence::Nothing {
                (outcome, evidence) = (also, why);
            } else if why != OutcomeEvidence::Nothing && outcome != Outcome::Gone {
                let said = (SAY[*at], &*cells[*at]);
                outcome = Outcome::Unknown;
                evidence = OutcomeEvidence::Contradiction(said, (SAY[*at], other));
            }
        }
        tally.gone += usize::from(outcome == Outcome::Gone && self.won.is_none());
        let new = |id: Cow<'_, str>| Deal {
            outcome,
            ..Deal::new(loaded.name.clone(), DealId::new(id.into_owned()))
        };
        let weak = loaded.columns.of(Column::Id).is_none();
        let keeps_all = self.every || self.won.is_some();
        let is_told =
            !keeps_all && matches!(outcome, Outcome::Open | Outcome::Lost | Outcome::Gone);
        if is_told {
            if !self.asks_for(outcome, None, false, &id) {
                return RowOutcome::LeftOut;
            }
            let mut deal = new(id);
            self.fill_names(&mut deal, cursor);
            return RowOutcome::Deal(deal);
        }
        let amount = self.amount_of(row, cursor, tally);
        let amount = amount.map_err(|problem| problems.push(problem)).ok().flatten();
        let closing = self.closing_of(outcome, row, cursor, tally);
        let closing = closing.map_err(|problem| problems.push(problem)).ok().flatten();
        let closed_won_at = closing.map(|(at, _)| at);
        // Most of a large file is older than the newest: its texts are not even made.
        let is_older = |since: DateTime<Utc>| closed_won_at.is_none_or(|at| at < since);
        if self.won.is_none() && outcome == Outcome::Won && since.is_some_and(is_older) {
            return if problems.len() > before { RowOutcome::Refused } else { RowOutcome::LeftOut };
        }
        let merged_ids = self.merged_ids(cursor);
        let is_merged = !merged_ids.is_empty();
        let counts_texts = self.counts_texts();
        // So is a deal that nobody asks for, unless making it counts something.
        if !counts_texts && !self.asks_for(outcome, closed_won_at, is_merged, &id) {
            if problems.len() > before {
                return RowOutcome::Refused;
            }
            tally.weak += usize::from(weak);
            self.count_outcome((outcome, evidence), &signs, &reading, row, tally);
            return RowOutcome::LeftOut;
        }
        let mut deal = new(id);
        deal.merged_ids = merged_ids;
        deal.amount =
            amount.map(|(amount, currency)| Money::settled(amount, currency.map(str::to_owned)));
        if let Some((at, column)) = closing {
            deal.closed_won_at = Some(at);
            deal.closed_won_evidence = Some(loaded.table.headers[column].clone());
        }
        self.fill(&mut deal, cursor, tally);
        if weak {
            deal.properties.insert("weak_match".to_owned(), Value::Bool(true));
        }
        if let Some(test) = self.won {
            match test(&deal) {
                Ok(Decision::Holds) => deal.outcome = Outcome::Won,
                Ok(Decision::DoesNot) if matches!(outcome, Outcome::Lost | Outcome::Gone) => {}
                Ok(Decision::DoesNot) => deal.outcome = Outcome::Open,
                // What the columns call open, lost or gone needs no answer.
                Ok(Decision::Undecided { .. })
                    if matches!(outcome, Outcome::Open | Outcome::Lost | Outcome::Gone) => {}
                Ok(Decision::Undecided { why }) => {
                    deal.outcome = Outcome::Unknown;
                    let number = loaded.table.number(row);
                    tally.unanswered.entry(why).or_insert((0, number)).0 += 1;
                }
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
            return RowOutcome::Refused;
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
            self.count_outcome((deal.outcome, evidence), &signs, &reading, row, tally);
        }
        if *self.detail == Detail::Whole {
            deal.locale = loaded.locale(self.settings);
        }
        let is_asked = self.asks_for(deal.outcome, deal.closed_won_at, is_merged, deal.id.as_str());
        if is_asked { RowOutcome::Deal(deal) } else { RowOutcome::LeftOut }
    }

    /// The ids of deals that were merged into the cursor's.
    fn merged_ids(&self, cursor: &Cursor) -> Vec<DealId> {
        let Some(column) = self.loaded.columns.merged_ids else { return Vec::new() };
        let cell = self.loaded.table.cell(cursor, column);
        let ids = cell.split(';').map(str::trim).filter(|id| !id.is_empty());
        ids.map(|id| self.loaded.normal_id(id)).collect()
    }

    /// Whether this deal is asked for, by where it stands.
    fn asks_for(
        &self,
        outcome: Outcome,
        closed_won_at: Option<DateTime<Utc>>,
        is_merged: bool,
        id: &str,
    ) -> bool {
        let Detail::Counted(counted) = self.detail else { return true };
        let is_won = outcome == Outcome::Won;
        if counted.newest.is_some() {
            return is_won;
        }
        if is_won && closed_won_at.is_none_or(|at| self.window.contains(at)) {
            return true;
        }
        let is_named = || {
            !counted.named.is_empty()
                && Key::for_deal(&self.loaded.name, &DealId::new(id))
                    .map_or(true, |key| counted.named.contains(&key))
        };
        // One that another was merged into explains that one's brief.
        outcome == Outcome::Unknown || is_merged || is_named()
    }

    /// Whether a reader is told of what is met while a deal's texts are made.
    fn counts_texts(&self) -> bool {
        let columns = &self.loaded.columns;
        self.won.is_some()
            || !self.kept.is_empty()
            || !self.loaded.joined.is_empty()
            || columns.of(Column::CompanyId).is_some()
    }

    /// Counts a deal whose cells do not say for certain whether it is won.
    fn count_outcome(
        &self,
        (outcome, evidence): (Outcome, OutcomeEvidence<'_>),
        signs: &Signs<'_>,
        reading: &FileOutcome<'_>,
        row: usize,
        tally: &mut Tally,
    ) {
        let table = &self.loaded.table;
        let cell = |(column, text): (Column, &str)| {
            let at = self.loaded.columns.all(column).iter().copied().find(|at| {
                let mut cursor = Cursor::default();
                table.seek(row, &mut cursor);
                table.cell(&cursor, *at) == text
            });
            let header = at.map_or(column.key(), |at| table.headers[at].as_str());
            format!("{} in column {}", quoted(text), quoted(header))
        };
        let number = table.number(row);
        match evidence {
            OutcomeEvidence::Said => {
                if outcome == Outcome::Won {
                    let cells = [
                        (Column::Stage, signs.stage),
                        (Column::Status, signs.status),
                        (Column::IsWon, signs.is_won),
                    ];
                    tally.won_by(cells, |said| Signs::says_won(said, reading));
                }
            }
            OutcomeEvidence::Probability => {
                if !signs.stage.is_empty() {
                    *tally.by_probability.entry(quoted(signs.stage)).or_default() += 1;
                }
            }
            OutcomeEvidence::Nothing => {
                tally.unknown += 1;
                let said = [
                    (Column::Stage, signs.stage),
                    (Column::Status, signs.status),
                    (Column::IsClosed, signs.is_closed),
                    (Column::Probability, signs.probability),
                ];
                let said = said.into_iter().find(|(_, text)| !text.is_empty());
                let mut words = said.map_or_else(|| self.empty_cell(), cell);
                if !signs.status.is_empty() {
                    tally.unknown_statuses.insert(signs.status.to_owned());
                    if !signs.stage.is_empty() {
                        let status = cell((Column::Status, signs.status));
                        words.push_str(&format!(" beside {status}"));
                    }
                }
                tally.unknown_cells.entry(words).or_insert((0, number)).0 += 1;
                if !signs.stage.is_empty() {
                    tally.unknown_stages.insert(signs.stage.to_owned());
                }
            }
            OutcomeEvidence::Contradiction(first, second) => {
                let ways = [first, second].map(|said| {
                    (said.0, Signs::says_won(said, reading).then(|| said.1.to_owned()))
                });
                tally.undecided.push(UndecidedRow {
                    row: number,
                    why: format!("{} contradicts {}", cell(first), cell(second)),
                    ways: ways.to_vec(),
                });
            }
            OutcomeEvidence::Unread(said) => tally.undecided.push(UndecidedRow {
                row: number,
                why: format!("{} is neither true nor false", cell(said)),
                ways: vec![(Column::Stage, None), (Column::Status, None)],
            }),
        }
    }

    /// The words for a row whose stage and status are empty.
    fn empty_cell(&self) -> String {
        let columns = [Column::Stage, Column::Status, Column::IsWon, Column::Probability];
        let found = columns.into_iter().find_map(|column| self.loaded.columns.of(column));
        found.map_or_else(
            || "no cell".to_owned(),
            |at| format!("an empty cell in column {}", quoted(&self.loaded.table.headers[at])),
        )
    }

    fn check_id(&self, text: &str, row: usize) -> Result<(), Problem> {
        let loaded = self.loaded;
        let number = loaded.table.number(row);
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
                .help("Each deal needs its id; remove rows that are not deals."));
        }
        if let Err(fault) = record::read_id(text) {
            let (what, help) = fault.words(&quoted(text));
            return Err(Problem::cell(number, header, what).help(help));
        }
        if loaded.is_salesforce() && text.len() == 18 && !fits_its_checksum(text) {
            let (what, help) = record::IdFault::Checksum.words(&quoted(text));
            return Err(Problem::cell(number, header, what).help(help));
        }
        let configured = self.settings.columns.contains_key(&Column::Id);
        if let Some(vendor) = loaded.vendor.filter(|it| !configured && !it.is_own(text)) {
            return Err(Problem::cell(
                number,
                header,
                format!("{} is no id of a deal in {}", quoted(text), vendor.name),
            )
            .help("Export the deal's own id; crm.file.columns.id names its column, and crm.file.name the CRM where this is another one's export."));
        }
        // What every vendor writes is a key already; the rest is asked.
        if text.len() > 60 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Key::for_deal(&loaded.name, &DealId::new(text)).map_err(|error| {
                Problem::cell(
                    number,
                    header,
                    format!("The id {} cannot be used: {error}", quoted(text)),
                )
                .help("An id has letters from a to z or digits; remove rows that are not deals.")
            })?;
        }
        Ok(())
    }

    /// What a row says by a column of this use: where several do, the first one
    /// that holds something, of those for what is deleted one that says so.
    fn said<'c>(&'c self, cursor: &'c Cursor, column: Column) -> Cow<'c, str> {
        let columns = self.loaded.columns.all(column);
        // Most files have two or three of them.
        if columns.is_empty() {
            return Cow::Borrowed("");
        }
        let mut cells = (columns.iter())
            .map(|at| self.loaded.table.cell(cursor, *at))
            .filter(|cell| !cell.is_empty() && !is_placeholder(cell));
        let first = cells.next().unwrap_or(Cow::Borrowed(""));
        if column == Column::Deleted && !outcome::is_true(&first) {
            return cells.find(|cell| outcome::is_true(cell)).unwrap_or(first);
        }
        first
    }

    /// What further columns of the same use hold, where it is something else.
    fn other_cells<'c>(
        &'c self,
        cursor: &'c Cursor,
        cells: &[Cow<'c, str>; 8],
    ) -> Vec<(usize, Cow<'c, str>)> {
        let mut others = Vec::new();
        for (at, column) in SAY.into_iter().enumerate() {
            let columns = self.loaded.columns.all(column);
            if columns.len() < 2 || column == Column::Deleted || column == Column::Probability {
                continue;
            }
            let further = columns.iter().map(|at| self.loaded.table.cell(cursor, *at));
            let differs = |cell: &Cow<'c, str>| {
                !cell.is_empty() && !is_placeholder(cell) && *cell != cells[at]
            };
            others.extend(further.filter(differs).map(|cell| (at, cell)));
        }
        others
    }

    fn cell<'c>(&'c self, cursor: &'c Cursor, column: Column) -> Cow<'c, str> {
        let columns = self.loaded.columns.all(column).iter();
        columns
            .map(|at| self.loaded.table.cell(cursor, *at))
            .find(|cell| !self.loaded.is_nothing(cell))
            .unwrap_or(Cow::Borrowed(""))
    }

    fn text(&self, cursor: &Cursor, column: Column) -> Option<String> {
        let cell = self.cell(cursor, column);
        let text = without_controls(&cell);
        (!text.is_empty()).then_some(text)
    }

    /// What people call it, and its stage where somebody reads it.
    fn fill_names(&self, deal: &mut Deal, cursor: &Cursor) {
        deal.name = self.text(cursor, Column::Name);
        let keeps_all = self.every || self.won.is_some() || *self.detail == Detail::Whole;
        if keeps_all || deal.outcome == Outcome::Unknown {
            deal.stage = self.text(cursor, Column::Stage);
        }
    }

    /// Everything beside what it is worth and when it was won.
    fn fill(&self, deal: &mut Deal, cursor: &Cursor, tally: &mut Tally) {
        let loaded = self.loaded;
        self.fill_names(deal, cursor);
        deal.url = self.text(cursor, Column::Url);
        deal.pipeline = self.text(cursor, Column::Pipeline);
        self.part_stage(deal);
        let mut owner = Person {
            name: self.text(cursor, Column::Owner),
            email: self.text(cursor, Column::OwnerEmail),
        };
        // An address beside the name tells who of the team it is.
        if let Some(name) = owner.name.clone().filter(|name| name.contains('@')) {
            let (name, email) = record::name_and_email(&name);
            owner.email = owner.email.or_else(|| email.map(str::to_owned));
            if !name.is_empty() {
                owner.name = Some(name.to_owned());
            }
        }
        deal.owner = (owner != Person::default()).then_some(owner);
        deal.company = self.company(cursor, tally);
        if *self.detail == Detail::Whole || self.won.is_some() {
            let ids = self.cell(cursor, Column::ContactIds);
            deal.contacts = record::contacts_in_cell(&self.cell(cursor, Column::Contacts), &ids);
            if let Some(email) = self.text(cursor, Column::ContactEmail) {
                match deal.contacts.as_mut_slice() {
                    [] => {
                        let email = Some(email);
                        deal.contacts.push(Contact { email, ..Contact::default() });
                    }
                    [only] => drop(only.email.get_or_insert(email)),
                    // Whose address it is, nobody says.
                    _ => {}
                }
            }
        }
        let locale = match self.detail {
            Detail::Whole => loaded.locale(self.settings),
            Detail::Counted(_) => Locale::default(),
        };
        if let Some(children) = loaded.table.children(cursor) {
            if let Some(company) = &children.company {
                record::fill_company(deal.company.get_or_insert_default(), company.clone());
            }
            for contact in &children.contacts {
                record::merge_contact(&mut deal.contacts, record::contact(contact.clone()));
            }
            deal.line_items.extend(
                children.line_items.iter().cloned().map(|item| record::line_item(item, locale)),
            );
        }
        for (at, join) in loaded.joined.iter().enumerate() {
            let found = join.apply(
                &loaded.table,
                cursor,
                &mut deal.company,
                &mut deal.contacts,
                &mut deal.line_items,
                locale,
            );
            *tally.unjoined.entry(at).or_default() += usize::from(!found);
        }
        deal.properties = self.properties(cursor, tally);
    }

    /// Pipedrive's `Stage (pipeline)` holds both, as `Contract sent (Renewals)`.
    fn part_stage(&self, deal: &mut Deal) {
        let header = self.loaded.columns.of(Column::Stage).map(|at| &self.loaded.table.headers[at]);
        if deal.pipeline.is_some() || !header.is_some_and(|h| h.ends_with("(pipeline)")) {
            return;
        }
        let stage = deal.stage.as_deref().unwrap_or_default();
        if let Some((stage, pipeline)) = stage.strip_suffix(')').and_then(|s| s.rsplit_once(" (")) {
            (deal.pipeline, deal.stage) = (Some(pipeline.to_owned()), Some(stage.to_owned()));
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
            for name in names.iter().filter(|name| self.keeps_of_company(name)) {
                properties.insert(name.clone(), value.clone());
            }
        }
        properties
    }

    fn keeps_of_company(&self, name: &str) -> bool {
        match self.detail {
            Detail::Counted(counted) if self.won.is_none() => counted.properties.contains(name),
            _ => true,
        }
    }

    /// All cells under all their names.
    fn properties(&self, cursor: &Cursor, tally: &mut Tally) -> Map<String, Value> {
        let loaded = self.loaded;
        // With few of them, room for more would be most of what a deal takes.
        let mut properties =
            Map::with_capacity(self.kept.iter().map(|(_, names)| names.len()).sum());
        for (column, names) in &self.kept {
            let column = *column;
            let Some(value) = loaded.table.value(cursor, column) else { continue };
            if let Value::String(text) = &value {
                // Each control character is a byte or two, and the text is trimmed alike.
                let changed = !loaded.table.is_json()
                    && text.len() != loaded.table.cell(cursor, column).len();
                tally.controls += usize::from(changed);
            }
            for name in names {
                let value = match (&value, loaded.columns.deal_type == Some(column)) {
                    (Value::String(text), true) if *name == "dealtype" => api_word(text),
                    _ => value.clone(),
                };
                properties.insert((*name).to_owned(), value);
            }
        }
        if let Some((others, documents)) = &self.others {
            for (column, names) in others {
                let cell = loaded.table.cell(cursor, *column);
                if documents.contains(cell.trim()) {
                    let value = Value::String(cell.trim().to_owned());
                    properties.extend(names.iter().map(|name| ((*name).to_owned(), value.clone())));
                }
            }
        }
        properties
    }

    /// Leaves out what is not wanted, where it was read for the won test.
    fn trim(&self, deal: &mut Deal) {
        let Detail::Counted(counted) = self.detail else { return };
        deal.contacts = Vec::new();
        deal.line_items = Vec::new();
        let keep = |name: &String, value: &mut Value| {
            counted.reads(name)
                || name == "weak_match"
                || value.as_str().is_some_and(|text| counted.documents.contains(text.trim()))
        };
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
