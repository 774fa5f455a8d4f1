//! Every sample as it is: accepted, and read rightly.

use handoff::facts::SignatureEvent;

use super::samples::{all, sample};

#[test]
fn pandadoc_batch_holds_one_completion() {
    let verified = sample("pandadoc-batch").verified();
    let kinds: Vec<&str> = verified
        .claims()
        .iter()
        .map(|event| match event {
            SignatureEvent::Completed(_) => "completed",
            SignatureEvent::Sent(_) => "sent",
            SignatureEvent::Voided { .. } => "voided",
            SignatureEvent::Ignored { what } => what,
        })
        .collect();
    assert_eq!(kinds, ["recipient_completed", "completed", "document sent"]);
}

#[test]
fn standard_webhooks_sample_is_a_completion_with_its_deal() {
    let verified = sample("standardwebhooks-contract-signed").verified();
    let [SignatureEvent::Completed(signature)] = verified.claims() else {
        panic!("{:?}", verified.claims())
    };
    insta::assert_json_snapshot!(signature);
}

#[test]
fn pandadoc_full_sample_keeps_what_the_sender_put_on_it() {
    let verified = sample("pandadoc-completed-full").verified();
    let [SignatureEvent::Completed(signature)] = verified.claims() else {
        panic!("{:?}", verified.claims())
    };
    insta::assert_json_snapshot!(signature);
}

#[test]
fn a_wrong_key_is_refused() {
    for sample in all().into_iter().filter(|sample| sample.provider == "pandadoc") {
        let name = sample.name.clone();
        assert!(sample.with_key("another").send().is_err(), "{name}");
    }
}
