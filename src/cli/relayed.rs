//! A provider's payload as somebody passed it on: as it was received, or in
//! the envelope of a `repository_dispatch`, which takes ten properties and no
//! raw bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use std::io::Read as _;
use std::path::Path;

use super::error::CliError;
use super::invocation::Invocation;
use crate::esign::{Authenticity, Provider, Providers, Received};
use crate::http::Limits;
use crate::model::Secrets;
use crate::text::quoted;
use crate::webhook::{self, Request};

/// What the envelope with a parsed payload may hold.
const PARSED: [&str; 3] = ["payload", "provider", "received_at"];
/// What the envelope with the raw request may hold.
const RAW: [&str; 5] = ["body_base64", "headers", "query", "provider", "received_at"];

/// What of a provider's request came along with its body.
enum Origin {
    /// A file that somebody gave by hand.
    ByHand,
    /// An envelope with the payload alone: nothing that could be verified.
    PayloadAlone,
    /// An envelope with the raw body: its headers and its query, as far as they
    /// were passed on.
    Request(HeaderMap, Option<String>),
}

/// A payload out of its envelope.
pub(super) struct Relayed {
    pub(super) body: Vec<u8>,
    /// The provider, where whoever passed it on says so.
    pub(super) provider: Option<String>,
    /// When whoever passed it on received it.
    pub(super) received_at: Option<DateTime<Utc>>,
    /// How much of what it says is believed, where its provider has an API to ask.
    pub(super) authenticity: Authenticity,
    origin: Origin,
}

impl Relayed {
    /// Takes a payload out of whatever it came in.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, CliError> {
        let lone = |body, origin| Self {
            body,
            provider: None,
            received_at: None,
            authenticity: Authenticity::Body,
            origin,
        };
        let Ok(Value::Object(mut given)) = crate::model::read_json(&bytes) else {
            return Ok(lone(bytes, Origin::ByHand));
        };
        // The whole event of a workflow, as in the file of GITHUB_EVENT_PATH, or the
        // request that starts it.
        let is_event = given.contains_key("action") && given.contains_key("repository")
            || given.contains_key("event_type");
        if is_event && let Some(inner) = given.remove("client_payload") {
            let Value::Object(inner) = inner else {
                return Err(wrong("client_payload is not an object"));
            };
            return Self::envelope(&inner).unwrap_or_else(|| {
                let body = Value::Object(inner.clone()).to_string().into_bytes();
                Ok(lone(body, Origin::PayloadAlone))
            });
        }
        Self::envelope(&given).unwrap_or_else(|| Ok(lone(bytes, Origin::ByHand)))
    }

    /// `None` where an object is no envelope.
    fn envelope(given: &Map<String, Value>) -> Option<Result<Self, CliError>> {
        let has_only = |names: &[&str]| given.keys().all(|key| names.contains(&key.as_str()));
        if given.contains_key("payload") && has_only(&PARSED) {
            return Some(Self::parsed(given));
        }
        (given.contains_key("body_base64") && has_only(&RAW)).then(|| Self::raw(given))
    }

    fn parsed(given: &Map<String, Value>) -> Result<Self, CliError> {
        let body = match &given["payload"] {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        };
        Self::with(given, body, Origin::PayloadAlone)
    }

    fn raw(given: &Map<String, Value>) -> Result<Self, CliError> {
        let text = text_at(given, "body_base64")?.unwrap_or_default();
        let body = STANDARD
            .decode(text.trim())
            .map_err(|error| wrong(&format!("body_base64 is not base64: {error}")))?;
        let mut headers = HeaderMap::new();
        if let Some(all) = given.get("headers") {
            let all = all.as_object().ok_or_else(|| wrong("headers is not an object"))?;
            for (name, given) in all {
                // Some programs give a list for each name.
                let values = given.as_array().map_or(std::slice::from_ref(given), Vec::as_slice);
                for value in values {
                    let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
                    let pair = HeaderName::from_bytes(name.as_bytes()).ok().zip(value);
                    let Some((name, value)) = pair else {
                        return Err(wrong(&format!("headers.{} is not a header", quoted(name))));
                    };
                    headers.append(name, value);
                }
            }
        }
        let query = text_at(given, "query")?
            .map(|query| query.trim_start_matches('?').to_owned())
            .filter(|query| !query.is_empty());
        Self::with(given, body, Origin::Request(headers, query))
    }

    fn with(given: &Map<String, Value>, body: Vec<u8>, origin: Origin) -> Result<Self, CliError> {
        let received_at = text_at(given, "received_at")?
            .map(|text| DateTime::parse_from_rfc3339(&text).map(|at| at.with_timezone(&Utc)))
            .transpose()
            .map_err(|error| wrong(&format!("received_at: {error}")))?;
        let (provider, authenticity) = (text_at(given, "provider")?, Authenticity::Body);
        Ok(Self { body, provider, received_at, authenticity, origin })
    }

    /// Verifies a request that was passed on whole where the secret is set. Of a
    /// provider that does not sign what a document holds, its API is asked where it
    /// can be. What could not be verified is on the word of whoever may start a
    /// workflow, and that is said. `named` is the provider that the command line names.
    pub(super) fn verify(
        &mut self,
        named: Option<&str>,
        providers: &Providers,
        secrets: &Secrets,
        invocation: &Invocation,
    ) -> Result<(), CliError> {
        let provider: Option<&dyn Provider> = match named.or(self.provider.as_deref()) {
            Some(name) => providers.by_name(name),
            None => providers.recognise(&self.body),
        };
        // A payload that is nobody's is refused when it is read.
        let Some(provider) = provider else { return Ok(()) };
        let title = provider.title();
        let not_verified = |why: &str| {
            invocation.warn(format!("warning: the signature of {title} was not verified: {why}"));
        };
        let is_hint = provider.authenticity() == Authenticity::HintOnly;
        let can_ask =
            is_hint && matches!(provider.fetcher(secrets, Limits::default()), Ok(Some(_)));
        if can_ask && !matches!(self.origin, Origin::ByHand) {
            self.authenticity = Authenticity::HintOnly;
        }
        let asked = || invocation.say(format!("{title}: its API is asked what was signed"));
        let (headers, query) = match &self.origin {
            Origin::ByHand => return Ok(()),
            Origin::PayloadAlone if can_ask => {
                asked();
                return Ok(());
            }
            Origin::PayloadAlone => {
                not_verified(
                    "the envelope has the payload alone, so whoever may start the workflow answers for it",
                );
                return Ok(());
            }
            Origin::Request(headers, query) => (headers, query),
        };
        if let [first, ..] = webhook::lacks(provider, secrets).as_slice() {
            not_verified(&format!("{first} is not set"));
        } else {
            let request = Request {
                method: &Method::POST,
                headers,
                query: query.as_deref(),
                body: &self.body,
            };
            let at = self.received_at.unwrap_or(invocation.now);
            match provider.receive(&request, secrets, at) {
                Ok(Received::Notification(_)) if can_ask => asked(),
                Ok(Received::Notification(_)) if is_hint => {
                    let names = provider.api_secret_names().join(" or ");
                    not_verified(&format!(
                        "it does not sign what a document holds, and without {names} its API cannot be asked"
                    ));
                }
                Ok(Received::Notification(_)) => {
                    invocation.say(format!("{title}: the signature is verified"));
                }
                Ok(Received::Handshake) => {
                    return Err(CliError::nothing(format!("{title} only tested the address")));
                }
                Err(rejection) => {
                    return Err(CliError::could_not(format!(
                        "the proof of {title} does not hold: {rejection}"
                    ))
                    .help(format!(
                        "{}pass body, query and headers on byte for byte, with `received_at` where the event waited; nothing was written",
                        absent(headers, query.as_deref())
                    )));
                }
            }
        }
        // A form becomes the JSON that it carries.
        self.body = provider.redact(&self.body);
        // What was verified as one provider's is read as that provider's.
        self.provider = Some(provider.name().to_owned());
        Ok(())
    }
}

/// Which of the envelope's two places for a signature are empty.
fn absent(headers: &HeaderMap, query: Option<&str>) -> &'static str {
    match (headers.is_empty(), query.is_none()) {
        (true, true) => "the envelope has no `query` and no `headers`: ",
        (true, false) => "the envelope has no `headers`: ",
        (false, true) => "the envelope has no `query`: ",
        (false, false) => "",
    }
}

fn text_at(given: &Map<String, Value>, name: &str) -> Result<Option<String>, CliError> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(&format!("{name} is not a text"))),
    }
}

fn wrong(why: &str) -> CliError {
    CliError::usage(format!("the envelope of the payload cannot be read: {why}")).help(
        "give {\"payload\": …}, or {\"body_base64\": \"…\", \"headers\": {…}, \"query\": \"…\"}; docs/github.md has examples",
    )
}

/// What a payload is.
pub(super) const PAYLOAD: &str =
    "give the provider's payload as it was received: a file, or - for standard input";

/// The largest payload that is read.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What a message calls a file of the command line.
pub(super) fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

/// Reads a file, or standard input for `-`; `help` says what it should be.
pub(super) fn read_payload(
    path: &Path,
    help: &str,
    invocation: &Invocation,
) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let name = name_of(path);
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(invocation.path(path))
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| CliError::usage(format!("{name} cannot be read: {error}")).help(help))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(CliError::usage(format!("{name} is empty")).help(help));
    }
    if bytes.len() as u64 > MOST_BYTES {
        return Err(CliError::usage(format!("{name} is larger than 32 MiB"))
            .help("switch off `include documents` at the provider; the brief needs none"));
    }
    let bytes = plain(bytes, &name)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(CliError::usage(format!("{name} is empty")).help(help));
    }
    Ok(bytes)
}

/// A payload as text: unpacked where it is gzip, UTF-16 as UTF-8. What is no
/// payload at all is named.
fn plain(bytes: Vec<u8>, name: &str) -> Result<Vec<u8>, CliError> {
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
        decoder.take(MOST_BYTES + 1).read_to_end(&mut unpacked).map_err(|error| {
            CliError::usage(format!("{name} is a damaged gzip file: {error}"))
                .help("pack it again, or give the payload as it was received")
        })?;
        if unpacked.len() as u64 > MOST_BYTES {
            return Err(CliError::usage(format!("{name} is larger than 32 MiB when unpacked"))
                .help("switch off `include documents` at the provider; the brief needs none"));
        }
        unpacked
    } else {
        bytes
    };
    for (start, what, help) in [
        (&b"PK\x03\x04"[..], "a zip file", "unpack it, and give the file with the payload"),
        (b"%PDF", "a PDF", "give the provider's webhook body, which is JSON or XML"),
    ] {
        if bytes.starts_with(start) {
            return Err(CliError::usage(format!("{name} is {what}, not a payload")).help(help));
        }
    }
    // JSON and XML begin with a character of ASCII, by which UTF-16 shows itself.
    let encoding = match bytes.as_slice() {
        [0xff, 0xfe, ..] | [b'{' | b'[' | b'<', 0, ..] => encoding_rs::UTF_16LE,
        [0xfe, 0xff, ..] | [0, b'{' | b'[' | b'<', ..] => encoding_rs::UTF_16BE,
        _ => return Ok(bytes),
    };
    match encoding.decode_with_bom_removal(&bytes) {
        (text, false) => Ok(text.into_owned().into_bytes()),
        (_, true) => Err(CliError::usage(format!("{name} is damaged {} text", encoding.name()))
            .help("give the payload as it was received; it may be cut off")),
    }
}
