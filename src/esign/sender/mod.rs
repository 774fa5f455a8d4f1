//! Senders that are described by settings and need no code: how a request is
//! proved, which event means what, and where the document's facts are. The
//! known ones ship as files in `templates/senders/`.

mod read;
mod settings;
mod verify;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

pub use settings::{
    Encoding, Fields, HmacSettings, Paths, Place, SenderSettings, SignerFields, Verify,
};

use super::deal_refs::DealFinder;
use super::provider::{Authenticity, Provider, ProviderRow, ProviderSettings, Received, Verified};
use super::redact;
use crate::model::{ReferenceRule, Secrets, SignatureEvent};
use crate::settings::{DocumentRule, SettingsReader};
use crate::webhook::{self, DeliveryId, Malformed, Rejection, Request, Route, json};

/// The name of the general form.
pub(super) const GENERAL: &str = "standard-webhooks";
const GENERAL_SECRET: &str = "STANDARD_WEBHOOKS_SECRET";

/// What a sender's name may be: it stands in a URL and in a secret's name.
pub(super) const NAME_PATTERN: &str = "^[a-z][a-z0-9-]{0,39}$";

/// The general form's row: any sender that follows Standard Webhooks
/// (standardwebhooks.com).
pub const STANDARD_WEBHOOKS: ProviderRow = ProviderRow {
    name: "standard_webhooks",
    title: "Standard Webhooks",
    secrets: &[GENERAL_SECRET],
    settings: SettingsReader::<dyn ProviderSettings>::of::<GeneralSettings>(),
    events: &["contract.signed"],
};

/// The shipped descriptions, by name.
const KNOWN: &[(&str, &str)] = &[
    ("boldsign", include_str!("../../../templates/senders/boldsign.yaml")),
    ("concord", include_str!("../../../templates/senders/concord.yaml")),
    ("documenso", include_str!("../../../templates/senders/documenso.yaml")),
    ("docuseal", include_str!("../../../templates/senders/docuseal.yaml")),
    ("getaccept", include_str!("../../../templates/senders/getaccept.yaml")),
    ("ironclad", include_str!("../../../templates/senders/ironclad.yaml")),
    ("juro", include_str!("../../../templates/senders/juro.yaml")),
    ("opensign", include_str!("../../../templates/senders/opensign.yaml")),
    ("proposify", include_str!("../../../templates/senders/proposify.yaml")),
    ("qwilr", include_str!("../../../templates/senders/qwilr.yaml")),
    ("signaturit", include_str!("../../../templates/senders/signaturit.yaml")),
    ("signnow", include_str!("../../../templates/senders/signnow.yaml")),
    ("signwell", include_str!("../../../templates/senders/signwell.yaml")),
    ("yousign", include_str!("../../../templates/senders/yousign.yaml")),
    ("zoho-sign", include_str!("../../../templates/senders/zoho-sign.yaml")),
];

const GENERAL_DESCRIPTION: &str = include_str!("../../../templates/senders/standard-webhooks.yaml");

/// The names of the senders whose descriptions ship.
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The shipped description with this name, and that of the general form.
fn description(name: &str) -> Option<&'static SenderSettings> {
    static READ: LazyLock<Vec<(&'static str, SenderSettings)>> = LazyLock::new(|| {
        KNOWN
            .iter()
            .chain(&[(GENERAL, GENERAL_DESCRIPTION)])
            .map(|(name, source)| {
                let node = crate::yaml::read(source.as_bytes())
                    .unwrap_or_else(|_| unreachable!("a shipped description is YAML"));
                let settings = crate::yaml::from_node(&node)
                    .unwrap_or_else(|_| unreachable!("a shipped description is one"));
                (*name, settings)
            })
            .collect()
    });
    READ.iter().find(|(known, _)| *known == name).map(|(_, settings)| settings)
}

/// Whether a text can be a sender's name.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The name of a sender's secret: `ZOHO_SIGN_WEBHOOK_SECRET` for `zoho-sign`.
pub(super) fn secret_name(sender: &str) -> String {
    format!("{}_WEBHOOK_SECRET", sender.to_ascii_uppercase().replace('-', "_"))
}

/// A name out of the settings as long as the program runs, as the providers'
/// own names are. Reading the same settings again takes no more memory.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    name
}

/// `esign.standard_webhooks`: the general form, with what a sender does
/// differently.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct GeneralSettings(SenderSettings);

impl ProviderSettings for GeneralSettings {
    fn documents(&self) -> &[DocumentRule] {
        &self.0.documents
    }

    fn provider(&self, rules: &[ReferenceRule]) -> Box<dyn Provider> {
        let settings = match description(GENERAL) {
            Some(base) => self.0.clone().over(base),
            None => self.0.clone(),
        };
        Box::new(Sender::new(GENERAL, settings, rules))
    }
}

impl SenderSettings {
    /// These settings over the shipped description with this name.
    ///
    /// # Errors
    /// What is missing and what to do, when it is not known and these settings
    /// do not describe it whole, or when they contradict themselves.
    pub(super) fn over_known(self, name: &str) -> Result<Self, (String, String)> {
        let known = description(name);
        let was_empty = self == Self::default();
        let whole = match known {
            Some(base) => self.over(base),
            None => self,
        };
        if let Some(missing) = whole.missing() {
            let help = if was_empty {
                let names: Vec<&str> = known_names().collect();
                crate::text::did_you_mean(name, names)
            } else {
                "docs/esign.md, \"Any sender\", says what each setting is".to_owned()
            };
            return Err((format!("the sender `{name}` has no `{missing}`"), help));
        }
        whole.contradiction().map_or(Ok(whole), Err)
    }
}

/// One sender with its description.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    name: &'static str,
    title: &'static str,
    secret: [&'static str; 1],
    settings: SenderSettings,
    deals: DealFinder,
}

impl Sender {
    /// A sender with a whole description.
    pub(super) fn new(name: &str, settings: SenderSettings, rules: &[ReferenceRule]) -> Self {
        let name = interned(name);
        let secret = if name == GENERAL { GENERAL_SECRET.to_owned() } else { secret_name(name) };
        Self {
            name,
            title: settings.title.as_deref().map_or(name, interned),
            secret: [interned(&secret)],
            deals: DealFinder::new(settings.deal.clone().unwrap_or_default(), rules),
            settings,
        }
    }

    /// The known sender with this name.
    pub(super) fn known(name: &'static str, rules: &[ReferenceRule]) -> Self {
        Self::new(name, description(name).cloned().unwrap_or_default(), rules)
    }
}

impl Route for Sender {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn aliases(&self) -> &'static [&'static str] {
        if self.name == GENERAL { &["generic"] } else { &[] }
    }

    fn secret_names(&self) -> &[&'static str] {
        &self.secret
    }
}

impl Provider for Sender {
    fn recognises(&self, body: &[u8]) -> bool {
        let Ok(body) = json::read(body) else { return false };
        if self.name == GENERAL {
            return json::text(&body, &["type"]).is_some()
                && body.get("data").is_some_and(serde_json::Value::is_object);
        }
        self.event_name(&body).is_some_and(|event| self.settings.knows(event))
            && self.document_id(&body).is_some()
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Received, Rejection> {
        let keys = webhook::check(self, request, secrets)?;
        webhook::expect_content_type(self, request, "application/json")?;
        let proof = self.verify(&keys, request, now)?;
        let body = json::read(request.body)?;
        let names_event = self.event_name(&body).is_some();
        if self.is_ping(&body) || (!names_event && self.document_id(&body).is_none()) {
            return Ok(Received::Handshake);
        }
        let events = self.events(&body)?;
        // What is signed and stays the same over retries, else the whole body.
        let id = match &proof {
            Some(id) => DeliveryId::of(&[id.as_bytes(), self.name.as_bytes()]),
            None => {
                let document = self.document_id(&body).unwrap_or_default();
                DeliveryId::of(&[document.as_bytes(), self.name.as_bytes(), request.body])
            }
        };
        Ok(Received::Notification(Verified::new(self.name, id, events, Authenticity::Body)))
    }

    fn parse(&self, body: &[u8], _: Option<&str>) -> Result<Vec<SignatureEvent>, Malformed> {
        self.events(&json::read(body)?)
    }

    fn redact(&self, body: &[u8]) -> Vec<u8> {
        let secret = match &self.settings.verify {
            Some(Verify::Secret(Place::Field(path))) => Some(path.as_str()),
            Some(Verify::Hmac(HmacSettings { place: Place::Field(path), .. })) => {
                Some(path.as_str())
            }
            _ => None,
        };
        redact::json(body, secret.as_slice())
    }
}
