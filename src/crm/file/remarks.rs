//! What a reader of the report should know about how a file was read.

use super::deal::{Tally, sign_in_words};
use super::join;
use super::load::{Loaded, SignRule};
use super::settings::{Column, DateOrder, FileSettings};
use crate::text::quoted;

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
    if tally.weak > 0 {
        remarks.push(format!(
            "The file has no ids: {} deals are told apart by company, name and close date, a weak match.",
            tally.weak
        ));
    }
    if tally.several_companies > 0 {
        remarks.push(format!(
            "{} deals have several companies; the first one is taken.",
            tally.several_companies
        ));
    }
    for (at, count) in tally.unjoined.iter().filter(|(_, count)| **count > 0) {
        let path = loaded.joined[*at].path.display();
        remarks.push(format!("{count} deals have no row in {path}."));
    }
    remarks
}

fn dates(loaded: &Loaded, settings: &FileSettings, tally: &Tally, remarks: &mut Vec<String>) {
    if settings.dates.timezone.is_none() {
        if tally.without_offset > 0 {
            remarks.push(format!(
                "{} times have no time zone and were taken as UTC; crm.file.dates.timezone says otherwise.",
                tally.without_offset
            ));
        }
        if tally.whole_days > 0 {
            remarks.push(format!(
                "{} dates have no time of day and were taken as the day's beginning in UTC; \
                 crm.file.dates.timezone says otherwise.",
                tally.whole_days
            ));
        }
    }
    if tally.won_without_date > 0 {
        remarks.push(format!("{} won deals have no close date.", tally.won_without_date));
    }
    for column in loaded.columns.all(Column::ClosedWonAt) {
        let Some(order) = loaded.decided_order(*column) else { continue };
        let (words, wanted) = match order {
            DateOrder::Mdy => ("month, day, year", loaded.date_proof(*column).month_first),
            DateOrder::Dmy => ("day, month, year", loaded.date_proof(*column).day_first),
            DateOrder::Ymd => ("year, month, day", None),
        };
        let proof = wanted.map_or_else(
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
            "{} amounts such as 1,234 were read as whole thousands; nothing in the file says otherwise.",
            tally.likely_sign
        ));
    }
    if tally.without_amount > 0 {
        remarks.push(format!("{} deals have no amount.", tally.without_amount));
    }
    if tally.without_currency > 0 {
        remarks.push(format!(
            "{} amounts name no currency; crm.file.currency names it.",
            tally.without_currency
        ));
    }
}

fn stages(tally: &Tally, remarks: &mut Vec<String>) {
    let words = |stages: &std::collections::BTreeMap<String, usize>| {
        let told: Vec<String> = stages.iter().map(|(stage, n)| format!("{stage} ({n})")).collect();
        told.join(", ")
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
            "For {} deals it is not known whether they are won: {stages}. Say which are: crm.file.won, \
             an expression such as deal.stage == 'Closed Won'.",
            tally.unknown
        ));
    }
}
