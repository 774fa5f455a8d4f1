//! HubSpot through the `Crm` face, against a fake that keeps its rules.

pub(crate) mod fake;

use std::sync::Mutex;

use handoff::crm::hubspot::{HubSpot, HubSpotSettings, Pace};
use handoff::crm::{
    Check, CheckLevel, ClosedWonUpdate, Crm as _, CrmError, Progress, RequestedProperties, Signed,
};
use handoff::model::{DealId, Outcome, Properties, Secrets, Window};
use serde_json::{Value, json};

use self::fake::{Account, Fake, Planned, TOKEN, sample};
use crate::crm_sink::{self, at, help, of_deals, population, signed_by_mei, win};

fn settings(fake: &Fake, more: &str) -> HubSpotSettings {
    crm_sink::settings(&format!("base_url: {}\n{more}", fake.base.as_str()))
}

fn secrets(token: &str) -> Secrets {
    Secrets::new([("HUBSPOT_TOKEN".to_owned(), token.to_owned().into())])
}

fn connect(fake: &Fake, more: &str) -> HubSpot {
    HubSpot::new(settings(fake, more), &secrets(TOKEN))
        .expect("a connector")
        .with_pace(Pace::without_waits())
}

fn requested(deal: &[&str]) -> RequestedProperties {
    RequestedProperties {
        own: of_deals(deal),
        mapping: of_deals(&["handoff_promises", "handoff_nowhere"]),
        ..RequestedProperties::default()
    }
}

#[tokio::test]
async fn one_deal_has_all_a_brief_needs() {
    let fake = Fake::start().await;
    let signature = signed_by_mei();
    let crm = connect(&fake, "").reading(requested(&["handoff_success_metric"]));
    let deal = crm.deal(&DealId::new("31874500101"), Some(&signature)).await.expect("deal");
    insta::assert_json_snapshot!(deal);
}

#[tokio::test]
async fn a_rep_who_has_left_is_still_named() {
    let fake = Fake::start().await;
    let deal = connect(&fake, "").deal(&DealId::new("31874500106"), None).await.expect("deal");
    assert_eq!(deal.owner.and_then(|o| o.email).as_deref(), Some("tom.becker@vendor.example"));
}

#[tokio::test]
async fn the_primary_company_is_the_company_and_several_without_one_are_only_listed() {
    let fake = Fake::start().await;
    for (id, name) in [("19900300206", "Ember Care"), ("19900300207", "Ember Care UK")] {
        fake.state().add("companies", json!({"id": id, "properties": {"name": name}}));
    }
    let crm = connect(&fake, "");
    let id = DealId::new("31874500106");
    let company = crm.deal(&id, None).await.expect("deal").company;
    assert_eq!(company.and_then(|c| c.name).as_deref(), Some("Ember Care UK"));
    let plain = |id: &str| json!({"toObjectId": id, "associationTypes": []});
    fake.state()
        .links
        .entry("companies".to_owned())
        .or_default()
        .insert("31874500106".to_owned(), vec![plain("19900300206"), plain("19900300207")]);
    let deal = crm.deal(&id, None).await.expect("deal");
    assert_eq!(deal.company, None);
    assert_eq!(deal.properties["associated_companies"], json!(["Ember Care", "Ember Care UK"]));
}

#[tokio::test]
async fn a_deal_that_is_not_there_says_what_may_be() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "");
    for (id, requested) in [
        ("1", "merged into another deal"),
        ("../1", "HubSpot's ids are numbers"),
        ("31874500101/x", "HubSpot's ids are numbers"),
    ] {
        let error = crm.deal(&DealId::new(id), None).await.expect_err(id);
        assert!(matches!(error, CrmError::NotFound { .. }), "{error:?}");
        assert!(help(&error).contains(requested), "{id}: {}", help(&error));
    }
    let archived = crm.deal(&DealId::new("31874500110"), None).await.expect("archived");
    assert_eq!(archived.outcome, Outcome::Gone);
}

#[tokio::test]
async fn the_ten_deals_come_out_as_their_story_says() {
    let fake = Fake::start().await;
    let (deals, gaps) = population(&connect(&fake, "")).await;
    assert_eq!(gaps, [], "everything could be read");
    let told: Vec<String> = deals
        .values()
        .map(|deal| {
            let amount = deal
                .amount
                .as_ref()
                .map(|m| format!("{} {}", m.amount, m.currency.as_deref().unwrap_or("-")));
            format!(
                "{} {:?} {} {} [{}] {} {:?}",
                deal.id,
                deal.outcome,
                amount.unwrap_or_default(),
                deal.closed_won_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
                deal.closed_won_evidence.as_deref().unwrap_or_default(),
                deal.owner.as_ref().and_then(|o| o.name.as_deref()).unwrap_or("-"),
                deal.merged_ids.iter().map(DealId::as_str).collect::<Vec<_>>(),
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

pub(crate) fn many(count: u64) -> Account {
    let mut account = Account::default();
    for n in 1..=count {
        account.add(
            "deals",
            json!({"id": (1_000_000 + n).to_string(), "properties": {
                "dealname": format!("Deal {n}"), "pipeline": "default", "dealstage": "closedwon",
                "hs_is_closed_won": "true", "hs_is_closed": "true", "amount": n.to_string(),
                "closedate": "2026-10-30T16:42:11Z",
            }}),
        );
    }
    account.properties.insert("deals".to_owned(), sample("properties-deals-trimmed"));
    account
}

struct Seen(Mutex<Vec<usize>>);

impl Progress for Seen {
    fn read(&self, deals: usize, _: Option<usize>) {
        self.0.lock().expect("not poisoned").push(deals);
    }
}

#[tokio::test]
async fn twenty_five_thousand_deals_come_through_the_search_whole() {
    let fake = Fake::with(many(25_000)).await;
    let crm = connect(&fake, "");
    let seen = Seen(Mutex::new(Vec::new()));
    let population = crm.population(Window::default(), &seen).await.expect("population");
    assert_eq!(population.source.rows, 25_000);
    let (deals, gaps) = population.deals.into_parts();
    assert_eq!(gaps, []);
    let total: rust_decimal::Decimal =
        deals.iter().filter_map(|deal| deal.amount.as_ref().map(|m| m.amount)).sum();
    assert_eq!((deals.len(), total), (25_000, rust_decimal::Decimal::from(312_512_500)));
    assert!(seen.0.lock().expect("not poisoned").len() > 100, "progress is told page by page");
    assert!(
        fake.state().calls.iter().all(|call| call.body.get("after").is_none()),
        "`after` ends at 10,000 and is never used"
    );
}

#[tokio::test]
async fn a_page_that_fails_makes_the_population_incomplete_and_is_named() {
    let fake = Fake::with(many(2_000)).await;
    let broken = Planned::Answer(502, vec![], json!({"message": "Bad gateway"}));
    let pages = std::iter::repeat_n(Planned::Pass, 6).chain(std::iter::repeat_n(broken, 5));
    fake.plan("deals/search", pages);
    let (deals, gaps) = population(&connect(&fake, "")).await;
    assert_eq!(deals.len(), 1_200, "six pages were read");
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
    assert_eq!(gaps[0].what, "page 7 of the search for deals that are won, and those behind it");
    assert!(gaps[0].why.contains("HubSpot answered 502: Bad gateway."), "{}", gaps[0].why);
}

#[tokio::test]
async fn an_archive_or_a_history_that_fails_is_a_gap_too() {
    let fake = Fake::start().await;
    let broken = Planned::Answer(500, vec![], json!({}));
    fake.plan(
        "archived=true&limit=50&propertiesWithHistory",
        std::iter::repeat_n(broken.clone(), 5),
    );
    fake.plan("deals/batch/read", std::iter::repeat_n(broken, 5));
    let (deals, gaps) = population(&connect(&fake, "")).await;
    let what: Vec<&str> = gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "the stage history of the deals 31874500101 to 31874500109",
            "page 1 of the archived deals, and those behind it",
        ]
    );
    assert_eq!(deals["31874500108"].closed_won_evidence.as_deref(), Some("closed-won date"));
}

#[tokio::test]
async fn limits_are_waited_for_and_the_daily_one_ends_it() {
    let fake = Fake::start().await;
    let limited = |name: &str| Planned::Answer(429, vec![], sample(name));
    fake.plan(
        "deals/search",
        [limited("error-429-search-secondly"), limited("error-429-ten-secondly"), Planned::Pass],
    );
    let retry = vec![("retry-after", "0".to_owned())];
    fake.plan("crm/pipelines", [Planned::Answer(429, retry, json!({}))]);
    let crm = connect(&fake, "");
    let (deals, gaps) = population(&crm).await;
    assert_eq!((deals.len(), gaps.len()), (10, 0));
    // A connection asks once what the account is like.
    let crm = connect(&fake, "");
    fake.plan("account-info", [limited("error-429-daily")]);
    let calls = fake.state().calls.len();
    let error = crm.population(Window::default(), &()).await.expect_err("the day is over");
    assert!(error.to_string().contains("HubSpot's limit for today is used up"), "{error}");
    assert_eq!(fake.state().calls.len(), calls + 1, "a daily limit is not tried again");
}

#[tokio::test]
async fn many_deals_ask_once_what_the_account_is_like() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "");
    let asked = |fake: &Fake| fake.state().calls.len();
    crm.deal(&DealId::new("31874500101"), None).await.expect("a deal");
    let first = asked(&fake);
    crm.deal(&DealId::new("31874500101"), None).await.expect("the deal again");
    let second = asked(&fake) - first;
    assert!(second < first, "{second} requests after {first}");
    let of_account = ["account-info", "crm/pipelines", "crm/owners", "crm/properties"];
    for area in of_account {
        let calls = fake.state().calls.iter().filter(|call| call.path.contains(area)).count();
        assert!(calls <= 1, "{area}: {calls}");
    }
}

#[tokio::test]
async fn a_window_and_pipelines_narrow_the_search_and_are_told() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "pipelines: {exclude: [Renewals]}");
    let window = Window { from: Some(at("2026-10-25T00:00:00Z")), to: None };
    let population = crm.population(window, &()).await.expect("population");
    let (deals, gaps) = population.deals.into_parts();
    assert_eq!(gaps, []);
    assert!(deals.iter().all(|deal| deal.pipeline.as_deref() != Some("Renewals")));
    assert!(!deals.iter().any(|deal| deal.id.as_str() == "31874500103"), "untouched since");
    let query = population.source.query.expect("query");
    assert!(query.contains("hs_lastmodifieddate") && query.contains("pipeline"), "{query}");
    assert!(population.source.remarks[0].contains("Only the pipelines"), "the remark says so");
    let error = connect(&fake, "pipelines: {include: [Renewal]}")
        .population(Window::default(), &())
        .await
        .expect_err("no such pipeline");
    assert!(help(&error).contains("\"Renewals\""), "{}", help(&error));
}

#[tokio::test]
async fn a_mapped_property_that_is_gone_is_named() {
    let fake = Fake::start().await;
    let crm = connect(&fake, "").reading(requested(&["handoff_sucess_metric"]));
    let error = crm.deal(&DealId::new("31874500101"), None).await.expect_err("no such property");
    assert!(error.to_string().contains("handoff_sucess_metric"), "{error}");
    assert_eq!(help(&error), "Did you mean handoff_success_metric?");
    assert!(crm.population(Window::default(), &()).await.is_err());
}

#[tokio::test]
async fn an_open_deal_is_moved_to_the_won_stage_of_its_own_pipeline_with_one_note() {
    let fake = Fake::start().await;
    let open =
        json!({"id": "5001", "properties": {"pipeline": "814203377", "dealstage": "1402337780"}});
    fake.state().add("deals", open);
    let crm = connect(&fake, "update_closed_won: true");
    let id = DealId::new("5001");
    let url = "https://github.com/acme/handoffs/tree/main/briefs/2026/11/a?b&\"c\"";
    let update = win(&crm, &id, Some(url)).await.expect("updated");
    assert_eq!(update, ClosedWonUpdate::Updated);
    let again = win(&crm, &id, Some(url)).await.expect("again");
    assert_eq!(again, ClosedWonUpdate::AlreadyWon);
    let writes = fake.writes();
    assert_eq!(writes.len(), 2, "one change and one note, however often: {writes:#?}");
    assert_eq!(
        writes[0].body,
        json!({"properties": {"dealstage": "1402337781", "closedate": "2026-11-20T15:01:58.000Z"}})
    );
    let note = writes[1].body["properties"]["hs_note_body"].as_str().expect("a note");
    assert!(note.contains("a?b&amp;&quot;c&quot;"), "{note}");
}

#[tokio::test]
async fn a_note_whose_creation_was_answered_by_an_error_is_not_written_twice() {
    let fake = Fake::start().await;
    fake.plan("objects/2026-09/notes?", [Planned::ActAndFail(500)]);
    let crm = connect(&fake, "update_closed_won: true");
    let id = DealId::new("31874500101");
    let error = win(&crm, &id, Some("https://x.example/b")).await;
    assert!(error.is_err(), "the outcome is unclear");
    let again = win(&crm, &id, Some("https://x.example/b")).await;
    assert_eq!(again.expect("again"), ClosedWonUpdate::AlreadyWon);
    assert_eq!(fake.writes().len(), 1);
}

#[tokio::test]
async fn a_deal_that_is_won_or_lost_or_not_to_be_moved_is_left_alone() {
    let fake = Fake::start().await;
    let lost =
        json!({"id": "5002", "properties": {"pipeline": "default", "dealstage": "closedlost"}});
    fake.state().add("deals", lost);
    let crm = connect(&fake, "update_closed_won: true");
    let won = win(&crm, &DealId::new("31874500102"), None).await;
    assert_eq!(won.expect("won"), ClosedWonUpdate::AlreadyWon);
    let error = win(&crm, &DealId::new("5002"), None).await.expect_err("lost");
    assert!(error.to_string().contains("is lost (its stage is \"Closed Lost\")"), "{error}");
    let reader = connect(&fake, "");
    let open = win(&reader, &DealId::new("31874500107"), Some("x")).await;
    assert_eq!(open.expect("not configured"), ClosedWonUpdate::NotSupported);
    assert!(fake.writes().is_empty());
}

#[tokio::test]
async fn a_refusal_by_the_accounts_own_rules_names_the_property() {
    let fake = Fake::start().await;
    let refusal = Planned::Answer(400, vec![], sample("error-400-conditional-required"));
    fake.plan("deals/31874500107", [refusal]);
    let crm = connect(&fake, "update_closed_won: true");
    let error = win(&crm, &DealId::new("31874500107"), None).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "hubspot refused: Property values were not valid: closedate is required when dealstage is closedwon."
    );
    assert!(matches!(error, CrmError::Refused { .. }));
    assert_eq!(fake.writes().len(), 1, "it is not tried again");
}

#[tokio::test]
async fn wrong_tokens_and_missing_scopes_are_told_without_the_token() {
    let fake = Fake::start().await;
    let wrong =
        HubSpot::new(settings(&fake, ""), &secrets("pat-na1-wrong-9999")).expect("connector");
    let error = wrong.deal(&DealId::new("1"), None).await.expect_err("401");
    assert!(matches!(error, CrmError::Denied { .. }));
    let mut said = format!("{error} {error:?} {wrong:?} {}", help(&error));
    let crm = connect(&fake, "");
    fake.plan("deals/search", [Planned::Answer(403, vec![], sample("error-403-missing-scopes"))]);
    let error = crm.population(Window::default(), &()).await.expect_err("403");
    assert_eq!(help(&error), "Give the token these scopes: crm.objects.deals.read.");
    let repeats = json!({"message": format!("bad header Bearer {TOKEN}")});
    fake.plan("crm/pipelines", [Planned::Answer(418, vec![], repeats)]);
    let crm = connect(&fake, "");
    let error = crm.deal(&DealId::new("1"), None).await.expect_err("a server that repeats it");
    said.push_str(&format!("{error} {error:?} {crm:?} {:?}", secrets(TOKEN)));
    assert!(said.contains("[redacted]"), "{said}");
    for secret in [TOKEN, "pat-na1-wrong-9999"] {
        assert!(!said.contains(secret), "{said}");
    }
    let error = HubSpot::new(settings(&fake, ""), &Secrets::default()).expect_err("no token");
    assert!(error.to_string().contains("HUBSPOT_TOKEN is not set"), "{error}");
}

#[tokio::test]
async fn a_token_of_another_account_reads_nothing() {
    let fake = Fake::start().await;
    let error = connect(&fake, "portal_id: 1")
        .population(Window::default(), &())
        .await
        .expect_err("another account");
    assert!(error.to_string().contains("belongs to account 24681012, not to 1"), "{error}");
    assert_eq!(fake.state().calls.len(), 1);
}

#[tokio::test]
async fn the_population_has_companies_where_the_mapping_reads_them() {
    let fake = Fake::start().await;
    let company = Some(["city".to_owned()].into_iter().collect());
    let scope = Properties { company, ..Properties::default() };
    let crm =
        connect(&fake, "").reading(RequestedProperties { scope, ..RequestedProperties::default() });
    let (deals, gaps) = population(&crm).await;
    assert_eq!(gaps, []);
    let company = deals["31874500101"].company.as_ref().expect("a company");
    assert_eq!(company.properties["city"], "Leeds");
    assert_eq!(deals["31874500103"].company, None);
    assert!(deals.values().all(|deal| deal.contacts.is_empty()), "nobody reads them");
}

#[tokio::test]
async fn mapped_properties_of_the_records_beside_are_read_and_must_be_there() {
    let fake = Fake::start().await;
    let set = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let own = |company: &[&str]| RequestedProperties {
        own: Properties { company: set(company), ..Properties::default() },
        ..RequestedProperties::default()
    };
    let crm = connect(&fake, "").reading(own(&["City"]));
    let deal = crm.deal(&DealId::new("31874500101"), None).await.expect("deal");
    assert_eq!(deal.company.expect("a company").properties["city"], "Leeds");
    population(&crm).await;
    let asked =
        fake.state().calls.iter().filter(|call| call.path.contains("companies/batch/read")).count();
    assert_eq!(asked, 2, "its link and its record for the brief; the audit needs no companies");
    let wrong = own(&["citty"]);
    let crm = connect(&fake, "").reading(wrong.clone());
    let error = crm.deal(&DealId::new("31874500101"), None).await.expect_err("no such property");
    assert!(error.to_string().contains("HubSpot's companies do not have: citty"), "{error}");
    assert_eq!(help(&error), "Did you mean city?");
    let checks = crm.checks(&wrong.own).await;
    let check = checks.iter().find(|check| check.what == "hubspot: properties of companies");
    assert_eq!(check.expect("it is looked for").level, CheckLevel::Failed);
}

#[tokio::test]
async fn doctor_sees_token_scopes_stages_and_properties() {
    let fake = Fake::start().await;
    fake.plan(
        "contacts?limit=1",
        [Planned::Answer(403, vec![], sample("error-403-missing-scopes"))],
    );
    let crm = connect(&fake, "update_closed_won: true").reading(requested(&["gone_property"]));
    let asked = of_deals(&["handoff_success_metric", "gone_property"]);
    let checks = crm.checks(&asked).await;
    let failed: Vec<(&str, Value)> = checks
        .iter()
        .filter(|check| check.level == CheckLevel::Failed)
        .map(|check| (check.what.as_str(), json!(check.detail)))
        .collect();
    assert_eq!(failed.len(), 2, "{checks:#?}");
    assert_eq!(failed[0].0, "hubspot: read contacts");
    assert!(failed[1].1.to_string().contains("gone_property"));
    let detail = |what: &str| {
        let check: Option<&Check> = checks.iter().find(|check| check.what == what);
        check.unwrap_or_else(|| panic!("{what}: {checks:#?}")).detail.clone()
    };
    assert_eq!(detail("hubspot: pipeline Renewals"), "won is Renewed");
    assert!(detail("hubspot: token").contains("https://app.hubspot.com/contacts/24681012/"));
}

#[tokio::test]
async fn an_audit_reads_what_it_compares_with_briefs_where_it_is_there() {
    let fake = Fake::start().await;
    let compared = ["handoff_promises", "handoff_nowhere"].map(str::to_owned).into();
    let requested = RequestedProperties { compared, ..RequestedProperties::default() };
    let (deals, gaps) = population(&connect(&fake, "").reading(requested)).await;
    assert_eq!(gaps, []);
    let promises = deals["31874500101"].properties["handoff_promises"].to_string();
    assert!(promises.contains("SSO at no charge"), "{promises}");
}

#[tokio::test]
async fn associations_that_an_answer_is_silent_about_are_not_taken_for_none() {
    for status in [200, 207] {
        let fake = Fake::start().await;
        let silent = json!({"status": "COMPLETE", "results": []});
        fake.plan("deals/contacts/batch/read", [Planned::Answer(status, vec![], silent)]);
        let read = connect(&fake, "").deal(&DealId::new("31874500101"), None).await;
        let error = read.expect_err("nobody knows whether it has contacts").to_string();
        assert!(error.contains("says nothing of 1 of 1 deals"), "{status}: {error}");
    }
}

#[tokio::test]
async fn associations_that_name_one_page_over_and_over_are_not_taken_for_all() {
    let fake = Fake::start().await;
    let result = json!({"from": {"id": "31874500101"}, "to": [{"toObjectId": "1"}],
                        "paging": {"next": {"after": "1"}}});
    let page = Planned::Answer(200, vec![], json!({"status": "COMPLETE", "results": [result]}));
    fake.plan("deals/contacts/batch/read", vec![page; 60]);
    let read = connect(&fake, "").deal(&DealId::new("31874500101"), None).await;
    let error = read.expect_err("the pages repeat").to_string();
    assert!(error.contains("the pages repeat"), "{error}");
    let asked = fake.state().calls.iter().filter(|call| call.path.contains("/contacts/")).count();
    assert!(asked <= 3, "{asked}");
}

#[tokio::test]
async fn a_change_whose_outcome_is_not_told_is_not_taken_for_done() {
    let fake = Fake::start().await;
    let silent = Planned::Answer(200, vec![], json!({"id": "31874500107"}));
    fake.plan("deals/31874500107", [silent]);
    let crm = connect(&fake, "update_closed_won: true");
    let done = crm
        .mark_closed_won(&Signed {
            id: &DealId::new("31874500107"),
            signed_at: at("2026-11-20T15:01:58Z"),
            brief_url: None,
            is_contract: true,
        })
        .await;
    assert!(matches!(done, Err(CrmError::Unavailable { .. })), "{done:?}");
}
