//! The vendors' own signature vectors.

use base64::Engine as _;
use chrono::DateTime;
use ed25519_dalek::{Signer as _, SigningKey};
use handoff::esign::Rejection;
use http::HeaderMap;

use super::samples::{Sample, json_file, now, sample};

fn verdict(sample: &Sample, seconds: i64) -> Option<&'static str> {
    let now = DateTime::from_timestamp(seconds, 0).expect("a time");
    sample.send_at(now).err().map(|rejection: Rejection| rejection.kind())
}

#[test]
fn dropbox_sign_vectors_verify() {
    let vectors = json_file("vendor-signature-vectors.json");
    let vectors = vectors["dropbox_sign_event_hash"].as_array().expect("a list").clone();
    assert_eq!(vectors.len(), 13, "a vector is gone");
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().expect("a text").to_owned();
        let mut sample = sample("dropboxsign-callback-test").with_key(&text("api_key"));
        let (time, kind) = (text("event_time"), text("event_type"));
        let body = |hash: &str| {
            let event = serde_json::json!({
                "event": {"event_time": time, "event_type": kind, "event_hash": hash}
            });
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{event}\r\n--b--\r\n"
            )
            .into_bytes()
        };
        let form = "multipart/form-data; boundary=b".parse().expect("a value");
        sample.headers.insert("content-type", form);
        let seconds: i64 = time.parse().expect("seconds");
        sample.body = body(&text("event_hash"));
        assert_eq!(verdict(&sample, seconds), None, "{vector}");
        assert_eq!(verdict(&sample, 1_791_992_640), Some("stale"), "{vector}");
        sample.body = body(&text("event_hash").replace(['0', '1'], "2"));
        assert_eq!(verdict(&sample, seconds), Some("bad_signature"), "{vector}");
    }
}

#[test]
fn standard_webhooks_vectors_verify() {
    let vectors = json_file("vendor-signature-vectors.json");
    for vector in vectors["standard_webhooks"].as_array().expect("a list") {
        let text = |name: &str| vector[name].as_str().expect("a text").to_owned();
        let seconds = vector["webhook-timestamp"].as_i64().expect("seconds");
        let mut sample = sample("standardwebhooks-contract-signed").with_key(&text("secret"));
        sample.body = text("body").into_bytes();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", text("webhook-id").parse().expect("a value"));
        headers.insert("webhook-timestamp", seconds.into());
        headers.insert("webhook-signature", text("signature").parse().expect("a value"));
        sample.headers = headers;
        // The vector's body has neither type nor id: a ping, which is answered.
        assert_eq!(verdict(&sample, seconds), None, "{vector}");
        sample.body.push(b' ');
        assert_eq!(verdict(&sample, seconds), Some("bad_signature"), "{vector}");
    }
}

#[test]
fn asymmetric_signatures_verify() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let base64 = base64::engine::general_purpose::STANDARD;
    let public = format!("whpk_{}", base64.encode(key.verifying_key().as_bytes()));
    let mut sample = sample("standardwebhooks-contract-signed").with_key(&public);
    let header = |name: &str| sample.headers[name].to_str().expect("text").to_owned();
    let mut message =
        format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).into_bytes();
    message.extend_from_slice(&sample.body);
    let signature = base64.encode(key.sign(&message).to_bytes());
    let seconds = now().timestamp();
    assert_eq!(verdict(&sample, seconds), Some("bad_signature"), "v1 is not for this key");
    let value = format!("v9,zzzz v1a,{signature}").parse().expect("a value");
    sample.headers.insert("webhook-signature", value);
    assert_eq!(verdict(&sample, seconds), None);
    sample.body[20] ^= 1;
    assert_eq!(verdict(&sample, seconds), Some("bad_signature"));
    // A shared secret beside the public key works as before.
    let both = format!("{public},whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let shared = super::samples::sample("standardwebhooks-contract-signed").with_key(&both);
    assert_eq!(verdict(&shared, seconds), None);
}
