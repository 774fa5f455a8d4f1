//! The figures of a row: what it is worth, and when it was won.

use rust_decimal::Decimal;

use super::amounts::{self, AmountFault};
use super::dates::{self, DateFault};
use super::deal::Builder;
use super::load::SignRule;
use super::problems::Problem;
use super::settings::Column;
use super::table::Cursor;
use super::tally::Tally;
use crate::crm::amount::settle;
use crate::model::{Deal, Outcome};
use crate::text::quoted;

impl Builder<'_> {
    /// The amount with its currency.
    pub(super) fn fill_amount(
        &self,
        deal: &mut Deal,
        row: usize,
        cursor: &Cursor,
        tally: &mut Tally,
        problems: &mut Vec<Problem>,
    ) {
        let loaded = self.loaded;
        let found = loaded.columns.of(Column::Amount).and_then(|at| {
            let cell = loaded.table.cell(cursor, at);
            (!cell.is_empty()).then_some((at, cell))
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
        let beside = loaded.columns.currency;
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

    /// When the deal was won, and which column says so.
    pub(super) fn fill_closing(
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
}
