//! Links by which a person answers without an account: a signed word on who
//! may answer for which handoff, in which role, until when. Knows no page and
//! no mail. May use floors below (`model`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::model::{Key, Secrets};

/// The secret that signs links; several, separated by commas, while they are
/// rotated: the first signs, all are believed.
pub const LINK_KEY: &str = "HANDOFF_LINK_KEY";

/// Shorter secrets can be guessed.
const SHORTEST: usize = 32;
/// Longer words are no tokens of ours.
const LONGEST: usize = 1_024;
/// What is signed begins with this, so that nothing else signed with the same
/// secret can be taken for a token.
const PURPOSE: &[u8] = b"handoff link v1\n";

/// What a person of a link may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkRole {
    /// Accept, return, touch, assign, keep promises.
    Csm,
    /// Answer what is missing.
    Rep,
}

impl LinkRole {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csm => "csm",
            Self::Rep => "rep",
        }
    }

    /// Where the brief names the person, as a JSON pointer.
    #[must_use]
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Csm => "/first_action/owner",
            Self::Rep => "/deal/owner",
        }
    }
}

impl fmt::Display for LinkRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The handoff.
    pub key: Key,
    /// The person's e-mail address, lower-case.
    pub person: String,
    /// What they may do.
    pub role: LinkRole,
    /// When the link was made; a revocation ends those made before it.
    pub issued: DateTime<Utc>,
    /// From when on it does not count any more.
    pub expires: DateTime<Utc>,
}

/// Why a link does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It was not signed with a key of ours, or was changed or cut.
    #[error("the link is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// The keys that sign links.
#[derive(Debug, Clone)]
pub struct LinkKeys(Vec<SecretString>);

impl LinkKeys {
    /// The keys among the secrets; `None` where there are none.
    ///
    /// # Errors
    /// When a key is too short to keep anybody out.
    pub fn of(secrets: &Secrets) -> Result<Option<Self>, String> {
        let keys = secrets.list(LINK_KEY);
        if keys.iter().any(|key| key.expose_secret().len() < SHORTEST) {
            return Err(format!(
                "{LINK_KEY} is shorter than {SHORTEST} characters; make one with `openssl rand -hex 32`"
            ));
        }
        Ok((!keys.is_empty()).then_some(Self(keys)))
    }

    /// The token of a grant.
    #[must_use]
    pub fn token(&self, grant: &Grant) -> String {
        let payload = format!(
            "{}\n{}\n{}\n{}\n{}",
            grant.issued.timestamp(),
            grant.expires.timestamp(),
            grant.role,
            grant.key,
            grant.person
        );
        let first = self.0.first().map(|key| mac(key, payload.as_bytes()));
        let tag = first.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(tag))
    }

    /// The version of a brief that a page shows, for its form: whoever sends it
    /// back cannot name another file.
    #[must_use]
    pub fn seal(&self, key: &Key, version: &str) -> String {
        let first = self.0.first().map(|it| mac(it, sealed(key, version).as_bytes()));
        let tag = first.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!("{version}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The version that a page showed, and whether it was one of this handoff's.
    #[must_use]
    pub fn unseal<'a>(&self, key: &Key, seen: &'a str) -> (&'a str, bool) {
        let (version, tag) = seen.split_once('.').unwrap_or((seen, ""));
        let tag = URL_SAFE_NO_PAD.decode(tag).unwrap_or_default();
        let payload = sealed(key, version);
        let is_ours = self.0.iter().fold(false, |found, it| {
            found | mac(it, payload.as_bytes()).verify_slice(&tag).is_ok()
        });
        (version, is_ours)
    }

    /// What a token says.
    ///
    /// # Errors
    /// When it is not one of ours, or its time is over.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Grant, LinkFault> {
        if token.len() > LONGEST {
            return Err(LinkFault::Invalid);
        }
        let (payload, tag) = token.split_once('.').ok_or(LinkFault::Invalid)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| LinkFault::Invalid);
        let (payload, tag) = (decode(payload)?, decode(tag)?);
        // Every key is tried, and each compared whole.
        let signed = self
            .0
            .iter()
            .fold(false, |found, key| found | mac(key, &payload).verify_slice(&tag).is_ok());
        if !signed {
            return Err(LinkFault::Invalid);
        }
        let grant = std::str::from_utf8(&payload).ok().and_then(parse).ok_or(LinkFault::Invalid)?;
        if grant.expires <= now {
            return Err(LinkFault::Expired);
        }
        Ok(grant)
    }
}

fn mac(key: &SecretString, payload: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as Mac>::new_from_slice(key.expose_secret().as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
        .chain_update(PURPOSE)
        .chain_update(payload)
}

/// What the tag of a version is made of; a token's payload begins with a number.
fn sealed(key: &Key, version: &str) -> String {
    format!("version\n{key}\n{version}")
}

fn parse(payload: &str) -> Option<Grant> {
    let mut parts = payload.splitn(5, '\n');
    let mut time = || DateTime::from_timestamp(parts.next()?.parse().ok()?, 0);
    let (issued, expires) = (time()?, time()?);
    let role = match parts.next()? {
        "csm" => LinkRole::Csm,
        "rep" => LinkRole::Rep,
        _ => return None,
    };
    let key = Key::parse(parts.next()?).ok()?;
    let person = parts.next()?.to_owned();
    Some(Grant { key, person, role, issued, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(value: &str) -> LinkKeys {
        let secrets = Secrets::new([(LINK_KEY.to_owned(), value.into())]);
        LinkKeys::of(&secrets).expect("long enough").expect("set")
    }

    fn grant(role: LinkRole) -> Grant {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        Grant {
            key: Key::parse("hubspot-1").expect("a key"),
            person: "sam@example.com".to_owned(),
            role,
            issued: time("2026-11-20T15:00:00Z"),
            expires: time("2027-02-18T15:00:00Z"),
        }
    }

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_token_says_what_it_was_given_and_a_rotated_key_still_counts() {
        let now = grant(LinkRole::Csm).issued;
        let token = keys(OLD).token(&grant(LinkRole::Csm));
        assert_eq!(keys(OLD).read(&token, now), Ok(grant(LinkRole::Csm)));
        let rotated = keys(&format!("{NEW},{OLD}"));
        assert_eq!(rotated.read(&token, now), Ok(grant(LinkRole::Csm)));
        assert_eq!(keys(NEW).read(&token, now), Err(LinkFault::Invalid));
        assert_eq!(rotated.token(&grant(LinkRole::Csm)), keys(NEW).token(&grant(LinkRole::Csm)));
        assert_eq!(keys(OLD).read(&token, grant(LinkRole::Csm).expires), Err(LinkFault::Expired));
        let short = Secrets::new([(LINK_KEY.to_owned(), "short".into())]);
        assert!(LinkKeys::of(&short).expect_err("refused").contains("openssl rand"));
    }

    #[test]
    fn no_other_word_is_a_token() {
        let (keys, now) = (keys(OLD), grant(LinkRole::Csm).issued);
        let token = keys.token(&grant(LinkRole::Csm));
        // Each character changed, and each length but the whole.
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(changed == token || keys.read(&changed, now).is_err(), "at {at}");
            assert!(keys.read(&token[..at], now).is_err(), "cut at {at}");
        }
        // The signature of the rep's link under the CSM's words.
        let (words, _) = token.split_once('.').expect("two parts");
        let rep = keys.token(&grant(LinkRole::Rep));
        let (_, tag) = rep.split_once('.').expect("two parts");
        assert_eq!(keys.read(&format!("{words}.{tag}"), now), Err(LinkFault::Invalid));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let length = random.usize(0..250);
            let word: String = (0..length)
                .map(|_| if random.u8(0..30) == 0 { '.' } else { random.alphanumeric() })
                .collect();
            assert_eq!(keys.read(&word, now), Err(LinkFault::Invalid));
        }
    }
}
