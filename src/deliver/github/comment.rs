//! What a re-submission changed, as a comment on the task.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Api;
use super::marker::{holds, marker, sealed};
use super::task_url::TaskUrl;
use crate::brief::EventKind;
use crate::deliver::{DeliveryError, Handoff, Mark, Medium, MessageKind, Messages, Sink};

/// Comments on the task of each handoff that came again.
pub(super) struct GithubComment {
    pub(super) api: Arc<Api>,
    pub(super) letters: Messages,
}

#[derive(Debug, Deserialize)]
struct Comment {
    html_url: String,
    created_at: DateTime<Utc>,
    #[serde(default)]
    body: Option<String>,
}

impl GithubComment {
    fn task(handoff: &Handoff) -> Result<TaskUrl, DeliveryError> {
        let mut events = handoff.timeline.events.iter().rev();
        let task = events.find(|it| it.event == EventKind::TaskOpened && it.via == "github");
        task.and_then(|event| TaskUrl::parse(event.reference.as_deref()?)).ok_or_else(|| {
            DeliveryError::Transient {
                message: "there is no task on GitHub yet to comment on".to_owned(),
                retry_after: None,
            }
        })
    }

    fn mark(handoff: &Handoff) -> String {
        marker(&handoff.key, &MessageKind::Resubmitted.step(handoff, "comment"))
    }
}

#[async_trait]
impl Sink for GithubComment {
    fn event(&self) -> EventKind {
        EventKind::CsmTold
    }

    fn via(&self) -> &'static str {
        "github"
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("comment on the task in {} what changed", self.api.repository())
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let (task, mark) = (Self::task(handoff)?, Self::mark(handoff));
        for page in 1.. {
            let path = task.api("issues", &format!("/comments?per_page=100&page={page}"));
            let answer = self.api.get(&path).await?.ok()?;
            let more = answer.has_next_page();
            let comments: Vec<Comment> =
                serde_json::from_value(answer.body).map_err(|error| DeliveryError::Transient {
                    message: format!("page {page} of GitHub's comments cannot be read: {error}"),
                    retry_after: None,
                })?;
            let mut ours = comments
                .into_iter()
                .filter(|comment| holds(comment.body.as_deref().unwrap_or_default(), &mark));
            if let Some(comment) = ours.next() {
                return Ok(Some(Mark {
                    reference: comment.html_url,
                    at: Some(comment.created_at),
                    remark: None,
                }));
            }
            if !more {
                break;
            }
        }
        Ok(None)
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let task = Self::task(handoff)?;
        let occasion = MessageKind::Resubmitted;
        let letter = self.letters.again(handoff, occasion, Medium::Markdown, None)?;
        let body = sealed(&letter.body, &Self::mark(handoff), handoff.url.as_deref());
        let path = task.api("issues", "/comments");
        let made = self.api.write(Method::POST, &path, &json!({"body": body})).await?;
        let made: Comment =
            serde_json::from_value(made.body).map_err(|error| DeliveryError::Unclear {
                message: format!("POST {path}: GitHub's answer cannot be read: {error}"),
            })?;
        Ok(Mark { reference: made.html_url, at: Some(made.created_at), remark: None })
    }
}
