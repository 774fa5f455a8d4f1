//! The JSON Schema of `handoff.yaml` and the program refuse the same: every
//! setting of a full example is put into every other shape, left out, nested
//! wrongly and given unknown keys. What only the program can know is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use handoff::config::{CONFIG_SCHEMA, Config};
use serde_json::{Value, json};

/// What the schema takes and the program refuses: settings by the beginning of
/// their path, and why a schema cannot say it.
const ONLY_THE_PROGRAM: [(&str, &str); 22] = [
    ("/layout", "a strftime pattern that names the year"),
    ("/branch", "git's rules for the names of branches"),
    ("/brief", "expressions and fields are compiled"),
    ("/team", "people are named that must be listed, and rules that are never reached"),
    ("/first_touch/calendar/hours", "opening hours follow each other"),
    ("/first_touch/calendar/holidays", "days of the calendar"),
    ("/reminders", "times before or after a deadline, and e-mail addresses"),
    ("/esign/senders", "what a sender must say depends on what it has said"),
    ("/crm/file/won", "expressions are compiled"),
    ("/crm/file/currency", "the codes of ISO 4217"),
    ("/crm/salesforce/webhook/organization_id", "the ids of Salesforce"),
    ("/deliver/since", "a time"),
    ("*timezone", "the names of the time zone database"),
    ("*api_version", "how a vendor counts its versions"),
    ("*base_url", "an address, plain http on loopback only"),
    ("*public_url", "the same"),
    ("*login_url", "the same"),
    ("*/url", "the same"),
    ("*/when", "expressions are compiled"),
    ("*/deal/id", "expressions are compiled"),
    ("*/deal/crm", "a name that is nearly a known one is a mistake"),
    ("duration", "a duration has known units and is longer than nothing"),
];

/// Settings that are durations.
const DURATIONS: [&str; 7] = [
    "/deliver/links/valid_for",
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

fn read(path: &Path) -> Value {
    handoff::yaml::read(&fs::read(path).unwrap()).unwrap().to_json()
}

/// Every setting, in parts so that each is read quickly: the ledger's own
/// sections, then each vendors' section, and one for each CRM. Each part with
/// the place below which it is changed.
fn examples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut own = read(&folder.join("full.yaml"));
    let mut parts = Vec::new();
    let mut alone = |section: &str, settings: Value| {
        parts
            .push((format!("/{section}"), json!({"version": 1, "map": "none", section: settings})));
    };
    for section in ["esign", "crm", "deliver"] {
        alone(section, own.as_object_mut().unwrap().remove(section).unwrap());
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join("crm")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        alone("crm", read(&file));
    }
    parts.push((String::new(), own));
    parts
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

fn mutations(below: &str, example: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    let mut places = Vec::new();
    pointers(example.pointer(below).unwrap(), below, &mut places);
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
        if place == "/esign" {
            let mut twice = old.as_object().unwrap().clone();
            twice.insert("dropbox-sign".to_owned(), json!({}));
            all.push((place.clone(), "twice".to_owned(), with(example, &place, twice.into())));
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
    let mut mutations = Vec::new();
    for (below, example) in examples() {
        assert!(validator.is_valid(&example), "{:?}", validator.iter_errors(&example).next());
        if let Err(problems) = Config::parse(example.to_string().as_bytes()) {
            panic!("the example is right: {problems:?}\n{}", example["crm"]);
        }
        mutations.extend(self::mutations(&below, &example));
    }
    let mut wrong = Vec::new();
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
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
                        let is_here = match beginning.strip_prefix('*') {
                            Some(end) => place.contains(end),
                            None => place.starts_with(beginning),
                        };
                        is_here || *beginning == "duration" && duration
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
    assert!(mutations.len() > 4000, "{} mutations", mutations.len());
    for (beginning, why) in ONLY_THE_PROGRAM {
        if !used.contains_key(beginning) {
            wrong.push(format!("{beginning} ({why}) is no exception: take it out of the list"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), mutations.len(), wrong.join("\n"));
}

#[test]
fn config_shapes_the_examples_have_every_setting() {
    let examples = examples();
    let examples: Vec<&Value> = examples.iter().map(|(_, example)| example).collect();
    let (mut there, mut all) = (BTreeSet::new(), BTreeMap::new());
    settings(&CONFIG_SCHEMA, &examples, "", &mut there, &mut all);
    let missing: Vec<&String> =
        all.iter().filter(|(setting, _)| !there.contains(*setting)).map(|(_, path)| path).collect();
    assert!(missing.is_empty(), "tests/fixtures/config lacks {missing:#?}");
}

/// A setting: the type that has it (or where it stands, without one), and its key.
type Setting = (String, String);

/// The settings of a schema, with where one of them stands, and those that an
/// example has. What several sections share is one setting.
fn settings(
    schema: &Value,
    examples: &[&Value],
    path: &str,
    there: &mut BTreeSet<Setting>,
    all: &mut BTreeMap<Setting, String>,
) {
    for (owner, choice) in choices(schema, path) {
        for (key, property) in choice["properties"].as_object().into_iter().flatten() {
            // The same section by another spelling.
            if path == "/esign" && key.contains('-') {
                continue;
            }
            let path = format!("{path}/{key}");
            let setting = (owner.clone(), key.clone());
            let values: Vec<&Value> = examples.iter().filter_map(|value| value.get(key)).collect();
            all.insert(setting.clone(), path.clone());
            if !values.is_empty() {
                there.insert(setting);
                settings(property, &values, &path, there, all);
            }
        }
        if choice["additionalProperties"].is_object() {
            let entries = examples.iter().filter_map(|value| value.as_object());
            let entries: Vec<&Value> = entries.flat_map(|entries| entries.values()).collect();
            settings(&choice["additionalProperties"], &entries, &format!("{path}/*"), there, all);
        }
        if choice.get("items").is_some() {
            let entries: Vec<&Value> =
                examples.iter().filter_map(|value| value.as_array()).flatten().collect();
            settings(&choice["items"], &entries, &format!("{path}[]"), there, all);
        }
    }
}

/// What a schema can be, each with the name of its type.
fn choices<'a>(schema: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let (name, schema) = match schema["$ref"].as_str() {
        Some(name) => (name, CONFIG_SCHEMA.pointer(name.trim_start_matches('#')).unwrap()),
        None => (path, schema),
    };
    match ["anyOf", "oneOf"].iter().find_map(|keyword| schema[*keyword].as_array()) {
        Some(several) => several.iter().flat_map(|choice| choices(choice, name)).collect(),
        None => vec![(name.to_owned(), schema)],
    }
}
