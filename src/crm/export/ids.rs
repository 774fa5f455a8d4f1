//! Deal ids as spreadsheets leave them: repaired where the id is certain.

use crate::model::is_rounded;

/// Why an id cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdFault {
    /// Its last digits are lost.
    Rounded,
    /// A formula stands there, and the id in it is not certain.
    Formula,
}

impl IdFault {
    /// What is wrong, and what to do.
    pub(super) fn words(self, id: &str) -> (String, &'static str) {
        match self {
            Self::Rounded => (
                format!("A spreadsheet has rounded the id to {id}"),
                "Export again and do not save the file from a spreadsheet; its digits are lost.",
            ),
            Self::Formula => (
                format!("The cell holds a formula, not an id: {id}"),
                "Export the ids as text; a formula such as =\"00123\" or a link to the record with its id is read.",
            ),
        }
    }
}

/// The id in a cell, `None` where it stands as it is.
pub(super) fn repaired(cell: &str) -> Option<String> {
    read(cell).ok().flatten()
}

/// The id in a cell; `Ok(None)` where it stands as it is, which most do.
pub(super) fn read(cell: &str) -> Result<Option<String>, IdFault> {
    if cell.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let visible =
        |c: char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let mut id: String = cell.chars().filter(|c| visible(*c)).collect();
    id = id.trim().to_owned();
    if let Some(inner) = id.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        id = inner.trim().to_owned();
    } else if id.starts_with('=') {
        id = linked(&id).ok_or(IdFault::Formula)?;
    } else if let Some(rest) =
        id.strip_prefix('\'').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    {
        // What makes a text of a number in a spreadsheet.
        id = rest.to_owned();
    }
    if is_rounded(&id) {
        return Err(IdFault::Rounded);
    }
    let whole = id
        .strip_suffix(".0")
        .filter(|whole| !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit()));
    if let Some(whole) = whole {
        id = whole.to_owned();
    }
    for sign in [',', ' ', '\u{a0}', '\u{202f}', '\''] {
        let mut groups = id.split(sign);
        let first = groups.next().unwrap_or_default();
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if id.contains(sign)
            && is_digits(first)
            && first.len() <= 3
            && groups.all(|group| group.len() == 3 && is_digits(group))
        {
            id = id.replace(sign, "");
            break;
        }
    }
    Ok((id != cell).then_some(id))
}

/// The label of `=HYPERLINK("https://…/deal/101","101")`, where the address has it too.
fn linked(formula: &str) -> Option<String> {
    let inner = formula.get(..11)?.eq_ignore_ascii_case("=HYPERLINK(").then(|| &formula[11..])?;
    let mut texts = inner.strip_suffix(')')?.split('"').skip(1).step_by(2);
    let (address, label) = (texts.next()?, texts.next()?.trim());
    let named = address.split(['/', '=', '?', '&', '#']).any(|part| part == label);
    (texts.next().is_none() && named && !label.is_empty()).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_repaired_where_they_are_certain() {
        for (cell, wanted) in [
            ("101", Ok(None)),
            ("006Hs00000aB1cD", Ok(None)),
            ("\u{200b}101", Ok(Some("101"))),
            ("'00101", Ok(Some("00101"))),
            ("=\"00123\"", Ok(Some("00123"))),
            ("31,874,500,101", Ok(Some("31874500101"))),
            ("31 874 500 101", Ok(Some("31874500101"))),
            ("31874500101.0", Ok(Some("31874500101"))),
            ("1.234", Ok(None)),
            ("=HYPERLINK(\"https://app.example/deal/101\",\"101\")", Ok(Some("101"))),
            ("=HYPERLINK(\"https://app.example/deal/101\",\"Acme\")", Err(IdFault::Formula)),
            ("=A1&B1", Err(IdFault::Formula)),
            ("3E+10", Err(IdFault::Rounded)),
            ("3.18745E+10", Err(IdFault::Rounded)),
        ] {
            assert_eq!(read(cell), wanted.map(|id: Option<&str>| id.map(str::to_owned)), "{cell}");
        }
    }
}
