//! An amount in a currency: a decimal, never a float. Currencies are those of
//! ISO 4217 (crate `iso_currency`), with their decimals and their signs.

use std::str::FromStr;
use std::sync::OnceLock;

use iso_currency::Currency;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A decimal amount and its ISO 4217 code, `{amount: "48000.00", currency: USD}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The amount; its scale is kept as it was given.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// Three capital letters; absent when the source names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amount is not a decimal number.
    #[error("{0:?} is not a decimal amount such as 48000.00")]
    Amount(String),
    /// ISO 4217 has no such currency.
    #[error("{0:?} is not an ISO 4217 currency code such as USD")]
    Currency(String),
}

impl Money {
    /// Builds money from a plain decimal text (no thousands separators, no
    /// sign: those belong to [`Locale`](super::Locale)).
    ///
    /// # Errors
    /// When the amount is not a decimal, or ISO 4217 does not know the currency.
    pub fn parse(amount: &str, currency: Option<&str>) -> Result<Self, MoneyError> {
        let decimal = Decimal::from_str(amount.trim())
            .map_err(|_| MoneyError::Amount(amount.chars().take(40).collect()))?;
        let currency = match currency.map(str::trim).filter(|c| !c.is_empty()) {
            None => None,
            Some(text) => Some(
                currency_code(text)
                    .ok_or_else(|| MoneyError::Currency(text.chars().take(40).collect()))?
                    .to_owned(),
            ),
        };
        Ok(Self { amount: decimal, currency })
    }

    /// The amount with the decimals of its currency, more only where more are
    /// given: HubSpot says `48000`, its export `48000.0`, Salesforce
    /// `48000.00`, and a brief says one.
    #[must_use]
    pub fn settled(amount: Decimal, currency: Option<String>) -> Self {
        let least = currency_decimals(currency.as_deref());
        let mut amount = if amount.scale() > least { amount.normalize() } else { amount };
        if amount.scale() < least {
            amount.rescale(least);
        }
        Self { amount, currency }
    }

    /// The one way money is shown to people: `USD 48,000.00`, `JPY 48,000`, and
    /// `48,000.00` where no currency is known.
    #[must_use]
    pub fn shown(&self) -> String {
        let amount = Self::settled(self.amount, self.currency.clone()).amount;
        let grouped = grouped(&amount.to_string());
        match &self.currency {
            Some(code) => format!("{code} {grouped}"),
            None => grouped,
        }
    }
}

/// Commas between the thousands of a decimal text: `-48000.00` is `-48,000.00`.
#[must_use]
pub fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let whole = rest.split('.').next().unwrap_or_default();
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&rest[whole.len()..]);
    out
}

/// A number with its noun, `1 brief`, `12 briefs`, `1,204 deals`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    count_of(number, noun, &plural)
}

/// A number with its noun where the plural is not regular.
#[must_use]
pub fn count_of(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number with commas between its thousands.
#[must_use]
pub fn thousands(number: usize) -> String {
    grouped(&number.to_string())
}

/// The ISO 4217 code that a text is, whatever its case; `None` for any other text.
#[must_use]
pub fn currency_code(text: &str) -> Option<&'static str> {
    iso_currency(text.trim()).map(|currency| currency.code())
}

/// The currency of a code, whatever its case. Each is looked for once: the crate
/// compares with one after the other, and an export asks for each of its rows.
fn iso_currency(code: &str) -> Option<Currency> {
    const LETTERS: usize = 26;
    static KNOWN: [OnceLock<Option<Currency>>; LETTERS * LETTERS * LETTERS] =
        [const { OnceLock::new() }; LETTERS * LETTERS * LETTERS];
    let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
    let upper = letters.map(|letter| letter.to_ascii_uppercase());
    let place = upper.iter().try_fold(0, |place, letter| {
        letter.is_ascii_uppercase().then(|| place * LETTERS + usize::from(letter - b'A'))
    })?;
    *KNOWN[place].get_or_init(|| Currency::from_code(std::str::from_utf8(&upper).ok()?))
}

/// The decimals of a currency: 2 for most and where none is known, 0 for JPY,
/// 3 for KWD.
#[must_use]
pub fn currency_decimals(code: Option<&str>) -> u32 {
    code.and_then(iso_currency).and_then(Currency::exponent).map_or(2, u32::from)
}

/// A currency as it stands beside a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurrencyMark {
    /// An ISO 4217 code.
    Code(&'static str),
    /// A sign such as `$`, with the currencies that are written with it.
    Sign(&'static CurrencySign),
}

/// A sign with the currencies that are written with it.
#[derive(Debug, PartialEq, Eq)]
pub struct CurrencySign {
    /// What stands beside the number.
    pub sign: &'static str,
    /// The currency that the sign means where nothing else says one.
    pub means: Option<&'static str>,
    /// The currencies that are written so.
    pub fits: &'static [&'static str],
}

impl CurrencyMark {
    /// The currency it names by itself; `None` for `$`, `¥` and `kr`.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Code(code) => Some(code),
            Self::Sign(sign) => sign.means,
        }
    }

    /// Whether an amount in this currency is written so.
    #[must_use]
    pub fn fits(self, currency: &str) -> bool {
        match self {
            Self::Code(code) => code == currency,
            Self::Sign(sign) => sign.fits.contains(&currency),
        }
    }

    /// The mark that a text begins with, and what follows it.
    pub(super) fn strip_prefix(text: &str) -> Option<(Self, &str)> {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        if let Some(sign) = SIGNS.iter().find(|sign| text.starts_with(sign.sign)) {
            return Some((Self::Sign(sign), &text[sign.sign.len()..]));
        }
        let code = text.get(..3).and_then(currency_code)?;
        let rest = &text[3..];
        (!rest.starts_with(char::is_alphabetic)).then_some((Self::Code(code), rest))
    }

    /// The mark that a text ends with, and what stands before it.
    pub(super) fn strip_suffix(text: &str) -> Option<(Self, &str)> {
        if text.ends_with(|last: char| last.is_ascii_digit()) {
            return None;
        }
        if let Some(sign) = SIGNS.iter().find(|sign| text.ends_with(sign.sign)) {
            return Some((Self::Sign(sign), &text[..text.len() - sign.sign.len()]));
        }
        if let Some((rest, code)) =
            text.strip_suffix([')', ']']).and_then(|it| it.rsplit_once(['(', '[']))
        {
            return currency_code(code).map(|code| (Self::Code(code), rest));
        }
        let at = text.len().checked_sub(3)?;
        let code = text.get(at..).and_then(currency_code)?;
        let rest = &text[..at];
        (!rest.ends_with(char::is_alphabetic)).then_some((Self::Code(code), rest))
    }
}

/// The mark that a cell of a currency column is: a code, or a sign.
#[must_use]
pub fn currency_mark(text: &str) -> Option<CurrencyMark> {
    let text = text.trim();
    if let Some(code) = currency_code(text) {
        return Some(CurrencyMark::Code(code));
    }
    SIGNS.iter().find(|sign| sign.sign == text).map(CurrencyMark::Sign)
}

const fn sign(sign: &'static str, code: &'static [&'static str]) -> CurrencySign {
    CurrencySign { sign, means: if code.len() == 1 { Some(code[0]) } else { None }, fits: code }
}

/// Signs of money, the longer ones first, as the Unicode currency symbols and
/// the central banks' own spellings have them.
static SIGNS: &[CurrencySign] = &[
    sign("US$", &["USD"]),
    sign("AU$", &["AUD"]),
    sign("CA$", &["CAD"]),
    sign("NZ$", &["NZD"]),
    sign("HK$", &["HKD"]),
    sign("NT$", &["TWD"]),
    sign("SG$", &["SGD"]),
    sign("MX$", &["MXN"]),
    sign("R$", &["BRL"]),
    sign("A$", &["AUD"]),
    CurrencySign { sign: "C$", means: Some("CAD"), fits: &["CAD", "NIO"] },
    sign("S$", &["SGD"]),
    sign("J$", &["JMD"]),
    sign(
        "$",
        &[
            "USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "UYU",
            "DOP", "BBD", "BMD", "BND", "BSD", "BZD", "CUP", "FJD", "GYD", "JMD", "KYD", "LRD",
            "NAD", "SBD", "SRD", "TTD", "XCD", "BRL", "NIO",
        ],
    ),
    sign("€", &["EUR"]),
    CurrencySign {
        sign: "£",
        means: Some("GBP"),
        fits: &["GBP", "EGP", "FKP", "GIP", "LBP", "SDG", "SHP", "SSP", "SYP"],
    },
    sign("¥", &["JPY", "CNY"]),
    sign("\u{ffe5}", &["JPY", "CNY"]),
    sign("円", &["JPY"]),
    sign("元", &["CNY", "TWD", "HKD"]),
    sign("₹", &["INR"]),
    sign("Rs.", &["INR", "PKR", "LKR", "NPR", "MUR", "SCR"]),
    sign("Rs", &["INR", "PKR", "LKR", "NPR", "MUR", "SCR"]),
    sign("zł", &["PLN"]),
    sign("Kč", &["CZK"]),
    sign("Ft", &["HUF"]),
    sign("kr.", &["DKK", "NOK", "SEK", "ISK"]),
    sign("kr", &["SEK", "NOK", "DKK", "ISK"]),
    sign("Kr.", &["DKK", "NOK", "SEK", "ISK"]),
    sign("Kr", &["SEK", "NOK", "DKK", "ISK"]),
    sign("S/.", &["PEN"]),
    sign("S/", &["PEN"]),
    sign("TL", &["TRY"]),
    sign("₽", &["RUB"]),
    sign("руб.", &["RUB"]),
    sign("₴", &["UAH"]),
    sign("₺", &["TRY"]),
    sign("₩", &["KRW"]),
    sign("원", &["KRW"]),
    sign("₪", &["ILS"]),
    sign("฿", &["THB"]),
    sign("₫", &["VND"]),
    sign("₱", &["PHP"]),
    sign("₦", &["NGN"]),
    sign("₡", &["CRC"]),
    sign("₲", &["PYG"]),
    sign("₸", &["KZT"]),
    sign("GH₵", &["GHS"]),
    sign("₵", &["GHS"]),
    sign("₾", &["GEL"]),
    sign("₼", &["AZN"]),
    sign("֏", &["AMD"]),
    sign("SFr.", &["CHF"]),
    sign("Fr.", &["CHF"]),
    sign("lei", &["RON", "MDL"]),
    sign("лв.", &["BGN"]),
    sign("лв", &["BGN"]),
    sign("RM", &["MYR"]),
    sign("Rp", &["IDR"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_is_told_and_shown_the_same_way() {
        for (text, currency, told, shown) in [
            ("48000", Some("USD"), "48000.00", "USD 48,000.00"),
            ("48000.0", Some("USD"), "48000.00", "USD 48,000.00"),
            ("48000.000", None, "48000.00", "48,000.00"),
            ("0.125", Some("USD"), "0.125", "USD 0.125"),
            ("48000", Some("JPY"), "48000", "JPY 48,000"),
            ("48000.00", Some("JPY"), "48000", "JPY 48,000"),
            ("-1234567.5", Some("KWD"), "-1234567.500", "KWD -1,234,567.500"),
            ("0", None, "0.00", "0.00"),
            ("48000", Some("XPF"), "48000", "XPF 48,000"),
        ] {
            let money = Money::settled(text.parse().expect("decimal"), currency.map(str::to_owned));
            assert_eq!(money.amount.to_string(), told, "{text} {currency:?}");
            assert_eq!(money.shown(), shown);
        }
    }

    #[test]
    fn a_currency_is_one_of_iso_4217() {
        assert_eq!(Money::parse("1", Some(" usd ")).expect("USD").currency.as_deref(), Some("USD"));
        assert_eq!(Money::parse("1", Some("XYZ")), Err(MoneyError::Currency("XYZ".to_owned())));
        assert_eq!(Money::parse("1", Some("dollars")).ok(), None);
        for sign in SIGNS {
            for code in sign.fits {
                assert_eq!(currency_code(code), Some(*code), "{}", sign.sign);
            }
        }
        let mark = |text| currency_mark(text).expect(text);
        assert_eq!(mark("€").code(), Some("EUR"));
        assert!(mark("$").fits("CAD") && !mark("$").fits("EUR") && mark("$").code().is_none());
        assert!(mark("kr").fits("DKK") && !mark("£").fits("EUR"));
        assert_eq!(currency_mark("XYZ"), None);
    }
}
