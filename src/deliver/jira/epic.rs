//! The onboarding as one epic with its tasks. A run that was cut goes on with
//! the tasks that are missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Value, json};

use super::adf;
use super::api::{Api, HELP, JiraSettings, label, time};
use crate::brief::EventKind;
use crate::deliver::machine_part::sealed;
use crate::deliver::message_kind::MessageKind;
use crate::deliver::messages::{Audience, Messages, answer};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, OnboardingTask, Sink, Who};
use crate::deliver::templates::Medium;
use crate::http::Semantics;
use crate::link::LinkRole;
use crate::model::{Check, Key};
use crate::text;

/// Makes one epic with its tasks for each handoff.
pub(super) struct Jira {
    pub(super) api: Api,
    pub(super) settings: JiraSettings,
    pub(super) messages: Messages,
    /// What this process made itself: JQL sees it only some seconds later, and
    /// a try that failed half-way must not begin anew in between.
    pub(super) made: Mutex<BTreeMap<(Key, String), String>>,
}

pub(super) const EPIC: &str = "epic";

/// What of a handoff is in Jira already.
#[derive(Default)]
struct Found {
    /// Issue keys by step.
    steps: BTreeMap<String, String>,
    epic_at: Option<DateTime<Utc>>,
}

impl Jira {
    /// All issues with this handoff's label, by the step their property names.
    /// Where several carry one step, the oldest counts.
    async fn find(&self, handoff: &Handoff) -> Result<Found, DeliveryError> {
        let mut found = Found::default();
        for issue in self.api.of_handoff(&self.settings, handoff, "", &["created"]).await? {
            let property = &issue["properties"]["handoff"];
            let ours = property["id"] == handoff.key.as_str();
            let (Some(step), Some(key)) = (property["step"].as_str(), issue["key"].as_str()) else {
                continue;
            };
            if ours && !found.steps.contains_key(step) {
                found.steps.insert(step.to_owned(), key.to_owned());
                if step == EPIC {
                    found.epic_at = time(&issue["fields"]["created"]);
                }
            }
        }
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for ((_, step), issue) in made.iter().filter(|((key, _), _)| *key == handoff.key) {
            found.steps.entry(step.clone()).or_insert_with(|| issue.clone());
        }
        Ok(found)
    }

    async fn create(
        &self,
        handoff: &Handoff,
        step: &str,
        mut fields: Value,
    ) -> Result<String, DeliveryError> {
        fields["project"] = json!({"key": self.settings.project});
        fields["labels"] = json!([label(handoff)]);
        let property = json!({"v": 1, "id": handoff.key, "step": step});
        let body = json!({"fields": fields, "properties": [{"key": "handoff", "value": property}]});
        let made = self.api.ask(Semantics::Creates, Method::POST, "/issue", Some(&body)).await?;
        let Some(issue) = made["key"].as_str().map(str::to_owned) else {
            let message = "Jira's answer names no issue".to_owned();
            return Err(DeliveryError::Unclear { message });
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert((handoff.key.clone(), step.to_owned()), issue.clone());
        Ok(issue)
    }

    async fn create_epic(&self, handoff: &Handoff) -> Result<String, DeliveryError> {
        let message = self.messages.project(handoff, Medium::Plain)?;
        let audience = Audience::Person(LinkRole::Csm);
        let links = self.messages.buttons(handoff, &MessageKind::Signed, audience);
        let mut fields = json!({
            "issuetype": {"name": self.settings.epic_type},
            "summary": text::shorten(&message.title, 250),
            "description": adf::document(&sealed(&message.body), &links),
        });
        if let Some(due) = self.messages.due_day(handoff) {
            fields["duedate"] = json!(due);
        }
        self.create(handoff, EPIC, fields).await
    }

    async fn create_task(
        &self,
        handoff: &Handoff,
        epic: &str,
        (step, task): (&str, &OnboardingTask),
        assignee: Option<&str>,
    ) -> Result<String, DeliveryError> {
        let mut fields = json!({
            "issuetype": {"name": self.settings.task_type},
            "parent": {"key": epic},
            "summary": text::shorten(&task.what, 250),
            "duedate": task.due,
        });
        if let Some(assignee) = assignee {
            fields["assignee"] = json!({"id": assignee});
        }
        self.create(handoff, step, fields).await
    }

    fn mark(&self, epic: &str, at: Option<DateTime<Utc>>, remark: Option<String>) -> Mark {
        Mark { reference: self.api.base().join(&format!("/browse/{epic}")), at, remark }
    }
}

/// A task's step; the list's order is its identity.
fn step_of(index: usize) -> String {
    format!("task-{}", index + 1)
}

#[async_trait]
impl Sink for Jira {
    fn event(&self) -> EventKind {
        EventKind::ProjectStarted
    }

    fn via(&self) -> &'static str {
        "jira"
    }

    /// JQL sees an issue some seconds after it was made.
    fn look_lag(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn has_onboarding(&self) -> bool {
        true
    }

    fn onboarding(&self, handoff: &Handoff) -> Vec<(String, OnboardingTask)> {
        let mut events = handoff.timeline.events.iter();
        if !events.any(|it| it.event == EventKind::ProjectStarted && it.via == "jira") {
            return Vec::new();
        }
        let tasks = self.messages.tasks(handoff).unwrap_or_default().into_iter();
        tasks.enumerate().map(|(index, task)| (step_of(index), task)).collect()
    }

    async fn open_tasks(&self, handoff: &Handoff) -> Result<Vec<String>, DeliveryError> {
        let further = " AND statusCategory != Done";
        let open = self.api.of_handoff(&self.settings, handoff, further, &["status"]).await?;
        let step =
            |issue: &Value| issue["properties"]["handoff"]["step"].as_str().map(str::to_owned);
        Ok(open.iter().filter_map(step).collect())
    }

    fn is_followed_up(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("make an epic with its tasks in Jira project {}", self.settings.project)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let found = self.find(handoff).await?;
        let tasks = self.messages.tasks(handoff)?.len();
        let whole = (0..tasks).all(|index| found.steps.contains_key(&step_of(index)));
        let epic = found.steps.get(EPIC).filter(|_| whole);
        Ok(epic.map(|epic| self.mark(epic, found.epic_at, None)))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let found = self.find(handoff).await?;
        let tasks = self.messages.tasks(handoff)?;
        let mut remarks = Vec::new();
        let mut accounts = BTreeMap::new();
        for (who, at) in [(Who::Csm, "first_action.owner.email"), (Who::Rep, "deal.owner.email")] {
            if !tasks.iter().any(|task| task.who == Some(who)) {
                continue;
            }
            let Some(email) = answer(&handoff.brief, at) else { continue };
            match self.api.account(&self.settings, &email).await? {
                Some(account) => drop(accounts.insert(who, account)),
                None => remarks.push(format!(
                    "tasks of {} are assigned to nobody: Jira shows no single account; name it in deliver.jira.accounts",
                    text::quoted(&email)
                )),
            }
        }
        let epic = match found.steps.get(EPIC) {
            Some(epic) => epic.clone(),
            None => self.create_epic(handoff).await?,
        };
        for (index, task) in tasks.iter().enumerate() {
            let step = step_of(index);
            if !found.steps.contains_key(&step) {
                let assignee = task.who.and_then(|who| accounts.get(&who)).map(String::as_str);
                self.create_task(handoff, &epic, (&step, task), assignee).await?;
            }
        }
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Ok(self.mark(&epic, found.epic_at, remark))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = format!("jira: project {}", self.settings.project);
        if offline {
            return vec![Check::ok(what, "JIRA_EMAIL and JIRA_TOKEN are set, Jira was not asked")];
        }
        let path = format!("/issue/createmeta/{}/issuetypes", self.settings.project);
        let answer = match self.api.ask(Semantics::Idempotent, Method::GET, &path, None).await {
            Ok(answer) => answer,
            Err(error) => return vec![Check::failed(what, error.to_string(), HELP)],
        };
        let types: Vec<&str> = answer["issueTypes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|kind| kind["name"].as_str())
            .collect();
        let wanted = [&self.settings.epic_type, &self.settings.task_type];
        let missing: Vec<&str> =
            wanted.iter().map(|w| w.as_str()).filter(|wanted| !types.contains(wanted)).collect();
        vec![if missing.is_empty() {
            Check::ok(what, "issues of the configured types can be made")
        } else {
            let detail = format!(
                "there is no issue type {}; there are {}",
                missing.join(", "),
                types.join(", ")
            );
            Check::failed(what, detail, "fix deliver.jira.epic_type or task_type")
        }]
    }
}
