//! Amounts as people and programs write them. Whether a single `,` or `.` before
//! three digits is a decimal sign is said by the settings or proved by the
//! other amounts; where nothing says it, the text is refused.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use super::money::CurrencyMark;

/// The sign before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum DecimalSign {
    /// 48,000.00
    #[serde(rename = ".")]
    Point,
    /// 48.000,00
    #[serde(rename = ",")]
    Comma,
}

/// An amount as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenAmount {
    /// One reading only; the decimal sign if it shows one.
    One(Decimal, Option<DecimalSign>),
    /// `1,234` or `1.234`: the value when the sign groups thousands, and when
    /// it is the decimal sign.
    Either {
        /// What stands there.
        sign: DecimalSign,
        /// The value when it groups.
        grouped: Decimal,
        /// The value when decimals follow it.
        decimal: Decimal,
    },
}

impl WrittenAmount {
    /// The value, where the decimal sign is known or not needed.
    ///
    /// # Errors
    /// When it can be read in two ways and no sign is known.
    pub fn resolve(self, known: Option<DecimalSign>) -> Result<Decimal, AmountFault> {
        match (self, known) {
            (Self::One(amount, _), _) => Ok(amount),
            (Self::Either { sign, decimal, .. }, Some(known)) if sign == known => Ok(decimal),
            (Self::Either { grouped, .. }, Some(_)) => Ok(grouped),
            (Self::Either { grouped, decimal, .. }, None) => {
                Err(AmountFault::Either(grouped, decimal))
            }
        }
    }
}

/// What a column of amounts proves about the decimal sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignProof {
    /// The first row with a decimal point.
    pub point: Option<usize>,
    /// The first row with a decimal comma.
    pub comma: Option<usize>,
    /// The first row that can be read in two ways.
    pub either: Option<usize>,
}

impl SignProof {
    /// Takes one cell into account.
    pub fn see(&mut self, text: &str, row: usize) {
        let Ok((written, _)) = read(text) else { return };
        let seen = match written {
            WrittenAmount::One(_, None) => return,
            WrittenAmount::One(_, Some(DecimalSign::Point)) => &mut self.point,
            WrittenAmount::One(_, Some(DecimalSign::Comma)) => &mut self.comma,
            WrittenAmount::Either { .. } => &mut self.either,
        };
        seen.get_or_insert(row);
    }

    /// Adds what further rows prove.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let first = |a: Option<usize>, b: Option<usize>| a.into_iter().chain(b).min();
        Self {
            point: first(self.point, later.point),
            comma: first(self.comma, later.comma),
            either: first(self.either, later.either),
        }
    }

    /// The decimal sign, where the column proves exactly one.
    #[must_use]
    pub fn sign(&self) -> Option<DecimalSign> {
        match (self.point, self.comma) {
            (Some(_), None) => Some(DecimalSign::Point),
            (None, Some(_)) => Some(DecimalSign::Comma),
            _ => None,
        }
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountFault {
    /// It is not an amount.
    NotAnAmount,
    /// An amount of money, and a number is wanted.
    NotANumber,
    /// It is not a number of months or years.
    NotMonths,
    /// It can be read in two ways.
    Either(Decimal, Decimal),
    /// It was shortened, and its last digits are lost: `1.2E+06`, `48K`, `1,2 Mio.`.
    Rounded,
    /// A decimal comma where the source writes points.
    CommaInPlain,
}

impl AmountFault {
    /// What is wrong with the text, which comes quoted.
    #[must_use]
    pub fn words(&self, text: &str) -> String {
        match self {
            Self::NotAnAmount => format!("{text} is not an amount such as 48000.00"),
            Self::NotANumber => format!("{text} is not a number such as 48000.00"),
            Self::NotMonths => format!("{text} is not a number of months such as 12 or P1Y"),
            Self::Either(grouped, decimal) => format!("{text} can be {grouped} or {decimal}"),
            Self::Rounded => {
                format!("{text} was shortened, and its last digits are lost")
            }
            Self::CommaInPlain => {
                format!("{text} has a decimal comma, and numbers here are written with a point")
            }
        }
    }
}

/// Reads a text without deciding what only the other amounts can.
///
/// # Errors
/// When it is not an amount.
pub fn read(text: &str) -> Result<(WrittenAmount, Option<CurrencyMark>), AmountFault> {
    if let Some(plain) = plain(text.as_bytes()) {
        return Ok((plain, None));
    }
    let mut text = text.trim();
    let mut negative = false;
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (negative, text) = (true, inner.trim());
    }
    let mut currency = None;
    // A sign and a currency may stand on either side, in either order; Brazil
    // and Mexico write both `R$` and `BRL`.
    for _ in 0..4 {
        // The dash of `1'200.-` stands for decimals.
        let behind = || text.strip_suffix('-').filter(|rest| !ends_with_dashes(rest));
        if let Some(rest) = text.strip_prefix(['-', '\u{2212}']).or_else(behind) {
            if negative {
                return Err(AmountFault::NotAnAmount);
            }
            (negative, text) = (true, rest.trim());
        }
        text = text.strip_prefix('+').unwrap_or(text);
        let mark = CurrencyMark::strip_prefix(text).or_else(|| CurrencyMark::strip_suffix(text));
        if let Some((mark, rest)) = mark {
            // `$1,000 USD` says one thing twice; `€1,000 USD` contradicts itself.
            currency = match (currency, mark) {
                (None, mark) => Some(mark),
                (Some(CurrencyMark::Code(code)), other)
                | (Some(other), CurrencyMark::Code(code))
                    if other.fits(code) =>
                {
                    Some(CurrencyMark::Code(code))
                }
                _ => return Err(AmountFault::NotAnAmount),
            };
            text = rest.trim();
        }
        // Excel's accounting format has the sign outside: `$ (1,200.00)`.
        if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
            && currency.is_some()
            && !negative
        {
            (negative, text) = (true, inner.trim());
        }
    }
    // There a dash beside the sign is nought: `$ -`.
    if text.is_empty() && negative && currency.is_some() {
        return Ok((WrittenAmount::One(Decimal::ZERO, None), currency));
    }
    if is_rounded(text) || is_shortened(text) {
        return Err(AmountFault::Rounded);
    }
    let whole = text.trim_end_matches(DASHES);
    let written = if whole.len() < text.len() && whole.ends_with([',', '.']) {
        number(&format!("{whole}00"), negative)
    } else {
        number(text, negative)
    };
    Ok((written.ok_or(AmountFault::NotAnAmount)?, currency))
}

/// What stands in place of decimals: `1'200.-`, `1200,--`, `1.200,–`.
const DASHES: [char; 4] = ['-', '\u{2013}', '\u{2014}', '\u{2212}'];

fn ends_with_dashes(text: &str) -> bool {
    text.trim_end_matches(DASHES).ends_with([',', '.'])
}

/// Whether a spreadsheet wrote this in place of a longer number: `1.2E+06`.
#[must_use]
pub fn is_rounded(text: &str) -> bool {
    let upper = text.trim().to_ascii_uppercase();
    upper.split_once("E+").is_some_and(|(digits, power)| {
        let is_number = |c: u8| c.is_ascii_digit() || matches!(c, b'.' | b',');
        !digits.is_empty()
            && digits.bytes().all(is_number)
            && !power.is_empty()
            && power.bytes().all(|c| c.is_ascii_digit())
    })
}

/// Whether a number is told in thousands, millions or more: `48K`, `1,2 Mio.`, `12 lakh`.
fn is_shortened(text: &str) -> bool {
    const UNITS: &[&str] = &[
        "k", "m", "mm", "mn", "mio", "mrd", "bn", "b", "t", "tsd", "tn", "cr", "crore", "crores",
        "l", "lac", "lakh", "lakhs", "万", "億", "亿", "만", "억",
    ];
    let unit = text.trim_end_matches('.').trim_start_matches(|c: char| {
        c.is_ascii_digit() || matches!(c, '.' | ',' | ' ' | '\u{a0}')
    });
    text.starts_with(|c: char| c.is_ascii_digit()) && UNITS.contains(&unit.to_lowercase().as_str())
}

/// What nearly every cell is: digits, at most one point, decimals that are no
/// group of three. Without any allocation.
fn plain(bytes: &[u8]) -> Option<WrittenAmount> {
    if bytes.is_empty() || bytes.len() > 17 {
        return None;
    }
    let (mut mantissa, mut point) = (0i64, None);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() && at > 0 => point = Some(at),
            _ => return None,
        }
    }
    match point {
        None => Some(WrittenAmount::One(Decimal::new(mantissa, 0), None)),
        Some(at) => {
            let scale = bytes.len() - at - 1;
            (matches!(scale, 1 | 2) || at > 3).then(|| {
                let scale = u32::try_from(scale).unwrap_or_default();
                WrittenAmount::One(Decimal::new(mantissa, scale), Some(DecimalSign::Point))
            })
        }
    }
}

fn number(text: &str, negative: bool) -> Option<WrittenAmount> {
    // Spaces and apostrophes only group: 48 000,00 and 48'000.00.
    let is_gap =
        |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '\u{2019}');
    let spaced = text.contains(is_gap);
    let body: String = text.chars().filter(|c| !is_gap(*c)).collect();
    if !body.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
        || !body.bytes().any(|b| b.is_ascii_digit())
    {
        return None;
    }
    if spaced && !gaps_group(text, is_gap) {
        return None;
    }
    let build = |whole: &str, part: &str| -> Option<Decimal> {
        let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
        let sign = if negative { "-" } else { "" };
        let digits = if digits.is_empty() { "0" } else { &digits };
        let dot = if part.is_empty() { "" } else { "." };
        format!("{sign}{digits}{dot}{part}").parse().ok()
    };
    let sign_of = |c: char| if c == '.' { DecimalSign::Point } else { DecimalSign::Comma };
    let other = |c: char| if c == '.' { DecimalSign::Comma } else { DecimalSign::Point };
    let (points, commas) = (body.matches('.').count(), body.matches(',').count());
    match (points, commas) {
        (0, 0) => Some(WrittenAmount::One(build(&body, "")?, None)),
        (1.., 1..) => {
            let last = body.rfind(['.', ','])?;
            let decimal = body[last..].chars().next()?;
            let (whole, part) = (&body[..last], &body[last + 1..]);
            // The sign before the decimals stands once, and groups are groups.
            if whole.contains(decimal) || !groups(whole) {
                return None;
            }
            Some(WrittenAmount::One(build(whole, part)?, Some(sign_of(decimal))))
        }
        (1, 0) | (0, 1) => {
            let at = body.find(['.', ','])?;
            let sign = body[at..].chars().next()?;
            let (whole, part) = (&body[..at], &body[at + 1..]);
            let may_group = part.len() == 3
                && !spaced
                && (1..=3).contains(&whole.len())
                && !whole.starts_with('0');
            if may_group {
                return Some(WrittenAmount::Either {
                    sign: sign_of(sign),
                    grouped: build(&body, "")?,
                    decimal: build(whole, part)?,
                });
            }
            Some(WrittenAmount::One(build(whole, part)?, Some(sign_of(sign))))
        }
        _ => {
            let sign = if points > 0 { '.' } else { ',' };
            groups(&body)
                .then(|| build(&body, ""))
                .flatten()
                .map(|n| WrittenAmount::One(n, Some(other(sign))))
        }
    }
}

/// Whether a whole number is grouped by threes, or the Indian way (12,34,567).
fn groups(whole: &str) -> bool {
    let mut parts: Vec<usize> = whole.split(['.', ',']).map(str::len).collect();
    let (Some(last), first) = (parts.pop(), parts.first().copied()) else { return false };
    let Some(first) = first else { return true };
    let middle = &parts[1..];
    let western = (1..=3).contains(&first) && middle.iter().all(|n| *n == 3);
    let indian = (1..=2).contains(&first) && middle.iter().all(|n| *n == 2);
    last == 3 && (western || indian)
}

/// Whether the spaces in a number group by threes.
fn gaps_group(text: &str, is_gap: impl Fn(char) -> bool + Copy) -> bool {
    let whole = text.split(['.', ',']).next().unwrap_or_default();
    let mut parts = whole.split(is_gap).map(str::len);
    let first = parts.next().unwrap_or_default();
    (1..=3).contains(&first) && parts.all(|n| n == 3) && !text[whole.len()..].chars().any(is_gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Locale, NumberForm};

    fn told(text: &str, sign: Option<DecimalSign>) -> String {
        let numbers = sign.map_or(NumberForm::Undecided, NumberForm::Sign);
        match (Locale { numbers, ..Locale::default() }).amount(text) {
            Ok((amount, Some(mark))) => match mark.code() {
                Some(code) => format!("{amount} {code}"),
                None => amount.to_string(),
            },
            Ok((amount, None)) => amount.to_string(),
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn amounts_are_read_as_they_are_written() {
        let (point, comma) = (Some(DecimalSign::Point), Some(DecimalSign::Comma));
        for (text, sign, requested) in [
            ("48000", None, "48000"),
            ("48000.0", None, "48000.0"),
            ("48,000.00", None, "48000.00"),
            ("48.000,00", None, "48000.00"),
            ("48\u{a0}000,00", None, "48000.00"),
            ("48 000,00", None, "48000.00"),
            ("48 000", None, "48000"),
            ("48'000.50", None, "48000.50"),
            ("1,234,567", None, "1234567"),
            ("12,34,567.00", None, "1234567.00"),
            ("$48,000.00", None, "48000.00"),
            ("US$ 48,000.00", None, "48000.00 USD"),
            ("USD 48,000.00", None, "48000.00 USD"),
            ("48.000,00 €", None, "48000.00 EUR"),
            ("(1,000.00)", None, "-1000.00"),
            (" $ (1,200.00)", None, "-1200.00"),
            ("€ (1.200,00)", None, "-1200.00 EUR"),
            ("(1,200.00) $", None, "-1200.00"),
            (" $ -   ", None, "0"),
            ("-   €", None, "0 EUR"),
            ("$ (-5.00)", None, "NotAnAmount"),
            ("$ ()", None, "0"),
            ("-1.5", None, "-1.5"),
            ("£-1.50", None, "-1.50 GBP"),
            ("1000-", None, "-1000"),
            ("1000.50-", None, "-1000.50"),
            ("CHF 1'200.-", None, "1200.00 CHF"),
            ("1.200,- €", None, "1200.00 EUR"),
            ("1200,--", None, "1200.00"),
            ("12,000.\u{2013}", None, "12000.00"),
            ("-1'200.-", None, "-1200.00"),
            ("1200--", None, "NotAnAmount"),
            ("1,200.00 (USD)", None, "1200.00 USD"),
            ("Kr 1.200,00", None, "1200.00"),
            ("0.125", None, "0.125"),
            ("4800.125", None, "4800.125"),
            ("480.125", None, "Either(480125, 480.125)"),
            ("1,234", point, "1234"),
            ("1,234", comma, "1.234"),
            ("1.234", point, "1.234"),
            ("1.234", comma, "1234"),
            ("$1,234", point, "1234"),
            ("1,234", None, "Either(1234, 1.234)"),
            ("", None, "NotAnAmount"),
            ("n/a", None, "NotAnAmount"),
            ("1,23,4", None, "NotAnAmount"),
            ("1.2.3", None, "NotAnAmount"),
            ("4 8000", None, "NotAnAmount"),
            ("--5", None, "NotAnAmount"),
            ("1e3", None, "NotAnAmount"),
            ("1.2E+06", None, "Rounded"),
            ("48k", None, "Rounded"),
            ("€1.2M", None, "Rounded"),
            ("1,2 Mio. €", None, "Rounded"),
            ("120万", None, "Rounded"),
            ("HK$1,234.50", None, "1234.50 HKD"),
            ("1 234,50 ₽", None, "1234.50 RUB"),
            ("$1,000.00 CAD", None, "1000.00 CAD"),
            ("€1,000.00 USD", None, "NotAnAmount"),
            ("¥1,200,000", None, "1200000"),
            ("Rp 1.500.000", None, "1500000 IDR"),
            ("1.500,00 kr.", None, "1500.00"),
            ("XYZ 5", None, "NotAnAmount"),
            ("12 apples", None, "NotAnAmount"),
            ("99999999999999999999999999999999999", None, "NotAnAmount"),
        ] {
            assert_eq!(told(text, sign), requested, "{text:?} {sign:?}");
        }
    }

    #[test]
    fn what_a_spreadsheet_shortened_is_told_by_its_form() {
        for text in ["1.2E+06", "1,2e+6", " 12E+11 "] {
            assert!(is_rounded(text), "{text}");
        }
        for text in ["E+06", "1.2E+", "1.2E+0x", "aE+06", "12", "LINE+4"] {
            assert!(!is_rounded(text), "{text}");
        }
    }

    #[test]
    fn the_plain_form_is_read_as_the_long_way_reads_it() {
        for text in
            ["4800", "4800.", "480.", "48.5", "480.125", "0480.125", "4800.125", "480.1250", ".5"]
        {
            // White space around it, which only the long way takes off.
            assert_eq!(read(text), read(&format!("{text} ")), "{text}");
        }
    }

    #[test]
    fn a_column_proves_its_decimal_sign_or_does_not() {
        let proof = |cells: &[&str]| {
            let mut proof = SignProof::default();
            for (row, cell) in cells.iter().enumerate() {
                proof.see(cell, row);
            }
            proof.sign()
        };
        assert_eq!(proof(&["1,234", "48,000.00"]), Some(DecimalSign::Point));
        assert_eq!(proof(&["1.234", "48,5"]), Some(DecimalSign::Comma));
        assert_eq!(proof(&["1.234", "1.234.567"]), Some(DecimalSign::Comma));
        assert_eq!(proof(&["1,234", "1,234,567"]), Some(DecimalSign::Point));
        assert_eq!(proof(&["1,234", "500"]), None);
    }
}
