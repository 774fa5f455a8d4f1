//! The few fields of GitHub's answers that matter here. octocrab's own models
//! are not used for what is read: they refuse a whole list because of one
//! account that was deleted (`user: null`) or one event name that is new to
//! them, and Enterprise servers leave out fields that they ask for.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::deliver::read_back::Actor;

/// Who did something; GitHub gives `null` for an account that was deleted.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

impl Account {
    /// Whether it is the one whose acts count is decided with the role that it
    /// has in the repository:
    /// <https://docs.github.com/en/graphql/reference/enums#commentauthorassociation>
    pub(super) fn actor(&self, association: Option<&str>) -> Actor<'_> {
        let is_machine = !(self.kind.is_empty() || self.kind.eq_ignore_ascii_case("user"))
            || self.login.ends_with("[bot]");
        let is_outsider =
            association.is_some_and(|it| !matches!(it, "OWNER" | "MEMBER" | "COLLABORATOR" | ""));
        Actor { id: &self.login, name: &self.login, is_person: !is_machine, is_outsider }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Milestone {
    pub(super) number: u64,
    #[serde(default)]
    pub(super) due_on: Option<DateTime<Utc>>,
}

/// An issue, or a pull request as an issue.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) node_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    #[serde(default)]
    pub(super) assignees: Vec<Account>,
    #[serde(default)]
    pub(super) milestone: Option<Milestone>,
    #[serde(default)]
    pub(super) pull_request: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) closed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) closed_by: Option<Account>,
    #[serde(default)]
    pub(super) state_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) node_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) draft: bool,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    #[serde(default)]
    pub(super) assignees: Vec<Account>,
    #[serde(default)]
    pub(super) milestone: Option<Milestone>,
    #[serde(default)]
    pub(super) merged_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) merged_by: Option<Account>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) html_url: String,
    pub(super) created_at: DateTime<Utc>,
    #[serde(default)]
    pub(super) user: Option<Account>,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) author_association: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Review {
    pub(super) html_url: String,
    /// Absent while it is not handed in.
    #[serde(default)]
    pub(super) submitted_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) user: Option<Account>,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) author_association: Option<String>,
}

/// One thing that happened to an issue.
#[derive(Debug, Deserialize)]
pub(super) struct IssueEvent {
    pub(super) event: String,
    #[serde(default)]
    pub(super) actor: Option<Account>,
    /// Whom, for `assigned`.
    #[serde(default)]
    pub(super) assignee: Option<Account>,
    pub(super) created_at: DateTime<Utc>,
}
