//! The address of an inbox on NATS: `nats://HOST[:PORT][,HOST…][/NAME][?replicas=N]`.

use std::fmt;
use std::path::PathBuf;

use super::error::InboxError;
use crate::model::Secrets;
use crate::text::quoted;

/// The streams' name where the address gives none.
const DEFAULT_NAME: &str = "handoff";
/// The most copies that JetStream keeps.
const MOST_REPLICAS: usize = 5;

/// Where the streams of an inbox are. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsAddress {
    /// `nats://host:port`, or `tls://host:port`, of each server that is named.
    pub servers: Vec<String>,
    /// What the streams' names begin with.
    pub name: String,
    /// On how many servers a stream that is made keeps its messages.
    pub replicas: usize,
    /// Whether a connection without TLS is refused.
    pub tls: bool,
}

impl NatsAddress {
    /// Reads an address; nothing when the text is none of NATS.
    ///
    /// # Errors
    /// When it begins like one and is wrong.
    pub fn parse(text: &str) -> Option<Result<Self, InboxError>> {
        let (scheme, rest) = text.split_once("://")?;
        if !matches!(scheme, "nats" | "tls") {
            return Some(Err(InboxError::Address {
                given: quoted(text),
                why: "it is neither a folder nor an address that begins with nats:// or tls://"
                    .to_owned(),
            }));
        }
        if rest.contains('@') {
            // What stands there may be a secret: nothing of it is repeated.
            return Some(Err(InboxError::Address {
                given: format!("the {scheme}:// address"),
                why: "it holds a user or a password; set NATS_USER and NATS_PASSWORD, NATS_TOKEN, or NATS_CREDS_FILE instead"
                    .to_owned(),
            }));
        }
        Some(
            Self::read(scheme, rest)
                .map_err(|why| InboxError::Address { given: quoted(text), why }),
        )
    }

    fn read(scheme: &str, rest: &str) -> Result<Self, String> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, name) = rest.split_once('/').unwrap_or((rest, ""));
        let servers = hosts
            .split(',')
            .map(|host| {
                let server = format!("{scheme}://{host}");
                let fits = url::Url::parse(&server)
                    .is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
                if fits { Ok(server) } else { Err(format!("{} is not a host", quoted(host))) }
            })
            .collect::<Result<_, _>>()?;
        let name = if name.is_empty() { DEFAULT_NAME } else { name };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.len() > 64 || !name.chars().all(fits) {
            return Err(format!(
                "{} is not a name for streams: letters, digits, `-` and `_`, at most 64",
                quoted(name)
            ));
        }
        let mut replicas = 1;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            replicas = pair
                .strip_prefix("replicas=")
                .and_then(|number| number.parse().ok())
                .filter(|number| (1..=MOST_REPLICAS).contains(number))
                .ok_or_else(|| {
                    format!("{} is not replicas=1 to replicas={MOST_REPLICAS}", quoted(pair))
                })?;
        }
        Ok(Self { servers, name: name.to_owned(), replicas, tls: scheme == "tls" })
    }
}

impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.servers.join(","), self.name)
    }
}

/// What a NATS server is signed in to with.
#[derive(Debug, Clone, Default)]
pub struct NatsAccess {
    /// `NATS_CREDS`, or `NATS_USER` and `NATS_PASSWORD`, or `NATS_TOKEN`.
    pub secrets: Secrets,
    /// A file with the certificates of the authority that signed the server's.
    pub authority: Option<PathBuf>,
    /// The files with a client certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_is_wrong_is_said() {
        let read = |text| NatsAddress::parse(text).unwrap().unwrap();
        let one = read("nats://localhost");
        assert_eq!(
            (one.name.as_str(), one.replicas, one.tls, one.to_string().as_str()),
            ("handoff", 1, false, "nats://localhost/handoff")
        );
        let many = read("tls://a:4222,[::1]:4223/acme?replicas=3");
        assert_eq!(many.servers, ["tls://a:4222", "tls://[::1]:4223"]);
        assert_eq!((many.name.as_str(), many.replicas, many.tls), ("acme", 3, true));
        assert!(NatsAddress::parse("inbox/new").is_none(), "a folder");
        for (text, why) in [
            ("nats://", "not a host"),
            ("nats://h/a.b", "not a name"),
            ("nats://h?replicas=9", "replicas"),
            ("nats://h?name=x", "replicas"),
            ("http://h", "nats://"),
        ] {
            let error = NatsAddress::parse(text).unwrap().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let error = NatsAddress::parse("nats://me:hunter2@h").unwrap().unwrap_err().to_string();
        assert!(error.contains("NATS_PASSWORD") && !error.contains("hunter2"), "{error}");
    }
}
