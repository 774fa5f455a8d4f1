//! Proofs against several keys, in constant time.

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Whether any of the keys (as UTF-8 text) gives any of these HMAC-SHA256
/// values for the message. Every pair is compared whole, so the time taken
/// does not tell which key or byte was right.
#[must_use]
pub fn any_matches(keys: &[SecretString], message: &[u8], given: &[Vec<u8>]) -> bool {
    let mut found = false;
    for key in keys {
        let mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length")
            .chain_update(message);
        for given in given {
            found |= mac.clone().verify_slice(given).is_ok();
        }
    }
    found
}

/// Whether what was given is any of the keys, compared whole with every one.
/// Only the length of a key can be told by the time it takes.
#[must_use]
pub fn any_equals(keys: &[SecretString], given: &[u8]) -> bool {
    keys.iter()
        .fold(false, |found, key| found | bool::from(key.expose_secret().as_bytes().ct_eq(given)))
}
