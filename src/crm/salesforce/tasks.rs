//! Tasks on an opportunity; its account comes by itself. Facts: the Object
//! Reference, `Task`: a due date is a day, and who completed one is not kept.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::record::{text, time};
use super::soql;
use super::{ROW, Salesforce};
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::crm::record::person;
use crate::model::{
    CrmTask, CrmTasks, DealId, Person, TaskAct, TaskBody, TaskDue, TaskFields, TaskHome,
    normalise_deal_id,
};

const FIELDS: &str = "Id, Subject, Description, ActivityDate, OwnerId, IsClosed, \
    CompletedDateTime, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById";

/// Fields that must be there to be written or read back.
const NEEDED: [&str; 7] = [
    "Subject",
    "Description",
    "ActivityDate",
    "OwnerId",
    "WhatId",
    "IsClosed",
    "CompletedDateTime",
];

/// A user: the person, and whether it is one.
type Users = BTreeMap<String, (Person, bool)>;

impl Salesforce {
    async fn users(&self, ids: &[String]) -> Result<Users, Failure> {
        if ids.is_empty() {
            return Ok(Users::new());
        }
        let ids = soql::list(ids.iter().map(String::as_str));
        let soql = format!("SELECT Id, Name, Email, UserType FROM User WHERE Id IN {ids}");
        let users = self.api.query(&soql).await?;
        let user = |user: &Value| {
            let person = person(user, "Name", "Email");
            let is_machine = user["UserType"] == "AutomatedProcess";
            Some((text(user, "Id")?, (person, is_machine)))
        };
        Ok(users.iter().filter_map(user).collect())
    }

    async fn task(&self, record: &Value, reference: String) -> Result<CrmTask, Failure> {
        let id = |name: &str| text(record, name);
        let at = |name: &str| text(record, name).and_then(|text| time(&text));
        let mut ids: Vec<String> =
            ["OwnerId", "CreatedById", "LastModifiedById"].into_iter().filter_map(id).collect();
        ids.sort();
        ids.dedup();
        let users = self.users(&ids).await?;
        let user = |name: &str| users.get(&text(record, name)?);
        let changed = at("LastModifiedDate");
        let done = at("CompletedDateTime").filter(|_| record["IsClosed"] == true).map(|at| {
            // Who changed it last completed it, if nothing was changed since.
            let is_same = changed.is_some_and(|changed| changed - at <= TimeDelta::seconds(5));
            let by = user("LastModifiedById").filter(|_| is_same);
            let is_machine = by.is_some_and(|(_, is_machine)| *is_machine);
            TaskAct { at, by: by.map(|(person, _)| person.clone()), is_machine }
        });
        let due = text(record, "ActivityDate").and_then(|day| day.parse().ok());
        let is_own = text(record, "LastModifiedById") == text(record, "CreatedById");
        Ok(CrmTask {
            reference,
            created_at: at("CreatedDate"),
            subject: text(record, "Subject").unwrap_or_default(),
            body: text(record, "Description").unwrap_or_default(),
            due: due.map(TaskDue::Day),
            owner: user("OwnerId").map(|(person, _)| person.clone()),
            own: user("CreatedById").map(|(person, _)| person.clone()),
            done,
            due_set: None,
            owner_set: changed.map(|at| TaskAct { at, by: None, is_machine: is_own }),
        })
    }

    async fn reference(&self, id: &str) -> Result<String, Failure> {
        Ok(format!("{}/lightning/r/Task/{id}/view", self.api.base().await?))
    }
}

/// `00T…` of `https://acme.my.salesforce.com/lightning/r/Task/00T…/view`.
fn id_of(reference: &str) -> Option<&str> {
    let (_, rest) = reference.rsplit_once("/Task/")?;
    let id = rest.split('/').next()?;
    let is_id = matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    is_id.then_some(id)
}

fn record(fields: &TaskFields) -> Map<String, Value> {
    let mut record = Map::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            record.insert(name.to_owned(), value.into());
        }
    };
    set("Subject", fields.subject.clone());
    set("Description", fields.body.clone());
    set("ActivityDate", fields.due.map(|due| due.day.to_string()));
    set("OwnerId", fields.owner.clone());
    record
}

#[async_trait]
impl CrmTasks<CrmError> for Salesforce {
    fn home(&self) -> TaskHome {
        TaskHome { crm: ROW.name, title: ROW.title, body: TaskBody::Plain }
    }

    async fn user(&self, person: &Person) -> Result<Option<String>, CrmError> {
        // Addresses need not be unique here: of several nobody knows which.
        let who = match (&person.email, &person.name) {
            (Some(email), _) => format!("Email = {}", soql::quote(email)),
            (None, Some(name)) => format!("Name = {}", soql::quote(name)),
            (None, None) => return Ok(None),
        };
        let soql = format!("SELECT Id FROM User WHERE {who} AND IsActive = true");
        let users = self.api.query(&soql).await?;
        Ok(match users.as_slice() {
            [user] => text(user, "Id"),
            _ => None,
        })
    }

    async fn find(&self, deal: &DealId, ending: &str) -> Result<Option<CrmTask>, CrmError> {
        let deal = normalise_deal_id(&self.name, deal);
        let soql = format!(
            "SELECT {FIELDS} FROM Task WHERE WhatId = {} AND IsDeleted = false",
            soql::quote(deal.as_str())
        );
        let tasks = self.api.query(&soql).await?;
        let ours = tasks
            .iter()
            .filter(|task| text(task, "Subject").is_some_and(|subject| subject.ends_with(ending)));
        let oldest = ours.min_by_key(|task| (text(task, "CreatedDate"), text(task, "Id")));
        let Some(oldest) = oldest else { return Ok(None) };
        let reference = self.reference(&text(oldest, "Id").unwrap_or_default()).await?;
        Ok(Some(self.task(oldest, reference).await?))
    }

    async fn read(&self, reference: &str) -> Result<Option<CrmTask>, CrmError> {
        let Some(id) = id_of(reference) else { return Ok(None) };
        let soql = format!(
            "SELECT {FIELDS} FROM Task WHERE Id = {} AND IsDeleted = false",
            soql::quote(id)
        );
        let tasks = self.api.query(&soql).await?;
        let Some(record) = tasks.first() else { return Ok(None) };
        Ok(Some(self.task(record, reference.to_owned()).await?))
    }

    async fn create(&self, deal: &DealId, fields: &TaskFields) -> Result<CrmTask, CrmError> {
        let deal = normalise_deal_id(&self.name, deal);
        let mut record = record(fields);
        record.insert("WhatId".to_owned(), deal.as_str().into());
        record.insert("Priority".to_owned(), "High".into());
        let made = self.api.create("sobjects/Task", &json!(record)).await;
        let made = made.map_err(Failure::of_creation)?;
        let id = text(&made, "id").ok_or_else(|| CrmError::Unclear {
            message: "Salesforce's answer names no task.".to_owned(),
        })?;
        let reference = self.reference(&id).await?;
        Ok(CrmTask { reference, ..CrmTask::default() })
    }

    async fn change(&self, reference: &str, fields: &TaskFields) -> Result<(), CrmError> {
        let Some(id) = id_of(reference) else { return Ok(()) };
        let record = record(fields);
        if !record.is_empty() {
            self.api.patch(&format!("sobjects/Task/{id}"), &json!(record)).await?;
        }
        Ok(())
    }

    /// The org describes what the app's user may do, and leaves hidden fields out.
    async fn check(&self) -> Result<(), CrmError> {
        let described = self.api.get("sobjects/Task/describe").await?;
        let fields = described["fields"].as_array().map_or(&[][..], Vec::as_slice);
        let hidden: Vec<&str> = NEEDED
            .into_iter()
            .filter(|name| !fields.iter().any(|field| field["name"] == *name))
            .collect();
        let may = |what: &str| described[what] == true;
        let message = if !may("createable") || !may("updateable") {
            "The app's user may not create and edit tasks.".to_owned()
        } else if !hidden.is_empty() {
            format!("The app's user cannot see these fields of tasks: {}.", hidden.join(", "))
        } else {
            return Ok(());
        };
        let help = "Give the permission set of the app's user Edit Tasks, and its fields.";
        Err(CrmError::Denied { message, help: help.to_owned() })
    }
}
