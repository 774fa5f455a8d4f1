//! A task on a GitHub project, which only GraphQL can reach, and the deadline
//! that people give it: the date field of its project, or the milestone that
//! somebody put it in.

use chrono::{DateTime, NaiveDate, Utc};
use http::Method;
use serde_json::{Value, json};

use super::api::{GithubApi, IssueEvent, Milestone};
use super::settings::{GithubSettings, ProjectSettings, TaskUrl};
use crate::deliver::messages::due_at_target;
use crate::deliver::read_back::MovedDeadline;
use crate::deliver::sink::{DeliveryError, Handoff, WholeDays};
use crate::text;

const FIND: &str = "query($owner: String!, $number: Int!, $field: String!) {
  repositoryOwner(login: $owner) {
    ... on Organization { projectV2(number: $number) { id field(name: $field) { ... on ProjectV2Field { id } } } }
    ... on User { projectV2(number: $number) { id field(name: $field) { ... on ProjectV2Field { id } } } }
  }
}";
const ADD: &str = "mutation($project: ID!, $content: ID!) {
  addProjectV2ItemById(input: {projectId: $project, contentId: $content}) { item { id } }
}";
const SET: &str = "mutation($project: ID!, $item: ID!, $field: ID!, $day: Date!) {
  updateProjectV2ItemFieldValue(input: {projectId: $project, itemId: $item, fieldId: $field, value: {date: $day}}) { projectV2Item { id } }
}";

/// Adds the issue or pull request `node` and sets the day of its deadline.
/// Adding what is there already changes nothing.
pub(super) async fn add(
    api: &GithubApi,
    settings: &ProjectSettings,
    node: &str,
    due: Option<NaiveDate>,
) -> Result<(), DeliveryError> {
    let field = settings.due_field.as_deref().unwrap_or_default();
    let variables = json!({"owner": settings.owner, "number": settings.number, "field": field});
    let found = ask(api, FIND, &variables).await?;
    let project = &found["repositoryOwner"]["projectV2"];
    let missing = |what: String| {
        DeliveryError::permanent(
            what,
            "check deliver.github.project, and that the token has the project scope",
        )
    };
    let Some(id) = project["id"].as_str() else {
        return Err(missing(format!("{} has no project {}", settings.owner, settings.number)));
    };
    let added = ask(api, ADD, &json!({"project": id, "content": node})).await?;
    let item = added["addProjectV2ItemById"]["item"]["id"].as_str();
    let (Some(name), Some(due)) = (&settings.due_field, due) else { return Ok(()) };
    let (Some(item), Some(field)) = (item, project["field"]["id"].as_str()) else {
        return Err(missing(format!("the project has no date field {}", text::quoted(name))));
    };
    ask(api, SET, &json!({"project": id, "item": item, "field": field, "day": due})).await?;
    Ok(())
}

/// One GraphQL question; errors come with status 200.
pub(super) async fn ask(
    api: &GithubApi,
    query: &str,
    variables: &Value,
) -> Result<Value, DeliveryError> {
    let body = json!({"query": query, "variables": variables});
    let mut answer = api.write(Method::POST, "/graphql", &body).await?.body;
    if let Some(error) = answer["errors"].get(0) {
        return Err(DeliveryError::permanent(
            format!(
                "GitHub's GraphQL refused: {}",
                text::quoted(error["message"].as_str().unwrap_or("no reason given"))
            ),
            "check the token's scopes: project, and read:org for an organisation",
        ));
    }
    Ok(answer["data"].take())
}

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

/// What of a task shows its deadline: its id for GraphQL and its milestone.
pub(super) type Dated<'a> = (Option<&'a str>, Option<&'a Milestone>);

/// The milestone's day, where it is not the one that tasks are put in and the
/// day is not the deadline already.
pub(super) fn deadline_of_milestone(
    (_, milestone): Dated<'_>,
    settings: &GithubSettings,
    handoff: &Handoff,
    days: WholeDays,
) -> Option<DateTime<Utc>> {
    let milestone = milestone?;
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
    let by = last.and_then(|event| event.actor.as_ref()).map(|actor| actor.login.clone());
    let is_own = own_login.zip(by.as_deref()).is_some_and(|(own, by)| own.eq_ignore_ascii_case(by));
    let at = last.map(|event| event.created_at);
    (!is_own).then(|| MovedDeadline { due, at, by, reference: task.address() })
}

/// The day in the project's date field, where it was changed after it was set.
pub(super) async fn deadline_of_project(
    api: &GithubApi,
    settings: &GithubSettings,
    (node, _): Dated<'_>,
    handoff: &Handoff,
    days: WholeDays,
    task: &TaskUrl,
) -> Result<Option<MovedDeadline>, DeliveryError> {
    let (Some(project), Some(node)) = (&settings.project, node) else { return Ok(None) };
    let Some(field) = &project.due_field else { return Ok(None) };
    let read = ask(api, READ, &json!({"task": node, "field": field})).await?;
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
