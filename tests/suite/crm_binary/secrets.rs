//! Tokens appear in nothing that is printed or written, however much is said.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{CRMS, Fake, World};

/// All that stands in the files of a folder.
fn written(folder: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            written(&path, into);
        } else {
            into.extend(fs::read(&path).unwrap());
        }
    }
}

fn check(crm: &'static str) {
    let mut world = World::of(crm, ", update_closed_won: true");
    let mut hidden: Vec<String> =
        world.secrets[world.secrets.len() - 1..].iter().map(|(_, value)| value.clone()).collect();
    if crm == "salesforce" {
        hidden.push("00DHs000002AbCd!SESSION".to_owned());
    }
    let loud = |world: &World, said: &mut String, arguments: &[&str]| {
        let mut all = vec!["-vvv"];
        all.extend(arguments);
        let mut secrets: Vec<(&str, &str)> =
            world.secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        secrets.push(("HANDOFF_LOG", "trace"));
        let ran = world.sandbox.handoff_with("l", &all, &secrets);
        *said += &format!("{}\n{}\n", ran.stdout, ran.stderr);
        ran.code
    };
    let mut said = String::new();
    let deal = match crm {
        "hubspot" => "31874500107",
        "salesforce" => "006Hs00000aB7cDIAS",
        _ => "7050",
    };
    let contract = world.contract(deal, "2026-11-20T15:01:58Z");
    let sign = ["sign", contract.as_str(), "--no-push"];
    let first = match crm {
        "hubspot" => "crm/pipelines",
        "salesforce" => "describe",
        _ => "users/me",
    };
    // Answers that repeat what they were sent, of every kind of failure.
    for status in [400, 401, 403, 404, 418, 500] {
        let sent = match &world.fake {
            Fake::Salesforce(fake) => {
                format!("00DHs000002AbCd!SESSION.{}", fake.state().logins + 1)
            }
            _ => hidden.join(" "),
        };
        let echo = format!("bad header Bearer {sent}");
        let body = match crm {
            "salesforce" => json!([{"errorCode": "X", "message": echo}]),
            _ => json!({"message": echo, "error": echo, "category": "VALIDATION_ERROR"}),
        };
        // So often that no try is left.
        world.fail(
            first,
            if status < 500 { 1 } else { 4 + usize::from(crm == "hubspot") },
            status,
            &body,
        );
        let code = loud(&world, &mut said, &["audit"]);
        assert_ne!(code, 0, "{crm}: {status}");
    }
    loud(&world, &mut said, &["doctor"]);
    assert!(said.contains("[redacted]"), "{crm}: the answers did repeat it");
    assert_eq!(loud(&world, &mut said, &sign), 0, "{crm}: {said}");
    loud(&world, &mut said, &["audit", "--format", "json"]);
    let mut files = Vec::new();
    written(&world.sandbox.join("l"), &mut files);
    said += &String::from_utf8_lossy(&files);
    // A token that is not accepted, and a server that is not there.
    let last = world.secrets.len() - 1;
    world.secrets[last].1 = "another-token-0815".to_owned();
    hidden.push("another-token-0815".to_owned());
    assert_eq!(loud(&world, &mut said, &["audit"]), 3, "{crm}");
    world.connect_to_nothing();
    assert_eq!(loud(&world, &mut said, &["audit"]), 3, "{crm}");
    for secret in &hidden {
        assert!(!said.contains(secret), "{crm}: {secret} is told:\n{said}");
    }
}

#[test]
fn crm_binary_tokens_of_hubspot_are_told_nowhere() {
    check(CRMS[0]);
}

#[test]
fn crm_binary_tokens_of_salesforce_are_told_nowhere() {
    check(CRMS[1]);
}

#[test]
fn crm_binary_tokens_of_pipedrive_are_told_nowhere() {
    check(CRMS[2]);
}
