//! A Salesforce org in this process: it answers from the vendor's samples and
//! keeps the vendor's rules (tokens, SOQL fields, pages, deleted records, error bodies).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use handoff::http::BaseUrl;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::jobs::{self, Job};
use super::soql::soql_query;

use crate::crm_faults::in_its_place;
use crate::killed::killer::{Killer, When};

pub(crate) const CLIENT_ID: &str = "3MVG9-consumer-key";
pub(crate) const CLIENT_SECRET: &str = "consumer-secret-4711";
const TOKEN: &str = "00DHs000002AbCd!SESSION.";

pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/salesforce").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A sample of Salesforce's answers.
pub(crate) fn sample(name: &str) -> Value {
    serde_json::from_str(&fixture(&format!("{name}.json"))).expect("a sample is JSON")
}

fn records(name: &str) -> Vec<Value> {
    sample(name)["records"].as_array().expect("records").clone()
}

/// What the org holds.
#[derive(Debug, Default)]
pub(crate) struct Org {
    /// Opportunities by id, with what stands beside them.
    pub(crate) opportunities: BTreeMap<String, Value>,
    pub(crate) history: Vec<Value>,
    pub(crate) stages: Vec<Value>,
    pub(crate) fields: BTreeSet<String>,
    pub(crate) tasks: Vec<Value>,
    /// Users, tasks, events and relations of e-mails, by object.
    pub(crate) people: BTreeMap<&'static str, Vec<Value>>,
    /// Accounts that no opportunity has any more, or that stayed of a merge.
    pub(crate) accounts: BTreeMap<String, Value>,
    /// Records of one page.
    pub(crate) page: usize,
    /// Records of one page of a job's results, at most.
    pub(crate) bulk_page: usize,
    pub(crate) jobs: BTreeMap<String, Job>,
    /// Answers to give before the real one, for requests that contain the text.
    pub(crate) planned: Vec<(String, VecDeque<(u16, Value)>)>,
    /// Method, path with decoded query, and body.
    pub(crate) calls: Vec<(Method, String, String)>,
    pub(crate) cursors: Vec<Vec<Value>>,
    base: String,
    /// Tokens that were given out; only the last one is valid.
    pub(crate) logins: usize,
    /// What `Sforce-Limit-Info` says, where it is not the usual.
    pub(crate) limit_info: Option<&'static str>,
    pub(crate) instance: Option<String>,
    /// Kills the program that asks.
    pub(crate) killer: Option<Killer>,
    /// So many records more are made, and the answer is lost.
    pub(crate) lost: usize,
    /// A file that nobody may have locked while something is asked for.
    pub(crate) unlocked: Option<PathBuf>,
    /// Whether the app's user may not edit tasks.
    pub(crate) no_tasks: bool,
}

#[derive(Clone)]
pub(crate) struct Fake {
    org: Arc<Mutex<Org>>,
    pub(crate) base: BaseUrl,
}

impl Fake {
    /// The org of the samples: the story of ten deals.
    pub(crate) async fn start() -> Self {
        Self::with(from_samples()).await
    }

    pub(crate) async fn with(mut org: Org) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        org.base = format!("http://{}", listener.local_addr().expect("address"));
        let base = BaseUrl::parse(&org.base).expect("loopback");
        let org = Arc::new(Mutex::new(org));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&org));
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serving") });
        Self { org, base }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Org> {
        self.org.lock().expect("not poisoned")
    }

    /// Plans answers for the next requests that contain a text.
    pub(crate) fn plan(&self, part: &str, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.state().planned.push((part.to_owned(), answers.into_iter().collect()));
    }

    /// The requests that changed something.
    pub(crate) fn writes(&self) -> Vec<(String, Value)> {
        let state = self.state();
        let writes = state.calls.iter().filter(|(method, path, _)| {
            *method != Method::GET && !path.starts_with("/services/oauth2")
        });
        writes
            .filter(|(_, path, _)| !path.contains("/jobs/"))
            .map(|(_, path, body)| (path.clone(), serde_json::from_str(body).expect("JSON")))
            .collect()
    }
}

pub(super) fn from_samples() -> Org {
    let mut org = Org { page: 4, bulk_page: 3, ..Org::default() };
    for name in [
        "query-closed-won-page1",
        "query-closed-won-page2",
        "queryall-deleted",
        "query-brief-one-opportunity",
        "query-brief-no-children",
    ] {
        records(name).into_iter().for_each(|record| org.add(record));
    }
    // The two of the story that the samples tell in histories only.
    for (id, name, stage, won) in [
        ("006Hs00000aB7cDIAS", "Fenwick Energy - Core", "Negotiation/Review", false),
        ("006Hs00000aB9cDIAS", "Hartline Media - Suite", "Gewonnen (alt)", true),
    ] {
        org.add(json!({
            "Id": id, "Name": name, "StageName": stage, "IsWon": won, "IsClosed": won,
            "IsDeleted": false, "CloseDate": "2026-10-18", "Amount": 15000.0,
            "CurrencyIsoCode": "USD", "SystemModstamp": "2026-10-20T09:30:00.000+0000",
        }));
    }
    org.history = records("query-opportunity-history");
    for row in records("query-opportunity-field-history") {
        if row["Field"] == "StageName" {
            org.history.push(json!({
                "OpportunityId": row["OpportunityId"], "StageName": row["NewValue"],
                "CreatedDate": row["CreatedDate"],
            }));
        }
    }
    org.stages = records("query-opportunity-stages");
    let described = sample("describe-opportunity-trimmed");
    let names = described["fields"].as_array().expect("fields").iter();
    org.fields.extend(names.map(|field| field["name"].as_str().expect("name").to_owned()));
    // The sample of `describe` is trimmed; the records show what else is there.
    let whole = &org.opportunities["006Hs00000aB1cDIAS"];
    let fields = whole.as_object().expect("a record").iter();
    let plain = fields.filter(|(name, value)| !value.is_object() && *name != "attributes");
    org.fields.extend(plain.map(|(name, _)| name.clone()).collect::<Vec<_>>());
    org.fields.insert("RecordTypeId".to_owned());
    org
}

impl Org {
    pub(crate) fn add(&mut self, record: Value) {
        let id = record["Id"].as_str().expect("id").to_owned();
        let known = self.opportunities.entry(id).or_insert_with(|| json!({}));
        // The samples tell of one opportunity in several answers: together they are whole.
        known
            .as_object_mut()
            .expect("a record")
            .extend(record.as_object().expect("fields").clone());
    }

    fn token(&self) -> String {
        format!("{TOKEN}{}", self.logins)
    }
}

pub(super) fn json_answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("status");
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

pub(super) fn invalid(code: &str, message: &str) -> Response {
    json_answer(400, &json!([{"errorCode": code, "message": message}]))
}

async fn answer(
    State(org): State<Arc<Mutex<Org>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut org = org.lock().expect("not poisoned");
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let path = uri.path().to_owned();
    let headers_length: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if uri.to_string().len() + headers_length > 16_384 {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    let soql = query.get("q").cloned().unwrap_or_default();
    let text = String::from_utf8(body.to_vec()).expect("text");
    let more = if soql.is_empty() { uri.query().unwrap_or_default() } else { soql.as_str() };
    let told = format!("{path} {more}").trim_end().to_owned();
    crate::batches::assert_unlocked(org.unlocked.as_deref());
    org.calls.push((method.clone(), told.clone(), text.clone()));
    let planned = org
        .planned
        .iter_mut()
        .find(|(part, answers)| told.contains(part.as_str()) && !answers.is_empty())
        .and_then(|(_, answers)| answers.pop_front());
    // A status of 0 lets the real answer pass.
    if let Some((status, body)) = planned.filter(|(status, _)| *status != 0) {
        let mut response = in_its_place(status, &body);
        let info = org.limit_info.unwrap_or("api-usage=580/118000");
        response.headers_mut().insert("sforce-limit-info", info.parse().expect("a header"));
        return response;
    }
    if path == "/services/oauth2/token" {
        return login(&mut org, &text);
    }
    let bearer = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if bearer != format!("Bearer {}", org.token()) {
        return json_answer(401, &sample("error-401-invalid-session"));
    }
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let rest = path.strip_prefix("/services/data/v66.0/").unwrap_or_else(|| panic!("{path}"));
    let parts: Vec<&str> = rest.split('/').collect();
    let killer = org.killer.clone();
    let request = format!("{method} {path}");
    if killer.as_ref().is_some_and(|killer| !killer.pass(When::Received, &request)) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["query", locator]) => {
            let at: usize = locator.parse().expect("a locator");
            page(&mut org, at)
        }
        ("GET", [how @ ("query" | "queryAll")]) => soql_query(&mut org, &soql, *how == "queryAll"),
        ("GET", ["limits"]) => json_answer(200, &sample("limits-trimmed")),
        ("GET", ["sobjects", "Task", "describe"]) => {
            let fields = if org.no_tasks { "Subject OwnerId" } else { TASK_FIELDS };
            let fields: Vec<Value> = fields.split(' ').map(|name| json!({"name": name})).collect();
            json_answer(
                200,
                &json!({"createable": true, "updateable": !org.no_tasks, "fields": fields}),
            )
        }
        ("GET", ["sobjects", object, "describe"]) => {
            let mut described = sample("describe-opportunity-trimmed");
            described["fields"] = org.described(object);
            json_answer(200, &described)
        }
        ("POST", ["jobs", "query"]) => jobs::create(&mut org, &json),
        ("GET", ["jobs", "query", id]) => jobs::look(&mut org, id),
        ("GET", ["jobs", "query", id, "results"]) => jobs::results(&org, id, &query),
        ("PATCH", ["jobs", "query", id]) => jobs::abort(&mut org, id, &json),
        ("DELETE", ["jobs", "query", id]) => jobs::delete(&mut org, id),
        ("PATCH", ["sobjects", "Opportunity", id]) => {
            let stage = org.stages.iter().find(|stage| stage["ApiName"] == json["StageName"]);
            let stage = stage.expect("a stage").clone();
            let record = org.opportunities.get_mut(*id).expect("an opportunity");
            record["StageName"] = json["StageName"].clone();
            record["CloseDate"] = json["CloseDate"].clone();
            record["IsWon"] = stage["IsWon"].clone();
            record["IsClosed"] = stage["IsClosed"].clone();
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", ["sobjects", "Task"]) => {
            let answer = make_task(&mut org, json);
            if let Some(killer) = killer {
                killer.pass(When::Done, &request);
            }
            if org.lost > 0 {
                org.lost -= 1;
                return StatusCode::BAD_GATEWAY.into_response();
            }
            answer
        }
        ("PATCH", ["sobjects", "Task", id]) => patch_task(&mut org, id, &json),
        other => panic!("Salesforce has no {other:?}"),
    }
}

fn login(org: &mut Org, form: &str) -> Response {
    let form: BTreeMap<String, String> =
        url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let let_in = match form["grant_type"].as_str() {
        "client_credentials" => {
            form["client_id"] == CLIENT_ID && form["client_secret"] == CLIENT_SECRET
        }
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            let key = fixture("test-only-jwt-key.pub.pem");
            let key = jsonwebtoken::DecodingKey::from_rsa_pem(key.as_bytes()).expect("a key");
            let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
            rules.set_audience(&["https://login.salesforce.com"]);
            rules.set_issuer(&[CLIENT_ID]);
            let claims = jsonwebtoken::decode::<Value>(&form["assertion"], &key, &rules);
            claims.is_ok_and(|token| token.claims["sub"] == "api@vendor.example")
        }
        other => panic!("no grant {other}"),
    };
    if !let_in {
        return json_answer(400, &sample("token-error-invalid-client"));
    }
    org.logins += 1;
    let mut answer = sample("token-client-credentials");
    answer["access_token"] = org.token().into();
    answer["instance_url"] = org.instance.clone().unwrap_or_else(|| org.base.clone()).into();
    json_answer(200, &answer)
}

/// A page of a cursor, with the address of the next one.
pub(super) fn page(org: &mut Org, cursor: usize) -> Response {
    let (at, number) = (cursor / 1_000, cursor % 1_000);
    let all = &org.cursors[at];
    let from = number * org.page;
    let records: Vec<&Value> = all.iter().skip(from).take(org.page).collect();
    let done = from + records.len() >= all.len();
    let mut answer = json!({"totalSize": all.len(), "done": done, "records": records});
    if !done {
        answer["nextRecordsUrl"] =
            format!("/services/data/v66.0/query/{:04}", at * 1_000 + number + 1).into();
    }
    json_answer(200, &answer)
}

const TASK_FIELDS: &str =
    "Id Subject Description ActivityDate OwnerId WhatId IsClosed CompletedDateTime";

/// The user of the app.
const API_USER: &str = "005Api000000001";

fn task_fault(org: &Org, task: &Value) -> Option<Response> {
    let owner = task["OwnerId"].as_str()?;
    let users = org.people.get("User").into_iter().flatten();
    let mut known = users.filter(|user| user["IsActive"] != false).map(|user| &user["Id"]);
    let is_known = known.any(|id| id == owner);
    (!is_known).then(|| {
        json_answer(
            400,
            &json!([{"errorCode": "INVALID_CROSS_REFERENCE_KEY",
            "message": "invalid cross reference id", "fields": ["OwnerId"]}]),
        )
    })
}

fn make_task(org: &mut Org, mut task: Value) -> Response {
    if let Some(fault) = task_fault(org, &task) {
        return fault;
    }
    let id = format!("00T{:012}", org.tasks.len() + 1);
    let is_closed = task["Status"] == "Completed";
    for (name, value) in [
        ("Id", json!(id)),
        ("IsClosed", json!(is_closed)),
        ("CreatedById", json!(API_USER)),
        ("LastModifiedById", json!(API_USER)),
        ("CreatedDate", json!("2026-11-20T17:00:01.000+0000")),
        ("LastModifiedDate", json!("2026-11-20T17:00:01.000+0000")),
    ] {
        task[name] = value;
    }
    if task["OwnerId"].is_null() {
        task["OwnerId"] = json!(API_USER);
    }
    org.tasks.push(task);
    json_answer(201, &json!({"id": id, "success": true, "errors": []}))
}

fn patch_task(org: &mut Org, id: &str, change: &Value) -> Response {
    if let Some(fault) = task_fault(org, change) {
        return fault;
    }
    let Some(task) = org.tasks.iter_mut().find(|task| task["Id"] == id) else {
        return json_answer(404, &sample("error-404-not-found"));
    };
    task.as_object_mut().expect("a task").extend(change.as_object().expect("fields").clone());
    task["LastModifiedById"] = json!(API_USER);
    StatusCode::NO_CONTENT.into_response()
}
