//! `.github/ISSUE_TEMPLATE/handoff.yml`, after
//! <https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema>.

use serde_json::{Value, json};

use super::{Input, inputs};
use crate::brief::question;
use crate::brief::schema::{Field, Schema, Shape, flow};
use crate::yaml;

/// The form that asks for what a schema owes: a heading for each question, an
/// input for each answer. Nothing is obligatory: an incomplete brief is
/// better than none.
#[must_use]
pub fn issue_form(schema: &Schema) -> String {
    let mut body = vec![json!({
        "type": "markdown",
        "attributes": {"value": "What customer success needs to know. Leave open what you do not know, and write `none` where you asked and there is none."},
    })];
    let mut last = 0;
    for (index, input) in inputs(schema).iter().enumerate() {
        if input.question != last {
            last = input.question;
            let words = question(last).unwrap_or_default();
            body.push(
                json!({"type": "markdown", "attributes": {"value": format!("## {last}. {words}")}}),
            );
        }
        body.push(element(index, input));
    }
    let form = json!({
        "name": "Handoff",
        "description": "A signed contract for customer success",
        "title": "Handoff: ",
        "labels": ["handoff-form"],
        "body": body,
    });
    format!(
        "# Made by handoff from schema/brief.schema.json. Change the schema, delete this file\n\
         # and run `handoff init` again; `handoff sign --form` reads what people fill in.\n{}",
        yaml::write(&form)
    )
}

fn element(index: usize, input: &Input<'_>) -> Value {
    let field = input.field;
    let mut attributes = json!({"label": input.label});
    if let Some(description) = description(field) {
        attributes["description"] = json!(description);
    }
    let kind = if !field.choices.is_empty() {
        attributes["options"] = json!(field.choices);
        "dropdown"
    } else {
        if let Some(example) = placeholder(field) {
            attributes["placeholder"] = json!(example);
        }
        if matches!(field.shape, Shape::Value) { "input" } else { "textarea" }
    };
    json!({
        "type": kind,
        // GitHub takes letters, digits, `-` and `_`.
        "id": format!(
            "{}_{index}",
            input.path.join("_").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_")
        ),
        "attributes": attributes,
        "validations": {"required": false},
    })
}

/// What belongs there, and how to write more than one thing.
pub(super) fn description(field: &Field) -> Option<String> {
    let how = match &field.shape {
        Shape::List(_) if field.allows_none => Some("One on each line, or `none`."),
        Shape::List(_) => Some("One on each line."),
        Shape::Mapping { .. } => Some("One of these on each line, as in the example."),
        Shape::Value => None,
    };
    let words: Vec<&str> = field.description.as_deref().into_iter().chain(how).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A good answer in the form in which it is to be written.
pub(super) fn placeholder(field: &Field) -> Option<String> {
    match &field.shape {
        Shape::Mapping { fields, .. } => {
            let example = field.example.as_ref();
            let lines: Vec<String> = fields
                .iter()
                .filter_map(|inner| {
                    let value =
                        example.and_then(|it| it.get(&inner.name)).or(inner.example.as_ref())?;
                    Some(format!("{}: {}", inner.name, flow(value)))
                })
                .collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        }
        Shape::List(_) => {
            let items = field.example.as_ref()?.as_array()?;
            let lines: Vec<String> = items
                .iter()
                .map(|item| match item.as_str() {
                    Some(text) => text.to_owned(),
                    None => format!("- {}", flow(item)),
                })
                .collect();
            Some(lines.join("\n"))
        }
        Shape::Value => field.example.as_ref().map(|example| match example.as_str() {
            Some(text) => text.to_owned(),
            None => flow(example),
        }),
    }
}
