//! Senders that are described by settings: each fixture is one request as the
//! sender makes it, with a proof that another program made.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use handoff::esign::{EsignConfig, Providers, Received, Rejection, Request};
use handoff::model::{Secrets, Signature, SignatureEvent};
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::samples::with;

/// One request of a sender.
#[derive(Clone)]
struct Sent {
    name: String,
    told: Value,
    headers: HeaderMap,
    query: Option<String>,
    body: Vec<u8>,
    secret: String,
}

fn all() -> Vec<Sent> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders");
    let mut all: Vec<Sent> = fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let told: Value =
                serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
            let text = |key: &str| told[key].as_str().expect("a text").to_owned();
            let mut headers = HeaderMap::new();
            for (name, value) in told["headers"].as_object().expect("headers") {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                headers.insert(name, value.as_str().expect("text").parse().expect("a value"));
            }
            Sent {
                name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
                headers,
                query: text("path_and_query").split_once('?').map(|(_, query)| query.to_owned()),
                body: text("body").into_bytes(),
                secret: text("secret"),
                told,
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(all.len() >= 20, "fixtures are gone");
    all
}

impl Sent {
    fn sender(&self) -> &str {
        self.told["sender"].as_str().expect("a sender")
    }

    fn providers(&self) -> Providers {
        match self.told["settings"].as_str() {
            Some(settings) => {
                let settings = settings.replace('\n', "\n    ");
                with(&format!("senders:\n  {}:\n    {settings}\n", self.sender()))
            }
            None => with(&format!("senders: {{{}: {{}}}}", self.sender())),
        }
    }

    fn sent_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.told["sent_at"].as_i64().expect("a time"), 0).expect("one")
    }

    fn receive(&self) -> Result<Received, Rejection> {
        self.receive_at(self.sent_at() + TimeDelta::seconds(3))
    }

    fn receive_at(&self, now: DateTime<Utc>) -> Result<Received, Rejection> {
        let providers = self.providers();
        let provider = providers.by_name(self.sender()).expect("the sender");
        let request = Request {
            method: &Method::POST,
            headers: &self.headers,
            query: self.query.as_deref(),
            body: &self.body,
        };
        let name = provider.secret_names()[0].to_owned();
        let secrets = Secrets::new([(name, self.secret.clone().into())]);
        provider.receive(&request, &secrets, now)
    }

    fn refused(&self, how: &str) -> (&'static str, u16) {
        match self.receive() {
            Ok(received) => panic!("{} {how}: accepted as {received:?}", self.name),
            Err(rejection) => {
                let words = rejection.to_string();
                let hidden = self.secret.len() < 8 || !words.contains(&self.secret);
                assert!(hidden, "{}: the secret is in {words}", self.name);
                (rejection.kind(), rejection.status())
            }
        }
    }

    fn is_proved_by(&self, what: &str) -> bool {
        self.told["proof"] == what
    }
}

fn deal(signature: &Signature) -> Option<String> {
    let reference = signature.deal_refs.first()?;
    let crm = reference.crm.as_ref().map_or("?", |crm| crm.as_str());
    Some(format!("{crm}:{}", reference.id))
}

#[test]
fn every_sender_s_request_is_accepted_and_read() {
    for sent in all() {
        let Ok(Received::Notification(verified)) = sent.receive() else {
            panic!("{}: {:?}", sent.name, sent.receive());
        };
        assert_eq!(verified.provider().as_str(), sent.sender());
        let expect = &sent.told["expect"];
        let text = |name: &str| expect[name].as_str();
        match verified.claims() {
            [SignatureEvent::Ignored { what }] => assert_eq!(Some(what.as_str()), text("ignored")),
            [SignatureEvent::Completed(signature)] => {
                let name = &sent.name;
                assert_eq!(Some(signature.document_id.as_str()), text("document_id"), "{name}");
                assert_eq!(signature.document_name.as_deref(), text("document_name"), "{name}");
                assert_eq!(deal(signature).as_deref(), text("deal"), "{name}");
                let signer = signature.signers.first().and_then(|signer| signer.email.as_deref());
                assert_eq!(signer, text("signer"), "{name}");
                for (field, value) in [
                    ("template", &signature.template),
                    ("template_id", &signature.template_id),
                    ("folder", &signature.folder),
                ] {
                    if let Some(wanted) = text(field) {
                        assert_eq!(value.as_deref(), Some(wanted), "{name}: {field}");
                    }
                }
                if let Some(sender) = text("sender") {
                    let by = signature.sender.as_ref().and_then(|by| by.email.as_deref());
                    assert_eq!(by, Some(sender), "{name}");
                }
                assert!(!signature.test, "{name}");
            }
            other => panic!("{}: {other:?}", sent.name),
        }
    }
}

#[test]
fn a_tampered_request_is_refused() {
    for sent in all() {
        let mut changed = sent.clone();
        if sent.is_proved_by("body") {
            let at = changed.body.iter().position(|byte| *byte == b'A').unwrap_or(20);
            changed.body[at] ^= 1;
        } else if sent.is_proved_by("event") {
            let text = String::from_utf8(changed.body).expect("text");
            changed.body = text.replace("document_completed", "document_declined").into_bytes();
        } else {
            // The secret itself is the proof: one character of it, wherever it is.
            let wrong = sent.secret.replace('0', "1");
            let body = String::from_utf8(changed.body).expect("text");
            changed.body = body.replace(&sent.secret, &wrong).into_bytes();
            changed.query = changed.query.map(|query| query.replace(&sent.secret, &wrong));
            for value in changed.headers.values_mut() {
                let text = value.to_str().expect("text").replace(&sent.secret, &wrong);
                *value = text.parse().expect("a value");
            }
        }
        assert_eq!(changed.refused("tampered"), ("bad_signature", 401), "{}", sent.name);
    }
}

#[test]
fn a_replay_is_stale_where_the_time_is_proved_and_the_same_delivery_elsewhere() {
    for sent in all() {
        let later = sent.sent_at() + TimeDelta::days(30);
        match (sent.told["timed"] == true, sent.receive_at(later)) {
            (true, Err(rejection)) => assert_eq!(rejection.kind(), "stale", "{}", sent.name),
            (false, Ok(Received::Notification(again))) => {
                let Ok(Received::Notification(first)) = sent.receive() else {
                    panic!("{}", sent.name);
                };
                assert_eq!(first.delivery_id(), again.delivery_id(), "{}", sent.name);
            }
            (_, other) => panic!("{}: {other:?}", sent.name),
        }
    }
}

#[test]
fn a_wrong_a_missing_and_a_short_secret_are_refused() {
    for sent in all() {
        let with = |secret: &str| Sent { secret: secret.to_owned(), ..sent.clone() };
        let wrong = with("ffffffffffffffffffffffffffffffff");
        let kind = wrong.refused("with a wrong secret");
        assert_eq!(kind, ("bad_signature", 401), "{}", sent.name);
        assert_eq!(with("").refused("without secret"), ("no_secret", 503), "{}", sent.name);
        assert_eq!(with("1234567").refused("short"), ("unusable_secret", 503), "{}", sent.name);
        assert_eq!(with("whsec_").refused("empty"), ("unusable_secret", 503), "{}", sent.name);
        // Two keys while one is changed.
        let two = with(&format!("ffffffffffffffffffffffffffffffff,{}", sent.secret));
        assert!(two.receive().is_ok(), "{}", sent.name);
    }
}

#[test]
fn what_carries_no_proof_is_refused() {
    for sent in all() {
        let mut bare = sent.clone();
        bare.headers.clear();
        bare.query = None;
        let mut body: Value = serde_json::from_slice(&bare.body).expect("JSON");
        if let Some(event) = body.get_mut("event").and_then(Value::as_object_mut) {
            event.remove("hash");
        }
        body.as_object_mut().expect("an object").remove("token");
        bare.body = body.to_string().into_bytes();
        assert_eq!(bare.refused("bare"), ("unsigned", 401), "{}", sent.name);
    }
}

#[test]
fn what_is_kept_of_a_request_reads_the_same_and_holds_no_secret() {
    for sent in all() {
        let providers = sent.providers();
        let provider = providers.by_name(sent.sender()).expect("the sender");
        let kept = provider.redact(&sent.body);
        assert_eq!(provider.parse(&kept, None), provider.parse(&sent.body, None), "{}", sent.name);
        let text = String::from_utf8(kept).expect("text");
        assert!(!text.contains(&sent.secret), "{}: {text}", sent.name);
    }
}

#[test]
fn a_body_somebody_saved_is_recognised_without_settings() {
    let providers = with("{}");
    let recognised =
        |sent: &&Sent| sent.told["settings"].is_null() && sent.told["expect"]["ignored"].is_null();
    for sent in all().iter().filter(recognised) {
        let (found, _) = providers.parse(None, &sent.body).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(found.name(), sent.sender(), "{}", sent.name);
    }
}

#[test]
fn pings_are_answered_and_nothing_is_done() {
    let ping = |sender: &str, settings: &str, body: &str| {
        let providers = with(&format!("senders: {{{sender}: {settings}}}"));
        let provider = providers.by_name(sender).expect("the sender");
        let mut headers = HeaderMap::new();
        headers.insert("x-documenso-secret", "a-long-secret".parse().expect("a value"));
        let request = Request {
            method: &Method::POST,
            headers: &headers,
            query: None,
            body: body.as_bytes(),
        };
        let name = provider.secret_names()[0].to_owned();
        let secrets = Secrets::new([(name, "a-long-secret".into())]);
        provider.receive(
            &request,
            &secrets,
            DateTime::from_timestamp(1_796_000_000, 0).expect("a time"),
        )
    };
    for body in ["{}", r#"{"hello": "world"}"#, r#"{"ping": true}"#] {
        assert!(matches!(ping("documenso", "{}", body), Ok(Received::Handshake)), "{body}");
    }
    let named = ping("documenso", "{ping: [TEST]}", r#"{"event": "test", "payload": {"id": 1}}"#);
    assert!(matches!(named, Ok(Received::Handshake)));
    // A document without an event is no ping: somebody has to look.
    let odd = ping("documenso", "{}", r#"{"payload": {"id": 1}}"#).expect_err("malformed");
    assert_eq!(odd.kind(), "malformed");
}

#[test]
fn a_sender_s_settings_are_strict_and_every_problem_has_its_line() {
    for (settings, line, words) in [
        ("senders:\n  docusael: {}\n", 2, "has no `verify`"),
        ("senders:\n  mine: {verify: standard_webhooks, event: type}\n", 2, "has no `completed`"),
        ("senders:\n  Mine: {}\n", 2, "cannot be a sender's name"),
        ("senders:\n  pandadoc: {}\n", 2, "cannot be a sender's name"),
        ("senders:\n  docuseal: {complete: [x]}\n", 2, "complete"),
        ("senders:\n  docuseal:\n    verify: {hmac: {in: {cookie: x}}}\n", 3, "cookie"),
        (
            "senders:\n  docuseal:\n    verify: {hmac: {in: {header: x}, tolerance: 5m}}\n",
            2,
            "needs a time",
        ),
        (
            "senders:\n  docuseal:\n    verify: {hmac: {in: {header: x}, pattern: x}}\n",
            2,
            "{signature}",
        ),
        ("senders:\n  docuseal:\n    fields: {idd: x}\n", 3, "idd"),
        ("senders: [docuseal]\n", 1, "mapping of senders"),
        ("docuseal: {}\n", 1, "no provider `docuseal`"),
        ("dropbox_sign: {}\ndropbox-sign: {}\n", 2, "set twice"),
        ("pandadoc: [x]\n", 1, ""),
    ] {
        let node = handoff::yaml::read(settings.as_bytes()).expect("yaml");
        let found = EsignConfig::read(&node).expect_err(settings);
        assert_eq!(found[0].line, line, "{settings}: {found:?}");
        let told = found.iter().any(|problem| problem.message.contains(words));
        assert!(told, "{settings}: {found:?}");
    }
    let node = handoff::yaml::read(b"senders: {docusael: {}}").expect("yaml");
    let found = EsignConfig::read(&node).expect_err("unknown");
    assert_eq!(found[0].help.as_deref(), Some("did you mean `docuseal`?"));
    // Two problems at once.
    let node = handoff::yaml::read(b"pandadoc: {a: 1}\nsenders: {x y: {}}\n").expect("yaml");
    assert_eq!(EsignConfig::read(&node).expect_err("two").len(), 2);
}

#[test]
fn the_schema_takes_what_the_program_takes_and_refuses_what_it_refuses() {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = EsignConfig::schema(&mut generator).to_value();
    schema["$defs"] = generator.take_definitions(true).into();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for settings in [
        "{}",
        "{pandadoc: {}}",
        "{pandadoc: , dropbox-sign: {drafts: true}}",
        "{docusign: {tabs: false, deal: {crm: hubspot, fields: [x]}}}",
        "{senders: {docuseal: {}, mine: {verify: {secret: {query: k}}, event: e, completed: [x], fields: {id: [a, b]}}}}",
        "{senders: {docuseal: {verify: {hmac: {in: {header: x}, algorithm: sha512, encoding: base64url}}}}}",
        "{standard_webhooks: {completed: [x], fields: {id: data.x}}}",
        "{pandadock: {}}",
        "{pandadoc: {drafts: 1}}",
        "{pandadoc: [x]}",
        "{docusign: {deal: {crm: [x]}}}",
        "{senders: {Docuseal: {}}}",
        "{senders: [x]}",
        "{senders: {docuseal: {verify: {hmac: {}}}}}",
        "{senders: {docuseal: {verify: {hmac: {in: {header: x}, algorithm: md5}}}}}",
        "{senders: {docuseal: {fields: {id: 1}}}}",
        "{dropbox_sign: {}, dropbox-sign: {}}",
        "[]",
    ] {
        let node = handoff::yaml::read(settings.as_bytes()).expect("yaml");
        let program = EsignConfig::read(&node);
        let by_schema = validator.is_valid(&node.to_json());
        assert_eq!(by_schema, program.is_ok(), "{settings}: {program:?}");
    }
}
