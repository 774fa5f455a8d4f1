//! What a reader of the report should know about how a file was read.

use super::join;
use super::load::{Loaded, SignRule};
use super::problems::SHOWN;
use super::settings::{Column, DateOrder, DecimalSign, FileSettings};
use super::tally::Tally;
use crate::text::quoted;

/// A number and its noun: `1 deal`, `2 deals`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// All remarks, in a fixed order.
pub(super) fn all(loaded: &Loaded, settings: &FileSettings, tally: &Tally) -> Vec<String> {
    let mut remarks = loaded.table.remarks.clone();
    for join in &loaded.joined {
        remarks.extend(join.remarks());
    }
    for (path, sha256) in join::hashes(&loaded.joined) {
        remarks.push(format!("{path} was joined; its SHA-256 is {sha256}."));
    }
    dates(loaded, settings, tally, &mut remarks);
    amounts(loaded, settings, tally, &mut remarks);
    stages(tally, &mut remarks);
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
    if settings.dates.timezone.is_none() {
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

fn amounts(loaded: &Loaded, settings: &FileSettings, tally: &Tally, remarks: &mut Vec<String>) {
    if let (None, Some(SignRule::Known(sign))) = (settings.numbers.decimal, loaded.decided_sign()) {
        remarks.push(format!(
            "Amounts such as 1,234 and 1.234 were read with {} before the decimals, as the other amounts have it.",
            sign_in_words(sign)
        ));
    }
    if tally.likely_sign > 0 {
        remarks.push(format!(
            "Amounts such as 1,234, read as whole thousands since nothing in the file says otherwise: {}.",
            tally.likely_sign
        ));
    }
    if tally.without_amount > 0 {
        remarks.push(format!("Deals without an amount: {}.", tally.without_amount));
    }
    if tally.without_currency > 0 {
        remarks.push(format!(
            "Amounts without a currency: {}; crm.file.currency names it.",
            tally.without_currency
        ));
    }
}

fn stages(tally: &Tally, remarks: &mut Vec<String>) {
    let words = |stages: &std::collections::BTreeMap<String, usize>| {
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
    if tally.unknown > 0 {
        let stages = if tally.unknown_stages.is_empty() {
            "there is no column that says so".to_owned()
        } else {
            format!("the stages are {}", words(&tally.unknown_stages))
        };
        remarks.push(format!(
            "Deals that may be won or not: {}; {stages}. Say which are won: crm.file.won, an \
             expression such as deal.stage == 'Closed Won'.",
            tally.unknown
        ));
    }
}

/// The sign as people write it.
fn sign_in_words(sign: DecimalSign) -> &'static str {
    match sign {
        DecimalSign::Point => "a point",
        DecimalSign::Comma => "a comma",
    }
}
