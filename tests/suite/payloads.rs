//! What `handoff sign` reads: payloads as they were passed on, and their proofs.

use std::fs;

use serde_json::{Value, json};

use crate::sandbox::{NOW, Ran, Sandbox, fixture, ran};
use crate::sign::{head, ledger, sample};

/// `sign -` with these bytes on standard input.
fn piped(sandbox: &Sandbox, bytes: &[u8]) -> Ran {
    let path = sandbox.write("stdin", bytes);
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("ledger"));
    command.args(["--now", NOW, "sign", "-", "--format", "json"]);
    command.stdin(std::process::Stdio::from(std::fs::File::open(path).unwrap()));
    ran(&command.output().unwrap(), "handoff sign -".to_owned())
}

#[test]
fn a_payload_is_read_however_it_was_packed_or_written() {
    let plain = std::fs::read(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let text = String::from_utf8(plain.clone()).unwrap();
    let packed = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, bytes).unwrap();
        packer.finish().unwrap()
    };
    let wide = |bom: &[u8], is_big: bool| {
        let bytes = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        bom.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
    };
    let small = wide(b"\xff\xfe", false);
    let with_mark = [b"\xef\xbb\xbf", &plain[..]].concat();
    let read: [(&str, Vec<u8>); 7] = [
        ("plain", plain.clone()),
        ("a byte order mark", with_mark),
        ("gzip", packed(&plain)),
        ("UTF-16, little end first", small.clone()),
        ("UTF-16, big end first", wide(b"\xfe\xff", true)),
        ("UTF-16 without a mark", wide(b"", false)),
        ("UTF-16 in gzip", packed(&small)),
    ];
    let mut keys = std::collections::BTreeSet::new();
    for (what, bytes) in read {
        let sandbox = crate::refresh::ledger();
        let signed = piped(&sandbox, &bytes);
        assert_eq!(signed.code, 0, "{what}: {}", signed.stderr);
        keys.insert(signed.json()["key"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    let sandbox = crate::refresh::ledger();
    let refused: [(Vec<u8>, &str); 6] = [
        (packed(&plain)[..400].to_vec(), "damaged gzip"),
        (packed(b"  "), "is empty"),
        (b"PK\x03\x04and so on".to_vec(), "is a zip file, not a payload"),
        (b"%PDF-1.7 and so on".to_vec(), "is a PDF, not a payload"),
        (small[..small.len() - 1].to_vec(), "damaged UTF-16LE"),
        (packed(&vec![b' '; 33 * 1024 * 1024]), "larger than 32 MiB when unpacked"),
    ];
    for (bytes, words) in refused {
        let ran = piped(&sandbox, &bytes);
        assert_eq!(ran.code, 2, "{words}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(words) && ran.stderr.contains("help"),
            "{words}: {}",
            ran.stderr
        );
    }
    // A body that says two things under one key says neither.
    let twice = text.replacen("\"status\"", "\"status\": \"document.draft\", \"status\"", 1);
    assert_ne!(twice, text);
    let ran = piped(&sandbox, twice.as_bytes());
    assert_ne!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.stderr.contains("\"status\" stands twice"), "{}", ran.stderr);
}

#[test]
fn a_completed_envelope_that_contradicts_itself_is_refused() {
    let sample = fs::read_to_string(sample("docusign-completed-full.body.json")).unwrap();
    let sample: Value = serde_json::from_str(&sample).unwrap();
    let another = "00000000-0000-0000-0000-000000000000";
    for (pointer, value, words) in [
        ("/data/envelopeSummary/envelopeId", another, "another one, 00000000"),
        ("/data/envelopeSummary/recipients/signers/0/status", "Declined", "declined by"),
        ("/data/envelopeSummary/status", "voided", "voided"),
    ] {
        let sandbox = ledger();
        let mut event = sample.clone();
        *event.pointer_mut(pointer).expect(pointer) = json!(value);
        let path = sandbox.write("event.json", event.to_string()).display().to_string();
        let ran = sandbox.handoff("ledger", &["sign", &path]);
        assert_eq!(ran.code, 2, "{pointer}: {}", ran.stdout);
        assert!(ran.stderr.contains(words), "{pointer}: {}", ran.stderr);
    }
}

#[test]
fn the_request_that_starts_a_workflow_is_taken_as_it_is() {
    let body = fs::read(sample("pandadoc-completed-full.body.json")).unwrap();
    let parsed: Value = serde_json::from_slice(&body).unwrap();
    use base64::Engine as _;
    let raw = base64::engine::general_purpose::STANDARD.encode(&body);
    for inner in [
        json!({"payload": parsed}),
        json!({"payload": parsed, "provider": "PandaDoc"}),
        json!({"body_base64": raw, "headers": {"Content-Type": ["application/json"]}}),
    ] {
        let sandbox = ledger();
        let envelope = json!({"event_type": "contract-signed", "client_payload": inner});
        let path = sandbox.write("envelope.json", envelope.to_string()).display().to_string();
        let ran = sandbox.handoff("ledger", &["sign", &path, "--as", "contract"]);
        assert!(ran.code == 0, "{}", ran.stderr);
    }
}

#[test]
fn what_nobody_signs_is_not_called_verified_where_its_api_cannot_be_asked() {
    use base64::Engine as _;
    let body = fs::read(fixture("esign/adobe-completed-full.body.json")).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(body);
    let sandbox = ledger();
    let headers = json!({"content-type": "application/json", "x-adobesign-clientid": "client-1"});
    let envelope = json!({"body_base64": body, "headers": headers}).to_string();
    let path = sandbox.write("envelope.json", envelope).display().to_string();
    let sign = ["sign", path.as_str(), "--as", "contract", "--no-deliver"];
    let ran = sandbox.handoff_with("ledger", &sign, &[("ADOBE_SIGN_CLIENT_ID", "client-1")]);
    let ran = ran.exits(0);
    for words in ["was not verified: it does not sign", "without ADOBE_SIGN_ACCESS_TOKEN"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("is verified"), "{}", ran.stderr);
}

#[test]
fn a_request_whose_proof_was_left_out_is_refused_whoever_sent_it() {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut all: Vec<(String, String, Vec<u8>, bool)> = Vec::new();
    for (provider, file, secret) in [
        ("pandadoc", "pandadoc-completed-full.body.json", "PANDADOC_WEBHOOK_KEY"),
        ("docusign", "docusign-completed-full.body.json", "DOCUSIGN_HMAC_KEY"),
        ("adobe-sign", "adobe-completed-full.body.json", "ADOBE_SIGN_CLIENT_ID"),
        (
            "standard-webhooks",
            "standardwebhooks-contract-signed.body.json",
            "STANDARD_WEBHOOKS_SECRET",
        ),
    ] {
        let body = fs::read(fixture(&format!("esign/{file}"))).unwrap();
        all.push((provider.to_owned(), secret.to_owned(), body, false));
    }
    for entry in fs::read_dir(fixture("senders")).unwrap() {
        let sent: Value =
            serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let text = |name: &str| sent[name].as_str().unwrap().to_owned();
        let is_shipped = sent.get("settings").is_none() && sent["expect"].get("ignored").is_none();
        if is_shipped {
            let secret =
                format!("{}_WEBHOOK_SECRET", text("sender").to_uppercase().replace('-', "_"));
            let holds_proof = sent["proof"] == "event";
            all.push((text("sender"), secret, text("body").into_bytes(), holds_proof));
        }
    }
    assert!(all.len() > 15, "fixtures are gone: {}", all.len());
    let sandbox = ledger();
    let before = head(&sandbox);
    let key = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    for (provider, secret, body, holds_proof) in all {
        let bare = json!({"provider": provider, "body_base64": base64(&body)});
        let path = sandbox.write("envelope.json", bare.to_string()).display().to_string();
        let signed = ["sign", path.as_str(), "--no-deliver"];
        let ran = sandbox.handoff_with("ledger", &signed, &[(&secret, key)]);
        assert_eq!(ran.code, 3, "{provider}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("does not hold"), "{provider}: {}", ran.stderr);
        let said = ran.stderr.contains("the envelope has no `query` and no `headers`");
        assert!(said || holds_proof, "{provider}: {}", ran.stderr);
        assert_eq!(head(&sandbox), before, "{provider}");
        // Who names the provider on the command line is asked for the same proof.
        let mut unnamed = bare;
        unnamed.as_object_mut().unwrap().remove("provider");
        sandbox.write("envelope.json", unnamed.to_string());
        let named = ["sign", path.as_str(), "--no-deliver", "--provider", &provider];
        let ran = sandbox.handoff_with("ledger", &named, &[(&secret, key)]);
        assert_eq!(ran.code, 3, "{provider}: {}{}", ran.stdout, ran.stderr);
    }
}
