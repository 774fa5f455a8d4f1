//! How a sender is described.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::esign::deal_refs::DealSettings;
use crate::settings::{DocumentRule, WordOrList, word_or_list};
use crate::text::quoted;
use crate::time::HumanDuration;
use crate::webhook::mac::Algorithm;

/// One sender: how its requests are proved, which event means what, and where
/// the document's facts are. For a known sender everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SenderSettings {
    /// The name people know it by; absent means the section's name.
    pub title: Option<String>,
    /// How a request proves who sent it.
    pub verify: Option<Verify>,
    /// Where the event's name is in the body.
    pub event: Option<Paths>,
    /// The events that mean "everybody has signed".
    pub completed: Option<Vec<String>>,
    /// The events that mean "went out for signature".
    pub sent: Option<Vec<String>>,
    /// The events that mean "will not be signed".
    pub voided: Option<Vec<String>>,
    /// The events that only test the address; they are answered and nothing is
    /// done.
    pub ping: Option<Vec<String>>,
    /// Whether a document that goes out makes a draft.
    pub drafts: Option<bool>,
    /// Where the document's facts are in the body.
    pub fields: SenderFields,
    /// What tells a test or sandbox document: paths into the body, each with
    /// the values that mean it, such as `{event.environment: [sandbox]}`.
    pub test: Option<BTreeMap<String, Vec<String>>>,
    /// Where the deal's id is, besides `fields.deal` and well-known names.
    pub deal: Option<DealSettings>,
    /// Which documents are contracts, for this sender; these rules come before
    /// those under `documents`.
    pub documents: Vec<DocumentRule>,
}

/// Where the facts are, as dotted paths from the top of the body. `*` stands
/// for each item of a list. Of several paths the first with a value is taken.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SenderFields {
    /// The document's id.
    pub id: Option<Paths>,
    /// The document's name.
    pub name: Option<Paths>,
    /// When the last signature was made: RFC 3339, or Unix seconds or
    /// milliseconds.
    pub signed_at: Option<Paths>,
    /// The total.
    pub amount: Option<Paths>,
    /// The total's currency, a three-letter code.
    pub currency: Option<Paths>,
    /// A link for people, which neither signs nor downloads by itself.
    pub url: Option<Paths>,
    /// The people who sign; all of them, such as `data.recipients.*`, or one.
    pub signers: Option<Paths>,
    /// Where each person's facts are, from the person.
    pub signer: SignerFields,
    /// The name of the template.
    pub template: Option<Paths>,
    /// The id of the template.
    pub template_id: Option<Paths>,
    /// The folder or workspace.
    pub folder: Option<Paths>,
    /// Tags or labels.
    pub tags: Option<Paths>,
    /// The name of who sent it.
    pub sender_name: Option<Paths>,
    /// The e-mail address of who sent it.
    pub sender_email: Option<Paths>,
    /// The customer's company.
    pub customer: Option<Paths>,
    /// Objects of names and values that the sender's users put on the
    /// document.
    pub metadata: Option<Paths>,
    /// A deal's id, or `hubspot:deal:18640329741`, or the address of its
    /// record.
    pub deal: Option<Paths>,
    /// Objects that link to a CRM: `{provider, entity_type, entity_id}`.
    pub links: Option<Paths>,
}

/// Where a person's facts are.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignerFields {
    /// The full name.
    pub name: Option<Paths>,
    /// The e-mail address.
    pub email: Option<Paths>,
    /// The role.
    pub role: Option<Paths>,
    /// The company.
    pub company: Option<Paths>,
    /// When this person signed.
    pub signed_at: Option<Paths>,
    /// Whether this person has signed: a flag, or a status such as `signed` or
    /// `completed`.
    pub signed: Option<Paths>,
}

/// How a request proves who sent it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Standard Webhooks: id, time and body signed, `whsec_…` or `whpk_…`.
    StandardWebhooks,
    /// An HMAC of the body, or of a text made of it.
    Hmac(HmacSettings),
    /// The secret itself, as it is.
    Secret(Place),
}

/// Where in a request something is.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = describe_keys)]
pub enum Place {
    /// A header, by name.
    Header(String),
    /// A parameter of the URL's query, by name.
    Query(String),
    /// A field of the JSON body, as a dotted path.
    Field(String),
}

/// An HMAC.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacSettings {
    /// Where the signature is.
    #[serde(rename = "in")]
    pub place: Place,
    /// The hash function.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// What stands there, with `{signature}` and, if it is there, `{time}` and
    /// `{id}`: `sha256={signature}`, or `t={time}, v1={signature}` for a list
    /// in any order.
    #[serde(default = "signature_alone")]
    pub pattern: String,
    /// The signed text, of `{body}`, `{time}`, `{id}`, `{url}`,
    /// `{header:Name}` and `{field:path}`: `{time}.{body}`.
    #[serde(default = "body_alone")]
    pub signed: String,
    /// Where the time is, when the pattern does not hold it.
    #[serde(default)]
    pub time: Option<Place>,
    /// How far that time may lie from now, such as `5m`. It must be signed.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub tolerance: Option<HumanDuration>,
    /// The webhook's own address, for `{url}`.
    #[serde(default)]
    pub url: Option<String>,
    /// How the secret is written: as text that is the key itself, or as hex or
    /// base64 of the key.
    #[serde(default)]
    pub key: KeyForm,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal.
    #[default]
    Hex,
    /// Base64.
    Base64,
    /// Base64 for URLs, with or without padding.
    Base64url,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// The text is the key.
    #[default]
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// Says of the one key of each choice what the choice is.
fn describe_keys(schema: &mut Schema) {
    let choices = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        let Some(description) = choice.get("description").cloned() else { continue };
        let keys = choice.get_mut("properties").and_then(serde_json::Value::as_object_mut);
        for key in keys.into_iter().flat_map(|keys| keys.values_mut()) {
            if let Some(key) = key.as_object_mut() {
                key.entry("description").or_insert_with(|| description.clone());
            }
        }
    }
}

fn signature_alone() -> String {
    "{signature}".to_owned()
}

fn body_alone() -> String {
    "{body}".to_owned()
}

/// One dotted path, or several of which the first with a value is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Paths(pub Vec<String>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(
            match word_or_list(deserializer, "a dotted path such as `data.id`, or a list of them")?
            {
                WordOrList::Word(path) => Self(vec![path]),
                WordOrList::List(paths) => Self(paths),
            },
        )
    }
}

impl JsonSchema for Paths {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Paths".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
        ]})
    }
}

impl SenderSettings {
    /// These settings, and where they say nothing those of the base.
    pub(super) fn over(self, base: &Self) -> Self {
        let (own, under) = (self.fields, &base.fields);
        let signer = (own.signer, &under.signer);
        let or = |own: Option<Paths>, under: &Option<Paths>| own.or_else(|| under.clone());
        Self {
            title: self.title.or_else(|| base.title.clone()),
            verify: self.verify.or_else(|| base.verify.clone()),
            event: or(self.event, &base.event),
            completed: self.completed.or_else(|| base.completed.clone()),
            sent: self.sent.or_else(|| base.sent.clone()),
            voided: self.voided.or_else(|| base.voided.clone()),
            ping: self.ping.or_else(|| base.ping.clone()),
            drafts: self.drafts.or(base.drafts),
            fields: SenderFields {
                id: or(own.id, &under.id),
                name: or(own.name, &under.name),
                signed_at: or(own.signed_at, &under.signed_at),
                amount: or(own.amount, &under.amount),
                currency: or(own.currency, &under.currency),
                url: or(own.url, &under.url),
                signers: or(own.signers, &under.signers),
                signer: SignerFields {
                    name: or(signer.0.name, &signer.1.name),
                    email: or(signer.0.email, &signer.1.email),
                    role: or(signer.0.role, &signer.1.role),
                    company: or(signer.0.company, &signer.1.company),
                    signed_at: or(signer.0.signed_at, &signer.1.signed_at),
                    signed: or(signer.0.signed, &signer.1.signed),
                },
                template: or(own.template, &under.template),
                template_id: or(own.template_id, &under.template_id),
                folder: or(own.folder, &under.folder),
                tags: or(own.tags, &under.tags),
                sender_name: or(own.sender_name, &under.sender_name),
                sender_email: or(own.sender_email, &under.sender_email),
                customer: or(own.customer, &under.customer),
                metadata: or(own.metadata, &under.metadata),
                deal: or(own.deal, &under.deal),
                links: or(own.links, &under.links),
            },
            test: self.test.or_else(|| base.test.clone()),
            deal: self.deal.or_else(|| base.deal.clone()),
            documents: self.documents,
        }
    }

    /// The setting without which the sender cannot be read.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let lacks = [
            (self.verify.is_none(), "verify"),
            (self.event.is_none(), "event"),
            (self.completed.as_ref().is_none_or(Vec::is_empty), "completed"),
            (self.fields.id.is_none(), "fields.id"),
        ];
        lacks.iter().find(|(lacks, _)| *lacks).map(|(_, name)| *name)
    }

    /// What does not fit together, with what to do.
    pub(super) fn contradiction(&self) -> Option<(String, String)> {
        let twice = self.event_with_two_meanings();
        twice.or_else(|| self.impossible_header()).or_else(|| self.unsound_hmac())
    }

    fn event_with_two_meanings(&self) -> Option<(String, String)> {
        let lists = self.events();
        let mut pairs = (1..lists.len()).flat_map(|at| lists[..at].iter().map(move |it| (it, at)));
        pairs.find_map(|((name, events), at)| {
            let (other, others) = lists[at];
            let word = (*events)?.iter().find(|word| is_among(others, word))?;
            let problem = format!("`{name}` and `{other}` both have {}", quoted(word));
            Some((problem, "an event has one meaning: take it out of one of them".to_owned()))
        })
    }

    /// A header that no request can have, as its name is none.
    fn impossible_header(&self) -> Option<(String, String)> {
        let places = match self.verify.as_ref()? {
            Verify::StandardWebhooks => Vec::new(),
            Verify::Hmac(hmac) => std::iter::once(&hmac.place).chain(&hmac.time).collect(),
            Verify::Secret(place) => vec![place],
        };
        let mut names = places.into_iter().filter_map(|place| match place {
            Place::Header(name) => Some(name),
            Place::Query(_) | Place::Field(_) => None,
        });
        let name = names.find(|name| HeaderName::from_bytes(name.as_bytes()).is_err())?;
        let problem = format!("no request has a header {}", quoted(name));
        Some((problem, "write its name alone, such as `X-Acme-Signature`".to_owned()))
    }

    fn unsound_hmac(&self) -> Option<(String, String)> {
        let Some(Verify::Hmac(hmac)) = &self.verify else { return None };
        let has_time = hmac.time.is_some() || hmac.pattern.contains("{time}");
        let problem = if !hmac.pattern.contains("{signature}") {
            ("`verify.hmac.pattern` has no `{signature}`", "write for example `sha256={signature}`")
        } else if hmac.tolerance.is_some() && !has_time {
            ("`verify.hmac.tolerance` needs a time", "put `{time}` into `pattern`, or set `time`")
        } else if hmac.signed.contains("{time}") && !has_time {
            (
                "`verify.hmac.signed` has a `{time}` that is nowhere",
                "put `{time}` into `pattern`, or set `time`",
            )
        } else if hmac.signed.contains("{id}") && !hmac.pattern.contains("{id}") {
            (
                "`verify.hmac.signed` has an `{id}` that is nowhere",
                "put `{id}` into `pattern`, or write `{header:Name}`",
            )
        } else if hmac.signed.contains("{url}") && hmac.url.is_none() {
            (
                "`verify.hmac.signed` has a `{url}`, and `url` is not set",
                "set `url` to the webhook's own address",
            )
        } else {
            return None;
        };
        Some((problem.0.to_owned(), problem.1.to_owned()))
    }

    /// Whether an event has a meaning here.
    pub(super) fn knows(&self, event: &str) -> bool {
        self.events().into_iter().any(|(_, events)| is_among(events, event))
    }

    /// The lists of events by their settings' names.
    fn events(&self) -> [(&'static str, Option<&Vec<String>>); 4] {
        [
            ("completed", self.completed.as_ref()),
            ("sent", self.sent.as_ref()),
            ("voided", self.voided.as_ref()),
            ("ping", self.ping.as_ref()),
        ]
    }
}

/// Whether a list has this event, whatever its case.
pub(super) fn is_among(events: Option<&Vec<String>>, event: &str) -> bool {
    events.is_some_and(|events| events.iter().any(|known| known.eq_ignore_ascii_case(event)))
}
