//! Payloads somebody gave by hand, and what is odd in them.

use handoff::esign::{EsignConfig, ParseError, Providers, Route};
use handoff::model::{Signature, SignatureEvent};
use serde_json::{Value, json};

use super::samples::{all, file, json_file, providers, with};

fn read(providers: &Providers, provider: &str, body: &Value) -> Vec<SignatureEvent> {
    let body = body.to_string();
    match providers.parse(Some(provider), body.as_bytes()) {
        Ok((_, events)) => events,
        Err(error) => panic!("{error}: {body}"),
    }
}

fn pandadoc(data: &Value) -> SignatureEvent {
    let body = json!([{"event": "document_state_changed", "data": data}]);
    read(&providers(), "pandadoc", &body).remove(0)
}

fn completed(event: SignatureEvent) -> Signature {
    match event {
        SignatureEvent::Completed(signature) => signature,
        other => panic!("expected a completion, got {other:?}"),
    }
}

fn error(name: Option<&str>, body: &[u8]) -> String {
    match providers().parse(name, body) {
        Ok((provider, events)) => panic!("read as {}: {events:?}", provider.name()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_sample_is_recognised_as_its_own_provider_s_and_no_other_s() {
    let providers = providers();
    for sample in all().into_iter().filter(|sample| !sample.body.is_empty()) {
        let expected = sample.provider(&providers).name();
        let knows: Vec<&str> = providers
            .iter()
            .filter(|provider| provider.recognises(&sample.body))
            .map(Route::name)
            .collect();
        assert_eq!(knows, [expected], "{}", sample.name);
        let (found, events) = providers.parse(None, &sample.body).expect("it is read");
        assert_eq!(found.name(), expected);
        assert!(!events.is_empty(), "{}", sample.name);
        // Wrongly named, it is said whose it is.
        for other in providers.iter().filter(|other| other.name() != expected) {
            let error = error(Some(other.name()), &sample.body);
            assert!(
                error.contains("looks like") && error.contains(&format!("--provider {expected}")),
                "{} as {}: {error}",
                sample.name,
                other.name()
            );
        }
    }
    // The JSON part alone, as somebody may have saved it.
    let (found, _) = providers.parse(None, &file("dropboxsign-all-signed.json")).expect("read");
    assert_eq!(found.name(), "dropbox-sign");
}

#[test]
fn damage_is_named_with_its_place() {
    let whole = file("pandadoc-completed-lean.body.json");
    let cut = error(None, &whole[..1000]);
    assert!(cut.contains("cut off at line 1, column 1000"), "{cut}");
    let bad = error(Some("docusign"), b"{\n  \"event\": yes\n}");
    assert!(bad.contains("not JSON") && bad.contains("line 2, column"), "{bad}");
    assert!(error(None, b" \n").contains("empty"));
    let unknown = error(None, b"{\"hello\": 1}");
    assert!(unknown.contains("pandadoc, docusign, dropbox-sign, adobe-sign, standard-webhooks"));
    let nobody = error(Some("pandadocs"), b"{}");
    assert!(nobody.contains("there is no e-sign provider \"pandadocs\""), "{nobody}");
    let providers = providers();
    let (found, _) = providers
        .parse(Some("generic"), &file("standardwebhooks-contract-signed.body.json"))
        .expect("the alias");
    assert_eq!(found.name(), "standard-webhooks");
    // A byte order mark is no damage.
    let marked = [b"\xEF\xBB\xBF".as_slice(), &whole].concat();
    assert!(providers.parse(None, &marked).is_ok());
}

#[test]
fn docusign_legacy_messages_are_refused_with_what_to_switch_to() {
    let xml = b"<?xml version=\"1.0\"?><DocuSignEnvelopeInformation/>";
    let json = br#"{"envelopeId": "a", "status": "completed", "emailSubject": "x"}"#;
    for body in [xml.as_slice(), json] {
        for name in [None, Some("docusign")] {
            let error = error(name, body);
            assert!(error.contains("legacy aggregate") && error.contains("SIM"), "{error}");
        }
    }
}

#[test]
fn nothing_but_id_and_event_is_needed() {
    let signature = completed(pandadoc(&json!({"id": "a", "status": "document.completed"})));
    assert_eq!(signature.document_id.as_str(), "a");
    assert_eq!((signature.signed_at, signature.total.as_ref()), (None, None));
    assert_eq!(signature.remarks, Vec::<String>::new());
    let body =
        json!([{"event": "document_state_changed", "data": {"status": "document.completed"}}]);
    let error = error(Some("pandadoc"), body.to_string().as_bytes());
    assert!(error.contains("no data.id"), "{error}");
}

#[test]
fn one_bad_notification_does_not_hold_back_its_batch() {
    let body = json!([
        {"event": "document_state_changed", "data": {"status": "document.completed"}},
        {"event": "document_state_changed", "data": {"id": "b", "status": "document.completed"}},
        {"event": "something_new", "data": {"id": "b"}},
    ]);
    let events = read(&providers(), "pandadoc", &body);
    assert!(matches!(&events[0], SignatureEvent::Completed(s) if s.document_id.as_str() == "b"));
    assert_eq!(events[1], SignatureEvent::Ignored { what: "something_new".to_owned() });
}

#[test]
fn completed_by_hand_is_remarked() {
    let signature = completed(pandadoc(&json!({
        "id": "a", "status": "document.completed", "name": "[DEV] Order",
        "recipients": [
            {"recipient_type": "Signer", "first_name": "Dana", "last_name": "Wu", "has_completed": false},
            {"recipient_type": "cc", "first_name": "Copy", "has_completed": false},
            {"recipient_type": "signer", "type": "recipient_group", "name": "Legal", "has_completed": false,
             "members": [{"email": "a@x.example", "has_completed": true}, {"email": "b@x.example", "has_completed": false}]},
        ],
    })));
    assert_eq!(signature.document_name.as_deref(), Some("Order"));
    assert_eq!(signature.signers.len(), 3, "{:?}", signature.signers);
    assert_eq!(signature.remarks.len(), 2, "{:?}", signature.remarks);
    assert!(signature.remarks[0].contains("sandbox"));
    // Any member signs for the group, so only Dana is missing.
    assert!(signature.remarks[1].contains("\"Dana Wu\" has not signed"), "{:?}", signature.remarks);
}

#[test]
fn pandadoc_details_and_webhook_give_one_set_of_metadata() {
    let details = json_file("pandadoc-details.response.json");
    let from_details = completed(pandadoc(&details)).metadata;
    let webhook = json_file("pandadoc-completed-full.body.json");
    for (name, value) in completed(pandadoc(&webhook[0]["data"])).metadata {
        assert_eq!(from_details.get(&name), Some(&value), "{name}");
    }
}

#[test]
fn linked_objects_come_before_metadata_and_without_doubles() {
    let signature = completed(pandadoc(&json!({
        "id": "a", "status": "document.completed",
        "metadata": {"hubspot.deal_id": [42, "7"], "freshsales.deal_id": 9, "deal_id": "12"},
        "linked_objects": [
            {"provider": "Salesforce-OAuth2-Sandbox", "entity_type": "Account", "entity_id": "001"},
            {"provider": "Salesforce-OAuth2-Sandbox", "entity_type": "Opportunity", "entity_id": "0065g00000XyZ12"},
            {"provider": "HubSpot", "entity_type": "DEAL", "entity_id": 7},
        ],
    })));
    let refs: Vec<String> = signature
        .deal_refs
        .iter()
        .map(|r| format!("{}:{}", r.crm.as_ref().map_or("?", |crm| crm.as_str()), r.id))
        .collect();
    assert_eq!(
        refs,
        ["salesforce:0065g00000XyZ12", "hubspot:7", "hubspot:42", "freshsales:9", "?:12"]
    );
}

#[test]
fn amounts_are_decimals_and_odd_ones_are_remarked() {
    let total = |amount: Value| {
        completed(pandadoc(&json!({
            "id": "a", "status": "document.completed", "grand_total": {"amount": amount, "currency": "usd"}
        })))
    };
    assert_eq!(total(json!("29.90")).total.expect("money").amount.to_string(), "29.90");
    assert_eq!(total(json!(199)).total.expect("money").currency.as_deref(), Some("USD"));
    assert_eq!(total(json!("0.00")).total, None, "no prices are no total");
    let odd = total(json!("a lot"));
    assert_eq!(odd.total, None);
    assert!(odd.remarks[0].contains("a lot"), "{:?}", odd.remarks);
}

#[test]
fn settings_decide_what_counts() {
    let paid = json!([{"event": "document_state_changed", "data": {"id": "a", "status": "document.paid"}}]);
    let sent = json!([{"event": "document_state_changed", "data": {"id": "a", "status": "document.sent"}}]);
    let defaults = providers();
    for body in [&paid, &sent] {
        let events = read(&defaults, "pandadoc", body);
        assert!(matches!(events[0], SignatureEvent::Ignored { .. }), "{events:?}");
    }
    let set = with("{pandadoc: {trigger: [paid], drafts: true}}");
    assert!(matches!(read(&set, "pandadoc", &paid)[0], SignatureEvent::Completed(_)));
    assert!(matches!(read(&set, "pandadoc", &sent)[0], SignatureEvent::Sent(_)));
    let configured: Vec<&str> = set.configured().map(Route::name).collect();
    assert_eq!(configured, ["pandadoc"]);
}

#[test]
fn an_end_without_signatures_is_told_apart() {
    let defaults = providers();
    let cases = [
        (
            "pandadoc",
            json!([{"event": "document_state_changed", "data": {"id": "a", "status": "document.declined"}}]),
            "declined",
        ),
        ("pandadoc", json!([{"event": "document_deleted", "data": {"id": "a"}}]), "deleted"),
        (
            "docusign",
            json!({"event": "envelope-voided", "data": {"envelopeId": "a", "envelopeSummary": {"voidedReason": "a typo"}}}),
            "voided: a typo",
        ),
        (
            "docusign",
            json!({"event": "envelope-declined", "data": {"envelopeId": "a", "envelopeSummary": {
                "recipients": {"signers": [{"name": "Al"}, {"name": "Bo", "declinedReason": "too\nlong"}]}}}}),
            "declined: too long",
        ),
        (
            "dropbox-sign",
            json!({"event": {"event_type": "signature_request_canceled"}, "signature_request": {"signature_request_id": "a"}}),
            "canceled",
        ),
        (
            "adobe-sign",
            json!({"event": "AGREEMENT_RECALLED", "agreement": {"id": "a"}}),
            "recalled",
        ),
        (
            "standard-webhooks",
            json!({"type": "contract.declined", "data": {"id": "a"}}),
            "declined",
        ),
    ];
    for (provider, body, expected) in cases {
        match &read(&defaults, provider, &body)[..] {
            [SignatureEvent::Voided { signature, what }] => {
                assert_eq!((signature.document_id.as_str(), what.as_str()), ("a", expected));
            }
            other => panic!("{provider}: {other:?}"),
        }
    }
}

#[test]
fn tests_and_sandboxes_are_told_as_such_by_every_provider() {
    let dropbox = |flag: Value| {
        let mut body = json_file("dropboxsign-all-signed.json");
        body["signature_request"]["test_mode"] = flag;
        completed(read(&providers(), "dropbox-sign", &body).remove(0))
    };
    for flag in [json!(true), json!(1), json!("1"), json!("true")] {
        let signature = dropbox(flag.clone());
        assert!(signature.test, "{flag}");
        assert!(signature.remarks[0].contains("no legal value"));
    }
    for flag in [json!(false), json!(0), json!(null), json!("0")] {
        assert!(!dropbox(flag.clone()).test, "{flag}");
    }
    let named = |name: &str| {
        completed(pandadoc(&json!({"id": "a", "status": "document.completed", "name": name}))).test
    };
    assert!(named("[DEV] Order") && !named("Order [DEV]"));
    assert!(named("[dev] Order") && named("[Sandbox] Order") && !named("[Acme] Order"));
    let docusign = json_file("docusign-completed-full.body.json");
    let live = completed(read(&providers(), "docusign", &docusign).remove(0));
    assert!(!live.test && live.url.expect("a link").starts_with("https://app.docusign.com/"));
    let demo = with("{docusign: {base_url: 'https://demo.docusign.net', account_id: a}}");
    let demo = completed(read(&demo, "docusign", &docusign).remove(0));
    assert!(demo.test && demo.url.is_none() && demo.remarks[0].contains("demo"));
    let mut told = docusign.clone();
    told["data"]["envelopeSummary"]["envelopeUri"] = "https://demo.docusign.net/restapi/x".into();
    assert!(completed(read(&providers(), "docusign", &told).remove(0)).test);
    let view = "https://appdemo.docusign.com/documents/details/x";
    let mut told = docusign.clone();
    told["data"]["envelopeSummary"]["senderViewUrl"] = view.into();
    assert!(completed(read(&providers(), "docusign", &told).remove(0)).test);
    // What a signer wrote into a field says nothing of the envelope.
    let mut told = docusign.clone();
    told["data"]["envelopeSummary"]["recipients"]["signers"][0]["siteUrl"] = view.into();
    assert!(!completed(read(&providers(), "docusign", &told).remove(0)).test);
    let adobe = json_file("adobe-completed-full.body.json");
    assert!(!completed(read(&providers(), "adobe-sign", &adobe).remove(0)).test);
    let sandbox = with("{adobe_sign: {base_url: 'https://api.na1.adobesignsandbox.com'}}");
    assert!(completed(read(&sandbox, "adobe-sign", &adobe).remove(0)).test);
    let flagged = |at_top: Value, in_data: Value| {
        let mut body = json!({"type": "contract.signed", "data": {"id": "a", "name": "Order"}});
        let members = |value: Value| value.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(members(at_top));
        body["data"].as_object_mut().expect("an object").extend(members(in_data));
        completed(read(&providers(), "standard-webhooks", &body).remove(0)).test
    };
    for extra in [
        json!({"livemode": false}),
        json!({"environment": "sandbox"}),
        json!({"Environment": "Test"}),
        json!({"mode": "test"}),
        json!({"test": true}),
        json!({"sandbox": true}),
        json!({"test_mode": 1}),
        json!({"testMode": "yes"}),
        json!({"isDemo": true}),
    ] {
        assert!(flagged(extra.clone(), json!({})), "at the top: {extra}");
        assert!(flagged(json!({}), extra.clone()), "in data: {extra}");
    }
    for extra in [
        json!({"livemode": true}),
        json!({"environment": "production"}),
        json!({"test": false}),
        json!({"sandbox": 0}),
        json!({"mode": "email"}),
        json!({"metadata": {"sandbox": true, "environment": "test"}}),
    ] {
        assert!(!flagged(extra.clone(), json!({})), "at the top: {extra}");
        assert!(!flagged(json!({}), extra.clone()), "in data: {extra}");
    }
    assert!(flagged(json!({}), json!({"name": "[DEV] Order"})));
}

#[test]
fn names_lose_what_a_mail_s_subject_has_before_them_in_any_language() {
    let named = |subject: &str| {
        let body = json!({"event": "envelope-completed", "data": {"envelopeId": "a", "envelopeSummary": {
            "emailSubject": subject, "envelopeDocuments": [{"documentId": "1", "name": "Order.pdf"}]}}});
        completed(read(&providers(), "docusign", &body).remove(0)).document_name.expect("a name")
    };
    for (subject, name) in [
        ("Complete with Docusign: CE TEMPLATE 01.pdf", "CE TEMPLATE 01.pdf"),
        ("Please DocuSign: Order form: Acme", "Order form: Acme"),
        ("Mit DocuSign abschließen: Rahmenvertrag", "Rahmenvertrag"),
        ("Complétez avec Docusign : Bon de commande", "Bon de commande"),
        ("Docusignで完了：注文書", "注文書"),
        ("Complete with Docusign:", "Order.pdf"),
        ("Order form: Acme", "Order form: Acme"),
        ("Acme", "Acme"),
    ] {
        assert_eq!(named(subject), name, "{subject}");
    }
}

#[test]
fn the_customer_is_a_company_that_the_provider_knows_and_never_a_subject() {
    let adobe = json_file("adobe-completed-full.body.json");
    let signature = completed(read(&providers(), "adobe-sign", &adobe).remove(0));
    assert_eq!(signature.customer.as_deref(), Some("Brightwater Logistics Ltd"));
    assert_eq!(
        signature.sender.expect("who sent it").email.as_deref(),
        Some("marcus.oyelaran@acme-cloud.example")
    );
    let tokens = json_file("pandadoc-completed-full.body.json");
    let signature = completed(read(&providers(), "pandadoc", &tokens).remove(0));
    assert_eq!(signature.customer.as_deref(), Some("Brightwater Logistics Ltd"));
    assert_eq!(signature.template.as_deref(), Some("Order Form v7"));
    assert_eq!(signature.template_id.as_deref(), Some("gZRVmyHiQV5riXSCMKsku2"));
    assert_eq!(signature.tags, ["order-form"]);
    let tabs = |companies: &[(&str, &str)]| {
        let signers: Vec<Value> = companies
            .iter()
            .map(|(email, company)| json!({"email": email, "tabs": {"companyTabs": [{"tabLabel": "c", "value": company}]}}))
            .collect();
        let body = json!({"event": "envelope-completed", "data": {"envelopeId": "a", "envelopeSummary": {
            "emailSubject": "Complete with Docusign: x.pdf", "sender": {"userName": "Rae", "email": "rae@ours.example"},
            "recipients": {"signers": signers}}}});
        completed(read(&providers(), "docusign", &body).remove(0)).customer
    };
    assert_eq!(
        tabs(&[("pat@acme.example", "Acme"), ("rae@ours.example", "Ours")]).as_deref(),
        Some("Acme")
    );
    assert_eq!(
        tabs(&[("pat@acme.example", "Acme"), ("bo@else.example", "Else")]),
        None,
        "two are no answer"
    );
    assert_eq!(tabs(&[("rae@ours.example", "Ours")]), None);
    assert_eq!(tabs(&[]), None);
}

/// The deals a PandaDoc document names, and its remarks.
fn named_deals(document: Value) -> (Vec<String>, Vec<String>) {
    let mut whole = json!({"id": "a", "status": "document.completed"});
    whole.as_object_mut().expect("an object").extend(document.as_object().expect("one").clone());
    let signature = completed(pandadoc(&whole));
    let refs = signature
        .deal_refs
        .iter()
        .map(|r| format!("{}:{}", r.crm.as_ref().map_or("?", |crm| crm.as_str()), r.id))
        .collect();
    (refs, signature.remarks)
}

#[test]
fn every_deal_that_a_document_names_is_found() {
    let link = |id: &str| json!({"provider": "hubspot", "entity_type": "deal", "entity_id": id});
    let (refs, remarks) = named_deals(json!({"linked_objects": [link("101"), link("102")]}));
    assert_eq!(
        (refs, remarks.len()),
        (vec!["hubspot:101".to_owned(), "hubspot:102".to_owned()], 0)
    );
    let parent = json!({"provider": "hubspot", "entity_type": "company", "entity_id": "9", "children": [link("103")]});
    assert_eq!(named_deals(json!({"linked_objects": [parent]})).0, ["hubspot:103"]);
    let plural = json!({"provider": "hubspot", "entity_type": "Deals", "entity_id": "104"});
    assert_eq!(named_deals(json!({"linked_objects": [plural]})).0, ["hubspot:104"]);
    for (metadata, expected) in [
        (json!({"Deals": [1, "2"], "crm": "hubspot"}), vec!["hubspot:1", "hubspot:2"]),
        (json!({"Deals": "Acme-New"}), vec![]),
        (json!({"Deal Record ID": "77"}), vec!["?:77"]),
        (json!({"HubSpot Record ID": "78"}), vec!["hubspot:78"]),
        (json!({"OpportunityId": "0065g00000XyZ12"}), vec!["salesforce:0065g00000XyZ12"]),
        (json!({"deal_id": "5; 6"}), vec!["?:5", "?:6"]),
        (json!({"deal_id": "1,234"}), vec![]),
        (
            json!({"hubspot_deal_id": "https://app.hubspot.com/contacts/1/record/0-3/99?x=1"}),
            vec!["hubspot:99"],
        ),
        (
            json!({"notes": "see https://app-eu1.hubspot.com/contacts/1/deal/98/."}),
            vec!["hubspot:98"],
        ),
        (
            json!({"link": "https://acme.lightning.force.com/lightning/r/Opportunity/0065g00000XyZ12AAF/view"}),
            vec!["salesforce:0065g00000XyZ12AAF"],
        ),
        (json!({"link": "https://acme.pipedrive.com/deal/42"}), vec!["pipedrive:42"]),
        (json!({"link": "https://evil.example/deal/42", "deal_id": "https://x.example/7"}), vec![]),
    ] {
        assert_eq!(named_deals(json!({"metadata": metadata})).0, expected, "{metadata}");
    }
}

#[test]
fn a_reference_that_disagrees_with_another_is_said_with_both() {
    let link = json!([{"provider": "hubspot", "entity_type": "deal", "entity_id": "101"}]);
    let (refs, remarks) =
        named_deals(json!({"linked_objects": link, "metadata": {"hubspot.deal_id": "208"}}));
    assert_eq!(refs, ["hubspot:101", "hubspot:208"]);
    let [remark] = &remarks[..] else { panic!("{remarks:?}") };
    assert!(remark.contains("hubspot deal 101") && remark.contains("hubspot deal 208"), "{remark}");
    assert!(remark.contains("hubspot.deal_id"), "{remark}");
    let (refs, remarks) =
        named_deals(json!({"linked_objects": link, "metadata": {"hubspot.deal_id": "101"}}));
    assert_eq!((refs.len(), remarks.len()), (1, 0), "{remarks:?}");
}

#[test]
fn half_a_surrogate_pair_is_read_and_other_damage_is_not() {
    let body = r#"[{"event": "document_state_changed", "data": {"id": "a", "status": "document.completed", "name": "Order \ud83d form \ude00 \ud83d\ude00 \\ud83d"}}]"#;
    let providers = providers();
    let (_, mut events) = providers.parse(Some("pandadoc"), body.as_bytes()).expect("read");
    let name = completed(events.remove(0)).document_name.expect("a name");
    assert_eq!(name, "Order \u{fffd} form \u{fffd} \u{1f600} \\ud83d");
    assert!(error(None, br#"{"a": "\ud83x"}"#).contains("not JSON"));
}

#[test]
fn an_event_that_its_document_contradicts_is_refused() {
    let envelope = |status: &str| {
        json!({"event": "envelope-completed", "data": {"envelopeId": "a",
            "envelopeSummary": {"status": status}}})
    };
    let agreement = |status: &str| {
        json!({"event": "AGREEMENT_WORKFLOW_COMPLETED", "webhookNotificationId": "n",
            "agreement": {"id": "a", "status": status}})
    };
    let request = |complete: bool, declined: bool| {
        json!({"event": {"event_type": "signature_request_all_signed", "event_time": "1794700800"},
            "signature_request": {"signature_request_id": "a", "is_complete": complete, "is_declined": declined}})
    };
    for (provider, body, words) in [
        ("docusign", envelope("sent"), "\"sent\""),
        ("docusign", envelope("Declined"), "\"Declined\""),
        ("adobe-sign", agreement("OUT_FOR_SIGNATURE"), "OUT_FOR_SIGNATURE"),
        ("adobe-sign", agreement("CANCELLED"), "CANCELLED"),
        ("dropbox-sign", request(false, false), "not complete"),
        ("dropbox-sign", request(true, true), "not complete"),
    ] {
        let told = error(Some(provider), body.to_string().as_bytes());
        assert!(told.contains("the event says completed") && told.contains(words), "{told}");
    }
    for (provider, body) in [
        ("docusign", envelope("completed")),
        ("adobe-sign", agreement("SIGNED")),
        ("dropbox-sign", request(true, false)),
    ] {
        completed(read(&providers(), provider, &body).remove(0));
    }
}

#[test]
fn another_sender_s_words_can_be_fitted_by_settings() {
    let providers = with(
        "{standard_webhooks: {completed: [envelope.done], fields: {id: data.doc.uuid, name: data.doc.title, signers: data.people}, deal: {crm: pipedrive, fields: [order]}}}",
    );
    let body = json!({"type": "envelope.done", "timestamp": "2026-10-14T15:43:53Z", "data": {
        "doc": {"uuid": 77, "title": "Order"}, "people": [{"name": "Dana"}], "order": 5}});
    let signature = completed(read(&providers, "standard-webhooks", &body).remove(0));
    assert_eq!(signature.document_id.as_str(), "77");
    assert_eq!(signature.signers[0].name.as_deref(), Some("Dana"));
    assert_eq!(signature.deal_refs[0].id.as_str(), "5");
    assert!(signature.signed_at.is_some());
}

#[test]
fn docusign_choices_are_read_and_private_tabs_are_not() {
    let body = json!({"event": "envelope-completed", "data": {"envelopeId": "a", "envelopeSummary": {
        "customFields": {"listCustomFields": [{"name": "Region", "value": "EMEA"}]},
        "recipients": {"signers": [{"name": "Dana", "accessCode": "4711", "tabs": {
            "ssnTabs": [{"tabLabel": "SSN", "value": "123-45-6789"}],
            "checkboxTabs": [{"tabLabel": "SSO", "selected": "true"}],
            "radioGroupTabs": [{"groupName": "Plan", "radios": [{"value": "S", "selected": "false"}, {"value": "L", "selected": "true"}]}],
            "textTabs": [{"tabLabel": "accessCode", "value": "4711"}, {"tabLabel": "Goal", "value": "faster"}],
        }}]},
    }}});
    let signature = completed(read(&providers(), "docusign", &body).remove(0));
    let expected = json!({"Region": "EMEA", "Goal": "faster", "SSO": true, "Plan": "L"});
    assert_eq!(Value::Object(signature.metadata), expected);
    let without = with("{docusign: {tabs: false}}");
    let signature = completed(read(&without, "docusign", &body).remove(0));
    assert_eq!(Value::Object(signature.metadata), json!({"Region": "EMEA"}));
}

#[test]
fn an_unknown_setting_is_refused_with_its_place() {
    for text in [
        "pandadoc: {trigers: [paid]}\n",
        "pandadock: {}\n",
        "docusign: {base_url: 'http://x.example'}\n",
    ] {
        let node = handoff::yaml::read(text.as_bytes()).expect("yaml");
        let found = EsignConfig::read(&node).expect_err(text);
        assert_eq!(found[0].line, 1, "{found:?}");
    }
}

#[test]
fn parse_errors_are_told_apart() {
    let providers = providers();
    let wrong = providers.parse(Some("docusign"), &file("pandadoc-batch.body.json"));
    assert!(matches!(
        wrong.map(|(provider, _)| provider.name()),
        Err(ParseError::LooksLike { expected: "DocuSign", actual: "PandaDoc", .. })
    ));
}
