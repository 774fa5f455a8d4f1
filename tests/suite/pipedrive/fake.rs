//! A Pipedrive company in this process: it answers from the vendor's samples
//! and keeps the vendor's rules (cursors, archives, choices, error bodies).

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use handoff::http::BaseUrl;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::crm_faults::in_its_place;
use crate::killed::killer::{Killer, When};

pub(crate) const TOKEN: &str = "0123456789abcdef-api-token";

/// A sample of Pipedrive's answers.
pub(crate) fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/pipedrive")
        .join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("a sample is JSON")
}

fn data(name: &str) -> Vec<Value> {
    sample(name)["data"].as_array().expect("a list").clone()
}

/// What the company holds.
#[derive(Debug, Default)]
pub(crate) struct Company {
    pub(crate) deals: BTreeMap<u64, Value>,
    pub(crate) fields: BTreeMap<&'static str, Vec<Value>>,
    pub(crate) persons: Vec<Value>,
    pub(crate) organizations: Vec<Value>,
    pub(crate) changelogs: BTreeMap<u64, Vec<Value>>,
    pub(crate) notes: Vec<Value>,
    /// Users beside those of the samples.
    pub(crate) users: Vec<Value>,
    pub(crate) activities: Vec<Value>,
    /// Mails by deal.
    pub(crate) mails: Vec<(u64, Value)>,
    /// Records of one page.
    pub(crate) page: usize,
    /// Answers to give before the real one, for requests that contain the text.
    pub(crate) planned: Vec<(String, VecDeque<Planned>)>,
    /// Kills the program that asks.
    pub(crate) killer: Option<Killer>,
    /// So many records more are made, and the answer is lost.
    pub(crate) lost: usize,
    /// A file that nobody may have locked while something is asked for.
    pub(crate) unlocked: Option<PathBuf>,
    /// Method, path with query, body.
    pub(crate) calls: Vec<(Method, String, Value)>,
}

/// An answer that is given in the real one's place: status, headers, body;
/// `None` lets the real one pass.
pub(crate) type Planned = Option<(u16, Vec<(&'static str, &'static str)>, Value)>;

#[derive(Clone)]
pub(crate) struct Fake {
    company: Arc<Mutex<Company>>,
    pub(crate) base: BaseUrl,
}

impl Fake {
    /// The company of the samples: the story of ten deals.
    pub(crate) async fn start() -> Self {
        Self::with(from_samples()).await
    }

    pub(crate) async fn with(company: Company) -> Self {
        let company = Arc::new(Mutex::new(company));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&company));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serving") });
        Self { company, base: BaseUrl::parse(&base).expect("loopback") }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Company> {
        self.company.lock().expect("not poisoned")
    }

    /// Plans answers for the next requests that contain a text.
    pub(crate) fn plan(&self, part: &str, answers: impl IntoIterator<Item = Planned>) {
        self.state().planned.push((part.to_owned(), answers.into_iter().collect()));
    }

    /// The requests that changed something.
    pub(crate) fn writes(&self) -> Vec<(String, Value)> {
        let state = self.state();
        let writes = state.calls.iter().filter(|(method, _, _)| *method != Method::GET);
        writes.map(|(_, path, body)| (path.clone(), body.clone())).collect()
    }
}

/// The company of the samples.
pub(crate) fn from_samples() -> Company {
    let mut company = Company { page: 4, ..Company::default() };
    for name in ["deals-won-page1", "deals-won-page2", "deals-archived-won", "deals-deleted"] {
        data(name).into_iter().for_each(|deal| company.add(deal));
    }
    company.add(sample("deal-get")["data"].clone());
    // Two of the story that the samples tell in a changelog and a webhook only.
    company.add(json!({
        "id": 7007, "title": "Fenwick Energy - Core", "status": "open", "value": 12000,
        "currency": "USD", "owner_id": 9001, "stage_id": 3, "pipeline_id": 1,
        "update_time": "2026-10-20T09:30:00Z", "first_won_time": "2026-10-12T14:00:00Z",
    }));
    company.add(json!({
        "id": 7009, "title": "Hartline Media - Suite", "status": "won", "value": 15000,
        "currency": "USD", "owner_id": 9001, "stage_id": 4, "pipeline_id": 1,
        "update_time": "2026-10-18T11:00:00Z", "won_time": "2026-10-18T11:00:00Z",
    }));
    company.add(json!({
        "id": 7090, "title": "Hartline Media (dup)", "status": "open", "is_deleted": true,
        "update_time": "2026-10-18T12:00:00Z", "merged_to_id": 7009,
    }));
    company.add(json!({"id": 7050, "title": "Never won", "status": "open"}));
    company.changelogs.insert(7007, data("deal-changelog-v1-reopened"));
    company.changelogs.insert(
        7008,
        vec![json!({
            "field_key": "status", "old_value": "open", "new_value": "won",
            "time": "2026-11-03 08:15:00",
        })],
    );
    company.fields.insert("deal", data("dealFields"));
    company.persons = data("persons-by-ids");
    company.organizations = data("organizations-by-ids");
    company
}

impl Company {
    pub(crate) fn add(&mut self, deal: Value) {
        self.deals.insert(deal["id"].as_u64().expect("id"), deal);
    }
}

fn json_answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("status");
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn found(data: &Value) -> Response {
    json_answer(200, &json!({"success": true, "data": data}))
}

/// A page by cursor, as version 2 gives it.
fn page(company: &Company, all: &[Value], query: &BTreeMap<String, String>) -> Response {
    let asked: usize = query.get("limit").map_or(100, |limit| limit.parse().expect("a limit"));
    assert!(asked <= 500, "Pipedrive gives 500 at most");
    let from: usize =
        query.get("cursor").map_or(0, |c| c.strip_prefix("c=").expect("ours").parse().expect("n"));
    let size = asked.min(company.page);
    let records: Vec<&Value> = all.iter().skip(from).take(size).collect();
    let next = (from + records.len() < all.len()).then(|| format!("c={}", from + records.len()));
    let more = json!({"next_cursor": next});
    json_answer(200, &json!({"success": true, "data": records, "additional_data": more}))
}

/// A page by number, as version 1 gives it.
fn counted(company: &Company, all: &[Value], query: &BTreeMap<String, String>) -> Response {
    let from: usize = query.get("start").map_or(0, |start| start.parse().expect("a number"));
    let records: Vec<&Value> = all.iter().skip(from).take(company.page).collect();
    let more = from + records.len() < all.len();
    json_answer(
        200,
        &json!({"success": true, "data": records, "additional_data": {"pagination": {
            "start": from, "limit": company.page, "more_items_in_collection": more,
        }}}),
    )
}

async fn answer(
    State(company): State<Arc<Mutex<Company>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut company = company.lock().expect("not poisoned");
    let told = uri.to_string();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    crate::batches::assert_unlocked(company.unlocked.as_deref());
    company.calls.push((method.clone(), told.clone(), json.clone()));
    if headers.get("x-api-token").and_then(|v| v.to_str().ok()) != Some(TOKEN) {
        return json_answer(401, &sample("error-401"));
    }
    let request = format!("{method} {told}");
    let planned = company
        .planned
        .iter_mut()
        .find(|(part, answers)| request.contains(part.as_str()) && !answers.is_empty())
        .and_then(|(_, answers)| answers.pop_front());
    if let Some(Some((status, headers, body))) = planned {
        let mut response = in_its_place(status, &body);
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().expect("header"));
        }
        return response;
    }
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let path = uri.path().trim_start_matches("/api/").to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let killer = company.killer.clone();
    let request = format!("{method} {path}");
    if killer.as_ref().is_some_and(|killer| !killer.pass(When::Received, &request)) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if request == "POST v2/activities" {
        let answer = make_activity(&mut company, json);
        if let Some(killer) = killer {
            killer.pass(When::Done, &request);
        }
        if company.lost > 0 {
            company.lost -= 1;
            return StatusCode::BAD_GATEWAY.into_response();
        }
        return answer;
    }
    route(&mut company, &method, &parts, &query, json)
}

fn route(
    company: &mut Company,
    method: &Method,
    parts: &[&str],
    query: &BTreeMap<String, String>,
    json: Value,
) -> Response {
    let ids = |all: &[Value]| -> Vec<Value> {
        let Some(ids) = query.get("ids") else { return all.to_vec() };
        let ids: Vec<u64> = ids.split(',').map(|id| id.parse().expect("an id")).collect();
        assert!(ids.len() <= 100, "Pipedrive takes 100 ids at most");
        all.iter().filter(|r| ids.contains(&r["id"].as_u64().expect("id"))).cloned().collect()
    };
    let missing = || json_answer(404, &sample("error-404"));
    match (method.as_str(), parts) {
        ("GET", ["v1", "users", "me"]) => json_answer(200, &sample("users-me-v1")),
        ("GET", ["v1", "users"]) => {
            let mut users = sample("users-v1");
            users["data"].as_array_mut().expect("users").extend(company.users.iter().cloned());
            json_answer(200, &users)
        }
        ("GET", ["v2", "activities"]) => {
            let of = |record: &&Value| {
                ["deal_id", "person_id", "owner_id"]
                    .iter()
                    .all(|name| query.get(*name).is_none_or(|id| record[*name].to_string() == *id))
                    && query.get("done").is_none_or(|done| record["done"].to_string() == *done)
            };
            page(company, &company.activities.iter().filter(of).cloned().collect::<Vec<_>>(), query)
        }
        ("GET", ["v2", "activities", id]) => {
            let of = |record: &&Value| record["id"].to_string() == *id;
            company.activities.iter().find(of).map_or_else(missing, found)
        }
        ("PATCH", ["v2", "activities", id]) => {
            if let Some(fault) = owner_fault(company, &json) {
                return fault;
            }
            let of = |record: &&mut Value| record["id"].to_string() == *id;
            let Some(record) = company.activities.iter_mut().find(of) else { return missing() };
            record
                .as_object_mut()
                .expect("a record")
                .extend(json.as_object().expect("fields").clone());
            found(record)
        }
        ("GET", ["v1", "deals", id, "mailMessages"]) => {
            let of = company.mails.iter().filter(|(deal, _)| deal.to_string() == *id);
            let mails: Vec<Value> =
                of.map(|(_, mail)| json!({"object": "mailMessage", "data": mail})).collect();
            if mails.is_empty() { found(&Value::Null) } else { counted(company, &mails, query) }
        }
        ("GET", ["v1", "users", id]) => {
            let users = data("users-v1");
            users.iter().find(|user| user["id"].to_string() == *id).map_or_else(missing, found)
        }
        ("GET", ["v2", "pipelines"]) => page(company, &data("pipelines"), query),
        ("GET", ["v2", "stages"]) => page(company, &data("stages"), query),
        ("GET", ["v2", "dealFields"]) => page(company, &company.fields["deal"], query),
        ("GET", ["v2", "personFields"]) => {
            page(company, company.fields.get("person").map_or(&[][..], Vec::as_slice), query)
        }
        ("GET", ["v2", "organizationFields"]) => {
            page(company, company.fields.get("org").map_or(&[][..], Vec::as_slice), query)
        }
        ("GET", ["v2", "persons"]) => page(company, &ids(&company.persons), query),
        ("GET", ["v2", "organizations"]) => page(company, &ids(&company.organizations), query),
        ("GET", ["v2", "deals", "products"]) => {
            let ids: Vec<&str> = query["deal_ids"].split(',').collect();
            assert!(ids.len() <= 100, "Pipedrive takes 100 deals at most");
            let all = data("deal-products").into_iter();
            let of = all.filter(|product| ids.contains(&product["deal_id"].to_string().as_str()));
            page(company, &of.collect::<Vec<_>>(), query)
        }
        ("GET", ["v2", "deals", id, "products"]) => {
            let all = data("deal-products");
            let of: Vec<Value> =
                all.into_iter().filter(|product| product["deal_id"].to_string() == *id).collect();
            page(company, &of, query)
        }
        ("GET", ["v1", "deals", id, "participants"]) => {
            let all = data("deal-participants-v1");
            let of = all.into_iter().filter(|p| p["related_item_id"].to_string() == *id);
            counted(company, &of.collect::<Vec<_>>(), query)
        }
        ("GET", ["v1", "deals", id, "changelog"]) => {
            let log = company.changelogs.get(&id.parse().expect("an id"));
            page(company, log.map_or(&[][..], Vec::as_slice), query)
        }
        ("GET", ["v1", "notes"]) => {
            let of = company.notes.iter().filter(|n| n["deal_id"].to_string() == query["deal_id"]);
            counted(company, &of.cloned().collect::<Vec<_>>(), query)
        }
        ("POST", ["v1", "notes"]) => {
            company.notes.push(json.clone());
            json_answer(201, &json!({"success": true, "data": json}))
        }
        ("GET", ["v2", list @ ("deals" | "deals/archived")]) => deals(company, list, query),
        ("GET", ["v2", "deals", "archived"]) => deals(company, "deals/archived", query),
        ("GET", ["v2", "deals", id]) => {
            company.deals.get(&id.parse().expect("an id")).map_or_else(missing, found)
        }
        ("PATCH", ["v2", "deals", id]) => {
            let deal = company.deals.get_mut(&id.parse().expect("an id")).expect("a deal");
            deal["status"] = json["status"].clone();
            deal["won_time"] = json["won_time"].clone();
            found(deal)
        }
        other => panic!("Pipedrive has no {other:?}"),
    }
}

fn deals(company: &Company, list: &str, query: &BTreeMap<String, String>) -> Response {
    assert!(query.get("ids").is_none_or(|ids| ids.split(',').count() <= 100), "100 ids at most");
    let archived = list == "deals/archived";
    let status = query.get("status").map(String::as_str);
    let held = |deal: &&Value| {
        let deleted = deal["is_deleted"] == true;
        let same = match status {
            Some("deleted") => deleted,
            // Without one it lists all that are not deleted.
            status => !deleted && status.is_none_or(|status| deal["status"] == status),
        };
        let changed = deal["update_time"].as_str().unwrap_or_default();
        let asked = |ids: &String| ids.split(',').any(|id| deal["id"].to_string() == id);
        same && (deal["is_archived"] == true) == archived
            && query.get("ids").is_none_or(asked)
            && query.get("updated_since").is_none_or(|since| changed >= since.as_str())
    };
    page(company, &company.deals.values().filter(held).cloned().collect::<Vec<_>>(), query)
}

/// The user whose token it is.
const API_USER: u64 = 9001;

fn owner_fault(company: &Company, record: &Value) -> Option<Response> {
    let owner = record["owner_id"].as_u64()?;
    let users = data("users-v1").into_iter().chain(company.users.iter().cloned());
    let mut active = users.filter(|user| user["active_flag"] != false);
    (!active.any(|user| user["id"] == owner)).then(|| {
        json_answer(400, &json!({"success": false, "error": "owner_id is not a user", "code": "ERR_SCHEMA_VALIDATION_FAILED"}))
    })
}

fn make_activity(company: &mut Company, mut record: Value) -> Response {
    if let Some(fault) = owner_fault(company, &record) {
        return fault;
    }
    if !record["subject"].is_string() || !record["type"].is_string() {
        return json_answer(
            400,
            &json!({"success": false, "error": "subject and type are required"}),
        );
    }
    record["id"] = json!(512 + company.activities.len());
    for (name, value) in [
        ("creator_user_id", json!(API_USER)),
        ("done", json!(false)),
        ("is_deleted", json!(false)),
        ("add_time", json!("2026-11-20T17:00:01Z")),
        ("update_time", json!("2026-11-20T17:00:01Z")),
    ] {
        record[name] = value;
    }
    if record["owner_id"].is_null() {
        record["owner_id"] = json!(API_USER);
    }
    company.activities.push(record.clone());
    json_answer(201, &json!({"success": true, "data": record}))
}
