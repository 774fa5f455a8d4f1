//! The first-touch task, or a draft, as a pull request of the brief's branch
//! `handoff/<key>`. The ledger pushes the branch; here it gets its request.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use super::api::{GithubApi, Issue, WriteFault};
use super::settings::GithubSettings;
use super::task::{STEP, ask_to_review, holds, marker, sealed};
use super::{checks, project};
use crate::brief::EventKind;
use crate::deliver::messages::{Messages, TaskForm};
use crate::deliver::sink::{BranchRequest, BranchRequests, DeliveryError, Handoff, Mark, Sink};
use crate::deliver::templates::{Medium, Message};
use crate::model::{Check, Remarks};

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
            Self::Task => STEP,
        }
    }
}

/// Opens one pull request for each handoff, or turns the draft's into the task's.
pub(super) struct GithubPull {
    pub(super) api: Arc<GithubApi>,
    pub(super) settings: GithubSettings,
    pub(super) messages: Messages,
    pub(super) purpose: Purpose,
}

const READY: &str = "mutation($id: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { id } }
}";

impl GithubPull {
    fn branch(handoff: &Handoff) -> String {
        format!("handoff/{}", handoff.key)
    }

    /// The branch's pull requests, newest first.
    async fn find(&self, branch: &str) -> Result<Vec<Issue>, DeliveryError> {
        let head = format!("{}:{}", self.settings.repository.owner(), branch);
        let head = percent_encoding::utf8_percent_encode(&head, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/pulls?head={head}&state=all");
        self.api.list(&self.settings.repository.path(&path)).await
    }

    fn marked(&self, handoff: &Handoff, pull: &Issue) -> bool {
        let mark = marker(&handoff.key, self.purpose.step());
        holds(pull.body.as_deref().unwrap_or_default(), &mark)
    }

    /// The label is set last; a task without it was cut short.
    fn finished(&self, pull: &Issue) -> bool {
        let first = self.settings.labels.first();
        let labelled = pull.labels.iter().any(|l| Some(&l.name) == first);
        pull.state != "open" || labelled || self.purpose == Purpose::Draft
    }

    fn message(&self, handoff: &Handoff) -> Result<Message, DeliveryError> {
        match self.purpose {
            Purpose::Draft => self.messages.draft(handoff),
            Purpose::Task => self.messages.task(handoff, TaskForm::PullRequest, Medium::Markdown),
        }
    }

    /// Title and body, with the mark.
    fn text(&self, handoff: &Handoff) -> Result<Value, DeliveryError> {
        let message = self.message(handoff)?;
        let mark = marker(&handoff.key, self.purpose.step());
        Ok(json!({
            "title": message.title,
            "body": sealed(&message.body, &mark, handoff.url.as_deref()),
        }))
    }

    /// Only GraphQL can, by
    /// <https://docs.github.com/en/graphql/reference/mutations#markpullrequestreadyforreview>.
    async fn make_ready(&self, pull: &Issue) -> Result<(), DeliveryError> {
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
        message: &Value,
        remarks: &mut Remarks,
    ) -> Result<Issue, DeliveryError> {
        let mut request = message.clone();
        request["head"] = json!(Self::branch(handoff));
        request["base"] = json!(self.base().await?);
        request["draft"] = json!(self.purpose == Purpose::Draft || !handoff.missing.is_empty());
        let path = self.settings.repository.path("/pulls");
        let mut result = self.api.write(Method::POST, &path, &request).await;
        // A plan without drafts refuses them and names no field; nothing was made.
        if let Err(fault) = &result
            && request["draft"] == true
            && fault.is_unprocessable()
            && !["head", "base"].iter().any(|field| fault.refuses_field(field))
        {
            request["draft"] = json!(false);
            result = self.api.write(Method::POST, &path, &request).await;
            if result.is_ok() {
                remarks.push("opened as ready: this repository has no draft pull requests");
            }
        }
        result.map_err(|fault| explain(fault, &Self::branch(handoff)))?.read()
    }

    /// Reviewer, labels and readiness; what is refused is a remark, since the
    /// request itself is there.
    async fn dress(&self, handoff: &Handoff, pull: &Issue, remarks: &mut Remarks) {
        let repository = &self.settings.repository;
        if pull.draft
            && handoff.missing.is_empty()
            && let Err(error) = self.make_ready(pull).await
        {
            remarks.push(format!("still a draft: {error}"));
        }
        let path = repository.path(&format!("/pulls/{}/requested_reviewers", pull.number));
        ask_to_review(&self.api, handoff, &path, remarks).await;
        if let (Some(settings), Some(node)) = (&self.settings.project, &pull.node_id)
            && let Err(error) =
                project::add(&self.api, settings, node, self.messages.due_day(handoff)).await
        {
            remarks.push(format!("not put on the project: {error}"));
        }
        if let Some(milestone) = self.settings.milestone {
            let path = repository.path(&format!("/issues/{}", pull.number));
            let wish = json!({"milestone": milestone});
            if let Err(fault) = self.api.write(Method::PATCH, &path, &wish).await {
                remarks.push(format!("not in the milestone: {}", fault.error));
            }
        }
        let path = repository.path(&format!("/issues/{}/labels", pull.number));
        let labels = json!({"labels": self.settings.labels});
        if let Err(fault) = self.api.write(Method::POST, &path, &labels).await {
            remarks.push(format!("no labels: {}", fault.error));
        }
    }
}

/// GitHub's 422s about a branch in words of this product.
fn explain(fault: WriteFault, branch: &str) -> DeliveryError {
    let is_branch = fault.refuses_field("head");
    let is_there = fault.is_unprocessable() && fault.names_no_field();
    match fault.error {
        DeliveryError::Permanent { message, .. } if is_branch => {
            let help = format!("the branch {branch} is not on GitHub; push the ledger first");
            DeliveryError::permanent(message, help)
        }
        // One without a field is most often the request that is there already: look again.
        DeliveryError::Permanent { message, .. } if is_there => DeliveryError::unclear(message),
        error => error,
    }
}

#[async_trait]
impl BranchRequests for GithubPull {
    async fn open_request(&self, request: &BranchRequest) -> Result<Mark, DeliveryError> {
        let mark = marker(&request.key, "proposal");
        let is_ours = |pull: &Issue| holds(pull.body.as_deref().unwrap_or_default(), &mark);
        let known = self.find(&request.branch).await?.into_iter().find(is_ours);
        let pull: Issue = match known {
            Some(pull) => pull,
            None => {
                let wish = json!({
                    "title": request.title,
                    "body": sealed(&request.body, &mark, None),
                    "head": request.branch,
                    "base": self.base().await?,
                });
                let path = self.settings.repository.path("/pulls");
                let made = self.api.write(Method::POST, &path, &wish).await;
                made.map_err(|fault| explain(fault, &request.branch))?.read()?
            }
        };
        Ok(Mark::new(pull.html_url, Some(pull.created_at), &[]))
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

    fn is_followed_up(&self) -> bool {
        self.purpose == Purpose::Task
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let title = self.message(handoff).map(|message| message.title).unwrap_or_default();
        format!("open a pull request in {}: {title}", self.settings.repository)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let found = self.find(&Self::branch(handoff)).await?;
        let ours = found.into_iter().find(|pull| self.marked(handoff, pull) && self.finished(pull));
        Ok(ours.map(|pull| Mark::new(pull.html_url, Some(pull.created_at), &[])))
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let text = self.text(handoff)?;
        let mut remarks = Remarks::default();
        let mut found = self.find(&Self::branch(handoff)).await?;
        // Of a draft that has ended nothing is asked: one that was closed stays so.
        let ended = self.purpose == Purpose::Draft && handoff.timeline.is_voided();
        let open = found.iter().position(|pull| pull.state == "open");
        let open = open.or((ended && !found.is_empty()).then_some(0));
        let pull = match open.map(|at| found.swap_remove(at)) {
            // What a draft lacks changes; its checklist follows.
            Some(pull) if self.purpose == Purpose::Task && self.marked(handoff, &pull) => pull,
            Some(pull) => {
                let path = self.settings.repository.path(&format!("/pulls/{}", pull.number));
                self.api.write(Method::PATCH, &path, &text).await?.read()?
            }
            None => self.open(handoff, &text, &mut remarks).await?,
        };
        if self.purpose == Purpose::Task {
            self.dress(handoff, &pull, &mut remarks).await;
        }
        Ok(Mark::new(pull.html_url, Some(pull.created_at), &remarks))
    }

    /// A draft becomes ready when every answer is there.
    async fn keep_up(&self, handoff: &Handoff) -> Result<Option<String>, DeliveryError> {
        if self.purpose != Purpose::Task || !handoff.missing.is_empty() {
            return Ok(None);
        }
        let found = self.find(&Self::branch(handoff)).await?.into_iter();
        let mut drafts = found.filter(|pull| pull.state == "open" && pull.draft);
        let Some(pull) = drafts.find(|pull| self.marked(handoff, pull)) else { return Ok(None) };
        let text = self.text(handoff)?;
        let path = self.settings.repository.path(&format!("/pulls/{}", pull.number));
        self.api.write(Method::PATCH, &path, &text).await?;
        self.make_ready(&pull).await?;
        Ok(Some(format!("{} is complete and ready for review", pull.html_url)))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        checks(&self.api, &self.settings, offline).await
    }
}
