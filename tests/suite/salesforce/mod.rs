//! Salesforce through the `Crm` face, against a fake that keeps its rules.

pub(crate) mod bulk;
pub(crate) mod fake;
mod jobs;
mod soql;

use std::time::Duration;

use handoff::crm::salesforce::{Salesforce, SalesforceSettings};
use handoff::crm::{CheckLevel, ClosedWonUpdate, Crm as _, CrmError, RequestedProperties, Signed};
use handoff::model::{DealId, Outcome, Properties, Secrets, Window};
use serde_json::{Value, json};

use self::fake::{CLIENT_ID, CLIENT_SECRET, Fake, fixture, sample};
use crate::crm_sink::{self, at, help, of_deals, population, quick, signed_by_mei, win};

const FIRST: &str = "006Hs00000aB1cDIAS";

fn settings(fake: &Fake, more: &str) -> SalesforceSettings {
    crm_sink::settings(&format!("login_url: {}\n{more}", fake.base.as_str()))
}

fn secrets(pairs: &[(&str, &str)]) -> Secrets {
    Secrets::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())))
}

fn credentials() -> Secrets {
    secrets(&[("SALESFORCE_CLIENT_ID", CLIENT_ID), ("SALESFORCE_CLIENT_SECRET", CLIENT_SECRET)])
}

pub(crate) fn connect(fake: &Fake, more: &str) -> Salesforce {
    Salesforce::new(settings(fake, more), &credentials())
        .expect("a connector")
        .with_schedule(quick(Duration::from_secs(60)))
}

fn requested(own: &[&str], mapping: &[&str]) -> RequestedProperties {
    RequestedProperties {
        own: of_deals(own),
        mapping: of_deals(mapping),
        ..RequestedProperties::default()
    }
}

#[tokio::test]
async fn salesforce_one_deal_has_all_a_brief_needs() {
    let fake = Fake::start().await;
    let signature = signed_by_mei();
    let all = ["Success_Criteria__c", "Commitment_Log__c", "Not_In_This_Org__c"];
    let crm = connect(&fake, "").reading(requested(&all[..1], &all));
    // The id as a report gives it.
    let mut deal = crm.deal(&DealId::new("006Hs00000aB1cD"), Some(&signature)).await.expect("deal");
    let base = fake.base.as_str();
    assert_eq!(deal.url, Some(format!("{base}/lightning/r/Opportunity/{FIRST}/view")));
    deal.url = None;
    insta::assert_json_snapshot!(deal);
    let bare = crm.deal(&DealId::new("006Hs00000aB4cDIAS"), None).await.expect("no children");
    assert_eq!((bare.contacts.len(), bare.line_items.len()), (0, 0));
    assert_eq!(bare.amount.map(|m| m.amount.to_string()).as_deref(), Some("0.00"));
}

#[tokio::test]
async fn salesforce_the_ten_deals_come_out_as_their_story_says() {
    let fake = Fake::start().await;
    let (deals, gaps) = population(&connect(&fake, "")).await;
    assert_eq!(gaps, [], "everything could be read");
    let told: Vec<String> = deals
        .values()
        .map(|deal| {
            let money = deal.amount.as_ref().expect("an amount");
            format!(
                "{} {:?} {} {} {} [{}] {}",
                deal.id,
                deal.outcome,
                money.amount,
                money.currency.as_deref().unwrap_or("-"),
                deal.closed_won_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
                deal.closed_won_evidence.as_deref().unwrap_or_default(),
                deal.owner.as_ref().and_then(|o| o.email.as_deref()).unwrap_or("-"),
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    // A brief may stand for an opportunity that was deleted before it was won.
    let never = json!({"Id": "006Hs00000aBNcDIAS", "StageName": "Qualification", "IsWon": false,
                       "IsClosed": false, "IsDeleted": true});
    fake.state().add(never);
    let (deals, _) = population(&connect(&fake, "")).await;
    let never = &deals["006Hs00000aBNcDIAS"];
    assert_eq!((never.outcome, never.closed_won_at), (Outcome::Gone, None));
}

#[tokio::test]
async fn salesforce_a_window_asks_for_what_was_touched_since() {
    let fake = Fake::start().await;
    let window = Window { from: Some(at("2026-10-25T00:00:00Z")), to: None };
    let population = connect(&fake, "").population(window, &()).await.expect("population");
    let query = population.source.query.clone().expect("query");
    assert!(query.contains("SystemModstamp >= 2026-10-25T00:00:00Z ORDER BY Id"), "{query}");
    assert!(
        population.source.remarks[0].contains("recycle bin"),
        "{:?}",
        population.source.remarks
    );
    let (deals, gaps) = population.deals.into_parts();
    assert_eq!(gaps, []);
    assert!(!deals.iter().any(|deal| deal.id.as_str() == "006Hs00000aB3cDIAS"), "untouched since");
}

#[tokio::test]
async fn salesforce_a_page_that_fails_makes_the_population_incomplete_and_is_named() {
    let fake = Fake::start().await;
    fake.state().page = 1;
    let broken = json!([{"errorCode": "SERVER_UNAVAILABLE", "message": "Try later"}]);
    fake.plan("query/1006", vec![(503, broken.clone()); 3]);
    let (deals, gaps) = population(&connect(&fake, "")).await;
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
    assert_eq!(gaps[0].what, "page 7 of the won and deleted opportunities, and those behind it");
    assert!(gaps[0].why.contains("Salesforce answered 503: Try later."), "{}", gaps[0].why);
    assert!(deals.len() >= 6, "six pages were read");
    fake.plan("FROM OpportunityHistory", vec![(503, broken); 3]);
    let (_, gaps) = population(&connect(&fake, "")).await;
    assert_eq!(gaps[0].what, "page 1 of the history of won stages, and those behind it");
    let none = json!([{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access"}]);
    fake.plan("IsWon = true", [(403, none)]);
    let error = connect(&fake, "").population(Window::default(), &()).await.expect_err("nothing");
    assert!(matches!(error, CrmError::Denied { .. }), "{error}");
}

#[tokio::test]
async fn salesforce_a_session_that_expires_is_renewed_once() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "");
    crm.deal(&DealId::new(FIRST), None).await.expect("deal");
    assert_eq!(fake.state().logins, 1, "one login serves all requests");
    // A token given to somebody else: ours is not valid any more.
    fake.state().logins += 1;
    let (deals, gaps) = population(&crm).await;
    assert_eq!((deals.len(), gaps.len(), fake.state().logins), (10, 0, 3));
    let expired = (401, sample("error-401-invalid-session"));
    fake.plan("query", vec![expired; 2]);
    let error = crm.deal(&DealId::new(FIRST), None).await.expect_err("twice");
    assert!(matches!(error, CrmError::Denied { .. }), "{error}");
    assert_eq!(fake.state().logins, 4, "it is not tried again and again");
}

#[tokio::test]
async fn salesforce_a_signed_jwt_opens_a_session() {
    let fake = Fake::start().await;
    let pem = fixture("test-only-jwt-key.pem");
    for key in [pem.clone(), pem.replace('\n', "\\n")] {
        let secrets =
            secrets(&[("SALESFORCE_CLIENT_ID", CLIENT_ID), ("SALESFORCE_PRIVATE_KEY", &key)]);
        let crm = Salesforce::new(settings(&fake, "username: api@vendor.example"), &secrets);
        let crm = crm.expect("a connector").with_schedule(quick(Duration::from_secs(60)));
        crm.deal(&DealId::new(FIRST), None).await.expect("deal");
        assert!(!format!("{crm:?}").contains("MII"), "{crm:?}");
        let error = Salesforce::new(settings(&fake, ""), &secrets).expect_err("nobody named");
        assert!(error.to_string().contains("crm.salesforce.username"), "{error}");
    }
}

#[tokio::test]
async fn salesforce_secrets_are_told_nowhere() {
    let fake = Fake::start().await;
    let wrong = secrets(&[
        ("SALESFORCE_CLIENT_ID", CLIENT_ID),
        ("SALESFORCE_CLIENT_SECRET", "wrong-secret-0815"),
    ]);
    let crm = Salesforce::new(settings(&fake, ""), &wrong).expect("a connector");
    let error = crm.deal(&DealId::new(FIRST), None).await.expect_err("400");
    assert!(matches!(error, CrmError::Denied { .. }), "{error:?}");
    let mut said = format!("{error} {error:?} {crm:?} {}", help(&error));
    let repeats = json!({"error": "invalid_client", "error_description": "wrong-secret-0815?"});
    fake.plan("oauth2", [(400, repeats)]);
    said += &crm.deal(&DealId::new(FIRST), None).await.expect_err("repeats").to_string();
    let crm = connect(&fake, "");
    crm.deal(&DealId::new(FIRST), None).await.expect("deal");
    let token = "00DHs000002AbCd!SESSION.1";
    let repeats = json!([{"errorCode": "X", "message": format!("bad header Bearer {token}")}]);
    fake.plan("query", [(418, repeats)]);
    let error = crm.deal(&DealId::new(FIRST), None).await.expect_err("418");
    said += &format!("{error} {error:?} {crm:?}");
    assert!(said.contains("[redacted]"), "{said}");
    for secret in [token, CLIENT_SECRET, "wrong-secret-0815"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn salesforce_logins_that_cannot_work_say_why() {
    let fake = Fake::start().await;
    let refuse = |settings: SalesforceSettings, pairs: &[(&str, &str)]| {
        Salesforce::new(settings, &secrets(pairs)).expect_err("refused").to_string()
    };
    let id = ("SALESFORCE_CLIENT_ID", CLIENT_ID);
    assert!(refuse(settings(&fake, ""), &[]).contains("SALESFORCE_CLIENT_ID is not set"));
    assert!(refuse(settings(&fake, ""), &[id]).contains("SALESFORCE_PRIVATE_KEY is set"));
    let key = ("SALESFORCE_PRIVATE_KEY", "no key");
    assert!(refuse(settings(&fake, "username: a"), &[id, key]).contains("no RSA private key"));
    let secret = ("SALESFORCE_CLIENT_SECRET", CLIENT_SECRET);
    let shared = refuse(SalesforceSettings::default(), &[id, secret]);
    assert!(shared.contains("not valid on https://login.salesforce.com"), "{shared}");
    for instance in ["http://evil.example", "https://u:p@x.example", "ftp://x", ""] {
        fake.state().instance = Some(instance.to_owned());
        let error = connect(&fake, "").deal(&DealId::new(FIRST), None).await.expect_err(instance);
        assert!(error.to_string().contains("no access_token with an instance_url"), "{error}");
    }
}

#[tokio::test]
async fn salesforce_a_mapped_field_that_is_gone_is_named() {
    let fake = Fake::start().await;
    let own = ["Sucess_Criteria__c", "Id FROM User"];
    let crm = connect(&fake, "").reading(requested(&own, &own));
    let error = crm.deal(&DealId::new(FIRST), None).await.expect_err("no such field");
    assert!(matches!(error, CrmError::Settings { .. }));
    assert!(error.to_string().contains("Id FROM User, Sucess_Criteria__c"), "{error}");
    assert!(crm.population(Window::default(), &()).await.is_err());
    let hidden = json!([{"errorCode": "INVALID_FIELD", "message": "No such column 'X'"}]);
    fake.plan("FROM Opportunity WHERE", [(400, hidden)]);
    let error = connect(&fake, "").deal(&DealId::new(FIRST), None).await.expect_err("hidden");
    assert!(matches!(error, CrmError::Settings { .. }), "{error:?}");
}

#[tokio::test]
async fn salesforce_mapped_fields_of_the_records_beside_are_read_and_must_be_there() {
    let fake = Fake::start().await;
    let set = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let own = |company: &[&str], contacts: &[&str], items: &[&str]| RequestedProperties {
        own: Properties {
            company: set(company),
            contacts: set(contacts),
            line_items: set(items),
            ..Properties::default()
        },
        ..RequestedProperties::default()
    };
    let all = own(&["Tier__c"], &["FirstName", "IsPrimary"], &["TotalPrice"]);
    let deal = connect(&fake, "").reading(all.clone()).deal(&DealId::new(FIRST), None).await;
    let deal = deal.expect("deal");
    assert_eq!(deal.company.expect("a company").properties["Tier__c"], "enterprise");
    let asked = fake.state().calls.iter().any(|(_, path, _)| path.contains("Contact.FirstName"));
    assert!(asked, "a field of a person is asked for by name");
    fake.state().calls.clear();
    let crm = connect(&fake, "").reading(all.clone());
    crm.population(Window::default(), &()).await.expect("population");
    let beside =
        fake.state().calls.iter().any(|(_, path, _)| path.contains("FROM OpportunityLine"));
    assert!(!beside, "an audit reads no products that no scope asks for");
    for (requested, of) in [
        (own(&["Teir__c"], &[], &[]), "Salesforce's accounts do not have: Teir__c"),
        (own(&[], &["Badge__c"], &[]), "Salesforce's contacts do not have: Badge__c"),
        (own(&[], &[], &["Plan__c"]), "Salesforce's opportunity products do not have: Plan__c"),
    ] {
        let crm = connect(&fake, "").reading(requested.clone());
        let error = crm.deal(&DealId::new(FIRST), None).await.expect_err(of);
        assert!(error.to_string().contains(of), "{error}");
        let failed = crm.checks(&requested.own).await;
        assert_eq!(failed.iter().filter(|c| c.level == CheckLevel::Failed).count(), 1, "{of}");
    }
}

#[tokio::test]
async fn salesforce_ids_that_are_none_never_reach_a_query() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "");
    for id in ["1", "006Hs00000aB1' OR", "../../../x/y/z/1/", "006Hs00000aZ9cDIAS"] {
        let error = crm.deal(&DealId::new(id), None).await.expect_err(id);
        assert!(matches!(error, CrmError::NotFound { .. }), "{error:?}");
        let asked = fake.state().calls.iter().any(|(_, path, _)| path.contains(&format!("'{id}")));
        assert_eq!(asked, id.len() == 18 && !id.contains(' '), "{id}");
    }
    // A connection asks once what the org has.
    let crm = connect(&fake, "");
    fake.plan("describe", [(404, sample("error-404-not-found"))]);
    let hidden = crm.deal(&DealId::new(FIRST), None).await.expect_err("no access to the object");
    assert!(matches!(hidden, CrmError::Denied { .. }), "{hidden:?}");
    let gone = crm.deal(&DealId::new("006Hs00000aB0cDIAS"), None).await.expect("deleted");
    assert_eq!(gone.outcome, Outcome::Gone);
}

#[tokio::test]
async fn salesforce_an_open_deal_is_moved_to_the_won_stage_with_one_task() {
    let fake = Fake::start().await;
    let id = DealId::new("006Hs00000aB7cD");
    let crm = connect(&fake, "update_closed_won: true");
    let url = Some("https://git.example/briefs/it's");
    assert_eq!(win(&crm, &id, url).await.expect("moved"), ClosedWonUpdate::Updated);
    assert_eq!(win(&crm, &id, url).await.expect("again"), ClosedWonUpdate::AlreadyWon);
    let writes = fake.writes();
    assert_eq!(writes.len(), 2, "one change and one task, however often: {writes:#?}");
    assert_eq!(writes[0].1, json!({"StageName": "Closed Won", "CloseDate": "2026-11-20"}));
    assert_eq!(writes[1].1["WhatId"], "006Hs00000aB7cDIAS");
    assert_eq!(writes[1].1["Description"], "https://git.example/briefs/it's");
}

#[tokio::test]
async fn salesforce_a_deal_that_is_won_or_lost_or_not_to_be_moved_is_left_alone() {
    let fake = Fake::start().await;
    fake.state().add(json!({
        "Id": "006Hs00000aBLcDIAS", "StageName": "Closed Lost", "IsWon": false, "IsClosed": true,
    }));
    let crm = connect(&fake, "update_closed_won: true");
    let won = win(&crm, &DealId::new("006Hs00000aB2cD"), None).await;
    assert_eq!(won.expect("won"), ClosedWonUpdate::AlreadyWon);
    let lost = win(&crm, &DealId::new("006Hs00000aBLcDIAS"), None).await;
    let lost = lost.expect_err("lost").to_string();
    assert!(lost.contains("the deal is lost (its stage is \"Closed Lost\")"), "{lost}");
    let open = DealId::new("006Hs00000aB7cDIAS");
    let reader = win(&connect(&fake, ""), &open, Some("x")).await;
    assert_eq!(reader.expect("not configured"), ClosedWonUpdate::NotSupported);
    let crm = connect(&fake, "update_closed_won: true\nstage: Gewonnen (alt)");
    let inactive = win(&crm, &open, None).await.expect_err("inactive");
    assert!(help(&inactive).contains("\"Closed Won\""), "{inactive}");
    assert!(fake.writes().is_empty());
    fake.plan("sobjects/Opportunity/006", [(400, sample("error-400-validation"))]);
    let crm = connect(&fake, "update_closed_won: true");
    let refused = win(&crm, &open, None).await.expect_err("a rule");
    assert_eq!(
        refused.to_string(),
        "salesforce refused: Success criteria must be filled before Closed Won (Success_Criteria__c)."
    );
    assert!(matches!(refused, CrmError::Refused { .. }));
    assert_eq!(fake.writes().len(), 1, "it is not tried again");
}

#[tokio::test]
async fn salesforce_limits_end_the_day_and_concurrent_ones_are_waited_for() {
    let fake = Fake::start().await;
    let many = json!([{
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
        "message": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    }]);
    fake.plan("describe", vec![(403, many); 2]);
    let crm = connect(&fake, "");
    crm.deal(&DealId::new(FIRST), None).await.expect("deal");
    fake.plan("query", [(403, sample("error-403-request-limit"))]);
    fake.state().limit_info = Some("api-usage=118000/118000");
    let calls = fake.state().calls.len();
    let error = crm.deal(&DealId::new(FIRST), None).await.expect_err("the day is over");
    assert!(matches!(error, CrmError::Unavailable { .. }));
    assert!(error.to_string().contains("limit of requests is used up"), "{error}");
    assert_eq!(fake.state().calls.len(), calls + 1);
}

#[tokio::test]
async fn salesforce_a_slow_query_and_a_forgotten_place_are_asked_again() {
    let said = |code: &str| json!([{"errorCode": code, "message": "in any language"}]);
    let fake = Fake::start().await;
    let crm = connect(&fake, "");
    let whole = crm.population(Window::default(), &()).await.expect("population");
    let (deals, gaps) = whole.deals.into_parts();
    assert_eq!(gaps, []);
    fake.state().cursors.clear();
    fake.plan("IsWon = true", vec![(400, said("QUERY_TIMEOUT")); 2]);
    fake.plan("query/0001", [(400, said("INVALID_QUERY_LOCATOR"))]);
    let again = crm.population(Window::default(), &()).await.expect("population");
    assert_eq!(again.source.rows, deals.len(), "no record counts twice");
    assert_eq!(again.deals.into_parts(), (deals, Vec::new()));
    let planned = fake.state().planned.iter().map(|(_, left)| left.len()).sum::<usize>();
    assert_eq!(planned, 0, "each fault came");
}

#[tokio::test]
async fn salesforce_a_locked_opportunity_is_waited_for() {
    let fake = Fake::start().await;
    let locked = json!([{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "besetzt", "fields": []}]);
    fake.plan("sobjects/Opportunity/006", vec![(400, locked.clone()); 2]);
    let crm = connect(&fake, "update_closed_won: true");
    let id = DealId::new("006Hs00000aB7cDIAS");
    let signed = Signed {
        id: &id,
        signed_at: "2026-11-20T15:01:58Z".parse().expect("a time"),
        brief_url: None,
        is_contract: true,
    };
    assert_eq!(crm.mark_closed_won(&signed).await.expect("moved"), ClosedWonUpdate::Updated);
    let fake = Fake::start().await;
    fake.plan("sobjects/Opportunity/006", vec![(400, locked); 9]);
    let crm = connect(&fake, "update_closed_won: true");
    let error = crm.mark_closed_won(&signed).await.expect_err("locked");
    assert!(matches!(error, CrmError::Unavailable { .. }), "it is tried again later: {error}");
    assert!(error.to_string().contains("UNABLE_TO_LOCK_ROW"), "{error}");
}

#[tokio::test]
async fn salesforce_a_hidden_field_is_a_finding_of_doctor_and_told_in_an_audit() {
    let fake = Fake::start().await;
    for name in ["Amount", "CloseDate", "LastStageChangeDate"] {
        fake.state().fields.remove(name);
    }
    let crm = connect(&fake, "");
    let checks = crm.checks(&Properties::default()).await;
    let what = "salesforce: fields of opportunities";
    let check = checks.iter().find(|check| check.what == what).expect("a check");
    assert_eq!(check.level, CheckLevel::Failed);
    assert_eq!(check.detail, "the app's user cannot see Amount, CloseDate");
    let population = crm.population(Window::default(), &()).await.expect("population");
    let remarks = population.source.remarks.join("\n");
    assert!(remarks.contains("no deal has an amount"), "{remarks}");
    let (_, gaps) = population.deals.into_parts();
    assert!(gaps.iter().any(|gap| gap.what.contains("when opportunities were won")), "{gaps:?}");
}

#[tokio::test]
async fn salesforce_a_close_date_in_the_future_is_not_when_it_was_won() {
    let fake = Fake::start().await;
    let id = "006Hs00000aB9cDIAS";
    fake.state().history.retain(|row| row["OpportunityId"] != id);
    fake.state().add(json!({"Id": id, "CloseDate": "2027-01-31", "LastStageChangeDate": null}));
    let population = connect(&fake, "").population(Window::default(), &()).await.expect("read");
    let (deals, _) = population.deals.into_parts();
    let deal = deals.iter().find(|deal| deal.id.as_str() == id).expect("there");
    assert_eq!(deal.outcome, Outcome::Won);
    assert_eq!(deal.closed_won_at, Some("2026-10-20T09:30:00Z".parse().expect("a time")));
    let evidence = deal.closed_won_evidence.as_deref();
    assert_eq!(evidence, Some("last change (close date is later)"));
    let remarks = population.source.remarks.join("\n");
    assert!(remarks.contains("Won deals whose date is later than their last change"), "{remarks}");
    assert!(remarks.contains(&format!("1, the first is {id}")), "{remarks}");
}

#[tokio::test]
async fn salesforce_doctor_sees_login_objects_stages_and_properties() {
    let fake = Fake::start().await;
    let none = json!([{"errorCode": "INVALID_TYPE", "message": "sObject type is not supported."}]);
    fake.plan("FROM Contact LIMIT", [(400, none)]);
    let crm = connect(&fake, "update_closed_won: true");
    let named = of_deals(&["Success_Criteria__c", "Gone__c"]);
    let checks = crm.checks(&named).await;
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.level == CheckLevel::Failed)
        .map(|check| check.what.as_str())
        .collect();
    assert_eq!(
        failed,
        ["salesforce: read Contact", "salesforce: properties of opportunities"],
        "{checks:#?}"
    );
    let set = checks.iter().find(|check| check.what == "salesforce: stage to set");
    assert_eq!(set.map(|check| check.detail.as_str()), Some("Closed Won"));
    let wrong = secrets(&[("SALESFORCE_CLIENT_ID", "x"), ("SALESFORCE_CLIENT_SECRET", "y")]);
    let crm = Salesforce::new(settings(&fake, ""), &wrong).expect("a connector");
    let checks: Value = json!(crm.checks(&Properties::default()).await);
    assert_eq!(checks[0]["level"], "failed");
}
