//! The second population: each completed document in exactly one class, and
//! where its rules fire, are silent, and turn.

use std::collections::BTreeMap;

use handoff::audit::{AuditOutcome, SignatureClass, SignaturesInput};
use handoff::brief::EventKind;
use handoff::finding::Severity;
use handoff::model::{
    CrmName, DealId, DealRef, DocumentId, Gap, Key, Outcome as DealOutcome, ProviderName,
    Signature, Window,
};

use super::rules::{count, told};
use super::world::{NOW, SIGNED, World, all_done, at, event, folder, signed_brief, won_deal};

fn document(id: &str, deal: Option<&str>, signed_at: &str) -> Signature {
    Signature {
        document_name: Some("Acme order form".to_owned()),
        signed_at: Some(at(signed_at)),
        deal_refs: deal
            .map(|id| DealRef { crm: Some(CrmName::new("hubspot")), id: DealId::new(id) })
            .into_iter()
            .collect(),
        ..Signature::new(ProviderName::new("pandadoc"), DocumentId::new(id))
    }
}

fn asked(signatures: Vec<Signature>) -> SignaturesInput {
    SignaturesInput {
        window: Window { from: Some(at("2026-11-01T00:00:00Z")), to: Some(at(NOW)) },
        providers: vec![ProviderName::new("pandadoc"), ProviderName::new("docusign")],
        signatures,
        crm: CrmName::new("hubspot"),
        deals: Vec::new(),
        gaps: Vec::new(),
    }
}

/// A world in which these documents were told, beside its own deal `1`.
fn world(signatures: Vec<Signature>) -> World {
    let mut world = World::handed_over();
    world.signatures = Some(asked(signatures));
    world
}

fn open_deal(id: &str) -> handoff::model::Deal {
    let mut deal = won_deal(id);
    (deal.outcome, deal.closed_won_at) = (DealOutcome::Open, None);
    deal.stage = Some("Negotiation".to_owned());
    deal
}

#[track_caller]
fn class(world: &World, id: &str) -> SignatureClass {
    let told = world.audit().signatures.expect("they were asked");
    let sum: usize = told.summary.values().sum();
    assert_eq!((sum, told.documents.len()), (told.completed, told.completed), "the totals foot");
    let of_providers: usize = told.providers.iter().map(|asked| asked.completed).sum();
    assert_eq!(of_providers, told.completed, "the providers foot");
    let found = told.documents.iter().find(|row| row.document_id.as_str() == id);
    found.unwrap_or_else(|| panic!("no document {id}")).class
}

#[test]
fn without_the_question_nothing_is_told() {
    let report = World::handed_over().audit();
    assert_eq!(report.signatures, None);
    assert!(!serde_json::to_string(&report).unwrap().contains("\"signatures\":"));
}

#[test]
fn a_document_with_its_handoff_is_accounted_for() {
    // By its deal, by its own id in the timeline, and by a brief of the document alone.
    assert_eq!(
        class(&world(vec![document("a", Some("1"), SIGNED)]), "a"),
        SignatureClass::HandedOver
    );
    let mut by_event = world(vec![document("a", None, SIGNED)]);
    let mut signed = event(EventKind::Signed, SIGNED);
    (signed.via, signed.reference) = ("pandadoc".to_owned(), Some("a".to_owned()));
    let path = folder("2");
    by_event.put(&path, SIGNED, Some(signed_brief("2")), vec![signed]);
    assert_eq!(class(&by_event, "a"), SignatureClass::HandedOver);
    let mut alone = world(vec![document("a", None, SIGNED)]);
    let mut brief = signed_brief("2");
    (brief.key, brief.deal) = (Key::parse("pandadoc-a").ok(), None);
    alone.put("briefs/2026/11/acme--pandadoc-a", SIGNED, Some(brief), Vec::new());
    assert_eq!(class(&alone, "a"), SignatureClass::HandedOver);
    for rule in ["signature-without-handoff", "signed-not-won", "signature-without-deal"] {
        assert_eq!(count(&alone, rule), 0, "{rule}");
    }
}

#[test]
fn each_deal_of_a_document_is_accounted_for() {
    let of_two = |first: &str, second: &str| {
        let mut document = document("a", Some(first), SIGNED);
        let id = DealId::new(second);
        document.deal_refs.push(DealRef { crm: Some(CrmName::new("hubspot")), id });
        document
    };
    // Deal 1 has its handoff; deal 2 of the same document has none, in either order.
    for document in [of_two("1", "2"), of_two("2", "1")] {
        let mut world = world(vec![document]);
        world.deals.push(won_deal("2"));
        let told = world.audit().signatures.expect("they were asked");
        let mut classes: Vec<_> = told
            .documents
            .iter()
            .map(|row| (row.deal_id.as_ref().map(DealId::to_string), row.class))
            .collect();
        classes.sort_by_key(|(deal, _)| deal.clone());
        assert_eq!(
            classes,
            [
                (Some("1".to_owned()), SignatureClass::HandedOver),
                (Some("2".to_owned()), SignatureClass::WithoutHandoff)
            ]
        );
        assert_eq!(count(&world, "signature-without-handoff"), 1);
    }
    // The event that tells a document in the handoff of one deal is none of the other's.
    let mut by_event = world(vec![of_two("2", "3")]);
    by_event.deals.extend([won_deal("2"), won_deal("3")]);
    let mut signed = event(EventKind::Signed, SIGNED);
    (signed.via, signed.reference) = ("pandadoc".to_owned(), Some("a".to_owned()));
    by_event.put(&folder("2"), SIGNED, Some(signed_brief("2")), vec![signed]);
    let told = by_event.audit().signatures.expect("they were asked");
    assert_eq!(told.documents.len(), 2);
    assert_eq!(count(&by_event, "signature-without-handoff"), 1);
}

#[test]
fn a_signature_for_a_won_deal_without_a_handoff() {
    let mut world = world(vec![document("a", Some("2"), SIGNED)]);
    world.deals.push(won_deal("2"));
    assert_eq!(class(&world, "a"), SignatureClass::WithoutHandoff);
    assert_eq!(count(&world, "signature-without-handoff"), 1);
    insta::assert_snapshot!(told(&world, "signature-without-handoff"), @r#"
    error: "Acme order form" (pandadoc a) was signed on 2026-11-20 15:00 UTC for deal "2", and has no handoff.
      -
      Run `handoff catch-up --since 2026-11-20T15:00:00Z` to make the handoff.
    "#);
    // The boundary: an hour after the signature.
    world.as_of = at("2026-11-20T16:00:00Z");
    assert_eq!(class(&world, "a"), SignatureClass::Pending);
    assert_eq!(count(&world, "signature-without-handoff"), 0);
    world.as_of = at("2026-11-20T16:00:01Z");
    assert_eq!(count(&world, "signature-without-handoff"), 1);
    // A brief that is gone again is none.
    world.as_of = at(NOW);
    world.put(&folder("2"), SIGNED, Some(signed_brief("2")), all_done());
    assert_eq!(class(&world, "a"), SignatureClass::HandedOver);
    world.remove(&folder("2"), "2026-11-21T15:00:00Z");
    assert_eq!(class(&world, "a"), SignatureClass::WithoutHandoff);
}

#[test]
fn signed_and_not_even_closed_won() {
    let mut world = world(vec![document("a", Some("2"), SIGNED)]);
    // The list of won deals does not hold it; the CRM was asked for it alone.
    world.signatures.as_mut().unwrap().deals.push(open_deal("2"));
    assert_eq!(class(&world, "a"), SignatureClass::NotWon);
    insta::assert_snapshot!(told(&world, "signed-not-won"), @r#"
    error: "Acme order form" (pandadoc a) was signed on 2026-11-20 15:00 UTC, its deal "2" is not Closed Won (stage "Negotiation"), and it has no handoff.
      -
      Run `handoff catch-up --since 2026-11-20T15:00:00Z` to make the handoff.
    "#);
    // The boundary: a day after the signature.
    world.as_of = at("2026-11-21T14:59:59Z");
    assert_eq!(class(&world, "a"), SignatureClass::Pending);
    assert_eq!(count(&world, "signed-not-won"), 0);
    world.as_of = at("2026-11-21T15:00:00Z");
    assert_eq!(count(&world, "signed-not-won"), 1);
    // With a handoff it is a warning.
    world.as_of = at(NOW);
    world.put(&folder("2"), SIGNED, Some(signed_brief("2")), all_done());
    let report = world.audit();
    let found = report.findings.iter().find(|finding| finding.rule == "signed-not-won").unwrap();
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.message.ends_with("its deal \"2\" is not Closed Won (stage \"Negotiation\")."));
    // Won since, and read as such.
    world.deals.push(won_deal("2"));
    assert_eq!(class(&world, "a"), SignatureClass::HandedOver);
}

#[test]
fn a_signature_whose_deal_cannot_be_told() {
    let mut world = world(vec![document("a", None, SIGNED), document("b", Some("404"), SIGNED)]);
    assert_eq!(class(&world, "a"), SignatureClass::NoDeal);
    assert_eq!(class(&world, "b"), SignatureClass::NoDeal);
    insta::assert_snapshot!(told(&world, "signature-without-deal"), @r#"
    error: "Acme order form" (pandadoc b) was signed on 2026-11-20 15:00 UTC, names deal "404", which the CRM does not have, and has no handoff.
      -
      Run `handoff catch-up --since 2026-11-20T15:00:00Z` to make the handoff.
    error: "Acme order form" (pandadoc a) was signed on 2026-11-20 15:00 UTC, names no deal, and has no handoff.
      -
      Run `handoff catch-up --since 2026-11-20T15:00:00Z` to make the handoff.
    "#);
    world.as_of = at("2026-11-20T15:30:00Z");
    assert_eq!(count(&world, "signature-without-deal"), 0);
}

#[test]
fn what_is_out_of_scope_or_exempt_needs_none() {
    let mut world = world(vec![document("a", Some("2"), SIGNED), document("b", Some("3"), SIGNED)]);
    world.signatures.as_mut().unwrap().deals.push(open_deal("2"));
    world.excluded.insert("2".to_owned(), "an NDA".to_owned());
    world.deals.push(won_deal("3"));
    let mut exempted = event(EventKind::Exempted, SIGNED);
    (exempted.reason, exempted.by) = (Some("a pilot".to_owned()), Some("Riley".to_owned()));
    world.put(&folder("3"), SIGNED, None, vec![exempted]);
    assert_eq!(class(&world, "a"), SignatureClass::NotNeeded);
    assert_eq!(class(&world, "b"), SignatureClass::NotNeeded);
}

#[test]
fn merged_deals_doubled_documents_and_the_future_do_not_mislead() {
    let mut world = world(vec![
        document("a", Some("old"), SIGNED),
        document("a", Some("old"), SIGNED),
        document("later", Some("1"), "2026-11-24T00:00:00Z"),
    ]);
    world.deals[0].merged_ids.push(DealId::new("old"));
    assert_eq!(class(&world, "a"), SignatureClass::HandedOver);
    assert_eq!(world.audit().signatures.unwrap().completed, 1);
}

#[test]
fn a_provider_that_cannot_be_asked_makes_the_audit_incomplete() {
    let mut world = world(Vec::new());
    assert_eq!(world.audit().outcome(Severity::Error), AuditOutcome::Clean);
    world.signatures.as_mut().unwrap().gaps.push(Gap {
        what: "the completed documents of DocuSign".to_owned(),
        why: "DOCUSIGN_ACCESS_TOKEN is not set".to_owned(),
        help: None,
    });
    let report = world.audit();
    assert!(!report.complete);
    assert_eq!(report.outcome(Severity::Error), AuditOutcome::Incomplete);
}

#[test]
fn no_deal_and_no_document_is_nothing_that_matched() {
    let mut world = World::new();
    assert_eq!(world.audit().outcome(Severity::Error), AuditOutcome::NothingMatched);
    world.signatures = Some(asked(Vec::new()));
    assert_eq!(world.audit().outcome(Severity::Error), AuditOutcome::NothingMatched);
    world.signatures = Some(asked(vec![document("a", None, SIGNED)]));
    world.as_of = at("2026-11-20T15:30:00Z");
    assert_eq!(world.audit().outcome(Severity::Error), AuditOutcome::Clean, "it is pending");
}

fn population(world: &World) -> handoff::model::Population {
    handoff::model::Population {
        source: handoff::model::Source {
            kind: "file".to_owned(),
            location: "deals.csv".to_owned(),
            query: None,
            rows: 1,
            sha256: String::new(),
            remarks: handoff::model::Remarks::default(),
            undated_help: None,
        },
        deals: handoff::model::Evidence::complete(world.deals.clone()),
    }
}

#[test]
fn only_deals_that_were_not_read_are_asked_for() {
    let world = world(vec![document("a", Some("1"), SIGNED), document("b", Some("2"), SIGNED)]);
    let mut other = document("c", Some("9"), SIGNED);
    other.deal_refs[0].crm = Some(CrmName::new("salesforce"));
    let population = population(&world);
    let mut signatures = world.signatures.unwrap().signatures;
    signatures.push(other);
    let unread = SignaturesInput::unread_deals(&signatures, &CrmName::new("hubspot"), &population);
    assert_eq!(unread.into_iter().collect::<Vec<_>>(), [DealId::new("2")]);
}

#[test]
fn the_deals_of_a_document_are_those_that_it_names_and_somebody_has() {
    let world = world(Vec::new());
    let mut population = population(&world);
    let mut foreign = won_deal("3");
    foreign.crm = CrmName::new("salesforce");
    population.deals = handoff::model::Evidence::complete(vec![won_deal("1"), foreign]);
    let mut asked = asked(Vec::new());
    asked.deals.push(open_deal("2"));
    let named = |ids: &[&str]| {
        let mut document = document("a", None, SIGNED);
        document.deal_refs =
            ids.iter().map(|id| DealRef { crm: None, id: DealId::new(*id) }).collect();
        let deals = asked.deals_of(&document, &population);
        deals.iter().map(|deal| deal.map(|deal| deal.id.to_string())).collect::<Vec<_>>()
    };
    let is = |id: &str| Some(id.to_owned());
    assert_eq!(named(&["1", "2", "404"]), [is("1"), is("2"), None]);
    assert_eq!(named(&["3"]), [None], "another CRM's");
    assert_eq!(named(&[]), [None]);
}

#[test]
fn every_class_is_told_in_the_evidence_of_the_report() {
    let mut world = world(vec![document("a", Some("1"), SIGNED), document("b", None, SIGNED)]);
    world.deals.push(won_deal("2"));
    let report = world.audit();
    let options = handoff::report::Options::default();
    let text = handoff::report::render_audit(handoff::report::Format::Text, &report, &options);
    let text = String::from_utf8(text).unwrap();
    for line in [
        "pandadoc: 2 completed documents from 2026-11-01",
        "docusign: 0 completed documents",
        "2 documents = 1 handed over + 1 without deal and handoff",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let told = report.signatures.unwrap();
    let completed = told.providers.iter().map(|asked| (asked.provider.as_str(), asked.completed));
    assert_eq!(completed.collect::<Vec<_>>(), [("pandadoc", 2), ("docusign", 0)]);
    let counted: BTreeMap<_, _> = told.summary;
    assert_eq!(counted.len(), 2);
}
