//! The sample requests, found on disk so that none is forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use handoff::esign::{EsignConfig, Provider, Providers};
use handoff::esign::{Received, Rejection, Request, Verified};
use handoff::model::Secrets;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

/// A few seconds after every sample's own time.
pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_791_992_640, 0).expect("a time")
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/esign")
}

pub(super) fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn json_file(name: &str) -> Value {
    serde_json::from_slice(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All providers with default settings, and with the CRMs' rules as the program
/// has them.
pub(super) fn providers() -> Providers {
    with("{}")
}

/// All providers with this `esign:` section.
pub(super) fn with(settings: &str) -> Providers {
    let node = handoff::yaml::read(settings.as_bytes()).expect("yaml");
    let config = EsignConfig::read(&node).unwrap_or_else(|found| panic!("{found:?}\n{settings}"));
    Providers::new(&config, &handoff::crm::reference_rules())
}

/// One request, to be sent as it is or spoiled first.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) provider: String,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) secrets: Vec<(&'static str, String)>,
}

/// All requests in the fixture folder.
pub(super) fn all() -> Vec<Sample> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the fixture folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".request.json").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 15, "the samples are gone: {names:?}");
    names.iter().map(|name| sample(name)).collect()
}

/// The request with this name.
pub(super) fn sample(name: &str) -> Sample {
    let told = json_file(&format!("{name}.request.json"));
    let text = |key: &str| told[key].as_str().map(str::to_owned);
    let path = text("path_and_query").expect("a path");
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (path, None),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in told["headers"].as_object().expect("headers") {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
            HeaderValue::from_str(value.as_str().expect("text")).expect("a header value"),
        );
    }
    Sample {
        name: name.to_owned(),
        provider: path.rsplit('/').next().expect("the last part").to_owned(),
        method: text("method").expect("a method").parse().expect("a method"),
        secrets: secrets(&told, &headers),
        headers,
        query,
        body: text("body_file").map(|name| file(&name)).unwrap_or_default(),
    }
}

fn secrets(told: &Value, headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    if let Some(key) = told.get("shared_key") {
        vec![("PANDADOC_WEBHOOK_KEY", text(key))]
    } else if let Some(keys) = told.get("hmac_keys_as_utf8_text") {
        let keys: Vec<String> = keys.as_array().expect("keys").iter().map(text).collect();
        vec![("DOCUSIGN_HMAC_KEY", keys.join(","))]
    } else if let Some(key) = told.get("api_key") {
        vec![("DROPBOX_SIGN_API_KEY", text(key))]
    } else if let Some(keys) = told.get("secrets") {
        vec![("STANDARD_WEBHOOKS_SECRET", text(&keys["current"]))]
    } else {
        let id = headers.get("x-adobesign-clientid").expect("a client id");
        vec![("ADOBE_SIGN_CLIENT_ID", id.to_str().expect("text").to_owned())]
    }
}

impl Sample {
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            headers: &self.headers,
            query: self.query.as_deref(),
            body: &self.body,
        }
    }

    pub(super) fn provider<'a>(&self, providers: &'a Providers) -> &'a dyn Provider {
        providers.by_name(&self.provider).unwrap_or_else(|| panic!("no {}", self.provider))
    }

    pub(super) fn with_key(mut self, key: &str) -> Self {
        self.secrets[0].1 = key.to_owned();
        self
    }

    pub(super) fn secrets(&self) -> Secrets {
        Secrets::new(
            self.secrets.iter().map(|(name, key)| ((*name).to_owned(), key.clone().into())),
        )
    }

    /// Sends it to its provider with default settings, a moment after its own time.
    pub(super) fn send(&self) -> Result<Received, Rejection> {
        self.send_at(now())
    }

    pub(super) fn send_at(&self, now: DateTime<Utc>) -> Result<Received, Rejection> {
        let providers = providers();
        self.provider(&providers).receive(&self.request(), &self.secrets(), now)
    }

    /// Sends it and expects a notification.
    pub(super) fn verified(&self) -> Verified {
        match self.send() {
            Ok(Received::Notification(verified)) => verified,
            other => panic!("{}: expected a notification, got {other:?}", self.name),
        }
    }
}
