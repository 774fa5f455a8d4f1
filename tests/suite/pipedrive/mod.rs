//! Pipedrive through the `Crm` face, against a fake that keeps its rules.

pub(crate) mod fake;

use std::collections::BTreeMap;
use std::time::Duration;

use handoff::crm::pipedrive::{Pipedrive, PipedriveSettings};
use handoff::crm::{CheckLevel, ClosedWonUpdate, Crm as _, CrmError, RequestedProperties};
use handoff::model::{Deal, DealId, Outcome, Properties, Secrets, Window};
use serde_json::{Value, json};

use self::fake::{Fake, TOKEN, sample};
use crate::crm_sink::{self, at, help, of_deals, population, quick, signed_by_mei, win};

fn settings(fake: &Fake, more: &str) -> PipedriveSettings {
    crm_sink::settings(&format!("base_url: {}\n{more}", fake.base.as_str()))
}

fn secrets(token: &str) -> Secrets {
    Secrets::new([("PIPEDRIVE_TOKEN".to_owned(), token.to_owned().into())])
}

pub(crate) fn connect(fake: &Fake, more: &str) -> Pipedrive {
    Pipedrive::new(settings(fake, more), &secrets(TOKEN))
        .and_then(|crm| crm.with_schedule(quick(Duration::ZERO)))
        .expect("a connector")
}

fn own(list: &[&str]) -> RequestedProperties {
    RequestedProperties { own: of_deals(list), ..RequestedProperties::default() }
}

fn told(deals: &BTreeMap<String, Deal>) -> String {
    let line = |deal: &Deal| {
        let money = deal.amount.as_ref();
        let money = money.map(|m| format!("{} {}", m.amount, m.currency.as_deref().unwrap_or("-")));
        format!(
            "{} {:?} {} {} [{}] {} {} {:?}",
            deal.id,
            deal.outcome,
            money.unwrap_or_default(),
            deal.closed_won_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
            deal.closed_won_evidence.as_deref().unwrap_or_default(),
            deal.owner.as_ref().and_then(|o| o.email.as_deref()).unwrap_or("-"),
            deal.pipeline.as_deref().unwrap_or("-"),
            deal.merged_ids.iter().map(DealId::as_str).collect::<Vec<_>>(),
        )
    };
    deals.values().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn pipedrive_one_deal_has_all_a_brief_needs() {
    let fake = Fake::start().await;
    fake.state().page = 2;
    let signature = signed_by_mei();
    let crm = connect(&fake, "").reading(own(&["handoff promises", "Handoff - success metric"]));
    let deal = crm.deal(&DealId::new("7001"), Some(&signature)).await.expect("deal");
    insta::assert_json_snapshot!(deal);
}

#[tokio::test]
async fn pipedrive_choices_labels_and_addresses_are_told_in_words() {
    let fake = Fake::start().await;
    {
        let mut state = fake.state();
        let field = |code: &str, name: &str, options: Value| {
            json!({"field_code": code, "field_name": name, "is_custom_field": true,
                   "options": options})
        };
        let option = |id: u64, label: &str| json!({"id": id, "label": label});
        state.fields.insert(
            "person",
            vec![
                field("label_ids", "Labels", json!([option(5, "Champion")])),
                field("aa", "Buying role", json!([option(1, "Budget holder")])),
            ],
        );
        state.fields.insert("org", vec![field("tt", "Tier", json!([option(2, "Enterprise")]))]);
        state.persons[1]["label_ids"] = json!([5]);
        state.persons[0]["custom_fields"] = json!({"aa": [1]});
        state.organizations[0]["custom_fields"] = json!({"tt": 2});
        state.fields.get_mut("deal").expect("fields").extend([
            field("mm", "Fee", Value::Null),
            field("pp", "Place", Value::Null),
            field("ss", "Systems", json!([option(1, "Okta"), option(2, "NetSuite")])),
        ]);
        let deal = state.deals.get_mut(&7001).expect("deal");
        deal["custom_fields"]["mm"] = json!({"value": 12.5, "currency": "EUR"});
        deal["custom_fields"]["pp"] = json!({"value": "Leeds", "country": "United Kingdom"});
        deal["custom_fields"]["ss"] = json!([1, 2]);
    }
    let deal = connect(&fake, "").deal(&DealId::new("7001"), None).await.expect("deal");
    assert_eq!(deal.contacts[0].roles, ["budget_holder", "economic_buyer"]);
    assert_eq!(deal.contacts[1].roles, ["champion"]);
    assert_eq!(deal.company.expect("company").properties["Tier"], "Enterprise");
    assert_eq!(deal.properties["Fee"], "12.5 EUR");
    assert_eq!(deal.properties["Place"], "Leeds");
    assert_eq!(deal.properties["Systems"], json!(["Okta", "NetSuite"]));
}

#[tokio::test]
async fn pipedrive_the_ten_deals_come_out_as_their_story_says() {
    let fake = Fake::start().await;
    let (deals, gaps) = population(&connect(&fake, "")).await;
    assert_eq!(gaps, [], "everything could be read");
    insta::assert_snapshot!(told(&deals));
    let company =
        |fake: &Fake| fake.state().calls.iter().any(|(_, path, _)| path.contains("organizations"));
    assert!(!company(&fake), "organizations cost more than deals, and nobody reads them");
    let asked = |fake: &Fake| {
        fake.state().calls.iter().filter(|(_, path, _)| path.contains("/changelog")).count()
    };
    assert_eq!(asked(&fake), 1, "only the backdated one's, which costs 20 tokens");
    let (deals, gaps) = population(&connect(&fake, "changelog: true")).await;
    assert_eq!((gaps, asked(&fake)), (vec![], 11));
    assert_eq!(deals["7007"].closed_won_evidence.as_deref(), Some("status history"));
}

/// The company of the samples, grown to so many won deals; each hundredth is
/// archived.
pub(crate) fn many(count: u64) -> fake::Company {
    let mut company = fake::from_samples();
    company.deals.clear();
    for n in 1..=count {
        company.add(json!({
            "id": n, "title": format!("Deal {n}"), "status": "won", "value": n, "currency": "USD",
            "owner_id": 9001, "stage_id": 4, "pipeline_id": 1, "is_archived": n % 100 == 0,
            "update_time": "2026-10-30T16:42:12Z", "won_time": "2026-10-30T16:42:11Z",
        }));
    }
    company.page = 500;
    company
}

#[tokio::test]
async fn pipedrive_twenty_five_thousand_deals_come_through_the_cursors_whole() {
    let fake = Fake::with(many(25_000)).await;
    let population =
        connect(&fake, "").population(Window::default(), &()).await.expect("population");
    assert_eq!(population.source.rows, 25_000);
    let (deals, gaps) = population.deals.into_parts();
    assert_eq!(gaps, []);
    let names: std::collections::BTreeSet<_> = deals.iter().map(|deal| &deal.name).collect();
    assert_eq!((deals.len(), names.len()), (25_000, 25_000));
    assert!(deals.iter().all(|deal| deal.outcome == Outcome::Won), "archived is won all the same");
    let lists =
        fake.state().calls.iter().filter(|(_, path, _)| path.contains("status=won")).count();
    assert_eq!(lists, 50 + 1, "24,750 by 500, and 250 archived ones");
}

#[tokio::test]
async fn pipedrive_what_a_scope_reads_beside_the_deals_is_read_and_must_be_there() {
    let fake = Fake::start().await;
    let tier = json!([{"field_code": "tt", "field_name": "Tier", "is_custom_field": true}]);
    {
        let mut state = fake.state();
        state.fields.insert("org", tier.as_array().expect("fields").clone());
        state.organizations[0]["custom_fields"] = json!({"tt": "enterprise"});
    }
    let set = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let scope = |company: &[&str]| RequestedProperties {
        scope: Properties {
            company: set(company),
            contacts: set(&[]),
            line_items: set(&["anything"]),
            ..Properties::default()
        },
        ..RequestedProperties::default()
    };
    let (deals, gaps) = population(&connect(&fake, "").reading(scope(&["tier"]))).await;
    assert_eq!(gaps, []);
    let first = &deals["7001"];
    assert_eq!(first.company.as_ref().expect("a company").properties["Tier"], "enterprise");
    assert_eq!((first.contacts.len(), first.line_items.len()), (3, 2));
    let crm = connect(&fake, "").reading(scope(&["Teir"]));
    let error = crm.population(Window::default(), &()).await.expect_err("no such field");
    assert!(error.to_string().contains("Pipedrive's organizations do not have: Teir"), "{error}");
    assert_eq!(help(&error), "Did you mean Tier?");
    let checks = crm.checks(&scope(&["Teir"]).scope).await;
    let check = checks.iter().find(|check| check.what.ends_with("of organizations"));
    assert_eq!(check.expect("it is looked for").remedy.as_deref(), Some("Did you mean Tier?"));
}

#[tokio::test]
async fn pipedrive_a_page_that_fails_makes_the_population_incomplete_and_is_named() {
    let fake = Fake::start().await;
    fake.state().page = 1;
    let broken = || Some((502, vec![], json!({"error": "Bad gateway"})));
    let pages = std::iter::repeat_with(|| None).take(6).chain([broken(), broken(), broken()]);
    fake.plan("deals?status=won", pages);
    fake.plan("deals/archived", [broken(), broken(), broken()]);
    let (deals, gaps) = population(&connect(&fake, "")).await;
    let what: Vec<&str> = gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "page 7 of the won deals, and those behind it",
            "page 1 of the archived won deals, and those behind it",
        ]
    );
    assert!(gaps[0].why.contains("Pipedrive answered 502: Bad gateway."), "{}", gaps[0].why);
    assert!(deals.contains_key("7006") && !deals.contains_key("7008"), "six pages were read");
}

#[tokio::test]
async fn pipedrive_limits_are_waited_for_and_long_ones_end_it() {
    let fake = Fake::start().await;
    let burst = || {
        let headers = vec![("x-ratelimit-remaining", "0"), ("retry-after", "0")];
        Some((429, headers, sample("error-429")))
    };
    fake.plan("deals?status=won", [burst(), burst()]);
    let crm = connect(&fake, "");
    let (_, gaps) = population(&crm).await;
    assert_eq!(gaps, []);
    let crm = connect(&fake, "");
    let day = Some((429, vec![("retry-after", "43200")], sample("error-429")));
    fake.plan("users/me", [day]);
    let calls = fake.state().calls.len();
    let error = crm.population(Window::default(), &()).await.expect_err("the day is over");
    assert!(error.to_string().contains("rate limit did not clear: request over limit"), "{error}");
    assert_eq!(fake.state().calls.len(), calls + 1, "half a day is not waited for");
}

#[tokio::test]
async fn pipedrive_a_window_asks_for_what_was_touched_since() {
    let fake = Fake::start().await;
    let window = Window { from: Some(at("2026-10-25T00:00:00Z")), to: None };
    let population = connect(&fake, "").population(window, &()).await.expect("population");
    let query = population.source.query.expect("query");
    assert!(query.contains("updated_since=2026-10-25T00:00:00Z"), "{query}");
    assert!(population.source.remarks[0].contains("crm.pipedrive.changelog"));
    let (deals, _) = population.deals.into_parts();
    assert!(!deals.iter().any(|deal| deal.id.as_str() == "7003"), "untouched since");
}

#[tokio::test]
async fn pipedrive_a_deal_that_is_not_there_says_what_may_be_and_a_merged_one_leads_on() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "");
    for (id, requested) in [("1", "merged into another"), ("../1", "ids are numbers")] {
        let error = crm.deal(&DealId::new(id), None).await.expect_err(id);
        assert!(matches!(error, CrmError::NotFound { .. }), "{error:?}");
        assert!(help(&error).contains(requested), "{id}: {}", help(&error));
    }
    let survivor = crm.deal(&DealId::new("7090"), None).await.expect("merged");
    assert_eq!((survivor.id.as_str(), survivor.merged_ids.len()), ("7009", 1));
    let gone = crm.deal(&DealId::new("7010"), None).await.expect("deleted");
    assert_eq!(gone.outcome, Outcome::Gone);
    let left = crm.deal(&DealId::new("7006"), None).await.expect("deal").owner;
    assert_eq!(left.and_then(|o| o.email).as_deref(), Some("tom.becker@vendor.example"));
}

#[tokio::test]
async fn pipedrive_a_mapped_field_that_is_gone_or_there_twice_is_named() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "").reading(own(&["Handoff - sucess metric"]));
    let error = crm.deal(&DealId::new("7001"), None).await.expect_err("no such field");
    assert!(error.to_string().contains("Handoff - sucess metric"), "{error}");
    assert_eq!(help(&error), "Did you mean Handoff - success metric?");
    assert!(crm.population(Window::default(), &()).await.is_err());
    let twin = json!({"field_code": "ff", "field_name": "Handoff - promises",
                      "is_custom_field": true});
    fake.state().fields.get_mut("deal").expect("fields").push(twin);
    let crm = connect(&fake, "").reading(own(&["Handoff - promises"]));
    let error = crm.deal(&DealId::new("7001"), None).await.expect_err("twice");
    assert!(help(&error).contains("ff"), "{error} {}", help(&error));
}

#[tokio::test]
async fn pipedrive_an_open_deal_is_won_with_one_note() {
    let fake = Fake::start().await;
    let id = DealId::new("7050");
    let crm = connect(&fake, "update_closed_won: true");
    let url = Some("https://git.example/a?b&\"c\"");
    let update = win(&crm, &id, url).await.expect("won");
    assert_eq!(update, ClosedWonUpdate::Updated);
    let again = win(&crm, &id, url).await.expect("again");
    assert_eq!(again, ClosedWonUpdate::AlreadyWon);
    let writes = fake.writes();
    assert_eq!(writes.len(), 2, "one change and one note, however often: {writes:#?}");
    assert_eq!(writes[0].1, json!({"status": "won", "won_time": "2026-11-20T15:01:58Z"}));
    assert_eq!(writes[1].1["deal_id"], 7050);
    let note = writes[1].1["content"].as_str().expect("content");
    assert!(note.contains("a?b&amp;&quot;c&quot;"), "{note}");
}

#[tokio::test]
async fn pipedrive_a_deal_that_is_won_or_lost_or_not_to_be_moved_is_left_alone() {
    let fake = Fake::start().await;
    let add = |deal: Value| fake.state().add(deal);
    add(json!({"id": 1, "status": "lost"}));
    add(json!({"id": 2, "status": "open", "is_archived": true}));
    let crm = connect(&fake, "update_closed_won: true");
    let mark = async |id: &str| win(&crm, &DealId::new(id), None).await;
    assert_eq!(mark("7002").await.expect("won"), ClosedWonUpdate::AlreadyWon);
    for (id, why) in [("1", "is lost"), ("2", "is archived"), ("7010", "is deleted or archived")] {
        let error = mark(id).await.expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    }
    let reader = connect(&fake, "");
    let open = win(&reader, &DealId::new("7050"), Some("x")).await;
    assert_eq!(open.expect("not configured"), ClosedWonUpdate::NotSupported);
    assert!(fake.writes().is_empty());
    let words = json!({"success": false, "error": "Contract date is required to win a deal"});
    fake.plan("deals/7050", [None, Some((400, vec![], words))]);
    let error = mark("7050").await.expect_err("a rule");
    assert_eq!(error.to_string(), "pipedrive refused: Contract date is required to win a deal.");
}

#[tokio::test]
async fn pipedrive_tokens_are_told_nowhere() {
    let fake = Fake::start().await;
    let wrong = Pipedrive::new(settings(&fake, ""), &secrets("wrong-token-99")).expect("crm");
    let error = wrong.deal(&DealId::new("7001"), None).await.expect_err("401");
    assert!(matches!(error, CrmError::Denied { .. }), "{error:?}");
    let mut said = format!("{error} {error:?} {wrong:?} {}", help(&error));
    let crm = connect(&fake, "");
    let repeats = json!({"error": format!("bad header x-api-token {TOKEN}")});
    fake.plan("users/me", [Some((418, vec![], repeats))]);
    let error = crm.deal(&DealId::new("7001"), None).await.expect_err("repeats");
    said += &format!("{error} {error:?} {crm:?}");
    assert!(said.contains("[redacted]"), "{said}");
    for secret in [TOKEN, "wrong-token-99"] {
        assert!(!said.contains(secret), "{said}");
    }
    let error = Pipedrive::new(settings(&fake, ""), &Secrets::default()).expect_err("no token");
    assert!(error.to_string().contains("PIPEDRIVE_TOKEN is not set"), "{error}");
    let error = connect(&fake, "company_id: 1").population(Window::default(), &()).await;
    let error = error.expect_err("another company").to_string();
    assert!(error.contains("belongs to company 54235233, not to 1"), "{error}");
}

#[tokio::test]
async fn pipedrive_doctor_sees_token_user_lists_and_properties() {
    let fake = Fake::start().await;
    let denied = json!({"success": false, "error": "Scope and URL mismatch"});
    fake.plan("persons?limit=1", [Some((403, vec![], denied))]);
    let crm = connect(&fake, "");
    let requested = of_deals(&["Handoff - promises", "handoff_success_metric", "Gone"]);
    let checks = crm.checks(&requested).await;
    let of = |level: CheckLevel| -> Vec<&str> {
        checks.iter().filter(|c| c.level == level).map(|c| c.what.as_str()).collect()
    };
    assert_eq!(
        of(CheckLevel::Failed),
        ["pipedrive: read persons", "pipedrive: properties of deals"]
    );
    assert_eq!(of(CheckLevel::Warning), ["pipedrive: user"], "no admin sees everything");
    assert!(checks[0].detail.contains("https://vendor-sandbox.pipedrive.com/deal/"));
}
