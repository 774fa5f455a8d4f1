//! Senders that are described by settings and need no code: how a request is
//! proved, which event means what, and where the document's facts are. The
//! known ones ship as files in `templates/senders/`.

mod settings;
mod verify;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::settings::is_among;
use super::deal_refs::{DealFinder, DealSettings};
use super::metadata::is_private;
use super::provider::{Authenticity, Provider, ProviderRow, ProviderSettings, Received, Verified};
use super::{blank, deal_refs, metadata};
use crate::model::{ReferenceRule, Secrets, Signature, SignatureEvent, Signer};
use crate::settings::{DocumentRule, SettingsReader};
use crate::webhook;
use crate::webhook::{DeliveryId, Malformed, Rejection, Request, Route, RouteNames, json};

pub use settings::{
    Encoding, HmacSettings, Paths, Place, SenderFields, SenderSettings, SignerFields, Verify,
};

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
pub fn known_names() -> impl Iterator<Item = &'static str> {
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
    fn names(&self) -> RouteNames<'_> {
        let aliases: &[&str] = if self.name == GENERAL { &["generic"] } else { &[] };
        RouteNames { name: self.name, title: self.title, aliases, secrets: &self.secret }
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
        metadata::redacted(body, secret.as_slice())
    }
}

// A sender's body read by its description.

/// More values than one path of a real body gives.
const MOST_VALUES: usize = 200;

impl Sender {
    /// The name of the event, when the body has one.
    fn event_name<'a>(&self, body: &'a Value) -> Option<&'a str> {
        values_at(body, self.settings.event.as_ref())
            .into_iter()
            .find_map(Value::as_str)
            .map(str::trim)
            .filter(|name| !name.is_empty())
    }

    /// The document's id, when the body has one.
    fn document_id(&self, body: &Value) -> Option<String> {
        text_at(body, self.settings.fields.id.as_ref())
    }

    /// Whether the event only tests the address.
    fn is_ping(&self, body: &Value) -> bool {
        self.event_name(body).is_some_and(|event| is_among(self.settings.ping.as_ref(), event))
    }

    fn events(&self, body: &Value) -> Result<Vec<SignatureEvent>, Malformed> {
        let settings = &self.settings;
        let Some(event) = self.event_name(body) else {
            let path = settings.event.as_ref().and_then(|paths| paths.0.first());
            return Err(Malformed::NotMine {
                provider: self.title,
                why: format!(
                    "it has no \"{}\", such as \"{}\"",
                    path.map_or("event", String::as_str),
                    settings
                        .completed
                        .as_ref()
                        .and_then(|events| events.first())
                        .map_or("completed", String::as_str)
                ),
            });
        };
        let is = |events: &Option<Vec<String>>| is_among(events.as_ref(), event);
        Ok(vec![if is(&settings.completed) {
            SignatureEvent::Completed(self.signature(body)?)
        } else if is(&settings.sent) && settings.drafts == Some(true) {
            SignatureEvent::Sent(self.signature(body)?)
        } else if is(&settings.voided) {
            let what = event.rsplit(['.', '_', ' ']).next().unwrap_or(event).to_lowercase();
            SignatureEvent::Voided { signature: self.signature(body)?, what }
        } else {
            SignatureEvent::Ignored { what: json::word(event) }
        }])
    }

    fn signature(&self, body: &Value) -> Result<Signature, Malformed> {
        let fields = &self.settings.fields;
        let id = self.document_id(body).ok_or(Malformed::Missing {
            provider: self.title,
            field: "document id (`fields.id` in the settings)",
        })?;
        let mut signature = blank(self.name, &id);
        let text = |paths: &Option<Paths>| text_at(body, paths.as_ref());
        if let Some(name) = text(&fields.name) {
            metadata::set_name(&mut signature, &name);
        }
        signature.url = text(&fields.url).filter(|url| url.starts_with("https://"));
        let amount = values_at(body, fields.amount.as_ref()).into_iter().next();
        match metadata::total(amount, text(&fields.currency).as_deref()) {
            Ok(total) => signature.total = total,
            Err(remark) => signature.remarks.push(remark),
        }
        let people = values_at(body, fields.signers.as_ref());
        signature.signers = people.iter().map(|person| self.signer(person)).collect();
        // A moment that the sender names, else that of the last signature.
        signature.signed_at = values_at(body, fields.signed_at.as_ref())
            .into_iter()
            .find_map(json::time)
            .or_else(|| signature.signers.iter().filter_map(|signer| signer.signed_at).max());
        signature.template = text(&fields.template);
        signature.template_id = text(&fields.template_id);
        signature.folder = text(&fields.folder);
        signature.tags =
            values_at(body, fields.tags.as_ref()).into_iter().filter_map(json::scalar).collect();
        signature.sender = metadata::person(
            text(&fields.sender_name).as_deref(),
            text(&fields.sender_email).as_deref(),
        );
        if self.is_test(body) {
            let why = format!("{} says that this is a test", self.title);
            metadata::mark_test(&mut signature, why);
        }
        metadata::read_test_words(&mut signature, &self.objects(body));
        signature.metadata = self.flatten(body);
        self.linked_deals(body, &mut signature);
        self.deals.find(&mut signature);
        let companies: Vec<(Option<String>, String)> = people
            .iter()
            .filter_map(|person| {
                let company = text_at(person, fields.signer.company.as_ref())?;
                Some((text_at(person, fields.signer.email.as_ref()), company))
            })
            .collect();
        let companies: Vec<(Option<&str>, &str)> =
            companies.iter().map(|(email, company)| (email.as_deref(), company.as_str())).collect();
        signature.customer =
            text(&fields.customer).or_else(|| metadata::customer(&signature, &companies));
        Ok(signature)
    }

    fn signer(&self, person: &Value) -> Signer {
        let fields = &self.settings.fields.signer;
        let signed_at =
            values_at(person, fields.signed_at.as_ref()).into_iter().find_map(json::time);
        let signed =
            values_at(person, fields.signed.as_ref()).into_iter().find_map(|value| match value {
                Value::Bool(signed) => Some(*signed),
                Value::String(status) => Some(
                    ["signed", "completed", "complete", "done", "approved"]
                        .iter()
                        .any(|done| status.trim().eq_ignore_ascii_case(done)),
                ),
                _ => None,
            });
        Signer {
            name: text_at(person, fields.name.as_ref()),
            email: text_at(person, fields.email.as_ref()),
            role: text_at(person, fields.role.as_ref()),
            signed_at,
            signed: signed.or(signed_at.map(|_| true)),
        }
    }

    fn is_test(&self, body: &Value) -> bool {
        self.settings.test.iter().flatten().any(|(path, words)| {
            at(body, path).into_iter().any(|value| {
                let said = match value {
                    Value::Bool(flag) => flag.to_string(),
                    value => json::scalar(value).unwrap_or_default(),
                };
                words.iter().any(|word| word.eq_ignore_ascii_case(&said))
            })
        })
    }

    /// The body, and the objects in it down to the one that holds the document's id.
    fn objects<'a>(&self, body: &'a Value) -> Vec<&'a Value> {
        let mut objects = vec![body];
        for path in self.settings.fields.id.iter().flat_map(|paths| &paths.0) {
            let (mut object, mut parts) = (body, path.split('.').peekable());
            while let Some(part) = parts.next() {
                let Some(inside) = object.get(part).filter(|_| parts.peek().is_some()) else {
                    break;
                };
                object = inside;
                objects.push(object);
            }
        }
        objects
    }

    /// The objects of names and values, without what a field of its own holds.
    fn flatten(&self, body: &Value) -> Map<String, Value> {
        let fields = &self.settings.fields;
        let taken: Vec<&str> = [
            &fields.id,
            &fields.name,
            &fields.signed_at,
            &fields.amount,
            &fields.currency,
            &fields.url,
            &fields.template,
            &fields.template_id,
        ]
        .into_iter()
        .flatten()
        .flat_map(|paths| paths.0.iter().map(String::as_str))
        .collect();
        let mut flat = Map::new();
        for path in fields.metadata.iter().flat_map(|paths| &paths.0) {
            for value in at(body, path) {
                let named = ["name", "field", "key"].iter().any(|key| value.get(key).is_some());
                if named && value.get("value").is_some() {
                    let names = &["name", "field", "key"];
                    metadata::add_named(&mut flat, std::slice::from_ref(value), names);
                    continue;
                }
                for (name, value) in value.as_object().into_iter().flatten() {
                    let whole = format!("{path}.{name}");
                    let within =
                        |taken: &&str| **taken == whole || taken.starts_with(&format!("{whole}."));
                    if !taken.iter().any(within) {
                        metadata::add(&mut flat, name, value);
                    }
                }
            }
        }
        let template = text_at(body, fields.template.as_ref());
        metadata::add_text(&mut flat, "document.template", template.as_deref());
        flat
    }

    fn linked_deals(&self, body: &Value, signature: &mut Signature) {
        let fields = &self.settings.fields;
        for link in values_at(body, fields.links.as_ref()) {
            let id = link.get("entity_id").or_else(|| link.get("id")).and_then(json::scalar);
            let kind = json::text(link, &["entity_type"]).unwrap_or("deal");
            let reference =
                id.and_then(|id| deal_refs::reference(json::text(link, &["provider"]), &id));
            if let Some(reference) = reference.filter(|_| deal_refs::is_deal(kind)) {
                deal_refs::add(&mut signature.deal_refs, reference);
            }
        }
        let crm = self.settings.deal.as_ref().and_then(DealSettings::crm);
        for path in fields.deal.iter().flat_map(|paths| &paths.0) {
            for value in at(body, path) {
                for reference in self.deals.in_value(value, crm) {
                    deal_refs::add(&mut signature.deal_refs, reference);
                }
            }
        }
    }
}

/// The first path's values that are there.
fn values_at<'a>(from: &'a Value, paths: Option<&Paths>) -> Vec<&'a Value> {
    paths
        .into_iter()
        .flat_map(|paths| &paths.0)
        .map(|path| at(from, path))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// The first text or number on any of the paths.
fn text_at(from: &Value, paths: Option<&Paths>) -> Option<String> {
    paths?.0.iter().find_map(|path| at(from, path).into_iter().find_map(json::scalar))
}

/// What stands at a dotted path, with `*` for each item of a list; a list at
/// its end counts as its items. Neither nothing nor private values are found.
fn at<'a>(from: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![from];
    for key in path.split('.') {
        if is_private(key) {
            return Vec::new();
        }
        found = found
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) if key == "*" => items.iter().collect(),
                value => value.get(key).into_iter().collect::<Vec<_>>(),
            })
            .take(MOST_VALUES)
            .collect();
    }
    found
        .into_iter()
        .flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        })
        .filter(|value| !value.is_null())
        .take(MOST_VALUES)
        .collect()
}
