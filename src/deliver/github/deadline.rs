//! The deadline that a task has on GitHub: the date field of its project, or
//! the milestone that somebody put it in.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::GithubSettings;
use super::acts::Actor;
use super::api::Api;
use super::project;
use super::task_url::TaskUrl;
use crate::deliver::messages::due_at_target;
use crate::deliver::{DeliveryError, Handoff, MovedDeadline, WholeDays};

/// The task's part in projects, by
/// <https://docs.github.com/en/graphql/reference/objects#projectv2itemfielddatevalue>.
const READ: &str = "query($task: ID!, $field: String!) {
  node(id: $task) {
    ... on Issue { projectItems(first: 50) { nodes { ...day } } }
    ... on PullRequest { projectItems(first: 50) { nodes { ...day } } }
  }
}
fragment day on ProjectV2Item {
  project { number owner { ... on Organization { login } ... on User { login } } }
  fieldValueByName(name: $field) { ... on ProjectV2ItemFieldDateValue { date createdAt updatedAt } }
}";

/// What of an issue or pull request tells of its deadline.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Dated {
    #[serde(default)]
    node_id: Option<String>,
    #[serde(default)]
    milestone: Option<Milestone>,
}

#[derive(Debug, Deserialize)]
struct Milestone {
    number: u64,
    #[serde(default)]
    due_on: Option<DateTime<Utc>>,
}

/// One thing that happened to an issue.
#[derive(Debug, Deserialize)]
pub(super) struct IssueEvent {
    event: String,
    #[serde(default)]
    actor: Option<Actor>,
    created_at: DateTime<Utc>,
}

/// The milestone's day, where it is not the one that tasks are put in and the
/// day is not the deadline already.
pub(super) fn of_milestone(
    dated: &Dated,
    settings: &GithubSettings,
    handoff: &Handoff,
    days: WholeDays,
) -> Option<DateTime<Utc>> {
    let milestone = dated.milestone.as_ref()?;
    if settings.milestone == Some(milestone.number) {
        return None;
    }
    // GitHub keeps a day, as some hour of it in California.
    let day = milestone.due_on?.date_naive();
    let known = due_at_target(handoff, "github").is_some_and(|due| days.is_day_of(day, due));
    (!known).then(|| days.end(day))
}

/// Who put the task in its milestone, and when.
pub(super) fn milestoned(
    due: DateTime<Utc>,
    events: &[IssueEvent],
    own_login: Option<&str>,
    task: &TaskUrl,
) -> Option<MovedDeadline> {
    let last = events.iter().rev().find(|event| event.event == "milestoned");
    let by = last.and_then(|event| event.actor.as_ref()).map(|actor| actor.login().to_owned());
    let is_own = own_login.zip(by.as_deref()).is_some_and(|(own, by)| own.eq_ignore_ascii_case(by));
    let at = last.map(|event| event.created_at);
    (!is_own).then(|| MovedDeadline { due, at, by, reference: task.address() })
}

/// The day in the project's date field, where it was changed after it was set.
pub(super) async fn of_project(
    api: &Api,
    settings: &GithubSettings,
    dated: &Dated,
    handoff: &Handoff,
    days: WholeDays,
    task: &TaskUrl,
) -> Result<Option<MovedDeadline>, DeliveryError> {
    let (Some(project), Some(node)) = (&settings.project, &dated.node_id) else { return Ok(None) };
    let Some(field) = &project.due_field else { return Ok(None) };
    let read = project::ask(api, READ, &json!({"task": node, "field": field})).await?;
    let items = read["node"]["projectItems"]["nodes"].as_array();
    let is_ours = |item: &&Value| {
        let owner = item["project"]["owner"]["login"].as_str().unwrap_or_default();
        item["project"]["number"] == project.number && owner.eq_ignore_ascii_case(&project.owner)
    };
    let Some(item) = items.into_iter().flatten().find(is_ours) else { return Ok(None) };
    let value = &item["fieldValueByName"];
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let (Ok(day), Ok(updated)) = (text("date").parse(), text("updatedAt").parse::<DateTime<Utc>>())
    else {
        return Ok(None);
    };
    let is_untouched = text("createdAt").parse::<DateTime<Utc>>().is_ok_and(|made| updated <= made);
    let known = due_at_target(handoff, "github").is_some_and(|due| days.is_day_of(day, due));
    Ok((!is_untouched && !known).then(|| MovedDeadline {
        due: days.end(day),
        at: Some(updated),
        by: None,
        reference: task.address(),
    }))
}
