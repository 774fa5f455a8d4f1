//! `schema/config.schema.json` and the tables of docs/configuration.md are made
//! from the types that read `handoff.yaml`. `UPDATE=1 cargo test config_reference`
//! writes both again.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use handoff::config::CONFIG_SCHEMA;
use serde_json::Value;

const BEGIN: &str =
    "<!-- generated from the settings' types: `UPDATE=1 cargo test config_reference` -->";
const END: &str = "<!-- end of what is generated -->";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it should hold, or writes it.
#[track_caller]
fn holds(name: &str, wanted: &str) {
    let file = path(name);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&file, wanted).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    let differs = there.lines().zip(wanted.lines()).position(|(there, wanted)| there != wanted);
    assert!(
        there == wanted,
        "{name} differs from the types that read the settings, first in line {}.\nRun `UPDATE=1 cargo test config_reference` and commit what it writes.",
        differs.map_or(there.lines().count(), |at| at) + 1
    );
}

#[test]
fn config_reference_the_schema_is_made_from_the_types() {
    let mut text = serde_json::to_string_pretty(&*CONFIG_SCHEMA).unwrap();
    text.push('\n');
    holds("schema/config.schema.json", &text);
}

#[test]
fn config_reference_the_schemas_of_results_are_made_from_their_types() {
    let of_results = [
        ("plan", schemars::schema_for!(handoff::workflow::Plan)),
        ("proposed", schemars::schema_for!(handoff::brief::Proposals)),
        ("sources", schemars::schema_for!(handoff::brief::BriefSources)),
        ("why", schemars::schema_for!(handoff::workflow::Why)),
    ];
    for (name, schema) in of_results {
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        holds(&format!("schema/{name}.schema.json"), &text);
    }
}

#[test]
fn config_reference_the_page_is_made_from_the_types() {
    let page = fs::read_to_string(path("docs/configuration.md")).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the first mark");
    let (_, after) = rest.split_once(END).expect("the page has the second mark");
    let mut tables = String::new();
    section(&mut tables, "", &CONFIG_SCHEMA);
    holds("docs/configuration.md", &format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"));
}

#[test]
fn config_reference_every_mapping_of_settings_is_closed_and_described() {
    let mut wrong = Vec::new();
    each_schema("#", &CONFIG_SCHEMA, &mut |place, schema| {
        let Some(properties) = schema["properties"].as_object() else { return };
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            wrong.push(format!("{place} takes keys that nobody knows"));
        }
        for (key, property) in properties {
            if text_of(property).is_empty() {
                wrong.push(format!("{place} does not say what `{key}` is"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn config_reference_the_schema_uses_only_what_the_program_checks() {
    // A section that is there twice, by its two spellings, is for the program (`allOf`).
    const KNOWN: [&str; 26] = [
        "allOf",
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "title",
        "description",
        "examples",
        "default",
        "type",
        "properties",
        "additionalProperties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "minimum",
        "maximum",
        "minLength",
        "minItems",
        "pattern",
        "format",
        "maxProperties",
        "propertyNames",
    ];
    let mut wrong = Vec::new();
    each_schema("#", &CONFIG_SCHEMA, &mut |place, schema| {
        for keyword in schema.as_object().into_iter().flatten().map(|(keyword, _)| keyword) {
            if !KNOWN.contains(&keyword.as_str()) {
                wrong.push(format!("{place}: `{keyword}` is not known to settings::check_shape"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Visits a schema and every schema inside of it.
fn each_schema(place: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(place, schema);
    for keyword in ["properties", "$defs"] {
        for (key, inner) in schema[keyword].as_object().into_iter().flatten() {
            each_schema(&format!("{place}/{keyword}/{key}"), inner, visit);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            each_schema(&format!("{place}/{keyword}"), &schema[keyword], visit);
        }
    }
    for keyword in ["anyOf", "oneOf"] {
        for (index, inner) in schema[keyword].as_array().into_iter().flatten().enumerate() {
            each_schema(&format!("{place}/{keyword}/{index}"), inner, visit);
        }
    }
}

/// The schema behind a reference; the reference's own words come first.
fn target(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => CONFIG_SCHEMA.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// What a schema can be, without null.
fn choices(schema: &Value) -> Vec<&Value> {
    let schema = target(schema);
    let several = ["anyOf", "oneOf"].iter().find_map(|keyword| schema[*keyword].as_array());
    let choices = match several {
        Some(several) => several.iter().flat_map(choices).collect(),
        None => vec![schema],
    };
    choices.into_iter().filter(|choice| choice["type"] != "null").collect()
}

fn text_of(schema: &Value) -> String {
    let own = schema["description"].as_str();
    let text = own
        .or_else(|| target(schema)["description"].as_str())
        .or_else(|| choices(schema).iter().find_map(|choice| choice["description"].as_str()));
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A section of the page for a mapping, then one for each mapping inside of it.
fn section(page: &mut String, path: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let title = if path.is_empty() { "handoff.yaml" } else { path };
    writeln!(page, "{} `{title}`\n", if path.contains('.') { "###" } else { "##" }).unwrap();
    if !path.is_empty() {
        writeln!(page, "{}\n", text_of(schema)).unwrap();
    }
    if let Some(example) = schema["examples"].get(0) {
        let key = path.trim_end_matches("[]").rsplit('.').next().unwrap_or_default();
        let item = if path.ends_with("[]") { "- " } else { "" };
        writeln!(page, "```yaml\n{key}:\n  {item}{}\n```\n", flow(example)).unwrap();
    }
    if !properties.is_empty() {
        writeln!(page, "| key | value | what it is |\n|---|---|---|").unwrap();
    }
    let required = |key: &str| {
        schema["required"].as_array().into_iter().flatten().any(|required| required == key)
    };
    // Some keys have a second spelling, with dashes.
    let other = |key: &str| Some(key.replace('_', "-")).filter(|it| it != key);
    let alias = |key: &str| other(key).filter(|it| properties.contains_key(it));
    let is_alias = |key: &str| properties.keys().any(|it| alias(it).is_some_and(|it| it == key));
    for (key, property) in properties.iter().filter(|(key, _)| !is_alias(key)) {
        let value = choices(property).iter().map(|choice| kind(choice)).collect::<Vec<_>>();
        let mut value: Vec<String> = value.into_iter().filter(|kind| !kind.is_empty()).collect();
        value.dedup();
        let words: Vec<String> =
            choices(property).iter().filter_map(|c| described_word(c)).collect();
        let mut text = text_of(property);
        if !words.is_empty() {
            write!(text, " {}", words.join(" ")).unwrap();
        }
        let also = alias(key).map(|it| format!(" or `{it}`")).unwrap_or_default();
        let needed = if required(key) { " (required)" } else { "" };
        writeln!(
            page,
            "| `{key}`{also}{needed} | {} | {} |",
            value.join(" or "),
            text.replace('|', "\\|")
        )
        .unwrap();
    }
    page.push('\n');
    for (key, property) in properties.iter().filter(|(key, _)| !is_alias(key)) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        for choice in choices(property) {
            if choice["properties"].is_object() {
                section(page, &path, choice);
            }
            if choice["items"].is_object() {
                for item in self::choices(&choice["items"]) {
                    section(page, &format!("{path}[]"), item);
                }
            }
        }
    }
}

/// ``` `contract`: a contract.``` for a word of an enumeration that is described.
fn described_word(schema: &Value) -> Option<String> {
    let word = schema["const"].as_str()?;
    let text = schema["description"].as_str()?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("`{word}`: {}", lower_first(&text)))
}

fn lower_first(text: &str) -> String {
    let article = ["A ", "An ", "The ", "They ", "Only ", "Nothing "];
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if article.iter().any(|word| text.starts_with(word)) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// What a value of this schema is, in a word.
fn kind(schema: &Value) -> String {
    if let Some(constant) = schema.get("const") {
        return constant
            .as_str()
            .map_or_else(|| format!("`{constant}`"), |word| format!("`{word}`"));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
        return words.collect::<Vec<_>>().join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned(),
        kind => Some(kind.clone()),
    };
    match kinds.as_ref().and_then(Value::as_str).unwrap_or_default() {
        "object" => "mapping".to_owned(),
        "array" => "list".to_owned(),
        "string" => schema["title"].as_str().map_or("text", |_| "duration").to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => "whole number".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::String(text)
            if text.starts_with(char::is_alphanumeric)
                && text.chars().all(|c| c.is_alphanumeric() || "_-.@/".contains(c)) =>
        {
            text.clone()
        }
        _ => value.to_string(),
    }
}
