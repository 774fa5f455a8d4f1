//! Every sample as it is: accepted, read rightly, and answered as documented.

use handoff::esign::{Authenticity, Received};
use handoff::model::{Signature, SignatureEvent};
use serde_json::Value;

use super::samples::{all, json_file, providers, sample};

/// What a sample holds: its events in a word each.
fn kinds(events: &[SignatureEvent]) -> Vec<String> {
    let kind = |event: &SignatureEvent| match event {
        SignatureEvent::Completed(signature) => format!("completed {}", signature.document_id),
        SignatureEvent::Sent(signature) => format!("sent {}", signature.document_id),
        SignatureEvent::Voided { what, .. } => format!("voided: {what}"),
        SignatureEvent::Ignored { what } => format!("ignored: {what}"),
    };
    events.iter().map(kind).collect()
}

fn completed(name: &str) -> Signature {
    let verified = sample(name).verified();
    match verified.claims() {
        [SignatureEvent::Completed(signature)] => signature.clone(),
        other => panic!("{name}: expected one completion, got {other:?}"),
    }
}

#[test]
fn every_sample_is_accepted_for_what_it_is() {
    let mut story = String::new();
    for sample in all() {
        let what = match sample.send() {
            Ok(Received::Handshake) => "handshake".to_owned(),
            Ok(Received::Notification(verified)) => {
                format!("{:?}: {}", verified.authenticity(), kinds(verified.claims()).join(" | "))
            }
            Err(rejection) => panic!("{}: {rejection}", sample.name),
        };
        story.push_str(&format!("{}: {what}\n", sample.name));
    }
    insta::assert_snapshot!(story);
}

#[test]
fn every_sample_gets_the_answer_its_provider_wants() {
    let providers = providers();
    for sample in all() {
        let answer = sample.provider(&providers).accepted(&sample.request());
        assert!((200..300).contains(&answer.status), "{}: {answer:?}", sample.name);
        let wanted = &json_file(&format!("{}.request.json", sample.name))["required_response"];
        if let Some(body) = wanted["body"].as_str() {
            assert_eq!(answer.body, body, "{}", sample.name);
            assert_eq!(Value::from(answer.status), wanted["status"], "{}", sample.name);
            assert_eq!(Value::from(answer.content_type), wanted["content_type"], "{}", sample.name);
        }
        for (name, value) in wanted["header"].as_object().into_iter().flatten() {
            let echoed = answer.headers.iter().any(|(header, text)| {
                header.eq_ignore_ascii_case(name) && Some(text.as_str()) == value.as_str()
            });
            assert!(echoed, "{}: {name} is not echoed: {answer:?}", sample.name);
        }
    }
}

#[test]
fn the_full_samples_keep_what_the_sender_put_on_the_document() {
    for name in [
        "pandadoc-completed-full",
        "docusign-completed-full",
        "dropboxsign-all-signed",
        "adobe-completed-full",
        "standardwebhooks-contract-signed",
    ] {
        insta::assert_json_snapshot!(name, completed(name));
    }
}

#[test]
fn no_signing_link_access_code_or_address_is_kept() {
    for sample in all() {
        let Ok(Received::Notification(verified)) = sample.send() else { continue };
        for event in verified.claims() {
            if let SignatureEvent::Completed(signature) = event {
                let text = serde_json::to_string(signature).expect("json");
                for secret in ["203.0.113.20", "shared_link", "accessCode", "files_url", "/files/"]
                {
                    assert!(!text.contains(secret), "{}: holds {secret}: {text}", sample.name);
                }
            }
        }
    }
}

#[test]
fn minimal_messages_still_tell_document_and_time() {
    let docusign = completed("docusign-completed-minimal");
    assert_eq!(docusign.document_id.as_str(), "a70a5ef2-0000-4000-8000-b84134dce420");
    let time = docusign.signed_at.expect("generatedDateTime").to_rfc3339();
    assert_eq!(time, "2026-10-14T15:43:54.423375200+00:00");
    let adobe = completed("adobe-completed-minimal");
    assert_eq!(adobe.signed_at.expect("eventDate").to_rfc3339(), "2026-10-14T15:43:53+00:00");
}

#[test]
fn only_hints_come_from_providers_that_do_not_sign_their_bodies() {
    for sample in all() {
        let Ok(Received::Notification(verified)) = sample.send() else { continue };
        let hint = ["dropbox-sign", "adobe-sign"].contains(&sample.provider.as_str());
        let expected = if hint { Authenticity::HintOnly } else { Authenticity::Body };
        assert_eq!(verified.authenticity(), expected, "{}", sample.name);
    }
}

#[test]
fn a_retry_has_the_identity_of_the_first_try_and_no_other() {
    let ids: Vec<String> = all()
        .iter()
        .filter_map(|sample| match sample.send() {
            Ok(Received::Notification(verified)) => {
                let again = sample.verified();
                assert_eq!(verified.delivery_id(), again.delivery_id(), "{}", sample.name);
                Some(verified.delivery_id().to_string())
            }
            _ => None,
        })
        .collect();
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    // The two DocuSign samples are one delivery, the second a retry of the first.
    assert_eq!(distinct.len(), ids.len() - 1, "{ids:?}");
    for id in ids {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        assert!(id.chars().all(plain) && id.len() <= 89, "{id} is no safe file name");
    }
    let (first, retry) = (sample("docusign-completed-minimal"), sample("docusign-completed-full"));
    assert_eq!(first.verified().delivery_id(), retry.verified().delivery_id());
}

#[test]
fn another_delivery_cannot_be_hidden_by_replaying_its_name() {
    let honest = sample("pandadoc-completed-lean");
    let mut replay = sample("pandadoc-recipient-completed");
    replay.headers = honest.headers.clone();
    assert_ne!(honest.verified().delivery_id(), replay.verified().delivery_id());
}

#[test]
fn svix_names_its_headers_differently() {
    let mut sample = sample("standardwebhooks-contract-signed");
    for part in ["id", "timestamp", "signature"] {
        let value = sample.headers.remove(format!("webhook-{part}")).expect("the header");
        let name: http::HeaderName = format!("svix-{part}").parse().expect("a name");
        sample.headers.insert(name, value);
    }
    assert_eq!(kinds(sample.verified().claims()), ["completed ctr_01JA7Z"]);
}

#[test]
fn dropbox_sign_may_send_a_plain_form_as_well() {
    let mut sample = sample("dropboxsign-all-signed");
    let json = super::samples::file("dropboxsign-all-signed.json");
    let json = String::from_utf8(json).expect("text");
    sample.body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("json", &json)
        .finish()
        .into_bytes();
    let form = "application/x-www-form-urlencoded".parse().expect("a value");
    sample.headers.insert("content-type", form);
    assert_eq!(
        kinds(sample.verified().claims()),
        ["completed fa5c8a0b0f492d768749333ad6fcc214c111e967"]
    );
}

#[test]
fn pandadoc_header_is_a_fallback_for_the_query() {
    let mut sample = sample("pandadoc-completed-lean");
    let query = sample.query.take().expect("a query");
    let signature = query.strip_prefix("signature=").expect("the signature").to_owned();
    sample.headers.insert("x-pandadoc-signature", signature.parse().expect("a value"));
    sample.verified();
    // One more parameter in the registered URL does no harm.
    let mut sample = super::samples::sample("pandadoc-completed-lean");
    sample.query = Some(format!("team=a%26b&{query}"));
    sample.verified();
}

#[test]
fn a_large_form_is_read_whole() {
    let mut sample = sample("dropboxsign-all-signed");
    let text = String::from_utf8(sample.body).expect("text");
    let message = format!("Please sign. {}", "x".repeat(1_000_000));
    sample.body = text.replacen("Please sign.", &message, 1).into_bytes();
    assert_eq!(kinds(sample.verified().claims()).len(), 1);
}
