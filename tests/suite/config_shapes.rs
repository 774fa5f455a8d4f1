//! The JSON Schema of `handoff.yaml` and the program refuse the same: every
//! setting of a full example is put into every other shape, left out, nested
//! wrongly and given unknown keys. What only the program can know is listed.

use std::collections::BTreeMap;

use handoff::config::{CONFIG_SCHEMA, Config};
use serde_json::{Value, json};

/// What the schema takes and the program refuses: settings by the beginning of
/// their path, and why a schema cannot say it.
const ONLY_THE_PROGRAM: [(&str, &str); 12] = [
    ("/layout", "a strftime pattern that names the year"),
    ("/branch", "git's rules for the names of branches"),
    ("/timezone", "the names of the time zone database"),
    ("/brief", "expressions and fields are compiled"),
    ("/documents/0/when", "expressions are compiled"),
    ("/scope/exclude/0/when", "expressions are compiled"),
    ("/team", "people are named that must be listed, and rules that are never reached"),
    ("/first_touch/calendar/timezone", "the names of the time zone database"),
    ("/first_touch/calendar/hours", "opening hours follow each other"),
    ("/first_touch/calendar/holidays", "days of the calendar"),
    ("duration", "a duration has known units and is longer than nothing"),
    ("/reminders", "times before or after a deadline, and e-mail addresses"),
];

/// Settings that are durations.
const DURATIONS: [&str; 6] = [
    "/wait_for_deal",
    "/first_touch/within",
    "/handoff_within",
    "/limits/request",
    "/limits/remote",
    "/limits/run",
];

/// Words of Rust and serde that nobody should read in a message.
const JARGON: [&str; 14] = [
    "struct ",
    "enum ",
    "variant",
    "invalid type",
    "invalid value",
    "unknown field",
    "untagged",
    "Option",
    "::",
    "u64",
    "u8",
    "tuple",
    "sequence",
    "newtype",
];

fn example() -> Value {
    let text = include_str!("../fixtures/config/full.yaml");
    handoff::yaml::read(text.as_bytes()).unwrap().to_json()
}

/// The pointers of all values, parents before children.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                pointers(value, &format!("{at}/{key}"), into);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), into);
            }
        }
        _ => {}
    }
}

/// The example with one value changed.
fn with(example: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = example.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

fn mutations(example: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    let mut places = Vec::new();
    pointers(example, "", &mut places);
    for place in places {
        let old = example.pointer(&place).unwrap().clone();
        let shapes = [
            ("null", Value::Null),
            ("true", json!(true)),
            ("number", json!(5)),
            ("fraction", json!(5.5)),
            ("word", json!("text")),
            ("sentence", json!("no such thing!")),
            ("nothing", json!("")),
            ("no time", json!("0h")),
            ("no unit", json!("5 moons")),
            ("empty list", json!([])),
            ("list of texts", json!(["text"])),
            ("list of mappings", json!([{"a": 1}])),
            ("empty mapping", json!({})),
            ("mapping", json!({"nme": "x"})),
            ("in a list", json!([old.clone()])),
            ("nested", json!({ "value": old.clone() })),
        ];
        for (shape, value) in shapes {
            all.push((place.clone(), shape.to_owned(), with(example, &place, value)));
        }
        if let Value::Object(entries) = &old {
            let mut more = entries.clone();
            more.insert("unkonwn_key".to_owned(), json!(true));
            all.push((place.clone(), "unknown key".to_owned(), with(example, &place, more.into())));
            for key in entries.keys() {
                let mut fewer = entries.clone();
                fewer.remove(key);
                let changed = with(example, &place, fewer.into());
                all.push((format!("{place}/{key}"), "left out".to_owned(), changed));
            }
        }
        if let Value::Array(items) = &old {
            let mut more = items.clone();
            more.push(json!({"nested": [1]}));
            all.push((place.clone(), "wrong entry".to_owned(), with(example, &place, more.into())));
        }
    }
    all
}

#[test]
fn config_shapes_schema_and_program_refuse_the_same() {
    let validator = jsonschema::validator_for(&CONFIG_SCHEMA).unwrap();
    let example = example();
    assert!(validator.is_valid(&example), "{:?}", validator.iter_errors(&example).next());
    Config::parse(example.to_string().as_bytes()).expect("the example is right");
    let mut wrong = Vec::new();
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mutations = mutations(&example);
    for (place, shape, changed) in &mutations {
        let refused_by_schema =
            validator.iter_errors(changed).next().map(|error| error.to_string());
        let problems = Config::parse(changed.to_string().as_bytes()).err().unwrap_or_default();
        for problem in &problems {
            let said = format!("{} {}", problem.message, problem.help.as_deref().unwrap_or(""));
            if let Some(jargon) = JARGON.iter().find(|jargon| said.contains(*jargon)) {
                wrong.push(format!("{place} as {shape}: says {jargon:?}: {said}"));
            }
        }
        match (refused_by_schema, problems.first()) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(error), None) => {
                wrong.push(format!("{place} as {shape}: only the schema refuses it: {error}"));
            }
            (None, Some(problem)) => {
                let duration = shape.starts_with("no ") && DURATIONS.contains(&place.as_str());
                let reason =
                    ONLY_THE_PROGRAM.iter().map(|(beginning, _)| *beginning).find(|beginning| {
                        place.starts_with(beginning) || *beginning == "duration" && duration
                    });
                match reason {
                    Some(reason) => *used.entry(reason).or_default() += 1,
                    None => wrong.push(format!(
                        "{place} as {shape}: only the program refuses it: {}",
                        problem.message
                    )),
                }
            }
        }
    }
    assert!(mutations.len() > 800, "{} mutations", mutations.len());
    for (beginning, why) in ONLY_THE_PROGRAM {
        if !used.contains_key(beginning) {
            wrong.push(format!("{beginning} ({why}) is no exception: take it out of the list"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), mutations.len(), wrong.join("\n"));
}

#[test]
fn config_shapes_the_example_has_every_setting() {
    let mut missing = Vec::new();
    lacks(&CONFIG_SCHEMA, &[&example()], "", &mut missing);
    assert!(missing.is_empty(), "tests/fixtures/config/full.yaml lacks {missing:?}");
}

/// The settings of a schema that no example value has.
fn lacks(schema: &Value, examples: &[&Value], path: &str, missing: &mut Vec<String>) {
    for choice in choices(schema) {
        for (key, property) in choice["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{key}");
            if ["/esign", "/crm", "/deliver"].contains(&path.as_str()) {
                continue;
            }
            let values: Vec<&Value> = examples.iter().filter_map(|value| value.get(key)).collect();
            match values.is_empty() {
                true => missing.push(path),
                false => lacks(property, &values, &path, missing),
            }
        }
        if choice.get("items").is_some() {
            let entries: Vec<&Value> =
                examples.iter().filter_map(|value| value.as_array()).flatten().collect();
            lacks(&choice["items"], &entries, &format!("{path}[]"), missing);
        }
    }
}

fn choices(schema: &Value) -> Vec<&Value> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => CONFIG_SCHEMA.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    match ["anyOf", "oneOf"].iter().find_map(|keyword| schema[*keyword].as_array()) {
        Some(several) => several.iter().flat_map(choices).collect(),
        None => vec![schema],
    }
}
