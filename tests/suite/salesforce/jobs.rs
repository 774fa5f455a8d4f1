//! The fake org's jobs of the Bulk API 2.0, with the vendor's rules.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::fake::{Org, invalid, json_answer, sample};
use super::soql::rows;

/// A job of the Bulk API 2.0.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) state: &'static str,
    /// The header and the rows, as CSV.
    rows: Vec<String>,
}

/// A job of the Bulk API, which takes neither lists below a record nor, well, an order.
pub(super) fn create(org: &mut Org, asked: &Value) -> Response {
    assert_eq!(
        (&asked["operation"], &asked["columnDelimiter"], &asked["lineEnding"]),
        (&json!("queryAll"), &json!("COMMA"), &json!("LF"))
    );
    let soql = asked["query"].as_str().expect("a query");
    let fields = soql.split(" FROM ").next().expect("fields");
    if fields.contains("(SELECT") || soql.contains("COUNT()") {
        return invalid("INVALIDJOB", "Parent-to-child queries are not supported");
    }
    assert!(!soql.contains("ORDER BY"), "an order makes a job slow: {soql}");
    let (fields, found) = match rows(org, soql, true) {
        Ok(found) => found,
        Err(words) => return invalid("INVALID_FIELD", &words),
    };
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let cell = |record: &Value, field: &String| {
        let pointer = format!("/{}", field.replace('.', "/"));
        match record.pointer(&pointer) {
            None | Some(Value::Null) => quoted(""),
            Some(Value::String(text)) => match text.strip_suffix("+0000") {
                Some(moment) => quoted(&format!("{moment}Z")),
                None => quoted(text),
            },
            Some(other) => quoted(&other.to_string()),
        }
    };
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut rows = vec![line(fields.iter().map(|field| quoted(field)).collect())];
    rows.extend(
        found.iter().map(|record| line(fields.iter().map(|field| cell(record, field)).collect())),
    );
    let id = format!("750Hs00000ex{:03}IAE", org.jobs.len() + 1);
    let job = json!({"id": id, "state": "UploadComplete", "operation": "queryAll"});
    org.jobs.insert(id, Job { state: "UploadComplete", rows });
    json_answer(200, &job)
}

/// A page of a job's results.
pub(super) fn results(org: &Org, id: &str, query: &BTreeMap<String, String>) -> Response {
    let job = &org.jobs[id];
    assert_eq!(job.state, "JobComplete", "results are there once a job is done");
    let most: usize = query["maxRecords"].parse().expect("a number");
    let size = most.min(org.bulk_page);
    let from: usize = query.get("locator").map_or(0, |at| at.parse().expect("ours"));
    let page: Vec<&String> = job.rows.iter().skip(1 + from).take(size).collect();
    let next = from + page.len();
    let locator = if next + 1 < job.rows.len() { next.to_string() } else { "null".to_owned() };
    let body =
        format!("{}{}", job.rows[0], page.iter().map(|row| row.as_str()).collect::<String>());
    let headers = [
        ("content-type", "text/csv; charset=UTF-8".to_owned()),
        ("sforce-locator", locator),
        ("sforce-numberofrecords", page.len().to_string()),
    ];
    (StatusCode::OK, headers, body).into_response()
}

/// What has become of a job; it takes a look or two.
pub(super) fn look(org: &mut Org, id: &str) -> Response {
    let job = org.jobs.get_mut(id).expect("a job");
    let state = job.state;
    job.state = match state {
        "UploadComplete" => "InProgress",
        "InProgress" => "JobComplete",
        ended => ended,
    };
    let mut status = sample("bulk2-job-status");
    status["id"] = id.into();
    status["state"] = state.into();
    status["numberRecordsProcessed"] = json!(job.rows.len() - 1);
    json_answer(200, &status)
}

pub(super) fn abort(org: &mut Org, id: &str, asked: &Value) -> Response {
    assert_eq!(*asked, json!({"state": "Aborted"}));
    org.jobs.get_mut(id).expect("a job").state = "Aborted";
    json_answer(200, &json!({"id": id, "state": "Aborted"}))
}

pub(super) fn delete(org: &mut Org, id: &str) -> Response {
    if ["JobComplete", "Failed", "Aborted"].contains(&org.jobs[id].state) {
        org.jobs.remove(id);
        return StatusCode::NO_CONTENT.into_response();
    }
    let words = "Error encountered when deleting the job because the job is not terminated";
    invalid("API_ERROR", words)
}
