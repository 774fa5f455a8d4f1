//! The task follows a brief that changed: the machine's part of the body,
//! title, labels, assignee and deadline are set anew, and a comment tells the
//! CSM what changed where they must know.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::marker::{STEP, holds, marker, renewed, sealed};
use super::model::{Comment, Issue};
use super::project;
use super::settings::{GithubSettings, assignee, login};
use super::task_url::TaskUrl;
use crate::brief::EventKind;
use crate::deliver::message_kind::{MessageKind, is_to_be_told};
use crate::deliver::messages::{Audience, Messages, TaskForm};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::Medium;

/// Brings the task of each handoff in line with its brief.
pub(super) struct GithubFollow {
    pub(super) api: Arc<Api>,
    pub(super) settings: GithubSettings,
    pub(super) messages: Messages,
}

impl GithubFollow {
    fn task(handoff: &Handoff) -> Result<TaskUrl, DeliveryError> {
        let mut events = handoff.timeline.events.iter().rev();
        let task = events.find(|it| it.event == EventKind::TaskOpened && it.via == "github");
        task.and_then(|event| TaskUrl::parse(event.reference.as_deref()?)).ok_or_else(|| {
            DeliveryError::Transient {
                message: "there is no task on GitHub yet".to_owned(),
                retry_after: None,
            }
        })
    }

    fn mark(handoff: &Handoff) -> String {
        marker(&handoff.key, &MessageKind::Changed.step(handoff, "comment"))
    }

    /// Sets what differs; each remark is something that could not be set.
    async fn renew(
        &self,
        handoff: &Handoff,
        task: &TaskUrl,
    ) -> Result<(Issue, Vec<String>), DeliveryError> {
        let path = task.api("issues", "");
        let issue: Issue = self.api.get(&path).await?.ok()?.read()?;
        let form = if task.is_pull_request() { TaskForm::PullRequest } else { TaskForm::Issue };
        let message = self.messages.task(handoff, form, Medium::Markdown)?;
        let (mut change, mut remarks) = (Map::new(), Vec::new());
        if issue.title != message.title {
            change.insert("title".to_owned(), json!(message.title));
        }
        let body = issue.body.as_deref().unwrap_or_default().replace("\r\n", "\n");
        let mark = marker(&handoff.key, STEP);
        match renewed(&body, &message.body, &mark, handoff.url.as_deref()) {
            Some(new) if new.trim_end() == body.trim_end() => {}
            Some(new) => drop(change.insert("body".to_owned(), json!(new))),
            None => remarks.push("the task's text has lost its mark and is left alone".to_owned()),
        }
        let there: Vec<&str> = issue.labels.iter().map(|label| label.name.as_str()).collect();
        let missing = |label: &&String| !there.iter().any(|it| it.eq_ignore_ascii_case(label));
        if self.settings.labels.iter().any(|label| missing(&label)) {
            let labels = there.iter().copied().map(str::to_owned);
            let new = self.settings.labels.iter().filter(missing).cloned();
            change.insert("labels".to_owned(), labels.chain(new).collect());
        }
        if let Some(assignees) = assignees(handoff, &issue) {
            change.insert("assignees".to_owned(), json!(assignees));
        }
        if !change.is_empty() {
            self.write(&path, change, &mut remarks).await?;
        }
        if task.is_pull_request() && handoff.previous_owner().is_some() {
            self.ask_to_review(handoff, task, &mut remarks).await;
        }
        if let (Some(project), Some(node)) = (&self.settings.project, &issue.node_id)
            && handoff.due_changed()
            && let Err(error) =
                project::add(&self.api, project, node, self.messages.due_day(handoff)).await
        {
            remarks.push(format!("the deadline on the project was not set: {error}"));
        }
        Ok((issue, remarks))
    }

    /// Without the assignee where GitHub refuses the person.
    async fn write(
        &self,
        path: &str,
        mut change: Map<String, Value>,
        remarks: &mut Vec<String>,
    ) -> Result<(), DeliveryError> {
        let sent = self.api.write(Method::PATCH, path, &Value::Object(change.clone())).await;
        match sent {
            Err(fault) if fault.refuses_field("assignees") => {
                let assignees = change.remove("assignees").unwrap_or_default();
                remarks.push(format!(
                    "not assigned: {assignees} may not be assigned in {}; give them access to it",
                    self.settings.repository
                ));
                if !change.is_empty() {
                    self.api.write(Method::PATCH, path, &Value::Object(change)).await?;
                }
                Ok(())
            }
            sent => Ok(sent.map(drop)?),
        }
    }

    async fn ask_to_review(&self, handoff: &Handoff, task: &TaskUrl, remarks: &mut Vec<String>) {
        match assignee(handoff) {
            Ok(login) => {
                let path = task.api("pulls", "/requested_reviewers");
                let wish = json!({"reviewers": [login]});
                if let Err(fault) = self.api.write(Method::POST, &path, &wish).await {
                    remarks.push(format!("nobody is asked to review: {}", fault.error));
                }
            }
            Err(why) => remarks.push(format!("nobody is asked to review: {why}")),
        }
    }
}

/// Who should have the task, where that is not so: the new CSM in place of the
/// one before; others that people have added stay.
fn assignees(handoff: &Handoff, issue: &Issue) -> Option<Vec<String>> {
    let before = handoff.previous_owner()?.get("github").and_then(Value::as_str).map(login);
    let is_before = |it: &String| before.as_ref().is_some_and(|old| it.eq_ignore_ascii_case(old));
    let there: Vec<String> = issue.assignees.iter().map(|it| it.login.clone()).collect();
    let mut wanted: Vec<String> = there.iter().filter(|it| !is_before(it)).cloned().collect();
    if let Ok(new) = assignee(handoff)
        && !wanted.iter().any(|it| it.eq_ignore_ascii_case(&new))
    {
        wanted.push(new);
    }
    (wanted != there).then_some(wanted)
}

#[async_trait]
impl Sink for GithubFollow {
    fn event(&self) -> EventKind {
        EventKind::CsmTold
    }

    fn via(&self) -> &'static str {
        "github"
    }

    fn follows_brief(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("bring the task in {} in line with the brief", self.api.repository())
    }

    /// The comment is made last. Without one, setting the same anew changes nothing.
    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        if !is_to_be_told(handoff, "github") {
            return Ok(None);
        }
        let (task, mark) = (Self::task(handoff)?, Self::mark(handoff));
        let comments: Vec<Comment> = self.api.list(&task.api("issues", "/comments")).await?;
        let ours = comments
            .into_iter()
            .find(|comment| holds(comment.body.as_deref().unwrap_or_default(), &mark));
        Ok(ours.map(|comment| Mark {
            reference: comment.html_url,
            at: Some(comment.created_at),
            remark: None,
        }))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let task = Self::task(handoff)?;
        let (issue, remarks) = self.renew(handoff, &task).await?;
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        if !is_to_be_told(handoff, "github") {
            return Ok(Mark { reference: issue.html_url, at: None, remark });
        }
        let (kind, medium) = (&MessageKind::Changed, Medium::Markdown);
        let message = self.messages.again(handoff, kind, medium, Audience::Public, None)?;
        let body = sealed(&message.body, &Self::mark(handoff), handoff.url.as_deref());
        let path = task.api("issues", "/comments");
        let made = self.api.write(Method::POST, &path, &json!({"body": body})).await?;
        let made: Comment = made.read()?;
        Ok(Mark { reference: made.html_url, at: Some(made.created_at), remark })
    }
}
