//! The first-touch task, or a draft, as a pull request of the brief's branch
//! `handoff/<key>`. The ledger pushes the branch; here it gets its request.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::marker::{holds, marker, sealed};
use super::people::assignee;
use super::{GithubSettings, TaskForm, checks, project};
use crate::brief::EventKind;
use crate::deliver::{DeliveryError, Handoff, Mark, Medium, Message, Messages, Sink};
use crate::model::Check;

/// What the pull request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The brief before its signature.
    Draft,
    /// The CSM's task: reviewing and merging accepts the handoff.
    Task,
}

impl Purpose {
    fn step(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Task => "task",
        }
    }
}

/// Opens one pull request for each handoff, or turns the draft's into the task's.
pub(super) struct GithubPull {
    pub(super) api: Arc<Api>,
    pub(super) settings: GithubSettings,
    pub(super) letters: Messages,
    pub(super) purpose: Purpose,
}

/// The few fields of a pull request that matter here.
#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    node_id: Option<String>,
    created_at: DateTime<Utc>,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    labels: Vec<Value>,
}

const READY: &str = "mutation($id: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { id } }
}";

impl GithubPull {
    fn branch(handoff: &Handoff) -> String {
        format!("handoff/{}", handoff.key)
    }

    /// The branch's pull requests, newest first.
    async fn find(&self, handoff: &Handoff) -> Result<Vec<Pull>, DeliveryError> {
        let head = format!("{}:{}", self.settings.repository.owner(), Self::branch(handoff));
        let head = percent_encoding::utf8_percent_encode(&head, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/pulls?head={head}&state=all&per_page=100");
        let answer = self.api.get(&self.settings.repository.path(&path)).await?.ok()?;
        serde_json::from_value(answer.body).map_err(|error| DeliveryError::Transient {
            message: format!("GitHub's list of pull requests cannot be read: {error}"),
            retry_after: None,
        })
    }

    fn marked(&self, handoff: &Handoff, pull: &Pull) -> bool {
        let mark = marker(&handoff.key, self.purpose.step());
        holds(pull.body.as_deref().unwrap_or_default(), &mark)
    }

    /// The label is set last; a task without it was cut short.
    fn finished(&self, pull: &Pull) -> bool {
        let first = self.settings.labels.first();
        let labelled = pull.labels.iter().any(|l| l["name"].as_str() == first.map(String::as_str));
        pull.state != "open" || labelled || self.purpose == Purpose::Draft
    }

    fn letter(&self, handoff: &Handoff) -> Result<Message, DeliveryError> {
        match self.purpose {
            Purpose::Draft => self.letters.draft(handoff),
            Purpose::Task => self.letters.task(handoff, TaskForm::PullRequest, Medium::Markdown),
        }
    }

    /// Title and body, with the mark.
    fn text(&self, handoff: &Handoff) -> Result<Value, DeliveryError> {
        let letter = self.letter(handoff)?;
        let mark = marker(&handoff.key, self.purpose.step());
        Ok(json!({
            "title": letter.title,
            "body": sealed(&letter.body, &mark, handoff.url.as_deref()),
        }))
    }

    /// Only GraphQL can, by
    /// <https://docs.github.com/en/graphql/reference/mutations#markpullrequestreadyforreview>.
    async fn make_ready(&self, pull: &Pull) -> Result<(), DeliveryError> {
        match &pull.node_id {
            Some(id) => project::ask(&self.api, READY, &json!({"id": id})).await.map(drop),
            None => Ok(()),
        }
    }

    /// The branch that the request aims at.
    async fn base(&self) -> Result<String, DeliveryError> {
        if let Some(base) = &self.settings.base {
            return Ok(base.clone());
        }
        let repository = self.api.get(&self.settings.repository.path("")).await?.ok()?;
        Ok(repository.body["default_branch"].as_str().unwrap_or("main").to_owned())
    }

    /// Opens the request; not as a draft where the plan has none.
    async fn open(
        &self,
        handoff: &Handoff,
        letter: &Value,
        remarks: &mut Vec<String>,
    ) -> Result<Pull, DeliveryError> {
        let mut request = letter.clone();
        request["head"] = json!(Self::branch(handoff));
        request["base"] = json!(self.base().await?);
        request["draft"] = json!(self.purpose == Purpose::Draft || !handoff.missing.is_empty());
        let path = self.settings.repository.path("/pulls");
        let mut result = self.api.write(Method::POST, &path, &request).await;
        if let Err(DeliveryError::Permanent { message, .. }) = &result
            && request["draft"] == true
            && message.to_ascii_lowercase().contains("draft pull requests are not supported")
        {
            remarks.push("opened as ready: this repository has no draft pull requests".to_owned());
            request["draft"] = json!(false);
            result = self.api.write(Method::POST, &path, &request).await;
        }
        read(result.map_err(|error| explain(error, &Self::branch(handoff)))?)
    }

    /// Reviewer, labels and readiness; what is refused is a remark, since the
    /// request itself is there.
    async fn dress(&self, handoff: &Handoff, pull: &Pull, remarks: &mut Vec<String>) {
        let repository = &self.settings.repository;
        if pull.draft
            && handoff.missing.is_empty()
            && let Err(error) = self.make_ready(pull).await
        {
            remarks.push(format!("still a draft: {error}"));
        }
        match assignee(handoff) {
            Ok(login) => {
                let path = repository.path(&format!("/pulls/{}/requested_reviewers", pull.number));
                let wish = json!({"reviewers": [login]});
                if let Err(error) = self.api.write(Method::POST, &path, &wish).await {
                    remarks.push(format!("nobody is asked to review: {error}"));
                }
            }
            Err(why) => remarks.push(format!("nobody is asked to review: {why}")),
        }
        if let (Some(settings), Some(node)) = (&self.settings.project, &pull.node_id)
            && let Err(error) =
                project::add(&self.api, settings, node, self.letters.due_day(handoff)).await
        {
            remarks.push(format!("not put on the project: {error}"));
        }
        if let Some(milestone) = self.settings.milestone {
            let path = repository.path(&format!("/issues/{}", pull.number));
            let wish = json!({"milestone": milestone});
            if let Err(error) = self.api.write(Method::PATCH, &path, &wish).await {
                remarks.push(format!("not in the milestone: {error}"));
            }
        }
        let path = repository.path(&format!("/issues/{}/labels", pull.number));
        let labels = json!({"labels": self.settings.labels});
        if let Err(error) = self.api.write(Method::POST, &path, &labels).await {
            remarks.push(format!("no labels: {error}"));
        }
    }
}

fn read(answer: Answer) -> Result<Pull, DeliveryError> {
    serde_json::from_value(answer.body).map_err(|error| DeliveryError::Unclear {
        message: format!("GitHub's answer about the pull request cannot be read: {error}"),
    })
}

/// GitHub's 422s about a branch in words of this product.
fn explain(error: DeliveryError, branch: &str) -> DeliveryError {
    match error {
        DeliveryError::Permanent { message, .. } if message.contains("already exists") => {
            DeliveryError::Unclear { message }
        }
        DeliveryError::Permanent { message, .. } if message.contains("; head ") => {
            let help = format!("the branch {branch} is not on GitHub; push the ledger first");
            DeliveryError::Permanent { message, help }
        }
        other => other,
    }
}

#[async_trait]
impl Sink for GithubPull {
    fn event(&self) -> EventKind {
        match self.purpose {
            Purpose::Draft => EventKind::Drafted,
            Purpose::Task => EventKind::TaskOpened,
        }
    }

    fn via(&self) -> &'static str {
        "github"
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let title = self.letter(handoff).map(|letter| letter.title).unwrap_or_default();
        format!("open a pull request in {}: {title}", self.settings.repository)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let found = self.find(handoff).await?;
        let ours = found.into_iter().find(|pull| self.marked(handoff, pull) && self.finished(pull));
        Ok(ours.map(|pull| Mark {
            reference: pull.html_url,
            at: Some(pull.created_at),
            remark: None,
        }))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let text = self.text(handoff)?;
        let mut remarks = Vec::new();
        let open = self.find(handoff).await?.into_iter().find(|pull| pull.state == "open");
        let pull = match open {
            // What a draft lacks changes; its checklist follows.
            Some(pull) if self.purpose == Purpose::Task && self.marked(handoff, &pull) => pull,
            Some(pull) => {
                let path = self.settings.repository.path(&format!("/pulls/{}", pull.number));
                read(self.api.write(Method::PATCH, &path, &text).await?)?
            }
            None => self.open(handoff, &text, &mut remarks).await?,
        };
        if self.purpose == Purpose::Task {
            self.dress(handoff, &pull, &mut remarks).await;
        }
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Ok(Mark { reference: pull.html_url, at: Some(pull.created_at), remark })
    }

    /// A draft becomes ready when every answer is there.
    async fn keep_up(&self, handoff: &Handoff) -> Result<Option<String>, DeliveryError> {
        if self.purpose != Purpose::Task || !handoff.missing.is_empty() {
            return Ok(None);
        }
        let found = self.find(handoff).await?.into_iter();
        let mut drafts = found.filter(|pull| pull.state == "open" && pull.draft);
        let Some(pull) = drafts.find(|pull| self.marked(handoff, pull)) else { return Ok(None) };
        let text = self.text(handoff)?;
        let path = self.settings.repository.path(&format!("/pulls/{}", pull.number));
        self.api.write(Method::PATCH, &path, &text).await?;
        self.make_ready(&pull).await?;
        Ok(Some(format!("{} is complete and ready for review", pull.html_url)))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        checks::of(&self.api, &self.settings, offline).await
    }
}
