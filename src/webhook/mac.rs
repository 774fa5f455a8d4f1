//! Proofs against several keys, in constant time.

use hmac::{Hmac, Mac};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// The hash function of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA1, which older senders use.
    Sha1,
    /// HMAC-SHA256.
    #[default]
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

impl Algorithm {
    /// Whether any of the keys gives any of these values for the message.
    /// Every pair is compared whole, so the time taken does not tell which key
    /// or byte was right.
    #[must_use]
    pub fn any_matches<K: AsRef<[u8]>>(
        self,
        keys: &[K],
        message: &[u8],
        given: &[Vec<u8>],
    ) -> bool {
        match self {
            Self::Sha1 => matches::<Hmac<Sha1>, K>(keys, message, given),
            Self::Sha256 => matches::<Hmac<Sha256>, K>(keys, message, given),
            Self::Sha512 => matches::<Hmac<Sha512>, K>(keys, message, given),
        }
    }
}

fn matches<M: Mac + hmac::digest::KeyInit + Clone, K: AsRef<[u8]>>(
    keys: &[K],
    message: &[u8],
    given: &[Vec<u8>],
) -> bool {
    let mut found = false;
    for key in keys {
        let mac = <M as hmac::digest::KeyInit>::new_from_slice(key.as_ref())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
            .chain_update(message);
        for given in given {
            found |= mac.clone().verify_slice(given).is_ok();
        }
    }
    found
}

/// Whether any of the keys (as UTF-8 text) gives any of these HMAC-SHA256
/// values for the message.
#[must_use]
pub fn any_matches(keys: &[SecretString], message: &[u8], given: &[Vec<u8>]) -> bool {
    let keys: Vec<&str> = keys.iter().map(secrecy::ExposeSecret::expose_secret).collect();
    Algorithm::Sha256.any_matches(&keys, message, given)
}

/// Whether what was given is any of the keys, compared whole with every one.
/// Only the length of a key can be told by the time it takes.
#[must_use]
pub fn any_equals(keys: &[SecretString], given: &[u8]) -> bool {
    keys.iter()
        .fold(false, |found, key| found | bool::from(key.expose_secret().as_bytes().ct_eq(given)))
}
