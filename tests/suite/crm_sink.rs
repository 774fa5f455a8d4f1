//! The CRM as a target: what became of Closed Won is what the timeline says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use handoff::brief::{DecidedBy, Event, EventKind, Timeline};
use handoff::crm::{AskedDeal, Check, ClosedWonUpdate, Crm, CrmError, Progress, Signed};
use handoff::deliver::{DeliveryError, Handoff, Sink};
use handoff::http::Schedule;
use handoff::model::{CrmName, Deal, DealId, Gap, Key, Population, Properties, Signature, Window};
use handoff::workflow::CrmSink;
use handoff::yaml;
use serde_json::json;

/// Says of a deal that its contract was signed.
pub(crate) async fn win(
    crm: &dyn Crm,
    id: &DealId,
    brief_url: Option<&str>,
) -> Result<ClosedWonUpdate, CrmError> {
    let signed_at = "2026-11-20T15:01:58Z".parse().expect("a time");
    crm.mark_closed_won(&Signed { id, signed_at, brief_url, is_contract: true }).await
}

/// What an error says to do.
pub(crate) fn help(error: &CrmError) -> &str {
    error.help().unwrap_or_default()
}

/// These properties of deals.
pub(crate) fn of_deals(names: &[&str]) -> Properties {
    let deal = names.iter().map(|&name| name.to_owned()).collect();
    Properties { deal, ..Properties::default() }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// All deals of a CRM by their ids, and what could not be read.
pub(crate) async fn population(crm: &dyn Crm) -> (BTreeMap<String, Deal>, Vec<Gap>) {
    let population = crm.population(Window::default(), &()).await.expect("population");
    let (deals, gaps) = population.deals.into_parts();
    (deals.into_iter().map(|deal| (deal.id.as_str().to_owned(), deal)).collect(), gaps)
}

/// A document that a contact of the first deal has signed.
pub(crate) fn signed_by_mei() -> Signature {
    serde_json::from_value(json!({
        "provider": "pandadoc", "document_id": "d", "deal_refs": [], "metadata": {},
        "signers": [{"email": "mei.tan@northwind-robotics.example", "signed": true}],
    }))
    .expect("signature")
}

/// The settings of a CRM, as they are written.
pub(crate) fn settings<S: serde::de::DeserializeOwned>(text: &str) -> S {
    yaml::from_node(&yaml::read(text.as_bytes()).expect("yaml")).expect("settings")
}

/// Three tries without waits, but for what a server asks for up to `longest`.
pub(crate) fn quick(longest: Duration) -> Schedule {
    Schedule { waits: vec![Duration::ZERO; 2], longest }
}

/// A CRM that answers one thing, after checking what it was asked.
struct Answers(CrmName, fn() -> Result<ClosedWonUpdate, CrmError>);

#[async_trait]
impl Crm for Answers {
    fn name(&self) -> &CrmName {
        &self.0
    }

    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError> {
        Ok(asked.iter().map(|it| Ok(Deal::new(self.0.clone(), it.id.clone()))).collect())
    }

    async fn population(&self, _: Window, _: &dyn Progress) -> Result<Population, CrmError> {
        unreachable!("nobody asks")
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        assert_eq!(signed.id.as_str(), "7");
        assert_eq!(signed.signed_at.to_rfc3339(), "2026-11-20T15:01:58+00:00");
        assert_eq!(signed.brief_url, Some("https://git.example/briefs/7"));
        (self.1)()
    }

    async fn checks(&self, _: &Properties) -> Vec<Check> {
        Vec::new()
    }
}

fn handoff(crm: &str) -> Handoff {
    let key = Key::parse("hubspot-7").unwrap();
    Handoff {
        key: key.clone(),
        folder: "briefs/2026/11/acme--hubspot-7".to_owned(),
        brief: json!({
            "deal": {"crm": crm, "id": "7", "url": "https://crm.example/7"},
            "signature": {"provider": "pandadoc", "document_id": "d", "signed_at": "2026-11-20T15:01:58Z"},
        }),
        readme: String::new(),
        brief_yaml: String::new(),
        timeline: Timeline::new(key),
        missing: Vec::new(),
        changes: Vec::new(),
        changed_data: Vec::new(),
        told: None,
        brief_blob: None,
        url: Some("https://git.example/briefs/7".to_owned()),
        commit: String::new(),
    }
}

fn sink(answer: fn() -> Result<ClosedWonUpdate, CrmError>) -> CrmSink {
    CrmSink::new(Box::new(Answers(CrmName::new("hubspot"), answer)))
}

#[tokio::test]
async fn what_the_crm_did_is_what_is_recorded() {
    let moved = sink(|| Ok(ClosedWonUpdate::Updated));
    assert_eq!(moved.event(), EventKind::CrmUpdated);
    let mark = moved.act(&handoff("hubspot")).await.unwrap();
    assert_eq!((mark.reference.as_str(), mark.remark), ("https://crm.example/7", None));
    let mark = sink(|| Ok(ClosedWonUpdate::AlreadyWon)).act(&handoff("hubspot")).await.unwrap();
    assert_eq!(mark.remark.as_deref(), Some("it was won already"));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_crms_words_and_not_repeated() {
    let refused = sink(|| {
        Err(CrmError::Refused {
            crm: CrmName::new("hubspot"),
            message: "go-live date is required".to_owned(),
        })
    });
    match refused.act(&handoff("hubspot")).await {
        Err(DeliveryError::Permanent { message, .. }) => {
            assert!(message.contains("go-live date is required"), "{message}")
        }
        other => panic!("a refusal is permanent: {other:?}"),
    }
    let away = sink(|| {
        Err(CrmError::Unavailable { message: "no answer".to_owned(), help: String::new() })
    });
    assert!(matches!(away.act(&handoff("hubspot")).await, Err(DeliveryError::Transient { .. })));
    let kept = sink(|| Ok(ClosedWonUpdate::NotSupported));
    assert!(matches!(kept.act(&handoff("hubspot")).await, Err(DeliveryError::Permanent { .. })));
}

#[tokio::test]
async fn a_deal_of_another_crm_is_never_touched() {
    let sink = sink(|| panic!("it must not be asked"));
    assert!(matches!(sink.act(&handoff("salesforce")).await, Err(DeliveryError::Permanent { .. })));
}

/// Records whether it was told that the document is a contract.
struct Told(Arc<Mutex<Vec<bool>>>, CrmName);

#[async_trait]
impl Crm for Told {
    fn name(&self) -> &CrmName {
        &self.1
    }

    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError> {
        Ok(asked.iter().map(|it| Ok(Deal::new(self.1.clone(), it.id.clone()))).collect())
    }

    async fn population(&self, _: Window, _: &dyn Progress) -> Result<Population, CrmError> {
        unreachable!("nobody asks")
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        self.0.lock().unwrap().push(signed.is_contract);
        Ok(if signed.is_contract {
            ClosedWonUpdate::Updated
        } else {
            ClosedWonUpdate::NotAContract
        })
    }

    async fn checks(&self, _: &Properties) -> Vec<Check> {
        Vec::new()
    }
}

#[tokio::test]
async fn only_a_rule_or_a_person_lets_a_deal_be_moved() {
    for (decided_by, document, is_contract) in [
        (Some(DecidedBy::Rule), "d", true),
        (Some(DecidedBy::Person), "d", true),
        (Some(DecidedBy::Won), "d", false),
        (Some(DecidedBy::Total), "d", false),
        (None, "d", false),
        (Some(DecidedBy::Rule), "another", false),
    ] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let crm = Told(told.clone(), CrmName::new("hubspot"));
        let mut handoff = handoff("hubspot");
        let at = "2026-11-20T15:02:00Z".parse().unwrap();
        let mut event = Event::new(at, EventKind::Signed, "pandadoc");
        event.reference = Some(document.to_owned());
        event.decided_by = decided_by;
        handoff.timeline.events.push(event);
        let done = CrmSink::new(Box::new(crm)).act(&handoff).await;
        assert_eq!(*told.lock().unwrap(), [is_contract], "{decided_by:?} of {document}");
        match done {
            Ok(_) => assert!(is_contract),
            Err(DeliveryError::Permanent { message, help }) => {
                assert!(!is_contract && message.contains("`documents:`"), "{message}");
                assert!(help.contains("by hand") && help.contains("is: contract"), "{help}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}
