//! A HubSpot in this process: it answers from the vendor's samples and keeps
//! the vendor's rules (paging, caps, limits, scopes, error bodies).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use handoff::http::BaseUrl;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value, json};

use crate::crm_faults::in_its_place;
use crate::killed::killer::{Killer, When};

pub(crate) const TOKEN: &str = "pat-na1-secret-0000-1111";

/// A sample of HubSpot's answers.
pub(crate) fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/hubspot")
        .join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("a sample is JSON")
}

/// One request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What the account holds.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Objects by kind and id; deals carry `propertiesWithHistory`.
    pub(crate) objects: BTreeMap<&'static str, BTreeMap<u64, Value>>,
    /// Associations by kind and deal, `contacts/calls` by contact: what `to` holds.
    pub(crate) links: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
    pub(crate) owners: BTreeMap<String, Value>,
    pub(crate) properties: BTreeMap<String, Value>,
    /// Answers to give before the real one, for paths that contain the text.
    pub(crate) planned: Vec<(String, VecDeque<Planned>)>,
    pub(crate) calls: Vec<Call>,
    /// The deals that pass a group without its bound on the id; forgotten when
    /// anything changes.
    passing: BTreeMap<String, Vec<u64>>,
    /// Results of one page of a search, where it gives fewer than were asked for.
    pub(crate) search_page: Option<usize>,
    next_id: u64,
    /// Kills the program that asks.
    pub(crate) killer: Option<Killer>,
    /// Records that a batch says it could not read, and those that it leaves out.
    pub(crate) broken: BTreeSet<String>,
    pub(crate) left_out: BTreeSet<String>,
    /// A file that nobody may have locked while something is asked for.
    pub(crate) unlocked: Option<PathBuf>,
}

/// An answer that is given in the real one's place.
#[derive(Debug, Clone)]
pub(crate) enum Planned {
    /// Give the real one.
    Pass,
    /// Give this status, headers and body.
    Answer(u16, Vec<(&'static str, String)>, Value),
    /// Do it, and answer with this status all the same.
    ActAndFail(u16),
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) account: Arc<Mutex<Account>>,
    pub(crate) base: BaseUrl,
}

impl Fake {
    /// The account of the samples: the story of ten deals.
    pub(crate) async fn start() -> Self {
        Self::with(from_samples()).await
    }

    pub(crate) async fn with(account: Account) -> Self {
        let account = Arc::new(Mutex::new(account));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&account));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serving") });
        Self { account, base: BaseUrl::parse(&base).expect("loopback") }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("not poisoned")
    }

    /// Plans answers for the next requests to a path.
    pub(crate) fn plan(&self, path: &str, answers: impl IntoIterator<Item = Planned>) {
        self.state().planned.push((path.to_owned(), answers.into_iter().collect()));
    }

    /// The requests that changed something.
    pub(crate) fn writes(&self) -> Vec<Call> {
        let writes = |call: &&Call| {
            call.method == Method::PATCH
                || (call.method == Method::POST
                    && (call.path.ends_with("/notes") || call.path.ends_with("/tasks")))
        };
        self.state().calls.iter().filter(writes).cloned().collect()
    }
}

/// The account of the samples.
pub(crate) fn from_samples() -> Account {
    let mut account = Account { next_id: 900, ..Account::default() };
    for name in [
        "deals-search-page1",
        "deals-search-page2",
        "deals-batch-read-history",
        "deals-list-archived",
    ] {
        for deal in sample(name)["results"].as_array().expect("results") {
            account.add("deals", deal.clone());
        }
    }
    account.add("deals", sample("deal-get"));
    for (kind, name) in [
        ("companies", "companies-batch-read"),
        ("contacts", "contacts-batch-read"),
        ("line_items", "line-items-batch-read"),
    ] {
        for record in sample(name)["results"].as_array().expect("results") {
            account.add(kind, record.clone());
        }
    }
    for (kind, name) in [
        ("contacts", "associations-batch-read-deals-contacts"),
        ("companies", "associations-batch-read-deals-companies"),
        ("line_items", "associations-batch-read-207"),
    ] {
        for result in sample(name)["results"].as_array().expect("results") {
            let from = result["from"]["id"].as_str().expect("id").to_owned();
            let to = result["to"].as_array().expect("to").clone();
            account.links.entry(kind.to_owned()).or_default().insert(from, to);
        }
    }
    for owner in sample("owners-list")["results"].as_array().expect("results") {
        account.owners.insert(owner["id"].as_str().expect("id").to_owned(), owner.clone());
    }
    let gone = sample("owner-get-archived");
    account.owners.insert(gone["id"].as_str().expect("id").to_owned(), gone);
    let mut properties = sample("properties-deals-trimmed");
    let list = properties["results"].as_array_mut().expect("results");
    for name in [
        "hs_v2_date_entered_closedwon",
        "handoff_success_metric",
        "handoff_promises",
        "handoff_risks",
        "account_tier",
        "handoff_notes",
        "handoff_go_live_date",
        "handoff_implementation_complexity",
    ] {
        if !list.iter().any(|p| p["name"] == name) {
            list.push(json!({"name": name, "label": name, "archived": false}));
        }
    }
    account.properties.insert("deals".to_owned(), properties);
    account
        .properties
        .insert("companies".to_owned(), json!({"results": [{"name": "name"}, {"name": "city"}]}));
    account
}

impl Account {
    pub(crate) fn add(&mut self, kind: &'static str, mut record: Value) {
        let id: u64 = record["id"].as_str().expect("id").parse().expect("number");
        self.passing.clear();
        let objects = self.objects.entry(kind).or_default();
        // The samples tell of one deal in several answers: together they are whole.
        if let Some(old) = objects.get(&id) {
            for part in ["properties", "propertiesWithHistory"] {
                let mut merged = old[part].as_object().cloned().unwrap_or_default();
                merged.extend(record[part].as_object().cloned().unwrap_or_default());
                record[part] = Value::Object(merged);
            }
        }
        if record["archived"].is_null() {
            record["archived"] = Value::Bool(false);
        }
        objects.insert(id, record);
    }

    /// The deals that pass a filter group, by id.
    fn hits(&mut self, group: &Value) -> Vec<u64> {
        let filters = group["filters"].as_array().expect("filters");
        let (bounds, others): (Vec<&Value>, Vec<&Value>) =
            filters.iter().partition(|filter| filter["propertyName"] == "hs_object_id");
        let deals = self.objects.get("deals");
        let all = self.passing.entry(json!(others).to_string()).or_insert_with(|| {
            let passes = |record: &&Value| {
                record["archived"] != true && others.iter().all(|filter| passes(record, filter))
            };
            let deals = deals.into_iter().flatten();
            deals.filter(|(_, record)| passes(record)).map(|(id, _)| *id).collect()
        });
        let bound = bounds.first().map_or(0, |filter| {
            assert_eq!(filter["operator"], "GT");
            filter["value"].as_str().expect("id").parse::<u64>().expect("number")
        });
        all[all.partition_point(|id| *id <= bound)..].to_vec()
    }
}

fn json_answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("status");
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn refused(message: &str) -> Response {
    json_answer(
        400,
        &json!({"status": "error", "message": message, "category": "VALIDATION_ERROR"}),
    )
}

async fn answer(
    State(account): State<Arc<Mutex<Account>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut account = account.lock().expect("not poisoned");
    let path = uri.path().to_owned();
    let query = uri.query().unwrap_or_default().to_owned();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    crate::batches::assert_unlocked(account.unlocked.as_deref());
    account.calls.push(Call { method: method.clone(), path: path.clone(), body: json.clone() });
    let bearer = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if bearer != format!("Bearer {TOKEN}") {
        return json_answer(401, &sample("error-401"));
    }
    let full = format!("{path}?{query}");
    let planned = account
        .planned
        .iter_mut()
        .find(|(part, answers)| full.contains(part.as_str()) && !answers.is_empty())
        .and_then(|(_, answers)| answers.pop_front());
    let killer = account.killer.clone();
    let request = format!("{method} {path}");
    if killer.as_ref().is_some_and(|killer| !killer.pass(When::Received, &request)) {
        return json_answer(500, &json!({}));
    }
    match planned {
        None | Some(Planned::Pass) => {
            let answer = route(&mut account, &method, &path, &query, &json, body.len());
            if let Some(killer) = killer.filter(|_| path.ends_with("/tasks")) {
                killer.pass(When::Done, &request);
            }
            answer
        }
        Some(Planned::Answer(status, headers, body)) => {
            let mut response = in_its_place(status, &body);
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().expect("header"));
            }
            response
        }
        Some(Planned::ActAndFail(status)) => {
            let _ = route(&mut account, &method, &path, &query, &json, body.len());
            json_answer(status, &json!({"status": "error", "message": "Internal error"}))
        }
    }
}

fn route(
    account: &mut Account,
    method: &Method,
    path: &str,
    query: &str,
    json: &Value,
    length: usize,
) -> Response {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let has = |pair: &str| query.split('&').any(|part| part == pair);
    let value = |name: &str| {
        query
            .split('&')
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["account-info", "2026-09", "details"]) => {
            json_answer(200, &sample("account-info-details"))
        }
        ("GET", ["crm", "pipelines", "2026-09", "deals"]) => {
            json_answer(200, &sample("pipelines-deals"))
        }
        ("GET", ["crm", "properties", "2026-09", object]) => {
            let empty = json!({"results": [{"name": "hs_object_id"}]});
            json_answer(200, account.properties.get(*object).unwrap_or(&empty))
        }
        ("GET", ["crm", "owners", "2026-09"]) => {
            let archived = has("archived=true");
            let owners = account.owners.values().filter(|o| (o["archived"] == true) == archived);
            json_answer(200, &json!({"results": owners.collect::<Vec<_>>()}))
        }
        ("GET", ["crm", "owners", "2026-09", id]) => {
            let owner = account.owners.get(*id);
            match owner.filter(|o| (o["archived"] == true) == has("archived=true")) {
                Some(owner) => json_answer(200, owner),
                None => json_answer(404, &sample("error-404")),
            }
        }
        ("POST", ["crm", "associations", "2026-09", "deals", to, "batch", "read"]) => {
            associations(account, to, json)
        }
        ("POST", ["crm", "associations", "2026-09", of, to, "batch", "read"]) => {
            associations(account, &format!("{of}/{to}"), json)
        }
        ("POST", ["crm", "objects", "2026-09", "deals", "search"]) => search(account, json, length),
        ("POST", ["crm", "objects", "2026-09", object, "batch", "read"]) => {
            batch(account, object, json, has("archived=true"))
        }
        ("GET", ["crm", "objects", "2026-09", object]) => {
            list(account, object, has("archived=true"), value("after"), value("limit"))
        }
        ("PATCH", ["crm", "objects", "2026-09", "deals", id]) => patch(account, id, json),
        ("POST", ["crm", "objects", "2026-09", "tasks"]) => make_task(account, json),
        ("PATCH", ["crm", "objects", "2026-09", "tasks", id]) => patch_task(account, id, json),
        ("POST", ["crm", "objects", "2026-09", "notes"]) => {
            account.next_id += 1;
            let id = account.next_id.to_string();
            let note = json!({"id": id, "properties": json["properties"]});
            account.add("notes", note.clone());
            for association in json["associations"].as_array().expect("associations") {
                assert_eq!(association["types"][0]["associationTypeId"], 214);
                let deal = association["to"]["id"].as_str().expect("id").to_owned();
                let links = account.links.entry("notes".to_owned()).or_default();
                links
                    .entry(deal)
                    .or_default()
                    .push(json!({"toObjectId": id, "associationTypes": []}));
            }
            json_answer(201, &note)
        }
        other => panic!("HubSpot has no {other:?}"),
    }
}

/// A record as it is answered: with the properties that were asked for only.
fn shown(record: &Value, properties: &Value, history: &Value) -> Value {
    let pick = |from: &Value, names: &Value| -> Map<String, Value> {
        let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
        // An unknown name is left out without a word, and a known one may be null.
        names.filter_map(|name| Some((name.to_owned(), from.get(name)?.clone()))).collect()
    };
    let mut shown = json!({
        "id": record["id"],
        "properties": pick(&record["properties"], properties),
        "archived": record["archived"],
    });
    if history.as_array().is_some_and(|names| !names.is_empty()) {
        shown["propertiesWithHistory"] =
            Value::Object(pick(&record["propertiesWithHistory"], history));
    }
    shown
}

fn search(account: &mut Account, json: &Value, length: usize) -> Response {
    if length > 3_000 {
        return refused("The request body is longer than 3000 characters");
    }
    let limit = json["limit"].as_u64().unwrap_or(10);
    let after: u64 = json["after"].as_str().map_or(0, |after| after.parse().expect("number"));
    if limit > 200 {
        return refused("limit is larger than 200");
    }
    if after + limit > 10_000 {
        return refused("Paging through more than 10000 results is not possible");
    }
    let groups = json["filterGroups"].as_array().expect("groups");
    let filters: usize = groups.iter().map(|g| g["filters"].as_array().map_or(0, Vec::len)).sum();
    if groups.len() > 5 || filters > 18 || json["sorts"].as_array().is_some_and(|s| s.len() > 1) {
        return refused("too many filters or sorts");
    }
    let known = &account.properties["deals"]["results"];
    for filter in groups.iter().flat_map(|g| g["filters"].as_array().expect("filters")) {
        let name = filter["propertyName"].as_str().expect("name");
        let listed = known.as_array().expect("results").iter().any(|p| p["name"] == name);
        if !listed && !matches!(name, "hs_object_id" | "hs_lastmodifieddate") {
            return refused(&format!("There was a problem with the request: property {name}"));
        }
    }
    let mut hits: Vec<u64> = groups.iter().flat_map(|group| account.hits(group)).collect();
    if groups.is_empty() {
        hits.extend(account.hits(&json!({"filters": []})));
    }
    hits.sort_unstable();
    hits.dedup();
    let start = usize::try_from(after).expect("fits");
    let deals = &account.objects["deals"];
    let page: Vec<Value> = hits
        .iter()
        .skip(start)
        .take(account.search_page.unwrap_or(usize::MAX).min(usize::try_from(limit).expect("fits")))
        .map(|id| shown(&deals[id], &json["properties"], &Value::Null))
        .collect();
    json_answer(200, &json!({"total": hits.len(), "results": page}))
}

fn passes(record: &Value, filter: &Value) -> bool {
    let name = filter["propertyName"].as_str().expect("name");
    let held = record["properties"][name].as_str().unwrap_or_default();
    let requested = filter["value"].as_str().unwrap_or_default();
    let number = |text: &str| -> i64 {
        chrono::DateTime::parse_from_rfc3339(text)
            .map_or_else(|_| text.parse().unwrap_or_default(), |at| at.timestamp_millis())
    };
    match filter["operator"].as_str().expect("operator") {
        "EQ" => held == requested,
        "GTE" => number(held) >= number(requested),
        "IN" => filter["values"].as_array().expect("values").iter().any(|v| v == held),
        "HAS_PROPERTY" => !held.is_empty(),
        other => panic!("no operator {other}"),
    }
}

fn batch(account: &Account, object: &str, json: &Value, archived: bool) -> Response {
    let inputs = json["inputs"].as_array().expect("inputs");
    let history = &json["propertiesWithHistory"];
    let with_history = history.as_array().is_some_and(|names| !names.is_empty());
    if inputs.len() > if with_history { 50 } else { 100 } {
        return refused("too many inputs");
    }
    let objects = account.objects.iter().find(|(kind, _)| **kind == object).map(|(_, o)| o);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let id: u64 = input["id"].as_str().expect("id").parse().expect("number");
        let id_text = id.to_string();
        if account.left_out.contains(&id_text) {
            continue;
        }
        if account.broken.contains(&id_text) {
            errors.push(json!({"status": "error", "category": "INTERNAL_ERROR",
                "message": "There was a problem with the request.", "context": {"ids": [id_text]}}));
            continue;
        }
        let found = objects.and_then(|objects| objects.get(&id));
        match found.filter(|record| (record["archived"] == true) == archived) {
            Some(record) => results.push(shown(record, &json["properties"], history)),
            None => errors.push(json!({"status": "error", "category": "OBJECT_NOT_FOUND",
                "message": "Could not get some objects", "context": {"ids": [id.to_string()]}})),
        }
    }
    let status = if errors.is_empty() { 200 } else { 207 };
    let mut answer = json!({"status": "COMPLETE", "results": results});
    if !errors.is_empty() {
        answer["numErrors"] = json!(errors.len());
        answer["errors"] = Value::Array(errors);
    }
    json_answer(status, &answer)
}

fn associations(account: &Account, to: &str, json: &Value) -> Response {
    /// Associations of one input on a page.
    const PAGE: usize = 2;
    let inputs = json["inputs"].as_array().expect("inputs");
    if inputs.len() > 1_000 {
        return refused("too many inputs");
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let id = input["id"].as_str().expect("id");
        let links = account.links.get(to).and_then(|links| links.get(id));
        let Some(links) = links else {
            errors.push(json!({"status": "error", "category": "OBJECT_NOT_FOUND",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "message": "Nothing is associated", "context": {"fromObjectId": [id]}}));
            continue;
        };
        let start: usize =
            input["after"].as_str().map_or(0, |after| after.parse().expect("number"));
        let page: Vec<&Value> = links.iter().skip(start).take(PAGE).collect();
        let mut result = json!({"from": {"id": id}, "to": page});
        if start + PAGE < links.len() {
            result["paging"] = json!({"next": {"after": (start + PAGE).to_string()}});
        }
        results.push(result);
    }
    let status = if errors.is_empty() { 200 } else { 207 };
    let mut answer = json!({"status": "COMPLETE", "results": results});
    if !errors.is_empty() {
        answer["numErrors"] = json!(errors.len());
        answer["errors"] = Value::Array(errors);
    }
    json_answer(status, &answer)
}

fn list(
    account: &Account,
    object: &str,
    archived: bool,
    after: Option<String>,
    limit: Option<String>,
) -> Response {
    let limit: usize = limit.map_or(10, |limit| limit.parse().expect("number"));
    if limit > 100 {
        return refused("limit is larger than 100");
    }
    let start: usize =
        after.map_or(0, |after| after.trim_end_matches("%3D").parse().expect("cursor"));
    let objects = account.objects.iter().find(|(kind, _)| **kind == object).map(|(_, o)| o);
    let all: Vec<&Value> = objects
        .into_iter()
        .flatten()
        .map(|(_, record)| record)
        .filter(|record| (record["archived"] == true) == archived)
        .collect();
    let page: Vec<&Value> = all.iter().skip(start).take(limit).copied().collect();
    let mut answer = json!({"results": page});
    if start + limit < all.len() {
        answer["paging"] = json!({"next": {"after": format!("{}%3D", start + limit)}});
    }
    json_answer(200, &answer)
}

fn patch(account: &mut Account, id: &str, json: &Value) -> Response {
    let id: u64 = id.parse().expect("number");
    account.passing.clear();
    let deals = account.objects.get_mut("deals").expect("deals");
    let Some(deal) = deals.get_mut(&id) else { return json_answer(404, &sample("error-404")) };
    for (name, value) in json["properties"].as_object().expect("properties") {
        assert!(!name.starts_with("hs_is_closed"), "{name} is calculated");
        deal["properties"][name] = value.clone();
    }
    json_answer(200, deal)
}

/// What the API of an app writes into a property's history.
fn entry(value: &Value) -> Value {
    json!({"value": value, "timestamp": "2026-11-20T17:00:01Z", "sourceType": "INTEGRATION"})
}

/// Why the properties of a task are refused.
fn task_fault(account: &Account, properties: &Value) -> Option<Response> {
    let owner = properties["hubspot_owner_id"].as_str();
    let is_owner = |id: &str| account.owners.get(id).is_some_and(|owner| owner["archived"] != true);
    owner.filter(|id| !is_owner(id)).map(|id| refused(&format!("{id} is not a valid owner")))
}

fn make_task(account: &mut Account, json: &Value) -> Response {
    let properties = &json["properties"];
    if !properties["hs_timestamp"].is_string() {
        return refused("Required properties missing: hs_timestamp");
    }
    if let Some(fault) = task_fault(account, properties) {
        return fault;
    }
    account.next_id += 1;
    let id = account.next_id.to_string();
    let mut properties = properties.clone();
    let history: Map<String, Value> = properties
        .as_object()
        .expect("properties")
        .iter()
        .map(|(name, value)| (name.clone(), json!([entry(value)])))
        .collect();
    properties["hs_createdate"] = json!("2026-11-20T17:00:01Z");
    let task = json!({"id": id, "createdAt": "2026-11-20T17:00:01Z", "properties": properties,
                      "propertiesWithHistory": history});
    account.add("tasks", task.clone());
    for association in json["associations"].as_array().expect("associations") {
        let kind = match association["types"][0]["associationTypeId"].as_u64() {
            Some(216) => "tasks",
            Some(192) => "companies/tasks",
            other => panic!("a task has no association {other:?}"),
        };
        let to = association["to"]["id"].as_str().expect("id").to_owned();
        let links = account.links.entry(kind.to_owned()).or_default();
        links.entry(to).or_default().push(json!({"toObjectId": id, "associationTypes": []}));
    }
    json_answer(201, &task)
}

fn patch_task(account: &mut Account, id: &str, json: &Value) -> Response {
    if let Some(fault) = task_fault(account, &json["properties"]) {
        return fault;
    }
    let tasks = account.objects.entry("tasks").or_default();
    let Some(task) = tasks.get_mut(&id.parse().expect("number")) else {
        return json_answer(404, &sample("error-404"));
    };
    for (name, value) in json["properties"].as_object().expect("properties") {
        task["properties"][name] = value.clone();
        let history = task["propertiesWithHistory"][name].as_array().cloned().unwrap_or_default();
        let all: Vec<Value> = std::iter::once(entry(value)).chain(history).collect();
        task["propertiesWithHistory"][name] = Value::Array(all);
    }
    json_answer(200, task)
}
