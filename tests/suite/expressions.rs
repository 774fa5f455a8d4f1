//! Expressions: what they may read, what they decide, and that nothing in a
//! ledger can make them hang or exhaust memory.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use handoff::brief::{
    Decision, Expression, FirstTouch, Holds, Mapping, RECORDS, SHIPPED_SCHEMA, Schema, SchemaError,
};
use handoff::model::{
    Company, Contact, CrmName, Deal, DealId, DealRef, DocumentId, LineItem, Money, Person,
    ProviderName, Signature, Signer,
};
use handoff::yaml::Span;
use serde_json::{Value, json};

use crate::sandbox::{NOW, Ran, Sandbox, fixture, ran};

fn deal() -> Deal {
    let text = |text: &str| Some(text.to_owned());
    let person = Person { name: text("Riley Ross"), email: text("riley@example.com") };
    let time = "2026-11-20T15:00:00Z".parse().ok();
    Deal {
        name: text("Acme"),
        url: text("https://crm.example/1"),
        owner: Some(person),
        amount: Money::parse("48000.00", Some("USD")).ok(),
        stage: text("Won"),
        pipeline: text("Sales"),
        closed_won_at: time,
        closed_won_evidence: text("stage history"),
        merged_ids: vec![DealId::new("7")],
        company: Some(Company {
            id: text("1"),
            name: text("Acme"),
            website: text("https://acme.example"),
            industry: text("Steel"),
            employees: Some(12),
            properties: serde_json::Map::new(),
        }),
        contacts: vec![Contact {
            id: text("1"),
            name: text("Dana"),
            email: text("dana@acme.example"),
            title: text("COO"),
            phone: text("1"),
            roles: vec!["champion".to_owned()],
            properties: serde_json::Map::new(),
        }],
        line_items: vec![LineItem {
            name: text("Platform"),
            sku: text("P"),
            quantity: text("50"),
            price: text("960.00"),
            properties: serde_json::Map::new(),
        }],
        ..Deal::new(CrmName::new("csv"), DealId::new("1"))
    }
}

fn signature() -> Signature {
    let text = |text: &str| Some(text.to_owned());
    let time = "2026-11-20T15:00:00Z".parse().ok();
    Signature {
        document_name: text("Order"),
        signed_at: time,
        url: text("https://sign.example/1"),
        signers: vec![Signer {
            name: text("Dana"),
            email: text("dana@acme.example"),
            role: text("Client"),
            signed_at: time,
            signed: Some(true),
        }],
        deal_refs: vec![DealRef { crm: Some(CrmName::new("csv")), id: DealId::new("1") }],
        total: Money::parse("1.00", Some("USD")).ok(),
        template: text("MSA"),
        template_id: text("t1"),
        folder: text("Sales"),
        tags: vec!["order".to_owned()],
        sender: Some(Person { name: text("Riley"), email: text("riley@example.com") }),
        customer: text("Acme"),
        test: true,
        remarks: vec!["by hand".to_owned()],
        ..Signature::new(ProviderName::new("pandadoc"), DocumentId::new("d1"))
    }
}

/// Every field of the sample is in the table with its kind, and the reverse.
fn same(path: &str, holds: Holds, sample: &Value) {
    match (holds, sample) {
        (Holds::Open, _) => {}
        (Holds::Text, Value::String(_)) | (Holds::Flag, Value::Bool(_)) => {}
        (Holds::Number, Value::Number(_)) => {}
        (Holds::Number, Value::String(text)) => assert!(text.parse::<f64>().is_ok(), "{path}"),
        (Holds::Money, Value::Object(money)) => {
            assert_eq!(money.keys().collect::<Vec<_>>(), ["amount", "currency"], "{path}");
        }
        (Holds::List(element), Value::Array(items)) => {
            assert!(!items.is_empty(), "the sample has an item of {path}");
            same(&format!("{path}[0]"), *element, &items[0]);
        }
        (Holds::Record(fields) | Holds::Crm(_, fields), Value::Object(entries)) => {
            for (name, value) in entries {
                let known = fields.iter().find(|(known, _)| known == name);
                let (_, holds) = known.unwrap_or_else(|| panic!("the table lacks {path}.{name}"));
                same(&format!("{path}.{name}"), *holds, value);
            }
            for (name, holds) in fields {
                let there = entries.contains_key(*name) || *holds == Holds::Open;
                assert!(there, "no {path}.{name} in the model");
            }
        }
        (holds, sample) => panic!("{path} is {sample}, and the table says {holds:?}"),
    }
}

#[test]
fn the_table_of_records_is_what_the_model_has() {
    let (deal, signature) = (deal(), signature());
    let touch = FirstTouch {
        by: Some("Thu".to_owned()),
        due: Some("2026".to_owned()),
        within: "24 hours".to_owned(),
    };
    let json = serde_json::to_value(&deal).unwrap();
    for (name, holds) in RECORDS {
        let sample = match name {
            "signature" => serde_json::to_value(&signature).unwrap(),
            "deal" => json.clone(),
            "first_touch" => serde_json::to_value(&touch).unwrap(),
            "brief" => continue,
            part => json[part].clone(),
        };
        same(name, holds, &sample);
    }
}

const NAMES: [&str; 7] =
    ["signature", "deal", "company", "contacts", "line_items", "brief", "first_touch"];

#[test]
fn what_a_record_does_not_have_is_a_problem_with_a_suggestion() {
    for (source, help) in [
        ("deal.nmae", "did you mean `deal.name`?"),
        ("deal.amount.value", "did you mean `deal.amount.amount`?"),
        ("deal.owner.mail", "did you mean `deal.owner.email`?"),
        ("deal['stge'] == 'x'", "did you mean `deal.stage`?"),
        ("dael.name", "did you mean `deal`?"),
        ("contacts.name", "write `contacts[0].name` for the first"),
        ("contacts|map(attribute='nmae')", "did you mean `contacts.name`?"),
        ("contacts|selectattr('titel')|list", "did you mean `contacts.title`?"),
        ("deal.name.first", "write `deal.name` alone"),
        ("signature.folders", "did you mean `signature.folder`?"),
        ("' within ' ~ first_touch", "write one of them: `first_touch.by`"),
        ("deal.name < 60", "compare with a number: `deal.name | number < 60`"),
        ("deal.amount < 'sixty'", "write a number: `deal.amount < 60`"),
        ("contacts > 3", "compare how many there are: `contacts | length > 1`"),
        ("deal.owner == 'Riley'", "compare one of its parts: `deal.owner.name`"),
    ] {
        let problems = Expression::compile(source).expect(source).problems(&NAMES);
        let told: Vec<String> =
            problems.iter().filter_map(|problem| problem.help.clone()).collect();
        assert!(told.iter().any(|told| told.contains(help)), "{source}: {problems:?}");
    }
    for source in [
        "deal.amount < 60",
        "deal.amount.amount | number > 5 and company.employees > 10",
        "deal.properties.anything.label == 'x' or deal.properties['x y'] < 60",
        "contacts|map(attribute='properties.x')|first or contacts[0].email",
        "line_items | length > 1 and signature.metadata.plan == 'x'",
        "(company or deal) | property('Tier')",
        "deal.closed_won_at < '2026-01-01' and signature.total.currency == 'USD'",
        "line_items | products(billing='recurringbillingfrequency', currency=deal.amount.currency)",
    ] {
        assert_eq!(Expression::compile(source).expect(source).problems(&NAMES), [], "{source}");
    }
    for (source, message) in [
        ("deal.name | uper", "there is no filter `uper`"),
        ("contacts | map('uper')", "there is no filter `uper`"),
        ("deal.name is sting", "there is no test `sting`"),
        ("rnage(3)", "there is no function `rnage`"),
    ] {
        assert_eq!(Expression::compile(source).expect_err(source).message, message);
    }
}

#[test]
fn what_an_expression_reads_of_a_brief_is_held_against_the_schema() {
    let outline = Schema::shipped().outline();
    let rule = Expression::compile("customer.teir == 'growth' and customer.tier").unwrap();
    let problems = rule.problems_in_brief(outline, None);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `customer.tier`?"));

    let own = |field: &str, source: &str| (field.to_owned(), source.to_owned(), Span::default());
    let mapping = Mapping::compile(
        Some("csv"),
        &[
            own("customer.teir", "deal.stage"),
            own("succes.metric", "deal.stage"),
            own("customer.name.short", "deal.name"),
            own("success.metric", "brief.customer.sise"),
            own("contacts.technical_owner", "contacts | role('technical_owner')"),
        ],
    )
    .unwrap();
    let problems = mapping.check(Schema::shipped());
    let helps: Vec<&str> = problems.iter().filter_map(|problem| problem.help.as_deref()).collect();
    for help in [
        "did you mean `customer.tier`?",
        "did you mean `success`?",
        "map `customer.name` itself",
        "did you mean `brief.customer.size`?",
    ] {
        assert!(helps.contains(&help), "{help}: {problems:?}");
    }
    assert_eq!(problems.len(), 4, "{problems:?}");
    for base in ["hubspot", "salesforce", "pipedrive", "csv", "none"] {
        let compiled = Mapping::compile(Some(base), &[]).unwrap();
        for field in compiled.fields() {
            // Each field of a default mapping has its place in the shipped schema.
            let pointer = format!("/{}", field.replace('.', "/"));
            assert!(Schema::shipped().outline().field(&pointer).is_some(), "{base}: {field}");
        }
    }
}

#[test]
fn a_rule_is_decided_by_what_is_there() {
    let context = json!({
        "deal": {
            "name": "Acme", "amount": {"amount": "59.50", "currency": "USD"},
            "properties": {
                "seats": "9", "size": "1,200.50", "stage": "Won", "blank": " ", "test": "false",
                "option": {"label": "Enterprise", "value": "ent"},
                "fee": {"amount": "10.00", "currency": "EUR"},
            },
        },
        "contacts": [],
    });
    let decide =
        |source: &str| Expression::compile(source).expect(source).decide(&context).expect(source);
    for source in [
        "deal.amount < 60",
        "60 > deal.amount",
        "deal.amount == 59.5",
        "deal.amount >= '59.50'",
        "deal.properties.seats < 60",
        "deal.properties.seats < '60'",
        "deal.properties.size > 1200",
        "deal.properties.seats | number == 9",
        "deal.properties.option == 'Enterprise'",
        "deal.properties.test == false",
        "not deal.properties.test",
        "deal.properties.absent is not defined",
        "deal.properties.absent is undefined and deal.name is startingwith('Ac')",
        "deal.name in ['Acme', 'Other'] and deal.name not in ['x']",
        "not contacts",
        "deal.name == 'Acme' or deal.properties.absent == 'x'",
        "deal.properties.absent == 'x' or deal.name == 'Acme'",
        "1 < 2 < 3",
    ] {
        assert_eq!(decide(source), Decision::Holds, "{source}");
    }
    for source in [
        "deal.amount > 60",
        "deal.properties.seats > 60",
        "deal.properties.absent == 'x' and deal.name == 'Other'",
        "deal.name == 'Other' and deal.properties.absent == 'x'",
        "contacts | length > 1",
        "deal.properties.test",
    ] {
        assert_eq!(decide(source), Decision::DoesNot, "{source}");
    }
    for (source, because) in [
        ("deal.properties.absent == 'Renewal'", "`deal.properties.absent` has no value"),
        ("deal.properties.absent != 'Renewal'", "`deal.properties.absent` has no value"),
        ("not (deal.properties.absent == 'x')", "`deal.properties.absent` has no value"),
        ("deal.properties.blank < 60", "`deal.properties.blank` has no value"),
        ("deal.properties['absent']", "`deal.properties['absent']` has no value"),
        ("deal | property('Absent') == 'x'", "`deal | property('Absent')` has no value"),
        ("deal.properties.absent == 'x' and deal.name == 'Acme'", "has no value"),
        ("deal.properties.absent == 'x' or deal.name == 'Other'", "has no value"),
        ("deal.pipeline is startingwith('R')", "`deal.pipeline` has no value"),
        ("deal.properties.absent in ['x']", "`deal.properties.absent` has no value"),
        ("deal.properties.stage < 60", "compare with a number: `… | number < 60`"),
        ("deal.amount < deal.properties.fee", "one amount is in USD and the other in EUR"),
        ("deal.amount < {'amount': '60', 'currency': 'CHF'}", "one amount is in USD"),
    ] {
        match decide(source) {
            Decision::Undecided { why } => assert!(why.contains(because), "{source}: {why}"),
            decided => panic!("{source}: {decided:?}"),
        }
    }
}

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

const REFUSED: [&str; 6] = [
    "too many steps",
    "more than 4 MiB",
    "more than 32 MiB",
    "nested too deeply",
    "a template stands alone",
    "too large",
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
    sandbox.handoff("l", &["sign", &event, "--as", "contract", "--no-deliver"]).code;
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
const EXPRESSIONS: [&str; 7] = [
    "('a' * 9999) | replace('a', 'b' * 9999)",
    "(('a' * 9999) ~ ('b' * 9999)) * 9999",
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
