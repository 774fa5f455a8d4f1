//! Every sample spoiled in every way: refused for the right reason, with an
//! answer that the provider understands and that is never 410.

use chrono::TimeDelta;
use handoff::esign::{BODY_LIMIT, Received, Rejection};
use handoff::http::Limits;
use http::Method;

use super::samples::{Sample, all, now, providers, sample};

/// Sends it and gives the reason and status of the refusal.
fn refused(sample: &Sample, how: &str) -> (&'static str, u16) {
    match sample.send() {
        Ok(received) => panic!("{} {how}: accepted as {received:?}", sample.name),
        Err(rejection) => told(sample, &rejection),
    }
}

fn told(sample: &Sample, rejection: &Rejection) -> (&'static str, u16) {
    let providers = providers();
    let answer = sample.provider(&providers).rejected(rejection);
    assert_ne!(answer.status, 410, "{}: 410 switches webhooks off", sample.name);
    let words = format!("{rejection} {}", answer.body);
    for (_, key) in &sample.secrets {
        assert!(!words.contains(key.as_str()), "{}: the key is in {words:?}", sample.name);
    }
    (rejection.kind(), answer.status)
}

fn posts() -> Vec<Sample> {
    all().into_iter().filter(|sample| sample.method == Method::POST).collect()
}

#[test]
fn without_a_secret_everything_is_refused() {
    for mut sample in all() {
        sample.secrets.clear();
        assert_eq!(refused(&sample, "without secret"), ("no_secret", 503));
        sample.secrets = vec![("PANDADOC_WEBHOOK_KEY", " , ".to_owned())];
        assert_eq!(refused(&sample, "with blanks as a secret"), ("no_secret", 503));
    }
}

#[test]
fn a_wrong_key_is_refused() {
    for sample in all() {
        let wrong = sample.clone().with_key("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(refused(&wrong, "with a wrong key"), ("bad_signature", 401));
    }
}

#[test]
fn keys_can_be_rotated() {
    for sample in posts() {
        let key = sample.secrets[0].1.clone();
        let first = key.split(',').next().expect("a key").to_owned();
        for keys in [
            format!("bmV3LWtleS1vZi1oYW5kb2Zm,{first}"),
            format!("{first}, bmV3LWtleS1vZi1oYW5kb2Zm"),
        ] {
            let rotated = sample.clone().with_key(&keys);
            assert!(rotated.send().is_ok(), "{} with two keys", sample.name);
        }
    }
    // Both of the sample's keys and both of its secrets are good alone.
    let docusign = sample("docusign-completed-full");
    for key in docusign.secrets[0].1.clone().split(',') {
        assert!(docusign.clone().with_key(key).send().is_ok(), "{key}");
    }
    let old = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC0hIQ==";
    assert!(sample("standardwebhooks-contract-signed").with_key(old).send().is_ok());
}

#[test]
fn docusign_keys_are_text_although_they_look_like_base64() {
    let mut sample = sample("docusign-completed-full");
    let told = super::samples::json_file("docusign-completed-full.request.json");
    let wrong = told["wrong_if_key_is_base64_decoded"]["X-DocuSign-Signature-1"].as_str();
    sample.headers.remove("x-docusign-signature-2");
    let wrong = wrong.expect("the wrong value").parse().expect("a value");
    sample.headers.insert("x-docusign-signature-1", wrong);
    assert_eq!(refused(&sample, "signed with the decoded key"), ("bad_signature", 401));
}

#[test]
fn one_changed_byte_is_refused_where_the_body_is_signed() {
    for sample in posts() {
        if ["dropbox-sign", "adobe-sign"].contains(&sample.provider.as_str()) {
            continue;
        }
        for at in [0, sample.body.len() / 2, sample.body.len() - 1] {
            let mut changed = sample.clone();
            changed.body[at] ^= 1;
            assert_eq!(refused(&changed, "tampered"), ("bad_signature", 401), "byte {at}");
        }
        let mut longer = sample.clone();
        longer.body.push(b'\n');
        assert_eq!(refused(&longer, "with a line end more"), ("bad_signature", 401));
    }
}

#[test]
fn dropbox_sign_events_cannot_change_their_type_or_time() {
    let sample = sample("dropboxsign-downloadable");
    for (from, to) in [
        ("signature_request_downloadable", "signature_request_all_signed"),
        ("1791992633", "1791992634"),
    ] {
        let mut changed = sample.clone();
        let text = String::from_utf8(changed.body).expect("text");
        changed.body = text.replacen(from, to, 1).into_bytes();
        assert_eq!(refused(&changed, "tampered"), ("bad_signature", 401), "{to}");
    }
}

#[test]
fn what_carries_no_proof_is_refused() {
    let mut pandadoc = sample("pandadoc-completed-lean");
    for query in [None, Some("signature=".to_owned())] {
        pandadoc.query = query;
        assert_eq!(refused(&pandadoc, "unsigned"), ("unsigned", 401));
    }
    pandadoc.query = Some("signature=zz&x=1".to_owned());
    assert_eq!(refused(&pandadoc, "with no hexadecimal"), ("malformed_signature", 401));
    let mut docusign = sample("docusign-completed-full");
    docusign.headers.remove("x-docusign-signature-1");
    docusign.headers.remove("x-docusign-signature-2");
    assert_eq!(refused(&docusign, "unsigned"), ("unsigned", 401));
    let mut adobe = sample("adobe-completed-full");
    adobe.headers.remove("x-adobesign-clientid");
    assert_eq!(refused(&adobe, "unsigned"), ("unsigned", 401));
    for part in ["id", "timestamp", "signature"] {
        let mut standard = sample("standardwebhooks-contract-signed");
        standard.headers.remove(format!("webhook-{part}"));
        assert_eq!(refused(&standard, "unsigned"), ("unsigned", 401), "without {part}");
    }
}

#[test]
fn an_unknown_adobe_client_gets_no_success() {
    let stranger = sample("adobe-verification").with_key("CBJCHBCAABAAanother");
    assert_eq!(refused(&stranger, "from a stranger"), ("bad_signature", 401));
}

#[test]
fn stale_requests_are_refused_where_the_time_is_signed() {
    let standard = sample("standardwebhooks-contract-signed");
    for off in [TimeDelta::minutes(6), TimeDelta::minutes(-6)] {
        let rejection = standard.send_at(now() + off).expect_err("stale");
        assert_eq!(told(&standard, &rejection), ("stale", 401), "{off}");
    }
    assert!(standard.send_at(now() + TimeDelta::minutes(4)).is_ok());
    let dropbox = sample("dropboxsign-all-signed");
    for off in [TimeDelta::days(5), TimeDelta::minutes(-10)] {
        let rejection = dropbox.send_at(now() + off).expect_err("stale");
        assert_eq!(told(&dropbox, &rejection), ("stale", 401), "{off}");
    }
    // The provider's own retries go on for three days.
    assert!(dropbox.send_at(now() + TimeDelta::days(3)).is_ok());
}

#[test]
fn an_oversized_body_is_refused_with_what_to_switch_off() {
    for mut sample in posts() {
        sample.body.resize(BODY_LIMIT + 1, b' ');
        assert_eq!(refused(&sample, "oversized"), ("too_large", 413));
        let message = sample.send().expect_err("too large").to_string();
        assert!(message.contains("switch off the documents"), "{message}");
    }
}

#[test]
fn a_wrong_content_type_is_refused() {
    for mut sample in posts() {
        for kind in ["text/html", "application/octet-stream"] {
            sample.headers.insert("content-type", kind.parse().expect("a value"));
            assert_eq!(refused(&sample, kind), ("wrong_content_type", 415));
        }
        let dropbox = sample.provider == "dropbox-sign";
        let kind = if dropbox { "application/json" } else { "multipart/form-data; boundary=x" };
        sample.headers.insert("content-type", kind.parse().expect("a value"));
        assert_eq!(refused(&sample, kind), ("wrong_content_type", 415));
    }
}

#[test]
fn only_the_provider_s_own_methods_are_answered() {
    for mut sample in posts() {
        sample.method = Method::GET;
        if sample.provider == "adobe-sign" {
            assert!(matches!(sample.send(), Ok(Received::Handshake)), "verification of intent");
            sample.method = Method::PUT;
        }
        assert_eq!(refused(&sample, "with another method"), ("wrong_method", 405));
    }
}

#[test]
fn damaged_forms_are_refused() {
    let whole = sample("dropboxsign-all-signed");
    let mut cut = whole.clone();
    cut.body.truncate(cut.body.len() / 2);
    assert_eq!(refused(&cut, "cut in half"), ("malformed", 400));
    let mut other = whole.clone();
    let text = String::from_utf8(other.body).expect("text");
    other.body = text.replacen("name=\"json\"", "name=\"else\"", 1).into_bytes();
    assert_eq!(refused(&other, "without its field"), ("malformed", 400));
    let mut unbounded = whole;
    unbounded.headers.insert("content-type", "multipart/form-data".parse().expect("a value"));
    assert_eq!(refused(&unbounded, "without boundary"), ("malformed", 400));
}

#[test]
fn a_key_that_is_no_key_is_said_to_be_that() {
    let standard = sample("standardwebhooks-contract-signed");
    for key in ["whsec_not base64!", "whpk_AAAA"] {
        let sample = standard.clone().with_key(key);
        assert_eq!(refused(&sample, key), ("unusable_secret", 503));
    }
}

#[test]
fn an_empty_or_short_key_refuses_the_route_and_is_named() {
    for sample in posts() {
        let providers = providers();
        let provider = sample.provider(&providers);
        for key in ["whsec_", "whpk_", "short", "whsec_short", "a-good-long-key,x"] {
            let sample = sample.clone().with_key(key);
            assert_eq!(refused(&sample, key), ("unusable_secret", 503));
            let why = handoff::webhook::unusable(provider, &sample.secrets()).expect("a reason");
            let why = why.to_string();
            assert!(why.contains(provider.secret_names()[0]), "{why}");
            assert!(why.contains("fewer than 8 characters"), "{why}");
        }
        assert!(handoff::webhook::unusable(provider, &sample.secrets()).is_none());
    }
}

#[test]
fn a_docusign_key_that_was_copied_badly_is_said_to_be_that() {
    let body = br#"{"event":"envelope-completed","data":{"envelopeId":"a"}}"#.to_vec();
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    let mut sample = sample("docusign-completed-minimal").with_key(key);
    sample.headers.remove("x-docusign-signature-2");
    // HMAC-SHA256 of the body with the key as text, made by another program.
    let signature = "NNArjiOhm6LNFxGqsSdIdNJQ7+mb3JV1S2SJwy/uKZs=";
    sample.body = body;
    sample.headers.insert("x-docusign-signature-1", signature.parse().expect("a value"));
    assert!(sample.send().is_ok(), "the whole key");
    for (typed, expected) in [
        (key.trim_end_matches('='), "`=` at the end of the key is missing"),
        ("\"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=\"", "more than the key"),
    ] {
        let sample = sample.clone().with_key(typed);
        let rejection = sample.send().expect_err("refused");
        assert_eq!(told(&sample, &rejection), ("unusable_secret", 503));
        assert!(rejection.to_string().contains(expected), "{rejection}");
    }
    sample.headers.insert("x-docusign-signature-1", "not base64!".parse().expect("a value"));
    let rejection = sample.send().expect_err("refused");
    assert_eq!(told(&sample, &rejection), ("malformed_signature", 401));
    assert!(rejection.to_string().contains("is not base64"), "{rejection}");
}

#[test]
fn what_an_api_needs_is_named() {
    let none = handoff::model::Secrets::default();
    for provider in providers().iter() {
        let told = match provider.fetcher(&none, Limits::default()) {
            Err(error) => error.to_string(),
            Ok(api) => {
                assert!(api.is_none(), "{}", provider.name());
                assert!(provider.api_secret_names().is_empty());
                continue;
            }
        };
        let named = provider.api_secret_names().iter().any(|name| told.contains(name));
        assert!(named || told.contains("base_url"), "{}: {told}", provider.name());
    }
    let handshake = sample("dropboxsign-callback-test").send();
    assert!(matches!(handshake, Ok(Received::Handshake)));
}
