//! The figures of a row: what it is worth, and when it was won.

use std::borrow::Cow;

use chrono::{DateTime, Datelike as _, Utc};
use chrono_tz::Tz;
use iso_currency::IntoEnumIterator as _;
use rust_decimal::{Decimal, RoundingStrategy};

use super::cell::is_placeholder;
use super::deal::Builder;
use super::load::SignRule;
use super::problem::Problem;
use super::remarks::Tally;
use super::settings::Column;
use super::table::Cursor;
use crate::model::{
    AmountFault, CurrencyMark, DateFault, DecimalSign, Locale, Outcome, WrittenAmount, WrittenDate,
    currency_decimals, currency_mark, read_amount, read_date,
};
use crate::text::quoted;

/// Nobody writes an amount with more; a spreadsheet computes it.
const MOST_DECIMALS: u32 = 4;

/// The years in which deals are won: before stands what programs write for no
/// date, behind it what another calendar or a slip of the finger makes.
const YEARS: std::ops::Range<i32> = 1980..2100;

/// The currency that a cell names: its code or sign, as `USD - U.S. Dollar` or by its
/// name in English.
fn currency_named(cell: &str) -> Option<CurrencyMark> {
    let code = || cell.split_once([' ', '-', '(']).and_then(|(code, _)| currency_mark(code.trim()));
    let behind = || currency_mark(cell.trim_end().strip_suffix(')')?.rsplit_once('(')?.1);
    let named = || {
        let mut all = iso_currency::Currency::iter();
        let found = all.find(|it| {
            let short = it.name().replace("United States", "US");
            [it.name(), &short].iter().any(|name| name.eq_ignore_ascii_case(cell))
        })?;
        Some(CurrencyMark::Code(found.code()))
    };
    currency_mark(cell)
        .or_else(named)
        .or_else(|| behind().filter(|it| it.code().is_some()))
        .or_else(|| code().filter(|mark| matches!(mark, CurrencyMark::Code(_))))
}

impl Builder<'_> {
    /// The first cell of a column's use that holds something, with its column.
    fn first_cell(&self, column: Column, cursor: &Cursor) -> Option<(usize, Cow<'_, str>)> {
        let loaded = self.loaded;
        loaded.columns.all(column).iter().find_map(|at| {
            let cell = loaded.table.cell(cursor, *at);
            (!loaded.is_nothing(&cell)).then_some((*at, cell))
        })
    }

    /// The amount, with the code of its currency.
    pub(super) fn amount_of(
        &self,
        row: usize,
        cursor: &Cursor,
        tally: &mut Tally,
    ) -> Result<Option<(Decimal, Option<&'static str>)>, Problem> {
        let loaded = self.loaded;
        let column = loaded.amount_column();
        let cell = column.map(|column| (column, loaded.table.cell(cursor, column)));
        let Some((column, cell)) = cell.filter(|(_, cell)| !loaded.is_nothing(cell)) else {
            tally.without_amount += 1;
            // What another column holds is another measure, or in another currency.
            if let Some((other, _)) = self.first_cell(Column::Amount, cursor) {
                *tally.other_amounts.entry(other).or_default() += 1;
            }
            return Ok(None);
        };
        let number = loaded.table.number(row);
        let refused = |column: usize, what: String, help: String| {
            Problem::cell(number, &loaded.table.headers[column], what).help(help)
        };
        let (amount, mark) = match self.amount(&cell, (column, cursor), number, tally) {
            Ok(read) => read,
            Err(fault) => {
                let help = match fault {
                    AmountFault::NotAnAmount if cell.starts_with('#') => {
                        "A spreadsheet could not compute or show the amount: correct it there, or widen the column, and export again."
                    }
                    AmountFault::Either(..) => &*format!(
                        "Say which sign separates the decimals, \".\" or \",\": write {}.",
                        self.settings.line("numbers: {decimal: \",\"}")
                    ),
                    AmountFault::Rounded => {
                        "Export the whole amounts: do not save the file from a spreadsheet, or format the column as a number first."
                    }
                    _ => "An amount is a number such as 48000.00, 48,000.00 or 48.000,00.",
                };
                return Err(refused(column, fault.words(&quoted(&cell)), help.to_owned()));
            }
        };
        match self.currency(&cell, column, mark, cursor) {
            Ok(currency) => {
                let amount = if loaded.columns.cents.contains(&column) {
                    amount / Decimal::from(10_u32.pow(currency_decimals(currency)))
                } else {
                    self.to_the_cent(amount, currency, (&cell, number), tally)
                };
                tally.without_currency += usize::from(currency.is_none());
                Ok(Some((amount, currency)))
            }
            Err((at, what, help)) => Err(refused(at.unwrap_or(column), what, help)),
        }
    }

    /// What a workbook computed, with the decimals of its currency: a third of 1,000.00
    /// is 333.33 for whoever reads it there, too.
    fn to_the_cent(
        &self,
        amount: Decimal,
        currency: Option<&str>,
        (cell, row): (&str, usize),
        tally: &mut Tally,
    ) -> Decimal {
        if !self.loaded.table.typed.is_workbook || amount.normalize().scale() <= MOST_DECIMALS {
            return amount;
        }
        let rounded = amount.round_dp_with_strategy(
            currency_decimals(currency),
            RoundingStrategy::MidpointAwayFromZero,
        );
        tally.rounded += 1;
        let first = Some((row, format!("{} as {rounded}", quoted(cell))));
        tally.rounded_amount = tally.rounded_amount.take().into_iter().chain(first).min();
        rounded
    }

    /// The currency of an amount: of its column, of the sign beside the amount,
    /// of the column's header, or of the settings; they must not contradict.
    fn currency(
        &self,
        amount: &str,
        column: usize,
        mark: Option<CurrencyMark>,
        cursor: &Cursor,
    ) -> Result<Option<&'static str>, (Option<usize>, String, String)> {
        let loaded = self.loaded;
        let configured = self.settings.currency.as_ref().and_then(|c| currency_mark(&c.0));
        let beside = loaded.columns.currencies.get(&column).and_then(|at| {
            let cell = loaded.table.cell(cursor, *at);
            (!cell.is_empty() && !is_placeholder(&cell)).then_some((*at, cell))
        });
        let in_header = loaded.columns.header_currencies.get(&column).copied();
        let code = match &beside {
            Some((at, cell)) => {
                let found = currency_named(cell).ok_or_else(|| {
                    (
                        Some(*at),
                        format!("{} is not an ISO 4217 currency code", quoted(cell)),
                        "A currency is three letters such as USD.".to_owned(),
                    )
                })?;
                let code = found.code().or_else(|| {
                    let code = configured.and_then(CurrencyMark::code)?;
                    found.fits(code).then_some(code)
                });
                let Some(code) = code else {
                    return Err((
                        Some(*at),
                        format!("{} can be several currencies", quoted(cell)),
                        format!(
                            "Name the currency: write {}; or export codes in the column.",
                            self.settings.line("currency: USD")
                        ),
                    ));
                };
                if let Some(other) = in_header.filter(|other| *other != code) {
                    let header = quoted(&loaded.table.headers[column]);
                    return Err((
                        Some(*at),
                        format!("{} is not {other}, which the header {header} says", quoted(cell)),
                        format!(
                            "Export the amount in the deal's own currency; or leave column {} out of the export, where all amounts are in {other}.",
                            quoted(&loaded.table.headers[*at])
                        ),
                    ));
                }
                Some(code)
            }
            None => in_header
                .or_else(|| mark.and_then(CurrencyMark::code))
                .or_else(|| configured.and_then(CurrencyMark::code)),
        };
        match (code, mark) {
            (Some(code), Some(mark)) if !mark.fits(code) => {
                let said = match (&beside, in_header) {
                    (Some((at, _)), _) => format!("column {}", quoted(&loaded.table.headers[*at])),
                    (None, Some(_)) => "the column's header".to_owned(),
                    (None, None) => "crm.file.currency".to_owned(),
                };
                Err((
                    None,
                    format!("{} is not an amount in {code}, which {said} says", quoted(amount)),
                    "Correct the currency or the amount: they must say the same.".to_owned(),
                ))
            }
            (code, _) => Ok(code),
        }
    }

    fn amount(
        &self,
        cell: &str,
        (column, cursor): (usize, &Cursor),
        row: usize,
        tally: &mut Tally,
    ) -> Result<(Decimal, Option<CurrencyMark>), AmountFault> {
        let configured = self.settings.numbers.decimal;
        let (written, mark) = read_amount(cell)?;
        // The column is asked only where the cell does not tell by itself.
        let WrittenAmount::Either { sign: written_sign, .. } = written else {
            return Ok((written.resolve(configured)?, mark));
        };
        if self.loaded.table.is_number(cursor, column) {
            return Ok((written.resolve(Some(DecimalSign::Point))?, mark));
        }
        let decimals = self.decimals(column, cursor, mark);
        let sign = match self.loaded.sign(configured) {
            // Yen have no decimals, so that a sign before three digits groups.
            _ if configured.is_none() && decimals == [0] => Some(match written_sign {
                DecimalSign::Comma => DecimalSign::Point,
                DecimalSign::Point => DecimalSign::Comma,
            }),
            // Three decimals of a currency that has two are thousands just as well.
            SignRule::Known(known) | SignRule::Written(known)
                if configured.is_none() && known == written_sign && !decimals.contains(&3) =>
            {
                let is_plain = mark.is_none() && self.loaded.writes_points();
                if is_plain {
                    let read = written.resolve(Some(known))?;
                    tally.three_decimals += 1;
                    let first = Some((row, format!("{} as {read}", quoted(cell))));
                    tally.three_decimal = tally.three_decimal.take().into_iter().chain(first).min();
                }
                is_plain.then_some(known)
            }
            SignRule::Known(known) | SignRule::Written(known) => {
                tally.proved_sign += usize::from(configured.is_none());
                Some(known)
            }
            SignRule::Likely(likely) if likely != written_sign && !decimals.contains(&3) => {
                tally.likely_sign += 1;
                let read = written.resolve(Some(likely))?;
                let first = Some((row, format!("{} as {read}", quoted(cell))));
                tally.likely_amount = tally.likely_amount.take().into_iter().chain(first).min();
                Some(likely)
            }
            SignRule::Likely(_) | SignRule::Mixed => None,
        };
        Ok((written.resolve(sign)?, mark))
    }

    /// The decimals of the currencies that an amount may be in: of its column, of
    /// the sign beside it, else the configured one. Dinars have three, so that a
    /// group of three proves nothing.
    fn decimals(&self, column: usize, cursor: &Cursor, mark: Option<CurrencyMark>) -> Vec<u32> {
        let columns = &self.loaded.columns;
        let beside = columns.currencies.get(&column).map(|at| self.loaded.table.cell(cursor, *at));
        let code = beside.as_deref().and_then(currency_named);
        let in_header = columns.header_currencies.get(&column).copied();
        let code = code.or_else(|| in_header.and_then(currency_mark));
        let said = [code, mark].into_iter().flatten().filter_map(CurrencyMark::code);
        let mut decimals: Vec<u32> = said.map(|code| currency_decimals(Some(code))).collect();
        if decimals.is_empty() {
            let configured = self.settings.currency.as_ref();
            decimals.extend(configured.map(|it| currency_decimals(Some(&it.0))));
        }
        decimals.dedup();
        decimals
    }

    /// When a deal with this outcome was won, and which column says so.
    pub(super) fn closing_of(
        &self,
        outcome: Outcome,
        row: usize,
        cursor: &Cursor,
        tally: &mut Tally,
    ) -> Result<Option<(DateTime<Utc>, usize)>, Problem> {
        let loaded = self.loaded;
        let counts = self.won.is_some() || matches!(outcome, Outcome::Won | Outcome::Unknown);
        let Some((column, cell)) = self.first_cell(Column::ClosedWonAt, cursor) else {
            tally.won_without_date += usize::from(outcome == Outcome::Won);
            return Ok(None);
        };
        if !counts {
            return Ok(None);
        }
        let order = match read_date(&cell) {
            Ok(WrittenDate::Two { .. } | WrittenDate::Short { .. }) => {
                loaded.order(column, self.settings.dates.order)
            }
            _ => None,
        };
        let header = &loaded.table.headers[column];
        // What the company's clocks show is not what an API writes that writes UTC.
        let in_utc = loaded.vendor.is_some_and(|vendor| vendor.answers_in_utc)
            && loaded.table.is_json()
            && self.settings.dates.timezone.is_none();
        let zone = if in_utc { Tz::UTC } else { self.zone };
        let locale = Locale { order, zone: Some(zone), ..Locale::default() };
        let days = Locale { zone: self.settings.day_zone(), ..locale };
        let refused = |what: String, help: &str| {
            Err(Problem::cell(loaded.table.number(row), header, what).help(help))
        };
        let read = locale.moment(&cell);
        // A day is the company's day, whatever zone the file's times are in.
        match if read.as_ref().is_ok_and(|it| !it.has_time) { days.moment(&cell) } else { read } {
            Ok(moment) if !YEARS.contains(&moment.at.year()) => refused(
                format!("No deal was won in the year of {}", quoted(&cell)),
                "Correct the date, or leave it empty where it is not known; years are those of the Gregorian calendar.",
            ),
            Ok(moment) => {
                let is_told = moment.has_offset || in_utc;
                tally.without_offset += usize::from(moment.has_time && !is_told);
                tally.whole_days += usize::from(!moment.has_time);
                Ok(Some((moment.at, column)))
            }
            Err(fault) => {
                let help = match &fault {
                    DateFault::NotADate
                        if cell.bytes().all(|b| b.is_ascii_digit() || b == b'.') =>
                    {
                        "It may be a spreadsheet's number for a day: format the column as a date there, and export again."
                    }
                    DateFault::NotADate => {
                        "A date is written like 2026-10-30, 2026-10-30 16:42 or 10/30/2026."
                    }
                    DateFault::Either(..) => &*format!(
                        "Say which comes first, mdy, dmy or ymd: write {}.",
                        self.settings.line("dates: {order: dmy}")
                    ),
                    DateFault::NotInOrder => {
                        "Look at crm.file.dates.order, and at rows from another source."
                    }
                    DateFault::Zone(zone) => match DateFault::zone_of(zone) {
                        Some(zone) => &*format!(
                            "Say which one it is: write {}; or export times with an offset.",
                            self.settings.line(&format!("dates: {{timezone: {zone}}}"))
                        ),
                        None => {
                            "Export times with an offset, such as 2026-10-30 16:42 +01:00, or with the zone's full name, such as Europe/Berlin."
                        }
                    },
                    DateFault::OffsetAndZone(..) => {
                        "Correct the time: its offset and its zone are two different times."
                    }
                };
                refused(fault.words(&quoted(&cell)), help)
            }
        }
    }
}
