//! How a source writes dates and numbers, found once for a file (or
//! configured) and carried with each of its deals, so that whoever reads a
//! cell later reads it as the file's own columns were read.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::amounts::{self, AmountFault, DecimalSign};
use super::date_order::DateOrder;
use super::dates::{self, DateFault, Moment};
use super::money::CurrencyMark;

/// How dates and numbers are written. The default is what an API writes: ISO
/// dates, and numbers with a decimal point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Locale {
    /// The order of day, month and year in dates such as `03/04/2026`.
    pub order: Option<DateOrder>,
    /// What is known of the decimal sign.
    pub numbers: NumberForm,
    /// The zone of times without an offset, and of days; `None` where it is
    /// not known.
    pub zone: Option<Tz>,
}

/// What is known of the sign before the decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NumberForm {
    /// Numbers come from a program, with a point; a decimal comma is refused.
    #[default]
    Plain,
    /// People wrote them, and nothing proves the sign: what can be read in two
    /// ways is refused.
    Undecided,
    /// The sign is known.
    Sign(DecimalSign),
}

impl Locale {
    /// The day a text means: of a time with an offset its day in the zone, UTC
    /// where no zone is known.
    ///
    /// # Errors
    /// When it is not a date, or can be read in two ways.
    pub fn day(&self, text: &str) -> Result<NaiveDate, DateFault> {
        let zone = self.zone.unwrap_or(Tz::UTC);
        Ok(match dates::read(text)?.resolve(self.order, zone)? {
            dates::Resolved::Moment(at) => self.day_of(at),
            dates::Resolved::Local(day, _) => day,
        })
    }

    /// The day of a moment, in the zone.
    #[must_use]
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone.unwrap_or(Tz::UTC)).date_naive()
    }

    /// The moment a text means; a day is its beginning, in the zone.
    ///
    /// # Errors
    /// When it is not a date, or can be read in two ways.
    pub fn moment(&self, text: &str) -> Result<Moment, DateFault> {
        let zone = self.zone.unwrap_or(Tz::UTC);
        Ok(match dates::read(text)?.resolve(self.order, zone)? {
            dates::Resolved::Moment(at) => Moment { at, has_time: true, has_offset: true },
            dates::Resolved::Local(day, time) => Moment {
                at: dates::in_zone(NaiveDateTime::new(day, time.unwrap_or_default()), zone),
                has_time: time.is_some(),
                has_offset: false,
            },
        })
    }

    /// The amount a text means, with the currency that stands beside it.
    ///
    /// # Errors
    /// When it is not an amount, or can be read in two ways.
    pub fn amount(&self, text: &str) -> Result<(Decimal, Option<CurrencyMark>), AmountFault> {
        let (written, currency) = amounts::read(text)?;
        let sign = match self.numbers {
            NumberForm::Sign(sign) => Some(sign),
            NumberForm::Undecided => None,
            NumberForm::Plain => {
                if matches!(written, amounts::WrittenAmount::One(_, Some(DecimalSign::Comma))) {
                    return Err(AmountFault::CommaInPlain);
                }
                None
            }
        };
        Ok((written.resolve(sign)?, currency))
    }

    /// The number a text means; one with a currency is not a number.
    ///
    /// # Errors
    /// When it is not a number, or can be read in two ways.
    pub fn number(&self, text: &str) -> Result<Decimal, AmountFault> {
        match self.amount(text)? {
            (number, None) => Ok(number),
            (_, Some(_)) => Err(AmountFault::NotANumber),
        }
    }

    /// A number of months: `12`, `12,0`, `P1Y`, `36 months`, `3 Jahre`, `2 ans`.
    ///
    /// # Errors
    /// When it is not a whole number of months or years above zero, or can be
    /// read in two ways.
    pub fn months(&self, text: &str) -> Result<i64, AmountFault> {
        let compact: String = text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
        let compact = compact.strip_prefix('p').unwrap_or(&compact);
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
        let split = compact.find(|c| !is_number(c)).unwrap_or(compact.len());
        let (count, unit) = compact.split_at(split);
        // `12 Mon.` ends with a point that belongs to the unit.
        let factor = match unit.trim_end_matches('.') {
            "" | "m" | "mo" | "mon" | "mth" | "mths" | "month" | "months" | "month(s)"
            | "monat" | "monate" | "monaten" | "mois" | "mes" | "meses" | "mês" | "mesi"
            | "mese" | "maand" | "maanden" | "か月" | "ヶ月" | "カ月" | "ヵ月" | "个月"
            | "개월" => 1,
            "y" | "yr" | "yrs" | "year" | "years" | "year(s)" | "jahr" | "jahre" | "jahren"
            | "an" | "ans" | "année" | "années" | "año" | "años" | "ano" | "anos" | "anno"
            | "anni" | "jaar" | "年" | "年間" | "년" => 12,
            _ => return Err(AmountFault::NotMonths),
        };
        let count = match self.number(count) {
            Ok(count) => count,
            Err(AmountFault::NotAnAmount | AmountFault::NotANumber) => {
                return Err(AmountFault::NotMonths);
            }
            Err(other) => return Err(other),
        };
        count
            .checked_mul(Decimal::from(factor))
            .filter(Decimal::is_integer)
            .and_then(|months| i64::try_from(months).ok())
            .filter(|months| *months > 0)
            .ok_or(AmountFault::NotMonths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_in_the_words_people_use() {
        let german = Locale { numbers: NumberForm::Sign(DecimalSign::Comma), ..Locale::default() };
        for (text, locale, wanted) in [
            ("12", Locale::default(), Some(12)),
            ("12.0", Locale::default(), Some(12)),
            ("12,0", german, Some(12)),
            ("12,0", Locale::default(), None),
            ("P1Y", Locale::default(), Some(12)),
            ("P12M", Locale::default(), Some(12)),
            ("36 Monate", german, Some(36)),
            ("12 Mon.", german, Some(12)),
            ("1,5 Jahre", german, Some(18)),
            ("2 ans", german, Some(24)),
            ("2年", german, Some(24)),
            ("0", german, None),
            ("soon", german, None),
            ("1.3", Locale::default(), None),
        ] {
            assert_eq!(locale.months(text).ok(), wanted, "{text}");
        }
    }
}
