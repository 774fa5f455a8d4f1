//! Large populations of Salesforce: the Bulk API 2.0 beside pages of REST.

use std::time::Duration;

use handoff::crm::salesforce::{BulkPace, Salesforce};
use handoff::crm::{Crm as _, RequestedProperties};
use handoff::model::{Deal, Gap, Outcome, Population, Properties, Window};
use serde_json::{Value, json};

use super::connect as connect_as_set;
use super::fake::{Fake, Org, from_samples};

/// Looks at a job without waiting, and gives it up after the fifth look or so.
fn connect(fake: &Fake, more: &str) -> Salesforce {
    let pace = BulkPace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(1),
        limit: Duration::from_millis(500),
    };
    connect_as_set(fake, more).with_bulk_pace(pace)
}

async fn read(crm: &Salesforce) -> Population {
    crm.population(Window::default(), &()).await.expect("population")
}

fn parts(population: Population) -> (Vec<Deal>, Vec<Gap>) {
    population.deals.into_parts()
}

/// The org of the samples, grown to so many opportunities, one of them deleted.
pub(crate) fn many(count: usize) -> Org {
    let mut org = from_samples();
    org.opportunities.clear();
    for n in 1..=count {
        let id = handoff::model::normalise_deal_id(
            &handoff::model::CrmName::new("salesforce"),
            &handoff::model::DealId::new(format!("006Hs0000{n:06}")),
        );
        org.add(json!({
            "Id": id.as_str(), "Name": format!("Deal, \"{n}\"\nof many"), "StageName": "Closed Won",
            "IsWon": true, "IsClosed": true, "IsDeleted": n == 7, "CloseDate": "2026-10-30",
            "Amount": 100.5, "CurrencyIsoCode": "USD", "AccountId": "001Hs00000nWr01IAC",
            "Account": {"Name": "Northwind", "NumberOfEmployees": 420},
            "Owner": {"Name": "Priya Raman", "Email": "priya@vendor.example", "IsActive": true},
            "LastStageChangeDate": "2026-10-30T16:42:11.000+0000",
            "SystemModstamp": "2026-10-30T16:42:12.000+0000",
        }));
        org.history.push(json!({
            "OpportunityId": id.as_str(), "StageName": "Closed Won",
            "CreatedDate": "2026-10-29T10:00:00.000+0000",
        }));
    }
    org.page = 2_000;
    org.bulk_page = 4_000;
    org
}

#[tokio::test]
async fn salesforce_twenty_five_thousand_deals_come_through_pages_and_jobs_whole_and_the_same() {
    let fake = Fake::with(many(25_000)).await;
    let rest = read(&connect(&fake, "bulk_from: 1000000")).await;
    assert!(!fake.state().calls.iter().any(|(_, path, _)| path.contains("/jobs/")));
    let bulk = read(&connect(&fake, "")).await;
    let asked =
        |part: &str| fake.state().calls.iter().filter(|(_, path, _)| path.contains(part)).count();
    assert_eq!(asked("/results"), 7 + 7, "opportunities and history, by locator");
    assert!(fake.state().jobs.is_empty(), "each job is taken away");
    assert_eq!((rest.source.rows, bulk.source.rows), (25_000, 25_000));
    let ((rest, gaps), (bulk, more)) = (parts(rest), parts(bulk));
    assert_eq!((gaps, more), (vec![], vec![]));
    let total: rust_decimal::Decimal =
        bulk.iter().filter_map(|deal| deal.amount.as_ref().map(|m| m.amount)).sum();
    assert_eq!(total, rust_decimal::Decimal::new(2_512_500, 0));
    assert_eq!(bulk.iter().filter(|deal| deal.outcome == Outcome::Gone).count(), 1);
    let won = bulk[0].closed_won_at.map(|at| at.to_rfc3339());
    assert_eq!(won.as_deref(), Some("2026-10-29T10:00:00+00:00"), "from the history");
    assert_eq!(rest.len(), bulk.len());
    for (rest, bulk) in rest.iter().zip(&bulk) {
        assert_eq!(rest, bulk);
    }
}

#[tokio::test]
async fn salesforce_the_ten_deals_are_the_same_by_either_api_with_all_that_a_scope_reads() {
    let fake = Fake::start().await;
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let scope = Properties {
        company: names(&["Tier__c"]),
        contacts: names(&[]),
        line_items: names(&["TotalPrice"]),
        ..Properties::default()
    };
    let requested = RequestedProperties { scope, ..RequestedProperties::default() };
    let (rest, gaps) = parts(read(&connect(&fake, "").reading(requested.clone())).await);
    let (bulk, more) = parts(read(&connect(&fake, "bulk_from: 0").reading(requested)).await);
    assert_eq!((gaps, more), (vec![], vec![]));
    assert_eq!(rest.len(), 10);
    for (rest, bulk) in rest.iter().zip(&bulk) {
        assert_eq!(json!(rest), json!(bulk));
    }
    let first = bulk.iter().find(|deal| deal.id.as_str() == super::FIRST).expect("the first");
    assert_eq!((first.contacts.len(), first.line_items.len()), (3, 2));
    let plain = parts(read(&connect(&fake, "bulk_from: 0")).await).0;
    assert!(plain.iter().all(|deal| deal.contacts.is_empty() && deal.line_items.is_empty()));
}

#[tokio::test]
async fn salesforce_a_page_of_results_that_fails_is_named() {
    let fake = Fake::with(many(40)).await;
    fake.state().bulk_page = 4;
    let broken = json!([{"errorCode": "SERVER_UNAVAILABLE", "message": "Try later"}]);
    fake.plan("locator=24", vec![(503, broken); 3]);
    let (deals, gaps) = parts(read(&connect(&fake, "bulk_from: 10")).await);
    let what: Vec<&str> = gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(what, ["page 7 of the won and deleted opportunities, and those behind it"]);
    assert!(gaps[0].why.contains("Salesforce answered 503: Try later."), "{}", gaps[0].why);
    // The history knows the others, so that they are read one by one.
    assert_eq!(deals.len(), 40);
    assert!(fake.state().jobs.is_empty(), "the job is taken away all the same");
}

#[tokio::test]
async fn salesforce_a_job_that_fails_or_never_ends_is_a_gap_in_its_words() {
    let job = |state: &str| {
        let words = "InvalidBatch : Field name not found : Amnt";
        (200, json!({"id": "750Hs00000ex001IAE", "state": state, "errorMessage": words}))
    };
    for (state, why) in [
        ("Failed", "ended the bulk job 750Hs00000ex001IAE as Failed: InvalidBatch : Field name"),
        ("Aborted", "as Aborted: InvalidBatch"),
        ("InProgress", "was not done after 0 minutes"),
    ] {
        let fake = Fake::with(many(40)).await;
        fake.plan(
            "jobs/query/750Hs00000ex001IAE",
            vec![job(state); if state == "InProgress" { 2_000 } else { 1 }],
        );
        let stopped = fake.clone();
        let population = read(&connect(&fake, "bulk_from: 10")).await;
        let (_, gaps) = parts(population);
        assert_eq!(gaps[0].what, "the won and deleted opportunities", "{state}: {gaps:#?}");
        assert!(gaps[0].why.contains(why), "{state}: {}", gaps[0].why);
        let aborted =
            stopped.state().calls.iter().any(|(method, _, body)| {
                *method == http::Method::PATCH && body.contains("Aborted")
            });
        assert_eq!(aborted, state == "InProgress", "only what runs is stopped");
    }
}

#[tokio::test]
async fn salesforce_without_the_bulk_api_the_pages_are_read_and_it_is_said() {
    let fake = Fake::with(many(40)).await;
    let refused = json!([{"errorCode": "FEATURENOTENABLED", "message": "Bulk API is not enabled"}]);
    fake.plan("jobs/query", [(400, refused)]);
    let population = read(&connect(&fake, "bulk_from: 10")).await;
    let said = population.source.remarks.join(" ");
    assert!(said.contains("The Bulk API could not be used, and the REST API was"), "{said}");
    let (deals, gaps) = parts(population);
    assert_eq!((deals.len(), gaps), (40, vec![]));
}

#[tokio::test]
async fn salesforce_deals_of_a_merged_account_are_told_with_the_one_that_stays() {
    let fake = Fake::start().await;
    {
        let mut state = fake.state();
        let merged = super::fake::sample("queryall-merged-accounts")["records"][0].clone();
        let gone = merged["Id"].as_str().expect("id").to_owned();
        let stays = merged["MasterRecordId"].as_str().expect("master").to_owned();
        let account = state.opportunities[super::FIRST]["Account"].clone();
        state.accounts.insert(gone.clone(), merged.clone());
        // The one that stays was merged itself, later.
        let mut first = account.clone();
        first["Id"] = stays.clone().into();
        first["MasterRecordId"] = "001Hs00000nWr00IAC".into();
        state.accounts.insert(stays, first);
        let mut last = account;
        last["Id"] = "001Hs00000nWr00IAC".into();
        last["Name"] = "Northwind Group".into();
        state.accounts.insert("001Hs00000nWr00IAC".to_owned(), last);
        let deal = state.opportunities.get_mut("006Hs00000aB2cDIAS").expect("a deal");
        deal["AccountId"] = gone.into();
        deal["Account"] = merged;
    }
    let crm = connect(&fake, "");
    let population = read(&crm).await;
    let said = population.source.remarks.join(" ");
    assert!(
        said.contains("merged into another, listed under the account that remains: 1"),
        "{said}"
    );
    let (deals, gaps) = parts(population);
    assert_eq!(gaps, []);
    let one = crm.deal(&handoff::model::DealId::new("006Hs00000aB2cDIAS"), None).await;
    let of = |deal: &Deal| {
        let company = deal.company.clone().expect("a company");
        let from = company.properties.get("MergedFrom").and_then(Value::as_str).map(str::to_owned);
        (company.id, company.name, from)
    };
    let listed = deals.iter().find(|deal| deal.id.as_str() == "006Hs00000aB2cDIAS").expect("it");
    let text = |text: &str| Some(text.to_owned());
    let requested =
        (text("001Hs00000nWr00IAC"), text("Northwind Group"), text("001Hs00000nWr99IAC"));
    assert_eq!(of(listed), requested);
    assert_eq!(of(&one.expect("the deal")), requested);
    let deleted = deals.iter().find(|deal| deal.id.as_str() == "006Hs00000aB0cDIAS").expect("it");
    assert_eq!(deleted.outcome, Outcome::Gone, "deleted is another thing");
}
