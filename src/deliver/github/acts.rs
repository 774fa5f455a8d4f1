//! Which acts of whom count: as the first touch, as acceptance, as return.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::deadline::Dated;
use crate::brief::EventKind;
use crate::deliver::command::Command;
use crate::deliver::observations::Observations;
use crate::deliver::{MovedDeadline, ReadBack};
use crate::text;

/// Who did something; GitHub gives `null` for an account that was deleted.
#[derive(Debug, Deserialize)]
pub(super) struct Actor {
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl Actor {
    pub(super) fn login(&self) -> &str {
        &self.login
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    html_url: String,
    created_at: DateTime<Utc>,
    #[serde(default)]
    user: Option<Actor>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    author_association: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    html_url: String,
    #[serde(default)]
    closed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    closed_by: Option<Actor>,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    assignees: Vec<Actor>,
    #[serde(flatten)]
    pub(super) dated: Dated,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    html_url: String,
    #[serde(default)]
    merged_at: Option<DateTime<Utc>>,
    #[serde(default)]
    merged_by: Option<Actor>,
    #[serde(default)]
    assignees: Vec<Actor>,
    #[serde(flatten)]
    pub(super) dated: Dated,
}

#[derive(Debug, Deserialize)]
pub(super) struct Review {
    html_url: String,
    /// Absent while it is not handed in.
    #[serde(default)]
    submitted_at: Option<DateTime<Utc>>,
    #[serde(default)]
    user: Option<Actor>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    author_association: Option<String>,
}

/// What was seen so far.
pub(super) struct Acts {
    own_login: Option<String>,
    /// The assigned CSM: the brief's owner, and whom the task was assigned to on GitHub.
    csms: Vec<String>,
    rep: Option<String>,
    seen: Observations,
}

impl Acts {
    pub(super) fn new(own_login: Option<&str>, csm: Option<String>, rep: Option<String>) -> Self {
        Self {
            own_login: own_login.map(str::to_owned),
            csms: csm.into_iter().collect(),
            rep: rep.map(|login| login.trim_start_matches('@').to_owned()),
            seen: Observations::default(),
        }
    }

    /// Closing as completed is a touch; as not planned or as a duplicate it
    /// is none. Issues from before 2022 have no reason.
    pub(super) fn issue(&mut self, issue: &Issue) {
        self.csms.extend(issue.assignees.iter().map(|assignee| assignee.login.clone()));
        let Some(at) = issue.closed_at else { return };
        if matches!(issue.state_reason.as_deref(), Some("not_planned" | "duplicate")) {
            return;
        }
        match &issue.closed_by {
            None => {
                let remark = "the task is closed, and GitHub does not say by whom: not counted";
                self.seen.remark(remark.to_owned());
            }
            // Closing takes rights that an outsider does not have.
            Some(actor) => {
                if let Some(by) = self.counted(Some(actor), None) {
                    self.see(EventKind::Touched, at, &by, &issue.html_url, None);
                }
            }
        }
    }

    /// Merging accepts the brief. Closing without merging is nothing.
    pub(super) fn pull(&mut self, pull: &Pull) {
        self.csms.extend(pull.assignees.iter().map(|assignee| assignee.login.clone()));
        if let Some(at) = pull.merged_at
            && let Some(by) = self.counted(pull.merged_by.as_ref(), None)
        {
            self.see(EventKind::Touched, at, &by, &pull.html_url, None);
            self.see(EventKind::Accepted, at, &by, &pull.html_url, None);
        }
    }

    /// Approving accepts, asking for changes returns, any other review is a
    /// comment.
    pub(super) fn review(&mut self, review: &Review) {
        let Some(at) = review.submitted_at else { return };
        let association = review.author_association.as_deref();
        let Some(by) = self.counted(review.user.as_ref(), association) else { return };
        let body = review.body.as_deref().unwrap_or_default();
        let url = &review.html_url;
        match (review.state.as_str(), Command::read(body)) {
            ("CHANGES_REQUESTED", Some(Command::Return(reason))) => {
                self.see(EventKind::Returned, at, &by, url, reason);
            }
            ("CHANGES_REQUESTED", _) => {
                let reason = text::shorten(&text::one_line(body), 1_000);
                let reason = (!reason.is_empty()).then_some(reason);
                self.see(EventKind::Returned, at, &by, url, reason);
            }
            ("APPROVED", _) => {
                self.see(EventKind::Touched, at, &by, url, None);
                self.see(EventKind::Accepted, at, &by, url, None);
            }
            (_, Some(command)) => self.command(command, at, &by, url),
            _ => self.see(EventKind::Touched, at, &by, url, None),
        }
    }

    /// A command alone says nothing about the customer; any other comment is
    /// a touch.
    pub(super) fn comment(&mut self, comment: &Comment) {
        let association = comment.author_association.as_deref();
        let Some(by) = self.counted(comment.user.as_ref(), association) else { return };
        match Command::read(comment.body.as_deref().unwrap_or_default()) {
            Some(command) => self.command(command, comment.created_at, &by, &comment.html_url),
            None => self.see(EventKind::Touched, comment.created_at, &by, &comment.html_url, None),
        }
    }

    fn command(&mut self, command: Command, at: DateTime<Utc>, by: &str, url: &str) {
        match command {
            Command::Accept => self.see(EventKind::Accepted, at, by, url, None),
            Command::Return(reason) => self.see(EventKind::Returned, at, by, url, reason),
        }
    }

    fn see(
        &mut self,
        kind: EventKind,
        at: DateTime<Utc>,
        by: &str,
        url: &str,
        reason: Option<String>,
    ) {
        let is_rep = self.rep.as_ref().is_some_and(|rep| rep.eq_ignore_ascii_case(by));
        if is_rep && !self.is_csm(by) {
            if kind != EventKind::Touched {
                self.seen.remark(format!(
                    "{by} is the rep and cannot accept or return their own handoff: not counted"
                ));
            }
            return;
        }
        self.seen.see(kind, at, by, url, reason);
    }

    fn is_csm(&self, login: &str) -> bool {
        self.csms.iter().any(|csm| csm.eq_ignore_ascii_case(login))
    }

    /// The login of somebody whose acts count: a person with a part in the
    /// repository, and not the one whose token handoff itself acts with.
    fn counted(&mut self, actor: Option<&Actor>, association: Option<&str>) -> Option<String> {
        let actor = actor?;
        let is_machine = !(actor.kind.is_empty() || actor.kind.eq_ignore_ascii_case("user"))
            || actor.login.ends_with("[bot]");
        if is_machine {
            return None;
        }
        if self.own_login.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&actor.login)) {
            self.seen.remark(format!(
                "handoff uses the token of {}, whose own acts cannot be told from it: not counted; give handoff an app or a login of its own",
                actor.login
            ));
            return None;
        }
        // https://docs.github.com/en/graphql/reference/enums#commentauthorassociation
        let outsider =
            association.is_some_and(|it| !matches!(it, "OWNER" | "MEMBER" | "COLLABORATOR" | ""));
        if outsider && !self.is_csm(&actor.login) {
            self.seen.remark(format!(
                "{} has no part in the repository: not counted",
                text::quoted(&actor.login)
            ));
            return None;
        }
        Some(actor.login.clone())
    }

    /// What should be known and counts for nothing.
    pub(super) fn remark(&mut self, remark: String) {
        self.seen.remark(remark);
    }

    /// The deadline that somebody gave the task.
    pub(super) fn deadline(&mut self, moved: MovedDeadline) {
        self.seen.deadline(moved);
    }

    /// The first touch and every verdict, oldest first.
    pub(super) fn into_read_back(self) -> ReadBack {
        self.seen.into_read_back()
    }
}
