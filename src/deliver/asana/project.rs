//! The onboarding project, made from a project template, with the first-touch
//! task in it; and both follow a brief that changed.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::read_back::project_of;
use super::{AsanaApi, HELP, is_ours, renewed, sealed};
use crate::brief::EventKind;
use crate::deliver::follow::{Follows, given_to, titled};
use crate::deliver::messages::{Messages, answer, due, signed_at};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::{Medium, web_address};
use crate::model::{Check, Remarks};
use crate::text;

/// Makes one project for each handoff.
pub(super) struct Asana {
    pub(super) api: AsanaApi,
    pub(super) messages: Messages,
}

/// The waits between two looks at a job: two minutes in all.
fn job_waits() -> impl Iterator<Item = Duration> {
    [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 30_000, 30_000]
        .into_iter()
        .map(Duration::from_millis)
}

impl Asana {
    /// The dates and roles that the template asks for: every date is the day
    /// of the signature, every role the CSM's or as configured.
    fn wishes(&self, template: &Value, handoff: &Handoff) -> (Vec<Value>, Vec<Value>) {
        let day = signed_at(handoff).unwrap_or_else(|| (self.messages.context().clock)());
        let day =
            day.with_timezone(&self.messages.context().timezone).format("%Y-%m-%d").to_string();
        let list = |name: &str| template[name].as_array().cloned().unwrap_or_default();
        let dates = list("requested_dates")
            .iter()
            .map(|date| json!({"gid": date["gid"], "value": day}))
            .collect();
        let csm = answer(&handoff.brief, "first_action.owner.email");
        let roles = list("requested_roles")
            .iter()
            .filter_map(|role| {
                let named =
                    role["name"].as_str().and_then(|name| self.api.settings.roles.get(name));
                let who = named.or(csm.as_ref())?;
                Some(json!({"gid": role["gid"], "value": who}))
            })
            .collect();
        (dates, roles)
    }

    /// The handoff's project, among all of the workspace.
    async fn find(&self, handoff: &Handoff) -> Result<Option<Value>, DeliveryError> {
        let path = format!(
            "/projects?workspace={}&limit=100&opt_fields=name,created_at,permalink_url",
            self.api.settings.workspace
        );
        self.api.first(&path, |project| is_ours(project, handoff)).await
    }

    /// The first-touch task of a project.
    async fn task(&self, project: &str, handoff: &Handoff) -> Result<Option<Value>, DeliveryError> {
        let path = format!("/projects/{project}/tasks?limit=100&opt_fields=name");
        self.api.first(&path, |task| is_ours(task, handoff)).await
    }

    /// Makes the project; gives its id.
    async fn create(&self, handoff: &Handoff, title: &str) -> Result<String, DeliveryError> {
        let template = &self.api.settings.template;
        let wanted = format!(
            "/project_templates/{template}?opt_fields=requested_dates,requested_roles,requested_roles.name"
        );
        let found = self.api.json.read(&wanted).await?;
        let (dates, roles) = self.wishes(&found["data"], handoff);
        let name = titled(title, handoff);
        let mut data = json!({"name": name, "is_strict": false, "requested_dates": dates, "requested_roles": roles});
        if let Some(team) = &self.api.settings.team {
            data["team"] = json!(team);
        }
        let path = format!("/project_templates/{template}/instantiateProject");
        let job = self.api.create(&path, &data).await?;
        let Some(job) = job["data"]["gid"].as_str() else {
            return Err(DeliveryError::unclear("Asana's answer names no job"));
        };
        self.wait_for(job).await
    }

    /// Makes the first-touch task; without its assignee where Asana refuses
    /// the person, which makes nothing.
    async fn create_task(
        &self,
        project: &str,
        handoff: &Handoff,
        remarks: &mut Remarks,
    ) -> Result<(), DeliveryError> {
        let message = self.messages.csm_task(handoff, Medium::Markdown)?;
        let name = titled(&message.title, handoff);
        let mut data =
            json!({"name": name, "html_notes": sealed(&message.body), "projects": [project]});
        if let Some(due) = due(handoff) {
            data["due_at"] = json!(due.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        }
        let csm = answer(&handoff.brief, "first_action.owner.email");
        let path = "/tasks?opt_fields=name";
        let refused = "the first-touch task is assigned to nobody";
        given_to(csm, refused, remarks, |csm| {
            data["assignee"] = json!(csm);
            let data = data.clone();
            async move { self.api.create(path, &data).await.map(drop) }
        })
        .await
    }

    /// Waits for the job that makes the project.
    async fn wait_for(&self, job: &str) -> Result<String, DeliveryError> {
        let path = format!("/jobs/{job}?opt_fields=status,new_project,new_project.name");
        for wait in job_waits() {
            tokio::time::sleep(wait).await;
            let answer = self.api.json.read(&path).await.map_err(|error| {
                DeliveryError::unclear(format!(
                    "Asana makes the project, and its job cannot be read: {error}"
                ))
            })?;
            match answer["data"]["status"].as_str() {
                Some("succeeded") => {
                    let project = answer["data"]["new_project"]["gid"].as_str();
                    return project.map(str::to_owned).ok_or_else(|| {
                        DeliveryError::unclear("Asana's job has succeeded and names no project")
                    });
                }
                Some("failed") => {
                    return Err(DeliveryError::permanent(
                        "Asana could not make the project from the template",
                        "make a project from the template by hand to see why",
                    ));
                }
                _ => {}
            }
        }
        Err(DeliveryError::unclear("Asana still makes the project after two minutes"))
    }
}

#[async_trait]
impl Sink for Asana {
    fn event(&self) -> EventKind {
        EventKind::ProjectStarted
    }

    fn via(&self) -> &'static str {
        "asana"
    }

    /// A project is there some seconds after it was asked for.
    fn look_lag(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn is_followed_up(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("make an Asana project from template {}", self.api.settings.template)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let Some(project) = self.find(handoff).await? else { return Ok(None) };
        let gid = project["gid"].as_str().unwrap_or_default();
        // The task is made last: a project without it was cut short.
        let whole = !self.api.settings.first_touch_task || self.task(gid, handoff).await?.is_some();
        Ok(whole.then(|| mark(&project)))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let message = self.messages.project(handoff, Medium::Markdown)?;
        let mut remarks = Remarks::default();
        let gid = match self.find(handoff).await? {
            Some(project) => project["gid"].as_str().unwrap_or_default().to_owned(),
            None => self.create(handoff, &message.title).await?,
        };
        // The project is made; a description that cannot be set is a remark.
        let path = format!("/projects/{gid}?opt_fields=name,created_at,permalink_url");
        let notes = json!({"html_notes": sealed(&message.body)});
        let project = match self.api.put(&path, &notes).await {
            Ok(answer) => answer["data"].clone(),
            Err(error) => {
                remarks.push(format!("the project has no description: {error}"));
                Value::Null
            }
        };
        if self.api.settings.first_touch_task && self.task(&gid, handoff).await?.is_none() {
            self.create_task(&gid, handoff, &mut remarks).await?;
        }
        Ok(Mark::new(link(&project, &gid), mark(&project).at, &remarks))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = format!("asana: template {}", self.api.settings.template);
        if offline {
            return vec![Check::ok(what, "ASANA_TOKEN is set, Asana was not asked")];
        }
        let path = format!("/project_templates/{}?opt_fields=name", self.api.settings.template);
        vec![match self.api.json.read(&path).await {
            Ok(found) => {
                let name = found["data"]["name"].as_str().unwrap_or_default();
                Check::ok(what, format!("the template is {}", text::quoted(name)))
            }
            Err(error) => Check::failed(what, error.to_string(), HELP),
        }]
    }
}

fn link(project: &Value, gid: &str) -> String {
    let permalink = project["permalink_url"].as_str().and_then(web_address);
    permalink.unwrap_or_else(|| format!("https://app.asana.com/0/{gid}"))
}

fn mark(project: &Value) -> Mark {
    let gid = project["gid"].as_str().unwrap_or_default();
    let at = project["created_at"].as_str().and_then(|at| at.parse().ok());
    Mark::new(link(project, gid), at, &[])
}

/// Keeps the project of each handoff in line with its brief.
pub(super) struct AsanaFollow {
    pub(super) api: AsanaApi,
    pub(super) messages: Messages,
}

impl AsanaFollow {
    async fn put(&self, path: &str, change: Map<String, Value>) -> Result<(), DeliveryError> {
        if change.is_empty() {
            return Ok(());
        }
        let path = format!("{path}?opt_fields=name");
        self.api.put(&path, &Value::Object(change)).await.map(drop)
    }

    /// What differs in the task.
    fn change(
        &self,
        handoff: &Handoff,
        task: &Value,
        remarks: &mut Remarks,
    ) -> Result<Map<String, Value>, DeliveryError> {
        let message = self.messages.csm_task(handoff, Medium::Markdown)?;
        let name = titled(&message.title, handoff);
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
    remarks: &mut Remarks,
) {
    let old = there["html_notes"].as_str().unwrap_or_default();
    match renewed(old, new) {
        Some(new) if new == old => {}
        Some(new) => drop(change.insert("html_notes".to_owned(), json!(new))),
        None => remarks.push(format!("the {what}'s description is left as people changed it")),
    }
}

#[async_trait]
impl Follows for AsanaFollow {
    const VIA: &'static str = "asana";
    const OPENED: EventKind = EventKind::ProjectStarted;

    fn what(&self) -> String {
        "the Asana project".to_owned()
    }

    fn nothing_yet(&self) -> String {
        "there is no project in Asana yet".to_owned()
    }

    async fn renew(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<Option<Mark>, DeliveryError> {
        let Some(project) = project_of(reference) else { return Ok(None) };
        let mut remarks = Remarks::default();
        let path = format!("/projects/{project}");
        let there = self.api.json.read(&format!("{path}?opt_fields=name,html_notes")).await?;
        let message = self.messages.project(handoff, Medium::Markdown)?;
        let mut change = Map::new();
        describe(&there["data"], &message.body, "project", &mut change, &mut remarks);
        self.put(&path, change).await?;
        let tasks = format!("{path}/tasks?limit=100&opt_fields=name,html_notes");
        if let Some(task) = self.api.first(&tasks, |task| is_ours(task, handoff)).await? {
            let mut change = self.change(handoff, &task, &mut remarks)?;
            let path = format!("/tasks/{}", task["gid"].as_str().unwrap_or_default());
            let assignee = change.remove("assignee");
            let refused = "the first-touch task is not reassigned";
            given_to(assignee, refused, &mut remarks, |assignee| {
                let assignee = assignee.map(|it| ("assignee".to_owned(), it));
                self.put(&path, change.clone().into_iter().chain(assignee).collect())
            })
            .await?;
        }
        Ok(Some(Mark::new(reference, None, &remarks)))
    }
}
