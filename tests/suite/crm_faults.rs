//! Whatever a CRM answers to any request of an audit: the population is whole,
//! or it is said to be incomplete. Never a shorter list, a panic or a hang.

use std::sync::LazyLock;
use std::time::Duration;

use handoff::crm::hubspot::{HubSpot, Pace};
use handoff::crm::pipedrive::Pipedrive;
use handoff::crm::salesforce::{BulkPace, Salesforce};
use handoff::crm::{Crm, CrmError};
use handoff::http::Schedule;
use handoff::model::{Secrets, Window};
use handoff::{settings, yaml};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{hubspot, pipedrive, salesforce};

const SOURCES: [&str; 4] = ["hubspot", "salesforce", "salesforce bulk", "pipedrive"];

/// What may come in a good answer's place, and how often.
pub(crate) fn faults() -> Vec<(u16, Value, usize)> {
    let once = |body: Value| (200, body, 1);
    let said = "Internal error";
    vec![
        once(json!({})),
        once(json!([])),
        once(json!("maintenance")),
        once(json!(7)),
        once(json!([{"errorCode": "SERVER_UNAVAILABLE", "message": said}])),
        once(json!({"success": false, "error": said, "data": null})),
        once(json!({"status": "error", "message": said, "category": "INTERNAL_ERROR"})),
        once(
            json!({"success": true, "data": null, "results": null, "records": null, "done": true}),
        ),
        once(json!({"success": true, "data": {}, "results": {}, "records": {}, "done": true})),
        once(
            json!({"success": true, "data": ["x"], "results": [7], "records": [null], "done": true}),
        ),
        once(json!({"records": [], "done": false})),
        once(json!({"records": [], "done": "yes"})),
        (302, json!({}), 1),
        (202, json!({"status": "PENDING", "results": []}), 9),
        (
            207,
            json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{
                "status": "error", "category": "INTERNAL_ERROR",
                "message": "Timed out reading objects", "context": {"ids": ["1"]},
            }]}),
            1,
        ),
        (207, json!({"status": "COMPLETE", "results": [], "numErrors": 3}), 1),
        (400, json!([{"errorCode": "QUERY_TIMEOUT", "message": "too long"}]), 9),
        (400, json!([{"errorCode": "INVALID_QUERY_LOCATOR", "message": "unknown"}]), 9),
        (502, json!({"message": "Bad gateway"}), 9),
    ]
}

fn of<T: DeserializeOwned + schemars::JsonSchema>(text: &str) -> T {
    settings::read(&yaml::read(text.as_bytes()).expect("yaml")).expect("settings")
}

fn at_once() -> Schedule {
    Schedule { waits: vec![Duration::ZERO; 3], longest: Duration::from_secs(1) }
}

fn secrets(pairs: &[(&str, &str)]) -> Secrets {
    Secrets::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())))
}

/// The deals as JSON and the gaps, where the answer number `at` is a fault;
/// and how many requests there were.
async fn read(
    source: &str,
    fault: Option<(usize, &(u16, Value, usize))>,
) -> (Result<(Vec<Value>, usize), CrmError>, usize) {
    let (crm, requests): (Box<dyn Crm>, Box<dyn Fn() -> usize>) = match source {
        "hubspot" => {
            let fake = hubspot::fake::Fake::start().await;
            fake.state().search_page = Some(3);
            if let Some((at, (status, body, times))) = fault {
                let pass = std::iter::repeat_n(hubspot::fake::Planned::Pass, at);
                let answer = hubspot::fake::Planned::Answer(*status, vec![], body.clone());
                fake.plan("", pass.chain(std::iter::repeat_n(answer, *times)));
            }
            let secrets = secrets(&[("HUBSPOT_TOKEN", hubspot::fake::TOKEN)]);
            let crm = HubSpot::new(of(&format!("base_url: {}", fake.base.as_str())), &secrets);
            let crm = crm.expect("connected").with_pace(Pace::without_waits());
            (Box::new(crm), Box::new(move || fake.state().calls.len()))
        }
        "pipedrive" => {
            let fake = pipedrive::fake::Fake::start().await;
            if let Some((at, (status, body, times))) = fault {
                let pass = std::iter::repeat_n(None, at);
                let answer = Some((*status, vec![], body.clone()));
                fake.plan("", pass.chain(std::iter::repeat_n(answer, *times)));
            }
            let secrets = secrets(&[("PIPEDRIVE_TOKEN", pipedrive::fake::TOKEN)]);
            let crm = Pipedrive::new(of(&format!("base_url: {}", fake.base.as_str())), &secrets);
            let crm = crm.expect("connected").with_schedule(at_once()).expect("the same");
            (Box::new(crm), Box::new(move || fake.state().calls.len()))
        }
        _ => {
            let fake = salesforce::fake::Fake::start().await;
            if let Some((at, (status, body, times))) = fault {
                let pass = std::iter::repeat_n((0, Value::Null), at);
                fake.plan("", pass.chain(std::iter::repeat_n((*status, body.clone()), *times)));
            }
            let secrets = secrets(&[
                ("SALESFORCE_CLIENT_ID", salesforce::fake::CLIENT_ID),
                ("SALESFORCE_CLIENT_SECRET", salesforce::fake::CLIENT_SECRET),
            ]);
            let from = if source == "salesforce" { 1_000 } else { 1 };
            let text = format!("login_url: {}\nbulk_from: {from}", fake.base.as_str());
            let pace = BulkPace {
                first: Duration::ZERO,
                longest: Duration::ZERO,
                limit: Duration::from_secs(5),
            };
            let crm = Salesforce::new(of(&text), &secrets).expect("connected");
            let crm = crm.with_schedule(at_once()).with_bulk_pace(pace);
            (Box::new(crm), Box::new(move || fake.state().calls.len()))
        }
    };
    let population = crm.population(Window::default(), &()).await.map(|population| {
        let (deals, gaps) = population.deals.into_parts();
        let deals = deals.iter().map(|deal| serde_json::to_value(deal).expect("JSON")).collect();
        (deals, gaps.len())
    });
    let requests = requests();
    (population, requests)
}

/// The population without a fault, and the requests it takes, by source. The
/// base URL stands in the deals of a Salesforce org and differs each time.
static WHOLE: LazyLock<Vec<(Vec<Value>, usize)>> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let whole = SOURCES.map(|source| {
        let (population, requests) = runtime.block_on(read(source, None));
        let (deals, gaps) = population.expect("a population");
        assert_eq!(gaps, 0, "{source}");
        assert!(deals.len() > 5 && requests > 6, "{source}: {} {requests}", deals.len());
        (without_url(deals), requests)
    });
    whole.to_vec()
});

fn without_url(mut deals: Vec<Value>) -> Vec<Value> {
    for deal in &mut deals {
        deal["url"] = Value::Null;
    }
    deals
}

fn check(source: usize, at: usize, fault: &(u16, Value, usize)) {
    let (whole, requests) = &WHOLE[source];
    let at = at % requests;
    let runtime = Runtime::new().expect("a runtime");
    let (population, _) = runtime.block_on(read(SOURCES[source], Some((at, fault))));
    let (deals, gaps) = match population {
        Ok(population) => population,
        Err(error) => {
            // What kept it from being read, in words; never that a setting is wrong.
            let words = error.to_string();
            let of_server = !matches!(error, CrmError::Settings { .. });
            assert!(
                of_server && words.len() > 20,
                "{}: request {at}, {fault:?}: {words}",
                SOURCES[source]
            );
            return;
        }
    };
    assert!(
        gaps > 0 || without_url(deals) == *whole,
        "{}: request {at} answered with {fault:?}, and the population is another and complete",
        SOURCES[source]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn crm_faults_a_population_is_whole_or_said_to_be_incomplete(
        source in 0..SOURCES.len(),
        at in 0..40_usize,
        fault in proptest::sample::select(faults()),
    ) {
        check(source, at, &fault);
    }
}

#[test]
fn crm_faults_each_fault_at_each_request_of_each_crm() {
    for source in 0..SOURCES.len() {
        for at in 0..WHOLE[source].1 {
            for fault in &faults() {
                check(source, at, fault);
            }
        }
    }
}
