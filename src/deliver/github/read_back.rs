//! What people did about the first-touch task on GitHub: comments, reviews,
//! closing, merging. The endpoints are those of
//! <https://docs.github.com/en/rest/issues> and <https://docs.github.com/en/rest/pulls>.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::api::{Account, Comment, GithubApi, Issue, IssueEvent, Review};
use super::project::{self, Dated};
use super::settings::{GithubSettings, TaskUrl, assignee};
use crate::brief::EventKind;
use crate::deliver::messages::answer;
use crate::deliver::read_back::{
    CommentCommand, Observations, ReadBack, Reader, Reassigned, Roles, last_assigned,
};
use crate::deliver::sink::{DeliveryError, Handoff, WholeDays};
use crate::text;

/// Reads the tasks that handoff opened.
pub(super) struct GithubReader {
    api: Arc<GithubApi>,
    settings: GithubSettings,
    days: WholeDays,
    own_login: OnceCell<Option<String>>,
}

impl GithubReader {
    pub(super) fn new(api: Arc<GithubApi>, settings: GithubSettings, days: WholeDays) -> Self {
        Self { api, settings, days, own_login: OnceCell::new() }
    }

    /// Whose token it is. An app's has no person behind it, and GitHub refuses
    /// to say; what an app does is marked as a bot's anyway.
    async fn own_login(&self) -> Result<Option<&str>, DeliveryError> {
        let login = self
            .own_login
            .get_or_try_init(|| async {
                let answer = self.api.get("/user").await?;
                if matches!(answer.status.as_u16(), 403 | 404) {
                    return Ok(None);
                }
                let answer = answer.ok()?;
                Ok::<_, DeliveryError>(answer.body["login"].as_str().map(str::to_owned))
            })
            .await?;
        Ok(login.as_deref())
    }

    /// The issue or pull request, or what became of it.
    async fn task(
        &self,
        path: &str,
        task: &TaskUrl,
    ) -> Result<Result<Issue, ReadBack>, DeliveryError> {
        let answer = self.api.get(path).await?;
        let unknown =
            |why: String, help: &str| Ok(Err(ReadBack::Unknown { why, help: help.to_owned() }));
        let gone = |why: String, help: &str| Ok(Err(ReadBack::Gone { why, help: help.to_owned() }));
        let help = "record what was done with `handoff touch`, `accept` or `return`";
        match answer.status.as_u16() {
            410 => return gone(format!("{task} was deleted"), help),
            // Whoever sees the repository would see the task.
            404 if self.name_now(task).await?.is_some() => {
                return gone(format!("{task} is not there any more"), help);
            }
            404 => {
                return unknown(
                    format!("{task} is not there any more, or the token may not see it"),
                    &format!("check the token's access; if the task is gone, {help}"),
                );
            }
            301 | 302 | 307 | 308 => return unknown(format!("{task} was moved elsewhere"), help),
            _ => {}
        }
        let answer = answer.ok()?;
        if let Some(now) = answer.body["html_url"].as_str()
            && !task.is(now)
        {
            // A repository that has another name is the same one. A task that was moved
            // is answered from its new place, where other people have other rights.
            let renamed = self.name_now(task).await?;
            let why = format!("{task} was moved to {}", text::quoted(now));
            let help = "record what was done there with `handoff touch`, `accept` or `return`";
            match renamed {
                Some(name) if task.is_in(&name, now) => {}
                Some(_) => return gone(why, help),
                None => return unknown(why, help),
            }
        }
        answer.read().map(Ok)
    }

    /// The name that the task's repository has now; `None` where it cannot be seen.
    async fn name_now(&self, task: &TaskUrl) -> Result<Option<String>, DeliveryError> {
        let answer = self.api.get(&task.repository().path("")).await?;
        let name = answer.body["full_name"].as_str().map(str::to_owned);
        Ok(name.filter(|_| answer.status.is_success()))
    }

    /// The deadline that somebody gave the task; of two the later word. One
    /// that cannot be read keeps nothing else back.
    async fn deadline(
        &self,
        handoff: &Handoff,
        task: &TaskUrl,
        dated: Dated<'_>,
        seen: &mut Observations,
    ) -> Result<(), DeliveryError> {
        let mut moved = Vec::new();
        if let Some(due) = project::deadline_of_milestone(dated, &self.settings, handoff, self.days)
        {
            let events: Vec<IssueEvent> = self.api.list(&task.api("issues", "/events")).await?;
            moved.extend(project::milestoned(due, &events, self.own_login().await?, task));
        }
        let of_project = project::deadline_of_project(
            &self.api,
            &self.settings,
            dated,
            handoff,
            self.days,
            task,
        );
        match of_project.await {
            Ok(of_project) => moved.extend(of_project),
            Err(error) => seen.remark(format!("the deadline on the project was not read: {error}")),
        }
        if let Some(moved) = moved.into_iter().max_by_key(|moved| moved.at) {
            seen.deadline(moved);
        }
        Ok(())
    }

    /// Whom a person gave the task to, after it was last given to somebody.
    async fn assigned(
        &self,
        handoff: &Handoff,
        task: &TaskUrl,
        assignees: &[Account],
        seen: &mut Observations,
    ) -> Result<(), DeliveryError> {
        let Ok(csm) = assignee(handoff) else { return Ok(()) };
        if assignees.is_empty() || assignees.iter().any(|it| it.login.eq_ignore_ascii_case(&csm)) {
            return Ok(());
        }
        let events: Vec<IssueEvent> = self.api.list(&task.api("issues", "/events")).await?;
        let known = last_assigned(handoff);
        let by_person = events.into_iter().rev().find_map(|event| {
            let (actor, to) = (event.actor?, event.assignee?);
            let is_new = event.event == "assigned" && known.is_none_or(|at| event.created_at > at);
            let is_there = assignees.iter().any(|it| it.login == to.login);
            let is_person = actor.actor(None).is_person && !seen.is_own(&actor.login);
            (is_new && is_there && is_person).then(|| Reassigned {
                to: to.login,
                at: event.created_at,
                by: Some(actor.login),
                reference: task.address(),
            })
        });
        if let Some(assigned) = by_person {
            seen.assigned(assigned);
        }
        Ok(())
    }
}

/// Closing as completed is a touch; as not planned or as a duplicate it is
/// none. Issues from before 2022 have no reason.
fn see_issue(issue: &Issue, seen: &mut Observations) {
    let Some(at) = issue.closed_at else { return };
    if matches!(issue.state_reason.as_deref(), Some("not_planned" | "duplicate")) {
        return;
    }
    match &issue.closed_by {
        None => {
            let remark = "the task is closed, and GitHub does not say by whom: not counted";
            seen.remark(remark.to_owned());
        }
        // Closing takes rights that an outsider does not have.
        Some(by) => seen.see(EventKind::Touched, &by.actor(None), at, &issue.html_url, None),
    }
}

/// Approving accepts, asking for changes returns, any other review is a
/// comment. None of them is contact with the customer.
fn see_review(review: &Review, seen: &mut Observations) {
    let (Some(at), Some(user)) = (review.submitted_at, &review.user) else { return };
    let actor = user.actor(review.author_association.as_deref());
    let body = review.body.as_deref().unwrap_or_default();
    let url = &review.html_url;
    match review.state.as_str() {
        "CHANGES_REQUESTED" => {
            let reason = match CommentCommand::read(body) {
                Some(CommentCommand::Return(reason)) => reason,
                _ => Some(text::shorten(&text::one_line(body), 1_000)).filter(|it| !it.is_empty()),
            };
            seen.see(EventKind::Returned, &actor, at, url, reason);
        }
        "APPROVED" => {
            seen.see(EventKind::Accepted, &actor, at, url, None);
            if CommentCommand::read(body) == Some(CommentCommand::Touched) {
                seen.see(EventKind::Touched, &actor, at, url, None);
            }
        }
        _ => seen.comment(body, &actor, at, url),
    }
}

#[async_trait]
impl Reader for GithubReader {
    fn event(&self) -> EventKind {
        EventKind::TaskOpened
    }

    fn via(&self) -> &'static str {
        "github"
    }

    async fn read_back(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<ReadBack, DeliveryError> {
        let Some(task) = TaskUrl::parse(reference) else {
            return Ok(ReadBack::Unknown {
                why: format!(
                    "{} is not an issue or pull request on GitHub",
                    text::quoted(reference)
                ),
                help: "record what was done with `handoff touch`, `accept` or `return`".to_owned(),
            });
        };
        let place = task.api(if task.is_pull_request() { "pulls" } else { "issues" }, "");
        let issue: Issue = match self.task(&place, &task).await? {
            Ok(issue) => issue,
            Err(unknown) => return Ok(unknown),
        };
        let csm = assignee(handoff).into_iter();
        let mut seen = Observations::new(Roles {
            own: self.own_login().await?.map(str::to_owned),
            // Whom the task was given to on GitHub, too.
            csm: csm.chain(issue.assignees.iter().map(|it| it.login.clone())).collect(),
            rep: answer(&handoff.brief, "deal.owner.github").into_iter().collect(),
        });
        if task.is_pull_request() {
            // Merging accepts the brief. Closing without merging is nothing.
            if let (Some(at), Some(by)) = (issue.merged_at, &issue.merged_by) {
                seen.see(EventKind::Accepted, &by.actor(None), at, &issue.html_url, None);
            }
            let reviews: Vec<Review> = self.api.list(&task.api("pulls", "/reviews")).await?;
            reviews.iter().for_each(|review| see_review(review, &mut seen));
        } else {
            see_issue(&issue, &mut seen);
        }
        let dated = (issue.node_id.as_deref(), issue.milestone.as_ref());
        self.deadline(handoff, &task, dated, &mut seen).await?;
        self.assigned(handoff, &task, &issue.assignees, &mut seen).await?;
        // The conversation below a pull request is that of an issue.
        let comments: Vec<Comment> = self.api.list(&task.api("issues", "/comments")).await?;
        for comment in &comments {
            let Some(user) = &comment.user else { continue };
            let actor = user.actor(comment.author_association.as_deref());
            let words = comment.body.as_deref().unwrap_or_default();
            seen.comment(words, &actor, comment.created_at, &comment.html_url);
        }
        Ok(seen.into_read_back())
    }
}
