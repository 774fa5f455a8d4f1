//! The onboarding as one epic with its tasks. A run that was cut goes on with
//! the tasks that are missing, and all follow a brief that changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{HELP, JiraApi, adf, key_of, label, time};
use crate::brief::EventKind;
use crate::deliver::follow::Follows;
use crate::deliver::machine_part::{is_intact, is_seal, sealed};
use crate::deliver::message_kind::MessageKind;
use crate::deliver::messages::{Audience, Messages, answer};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, OnboardingTask, Sink, Who};
use crate::deliver::templates::Medium;
use crate::http::ApiRequest;
use crate::link::LinkRole;
use crate::model::{Check, Key, Remarks};
use crate::text;

/// Makes one epic with its tasks for each handoff.
pub(super) struct Jira {
    pub(super) api: JiraApi,
    pub(super) messages: Messages,
    /// What this process made itself: JQL sees it only some seconds later, and
    /// a try that failed half-way must not start again in between.
    pub(super) made: Mutex<BTreeMap<(Key, String), String>>,
}

pub(super) const EPIC: &str = "epic";

/// What of a handoff is in Jira already.
#[derive(Default)]
struct FoundIssues {
    /// Issue keys by step.
    steps: BTreeMap<String, String>,
    epic_at: Option<DateTime<Utc>>,
}

impl Jira {
    /// All issues with this handoff's label, by the step their property names.
    /// Where several carry one step, the oldest counts.
    async fn find(&self, handoff: &Handoff) -> Result<FoundIssues, DeliveryError> {
        let mut found = FoundIssues::default();
        for issue in self.api.of_handoff(handoff, "", &["created"]).await? {
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
        fields["project"] = json!({"key": self.api.settings.project});
        fields["labels"] = json!([label(handoff)]);
        let property = json!({"v": 1, "id": handoff.key, "step": step});
        let body = json!({"fields": fields, "properties": [{"key": "handoff", "value": property}]});
        let made = self.api.json.ask(&ApiRequest::create("/issue", &body)).await?;
        let Some(issue) = made["key"].as_str().map(str::to_owned) else {
            let message = "Jira's answer names no issue".to_owned();
            return Err(DeliveryError::unclear(message));
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
            "issuetype": {"name": self.api.settings.epic_type},
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
            "issuetype": {"name": self.api.settings.task_type},
            "parent": {"key": epic},
            "summary": text::shorten(&task.what, 250),
            "duedate": task.due,
        });
        if let Some(assignee) = assignee {
            fields["assignee"] = json!({"id": assignee});
        }
        self.create(handoff, step, fields).await
    }

    fn mark(&self, epic: &str, at: Option<DateTime<Utc>>, remarks: &[String]) -> Mark {
        Mark::new(self.api.page(epic), at, remarks)
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
        if handoff.timeline.last_via(EventKind::ProjectStarted, "jira").is_none() {
            return Vec::new();
        }
        let tasks = self.messages.tasks(handoff).unwrap_or_default().into_iter();
        tasks.enumerate().map(|(index, task)| (step_of(index), task)).collect()
    }

    async fn open_tasks(&self, handoff: &Handoff) -> Result<Vec<String>, DeliveryError> {
        let further = " AND statusCategory != Done";
        let open = self.api.of_handoff(handoff, further, &["status"]).await?;
        let step =
            |issue: &Value| issue["properties"]["handoff"]["step"].as_str().map(str::to_owned);
        Ok(open.iter().filter_map(step).collect())
    }

    fn is_followed_up(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("make an epic with its tasks in Jira project {}", self.api.settings.project)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let found = self.find(handoff).await?;
        let tasks = self.messages.tasks(handoff)?.len();
        let whole = (0..tasks).all(|index| found.steps.contains_key(&step_of(index)));
        let epic = found.steps.get(EPIC).filter(|_| whole);
        Ok(epic.map(|epic| self.mark(epic, found.epic_at, &[])))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let found = self.find(handoff).await?;
        let tasks = self.messages.tasks(handoff)?;
        let mut remarks = Remarks::default();
        let mut accounts = BTreeMap::new();
        for (who, at) in [(Who::Csm, "first_action.owner.email"), (Who::Rep, "deal.owner.email")] {
            if !tasks.iter().any(|task| task.who == Some(who)) {
                continue;
            }
            let Some(email) = answer(&handoff.brief, at) else { continue };
            match self.api.account(&email).await? {
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
        Ok(self.mark(&epic, found.epic_at, &remarks))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = format!("jira: project {}", self.api.settings.project);
        if offline {
            return vec![Check::ok(what, "JIRA_EMAIL and JIRA_TOKEN are set, Jira was not asked")];
        }
        let path = format!("/issue/createmeta/{}/issuetypes", self.api.settings.project);
        let answer = match self.api.json.read(&path).await {
            Ok(answer) => answer,
            Err(error) => return vec![Check::failed(what, error.to_string(), HELP)],
        };
        let types: Vec<&str> = answer["issueTypes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|kind| kind["name"].as_str())
            .collect();
        let wanted = [&self.api.settings.epic_type, &self.api.settings.task_type];
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

/// Keeps the epic of each handoff in line with its brief.
pub(super) struct JiraFollow {
    pub(super) api: JiraApi,
    pub(super) messages: Messages,
}

impl JiraFollow {
    async fn put(&self, issue: &str, fields: Map<String, Value>) -> Result<(), DeliveryError> {
        if fields.is_empty() {
            return Ok(());
        }
        let path = format!("/issue/{issue}");
        let body = json!({"fields": fields});
        self.api.json.write(&ApiRequest::put(&path, &body)).await
    }

    /// The first task is the first touch, due when it is.
    async fn move_first_task(&self, handoff: &Handoff, due: Value) -> Result<(), DeliveryError> {
        let first = step_of(0);
        let issues = self.api.of_handoff(handoff, "", &["duedate"]).await?;
        let task = issues.iter().find(|it| it["properties"]["handoff"]["step"] == first.as_str());
        let Some(task) = task.and_then(|task| task["key"].as_str()) else { return Ok(()) };
        self.put(task, Map::from_iter([("duedate".to_owned(), due)])).await
    }

    /// Gives the tasks of the CSM before to the new one.
    async fn reassign(
        &self,
        handoff: &Handoff,
        remarks: &mut Remarks,
    ) -> Result<(), DeliveryError> {
        let Some(before) = handoff.previous_owner() else { return Ok(()) };
        let Some(email) = answer(&handoff.brief, "first_action.owner.email") else {
            remarks.push("the tasks are not reassigned: the new CSM has no address".to_owned());
            return Ok(());
        };
        let Some(new) = self.api.account(&email).await? else {
            remarks.push(format!(
                "the tasks are not reassigned: Jira shows no single account of {}; name it in deliver.jira.accounts",
                text::quoted(&email)
            ));
            return Ok(());
        };
        let old = match before["email"].as_str() {
            Some(email) => self.api.account(email).await?,
            None => None,
        };
        let Some(old) = old else { return Ok(()) };
        let fields = ["assignee"];
        for issue in self.api.of_handoff(handoff, "", &fields).await? {
            let key = issue["key"].as_str().unwrap_or_default();
            if issue["fields"]["assignee"]["accountId"] == old.as_str() {
                let assignee = json!({"accountId": new});
                self.put(key, Map::from_iter([("assignee".to_owned(), assignee)])).await?;
            }
        }
        Ok(())
    }
}

/// The description with the machine's part replaced; `None` where people have
/// changed that part.
fn renewed(old: &Value, new: &str) -> Option<Value> {
    let blocks = old["content"].as_array()?;
    let text = |blocks: &[Value]| adf::plain(&json!({"content": blocks}));
    let at = blocks.iter().position(|block| is_seal(&text(std::slice::from_ref(block))))?;
    let (above, rest) = blocks.split_at_checked(at)?;
    let (seal, below) = rest.split_at_checked(1)?;
    if !is_intact(&text(above), &text(seal)) {
        return None;
    }
    let mut document = adf::document(&sealed(new), &[]);
    document["content"].as_array_mut()?.extend(below.iter().cloned());
    Some(document)
}

#[async_trait]
impl Follows for JiraFollow {
    const VIA: &'static str = "jira";
    const OPENED: EventKind = EventKind::ProjectStarted;

    fn what(&self) -> String {
        "the Jira epic".to_owned()
    }

    fn nothing_yet(&self) -> String {
        "there is no epic in Jira yet".to_owned()
    }

    async fn renew(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<Option<Mark>, DeliveryError> {
        let Some(epic) = key_of(reference) else { return Ok(None) };
        let mut remarks = Remarks::default();
        let path = format!("/issue/{epic}?fields=summary,description");
        let there = self.api.json.read(&path).await?;
        let message = self.messages.project(handoff, Medium::Plain)?;
        let mut fields = Map::new();
        let summary = text::shorten(&message.title, 250);
        if there["fields"]["summary"] != summary.as_str() {
            fields.insert("summary".to_owned(), json!(summary));
        }
        let old = &there["fields"]["description"];
        match renewed(old, &message.body) {
            Some(new) if adf::plain(&new) == adf::plain(old) => {}
            Some(new) => drop(fields.insert("description".to_owned(), new)),
            None => remarks.push("the epic's description is left as people changed it".to_owned()),
        }
        if handoff.due_changed()
            && let Some(due) = self.messages.due_day(handoff)
        {
            fields.insert("duedate".to_owned(), json!(due));
        }
        let due = fields.get("duedate").cloned();
        self.put(&epic, fields).await?;
        if let Some(due) = due {
            self.move_first_task(handoff, due).await?;
        }
        self.reassign(handoff, &mut remarks).await?;
        Ok(Some(Mark::new(reference, None, &remarks)))
    }
}
