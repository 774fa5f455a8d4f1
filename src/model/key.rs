//! A handoff's stable identity.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{CrmName, DealId, DocumentId, ProviderName};

const LONGEST: usize = 120;

/// A handoff's stable identity: `<crm>-<deal id>`, else `<provider>-<document id>`,
/// lower-cased, `[a-z0-9][a-z0-9._-]*`, at most 120 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(CompactString);

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is left of the id.
    #[error("the key is empty")]
    Empty,
    /// It has more than 120 characters.
    #[error("the key has {0} characters; at most {LONGEST} fit")]
    TooLong(usize),
    /// A character outside `[a-z0-9._-]`, or a start other than `[a-z0-9]`.
    #[error(
        "the key {0:?} may hold only a-z, 0-9, '.', '_' and '-' (none of '..' and '--'), and starts with a letter or digit"
    )]
    BadCharacter(String),
}

impl Key {
    /// Parses a key exactly as it is written.
    ///
    /// # Errors
    /// When the text breaks the rules of a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > LONGEST {
            return Err(KeyError::TooLong(text.chars().count()));
        }
        let allowed =
            |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
        let starts_well =
            text.as_bytes()[0].is_ascii_lowercase() || text.as_bytes()[0].is_ascii_digit();
        // `..` and a final `.lock` are not allowed in git ref names, and a draft lives on `handoff/<key>`.
        // `--` stands between the customer's name and the key in a folder's name.
        let ref_safe = !text.as_bytes().windows(2).any(|pair| matches!(pair, b".." | b"--"))
            && !text.ends_with(".lock")
            && !text.ends_with('.');
        if !starts_well || !ref_safe || !text.bytes().all(allowed) {
            return Err(KeyError::BadCharacter(text.chars().take(60).collect()));
        }
        Ok(Self(text.into()))
    }

    /// The key of a deal's handoff. The id is normalised first, so that a
    /// Salesforce id of 15 characters and its form of 18 give one key.
    ///
    /// Characters that no key can hold become `-`, and only one of several. Two ids can fall together
    /// that way (or by case): whoever writes a brief compares `deal.id` first.
    ///
    /// # Errors
    /// When nothing usable is left of the id, or it is too long.
    pub fn for_deal(crm: &CrmName, id: &DealId) -> Result<Self, KeyError> {
        Self::join(crm.as_str(), normalise_deal_id(crm, id).as_str())
    }

    /// The key of a further handoff of a deal, such as a renewal: the deal's key
    /// and the document.
    ///
    /// # Errors
    /// As for [`Key::for_deal`].
    pub fn for_renewal(deal: &Self, document: &DocumentId) -> Result<Self, KeyError> {
        Self::join(deal.as_str(), document.as_str())
    }

    /// The key of a handoff that has a signed document and no deal.
    ///
    /// # Errors
    /// As for [`Key::for_deal`].
    pub fn for_document(provider: &ProviderName, id: &DocumentId) -> Result<Self, KeyError> {
        Self::join(provider.as_str(), id.as_str())
    }

    fn join(source: &str, id: &str) -> Result<Self, KeyError> {
        if !id.bytes().any(|c| c.is_ascii_alphanumeric()) {
            return Err(KeyError::Empty);
        }
        let mut text = String::with_capacity(source.len() + id.len() + 1);
        for c in source.chars().chain(['-']).chain(id.chars()) {
            let c = c.to_ascii_lowercase();
            let keeps = c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            match c {
                '.' if !text.ends_with('.') => text.push('.'),
                '.' => {}
                _ if keeps && c != '-' => text.push(c),
                _ if !text.ends_with('-') => text.push('-'),
                _ => {}
            }
        }
        Self::parse(text.trim_end_matches(['.', '-']))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.into_string()
    }
}

/// Brings a deal id to its one form: trimmed, and for Salesforce the 15
/// case-sensitive characters become the 18 case-safe ones (reports export 15,
/// the API gives 18; both name one record). The last three tell which letters
/// are capitals, so that 18 characters in another case are still certain. For Zoho
/// without the `zcrm_` that its exports put before the number which the API gives.
#[must_use]
pub fn normalise_deal_id(crm: &CrmName, id: &DealId) -> DealId {
    let text = id.as_str().trim();
    if let ("zoho", Some(number)) = (crm.as_str(), text.strip_prefix("zcrm_"))
        && !number.is_empty()
        && number.bytes().all(|c| c.is_ascii_digit())
    {
        return DealId::new(number);
    }
    if crm.as_str() != "salesforce" || !text.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return DealId::new(text);
    }
    DealId::new(match text.len() {
        15 => format!("{text}{}", capitals(text)),
        18 => case_safe(text).unwrap_or_else(|| text.to_owned()),
        _ => text.to_owned(),
    })
}

/// Whether the last three of a Salesforce id's 18 characters can be those of the
/// first fifteen.
#[must_use]
pub fn fits_its_checksum(id: &str) -> bool {
    case_safe(id).is_some()
}

const CAPITALS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// For each five characters the sign that tells which of them are capitals.
fn capitals(id: &str) -> String {
    let sign = |block: &[u8]| {
        let bits = block.iter().enumerate().filter(|(_, c)| c.is_ascii_uppercase());
        char::from(CAPITALS[bits.fold(0usize, |sum, (bit, _)| sum | (1 << bit))])
    };
    id.as_bytes().chunks(5).map(sign).collect()
}

/// An id of 18 characters as it is written, or as it was before a program
/// changed its case.
fn case_safe(id: &str) -> Option<String> {
    let (start, end) = id.split_at_checked(15).filter(|(_, end)| end.len() == 3)?;
    let end = end.to_ascii_uppercase();
    if capitals(start) == end {
        return Some(format!("{start}{end}"));
    }
    let is_one_case = |is_other: fn(&u8) -> bool| !id.bytes().any(|c| is_other(&c));
    if !is_one_case(u8::is_ascii_uppercase) && !is_one_case(u8::is_ascii_lowercase) {
        return None;
    }
    let mut restored = start.to_ascii_lowercase().into_bytes();
    for (block, sign) in restored.chunks_mut(5).zip(end.bytes()) {
        let bits = CAPITALS.iter().position(|it| *it == sign)?;
        for (bit, c) in block.iter_mut().enumerate() {
            if bits & (1 << bit) != 0 {
                c.make_ascii_uppercase();
            }
        }
    }
    let restored = String::from_utf8(restored).ok()?;
    (capitals(&restored) == end).then(|| format!("{restored}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salesforce_ids_of_15_and_18_characters_give_one_key() {
        let crm = CrmName::new("salesforce");
        let short = Key::for_deal(&crm, &DealId::new("006Hs00000aB1cD")).expect("valid");
        let long = Key::for_deal(&crm, &DealId::new("006Hs00000aB1cDIAS")).expect("valid");
        assert_eq!(short, long);
        assert_eq!(short.as_str(), "salesforce-006hs00000ab1cdias");
    }

    #[test]
    fn an_id_of_18_characters_is_certain_in_any_case_and_one_that_does_not_fit_is_told() {
        let crm = CrmName::new("salesforce");
        for id in ["006hs00000ab1cdias", "006HS00000AB1CDIAS", "006Hs00000aB1cDias"] {
            let full = normalise_deal_id(&crm, &DealId::new(id));
            assert_eq!(full.as_str(), "006Hs00000aB1cDIAS", "{id}");
        }
        for id in
            ["006Hs00000aB1cDIAA", "006hs00000ab1cd555", "006Hs00000ab1cDIAS", "006Hs00000aB1cD"]
        {
            assert!(!fits_its_checksum(id), "{id}");
        }
        assert!(fits_its_checksum("006300000000001AAA"));
    }

    #[test]
    fn odd_ids_become_keys_that_stay_in_their_folder() {
        let crm = CrmName::new("csv");
        let key = |id: &str| Key::for_deal(&crm, &DealId::new(id)).map(String::from);
        assert_eq!(key("../../x").as_deref(), Ok("csv-.-.-x"));
        assert_eq!(key("a..b").as_deref(), Ok("csv-a.b"));
        assert_eq!(key("A 1/É").as_deref(), Ok("csv-a-1"));
        assert_eq!(key("a -- b").as_deref(), Ok("csv-a-b"));
        assert_eq!(key("…"), Err(KeyError::Empty));
    }

    #[test]
    fn ids_that_would_escape_a_folder_are_refused() {
        for bad in ["../../x", "a/b", "", "-a", "a b", "a..b", "a--b", "x.lock", "É", "a\n"] {
            assert!(Key::parse(bad).is_err(), "{bad:?} must not be a key");
        }
        assert!(Key::parse(&"a".repeat(121)).is_err());
        assert!(Key::parse(&"a".repeat(120)).is_ok());
    }
}
