//! The first-touch task as a GitHub issue.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::marker::{holds, marker, sealed};
use super::people::assignee;
use super::{GithubSettings, TaskForm, checks, project};
use crate::brief::EventKind;
use crate::deliver::messages::signed_at;
use crate::deliver::{DeliveryError, Handoff, Mark, Medium, Messages, Sink};
use crate::model::Check;

/// The step that the marker names.
const STEP: &str = "task";

/// Opens one issue for each handoff.
pub(in crate::deliver) struct GithubIssue {
    api: Arc<Api>,
    settings: GithubSettings,
    letters: Messages,
}

/// The few fields of an issue that matter here.
#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    html_url: String,
    node_id: Option<String>,
    created_at: DateTime<Utc>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    labels: Vec<Named>,
    #[serde(default)]
    assignees: Vec<Named>,
    #[serde(default)]
    milestone: Option<Value>,
    #[serde(default)]
    pull_request: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(alias = "login")]
    name: String,
}

impl GithubIssue {
    pub(super) fn new(api: Arc<Api>, settings: GithubSettings, letters: Messages) -> Self {
        Self { api, settings, letters }
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
        let query = query(handoff, label);
        let mut found = Vec::new();
        for page in 1.. {
            let path = self.api.repository().path(&format!("/issues?{query}&page={page}"));
            let answer = self.api.get(&path).await?.ok()?;
            let more = answer.has_next_page();
            let issues: Vec<Issue> =
                serde_json::from_value(answer.body).map_err(|error| DeliveryError::Transient {
                    message: format!("page {page} of GitHub's issues cannot be read: {error}"),
                    retry_after: None,
                })?;
            found.extend(issues.into_iter().filter(|issue| {
                issue.pull_request.is_none() && holds(issue.body.as_deref().unwrap_or(""), &mark)
            }));
            if !more {
                break;
            }
        }
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
        if let Err(error) = &result
            && Answer::refuses_field(error, "assignees")
        {
            remarks.push(format!(
                "assigned to nobody: {} may not be assigned in {}; give them access to it",
                request["assignees"][0].as_str().unwrap_or_default(),
                self.settings.repository
            ));
            request["assignees"] = json!([]);
            result = self.api.write(Method::POST, &path, request).await;
        }
        serde_json::from_value(result?.body).map_err(|error| DeliveryError::Unclear {
            message: format!("POST {path}: GitHub's answer cannot be read: {error}"),
        })
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
            Err(error) => {
                format!("opened twice at the same moment; close #{}: {error}", made.number)
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

    fn describe(&self, handoff: &Handoff) -> String {
        let title = self
            .letters
            .task(handoff, TaskForm::Issue, Medium::Markdown)
            .map(|letter| letter.title);
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
        let letter = self.letters.task(handoff, TaskForm::Issue, Medium::Markdown)?;
        let mut remarks = Vec::new();
        let assignee = assignee(handoff)
            .map_err(|why| remarks.push(format!("assigned to nobody: {why}")))
            .ok();
        let mark = marker(&handoff.key, STEP);
        let mut request = json!({
            "title": letter.title,
            "body": sealed(&letter.body, &mark, handoff.url.as_deref()),
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
                project::add(&self.api, project, node, self.letters.due_day(handoff)).await
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
    query.append_pair("direction", "asc").append_pair("per_page", "100");
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
    for (what, got) in [("labels", &issue.labels), ("assignees", &issue.assignees)] {
        let missing: Vec<&str> = asked[what]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|asked| !got.iter().any(|got| got.name.eq_ignore_ascii_case(asked)))
            .collect();
        if !missing.is_empty() {
            remarks.push(format!(
                "GitHub did not set the {what} {}; the token may lack the right to",
                missing.join(", ")
            ));
        }
    }
    if asked.get("milestone").is_some() && issue.milestone.as_ref().is_none_or(Value::is_null) {
        remarks.push("GitHub did not set the milestone; the token may lack the right to".into());
    }
    remarks
}
