//! Activities of the type `task` on a deal. Facts: developers.pipedrive.com,
//! `Activities` (version 2): times are UTC, and who marked one as done is not
//! kept.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::record::{self, person, text, time};
use super::{Pipedrive, ROW};
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::model::{
    CrmTask, CrmTasks, DealId, Person, TaskAct, TaskBody, TaskDue, TaskFields, TaskHome,
};

/// What stands before an activity's id behind the address of its deal.
const MARK: &str = "activity-";

/// `512` of `https://acme.pipedrive.com/deal/42#activity-512`.
fn id_of(reference: &str) -> Option<u64> {
    reference.rsplit_once(MARK)?.1.parse().ok()
}

fn record(fields: &TaskFields) -> Map<String, Value> {
    let mut record = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            record.insert(name.to_owned(), value);
        }
    };
    set("subject", fields.subject.clone().map(Value::from));
    set("note", fields.body.clone().map(Value::from));
    set("due_date", fields.due.map(|due| due.at.format("%Y-%m-%d").to_string().into()));
    set("due_time", fields.due.map(|due| due.at.format("%H:%M:%S").to_string().into()));
    let owner = fields.owner.as_ref().and_then(|id| id.parse::<u64>().ok());
    set("owner_id", owner.map(Value::from));
    record
}

/// A day with the time where there is one.
fn due(record: &Value) -> Option<TaskDue> {
    let day = text(record, "due_date")?;
    let Some(at) = text(record, "due_time") else {
        return day.parse().ok().map(TaskDue::Day);
    };
    let moment = format!("{day} {at}");
    let read = |form| NaiveDateTime::parse_from_str(&moment, form).ok();
    let read = read("%Y-%m-%d %H:%M:%S").or_else(|| read("%Y-%m-%d %H:%M"));
    read.map(|at| TaskDue::At(at.and_utc()))
}

impl Pipedrive {
    async fn users(&self) -> Result<BTreeMap<u64, Value>, Failure> {
        let users = self.api.list(&self.api.v1("users")).await?;
        Ok(users.into_iter().filter_map(|user| Some((user["id"].as_u64()?, user))).collect())
    }

    async fn task(&self, record: &Value, reference: String) -> Result<CrmTask, Failure> {
        let users = self.users().await?;
        let user = |name: &str| users.get(&record[name].as_u64()?).map(person);
        let at = |name: &str| text(record, name).and_then(|text| time(&text));
        let act = |at| TaskAct { at, by: None, is_machine: false };
        let done = at("marked_as_done_time").or_else(|| at("update_time"));
        Ok(CrmTask {
            reference,
            created_at: at("add_time"),
            subject: text(record, "subject").unwrap_or_default(),
            body: text(record, "note").unwrap_or_default(),
            due: due(record),
            owner: user("owner_id"),
            own: user("creator_user_id"),
            done: done.filter(|_| record["done"] == true).map(act),
            due_set: None,
            owner_set: at("update_time").map(act),
        })
    }

    /// The deal's page, which lists its activities, with the activity's id.
    async fn reference(&self, deal: u64, id: &str) -> Result<String, Failure> {
        let me = self.api.get(&self.api.v1("users/me")).await?;
        let page = record::page(&me);
        Ok(page.map_or_else(|| format!("{MARK}{id}"), |page| format!("{page}{deal}#{MARK}{id}")))
    }
}

#[async_trait]
impl CrmTasks<CrmError> for Pipedrive {
    fn home(&self) -> TaskHome {
        TaskHome { crm: ROW.name, title: ROW.title, body: TaskBody::Html }
    }

    async fn user(&self, who: &Person) -> Result<Option<String>, CrmError> {
        let is_who = |user: &Value| user["active_flag"] != false && person(user).is_same(who);
        let mut users = self.users().await?.into_iter();
        Ok(users.find(|(_, user)| is_who(user)).map(|(id, _)| id.to_string()))
    }

    async fn find(&self, deal: &DealId, ending: &str) -> Result<Option<CrmTask>, CrmError> {
        let deal = record::find(&self.api, &self.name, deal).await?["id"].as_u64();
        let deal = deal.unwrap_or_default();
        let activities = self.api.list(&self.api.v2(&format!("activities?deal_id={deal}"))).await?;
        let is_ours = |it: &&Value| {
            it["is_deleted"] != true
                && text(it, "subject").is_some_and(|subject| subject.ends_with(ending))
        };
        let oldest = activities.iter().filter(is_ours).min_by_key(|it| it["id"].as_u64());
        let Some(oldest) = oldest else { return Ok(None) };
        let reference = self.reference(deal, &oldest["id"].to_string()).await?;
        Ok(Some(self.task(oldest, reference).await?))
    }

    async fn read(&self, reference: &str) -> Result<Option<CrmTask>, CrmError> {
        let Some(id) = id_of(reference) else { return Ok(None) };
        match self.api.get(&self.api.v2(&format!("activities/{id}"))).await {
            Ok(record) if record.is_object() && record["is_deleted"] != true => {
                Ok(Some(self.task(&record, reference.to_owned()).await?))
            }
            Ok(_) => Ok(None),
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn create(&self, deal: &DealId, fields: &TaskFields) -> Result<CrmTask, CrmError> {
        let found = record::find(&self.api, &self.name, deal).await?;
        let deal = found["id"].as_u64().unwrap_or_default();
        // Asked before: behind the creation a failure would hide that there is a task.
        let place = self.reference(deal, "").await?;
        let mut record = record(fields);
        record.insert("type".to_owned(), "task".into());
        record.insert("deal_id".to_owned(), deal.into());
        if let Some(company) = found["org_id"].as_u64() {
            record.insert("org_id".to_owned(), company.into());
        }
        let path = self.api.v2("activities");
        let made = self.api.create(&path, &json!(record)).await.map_err(Failure::of_creation)?;
        let id = made["id"].as_u64().ok_or_else(|| CrmError::Unclear {
            message: "Pipedrive's answer names no activity.".to_owned(),
        })?;
        let created_at = text(&made, "add_time").and_then(|text| time(&text));
        Ok(CrmTask { reference: format!("{place}{id}"), created_at, ..CrmTask::default() })
    }

    async fn change(&self, reference: &str, fields: &TaskFields) -> Result<(), CrmError> {
        let Some(id) = id_of(reference) else { return Ok(()) };
        let record = record(fields);
        if !record.is_empty() {
            self.api.patch(&self.api.v2(&format!("activities/{id}")), &json!(record)).await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), CrmError> {
        self.api.read(&self.api.v2("activities?limit=1")).await?;
        // There is no activity 0: what may be written is answered before what is there.
        match self.api.patch(&self.api.v2("activities/0"), &json!({})).await {
            Err(failure)
                if failure.is(StatusCode::NOT_FOUND) || failure.is(StatusCode::BAD_REQUEST) =>
            {
                Ok(())
            }
            other => Ok(other.map(drop)?),
        }
    }
}
