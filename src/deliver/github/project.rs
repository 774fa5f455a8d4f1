//! Puts a task on a GitHub project, with its deadline. Only GraphQL can.

use chrono::NaiveDate;
use http::Method;
use serde_json::{Value, json};

use super::api::Api;
use super::settings::ProjectSettings;
use crate::deliver::DeliveryError;
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
    api: &Api,
    settings: &ProjectSettings,
    node: &str,
    due: Option<NaiveDate>,
) -> Result<(), DeliveryError> {
    let field = settings.due_field.as_deref().unwrap_or_default();
    let variables = json!({"owner": settings.owner, "number": settings.number, "field": field});
    let found = ask(api, FIND, &variables).await?;
    let project = &found["repositoryOwner"]["projectV2"];
    let missing = |what: String| DeliveryError::Permanent {
        message: what,
        help: "check deliver.github.project, and that the token has the project scope".to_owned(),
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
pub(super) async fn ask(api: &Api, query: &str, variables: &Value) -> Result<Value, DeliveryError> {
    let body = json!({"query": query, "variables": variables});
    let mut answer = api.write(Method::POST, "/graphql", &body).await?.body;
    if let Some(error) = answer["errors"].get(0) {
        return Err(DeliveryError::Permanent {
            message: format!(
                "GitHub's GraphQL refused: {}",
                text::quoted(error["message"].as_str().unwrap_or("no reason given"))
            ),
            help: "check the token's scopes: project, and read:org for an organisation".to_owned(),
        });
    }
    Ok(answer["data"].take())
}
