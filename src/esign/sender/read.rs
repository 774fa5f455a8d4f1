//! A sender's body read by its description.

use serde_json::{Map, Value};

use super::Sender;
use super::settings::{Paths, is_among};
use crate::esign::redact::is_private;
use crate::esign::{blank, deal_refs, metadata};
use crate::model::{Signature, SignatureEvent, Signer};
use crate::webhook::{Malformed, json};

/// More values than one path of a real body gives.
const MOST_VALUES: usize = 200;

impl Sender {
    /// The name of the event, when the body has one.
    pub(super) fn event_name<'a>(&self, body: &'a Value) -> Option<&'a str> {
        values(body, self.settings.event.as_ref())
            .into_iter()
            .find_map(Value::as_str)
            .map(str::trim)
            .filter(|name| !name.is_empty())
    }

    /// The document's id, when the body has one.
    pub(super) fn document_id(&self, body: &Value) -> Option<String> {
        text(body, self.settings.fields.id.as_ref())
    }

    /// Whether the event only tests the address.
    pub(super) fn is_ping(&self, body: &Value) -> bool {
        self.event_name(body).is_some_and(|event| is_among(self.settings.ping.as_ref(), event))
    }

    pub(super) fn events(&self, body: &Value) -> Result<Vec<SignatureEvent>, Malformed> {
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
        let text = |paths: &Option<Paths>| text(body, paths.as_ref());
        signature.document_name =
            text(&fields.name).and_then(|name| metadata::document_name(&name).map(str::to_owned));
        signature.url = text(&fields.url).filter(|url| url.starts_with("https://"));
        let amount = values(body, fields.amount.as_ref()).into_iter().next();
        match metadata::total(amount, text(&fields.currency).as_deref()) {
            Ok(total) => signature.total = total,
            Err(remark) => signature.remarks.push(remark),
        }
        let people = values(body, fields.signers.as_ref());
        signature.signers = people.iter().map(|person| self.signer(person)).collect();
        // A moment that the sender names, else that of the last signature.
        signature.signed_at = values(body, fields.signed_at.as_ref())
            .into_iter()
            .find_map(json::time)
            .or_else(|| signature.signers.iter().filter_map(|signer| signer.signed_at).max());
        signature.template = text(&fields.template);
        signature.template_id = text(&fields.template_id);
        signature.folder = text(&fields.folder);
        signature.tags =
            values(body, fields.tags.as_ref()).into_iter().filter_map(json::scalar).collect();
        signature.sender = metadata::person(
            text(&fields.sender_name).as_deref(),
            text(&fields.sender_email).as_deref(),
        );
        if self.is_test(body) {
            signature.test = true;
            signature.remarks.push(format!("{} says that this is a test", self.title));
        }
        signature.metadata = self.flatten(body);
        self.linked_deals(body, &mut signature);
        self.deals.find(&mut signature);
        let companies: Vec<(Option<String>, String)> = people
            .iter()
            .filter_map(|person| {
                let company = self::text(person, fields.signer.company.as_ref())?;
                Some((self::text(person, fields.signer.email.as_ref()), company))
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
        let signed_at = values(person, fields.signed_at.as_ref()).into_iter().find_map(json::time);
        let signed =
            values(person, fields.signed.as_ref()).into_iter().find_map(|value| match value {
                Value::Bool(signed) => Some(*signed),
                Value::String(status) => Some(
                    ["signed", "completed", "complete", "done", "approved"]
                        .iter()
                        .any(|done| status.trim().eq_ignore_ascii_case(done)),
                ),
                _ => None,
            });
        Signer {
            name: text(person, fields.name.as_ref()),
            email: text(person, fields.email.as_ref()),
            role: text(person, fields.role.as_ref()),
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
        let template = text(body, fields.template.as_ref());
        metadata::add_text(&mut flat, "document.template", template.as_deref());
        flat
    }

    fn linked_deals(&self, body: &Value, signature: &mut Signature) {
        let fields = &self.settings.fields;
        for link in values(body, fields.links.as_ref()) {
            let id = link.get("entity_id").or_else(|| link.get("id")).and_then(json::scalar);
            let kind = json::text(link, &["entity_type"]).unwrap_or("deal");
            let reference =
                id.and_then(|id| deal_refs::reference(json::text(link, &["provider"]), &id));
            if let Some(reference) = reference.filter(|_| deal_refs::is_deal(kind)) {
                deal_refs::add(&mut signature.deal_refs, reference);
            }
        }
        let crm = self.settings.deal.as_ref().and_then(|deal| deal.crm.as_deref());
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
fn values<'a>(from: &'a Value, paths: Option<&Paths>) -> Vec<&'a Value> {
    paths
        .into_iter()
        .flat_map(|paths| &paths.0)
        .map(|path| at(from, path))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// The first text or number on any of the paths.
fn text(from: &Value, paths: Option<&Paths>) -> Option<String> {
    paths?.0.iter().find_map(|path| at(from, path).into_iter().find_map(json::scalar))
}

/// What stands at a dotted path, with `*` for each item of a list; a list at
/// its end counts as its items. Neither nothing nor private values are found.
pub(super) fn at<'a>(from: &'a Value, path: &str) -> Vec<&'a Value> {
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
