//! Tasks on a deal. Facts: developers.hubspot.com, `crm/activities/tasks`; who
//! changed what the history of a property says.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::SecondsFormat;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::account::{self, HubSpotAccount};
use super::api::{Failure, HubSpotApi};
use super::{HubSpot, ROW, read, record};
use crate::crm::CrmError;
use crate::crm::connector::is_number;
use crate::crm::failure::cursor;
use crate::model::{
    CrmTask, CrmTasks, DealId, Person, TaskAct, TaskBody, TaskDue, TaskFields, TaskHome,
};

/// The associations of a task, as HubSpot numbers them.
const TASK_TO_DEAL: u32 = 216;
const TASK_TO_COMPANY: u32 = 192;

/// HubSpot's number for tasks in the addresses of records.
const TASKS: &str = "0-27";

const PROPERTIES: [&str; 6] = [
    "hs_task_subject",
    "hs_task_body",
    "hs_task_status",
    "hs_timestamp",
    "hs_createdate",
    "hubspot_owner_id",
];
const HISTORY: [&str; 3] = ["hs_task_status", "hs_timestamp", "hubspot_owner_id"];

/// Sources of a change that are no person; a person's have their user beside.
const MACHINES: [&str; 8] = [
    "INTEGRATION",
    "API",
    "AUTOMATION_PLATFORM",
    "WORKFLOWS",
    "CALCULATED",
    "IMPORT",
    "INTERNAL_PROCESSING",
    "AI_GROUP",
];

/// The account's owners: by their own id, and by the id of their user.
struct TaskOwners {
    by_id: BTreeMap<String, Person>,
    by_user: BTreeMap<String, Person>,
}

impl TaskOwners {
    async fn read(api: &HubSpotApi) -> Result<Self, Failure> {
        let mut owners = Self { by_id: BTreeMap::new(), by_user: BTreeMap::new() };
        for archived in ["true", "false"] {
            let list = format!("?limit=100&archived={archived}");
            for owner in api.list("crm/owners", &list).await? {
                let person = account::person(&owner);
                if let Some(id) = cursor(&owner["id"]) {
                    owners.by_id.insert(id, person.clone());
                }
                let user =
                    cursor(&owner["userId"]).or_else(|| cursor(&owner["userIdIncludingInactive"]));
                if let Some(user) = user {
                    owners.by_user.insert(user, person);
                }
            }
        }
        Ok(owners)
    }
}

/// `512` of `https://app.hubspot.com/contacts/1/record/0-27/512` and `tasks/512`.
fn id_of(reference: &str) -> Option<&str> {
    reference.rsplit('/').next().filter(|id| is_number(id))
}

/// What fields are called here.
fn properties(fields: &TaskFields) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value.into());
        }
    };
    set("hs_task_subject", fields.subject.clone());
    set("hs_task_body", fields.body.clone());
    let due = fields.due.map(|due| due.at.to_rfc3339_opts(SecondsFormat::Millis, true));
    set("hs_timestamp", due);
    set("hubspot_owner_id", fields.owner.clone());
    properties
}

/// A task's record.
fn task(record: &Value, reference: String, owners: &TaskOwners) -> CrmTask {
    let properties = record::properties(record);
    let text = |name: &str| record::text(&properties, name);
    let time = |name: &str| text(name).and_then(record::time);
    let last = |name: &str| last_change(&record["propertiesWithHistory"][name], owners);
    CrmTask {
        reference,
        created_at: time("hs_createdate"),
        subject: text("hs_task_subject").unwrap_or_default().to_owned(),
        body: text("hs_task_body").unwrap_or_default().to_owned(),
        due: time("hs_timestamp").map(TaskDue::At),
        owner: text("hubspot_owner_id").and_then(|id| owners.by_id.get(id)).cloned(),
        // A service key has no user.
        own: None,
        done: last("hs_task_status").filter(|_| text("hs_task_status") == Some("COMPLETED")),
        due_set: last("hs_timestamp"),
        owner_set: last("hubspot_owner_id"),
    }
}

/// The newest entry of a property's history.
fn last_change(history: &Value, owners: &TaskOwners) -> Option<TaskAct> {
    let entries = history.as_array()?.iter();
    let entries = entries.filter_map(|it| Some((record::time(it["timestamp"].as_str()?)?, it)));
    let (at, entry) = entries.max_by_key(|(at, _)| *at)?;
    let user = cursor(&entry["updatedByUserId"]);
    let source = entry["sourceType"].as_str().unwrap_or_default();
    Some(TaskAct {
        at,
        by: user.and_then(|user| owners.by_user.get(&user).cloned()),
        is_machine: MACHINES.contains(&source),
    })
}

impl HubSpot {
    async fn tasks_of(&self, ids: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
        read::records(&self.api, "tasks", ids, &PROPERTIES, &HISTORY, false).await
    }

    /// The company that a deal belongs to: the primary one, else the only one.
    async fn company_of(&self, deal: &str) -> Result<Option<String>, Failure> {
        let links = read::links(&self.api, "deals", &[deal.to_owned()], "companies").await?;
        let mut companies: Vec<read::Association> = links.into_values().flatten().collect();
        if companies.len() > 1 {
            companies.retain(|link| link.primary);
        }
        Ok((companies.len() == 1).then(|| companies.swap_remove(0).to))
    }

    /// Where people see a task; without the account's number its kind and id.
    async fn reference(&self, id: &str) -> Result<String, CrmError> {
        let account = HubSpotAccount::read(&self.api, &self.settings).await?;
        let deals = account.deal_url.as_deref().and_then(|url| url.strip_suffix("0-3/"));
        Ok(deals.map_or_else(|| format!("tasks/{id}"), |url| format!("{url}{TASKS}/{id}")))
    }
}

#[async_trait]
impl CrmTasks<CrmError> for HubSpot {
    fn home(&self) -> TaskHome {
        TaskHome { crm: ROW.name, title: ROW.title, body: TaskBody::Html }
    }

    async fn user(&self, person: &Person) -> Result<Option<String>, CrmError> {
        let owners = self.api.list("crm/owners", "?limit=100&archived=false").await?;
        let owner = owners.iter().find(|owner| account::person(owner).is_same(person));
        Ok(owner.and_then(|owner| cursor(&owner["id"])))
    }

    async fn find(&self, deal: &DealId, ending: &str) -> Result<Option<CrmTask>, CrmError> {
        let deal = [deal.as_str().trim().to_owned()];
        let links = read::links(&self.api, "deals", &deal, "tasks").await?;
        let mut ids: Vec<String> = links.into_values().flatten().map(|link| link.to).collect();
        ids.sort_by_key(|id| (id.len(), id.clone()));
        let records = self.tasks_of(&ids).await?;
        let is_ours = |id: &&String| {
            let subject = records.get(*id).map(|it| &it["properties"]["hs_task_subject"]);
            subject.and_then(Value::as_str).is_some_and(|it| it.trim_end().ends_with(ending))
        };
        let Some(id) = ids.iter().find(is_ours) else { return Ok(None) };
        let owners = TaskOwners::read(&self.api).await?;
        Ok(Some(task(&records[id], self.reference(id).await?, &owners)))
    }

    async fn read(&self, reference: &str) -> Result<Option<CrmTask>, CrmError> {
        let Some(id) = id_of(reference) else { return Ok(None) };
        let records = self.tasks_of(&[id.to_owned()]).await?;
        let Some(record) = records.get(id) else { return Ok(None) };
        let owners = TaskOwners::read(&self.api).await?;
        Ok(Some(task(record, reference.to_owned(), &owners)))
    }

    async fn create(&self, deal: &DealId, fields: &TaskFields) -> Result<CrmTask, CrmError> {
        let deal = deal.as_str().trim();
        let mut links = vec![(deal.to_owned(), TASK_TO_DEAL)];
        links.extend(self.company_of(deal).await?.map(|company| (company, TASK_TO_COMPANY)));
        // Asked before: behind the creation a failure would hide that there is a task.
        let place = self.reference("").await?;
        let associations: Vec<Value> = links
            .into_iter()
            .map(|(id, number)| {
                let kind =
                    json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number});
                json!({"to": {"id": id}, "types": [kind]})
            })
            .collect();
        let mut properties = properties(fields);
        for (name, value) in [
            ("hs_task_status", "NOT_STARTED"),
            ("hs_task_priority", "HIGH"),
            ("hs_task_type", "TODO"),
        ] {
            properties.insert(name.to_owned(), value.into());
        }
        let body = json!({"properties": properties, "associations": associations});
        let made = self.api.create("tasks", &body).await.map_err(Failure::of_creation)?;
        let id = cursor(&made["id"]).ok_or_else(|| CrmError::Unclear {
            message: "HubSpot's answer names no task.".to_owned(),
        })?;
        let created_at = made["createdAt"].as_str().and_then(record::time);
        Ok(CrmTask { reference: format!("{place}{id}"), created_at, ..CrmTask::default() })
    }

    async fn change(&self, reference: &str, fields: &TaskFields) -> Result<(), CrmError> {
        let Some(id) = id_of(reference) else { return Ok(()) };
        let properties = properties(fields);
        if !properties.is_empty() {
            let body = json!({"properties": properties});
            self.api.patch(&format!("tasks/{id}"), &body).await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), CrmError> {
        self.api.get("crm/objects", "tasks?limit=1").await?;
        // There is no task 0: what may be written is answered before what is there.
        match self.api.patch("tasks/0", &json!({"properties": {}})).await {
            Err(failure)
                if failure.is(StatusCode::NOT_FOUND) || failure.is(StatusCode::BAD_REQUEST) =>
            {
                Ok(())
            }
            other => Ok(other.map(drop)?),
        }
    }
}
