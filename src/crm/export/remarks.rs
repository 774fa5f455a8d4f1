//! What a reader of the report should know about how a file was read: what was
//! assumed is counted while deals are built, and told as remarks and gaps.

use std::collections::{BTreeMap, BTreeSet};

use super::load;
use super::load::{Loaded, SignRule};
use super::problem::{SHOWN, counted};
use super::settings::{Column, DateOrder, DecimalSign, FileSettings};
use crate::model::Gap;
use crate::text::quoted;

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
    /// A stage that is won for certain, which a proposal can name.
    pub(super) won_stage: Option<String>,
    pub(super) unknown: usize,
    /// Rows whose cells contradict each other or cannot be read, with why.
    pub(super) undecided: Vec<(usize, String)>,
    /// The first amount that was read as whole thousands, and what came of it.
    pub(super) likely_amount: Option<(usize, String)>,
    pub(super) repaired_ids: usize,
    /// The first of them, its row and what came of it.
    pub(super) repaired_id: Option<(usize, String)>,
    pub(super) without_amount: usize,
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
    pub(super) fn add(&mut self, other: Self) {
        self.without_offset += other.without_offset;
        self.whole_days += other.whole_days;
        self.unknown += other.unknown;
        self.without_amount += other.without_amount;
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
        for (cell, (n, row)) in other.unknown_cells {
            let entry = self.unknown_cells.entry(cell).or_insert((0, row));
            *entry = (entry.0 + n, entry.1.min(row));
        }
        self.unknown_stages.extend(other.unknown_stages);
        self.unknown_statuses.extend(other.unknown_statuses);
        self.won_stage = self.won_stage.take().into_iter().chain(other.won_stage).min();
        self.undecided.extend(other.undecided);
        self.undecided.sort();
        self.likely_amount = self.likely_amount.take().into_iter().chain(other.likely_amount).min();
        self.repaired_ids += other.repaired_ids;
        self.repaired_id = self.repaired_id.take().into_iter().chain(other.repaired_id).min();
        for (join, n) in other.unjoined {
            *self.unjoined.entry(join).or_default() += n;
        }
    }
}

/// All remarks, in a fixed order.
pub(super) fn all(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Vec<String> {
    let mut remarks = of_tables(loaded);
    for (path, sha256) in load::hashes(&loaded.joined) {
        remarks.push(format!("{path} was joined; its SHA-256 is {sha256}."));
    }
    remarks.extend(of_rows(loaded, settings, tally));
    remarks
}

/// The remarks that somebody should look at: what was guessed, repaired or left out.
pub(super) fn surprises(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Vec<String> {
    [of_tables(loaded), of_rows(loaded, settings, tally)].concat()
}

fn of_tables(loaded: &Loaded) -> Vec<String> {
    let joins = loaded.joined.iter().flat_map(load::Joined::remarks);
    loaded.table.remarks.iter().cloned().chain(joins).collect()
}

fn of_rows(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Vec<String> {
    let mut remarks = Vec::new();
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

fn dates(loaded: &Loaded, settings: &FileSettings, tally: &Tally, remarks: &mut Vec<String>) {
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
        let (words, requested) = match order {
            DateOrder::Mdy => ("month, day, year", loaded.date_proof(*column).month_first),
            DateOrder::Dmy => ("day, month, year", loaded.date_proof(*column).day_first),
            DateOrder::Ymd => ("year, month, day", None),
        };
        let proof = requested.map_or_else(
            || "as another date column of the file is".to_owned(),
            |row| format!("as row {row} proves"),
        );
        let header = quoted(&loaded.table.headers[*column]);
        remarks.push(format!("The dates in {header} were read as {words}, {proof}."));
    }
}

fn amounts(loaded: &Loaded, tally: &Tally, remarks: &mut Vec<String>) {
    if let Some(SignRule::Known(sign)) = loaded.decided_sign().filter(|_| tally.proved_sign > 0) {
        remarks.push(format!(
            "Amounts such as 1,234 and 1.234 were read with {} before the decimals, as the other amounts have it.",
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
    if tally.without_amount > 0 {
        remarks.push(format!("Deals without an amount: {}.", tally.without_amount));
        remarks.extend(without_column(loaded, Column::Amount, "what deals are worth"));
    }
    if tally.without_currency > 0 {
        remarks.push(format!(
            "Amounts without a currency: {}; crm.file.currency names it.",
            tally.without_currency
        ));
    }
}

/// What to do where no column has a name that is known for its use.
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

fn without_column(loaded: &Loaded, column: Column, what: &str) -> Option<String> {
    loaded.columns.of(column).is_none().then(|| {
        format!(
            "No column is known to say {what}; crm.file.columns.{} names it. The columns are {}.",
            column.key(),
            loaded.table.headers_in_words()
        )
    })
}

fn stages(tally: &Tally, remarks: &mut Vec<String>) {
    let words = |stages: &BTreeMap<String, usize>| {
        let told = stages.iter().take(SHOWN).map(|(stage, n)| format!("{stage} ({n})"));
        let told = told.collect::<Vec<_>>().join(", ");
        match stages.len().saturating_sub(SHOWN) {
            0 => told,
            more => format!("{told} and {more} more"),
        }
    };
    if !tally.by_probability.is_empty() {
        remarks.push(format!(
            "These stages were taken as won because of a probability of 100: {}.",
            words(&tally.by_probability)
        ));
    }
}

/// What is not known of which deals are won; each makes the audit incomplete.
pub(super) fn gaps(loaded: &Loaded, tally: &Tally, rows: usize) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if tally.unknown > 0 {
        let cells = tally.unknown_cells.iter().take(SHOWN).map(|(cell, (count, row))| {
            if *count == 1 {
                format!("{cell} (row {row})")
            } else {
                format!("{cell} ({count} deals)")
            }
        });
        let more = tally.unknown_cells.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let say = loaded.columns.say_outcome();
        let why = if say {
            format!(
                "nothing says whether these are won: {}{more}",
                cells.collect::<Vec<_>>().join(", ")
            )
        } else {
            format!(
                "the file has no column that says so; its columns are {}",
                loaded.table.headers_in_words()
            )
        };
        let known = tally.won_stage.as_ref();
        let stage = known.or(tally.unknown_stages.first()).map_or("Closed Won", String::as_str);
        let plain = |text: &str| text.replace(['\'', '"', '\\'], "?");
        let line = format!("crm.file.won: \"deal.stage == '{}'\"", plain(stage));
        let status = loaded.columns.of(Column::Status).zip(tally.unknown_statuses.first());
        let status = status.map(|(at, status)| {
            let header = plain(&loaded.table.headers[at]);
            format!("crm.file.won: \"deal.properties['{header}'] == '{}'\"", plain(status))
        });
        let help = if say && tally.unknown_stages.is_empty() && status.is_none() {
            "Fill in the stage or the status of these deals, or remove rows that are not deals from the export."
                .to_owned()
        } else if say && known.is_some() {
            format!(
                "If {line} names all that are won, write so in handoff.yaml; else with the others, joined by `or`."
            )
        } else if let Some(status) = status.filter(|_| say) {
            let line = if tally.unknown_stages.is_empty() {
                status
            } else {
                format!("{line} or {status}")
            };
            format!(
                "Say in handoff.yaml which deals are won, such as {line}, with the stage or the status that is the won one."
            )
        } else if say {
            format!(
                "Say in handoff.yaml which deals are won, such as {line}, with the stage that is the won one."
            )
        } else {
            "Add the stage to the export. If every row is a won deal, write crm.file.won: true."
                .to_owned()
        };
        gaps.push(Gap {
            what: format!("the outcome of {} of {rows}", counted(tally.unknown, "deal")),
            why,
            help: Some(help),
        });
    }
    for (row, why) in tally.undecided.iter().take(SHOWN) {
        gaps.push(Gap {
            what: format!("the outcome of the deal in row {row} of {}", loaded.shown()),
            why: why.clone(),
            help: Some(
                "Correct the row, or say in handoff.yaml which column counts: crm.file.won: \"deal.stage == 'Closed Won'\""
                    .to_owned(),
            ),
        });
    }
    if let Some(more) = tally.undecided.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        gaps.push(Gap {
            what: format!("the outcome of {}", counted(more, "more deal")),
            why: "their cells contradict each other, too".to_owned(),
            help: None,
        });
    }
    gaps
}

/// The sign as people write it.
fn sign_in_words(sign: DecimalSign) -> &'static str {
    match sign {
        DecimalSign::Point => "a point",
        DecimalSign::Comma => "a comma",
    }
}
