//! One good request of each CRM, to be sent as it is or spoiled first.

use base64::Engine as _;
use chrono::{DateTime, Utc};
use handoff::crm::{CrmConfig, Told, Triggers};
use handoff::model::Secrets;
use handoff::webhook::{Rejection, Reply, Request};
use handoff::yaml;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::Sha256;

use crate::sandbox::fixture;

/// What a company sets for all three; only one is connected at a time in life.
pub(crate) const SETTINGS: &str = "
hubspot: {portal_id: 24681012, webhook: {url: 'https://handoff.example.com/hooks/hubspot'}}
salesforce: {webhook: {organization_id: 00DHs000002AbCd}}
pipedrive: {company_id: 54235233}
";
pub(crate) const URL: &str = "https://handoff.example.com/hooks/hubspot";
pub(crate) const CLIENT_SECRET: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
pub(crate) const TOKEN: &str = "k3-outbound-token";
pub(crate) const LOGIN: &str = "handoff:example-only";

/// The moment of HubSpot's sample.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_793_378_532_000).expect("a time")
}

pub(crate) fn body(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) crm: &'static str,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) secret: (&'static str, String),
    pub(crate) settings: String,
}

fn sample(crm: &'static str, file: &str, kind: &str, secret: (&'static str, &str)) -> Sample {
    let sample = Sample {
        crm,
        method: Method::POST,
        headers: HeaderMap::new(),
        query: None,
        body: body(file),
        secret: (secret.0, secret.1.to_owned()),
        settings: SETTINGS.to_owned(),
    };
    sample.with_header("content-type", kind)
}

/// HubSpot's batch of three, signed at its own time.
pub(crate) fn hubspot() -> Sample {
    let secret = ("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET);
    sample("hubspot", "hubspot/webhook-deal-events.raw.json", "application/json", secret).signed()
}

/// Salesforce's message of one won opportunity.
pub(crate) fn salesforce() -> Sample {
    let secret = ("SALESFORCE_WEBHOOK_TOKEN", TOKEN);
    let kind = "text/xml; charset=utf-8";
    let mut sample = sample("salesforce", "salesforce/outbound-message.xml", kind, secret);
    sample.query = Some(format!("token={TOKEN}"));
    sample
}

/// Pipedrive's deal that was won a moment ago.
pub(crate) fn pipedrive() -> Sample {
    let secret = ("PIPEDRIVE_WEBHOOK_LOGIN", LOGIN);
    let file = "pipedrive/webhook-change-deal-won.json";
    sample("pipedrive", file, "application/json; charset=utf-8", secret).logged_in(LOGIN)
}

pub(crate) fn all() -> [Sample; 3] {
    [hubspot(), salesforce(), pipedrive()]
}

impl Sample {
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a value"));
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(crate) fn with_secret(mut self, secret: &str) -> Self {
        self.secret.1 = secret.to_owned();
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Signed as HubSpot does, over the URL as it was entered there.
    pub(crate) fn signed(self) -> Self {
        self.signed_at(now())
    }

    pub(crate) fn signed_at(self, at: DateTime<Utc>) -> Self {
        let stamp = at.timestamp_millis().to_string();
        let query = self.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
        let proof = hubspot_proof(&format!("{URL}{query}"), &self.body, &stamp);
        self.with_header("x-hubspot-request-timestamp", &stamp)
            .with_header("x-hubspot-signature-v3", &proof)
    }

    pub(crate) fn logged_in(self, login: &str) -> Self {
        let text = base64::engine::general_purpose::STANDARD.encode(login);
        self.with_header("authorization", &format!("Basic {text}"))
    }

    fn triggers(&self) -> Triggers {
        let mut node = yaml::read(self.settings.as_bytes()).expect("yaml");
        // A company connects one CRM; the settings of the others go.
        if let yaml::Value::Map(entries) = &mut node.value
            && entries.iter().any(|entry| entry.key == self.crm)
        {
            entries.retain(|entry| entry.key == self.crm);
        }
        Triggers::new(&CrmConfig::read(&node).expect("settings"))
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            headers: &self.headers,
            query: self.query.as_deref(),
            body: &self.body,
        }
    }

    pub(crate) fn send(&self) -> Result<Told, Rejection> {
        self.send_at(now())
    }

    pub(crate) fn send_at(&self, now: DateTime<Utc>) -> Result<Told, Rejection> {
        let secrets = Secrets::new([(self.secret.0.to_owned(), self.secret.1.clone().into())]);
        let triggers = self.triggers();
        let trigger = triggers.by_name(self.crm).expect("a trigger");
        trigger.receive(&self.request(), &secrets, now)
    }

    pub(crate) fn accepted(&self) -> Reply {
        self.triggers().by_name(self.crm).expect("a trigger").accepted(&self.request())
    }

    pub(crate) fn rejected(&self, rejection: &Rejection) -> Reply {
        self.triggers().by_name(self.crm).expect("a trigger").rejected(rejection)
    }

    /// The deals it names.
    #[track_caller]
    pub(crate) fn deals(&self) -> Vec<String> {
        let told = self.send().unwrap_or_else(|error| panic!("{}: {error}", self.crm));
        told.deals().iter().map(ToString::to_string).collect()
    }

    /// Reason and status of the refusal.
    #[track_caller]
    pub(crate) fn refused(&self, how: &str) -> (&'static str, u16) {
        match self.send() {
            Ok(told) => panic!("{} {how}: accepted as {told:?}", self.crm),
            Err(rejection) => self.told(&rejection),
        }
    }

    pub(crate) fn told(&self, rejection: &Rejection) -> (&'static str, u16) {
        let answer = self.rejected(rejection);
        assert_ne!(answer.status, 410, "{}: 410 switches webhooks off", self.crm);
        let words = format!("{rejection} {} {:?}", answer.body, answer.headers);
        for secret in self.secret.1.split(',').filter(|secret| secret.len() > 4) {
            assert!(!words.contains(secret), "{}: the secret is in {words:?}", self.crm);
        }
        (rejection.kind(), answer.status)
    }
}

/// HubSpot's signature, version 3, of a URL that needs no decoding.
pub(crate) fn hubspot_proof(url: &str, body: &[u8], stamp: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).expect("any key");
    mac.update(&[b"POST", url.as_bytes(), body, stamp.as_bytes()].concat());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}
