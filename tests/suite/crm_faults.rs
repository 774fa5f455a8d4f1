//! Whatever a CRM answers to any request of an audit: the population is whole,
//! or it is said to be incomplete. Never a shorter list, a panic or a hang.

use std::io::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use handoff::crm::hubspot::{HubSpot, Pace};
use handoff::crm::pipedrive::Pipedrive;
use handoff::crm::salesforce::{BulkPace, Salesforce};
use handoff::crm::{Crm, CrmError};
use handoff::http::Schedule;
use handoff::model::{Gap, Secrets, Window};
use handoff::{settings, yaml};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::crm_binary::Fake;
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
        // Good in form and empty, under a status that says that it is not all.
        (
            202,
            json!({"success": true, "total": 0, "data": [], "results": [], "records": [], "done": true}),
            9,
        ),
        (
            206,
            json!({"success": true, "total": 0, "data": [], "results": [], "records": [], "done": true}),
            1,
        ),
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
        (200, json!(WEB_PAGE), 1),
        (200, json!("{\"results\": [{\"id\": \"1"), 9),
    ]
}

/// A page as logins, proxies and maintenance show one.
const WEB_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>";

/// An answer in the real one's place. A text that begins with `<` is a web page, one
/// that begins with `{` the start of an answer whose end never comes, one that begins
/// with `gzip` is packed; `location` is where a redirect leads.
pub(crate) fn in_its_place(status: u16, body: &Value) -> Response {
    let kind = |kind: &str| Response::builder().status(status).header("content-type", kind);
    let json = kind("application/json");
    let response = match body.as_str() {
        Some(page) if page.starts_with('<') => kind("text/html").body(Body::from(page.to_owned())),
        Some(start) if start.starts_with('{') => {
            let parts = [Ok(start.to_owned()), Err(std::io::Error::other("cut off"))];
            let body = Body::from_stream(futures_util::stream::iter(parts));
            json.header("content-length", start.len() + 100).body(body)
        }
        Some("gzip") => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(b"{}").expect("a list of bytes");
            json.header("content-encoding", "gzip")
                .body(Body::from(packed.finish().expect("a list of bytes")))
        }
        _ => match body["location"].as_str() {
            Some(to) => json.header("location", to).body(Body::empty()),
            None => json.body(Body::from(body.to_string())),
        },
    };
    response.expect("a response")
}

/// A server that misbehaves, as people met it: what it answers in the place of its
/// own answers, and what comes of it.
pub(crate) struct Server {
    /// What it does.
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// A part of the requests that are answered so, and how many of them are not
    /// before that.
    pub(crate) part: &'static str,
    pub(crate) pass: usize,
    pub(crate) answers: Vec<(u16, Value)>,
    /// What is said of it; nothing where the population is whole all the same.
    pub(crate) says: &'static [&'static str],
}

impl Server {
    /// Whether an audit ends at once: other answers are asked for again, after a while.
    pub(crate) fn is_final(&self) -> bool {
        let is_final = |(status, body): &(u16, Value)| {
            matches!(status, 200 | 207 | 302) && body.as_str().is_none_or(|it| !it.starts_with('{'))
        };
        self.answers.iter().all(is_final)
    }
}

/// An answer to each request, however often it is asked for.
fn always(status: u16, body: &Value) -> Vec<(u16, Value)> {
    vec![(status, body.clone()); 60]
}

fn good(answers: impl IntoIterator<Item = Value>) -> Vec<(u16, Value)> {
    answers.into_iter().map(|body| (200, body)).collect()
}

/// Won deals of HubSpot's samples on pages of two, each with its total: `told` makes
/// it of the number of the page and of the deals that are left.
fn searched(told: impl Fn(usize, usize) -> Value) -> Vec<(u16, Value)> {
    let account = hubspot::fake::from_samples();
    let is_won = |deal: &&Value| {
        deal["properties"]["hs_is_closed_won"] == "true" && deal["archived"] != true
    };
    let won: Vec<&Value> = account.objects["deals"].values().filter(is_won).collect();
    let pages = won.chunks(2).enumerate();
    let page = |(at, page): (usize, &[&Value])| {
        let mut answer = json!({"results": page});
        let total = told(at, won.len() - 2 * at);
        if !total.is_null() {
            answer["total"] = total;
        }
        answer
    };
    good(pages.map(page))
}

/// The won deals of Pipedrive's samples from one to another, and the next cursor.
fn listed(from: usize, to: usize, cursor: &Value) -> Value {
    let company = pipedrive::fake::from_samples();
    let is_won = |deal: &&Value| {
        deal["status"] == "won" && deal["is_deleted"] != true && deal["is_archived"] != true
    };
    let won: Vec<&Value> = company.deals.values().filter(is_won).collect();
    let page = &won[from.min(won.len())..to.min(won.len())];
    json!({"success": true, "data": page, "additional_data": {"next_cursor": cursor}})
}

/// HubSpot's list of archived deals: one deal, and the cursor behind it.
fn archived(id: u32, after: &str) -> Value {
    let properties = json!({"dealname": "Old", "pipeline": "default", "dealstage": "closedlost"});
    let deal = json!({"id": id.to_string(), "archived": true, "properties": properties});
    json!({"results": [deal], "paging": {"next": {"after": after}}})
}

/// Servers by what they do.
#[rustfmt::skip]
pub(crate) fn servers() -> Vec<Server> {
    let row = |name, part, pass, answers, says: &'static [&'static str]| Server {
        name, source: "", part, pass, answers, says,
    };
    let internal =
        json!({"status": "error", "message": "Server trouble", "category": "INTERNAL_ERROR"});
    let of_some = json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{
        "status": "error", "category": "INTERNAL_ERROR", "message": "Timed out reading objects",
        "context": {"ids": ["31874500101"]},
    }]});
    let login = json!({"location": "https://sso.example.com/login"});
    let page = json!(WEB_PAGE);
    let pending = json!({"status": "PENDING", "results": []});
    let null = Value::Null;
    let mut again = searched(|at, left| json!(left + usize::from(at > 0)));
    let first = again[0].1["results"][0].clone();
    again[1].1["results"].as_array_mut().expect("a list").push(first);
    let mut short = searched(|_, left| json!(left));
    short[1].1["results"] = json!([]);
    let mut untold = searched(|_, _| Value::Null);
    untold.push((200, json!({"results": []})));
    let hubspot = vec![
        row("sends every request to a login", "", 0, always(302, &login), &["https://sso.example.com/login"]),
        row("answers every request with a list", "", 0, always(200, &json!([])), &["is a list and not an object"]),
        row("answers every request with a login page", "", 0, always(200, &page), &["is a web page and not JSON"]),
        row("searches and answers with nothing", "deals/search", 0, good([json!({})]), &["has no results"]),
        row("searches and fails with status 200", "deals/search", 0, good([internal.clone()]), &["Server trouble"]),
        row("has null for its results", "deals/search", 0, good([json!({"total": 0, "results": null})]), &["has no results"]),
        row("has a gateway's page for each search", "deals/search", 0, always(502, &page), &["HubSpot answered 502"]),
        row("has a gateway's page for the second page", "deals/search", 1, always(502, &page), &["page 2 of the search for deals that are won", "HubSpot answered 502"]),
        row("counts more while it is read", "deals/search", 0, searched(|at, left| json!(left - usize::from(at == 0))), &[]),
        row("does not count", "deals/search", 0, untold, &[]),
        row("has a deal on two pages", "deals/search", 0, again, &[]),
        row("ends before what it counted", "deals/search", 0, short, &["are counted, and the pages held 2"]),
        row("is cut off", "deals/search", 0, always(200, &json!("{\"total\": 5, \"resul")), &["no complete answer came"]),
        row("packs what nobody wants packed", "deals/search", 0, good([json!("gzip")]), &["is packed (gzip)"]),
        row("reads a part of a batch", "deals/batch/read", 0, vec![(207, of_some)], &["the stage history of the deals", "Timed out reading objects"]),
        row("never finishes a batch", "deals/batch/read", 0, always(202, &pending), &["the stage history of the deals", "(202)"]),
        row("has a gateway's page for a batch", "deals/batch/read", 0, always(502, &page), &["the stage history of the deals", "HubSpot answered 502"]),
        row("names one archived page over and over", "deals?archived=true", 0, good([archived(901, "X"), archived(902, "X")]), &["what follows page 2 of the archived deals", "the pages repeat"]),
        row("goes round among archived pages", "deals?archived=true", 0, good(["A", "B", "A"].map(|after| archived(901, after))), &["what follows page 3 of the archived deals", "the pages repeat"]),
        row("fails with status 200 for archived deals", "deals?archived=true", 0, good([internal]), &["page 1 of the archived deals", "Server trouble"]),
        row("has a list in an archived page's place", "deals?archived=true", 0, good([json!([])]), &["page 1 of the archived deals", "is a list and not an object"]),
    ];
    let said = |code: &str| json!([{"errorCode": code, "message": "in any language"}]);
    let main = "ORDER BY Id";
    let salesforce = vec![
        row("sends the login elsewhere", "services/oauth2/token", 0, always(302, &login), &["https://sso.example.com/login"]),
        row("has a page for the login's answer", "services/oauth2/token", 0, always(200, &page), &["has no access_token with an instance_url"]),
        row("is under maintenance at the login", "services/oauth2/token", 0, always(503, &page), &["Salesforce's login answered 503"]),
        row("is under maintenance behind the login", "services/data", 0, always(503, &page), &["Salesforce answered 503"]),
        row("lists an error with status 200 everywhere", "services/data", 0, always(200, &said("SERVER_UNAVAILABLE")), &["Salesforce says that the request failed (SERVER_UNAVAILABLE): in any language"]),
        row("ends each query of the history", "FROM OpportunityHistory", 0, always(400, &said("QUERY_TIMEOUT")), &["the history of won stages", "QUERY_TIMEOUT"]),
        row("ends each query of opportunities", main, 0, always(400, &said("QUERY_TIMEOUT")), &["QUERY_TIMEOUT"]),
        row("has no requests left", main, 0, always(403, &said("REQUEST_LIMIT_EXCEEDED")), &["limit of requests is used up"]),
        row("has more and does not say where", main, 0, good([json!({"done": false, "records": []})]), &["is not the last page and does not name the next"]),
        row("queries and answers with nothing", main, 0, good([json!({})]), &["has no records"]),
        row("queries and answers with a list", main, 0, good([json!([])]), &["is a list and not an object"]),
    ];
    let won = "deals?status=won";
    let failed = |error: &str| json!({"success": false, "error": error, "data": null});
    let pipedrive = vec![
        row("answers every request with a list", "", 0, always(200, &json!([])), &["is a list and not an object"]),
        row("answers every request with a login page", "", 0, always(200, &page), &["is a web page and not JSON"]),
        row("names one page over and over", won, 0, good([listed(0, 2, &json!("A")), listed(2, 4, &json!("A"))]), &["what follows page 2 of the won deals", "the pages repeat"]),
        row("goes round", won, 0, good([listed(0, 2, &json!("A")), listed(2, 4, &json!("B")), listed(4, 6, &json!("A"))]), &["what follows page 3 of the won deals", "the pages repeat"]),
        row("fails with status 200", won, 0, good([failed("Internal error")]), &["Internal error"]),
        row("fails on the second page with status 200", won, 0, good([listed(0, 2, &json!("A")), failed("Invalid cursor")]), &["page 2 of the won deals", "Invalid cursor"]),
        row("has a list in a page's place", won, 0, good([json!([])]), &["is a list and not an object"]),
        row("has a text in a page's place", won, 0, good([json!("maintenance")]), &["is a text and not an object"]),
        row("has null for its deals", won, 0, good([json!({"success": true, "data": null, "additional_data": {"next_cursor": null}})]), &["has no data"]),
        row("has deals on two pages", won, 0, good([listed(0, 3, &json!("A")), listed(2, 99, &null)]), &[]),
        row("writes its cursor as a number", won, 0, good([listed(0, 2, &json!(12345)), listed(2, 99, &null)]), &[]),
        row("has a page of the web for the second page", won, 0, good([listed(0, 2, &json!("A")), page]), &["page 2 of the won deals", "is a web page and not JSON"]),
    ];
    [("hubspot", hubspot), ("salesforce", salesforce), ("pipedrive", pipedrive)]
        .into_iter()
        .flat_map(|(source, rows)| rows.into_iter().map(move |row| Server { source, ..row }))
        .collect()
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

/// Answers in the place of a source's own: to which requests, and how many pass before.
pub(crate) struct Plan<'a> {
    pub(crate) part: &'a str,
    pub(crate) pass: usize,
    pub(crate) answers: &'a [(u16, Value)],
}

/// The deals as JSON and the gaps, where some answers are planned; and how many
/// requests there were.
async fn read(
    source: &str,
    plan: Option<Plan<'_>>,
) -> (Result<(Vec<Value>, Vec<Gap>), CrmError>, usize) {
    let (crm, requests): (Box<dyn Crm>, Box<dyn Fn() -> usize>) = match source {
        "hubspot" => {
            let fake = Fake::start("hubspot").await.planned(plan.as_ref());
            let Fake::HubSpot(fake) = fake else { unreachable!("it is HubSpot") };
            fake.state().search_page = Some(3);
            let secrets = secrets(&[("HUBSPOT_TOKEN", hubspot::fake::TOKEN)]);
            let crm = HubSpot::new(of(&format!("base_url: {}", fake.base.as_str())), &secrets);
            let crm = crm.expect("connected").with_pace(Pace::without_waits());
            (Box::new(crm), Box::new(move || fake.state().calls.len()))
        }
        "pipedrive" => {
            let fake = Fake::start("pipedrive").await.planned(plan.as_ref());
            let Fake::Pipedrive(fake) = fake else { unreachable!("it is Pipedrive") };
            let secrets = secrets(&[("PIPEDRIVE_TOKEN", pipedrive::fake::TOKEN)]);
            let crm = Pipedrive::new(of(&format!("base_url: {}", fake.base.as_str())), &secrets);
            let crm = crm.expect("connected").with_schedule(at_once()).expect("the same");
            (Box::new(crm), Box::new(move || fake.state().calls.len()))
        }
        _ => {
            let fake = Fake::start("salesforce").await.planned(plan.as_ref());
            let Fake::Salesforce(fake) = fake else { unreachable!("it is Salesforce") };
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
        (deals, gaps)
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
        assert_eq!(gaps, [], "{source}");
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
    let answers = vec![(fault.0, fault.1.clone()); fault.2];
    let plan = Plan { part: "", pass: at, answers: &answers };
    let (population, _) = runtime.block_on(read(SOURCES[source], Some(plan)));
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
        !gaps.is_empty() || without_url(deals) == *whole,
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

#[test]
fn crm_faults_each_server_by_what_it_does() {
    let runtime = Runtime::new().expect("a runtime");
    for Server { name, source, part, pass, answers, says } in servers() {
        let plan = Plan { part, pass, answers: &answers };
        let (population, _) = runtime.block_on(read(source, Some(plan)));
        let said = match population {
            Err(error) => error.to_string(),
            Ok((deals, gaps)) if says.is_empty() => {
                let at = SOURCES.iter().position(|it| *it == source).expect("a source");
                assert_eq!(gaps, [], "{source} {name}");
                assert_eq!(without_url(deals), WHOLE[at].0, "{source} {name}");
                continue;
            }
            Ok((_, gaps)) => {
                gaps.iter().map(|gap| format!("{}: {}\n", gap.what, gap.why)).collect()
            }
        };
        assert!(!says.is_empty(), "{source} {name}: {said}");
        for words in says {
            assert!(said.contains(words), "{source} {name}: {words}\n{said}");
        }
    }
}
