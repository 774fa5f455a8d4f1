//! Reading and writing a brief, the typed view, and the merge.

use handoff::brief::{
    Brief, Event, EventKind, Proposals, Schema, Timeline, TouchEvidence, changed_data, in_one_line,
    in_words, is_placeholder, merge,
};
use handoff::model::Key;
use handoff::yaml;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::brief_schema::sample;

#[test]
fn the_view_reads_what_the_program_needs() {
    let brief = sample("complete");
    let view = brief.view();
    assert_eq!(view.key().map(String::from).as_deref(), Some("hubspot-31874500101"));
    assert_eq!(view.deal_id().expect("id").as_str(), "31874500101");
    assert_eq!(view.signed_at().expect("time").to_rfc3339(), "2026-10-30T16:40:02+00:00");
    let value = view.contract_value().expect("money");
    assert_eq!(
        (value.amount.to_string().as_str(), value.currency.as_deref()),
        ("48000.00", Some("USD"))
    );
    assert_eq!(view.first_action_owner().and_then(|owner| owner.github), Some("samlee"));
    let commitments = view.commitments();
    assert_eq!(commitments.len(), 3);
    assert!(commitments[1].stretch && commitments[2].due.is_none());
    assert_eq!(
        view.contact_emails(),
        [
            "dana.okafor@northwind-robotics.example",
            "luis.ferreira@northwind-robotics.example",
            "mei.tan@northwind-robotics.example"
        ]
    );
}

#[test]
fn unknown_answers_are_nothing_to_the_view() {
    let gap = json!({"unknown": {"why": "w", "owner": "o", "resolve_by": "2026-12-05"}});
    let brief = Brief::from_json(json!({
        "customer": {"name": "A", "tier": gap}, "commitments": gap, "contacts": {"signer": gap},
        "first_action": {"instruction": "x", "owner": gap, "due": gap}, "purchase": {"contract_value": gap}
    }));
    let view = brief.view();
    assert_eq!(view.customer_tier(), None);
    assert!(view.commitments().is_empty() && view.contacts().is_empty());
    assert!(view.first_action_owner().is_none() && view.first_action_due().is_none());
    assert!(view.contract_value().is_none() && !view.is_signed());
}

#[test]
fn the_view_reads_the_deals_link_and_what_the_document_adds_up_to() {
    let brief = Brief::from_json(json!({"deal": {"url": "https://crm.example/1"},
        "signature": {"total": {"amount": "48000.00", "currency": "USD"}}}));
    assert_eq!(brief.view().deal_url(), Some("https://crm.example/1"));
    assert_eq!(brief.view().signed_total().map(|it| it.shown()).as_deref(), Some("USD 48,000.00"));
    let empty = Brief::from_json(json!({}));
    assert_eq!((empty.view().deal_url(), empty.view().signed_total()), (None, None));
}

#[test]
fn the_first_touch_is_the_earliest_and_where_evidence_is_needed_the_earliest_with_it() {
    let mut timeline = Timeline::new(Key::parse("csv-1").expect("key"));
    let mut touched = |at: &str, evidence: Option<TouchEvidence>| {
        let at = at.parse().expect("time");
        timeline.events.push(Event { evidence, ..Event::new(at, EventKind::Touched, "cli") });
    };
    touched("2026-11-22T09:00:00Z", Some(TouchEvidence::Crm));
    touched("2026-11-21T09:00:00Z", Some(TouchEvidence::Claimed));
    touched("2026-11-23T09:00:00Z", Some(TouchEvidence::Crm));
    let day = |needs| timeline.first_touch(needs).map(|it| it.at.format("%d").to_string());
    assert_eq!(day(false).as_deref(), Some("21"));
    assert_eq!(day(true).as_deref(), Some("22"));
    assert_eq!(Timeline::new(timeline.key.clone()).first_touch(false), None);
}

#[test]
fn a_draft_is_of_its_document_until_that_is_voided() {
    let event = |kind: EventKind, via: &str, document: Option<&str>| Event {
        reference: document.map(str::to_owned),
        brief: (kind == EventKind::Drafted).then(|| "0".repeat(40)),
        ..Event::new("2026-11-20T15:00:00Z".parse().expect("time"), kind, via)
    };
    let drafted = event(EventKind::Drafted, "pandadoc", Some("d1"));
    let voided = |via, document| event(EventKind::Voided, via, document);
    let is_drafted = |events: &[&Event]| {
        let mut timeline = Timeline::new(Key::parse("csv-1").expect("key"));
        timeline.events = events.iter().map(|it| (*it).clone()).collect();
        timeline.is_drafted_of("pandadoc", "d1")
    };
    assert!(is_drafted(&[&drafted]));
    assert!(!is_drafted(&[]));
    for other in [
        event(EventKind::Drafted, "docusign", Some("d1")),
        event(EventKind::Drafted, "pandadoc", Some("d2")),
        event(EventKind::Drafted, "pandadoc", None),
        event(EventKind::Signed, "pandadoc", Some("d1")),
        Event { brief: None, ..drafted.clone() },
    ] {
        assert!(!is_drafted(&[&other]), "{other:?}");
    }
    let void = voided("pandadoc", Some("d1"));
    assert!(!is_drafted(&[&drafted, &void]));
    assert!(is_drafted(&[&drafted, &void, &drafted]), "it went out again");
    for other in
        [voided("docusign", Some("d1")), voided("pandadoc", Some("d2")), voided("pandadoc", None)]
    {
        assert!(is_drafted(&[&drafted, &other]), "{other:?}");
    }
}

#[test]
fn the_newest_proposal_of_an_answer_counts_where_the_brief_has_it() {
    let proposals = Proposals::parse(
        b"schema: handoff/proposed/v1
key: csv-1
proposals:
  - proposed-by: one
    at: \"2026-11-20T17:00:00Z\"
    answers: [{field: success.baseline, answer: Nine days}, {field: contacts.signer, answer: {name: Dana}}]
  - proposed-by: two
    at: \"2026-11-21T17:00:00Z\"
    answers: [{field: success.baseline, answer: Nine days}, {field: success.metric, answer: Days}]
",
    )
    .expect("proposals");
    let brief = json!({"success": {"baseline": "Nine days", "metric": "Weeks"},
        "contacts": {"signer": {"name": "Dana"}, "signer_too": "x"}});
    for (field, by) in [
        ("success.baseline", Some("two")),
        ("contacts.signer", Some("one")),
        ("contacts.signer.name", Some("one")),
        ("contacts.signer_too", None),
        ("success.metric", None),
        ("success", None),
    ] {
        let found =
            proposals.find(field, &brief).map(|(proposal, _)| proposal.proposed_by.as_str());
        assert_eq!(found, by, "{field}");
    }
}

#[test]
fn a_citation_says_where_something_is_taken_from() {
    let cited = |cite: &str| {
        let source = format!(
            "{{schema: handoff/proposed/v1, key: csv-1, proposals: [{{proposed-by: x, at: \"2026-11-20T17:00:00Z\", \
             answers: [{{field: a, answer: b, cite: {}}}]}}]}}",
            json!(cite)
        );
        let proposals = Proposals::parse(source.as_bytes()).expect("proposals");
        proposals.proposals[0].answers[0].citation().map(str::to_owned)
    };
    for cite in ["page 3", "kick-off call, 14:20", "no. 3", "https://notes.example/1"] {
        assert_eq!(cited(&format!(" {cite} ")).as_deref(), Some(cite));
    }
    for nothing in ["", " ", "none", "No", "yes", "TBD", "n/a", "-", "...", "\u{200b}", "\u{3164}"]
    {
        assert_eq!(cited(nothing), None, "{nothing:?}");
    }
}

#[test]
fn what_only_fills_a_field_is_no_answer_however_it_is_padded() {
    let wide = format!("{:<60}", "TBD");
    for text in [
        "TBD",
        " tbc ",
        &wide,
        "\u{feff}TBD\u{200b}",
        "T\u{200b}BD",
        "T\u{7}BD",
        "?!",
        "…",
        "–",
        "—",
    ] {
        assert!(is_placeholder(text), "{text:?}");
    }
    let [longest, too_long] = [40, 41].map(|length| format!("{:.<length$}", "TBD"));
    assert!(is_placeholder(&longest));
    for text in ["", " ", "\u{200b}", "TBD Systems", "none", "🎉", "株式会社", &too_long] {
        assert!(!is_placeholder(text), "{text:?}");
    }
}

#[test]
fn an_answer_is_told_in_words() {
    let unknown = |fields: Value| json!({"unknown": fields});
    for (answer, words) in [
        (json!("Cut errors"), "Cut errors"),
        (json!(420), "420"),
        (json!(["Okta", "NetSuite"]), "Okta; NetSuite"),
        (json!({"amount": "48000.00", "currency": "USD"}), "USD 48,000.00"),
        (json!({"promise": "SSO"}), "SSO"),
        (json!({"promise": "SSO", "due": "", "owner": null}), "SSO"),
        (
            json!({"promise": "SSO", "due": "2027-01-15", "made_by": "Priya"}),
            "SSO (due 2027-01-15, made by Priya)",
        ),
        (unknown(json!({})), "not known yet"),
        (unknown(json!({"why": "not asked"})), "not known yet: not asked"),
        (unknown(json!({"owner": "Riley"})), "not known yet (Riley finds out)"),
        (unknown(json!({"resolve_by": "2026-12-05"})), "not known yet (by 2026-12-05)"),
        (
            unknown(json!({"why": "w", "owner": "Riley", "resolve_by": "2026-12-05"})),
            "not known yet: w (Riley finds out by 2026-12-05)",
        ),
    ] {
        assert_eq!(in_words(&answer), words, "{answer}");
    }
    assert_eq!(in_one_line(&json!("one\ntwo"), 20), "one two");
    assert_eq!(in_one_line(&json!({"amount": "5", "currency": "EUR"}), 20), "EUR 5.00");
    assert_eq!(in_one_line(&json!("sevenletters"), 7).chars().count(), 7);
}

#[test]
fn data_beside_the_answers_that_differs_is_named() {
    let before = json!({"deal": {"id": "1", "name": "old", "owner": {"name": "Priya"}},
        "customer": {"name": "A"}});
    let after = json!({"deal": {"id": "1", "name": "new", "owner": {"name": "Priya", "email": "p@x.example"}},
        "customer": {"name": "B"}});
    let told: Vec<_> = changed_data(Schema::shipped(), &before, &after)
        .into_iter()
        .map(|it| (it.field, it.before, it.after))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            ("deal.name".to_owned(), text("old"), text("new")),
            ("deal.owner.email".to_owned(), None, text("p@x.example")),
        ]
    );
    assert_eq!(changed_data(Schema::shipped(), &after, &after), []);
}

#[test]
fn a_written_brief_names_its_schema_and_reads_back() {
    let brief = sample("complete");
    let text = brief.to_yaml(4);
    assert!(
        text.starts_with("# yaml-language-server: $schema=../../../../schema/brief.schema.json\n")
    );
    assert_eq!(Brief::parse(text.as_bytes()).expect("reads").json(), brief.json());
    let key = Key::parse("csv-1").expect("key");
    let mut sections = Map::new();
    sections.insert("key".into(), "other".into());
    sections.insert("customer".into(), json!({"name": "A"}));
    let new = Brief::new(&key, sections);
    assert_eq!(
        new.json(),
        &json!({"schema": "handoff/brief/v1", "key": "csv-1", "customer": {"name": "A"}})
    );
}

#[test]
fn a_place_is_the_value_or_the_nearest_thing_there_is() {
    let brief = Brief::parse(b"a:\n  b: x # note\n  c: [1, two]\n").expect("YAML");
    let place = |pointer: &str| {
        let place = brief.place("f", pointer);
        (place.line, place.column, place.width, place.source)
    };
    let line = |n: usize| ["a:", "  b: x # note", "  c: [1, two]"].get(n).map(|s| (*s).to_owned());
    assert_eq!(place("/a/b"), (Some(2), Some(6), Some(1), line(1)));
    assert_eq!(place("/a/c/1"), (Some(3), Some(10), Some(3), line(2)));
    assert_eq!(place("/a/nothing"), (Some(1), Some(1), Some(1), line(0)));
    assert_eq!(Brief::from_json(json!({})).place("f", "/a").line, None);
}

#[test]
fn a_correction_takes_the_deal_and_keeps_people() {
    let base = json!({"customer": {"name": "Acme", "size": 10, "tier": "smb"}, "commitments": [{"promise": "a"}],
                      "contacts": {"signer": {"name": "A", "email": "a@x.example", "title": "COO"}, "economic_buyer": {"name": "E", "email": "e@x.example"}}});
    let ours = json!({"customer": {"name": "Acme", "size": 10, "tier": "enterprise"}, "commitments": [{"promise": "a"}, {"promise": "b"}],
                      "contacts": {"signer": {"name": "A", "email": "a@x.example", "title": "COO"}, "economic_buyer": {"name": "E", "email": "e@x.example"}},
                      "success": {"metric": {"unknown": {"why": "w", "owner": "o", "resolve_by": "2026-12-05"}}}});
    let theirs = json!({"customer": {"name": "Acme Corp", "size": 12, "tier": "mid"}, "commitments": [{"promise": "c"}],
                        "contacts": {"signer": {"name": "B", "email": "b@x.example"}}, "success": {"metric": "m"}});
    assert_eq!(
        merge(Some(&base), &ours, &theirs),
        json!({"customer": {"name": "Acme Corp", "size": 12, "tier": "enterprise"}, "commitments": [{"promise": "a"}, {"promise": "b"}],
               // The old signer's title does not stay on the new signer; the buyer the deal no longer names does stay.
               "contacts": {"signer": {"name": "B", "email": "b@x.example"}, "economic_buyer": {"name": "E", "email": "e@x.example"}},
               "success": {"metric": "m"}})
    );
    assert_eq!(
        merge(None, &ours, &theirs)["customer"],
        json!({"name": "Acme", "size": 10, "tier": "enterprise"}),
        "without a base only what is missing is filled"
    );
}

/// Texts that some YAML reader takes for something else, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<String>(),
        2 => prop::sample::select(vec![
            "no", "1e3", "0123", "2026-11-20", "~", "null", "yes", "on", "0x1F", ".5", "12:30", "<<", "=", "- a",
            "a: b", "#x", "'", "\"", "{{7*7}}", "\u{202e}x", "line\nbreak", " lead", "trail ", "@x", "*a", "&a", "!t",
        ]).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null)
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(inner).prop_map(Value::Object),
        ]
    })
}

fn fields(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(
        prop::sample::select(vec!["a", "b", "c", "no", "1e3", "x y"]),
        inner,
        0..4,
    )
    .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn brief() -> impl Strategy<Value = Value> {
    fields(value()).prop_map(Value::Object)
}

fn blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(blank),
        _ => false,
    }
}

/// Whether every section of `inner`, and every answer in its sections, is
/// there in `outer`.
fn keeps_answers(inner: &Value, outer: &Value) -> bool {
    let Value::Object(sections) = inner else { return true };
    sections.iter().filter(|(_, section)| !blank(section)).all(|(name, section)| {
        let (Some(kept), Value::Object(answers)) = (outer.get(name), section) else {
            return outer.get(name).is_some();
        };
        !kept.is_object()
            || answers.iter().all(|(name, answer)| blank(answer) || kept.get(name).is_some())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_brief_survives_a_round_trip(json in brief()) {
        let text = Brief::from_json(json.clone()).to_yaml(4);
        let read = yaml::read(text.as_bytes());
        prop_assert!(read.is_ok(), "{read:?}\n{text}");
        prop_assert_eq!(read.expect("checked").to_json(), json, "{}", text);
    }

    #[test]
    fn a_merge_with_nothing_new_changes_nothing(base in brief(), ours in brief()) {
        let merged = merge(Some(&base), &ours, &base);
        prop_assert_eq!(merge(Some(&base), &merged, &base), merged.clone(), "and settles");
        prop_assert!(keeps_answers(&ours, &merged), "{ours} became {merged}");
    }

    #[test]
    fn a_merge_never_makes_a_brief_less_complete(base in brief(), ours in brief(), theirs in brief()) {
        let merged = merge(Some(&base), &ours, &theirs);
        prop_assert!(keeps_answers(&ours, &merged), "{ours} became {merged}");
        prop_assert!(keeps_answers(&theirs, &merged), "{theirs} became {merged}");
    }

    #[test]
    fn without_a_base_nothing_that_is_there_is_overwritten(ours in value(), theirs in value()) {
        let (ours, theirs) = (json!({"a": ours}), json!({"a": theirs}));
        let merged = merge(None, &ours, &theirs);
        if !blank(&ours["a"]) && !ours["a"].is_object() {
            prop_assert_eq!(&merged, &ours);
        }
        prop_assert_eq!(merge(None, &merged, &theirs), merged.clone());
    }
}
