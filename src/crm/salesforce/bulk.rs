//! A query as a job of the Bulk API 2.0: created, waited for, read page by
//! page as CSV, and taken away again
//! (developer.salesforce.com, "Bulk API 2.0", query jobs).

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::api::{FieldType, SalesforceApi};
use crate::crm::failure::Failure;
use crate::crm::reading::PageSource;
use crate::crm::{CrmError, Progress};
use crate::http::Page;
use crate::text::{one_line, shorten};

/// Records of one page. Salesforce would give far more, but a page is held in
/// memory and must come within one request's time.
const PAGE: usize = 10_000;

/// How a job is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkPace {
    /// The wait before the second look; each one after it is twice as long.
    pub first: Duration,
    /// The longest wait between two looks.
    pub longest: Duration,
    /// After how long a job is given up.
    pub limit: Duration,
}

impl Default for BulkPace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(20),
            limit: Duration::from_secs(30 * 60),
        }
    }
}

/// A job that was created.
pub(super) struct BulkJob<'a> {
    api: &'a SalesforceApi,
    id: String,
    /// What the columns hold.
    holds: &'a BTreeMap<String, FieldType>,
    /// How many records it found, once it is done.
    total: Option<usize>,
    done: bool,
}

impl<'a> BulkJob<'a> {
    /// Asks for the records of a query, deleted ones too. The query has no
    /// lists below a record and no order: the API takes neither well.
    pub(super) async fn create(
        api: &'a SalesforceApi,
        soql: &str,
        holds: &'a BTreeMap<String, FieldType>,
    ) -> Result<Self, Failure> {
        let job = json!({
            "operation": "queryAll",
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        });
        let answer = api.create("jobs/query", &job).await?;
        let id = answer["id"].as_str().filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()));
        match id {
            Some(id) => Ok(Self { api, id: id.to_owned(), holds, total: None, done: false }),
            None => Err(ended("Salesforce created a job and did not name it.".to_owned())),
        }
    }

    /// Waits until the job is done. One that Salesforce ends, or that takes
    /// too long, is a failure in its words.
    pub(super) async fn finish(
        &mut self,
        pace: &BulkPace,
        progress: &dyn Progress,
        expected: usize,
    ) -> Result<(), Failure> {
        let (start, mut wait) = (Instant::now(), pace.first);
        loop {
            let job = self.api.get(&format!("jobs/query/{}", self.id)).await?;
            let records = job["numberRecordsProcessed"].as_u64();
            let records = records.and_then(|n| usize::try_from(n).ok());
            match job["state"].as_str().unwrap_or_default() {
                "JobComplete" => {
                    self.done = true;
                    self.total = records;
                    if records.is_none() {
                        return Err(ended(format!(
                            "Salesforce does not say how many records its bulk job {} has.",
                            self.id
                        )));
                    }
                    return Ok(());
                }
                state @ ("Failed" | "Aborted") => {
                    self.done = true;
                    let words = job["errorMessage"].as_str().unwrap_or("it does not say why");
                    let words = shorten(&one_line(words), 400);
                    return Err(ended(format!(
                        "Salesforce ended the bulk job {} as {state}: {}.",
                        self.id,
                        words.trim_end_matches('.')
                    )));
                }
                _ => {}
            }
            if start.elapsed() + wait > pace.limit {
                return Err(ended(format!(
                    "Salesforce's bulk job {} was not done after {} minutes.",
                    self.id,
                    pace.limit.as_secs() / 60
                )));
            }
            progress.read(records.unwrap_or_default(), Some(expected));
            sleep(wait).await;
            wait = (wait * 2).min(pace.longest);
        }
    }

    /// Where the results begin.
    pub(super) fn results(&self) -> String {
        self.api.path(&format!("jobs/query/{}/results?maxRecords={PAGE}", self.id))
    }

    /// Takes the job and its results away; one that runs is stopped first.
    pub(super) async fn remove(&self) -> Result<(), Failure> {
        let path = format!("jobs/query/{}", self.id);
        if !self.done {
            self.api.patch(&path, &json!({"state": "Aborted"})).await?;
        }
        self.api.delete(&path).await
    }
}

fn ended(message: String) -> Failure {
    let help = "Run it again; Setup, Bulk Data Load Jobs shows the org's jobs.".to_owned();
    Failure::new(None, CrmError::Unavailable { message, help })
}

#[async_trait]
impl PageSource for BulkJob<'_> {
    fn crm(&self) -> &'static str {
        "Salesforce"
    }

    async fn page(&self, at: &str, _: usize) -> Result<Page, Failure> {
        let answer = self.api.answer(at).await?;
        let nonsense = |why: String| Failure::nonsense("Salesforce", at, answer.status, &why);
        if answer.status != StatusCode::OK {
            return Err(nonsense(format!("is no whole answer (status {})", answer.status)));
        }
        let mut records = Vec::new();
        let mut rows = csv::Reader::from_reader(answer.body.as_ref());
        let headers = rows.headers().map_err(|error| nonsense(format!("is not CSV: {error}")))?;
        if self.total != Some(0)
            && !headers.iter().any(|name| matches!(name, "Id" | "OpportunityId"))
        {
            return Err(nonsense("is not a CSV file with the column Id".to_owned()));
        }
        let columns: Vec<(String, FieldType)> = headers
            .iter()
            .map(|name| (name.to_owned(), self.holds.get(name).copied().unwrap_or(FieldType::Text)))
            .collect();
        for row in rows.records() {
            let row = row.map_err(|error| nonsense(format!("is broken CSV: {error}")))?;
            records.push(record(&columns, &row));
        }
        let counted = header(&answer.headers, "sforce-numberofrecords");
        if let Some(counted) = counted.and_then(|text| text.parse::<usize>().ok())
            && counted != records.len()
        {
            return Err(nonsense(format!("holds {} records of {counted}", records.len())));
        }
        let locator = header(&answer.headers, "sforce-locator").filter(|text| *text != "null");
        let next = locator.map(|locator| {
            let locator: String =
                url::form_urlencoded::byte_serialize(locator.as_bytes()).collect();
            format!("{}&locator={locator}", self.results())
        });
        Ok(Page { records, bytes: answer.body.clone(), total: self.total, next })
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

/// A row as the REST API would give it: `Account.Name` is inside `Account`,
/// empty is null, numbers and truths are what they are.
fn record(columns: &[(String, FieldType)], row: &csv::StringRecord) -> Value {
    let mut record = Map::new();
    for ((name, holds), text) in columns.iter().zip(row) {
        put(&mut record, name, value(*holds, text));
    }
    Value::Object(record)
}

/// Sets a field, also of a record beside; one of which nothing is told is null.
fn put(record: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((beside, field)) = name.split_once('.') else {
        record.insert(name.to_owned(), value);
        return;
    };
    let beside = record.entry(beside.to_owned()).or_insert(Value::Null);
    if value.is_null() {
        return;
    }
    if !beside.is_object() {
        *beside = Value::Object(Map::new());
    }
    if let Value::Object(fields) = beside {
        put(fields, field, value);
    }
}

fn value(holds: FieldType, text: &str) -> Value {
    match holds {
        _ if text.is_empty() => Value::Null,
        FieldType::Truth => Value::Bool(text == "true"),
        FieldType::Number => text.parse().map_or_else(|_| text.into(), Value::Number),
        // The one API writes Z, the other an offset.
        FieldType::Moment => match text.strip_suffix('Z') {
            Some(moment) => format!("{moment}+0000").into(),
            None => text.into(),
        },
        FieldType::Text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_the_record_that_rest_gives() {
        let columns = [
            ("Id", FieldType::Text),
            ("Amount", FieldType::Number),
            ("IsWon", FieldType::Truth),
            ("CreatedDate", FieldType::Moment),
            ("Account.Name", FieldType::Text),
            ("Account.NumberOfEmployees", FieldType::Number),
            ("RecordType.Name", FieldType::Text),
        ];
        let columns = columns.map(|(name, holds)| (name.to_owned(), holds));
        let row = ["006", "48000.0", "true", "2026-10-30T16:42:12.000Z", "A \"b\"\nc", "", ""];
        assert_eq!(
            record(&columns, &csv::StringRecord::from(row.to_vec())),
            json!({
                "Id": "006", "Amount": 48000.0, "IsWon": true,
                "CreatedDate": "2026-10-30T16:42:12.000+0000",
                "Account": {"Name": "A \"b\"\nc"}, "RecordType": null,
            })
        );
    }
}
