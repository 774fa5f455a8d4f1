//! What a reader of the report should know about how a file was read: what was
//! assumed is counted while deals are built, and told as remarks and gaps.

use std::collections::{BTreeMap, BTreeSet};

use super::load;
use super::load::{Loaded, SignRule};
use super::problem::SHOWN;
use super::settings::{Column, DateOrder, DecimalSign, FileSettings};
use crate::model::{Gap, Remarks, count};
use crate::text::quoted;

/// As many words of a column for won deals stand in a proposal.
const MOST_WON: usize = 20;

/// A row whose cells contradict each other or cannot be read.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UndecidedRow {
    pub(super) row: usize,
    pub(super) why: String,
    /// The columns that could count, each with its cell where that says "won".
    pub(super) ways: Vec<(Column, Option<String>)>,
}

/// What was assumed while deals were built, counted for the remarks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) without_offset: usize,
    pub(super) whole_days: usize,
    pub(super) by_probability: BTreeMap<String, usize>,
    /// Cells that do not say whether a deal is won: how many, and the first row.
    pub(super) unknown_cells: BTreeMap<String, (usize, usize)>,
    pub(super) unknown_stages: BTreeSet<String>,
    pub(super) unknown_statuses: BTreeSet<String>,
    /// The cells that said of won deals that they are, which a proposal can name: of
    /// each deal its stage, else its status, else its flag.
    won_cells: BTreeMap<Column, Vec<String>>,
    pub(super) unknown: usize,
    /// Deals that the file says are deleted or not active.
    pub(super) gone: usize,
    /// Rows whose cells contradict each other or cannot be read.
    pub(super) undecided: Vec<UndecidedRow>,
    /// Why `crm.file.won` has no answer: for how many rows, and the first.
    pub(super) unanswered: BTreeMap<String, (usize, usize)>,
    /// The first amount that was read as whole thousands, and what came of it.
    pub(super) likely_amount: Option<(usize, String)>,
    pub(super) repaired_ids: usize,
    /// The first of them, its row and what came of it.
    pub(super) repaired_id: Option<(usize, String)>,
    pub(super) without_amount: usize,
    /// By column: deals without an amount that have one there.
    pub(super) other_amounts: BTreeMap<usize, usize>,
    /// Amounts that a workbook computed and that were rounded, and the first.
    pub(super) rounded: usize,
    pub(super) rounded_amount: Option<(usize, String)>,
    /// Amounts with three decimals where a program writes points, and the first.
    pub(super) three_decimals: usize,
    pub(super) three_decimal: Option<(usize, String)>,
    pub(super) without_currency: usize,
    pub(super) weak: usize,
    pub(super) several_companies: usize,
    pub(super) unjoined: BTreeMap<usize, usize>,
    pub(super) likely_sign: usize,
    /// Amounts whose sign the other amounts proved.
    pub(super) proved_sign: usize,
    pub(super) won_without_date: usize,
    pub(super) controls: usize,
}

impl Tally {
    /// Takes note of what names a won deal; `is_won` asks what a cell says alone.
    pub(super) fn won_by(
        &mut self,
        cells: [(Column, &str); 3],
        is_won: impl Fn((Column, &str)) -> bool,
    ) {
        for (column, text) in cells.into_iter().filter(|(_, text)| !text.is_empty()) {
            let known = self.won_cells.entry(column).or_default();
            if known.iter().any(|known| known == text) {
                return;
            }
            if is_won((column, text)) {
                // More are no list that anybody writes.
                if known.len() < MOST_WON {
                    known.push(text.to_owned());
                }
                return;
            }
        }
    }

    /// The deals that were taken as won, as an expression names them.
    fn won_expression(&self, loaded: &Loaded) -> Option<String> {
        let columns = [Column::Stage, Column::Status, Column::IsWon];
        let parts: Vec<String> =
            columns.into_iter().filter_map(|column| self.won_in(column, None, loaded)).collect();
        (!parts.is_empty()).then(|| parts.join(" or "))
    }

    /// The deals that are won by one column; nothing where none of its cells says so.
    fn won_in(&self, column: Column, cell: Option<&String>, loaded: &Loaded) -> Option<String> {
        let at = loaded.columns.of(column)?;
        let known = self.won_cells.get(&column).into_iter().flatten();
        let words: BTreeSet<&String> = known.chain(cell).collect();
        let of = match column {
            Column::Stage => "deal.stage".to_owned(),
            _ => format!("deal.properties[{}]", literal(&loaded.table.headers[at])),
        };
        let words: Vec<String> =
            words.into_iter().map(|word| format!("{of} == {}", literal(word))).collect();
        (!words.is_empty()).then(|| words.join(" or "))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.without_offset += other.without_offset;
        self.whole_days += other.whole_days;
        self.unknown += other.unknown;
        self.without_amount += other.without_amount;
        self.gone += other.gone;
        self.rounded += other.rounded;
        self.three_decimals += other.three_decimals;
        self.without_currency += other.without_currency;
        self.weak += other.weak;
        self.several_companies += other.several_companies;
        self.likely_sign += other.likely_sign;
        self.proved_sign += other.proved_sign;
        self.won_without_date += other.won_without_date;
        self.controls += other.controls;
        for (stage, n) in other.by_probability {
            *self.by_probability.entry(stage).or_default() += n;
        }
        for (own, other) in [
            (&mut self.unknown_cells, other.unknown_cells),
            (&mut self.unanswered, other.unanswered),
        ] {
            for (what, (n, row)) in other {
                let entry = own.entry(what).or_insert((0, row));
                *entry = (entry.0 + n, entry.1.min(row));
            }
        }
        self.unknown_stages.extend(other.unknown_stages);
        self.unknown_statuses.extend(other.unknown_statuses);
        for (column, cells) in other.won_cells {
            let own = self.won_cells.entry(column).or_default();
            own.extend(cells);
            own.sort();
            own.dedup();
        }
        self.undecided.extend(other.undecided);
        self.undecided.sort();
        self.likely_amount = self.likely_amount.take().into_iter().chain(other.likely_amount).min();
        self.rounded_amount =
            self.rounded_amount.take().into_iter().chain(other.rounded_amount).min();
        self.three_decimal = self.three_decimal.take().into_iter().chain(other.three_decimal).min();
        for (column, n) in other.other_amounts {
            *self.other_amounts.entry(column).or_default() += n;
        }
        self.repaired_ids += other.repaired_ids;
        self.repaired_id = self.repaired_id.take().into_iter().chain(other.repaired_id).min();
        for (join, n) in other.unjoined {
            *self.unjoined.entry(join).or_default() += n;
        }
    }
}

/// All remarks, in a fixed order.
pub(super) fn all(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Remarks {
    let mut remarks = of_tables(loaded);
    for (path, sha256) in load::hashes(&loaded.joined) {
        remarks.push(format!("{path} was joined; its SHA-256 is {sha256}."));
    }
    remarks.take_over(of_rows(loaded, settings, tally));
    remarks
}

/// The remarks that somebody should look at: what was guessed, repaired or left out.
pub(super) fn surprises(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Remarks {
    let mut remarks = of_tables(loaded);
    remarks.take_over(of_rows(loaded, settings, tally));
    remarks
}

fn of_tables(loaded: &Loaded) -> Remarks {
    let joins = loaded.joined.iter().flat_map(load::Joined::remarks);
    loaded.table.remarks.iter().cloned().chain(joins).collect()
}

fn of_rows(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Remarks {
    let mut remarks = Remarks::default();
    dates(loaded, settings, tally, &mut remarks);
    amounts(loaded, tally, &mut remarks);
    stages(tally, &mut remarks);
    if let Some((row, read)) = &tally.repaired_id {
        remarks.push(format!(
            "{}: {}, the first in row {row}, {read}.",
            if read.contains('/') {
                "Ids read out of the addresses of records"
            } else {
                "Ids that a spreadsheet had changed, read as they were"
            },
            tally.repaired_ids
        ));
    }
    let say = |count: usize, what: &str| (count > 0).then(|| format!("{what}: {count}."));
    remarks.extend(say(
        tally.weak,
        "Deals without an id, told apart by company, name and close date, a weak match",
    ));
    remarks.extend(say(
        tally.several_companies,
        "Deals with several companies, of which the first is taken",
    ));
    remarks.extend(say(tally.controls, "Cells from which control characters were taken out"));
    for (at, count) in &tally.unjoined {
        let what = format!("Deals without a row in {}", loaded.joined[*at].path.display());
        remarks.extend(say(*count, &what));
    }
    remarks
}

fn dates(loaded: &Loaded, settings: &FileSettings, tally: &Tally, remarks: &mut Remarks) {
    if settings.zone().is_none() {
        let zone = "crm.file.dates.timezone says otherwise.";
        if tally.without_offset > 0 {
            remarks.push(format!(
                "Times without a time zone, taken as UTC: {}; {zone}",
                tally.without_offset
            ));
        }
        if tally.whole_days > 0 {
            remarks.push(format!(
                "Dates without a time of day, taken as the day's beginning in UTC: {}; {zone}",
                tally.whole_days
            ));
        }
    }
    if tally.won_without_date > 0 {
        remarks.push(format!("Won deals without a close date: {}.", tally.won_without_date));
        remarks.extend(without_column(loaded, Column::ClosedWonAt, "when deals were won"));
    }
    for column in loaded.columns.all(Column::ClosedWonAt) {
        let Some(order) = loaded.decided_order(*column) else { continue };
        let proof = loaded.date_proof(order.by);
        let (words, row) = match order.order {
            DateOrder::Mdy => ("month, day, year", proof.month_first),
            DateOrder::Dmy => ("day, month, year", proof.day_first),
            DateOrder::Ymd => ("year, month, day", None),
        };
        let row = row.unwrap_or_default();
        let proof = match order.by == *column {
            true => format!("as row {row} proves"),
            false => {
                let other = quoted(&loaded.table.headers[order.by]);
                format!("as {other} in row {row} proves")
            }
        };
        let header = quoted(&loaded.table.headers[*column]);
        remarks.push(format!("The dates in {header} were read as {words}, {proof}."));
    }
}

fn amounts(loaded: &Loaded, tally: &Tally, remarks: &mut Remarks) {
    let why = match loaded.decided_sign().filter(|_| tally.proved_sign > 0) {
        Some(SignRule::Known(sign)) => Some((sign, "as the other amounts have it")),
        Some(SignRule::Written(sign)) => Some((sign, "as the program that wrote the file does")),
        _ => None,
    };
    if let Some((sign, why)) = why {
        remarks.push(format!(
            "Amounts such as 1,234 and 1.234 were read with {} before the decimals, {why}.",
            sign_in_words(sign)
        ));
    }
    if let Some((row, read)) = &tally.likely_amount {
        remarks.push(format!(
            "Amounts with one sign before three digits, read as whole thousands since nothing in the \
             file proves the sign: {}, the first in row {row}, {read}. \
             Set crm.file.numbers.decimal to be certain.",
            tally.likely_sign
        ));
    }
    let header = |column: usize| quoted(&loaded.table.headers[column]);
    if let Some((row, read)) = &tally.three_decimal {
        remarks.push(format!(
            "Amounts with three decimals, read so because a program writes a point before them: {}, the first in row {row}, {read}.",
            tally.three_decimals
        ));
    }
    if let Some((row, read)) = &tally.rounded_amount {
        remarks.push(format!(
            "Amounts that the workbook computed, rounded to their currency: {}, the first in row {row}, {read}.",
            tally.rounded
        ));
    }
    if let Some(column) = loaded.amount_column()
        && let Some(best) = loaded.columns.of(Column::Amount).filter(|best| *best != column)
    {
        remarks.push(format!(
            "The amounts are those in {}, as {} is empty in all rows.",
            header(column),
            header(best)
        ));
    }
    if tally.without_amount > 0 {
        remarks.push(format!("Deals without an amount: {}.", tally.without_amount));
        for (column, count) in &tally.other_amounts {
            remarks.push(format!(
                "Of the deals without an amount {count} have one in {}, which was not taken: it is not what {} is.",
                header(*column),
                loaded.amount_column().map(header).unwrap_or_default()
            ));
        }
        remarks.extend(without_column(loaded, Column::Amount, "what deals are worth"));
    }
    if tally.without_currency > 0 {
        remarks.push(format!(
            "Amounts without a currency: {}; crm.file.currency names it.",
            tally.without_currency
        ));
    }
}

/// What to do about won deals that have no date.
pub(super) fn undated_help(loaded: &Loaded) -> String {
    let columns = loaded.columns.all(Column::ClosedWonAt);
    let names: Vec<String> =
        columns.iter().map(|column| quoted(&loaded.table.headers[*column])).collect();
    if names.is_empty() {
        return format!(
            "No column of {} is known to say when deals were won: name it under crm.file.columns.{}, or export the close date, too.",
            loaded.shown(),
            Column::ClosedWonAt.key()
        );
    }
    format!("Fill in {} of these deals in the CRM, and export again.", names.join(" or "))
}

/// What to do where no column has a name that is known for its use.
fn without_column(loaded: &Loaded, column: Column, what: &str) -> Option<String> {
    loaded.columns.of(column).is_none().then(|| {
        format!(
            "No column is known to say {what}; crm.file.columns.{} names it. The columns are {}.",
            column.key(),
            loaded.table.headers_in_words()
        )
    })
}

fn stages(tally: &Tally, remarks: &mut Remarks) {
    let words = |stages: &BTreeMap<String, usize>| {
        let told = stages.iter().take(SHOWN).map(|(stage, n)| format!("{stage} ({n})"));
        let told = told.collect::<Vec<_>>().join(", ");
        match stages.len().saturating_sub(SHOWN) {
            0 => told,
            more => format!("{told} and {more} more"),
        }
    };
    if tally.gone > 0 {
        remarks.push(format!(
            "Deals that the file says are deleted or not active, of which none counts: {}.",
            tally.gone
        ));
    }
    if !tally.by_probability.is_empty() {
        remarks.push(format!(
            "These stages were taken as won because of a probability of 100: {}.",
            words(&tally.by_probability)
        ));
    }
}

/// What is not known of which deals are won; each makes the audit incomplete.
pub(super) fn gaps(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Vec<Gap> {
    let rows = loaded.table.len();
    let won = |expression: &str| settings.line(&format!("won: {}", serde_json::json!(expression)));
    let mut gaps = Vec::new();
    if !tally.unanswered.is_empty() {
        let unanswered = tally.unanswered.values().map(|(rows, _)| rows).sum();
        gaps.push(Gap {
            what: format!("the outcome of {} of {rows}", count(unanswered, "deal")),
            why: format!("crm.file.won has no answer: {}", counted_rows(&tally.unanswered)),
            help: Some(
                "Correct these cells in the CRM and export again, or let the expression say what they mean, such as deal.properties.signed | default('no') == 'yes'."
                    .to_owned(),
            ),
        });
    }
    if tally.unknown > 0 {
        let say = loaded.columns.say_outcome();
        let why = if say {
            format!("nothing says whether these are won: {}", counted_rows(&tally.unknown_cells))
        } else {
            format!(
                "the file has no column that says so; its columns are {}",
                loaded.table.headers_in_words()
            )
        };
        let known = tally.won_expression(loaded);
        let stage = tally.unknown_stages.first().map_or("Closed Won", String::as_str);
        let by_stage = format!("deal.stage == {}", literal(stage));
        let status = loaded.columns.of(Column::Status).zip(tally.unknown_statuses.first());
        let by_status = status.map(|(at, status)| {
            let header = literal(&loaded.table.headers[at]);
            format!("deal.properties[{header}] == {}", literal(status))
        });
        let help = if say && tally.unknown_stages.is_empty() && by_status.is_none() {
            "Fill in the stage or the status of these deals, or remove rows that are not deals from the export."
                .to_owned()
        } else if let Some(known) = known.filter(|_| say) {
            format!(
                "Write {}, if it names all that are won; else with the others, joined by `or`.",
                won(&known)
            )
        } else if let Some(by_status) = by_status.filter(|_| say) {
            let line = if tally.unknown_stages.is_empty() {
                by_status
            } else {
                format!("{by_stage} or {by_status}")
            };
            format!(
                "Say which deals are won: write {}, with the stage or the status that is the won one.",
                won(&line)
            )
        } else if say {
            format!(
                "Say which deals are won: write {}, with the stage that is the won one.",
                won(&by_stage)
            )
        } else {
            format!(
                "Add the stage to the export. If every row is a won deal, write {}.",
                settings.line("won: true")
            )
        };
        gaps.push(Gap {
            what: format!("the outcome of {} of {rows}", count(tally.unknown, "deal")),
            why,
            help: Some(help),
        });
    }
    for undecided in tally.undecided.iter().take(SHOWN) {
        let ways = undecided.ways.iter();
        let ways = ways.filter_map(|(column, cell)| tally.won_in(*column, cell.as_ref(), loaded));
        let ways: Vec<String> = ways.map(|way| won(&way)).collect();
        let help = match ways.is_empty() {
            true => "Correct the row in the CRM, and export again.".to_owned(),
            false => format!(
                "Correct the row, or say which column counts: write {}.",
                ways.join(", or ")
            ),
        };
        gaps.push(Gap {
            what: format!("the outcome of the deal in row {} of {}", undecided.row, loaded.shown()),
            why: undecided.why.clone(),
            help: Some(help),
        });
    }
    if let Some(more) = tally.undecided.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        gaps.push(Gap {
            what: format!("the outcome of {}", count(more, "more deal")),
            why: "their cells contradict each other, too".to_owned(),
            help: None,
        });
    }
    gaps
}

/// A text in an expression, whatever signs are in it.
fn literal(text: &str) -> String {
    match text.contains(['\'', '\\']) || text.chars().any(char::is_control) {
        true => serde_json::json!(text).to_string(),
        false => format!("'{text}'"),
    }
}

/// What is said of some rows, each with its row, or how many there are.
fn counted_rows(said: &BTreeMap<String, (usize, usize)>) -> String {
    let told = said.iter().take(SHOWN).map(|(what, (count, row))| match count {
        1 => format!("{what} (row {row})"),
        count => format!("{what} ({count} deals)"),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    match said.len().saturating_sub(SHOWN) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// The sign as people write it.
fn sign_in_words(sign: DecimalSign) -> &'static str {
    match sign {
        DecimalSign::Point => "a point",
        DecimalSign::Comma => "a comma",
    }
}
