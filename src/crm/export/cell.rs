//! The text of one cell: how it is written, and in which form it is compared.

use unicode_normalization::UnicodeNormalization as _;

/// Whether a cell is written for one that is empty: `-`, `n/a`, `NULL`, `(blank)`.
pub(super) fn is_placeholder(cell: &str) -> bool {
    const EMPTY: &[&str] = &[
        "-",
        "--",
        "\u{2013}",
        "\u{2014}",
        "n/a",
        "na",
        "#n/a",
        "null",
        "(null)",
        "none",
        "nil",
        "nan",
        "\\n",
        "undefined",
        "(blank)",
        "(empty)",
        "(none)",
        "(no value)",
        "∅",
        "0000-00-00",
        "0000-00-00 00:00:00",
    ];
    // Every cell of some columns is asked: most are told by their first letter.
    let may_be = |first: u8| {
        matches!(first, b'-' | b'n' | b'N' | b'u' | b'U' | b'(' | b'\\' | b'#' | b'0' | 0xE2)
    };
    if cell.len() > 19 || !cell.bytes().next().is_some_and(may_be) {
        return false;
    }
    let cell = cell.trim();
    EMPTY.iter().any(|empty| empty.eq_ignore_ascii_case(cell))
}

/// The text without control characters but line ends and tabs: nothing that
/// reads it later (YAML, terminals, mail) can hold them.
pub(super) fn without_controls(text: &str) -> String {
    if text.bytes().any(|b| b < 0x20 || b == 0x7f || b == 0xC2) {
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
    } else {
        text.to_owned()
    }
}

/// Adds a cell to delimited text.
pub(super) fn push_cell(text: &mut String, cell: &str) {
    if cell.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(cell);
    }
}

/// A workbook's number in the digits that it keeps, which are fifteen: behind them
/// stands what binary numbers leave, and a larger whole number has lost its last
/// digits. Three decimals get a fourth, so that the point groups no thousands.
pub(super) fn number_text(number: f64) -> String {
    if number.abs() >= 1e15 {
        return format!("{number:E}").replace('E', "E+");
    }
    let kept: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    let text = kept.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals == 3 { format!("{text}0") } else { text }
}

/// A text without the accents on its letters: programs and people leave them out,
/// and some write them as characters of their own.
pub(super) fn without_marks(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    text.nfd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')).nfc().collect()
}

/// A label in the form of the lists: lower case, words with one space between
/// them, without accents, pictures, and what stands between words: `Closed-Won`,
/// `Closed / Won`, `Won 🎉`.
pub(super) fn folded(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for c in without_marks(label).chars() {
        if c.is_alphanumeric() || matches!(c, '.' | '%') {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}
