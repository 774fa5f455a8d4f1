//! Amounts as exports write them. Whether a single `,` or `.` before three
//! digits is a decimal sign is said by the settings, proved by the column or
//! by the file's own delimiter; where nothing says it, the cell is refused.

use rust_decimal::Decimal;

use super::settings::DecimalSign;

/// An amount as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// One reading only; the decimal sign if it shows one.
    One(Decimal, Option<DecimalSign>),
    /// `1,234` or `1.234`: the value when the sign groups thousands, and when
    /// it is the decimal sign.
    Either { sign: DecimalSign, grouped: Decimal, decimal: Decimal },
}

/// What a column of amounts proves about the decimal sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SignProof {
    pub(super) point: Option<usize>,
    pub(super) comma: Option<usize>,
    pub(super) either: Option<usize>,
}

impl SignProof {
    /// Takes one cell into account.
    pub(super) fn see(&mut self, text: &str, row: usize) {
        let Some((written, _)) = read(text) else { return };
        let seen = match written {
            Written::One(_, None) => return,
            Written::One(_, Some(DecimalSign::Point)) => &mut self.point,
            Written::One(_, Some(DecimalSign::Comma)) => &mut self.comma,
            Written::Either { .. } => &mut self.either,
        };
        seen.get_or_insert(row);
    }

    /// The decimal sign, where the column proves exactly one.
    pub(super) fn sign(&self) -> Option<DecimalSign> {
        match (self.point, self.comma) {
            (Some(_), None) => Some(DecimalSign::Point),
            (None, Some(_)) => Some(DecimalSign::Comma),
            _ => None,
        }
    }
}

/// Why a cell gives no amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AmountFault {
    /// It is no number.
    NoAmount,
    /// It can be read in two ways.
    Either(Decimal, Decimal),
}

/// The amount a cell means, and the currency code it names, if any.
pub(super) fn amount(
    text: &str,
    sign: Option<DecimalSign>,
) -> Result<(Decimal, Option<&'static str>), AmountFault> {
    let (written, currency) = read(text).ok_or(AmountFault::NoAmount)?;
    match (written, sign) {
        (Written::One(amount, _), _) => Ok((amount, currency)),
        (Written::Either { sign, decimal, .. }, Some(known)) if sign == known => {
            Ok((decimal, currency))
        }
        (Written::Either { grouped, .. }, Some(_)) => Ok((grouped, currency)),
        (Written::Either { grouped, decimal, .. }, None) => {
            Err(AmountFault::Either(grouped, decimal))
        }
    }
}

/// Signs that mean one currency; `$` and `¥` alone mean several.
const SYMBOLS: [(&str, Option<&str>); 14] = [
    ("US$", Some("USD")),
    ("A$", Some("AUD")),
    ("AU$", Some("AUD")),
    ("C$", Some("CAD")),
    ("CA$", Some("CAD")),
    ("R$", Some("BRL")),
    ("€", Some("EUR")),
    ("£", Some("GBP")),
    ("₹", Some("INR")),
    ("zł", Some("PLN")),
    ("kr", None),
    ("$", None),
    ("¥", None),
    ("\u{ffe5}", None),
];

/// Codes that may stand beside a number.
const CODES: [&str; 34] = [
    "USD", "EUR", "GBP", "CHF", "CAD", "AUD", "NZD", "JPY", "CNY", "INR", "BRL", "MXN", "SEK",
    "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "TRY", "ZAR", "SGD", "HKD", "KRW", "ILS", "AED",
    "SAR", "THB", "IDR", "MYR", "PHP", "CLP", "COP", "ARS",
];

/// Reads a cell without deciding what only the column can.
pub(super) fn read(text: &str) -> Option<(Written, Option<&'static str>)> {
    if let Some(plain) = plain(text.as_bytes()) {
        return Some((plain, None));
    }
    let mut text = text.trim();
    let mut negative = false;
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (negative, text) = (true, inner.trim());
    }
    let mut currency = None;
    // A sign and a currency may stand on either side, in either order.
    for _ in 0..3 {
        if let Some(rest) = text.strip_prefix(['-', '\u{2212}']).or_else(|| text.strip_suffix('-'))
        {
            if negative {
                return None;
            }
            (negative, text) = (true, rest.trim());
        }
        text = text.strip_prefix('+').unwrap_or(text);
        if currency.is_none() {
            for code in CODES {
                if let Some(rest) = text.strip_prefix(code).or_else(|| text.strip_suffix(code)) {
                    (currency, text) = (Some(Some(code)), rest.trim());
                    break;
                }
            }
        }
        if currency.is_none() {
            for (symbol, code) in SYMBOLS {
                if let Some(rest) = text.strip_prefix(symbol).or_else(|| text.strip_suffix(symbol))
                {
                    (currency, text) = (Some(code), rest.trim());
                    break;
                }
            }
        }
    }
    let written = number(text, negative)?;
    Some((written, currency.flatten()))
}

/// What nearly every cell is: digits, at most one point, decimals that are no
/// group of three. Without any allocation.
fn plain(bytes: &[u8]) -> Option<Written> {
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
        None => Some(Written::One(Decimal::new(mantissa, 0), None)),
        Some(at) => {
            let scale = bytes.len() - at - 1;
            (matches!(scale, 1 | 2) || (scale > 0 && at > 3)).then(|| {
                let scale = u32::try_from(scale).unwrap_or_default();
                Written::One(Decimal::new(mantissa, scale), Some(DecimalSign::Point))
            })
        }
    }
}

fn number(text: &str, negative: bool) -> Option<Written> {
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
        (0, 0) => Some(Written::One(build(&body, "")?, None)),
        (1.., 1..) => {
            let last = body.rfind(['.', ','])?;
            let decimal = body[last..].chars().next()?;
            let (whole, part) = (&body[..last], &body[last + 1..]);
            // The sign before the decimals stands once, and groups are groups.
            if whole.contains(decimal) || !groups(whole) {
                return None;
            }
            Some(Written::One(build(whole, part)?, Some(sign_of(decimal))))
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
                return Some(Written::Either {
                    sign: sign_of(sign),
                    grouped: build(&body, "")?,
                    decimal: build(whole, part)?,
                });
            }
            Some(Written::One(build(whole, part)?, Some(sign_of(sign))))
        }
        _ => {
            let sign = if points > 0 { '.' } else { ',' };
            groups(&body)
                .then(|| build(&body, ""))
                .flatten()
                .map(|n| Written::One(n, Some(other(sign))))
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

    fn told(text: &str, sign: Option<DecimalSign>) -> String {
        match amount(text, sign) {
            Ok((amount, Some(currency))) => format!("{amount} {currency}"),
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
            ("-1.5", None, "-1.5"),
            ("£-1.50", None, "-1.50 GBP"),
            ("1000-", None, "-1000"),
            ("0.125", None, "0.125"),
            ("4800.125", None, "4800.125"),
            ("1,234", point, "1234"),
            ("1,234", comma, "1.234"),
            ("1.234", point, "1.234"),
            ("1.234", comma, "1234"),
            ("$1,234", point, "1234"),
            ("1,234", None, "Either(1234, 1.234)"),
            ("", None, "NoAmount"),
            ("n/a", None, "NoAmount"),
            ("1,23,4", None, "NoAmount"),
            ("1.2.3", None, "NoAmount"),
            ("4 8000", None, "NoAmount"),
            ("--5", None, "NoAmount"),
            ("1e3", None, "NoAmount"),
            ("12 apples", None, "NoAmount"),
            ("99999999999999999999999999999999999", None, "NoAmount"),
        ] {
            assert_eq!(told(text, sign), requested, "{text:?} {sign:?}");
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
        assert_eq!(proof(&["1,234", "500"]), None);
    }
}
