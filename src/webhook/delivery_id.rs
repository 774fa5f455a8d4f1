//! What makes one delivery the same as its retries.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The identity of one delivery: the same for every retry, and safe as a file
/// name and as a header whatever the sender wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// The identity made of these parts: what is readable of the first, and a
    /// hash of all, so that no two lists of parts share one.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // The length keeps ("ab", "c") apart from ("a", "bc").
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hex::encode(&hash.finalize()[..12]);
        let readable: String = parts
            .first()
            .map(|part| String::from_utf8_lossy(part))
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .take(64)
            .collect();
        let readable = readable.trim_start_matches(['-', '_']);
        Self(if readable.is_empty() { hash } else { format!("{readable}-{hash}") })
    }

    /// The identity that [`DeliveryId::as_str`] gave, as it was stored; nothing
    /// when the text cannot be one.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let fits = (1..=89).contains(&text.len()) && text.chars().all(safe);
        (fits && !text.starts_with(['-', '_'])).then(|| Self(text.to_owned()))
    }

    /// As text: ASCII letters, digits, `-` and `_`, at most 89 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable_and_stays_in_its_folder() {
        let id = DeliveryId::of(&[b"../../550e/8400", b"x"]);
        assert_eq!(id, DeliveryId::of(&[b"../../550e/8400", b"x"]));
        assert!(id.as_str().starts_with("550e8400-"), "{id}");
        assert_eq!(DeliveryId::from_stored(id.as_str()), Some(id));
        assert_eq!(DeliveryId::from_stored("../x"), None);
        assert_ne!(DeliveryId::of(&[b"ab", b"c"]), DeliveryId::of(&[b"a", b"bc"]));
        assert!(DeliveryId::of(&[&[0xff; 5000]]).as_str().len() <= 89);
    }
}
