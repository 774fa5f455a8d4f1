//! The first-touch task as a GitHub issue.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::Method;
use serde_json::{Value, json};

use super::api::Api;
use super::marker::{STEP, holds, marker, sealed};
use super::model::Issue;
use super::settings::{GithubSettings, assignee};
use super::{checks, project};
use crate::brief::EventKind;
use crate::deliver::messages::{Messages, TaskForm, signed_at};
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::Medium;
use crate::model::Check;

/// Opens one issue for each handoff.
pub(super) struct GithubIssue {
    api: Arc<Api>,
    settings: GithubSettings,
    messages: Messages,
}

impl GithubIssue {
    pub(super) fn new(api: Arc<Api>, settings: GithubSettings, messages: Messages) -> Self {
        Self { api, settings, messages }
    }

    /// All issues with this handoff's mark, oldest first. Lists with the label
    /// first; where that finds nothing, without it, since GitHub drops labels
    /// in silence when the token may not set them.
    async fn find(&self, handoff: &Handoff) -> Result<Vec<Issue>, DeliveryError> {
        let label = self.settings.labels.first().map(String::as_str);
        for label in [label, None] {
            let found = self.list(handoff, label).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn list(
        &self,
        handoff: &Handoff,
        label: Option<&str>,
    ) -> Result<Vec<Issue>, DeliveryError> {
        let mark = marker(&handoff.key, STEP);
        let path = self.api.repository().path(&format!("/issues?{}", query(handoff, label)));
        let mut found: Vec<Issue> = self.api.list(&path).await?;
        found.retain(|issue| {
            issue.pull_request.is_none() && holds(issue.body.as_deref().unwrap_or(""), &mark)
        });
        found.sort_by_key(|issue| issue.number);
        Ok(found)
    }

    /// Sends the issue; a second time without assignee if GitHub refuses the
    /// first because of it.
    async fn create(
        &self,
        request: &mut Value,
        remarks: &mut Vec<String>,
    ) -> Result<Issue, DeliveryError> {
        let path = self.api.repository().path("/issues");
        let mut result = self.api.write(Method::POST, &path, request).await;
        if let Err(fault) = &result
            && fault.refuses_field("assignees")
        {
            remarks.push(format!(
                "assigned to nobody: {} may not be assigned in {}; give them access to it",
                request["assignees"][0].as_str().unwrap_or_default(),
                self.settings.repository
            ));
            request["assignees"] = json!([]);
            result = self.api.write(Method::POST, &path, request).await;
        }
        result?.read()
    }

    /// Another machine may have opened the same task at the same moment. The
    /// lower number stays; the one made here is closed and loses its mark.
    async fn yield_to_older(
        &self,
        handoff: &Handoff,
        made: &Issue,
    ) -> Result<Option<Mark>, DeliveryError> {
        let older = self.find(handoff).await?.into_iter().find(|i| i.number < made.number);
        let Some(older) = older else { return Ok(None) };
        let path = self.api.repository().path(&format!("/issues/{}", made.number));
        let body = format!("Opened twice at the same moment; the task is #{}.", older.number);
        let close = json!({"state": "closed", "state_reason": "not_planned", "body": body, "assignees": []});
        let remark = match self.api.write(Method::PATCH, &path, &close).await {
            Ok(_) => format!("opened twice at the same moment; #{} is closed", made.number),
            Err(fault) => {
                format!("opened twice at the same moment; close #{}: {}", made.number, fault.error)
            }
        };
        Ok(Some(Mark {
            reference: older.html_url,
            at: Some(older.created_at),
            remark: Some(remark),
        }))
    }
}

#[async_trait]
impl Sink for GithubIssue {
    fn event(&self) -> EventKind {
        EventKind::TaskOpened
    }

    fn via(&self) -> &'static str {
        "github"
    }

    fn is_followed_up(&self) -> bool {
        true
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let title = self
            .messages
            .task(handoff, TaskForm::Issue, Medium::Markdown)
            .map(|message| message.title);
        format!("open an issue in {}: {}", self.settings.repository, title.unwrap_or_default())
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let mut found = self.find(handoff).await?.into_iter();
        let Some(issue) = found.next() else { return Ok(None) };
        let others: Vec<String> = found.map(|other| format!("#{}", other.number)).collect();
        let remark = (!others.is_empty()).then(|| {
            format!("{} carry the mark of this handoff too; close them", others.join(", "))
        });
        Ok(Some(Mark { reference: issue.html_url, at: Some(issue.created_at), remark }))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let message = self.messages.task(handoff, TaskForm::Issue, Medium::Markdown)?;
        let mut remarks = Vec::new();
        let assignee = assignee(handoff)
            .map_err(|why| remarks.push(format!("assigned to nobody: {why}")))
            .ok();
        let mark = marker(&handoff.key, STEP);
        let mut request = json!({
            "title": message.title,
            "body": sealed(&message.body, &mark, handoff.url.as_deref()),
            "labels": self.settings.labels,
            "assignees": assignee.iter().collect::<Vec<_>>(),
        });
        if let Some(milestone) = self.settings.milestone {
            request["milestone"] = json!(milestone);
        }
        let issue = self.create(&mut request, &mut remarks).await?;
        if let Some(older) = self.yield_to_older(handoff, &issue).await? {
            return Ok(older);
        }
        remarks.extend(dropped(&request, &issue));
        if let (Some(project), Some(node)) = (&self.settings.project, &issue.node_id)
            && let Err(error) =
                project::add(&self.api, project, node, self.messages.due_day(handoff)).await
        {
            remarks.push(format!("not put on the project: {error}"));
        }
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Ok(Mark { reference: issue.html_url, at: Some(issue.created_at), remark })
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        checks::of(&self.api, &self.settings, offline).await
    }
}

/// The query of the list, but for the page.
fn query(handoff: &Handoff, label: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", "all").append_pair("sort", "created");
    query.append_pair("direction", "asc");
    if let Some(since) = earliest(handoff) {
        query.append_pair("since", &since.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    if let Some(label) = label {
        query.append_pair("labels", label);
    }
    query.finish()
}

/// No issue of this handoff can have been touched before this moment; a day
/// allows for clocks that disagree.
fn earliest(handoff: &Handoff) -> Option<DateTime<Utc>> {
    let first = handoff.timeline.events.iter().map(|event| event.at).min();
    let earliest = [first, signed_at(handoff)].into_iter().flatten().min()?;
    earliest.checked_sub_signed(TimeDelta::days(1))
}

/// What GitHub left out in silence, as it does when a token may not set it.
fn dropped(asked: &Value, issue: &Issue) -> Vec<String> {
    let mut remarks = Vec::new();
    let labels: Vec<&str> = issue.labels.iter().map(|label| label.name.as_str()).collect();
    let assignees: Vec<&str> = issue.assignees.iter().map(|it| it.login.as_str()).collect();
    for (what, got) in [("labels", labels), ("assignees", assignees)] {
        let missing: Vec<&str> = asked[what]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|asked| !got.iter().any(|got| got.eq_ignore_ascii_case(asked)))
            .collect();
        if !missing.is_empty() {
            remarks.push(format!(
                "GitHub did not set the {what} {}; the token may lack the right to",
                missing.join(", ")
            ));
        }
    }
    if asked.get("milestone").is_some() && issue.milestone.is_none() {
        remarks.push("GitHub did not set the milestone; the token may lack the right to".into());
    }
    remarks
}
