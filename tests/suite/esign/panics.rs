//! Whatever bytes come, nothing panics.

use handoff::esign::Request;
use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::samples::{all, now, providers};

fn read_everywhere(body: &[u8], content_type: &str, query: &str) {
    let providers = providers();
    let mut headers = HeaderMap::new();
    if let Ok(value) = content_type.parse() {
        headers.insert("content-type", value);
    }
    let _ = providers.parse(None, body);
    for provider in providers.iter() {
        let _ = provider.recognises(body);
        let plain = provider.parse(body, None);
        // What is kept says the same as what came.
        let redacted = provider.redact(body);
        if let Ok(events) = &plain {
            assert_eq!(provider.parse(&redacted, None).as_ref(), Ok(events), "{}", provider.name());
            let kept = provider.parse(&redacted, Some(content_type));
            assert!(kept.is_err() || kept.as_ref() == Ok(events), "{}", provider.name());
        }
        let _ = provider.parse(body, Some(content_type));
        let _ = providers.parse(Some(provider.name()), body);
        for method in [Method::GET, Method::POST] {
            let request = Request { method: &method, headers: &headers, query: Some(query), body };
            let secrets = handoff::model::Secrets::new(
                provider.secret_names().iter().map(|name| ((*name).to_owned(), "a2V5".into())),
            );
            let _ = provider.receive(&request, &secrets, now());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        content_type in ".{0,60}",
        query in ".{0,60}",
    ) {
        read_everywhere(&body, &content_type, &query);
    }

    #[test]
    fn no_damage_to_a_real_body_makes_a_reader_panic(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let samples: Vec<_> = all().into_iter().filter(|s| !s.body.is_empty()).collect();
        let mut body = which.get(&samples).body.clone();
        for (place, byte) in places {
            let at = place.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len()) + 1);
        read_everywhere(&body, "multipart/form-data; boundary=--------------handoffboundary01", "signature=00");
    }

    #[test]
    fn no_json_makes_a_reader_panic(json in json()) {
        read_everywhere(json.to_string().as_bytes(), "application/json", "signature=00");
    }
}

/// JSON of the providers' own names with anything in them.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        prop_oneof![
            Just("document_state_changed"),
            Just("document.completed"),
            Just("envelope-completed"),
            Just("signature_request_all_signed"),
            Just("AGREEMENT_WORKFLOW_COMPLETED"),
            Just("contract.signed"),
            Just("signer"),
            Just("deal"),
            Just("")
        ]
        .prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    let name = prop_oneof![
        Just("event"),
        Just("data"),
        Just("id"),
        Just("status"),
        Just("recipients"),
        Just("linked_objects"),
        Just("metadata"),
        Just("grand_total"),
        Just("amount"),
        Just("envelopeId"),
        Just("envelopeSummary"),
        Just("customFields"),
        Just("event_type"),
        Just("event_time"),
        Just("signature_request"),
        Just("signature_request_id"),
        Just("agreement"),
        Just("type"),
        Just("timestamp"),
        Just("crm"),
        Just("tokens"),
        Just("fields"),
        Just("value"),
        Just("name"),
        Just("deal_id"),
        Just("members"),
        Just("shared_link"),
        Just("accessCode"),
        Just("actingUserIpAddress"),
        Just("custom_fields"),
        Just("tabs"),
        Just("textTabs"),
        Just("tabLabel"),
        Just("field_id"),
        Just("signing_url"),
        Just("payload"),
        Just("recipients"),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
