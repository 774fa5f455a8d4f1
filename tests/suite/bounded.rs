//! Nothing in a ledger can make handoff hang or exhaust memory: templates,
//! expressions of the settings, the schema.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use handoff::brief::{SHIPPED_SCHEMA, Schema, SchemaError};
use serde_json::{Value, json};

use crate::sandbox::{NOW, Ran, Sandbox, fixture, ran};

/// Runs the binary with half a gibibyte of address space; killed, and failed,
/// when it does not end.
fn bounded(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let mut command: Command = sandbox.command("sh", sandbox.join("l"));
    command
        .args(["-c", "ulimit -v 524288 2>/dev/null; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_handoff"))
        .args(["--now", NOW])
        .args(arguments)
        // An arena of glibc takes 64 MiB of address space for each thread.
        .env("MALLOC_ARENA_MAX", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    let line = format!("handoff {}", arguments.join(" "));
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("`{line}` does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ran(&child.wait_with_output().unwrap(), line)
}

fn refuses(ran: &Ran, what: &str, words: &[&str]) {
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!((1..=3).contains(&ran.code), "{what}: `{}` ends with {}\n{told}", ran.line, ran.code);
    assert!(words.iter().any(|word| told.contains(word)), "{what}: `{}`\n{told}", ran.line);
}

const REFUSED: [&str; 8] = [
    "too many steps",
    "more than 4 MiB",
    "more than 32 MiB",
    "nested too deeply",
    "a template stands alone",
    "too large",
    "there is no filter",
    "at most 256 KiB",
];

/// Templates that would take for ever or all the memory there is.
fn bombs() -> Vec<(&'static str, String)> {
    let doubled = "{% set ns.x = ns.x ~ ns.x %}";
    vec![
        ("sixty doublings", format!("{{% set ns = namespace(x='ab') %}}{}{{{{ ns.x }}}}", doubled.repeat(60))),
        ("doublings in a loop", format!("{{% set ns = namespace(x='ab') %}}{{% for i in range(60) %}}{doubled}{{% endfor %}}")),
        ("lists in lists", "{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}".to_owned()),
        ("lists added", "{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x | join }}".to_owned()),
        ("captured twice", "{% set x %}abcdefgh{% endset %}".to_owned() + &"{% set x %}{{ x }}{{ x }}{% endset %}".repeat(60)),
        ("replaced", "{{ ('a' * 9999) | replace('a', 'b' * 9999) }}".to_owned()),
        ("repeated", "{{ 'a' * 99999999 }}{{ ('a' * 9999999) * 99 }}".to_owned()),
        ("joined", "{{ range(9999) | join('a' * 9999) }}".to_owned()),
        ("indented", "{{ ('\\n' * 999999) | indent(9999) }}".to_owned()),
        ("padded", "{{ '%999999999d' | format(1) }}".to_owned()),
        ("batched", "{{ [1] | batch(999999999, 0) | list }}".to_owned()),
        ("mapped", "{{ range(9999) | map('string') | map('replace', '1', 'a' * 99999) | list }}".to_owned()),
        ("loops in loops", "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}".to_owned()),
        ("a macro without an end", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned()),
        ("included", "{% include 'brief.md.j2' %}".to_owned()),
        ("a long template", "{{ 'x' }}".repeat(40_000)),
    ]
}

fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("l", &["sign", &event, "--as", "contract", "--no-deliver"]);
    if fs::read_dir(sandbox.join("l/briefs")).is_err() {
        sandbox.handoff("l", &["sign", &event, "--no-deliver"]).exits(0);
    }
    sandbox
}

/// The key of the one handoff.
fn key(sandbox: &Sandbox) -> String {
    let listed = sandbox.git("l", &["ls-files", "briefs/*/brief.yaml"]);
    let folder = listed.trim().trim_end_matches("/brief.yaml");
    folder.rsplit_once("--").expect("one handoff").1.to_owned()
}

#[test]
fn a_template_of_the_ledger_ends_whatever_it_says() {
    let sandbox = ledger();
    let key = key(&sandbox);
    for (what, bomb) in bombs() {
        sandbox.write("l/templates/brief.md.j2", &bomb);
        refuses(&bounded(&sandbox, &["validate"]), what, &REFUSED);
        refuses(&bounded(&sandbox, &["render", &key]), what, &REFUSED);
    }
}

/// Expressions of that kind for `brief:` and `scope:`.
const EXPRESSIONS: [&str; 10] = [
    "('a' * 9999) | replace('a', 'b' * 9999)",
    "(('a' * 9999) ~ ('b' * 9999)) * 9999",
    "'ab' * 9000000000000000000",
    "9000000000000000000 * 'ab'",
    "[1, 2] * 9000000000000000000",
    "range(9999) | join('a' * 9999)",
    "range(99999) | map('string') | map('replace', '1', 'a' * 99999) | list",
    "('\\n' * 999999) | indent(9999)",
    "'%999999999d' | format(1)",
    "range(99999) | map('upper') | map('upper') | list | length > 1 and range(99999) | map('upper') | list",
];

#[test]
fn an_expression_of_the_settings_ends_whatever_it_says() {
    let sandbox = ledger();
    let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.write("l/deals.csv", "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won\n1,A,Closed Won,2026-11-02 10:00,true\n");
    for source in EXPRESSIONS {
        let quoted = serde_json::to_string(source).unwrap();
        let rule = format!("\nscope:\n  exclude:\n    - {{when: {quoted}, reason: x}}\n");
        let without: String = settings
            .lines()
            .filter(|line| {
                !line.starts_with("scope:") && !line.trim_start().starts_with("exclude:")
            })
            .map(|line| format!("{line}\n"))
            .collect();
        sandbox.write("l/handoff.yaml", without.clone() + &rule);
        // An audit reads the settings that are committed.
        sandbox.git("l", &["commit", "-qam", "the settings"]);
        refuses(&bounded(&sandbox, &["audit", "--deals", "deals.csv"]), source, &REFUSED);
        let mapped = format!("\nbrief:\n  success.metric: {quoted}\n");
        let without: String = without
            .lines()
            .filter(|line| !line.starts_with("brief:"))
            .map(|line| format!("{line}\n"))
            .collect();
        sandbox.write("l/handoff.yaml", without + &mapped);
        // The answer is left out and named; the handoff is made all the same.
        let signed = bounded(&sandbox, &["sign", &event, "--no-deliver"]);
        assert!((0..=3).contains(&signed.code), "{source}: {}", signed.stderr);
        let told = format!("{}{}", signed.stdout, signed.stderr);
        let named = REFUSED.iter().any(|word| told.contains(word));
        assert!(named || told.contains("already"), "{source}: {told}");
    }
}

fn schemas() -> Vec<(&'static str, Value)> {
    let shipped: Value = serde_json::from_str(SHIPPED_SCHEMA).unwrap();
    let with = |definitions: Value, field: Value| {
        let mut schema = shipped.clone();
        let defs = schema["$defs"].as_object_mut().unwrap();
        defs.extend(definitions.as_object().unwrap().clone());
        schema["properties"]["own"] = field;
        schema
    };
    let mut nested = serde_json::Map::new();
    let mut branching = serde_json::Map::new();
    for level in 0..9 {
        let reference = json!({"$ref": format!("#/$defs/level{}", level + 1)});
        nested.insert(format!("level{level}"), json!({"anyOf": vec![reference.clone(); 6]}));
        let fields: serde_json::Map<String, Value> =
            (0..6).map(|field| (format!("f{field}"), reference.clone())).collect();
        branching.insert(format!("level{level}"), json!({"properties": fields}));
    }
    nested.insert("level9".to_owned(), json!({"const": "x"}));
    branching.insert("level9".to_owned(), json!({"const": "x"}));
    let top = json!({"$ref": "#/$defs/level0"});
    let selves: serde_json::Map<String, Value> =
        (0..6).map(|field| (format!("f{field}"), json!({"$ref": "#/$defs/own"}))).collect();
    vec![
        ("nine levels of anyOf", with(nested.into(), top.clone())),
        ("nine levels of fields", with(branching.into(), top)),
        (
            "six of itself",
            with(json!({"own": {"properties": selves}}), json!({"$ref": "#/$defs/own"})),
        ),
        (
            "itself twice along one path",
            with(
                json!({"own": {"anyOf": [
                    {"properties": {"x": {"$ref": "#/$defs/own"}}},
                    {"properties": {"x": {"$ref": "#/$defs/own"}}, "required": ["x"]},
                ]}}),
                json!({"$ref": "#/$defs/own"}),
            ),
        ),
    ]
}

#[test]
fn every_keyword_that_holds_schemas_is_counted() {
    let shipped: Value = serde_json::from_str(SHIPPED_SCHEMA).unwrap();
    let deep = |levels: usize, inside: &dyn Fn(Value) -> Value| {
        let mut schema = shipped.clone();
        let definitions = schema["$defs"].as_object_mut().unwrap();
        for level in 0..levels {
            let below = json!({"$ref": format!("#/$defs/level{}", level + 1)});
            definitions.insert(format!("level{level}"), inside(below));
        }
        definitions.insert(format!("level{levels}"), json!({"const": "x"}));
        schema["properties"]["own"] = json!({"$ref": "#/$defs/level0"});
        Schema::compile(schema.to_string().as_bytes())
    };
    type Inside = fn(Value) -> Value;
    let keywords: [(&str, Inside); 8] = [
        ("if", |it| json!({"if": it, "then": it, "else": it, "not": it})),
        (
            "dependentSchemas",
            |it| json!({"dependentSchemas": {"a": it, "b": it, "c": it, "d": it}}),
        ),
        ("prefixItems", |it| json!({"prefixItems": vec![it; 4]})),
        ("allOf", |it| json!({"allOf": vec![it; 4]})),
        ("oneOf", |it| json!({"oneOf": vec![it; 4]})),
        ("items", |it| {
            let (items, rest) = (it.clone(), it.clone());
            json!({"items": items, "contains": it, "additionalProperties": rest, "propertyNames": it})
        }),
        (
            "patternProperties",
            |it| json!({"patternProperties": {"a": it, "b": it, "c": it, "d": it}}),
        ),
        (
            "unevaluatedItems",
            |it| json!({"unevaluatedItems": it, "unevaluatedProperties": it, "contains": it, "items": it}),
        ),
    ];
    for (what, inside) in keywords {
        let refused = deep(10, &inside).expect_err(what);
        assert!(matches!(refused, SchemaError::TooLarge { .. }), "{what}: {refused}");
        deep(2, &inside).expect(what);
    }
}

#[test]
fn a_schema_of_the_ledger_is_counted_before_it_is_used() {
    let sandbox = ledger();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let key = key(&sandbox);
    for (what, schema) in schemas() {
        let text = serde_json::to_string(&schema).unwrap();
        let refused = Schema::compile(text.as_bytes()).expect_err(what);
        assert!(matches!(refused, SchemaError::TooLarge { .. }), "{what}: {refused}");
        sandbox.write("l/schema/brief.schema.json", text);
        for command in [&["validate"][..], &["render", &key], &["sign", &event, "--no-deliver"]] {
            refuses(&bounded(&sandbox, command), what, &REFUSED);
        }
    }
    let endless = json!({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}},
        "properties": {"schema": {}, "key": {"$ref": "#/$defs/a"}}});
    let outside = json!({"properties": {"schema": {}, "key": {"$ref": "https://x.example/y"}}});
    for (schema, words) in [(endless, "refers to itself"), (outside, "leads out of the schema")] {
        let refused = Schema::compile(schema.to_string().as_bytes()).expect_err(words);
        assert!(refused.to_string().contains(words), "{refused}");
    }
    // A definition that refers to itself once, as a tree of tasks does, is a schema like any.
    let tree = json!({"$defs": {"task": {"properties": {"name": {"type": "string"},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/task"}}}}},
        "properties": {"schema": {}, "key": {}, "task": {"$ref": "#/$defs/task"}}});
    Schema::compile(tree.to_string().as_bytes()).expect("a tree");
}
