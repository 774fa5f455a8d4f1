//! What people did about the first-touch task on GitHub: comments, reviews,
//! closing, merging. The endpoints are those of
//! <https://docs.github.com/en/rest/issues> and <https://docs.github.com/en/rest/pulls>.

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::GithubSettings;
use super::acts::{Acts, Comment, Issue, Pull, Review};
use super::api::{Answer, Api};
use super::deadline::{self, Dated, IssueEvent};
use super::people::assignee;
use super::task_url::TaskUrl;
use crate::brief::EventKind;
use crate::deliver::messages::answer;
use crate::deliver::{DeliveryError, Handoff, ReadBack, Reader, WholeDays};
use crate::text;

/// Reads the tasks that handoff opened.
pub(in crate::deliver) struct GithubReader {
    api: Arc<Api>,
    settings: GithubSettings,
    days: WholeDays,
    own_login: OnceCell<Option<String>>,
}

impl GithubReader {
    pub(super) fn new(api: Arc<Api>, settings: GithubSettings, days: WholeDays) -> Self {
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
    async fn task<T: DeserializeOwned>(
        &self,
        path: &str,
        task: &TaskUrl,
    ) -> Result<Result<T, ReadBack>, DeliveryError> {
        let answer = self.api.get(path).await?;
        let unknown =
            |why: String, help: &str| Ok(Err(ReadBack::Unknown { why, help: help.to_owned() }));
        match answer.status.as_u16() {
            410 => {
                return unknown(
                    format!("{task} was deleted"),
                    "record what was done with `handoff touch`, `accept` or `return`",
                );
            }
            404 => {
                return unknown(
                    format!("{task} is not there any more, or the token may not see it"),
                    "check the token's access; if the task is gone, record what was done with `handoff touch`, `accept` or `return`",
                );
            }
            301 | 302 | 307 | 308 => {
                return unknown(
                    format!("{task} was moved elsewhere"),
                    "record what was done with `handoff touch`, `accept` or `return`",
                );
            }
            _ => {}
        }
        let answer = answer.ok()?;
        // A moved task is answered from its new place, where other people have other rights.
        if let Some(now) = answer.body["html_url"].as_str()
            && !task.is(now)
        {
            return unknown(
                format!("{task} was moved to {}", text::quoted(now)),
                "record what was done there with `handoff touch`, `accept` or `return`",
            );
        }
        read(path, answer).map(Ok)
    }

    /// The deadline that somebody gave the task; of two the later word. One
    /// that cannot be read keeps nothing else back.
    async fn deadline(
        &self,
        handoff: &Handoff,
        task: &TaskUrl,
        dated: &Dated,
        acts: &mut Acts,
    ) -> Result<(), DeliveryError> {
        let mut moved = Vec::new();
        if let Some(due) = deadline::of_milestone(dated, &self.settings, handoff, self.days) {
            let events: Vec<IssueEvent> = self.list(&task.api("issues", "/events")).await?;
            moved.extend(deadline::milestoned(due, &events, self.own_login().await?, task));
        }
        let of_project =
            deadline::of_project(&self.api, &self.settings, dated, handoff, self.days, task);
        match of_project.await {
            Ok(of_project) => moved.extend(of_project),
            Err(error) => acts.remark(format!("the deadline on the project was not read: {error}")),
        }
        if let Some(moved) = moved.into_iter().max_by_key(|moved| moved.at) {
            acts.deadline(moved);
        }
        Ok(())
    }

    /// Every page of a list.
    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, DeliveryError> {
        let mut all = Vec::new();
        for page in 1.. {
            let answer = self.api.get(&format!("{path}?per_page=100&page={page}")).await?.ok()?;
            let more = answer.has_next_page();
            all.extend(read::<Vec<T>>(path, answer)?);
            if !more {
                break;
            }
        }
        Ok(all)
    }
}

fn read<T: DeserializeOwned>(path: &str, answer: Answer) -> Result<T, DeliveryError> {
    serde_json::from_value(answer.body).map_err(|error| DeliveryError::Transient {
        message: format!("GET {path}: GitHub's answer cannot be read: {error}"),
        retry_after: None,
    })
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
                why: format!("{} is no issue or pull request of GitHub", text::quoted(reference)),
                help: "record what was done with `handoff touch`, `accept` or `return`".to_owned(),
            });
        };
        let mut acts = Acts::new(
            self.own_login().await?,
            assignee(handoff).ok(),
            answer(&handoff.brief, "deal.owner.github"),
        );
        if task.is_pull_request() {
            let pull: Pull = match self.task(&task.api("pulls", ""), &task).await? {
                Ok(pull) => pull,
                Err(unknown) => return Ok(unknown),
            };
            let reviews: Vec<Review> = self.list(&task.api("pulls", "/reviews")).await?;
            acts.pull(&pull);
            self.deadline(handoff, &task, &pull.dated, &mut acts).await?;
            reviews.iter().for_each(|review| acts.review(review));
        } else {
            let issue: Issue = match self.task(&task.api("issues", ""), &task).await? {
                Ok(issue) => issue,
                Err(unknown) => return Ok(unknown),
            };
            acts.issue(&issue);
            self.deadline(handoff, &task, &issue.dated, &mut acts).await?;
        }
        // The conversation below a pull request is that of an issue.
        let comments: Vec<Comment> = self.list(&task.api("issues", "/comments")).await?;
        comments.iter().for_each(|comment| acts.comment(comment));
        Ok(acts.into_read_back())
    }
}
