//! The first-touch task and the project follow a brief that changed:
//! description, name, assignee and deadline.

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value, json};

use super::api::{Api, ending, is_ours};
use super::notes::renewed;
use super::read_back::project_of;
use crate::brief::EventKind;
use crate::deliver::messages::{Messages, answer, due};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::Medium;
use crate::http::Semantics;
use crate::text;

/// Brings the project of each handoff in line with its brief. Setting the same
/// again changes nothing, so that nothing needs to be looked up.
pub(super) struct AsanaFollow {
    pub(super) api: Api,
    pub(super) messages: Messages,
}

impl AsanaFollow {
    async fn put(&self, path: &str, change: Map<String, Value>) -> Result<(), DeliveryError> {
        if change.is_empty() {
            return Ok(());
        }
        let path = format!("{path}?opt_fields=name");
        let change = Some(Value::Object(change));
        self.api.ask(Semantics::Idempotent, Method::PUT, &path, change).await.map(drop)
    }

    /// What differs in the task.
    fn change(
        &self,
        handoff: &Handoff,
        task: &Value,
        remarks: &mut Vec<String>,
    ) -> Result<Map<String, Value>, DeliveryError> {
        let message = self.messages.csm_task(handoff, Medium::Markdown)?;
        let name = format!("{} {}", text::shorten(&message.title, 120), ending(handoff));
        let mut change = Map::new();
        if task["name"] != name.as_str() {
            change.insert("name".to_owned(), json!(name));
        }
        describe(task, &message.body, "task", &mut change, remarks);
        let csm = answer(&handoff.brief, "first_action.owner.email");
        if handoff.previous_owner().is_some() {
            change.insert("assignee".to_owned(), json!(csm));
        }
        if handoff.due_changed()
            && let Some(due) = due(handoff)
        {
            let due = due.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            change.insert("due_at".to_owned(), json!(due));
        }
        Ok(change)
    }
}

fn describe(
    there: &Value,
    new: &str,
    what: &str,
    change: &mut Map<String, Value>,
    remarks: &mut Vec<String>,
) {
    let old = there["html_notes"].as_str().unwrap_or_default();
    match renewed(old, new) {
        Some(new) if new == old => {}
        Some(new) => drop(change.insert("html_notes".to_owned(), json!(new))),
        None => remarks.push(format!("the {what}'s description is left as people changed it")),
    }
}

#[async_trait]
impl Sink for AsanaFollow {
    fn event(&self) -> EventKind {
        EventKind::CsmTold
    }

    fn via(&self) -> &'static str {
        "asana"
    }

    fn follows_brief(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        "bring the Asana project in line with the brief".to_owned()
    }

    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let mut events = handoff.timeline.events.iter().rev();
        let started = events.find(|it| it.event == EventKind::ProjectStarted && it.via == "asana");
        let reference = started.and_then(|event| event.reference.clone()).unwrap_or_default();
        let Some(project) = project_of(&reference) else {
            return Err(DeliveryError::Transient {
                message: "there is no project in Asana yet".to_owned(),
                retry_after: None,
            });
        };
        let mut remarks = Vec::new();
        let path = format!("/projects/{project}");
        let there = self.api.read(&format!("{path}?opt_fields=name,html_notes")).await?;
        let message = self.messages.project(handoff, Medium::Markdown)?;
        let mut change = Map::new();
        describe(&there["data"], &message.body, "project", &mut change, &mut remarks);
        self.put(&path, change).await?;
        let tasks = format!("{path}/tasks?limit=100&opt_fields=name,html_notes");
        if let Some(task) = self.api.first(&tasks, |task| is_ours(task, handoff)).await? {
            let mut change = self.change(handoff, &task, &mut remarks)?;
            let path = format!("/tasks/{}", task["gid"].as_str().unwrap_or_default());
            match self.put(&path, change.clone()).await {
                Err(DeliveryError::Permanent { message, .. })
                    if change.contains_key("assignee") =>
                {
                    remarks.push(format!("the first-touch task is not reassigned: {message}"));
                    change.remove("assignee");
                    self.put(&path, change).await?;
                }
                done => done?,
            }
        }
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Ok(Mark { reference, at: None, remark })
    }
}
