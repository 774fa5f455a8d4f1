//! `handoff plan` on the demo's ledger: what each change of settings, schema
//! and templates would do, worked out here from the export and the briefs alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

/// The won deals of the demo's export that are in scope.
const IN_SCOPE: usize = 7;

fn demo() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["demo", "l"]).exits(0);
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "all of it"]);
    sandbox
}

fn plan(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.handoff("l", &[&["plan", "--format", "json"], more].concat())
}

fn edit(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let path = sandbox.join("l").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds {from}:\n{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// The keys of the changes of a kind.
fn of<'a>(plan: &'a Value, kind: &str) -> Vec<&'a Value> {
    let changes = plan["changes"].as_array().unwrap();
    let of_kind: Vec<&Value> = changes.iter().filter(|change| change["kind"] == kind).collect();
    assert_eq!(plan["summary"][kind].as_u64().unwrap_or(0), of_kind.len() as u64, "{plan}");
    of_kind
}

fn kinds(plan: &Value) -> Vec<&str> {
    plan["summary"].as_object().unwrap().keys().map(String::as_str).collect()
}

fn keys<'a>(changes: &[&'a Value]) -> BTreeSet<&'a str> {
    changes.iter().map(|change| change["key"].as_str().unwrap()).collect()
}

#[test]
fn plan_without_a_change_is_empty_and_every_plan_keeps_its_schema() {
    let sandbox = demo();
    let empty = plan(&sandbox, &["--fail-on", "any"]).exits(0).json();
    assert_eq!((&empty["changes"], &empty["complete"]), (&json!([]), &json!(true)), "{empty}");
    assert!(empty["composed"].as_u64().unwrap() > 0, "{empty}");
    assert!(empty["briefs"].as_u64().unwrap() > 0, "{empty}");
    let text = sandbox.handoff("l", &["plan"]).exits(0).stdout;
    assert!(text.contains("Nothing would change against main"), "{text}");
    // A comment is no change.
    edit(&sandbox, "handoff.yaml", "version: 1", "# a comment\nversion: 1");
    assert_eq!(plan(&sandbox, &[]).exits(0).json()["changes"], json!([]));
    edit(&sandbox, "handoff.yaml", "within: 24h", "within: 48h");
    let moved = plan(&sandbox, &[]).exits(0).json();
    for plan in [&empty, &moved] {
        sandbox.assert_schema("plan", plan);
    }
    // Nothing of it is written.
    assert_eq!(sandbox.git("l", &["status", "--porcelain"]).trim(), "M handoff.yaml");
}

#[test]
fn plan_shows_what_scope_and_limits_do_to_the_classes() {
    let sandbox = demo();
    let audit = |class: &str| {
        let line = ["audit", "--deals", "deals.csv", "--format", "json"];
        let report = sandbox.handoff("l", &line).json();
        let deals = report["deals"].as_array().unwrap().clone();
        let keys = deals.iter().filter(|deal| deal["class"] == class);
        keys.map(|deal| deal["key"].as_str().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    let (late, missing, excluded) = (audit("late"), audit("missing"), audit("excluded"));

    edit(&sandbox, "handoff.yaml", "handoff_within: 1h", "handoff_within: 9000h");
    let plan_ = plan(&sandbox, &["--fail-on", "class"]).exits(1).json();
    let changed = of(&plan_, "class");
    let expected: BTreeSet<&str> = late.iter().chain(&missing).map(String::as_str).collect();
    assert_eq!(keys(&changed), expected, "{plan_}");
    for change in &changed {
        let to = if late.contains(change["key"].as_str().unwrap()) { "on_time" } else { "pending" };
        assert_eq!(change["after"], to, "{change}");
        assert!(change["value"].as_str().is_some_and(|value| value.contains(' ')), "{change}");
    }
    assert_eq!(kinds(&plan_), ["class"], "{plan_}");
    plan(&sandbox, &["--fail-on", "page,answer"]).exits(0);

    // One rule less, one rule more: from the export alone.
    edit(&sandbox, "handoff.yaml", "handoff_within: 9000h", "handoff_within: 1h");
    edit(&sandbox, "handoff.yaml", "deal.name is startingwith('TEST')", "deal.amount < 20000");
    let plan_ = plan(&sandbox, &[]).exits(0).json();
    let changed = of(&plan_, "class");
    let hartline = "hubspot-9876543216";
    let test = "hubspot-9876543218";
    // The TEST deal stays out of scope for another reason only if the rule says the same.
    assert_eq!(keys(&changed), BTreeSet::from([hartline]), "{plan_}");
    assert!(excluded.contains(test), "{excluded:?}");
    assert_eq!(changed[0]["after"], "excluded: test deal", "{plan_}");
}

#[test]
fn plan_shows_deadlines_people_and_answers_of_what_would_be_made_now() {
    let sandbox = demo();
    let composed = plan(&sandbox, &[]).exits(0).json()["composed"].as_u64().unwrap() as usize;
    assert!(composed >= IN_SCOPE, "{composed}");

    edit(&sandbox, "handoff.yaml", "within: 24h", "within: 48h");
    let moved = plan(&sandbox, &[]).exits(0).json();
    assert_eq!(of(&moved, "deadline").len(), composed, "{moved}");
    assert_eq!(kinds(&moved), ["deadline"], "{moved}");
    edit(&sandbox, "handoff.yaml", "within: 48h", "within: 24h");

    // The deals of tier growth go to somebody else.
    edit(&sandbox, "handoff.yaml", "to: noorh}", "to: samlee}");
    let given = plan(&sandbox, &[]).exits(0).json();
    let changed = of(&given, "csm");
    let growth = ["hubspot-9876543212", "hubspot-9876543217"];
    assert_eq!(keys(&changed), BTreeSet::from(growth), "{given}");
    assert_eq!(
        (&changed[0]["before"], &changed[0]["after"]),
        (&json!("Noor Haddad"), &json!("Sam Lee"))
    );
    edit(&sandbox, "handoff.yaml", "to: samlee}", "to: noorh}");

    edit(
        &sandbox,
        "handoff.yaml",
        "map: csv",
        "map: csv\nbrief:\n  customer.industry: deal.owner.name",
    );
    let answers = plan(&sandbox, &["--last", "2"]).exits(0).json();
    assert_eq!((&answers["composed"], kinds(&answers)), (&json!(2), vec!["answer"]), "{answers}");
    let changed = of(&answers, "answer");
    assert!(changed.iter().all(|change| change["field"] == "customer.industry"), "{answers}");
    assert_eq!(changed.len(), 2, "{answers}");
    for format in ["text", "markdown"] {
        let told = sandbox.handoff("l", &["plan", "--format", format]).exits(0).stdout;
        assert!(
            told.contains("answers that change") && told.contains("customer.industry"),
            "{told}"
        );
    }
}

#[test]
fn plan_shows_briefs_that_a_schema_makes_incomplete_and_pages_that_a_template_changes() {
    let sandbox = demo();
    let schema = sandbox.handoff("l", &["schema"]).exits(0).stdout;
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    let required = schema.pointer_mut("/properties/customer/required").unwrap();
    required.as_array_mut().unwrap().push(json!("fax"));
    schema["properties"]["customer"]["properties"]["fax"] = json!({"type": "string"});
    sandbox.write("l/schema/brief.schema.json", schema.to_string());
    let stricter = plan(&sandbox, &[]).exits(0).json();
    let complete = of(&stricter, "incomplete");
    assert!(!complete.is_empty(), "{stricter}");
    assert!(complete.iter().all(|it| it["after"] == "lacks customer.fax"), "{stricter}");
    fs::remove_file(sandbox.join("l/schema/brief.schema.json")).ok();
    sandbox.git("l", &["checkout", "-q", "--", "."]);

    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/brief.md.j2");
    let template = fs::read_to_string(shipped).unwrap();
    sandbox.write("l/templates/brief.md.j2", format!("New first line\n{template}"));
    let pages = plan(&sandbox, &[]).exits(0).json();
    let changed = of(&pages, "page");
    assert_eq!(changed.len() as u64, pages["briefs"].as_u64().unwrap(), "{pages}");
    assert_eq!(changed[0]["after"], "New first line", "{pages}");
}

#[test]
fn plan_maps_an_export_as_exports_are_mapped_whatever_crm_is_connected() {
    let sandbox = demo();
    let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let (before, rest) = settings.split_once("crm:\n").unwrap();
    let (_, rest) = rest.split_once("map: csv\n").unwrap();
    let connected = format!("{before}crm: {{hubspot: {{}}}}\n{rest}");
    sandbox.write("l/handoff.yaml", &connected);
    sandbox.git("l", &["commit", "-qam", "connected"]);
    let plan = |map: &str| {
        let changed = format!("{before}crm: {{hubspot: {{}}}}\n{map}{rest}");
        sandbox.write("l/handoff.yaml", changed);
        plan(&sandbox, &["--deals", "deals.csv"]).exits(0).json()
    };
    // Where nothing is chosen, an export is read by the mapping of exports.
    let same = plan("map: csv\n");
    assert_eq!(kinds(&same), Vec::<&str>::new(), "{same}");
    assert!(same["composed"].as_u64() >= Some(IN_SCOPE as u64), "{same}");
    // What is chosen counts on its side, and a line of the company's on top of either.
    let other = plan("map: hubspot\n");
    assert!(!of(&other, "answer").is_empty(), "{other}");
    let own = plan("brief:\n  customer.industry: deal.properties.lead_source\n");
    let changed = of(&own, "answer");
    assert!(!changed.is_empty(), "{own}");
    assert!(changed.iter().all(|it| it["field"] == "customer.industry"), "{own}");
}

#[test]
fn plan_says_what_it_cannot_compare() {
    let sandbox = demo();
    let ran = plan(&sandbox, &["--base", "no-such-revision"]).exits(3);
    assert!(ran.stderr.contains("no-such-revision"), "{}", ran.stderr);
    let ran = plan(&sandbox, &["--fail-on", "clas"]).exits(2);
    assert!(ran.stderr.contains("class"), "{}", ran.stderr);
    edit(&sandbox, "handoff.yaml", "version: 1", "versoin: 1");
    plan(&sandbox, &[]).exits(2);
    sandbox.git("l", &["commit", "-qam", "broken"]);
    edit(&sandbox, "handoff.yaml", "versoin: 1", "version: 1");
    let ran = plan(&sandbox, &[]).exits(3);
    assert!(ran.stderr.contains("the settings of main cannot be used"), "{}", ran.stderr);

    let origin = format!("file://{}", sandbox.join("l").display());
    sandbox.git("l", &["commit", "-qam", "right again"]);
    sandbox.git(".", &["clone", "-q", "--depth", "1", &origin, "shallow"]);
    for file in ["deals.csv", "contacts.csv", "line-items.csv"] {
        if !sandbox.join("shallow").join(file).exists() {
            fs::copy(sandbox.join("l").join(file), sandbox.join("shallow").join(file)).unwrap();
        }
    }
    let ran = sandbox.handoff("shallow", &["plan", "--format", "json"]).exits(3);
    assert_eq!(ran.json()["complete"], json!(false), "{}", ran.stdout);
}

/// What the program itself does with one set of files: every deal's class with
/// them in force from the first commit on, the brief that `sign` makes of each
/// of the newest deals, what those and the ledger's briefs lack, and each page.
#[derive(Default)]
struct Observed {
    classes: BTreeMap<String, String>,
    signed: BTreeMap<String, Value>,
    lacking: BTreeMap<(String, bool), BTreeSet<String>>,
    pages: BTreeMap<String, String>,
    /// What each target would be sent.
    texts: BTreeMap<String, String>,
}

const NEWEST: [&str; 2] = ["9876543217", "9876543212"];

/// Signs nothing in the ledger itself: each deal gets a fresh one with its files.
fn observe(sandbox: &Sandbox, number: usize) -> Observed {
    let mut seen = Observed::default();
    let lacking = |folder: &str, of_ledger: bool, seen: &mut Observed| {
        let found = sandbox.handoff(folder, &["validate", "--format", "json"]).json();
        for finding in found["findings"].as_array().unwrap() {
            if finding["rule"] == "unanswered-question" {
                let key = finding["key"].as_str().unwrap().to_owned();
                let message = finding["message"].as_str().unwrap().to_owned();
                seen.lacking.entry((key, of_ledger)).or_default().insert(message);
            }
        }
    };
    for deal in NEWEST {
        let folder = format!("fresh-{number}-{deal}");
        sandbox.git(".", &["init", "-q", "-b", "main", &folder]);
        for file in ["handoff.yaml", "deals.csv", "contacts.csv", "line-items.csv"] {
            let text = fs::read(sandbox.join("l").join(file)).unwrap();
            sandbox.write(&format!("{folder}/{file}"), text);
        }
        for file in ["schema/brief.schema.json", "templates/brief.md.j2"] {
            if let Ok(text) = fs::read(sandbox.join("l").join(file)) {
                sandbox.write(&format!("{folder}/{file}"), text);
            }
        }
        sandbox.git(&folder, &["add", "-A"]);
        sandbox.git(&folder, &["commit", "-qm", "all of it"]);
        let ran = sandbox.handoff(&folder, &["sign", "--deal", deal, "--no-deliver"]);
        if ran.code == 4 {
            continue; // Out of scope.
        }
        assert!(ran.code <= 1, "{deal}: {} {}", ran.code, ran.stderr);
        let brief = sandbox.git(&folder, &["ls-files", "briefs/*/brief.yaml"]);
        let brief = fs::read(sandbox.join(&folder).join(brief.trim())).unwrap();
        let brief = handoff::brief::Brief::parse(&brief).unwrap().into_json();
        seen.signed.insert(format!("hubspot-{deal}"), brief);
        lacking(&folder, false, &mut seen);
    }

    // The same history with these settings instead of those that it began with.
    let history = sandbox.command("git", sandbox.join("l"));
    let history = { history }.args(["fast-export", "main"]).output().unwrap().stdout;
    let committed = sandbox.git("l", &["show", "main:handoff.yaml"]);
    let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let blob = |text: &str| format!("data {}\n{text}", text.len()).into_bytes();
    let (from, to) = (blob(&committed), blob(&settings));
    let at = history.windows(from.len()).position(|it| it == from).expect("one blob");
    let history = [&history[..at], &to, &history[at + from.len()..]].concat();
    let folder = format!("rules-{number}");
    sandbox.git(".", &["init", "-q", "-b", "main", &folder]);
    let stream = sandbox.write("history", history);
    let mut import = sandbox.command("git", sandbox.join(&folder));
    import.args(["fast-import", "--quiet"]).stdin(fs::File::open(stream).unwrap());
    assert!(import.status().unwrap().success());
    sandbox.git(&folder, &["reset", "-q", "--hard", "main"]);
    let line = ["audit", "--deals", "deals.csv", "--format", "json"];
    for deal in sandbox.handoff(&folder, &line).json()["deals"].as_array().unwrap() {
        let class = match deal["class"].as_str().unwrap() {
            "excluded" => format!("excluded: {}", deal["reason"].as_str().unwrap()),
            class => class.to_owned(),
        };
        seen.classes.insert(deal["key"].as_str().unwrap().to_owned(), class);
    }

    lacking("l", true, &mut seen);
    for folder in sandbox.git("l", &["ls-files", "briefs/*/brief.yaml"]).lines() {
        let key = folder.split("--").nth(1).unwrap().split('/').next().unwrap();
        let page = sandbox.handoff("l", &["render", key]).exits(0).stdout;
        seen.pages.insert(key.to_owned(), page);
        let texts = sandbox.handoff("l", &["render", key, "--preview"]).exits(0).stdout;
        seen.texts.insert(key.to_owned(), texts);
    }
    seen
}

/// Twenty changes are tried in so many tests, which run beside one another.
const PARTS: usize = 3;

/// The leaves of an answer; a list, an amount or a gap is one.
fn leaves(value: Option<&Value>, name: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Some(Value::Object(fields))
            if !fields.contains_key("unknown") && !fields.contains_key("amount") =>
        {
            for (field, value) in fields {
                leaves(Some(value), &format!("{name}.{field}"), found);
            }
        }
        Some(value) => drop(found.insert(name.to_owned(), value.clone())),
        None => {}
    }
}

/// What a plan must say, by kind, key and field.
fn differences(before: &Observed, after: &Observed) -> BTreeSet<(String, String, String)> {
    let mut expected = BTreeSet::new();
    let mut add = |kind: &str, key: &str, field: &str| {
        expected.insert((kind.to_owned(), key.to_owned(), field.to_owned()));
    };
    for key in before.classes.keys().chain(after.classes.keys()) {
        if before.classes.get(key) != after.classes.get(key) {
            add("class", key, "");
        }
    }
    for (key, was) in &before.signed {
        let Some(is) = after.signed.get(key) else { continue };
        let due = |brief: &Value| brief.pointer("/first_action/due").cloned();
        for section in [
            "customer",
            "purchase",
            "contacts",
            "commitments",
            "implementation",
            "success",
            "first_action",
        ] {
            let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
            leaves(was.get(section), section, &mut old);
            leaves(is.get(section), section, &mut new);
            for field in old.keys().chain(new.keys()).filter(|it| old.get(*it) != new.get(*it)) {
                match field.as_str() {
                    "first_action.due" => add("deadline", key, ""),
                    "first_action.instruction" if due(was) != due(is) => {}
                    it if it.starts_with("first_action.owner") => add("csm", key, ""),
                    field => add("answer", key, field),
                }
            }
        }
    }
    let all: BTreeSet<_> = before.lacking.keys().chain(after.lacking.keys()).collect();
    for of in all {
        let is_there = |seen: &Observed| of.1 || seen.signed.contains_key(&of.0);
        if !is_there(before) || !is_there(after) {
            continue;
        }
        match (before.lacking.contains_key(of), after.lacking.contains_key(of)) {
            (false, true) => add("incomplete", &of.0, ""),
            (true, false) => add("complete", &of.0, ""),
            _ => {}
        }
    }
    for (key, was) in &before.pages {
        if after.pages.get(key) != Some(was) {
            add("page", key, "");
        }
    }
    expected
}

/// Whether plans of these changes say what the program then does.
fn assert_plans(part: usize) {
    let sandbox = demo();
    let schema = sandbox.handoff("l", &["schema"]).exits(0).stdout;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/brief.md.j2");
    let template = fs::read_to_string(shipped).unwrap();
    let yaml = |from: &'static str, to: &'static str| {
        move |sandbox: &Sandbox| edit(sandbox, "handoff.yaml", from, to)
    };
    let schema_with = |change: fn(&mut Value)| {
        let mut schema: Value = serde_json::from_str(&schema).unwrap();
        change(&mut schema);
        move |sandbox: &Sandbox| {
            sandbox.write("l/schema/brief.schema.json", schema.to_string());
        }
    };
    let template_with = |from: &'static str, to: &'static str| {
        let changed = template.replacen(from, to, 1);
        assert_ne!(changed, template, "the template has {from}");
        move |sandbox: &Sandbox| {
            sandbox.write("l/templates/brief.md.j2", &changed);
        }
    };
    fn required<'a>(schema: &'a mut Value, section: &str) -> &'a mut Vec<Value> {
        let pointer = format!("/properties/{section}/required");
        schema.pointer_mut(&pointer).and_then(Value::as_array_mut).expect("a list")
    }
    type Change = (&'static str, &'static str, Box<dyn Fn(&Sandbox)>);
    let test_rule = "    - {when: \"deal.name is startingwith('TEST')\", reason: test deal}\n";
    let changes: Vec<Change> = vec![
        ("a longer limit", "class", Box::new(yaml("handoff_within: 1h", "handoff_within: 9000h"))),
        ("a shorter limit", "class", Box::new(yaml("handoff_within: 1h", "handoff_within: 1m"))),
        ("a rule less", "class", Box::new(yaml(test_rule, ""))),
        ("another reason", "class", Box::new(yaml("reason: test deal", "reason: not real"))),
        (
            "an amount",
            "class",
            Box::new(yaml("deal.name is startingwith('TEST')", "deal.amount < 30000")),
        ),
        (
            "a pipeline",
            "",
            Box::new(yaml(
                "deal.properties.deal_type == 'Existing Business'",
                "deal.properties.pipeline == 'Renewals'",
            )),
        ),
        (
            "everything",
            "class",
            Box::new(yaml("deal.name is startingwith('TEST')", "deal.amount > 0")),
        ),
        ("two days", "deadline", Box::new(yaml("within: 24h", "within: 48h"))),
        ("no holiday", "", Box::new(yaml(", holidays: [2026-11-26]", ""))),
        ("another holiday", "deadline", Box::new(yaml("2026-11-26", "2026-11-23"))),
        ("working hours", "deadline", Box::new(yaml("00:00-24:00", "09:00-17:00"))),
        ("a zone", "answer", Box::new(yaml("America/New_York", "Asia/Tokyo"))),
        ("growth to Sam", "csm", Box::new(yaml("to: noorh}", "to: samlee}"))),
        ("all others to Noor", "", Box::new(yaml("{to: least_open}", "{to: noorh}"))),
        ("another fallback", "", Box::new(yaml("fallback: samlee", "fallback: noorh"))),
        (
            "another address",
            "csm",
            Box::new(yaml("noor.haddad@tidewater.example", "noor@tidewater.example")),
        ),
        (
            "an answer from elsewhere",
            "answer",
            Box::new(yaml("map: csv", "map: csv\nbrief:\n  customer.industry: deal.owner.name")),
        ),
        (
            "nothing required",
            "complete",
            Box::new(schema_with(|schema| {
                schema["required"] = json!(["schema", "key"]);
                for section in ["customer", "purchase", "contacts", "implementation", "success"] {
                    required(schema, section).clear();
                }
            })),
        ),
        (
            "one more required answer",
            "incomplete",
            Box::new(schema_with(|schema| {
                required(schema, "customer").push(json!("fax"));
                schema["properties"]["customer"]["properties"]["fax"] = json!({"type": "string"});
            })),
        ),
        (
            "no required contact",
            "",
            Box::new(schema_with(|schema| {
                required(schema, "contacts").retain(|it| it != "day_to_day");
            })),
        ),
        (
            "a first line",
            "page",
            Box::new(template_with("# {{ title }}", "# Handoff: {{ title }}")),
        ),
        (
            "a comment",
            "",
            Box::new(template_with("{% set signature", "{# nothing #}{% set signature")),
        ),
        ("a place", "", Box::new(yaml("outbox: {dir: outbox}", "outbox: {dir: elsewhere}"))),
    ];
    assert!(changes.len() >= 20);
    let before = observe(&sandbox, 0);
    assert_eq!(before.signed.len(), NEWEST.len());
    let of_part = changes.iter().enumerate().filter(|(number, _)| number % PARTS == part);
    for (number, (name, kind, change)) in of_part {
        change(&sandbox);
        let planned = plan(&sandbox, &["--last", "2", "--deals", "deals.csv"]).exits(0).json();
        let told: BTreeSet<(String, String, String)> = planned["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| {
                let word = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
                (word("kind"), word("key"), word("field"))
            })
            .collect();
        let after = observe(&sandbox, number + 1);
        let mut expected = differences(&before, &after);
        if *name == "a place" {
            let setting = ["setting", "handoff.yaml", "deliver.outbox.dir"].map(str::to_owned);
            expected.insert(setting.into());
        }
        let (texts, told): (BTreeSet<_>, BTreeSet<_>) =
            told.into_iter().partition(|(kind, ..)| kind == "message");
        assert_eq!(told, expected, "{name}");
        // Which texts differ, the previews of both sides say of each handoff.
        let texts: BTreeSet<String> = texts.into_iter().map(|(_, key, _)| key).collect();
        let differ = before.texts.iter().filter(|(key, text)| after.texts.get(*key) != Some(text));
        assert_eq!(texts, differ.map(|(key, _)| key.clone()).collect(), "{name}");
        if !kind.is_empty() {
            assert!(told.iter().any(|it| it.0 == *kind), "{name} is a change of {kind}: {told:?}");
        }
        sandbox.git("l", &["checkout", "-q", "--", "."]);
    }
}

#[test]
fn plan_says_what_two_audits_signings_and_renderings_say_first_part() {
    assert_plans(0);
}

#[test]
fn plan_says_what_two_audits_signings_and_renderings_say_second_part() {
    assert_plans(1);
}

#[test]
fn plan_says_what_two_audits_signings_and_renderings_say_third_part() {
    assert_plans(2);
}

#[test]
fn plan_reads_the_deals_with_the_settings_of_each_side() {
    let sandbox = Sandbox::new();
    let init = ["--now", "2026-11-01T00:00:00Z", "init", "l", "--crm", "file"];
    sandbox.handoff(".", &init).exits(0);
    sandbox.write(
        "deals.csv",
        "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Deal Type\n\
         1,Acme,Closed Won,2026-11-19 20:30,Riley Ross,100.00,USD,true,New\n\
         2,Beta,Closed Won,2026-11-03 10:00,Kim,900.00,USD,true,New\n",
    );
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "settings"]);
    let won = |from: &str, to: &str| {
        edit(&sandbox, "handoff.yaml", from, to);
        let now = ["--now", "2026-11-19T21:00:00Z", "plan", "--deals", "../deals.csv"];
        let ran = sandbox.handoff("l", &[&now[..], &["--format", "json"]].concat()).exits(0);
        sandbox.git("l", &["checkout", "-q", "--", "handoff.yaml"]);
        let plan = ran.json();
        let classes = of(&plan, "class").into_iter().map(|change| {
            let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
            (text("key"), text("before"), text("after"))
        });
        (classes.collect::<BTreeSet<_>>(), plan["complete"].clone())
    };
    let change = |key: &str, before: &str, after: &str| {
        (key.to_owned(), before.to_owned(), after.to_owned())
    };
    let deals = "    deals: \"deals.csv\"";
    let (classes, complete) = won(deals, &format!("    won: \"deal.name == 'Beta'\"\n{deals}"));
    assert_eq!(classes, [change("hubspot-1", "pending", "")].into());
    assert_eq!(complete, json!(true));
    let (classes, _) = won(deals, &format!("    name: other\n{deals}"));
    let expected = [
        change("hubspot-1", "pending", ""),
        change("hubspot-2", "missing", ""),
        change("other-1", "", "pending"),
        change("other-2", "", "missing"),
    ];
    assert_eq!(classes, expected.into());
    // Half past eight in Tokyo was long ago in UTC.
    for zone in ["timezone: Asia/Tokyo", "timezone: Pacific/Auckland"] {
        let (classes, _) = won("# timezone: Europe/Berlin", zone);
        assert_eq!(classes, [change("hubspot-1", "pending", "missing")].into(), "{zone}");
    }
    let (classes, _) = won(deals, &format!("    dates: {{timezone: Asia/Tokyo}}\n{deals}"));
    assert_eq!(classes, [change("hubspot-1", "pending", "missing")].into());
}

/// Changes of settings and templates, with the kinds that each must show.
const CHANGES: &[(&str, &str, &str, &[&str])] = &[
    ("handoff.yaml", "handoff_within: 1h", "handoff_within: 9000h", &["class"]),
    ("handoff.yaml", "deal.name is startingwith('TEST')", "deal.amount < 20000", &["class"]),
    ("handoff.yaml", "within: 24h", "within: 48h", &["deadline"]),
    ("handoff.yaml", "within: 24h", "within: 24h\n  proof: evidenced", &["setting"]),
    ("handoff.yaml", "team:\n", "team:\n  approvers: [samlee]\n", &["setting"]),
    ("handoff.yaml", "version: 1\n", "version: 1\nreminders: off\n", &["setting"]),
    ("handoff.yaml", "version: 1\n", "version: 1\naudit: {clock: github}\n", &["setting"]),
    ("handoff.yaml", "version: 1\n", "version: 1\nlayout: \"%Y\"\n", &["setting"]),
    ("handoff.yaml", "esign:", "# esign:\nesign:", &[]),
    ("handoff.yaml", "to: noorh}", "to: samlee}", &["csm"]),
    (
        "handoff.yaml",
        "map: csv",
        "map: csv\nbrief: {customer.industry: deal.owner.name}",
        &["answer"],
    ),
    ("templates/task.md.j2", "", "EXTRA", &["message"]),
    ("templates/mail.md.j2", "", "EXTRA", &["message"]),
    ("templates/notice.slack.j2", "", "EXTRA", &["message"]),
    ("templates/returned.md.j2", "", "EXTRA", &["message"]),
    ("templates/resubmitted.md.j2", "", "EXTRA", &["message"]),
    ("templates/changed.md.j2", "", "EXTRA", &["message"]),
    ("templates/reminder.md.j2", "", "EXTRA", &["message"]),
    ("templates/project.md.j2", "", "EXTRA", &["message"]),
    ("templates/tasks.yaml", "Hold the", "EXTRA Hold the", &["message"]),
];

/// Changes a file of the ledger; a template that it has none of is the shipped one first.
fn make_change(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let path = sandbox.join("l").join(file);
    if !path.exists() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        sandbox.write(&format!("l/{file}"), fs::read_to_string(shipped).unwrap());
    }
    match from {
        "" => {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}\n{to}\n")).unwrap();
        }
        from => edit(sandbox, file, from, to),
    }
}

#[test]
fn each_change_is_named_and_the_same_on_both_sides_is_none() {
    let sandbox = demo();
    let start = sandbox.git("l", &["rev-parse", "HEAD"]);
    for (file, from, to, kinds_) in CHANGES {
        make_change(&sandbox, file, from, to);
        sandbox.git("l", &["add", "-A"]);
        let changed = plan(&sandbox, &[]).exits(0).json();
        assert_eq!(kinds(&changed), *kinds_, "{file}: {to}: {changed}");
        assert_eq!(changed["complete"], true, "{file}: {to}: {changed}");
        for change in of(&changed, "setting") {
            assert_eq!(change["key"], "handoff.yaml");
            assert_ne!(change["before"], change["after"], "{change}");
        }
        for change in of(&changed, "message") {
            assert!(change["after"].as_str().unwrap_or_default().contains("EXTRA"), "{change}");
            assert!(change["field"].is_string(), "{change}");
        }
        sandbox.git("l", &["commit", "-q", "-m", "both"]);
        let same = plan(&sandbox, &["--fail-on", "any"]).exits(0).json();
        assert_eq!(
            (&same["changes"], &same["complete"]),
            (&json!([]), &json!(true)),
            "{to}: {same}"
        );
        sandbox.git("l", &["reset", "-q", "--hard", start.trim()]);
    }
    // All of them at once, on both sides.
    for (file, from, to, _) in CHANGES.iter().filter(|(file, ..)| *file != "handoff.yaml") {
        make_change(&sandbox, file, from, to);
    }
    let all = plan(&sandbox, &[]).exits(0).json();
    let fields: BTreeSet<&str> =
        of(&all, "message").iter().map(|it| it["field"].as_str().unwrap()).collect();
    let expected = [
        "change",
        "mail",
        "notice",
        "onboarding tasks",
        "project",
        "re-submission",
        "reminder",
        "return",
        "task",
    ];
    assert_eq!(fields, BTreeSet::from(expected), "{all}");
}

#[test]
fn documents_that_were_not_compared_are_no_clean_bill() {
    let sandbox = demo();
    edit(
        &sandbox,
        "handoff.yaml",
        "scope:\n",
        "documents:\n  - {when: \"true\", is: ignored, reason: all}\nscope:\n",
    );
    for kind in ["document", "any"] {
        let ran = plan(&sandbox, &["--fail-on", kind]).exits(3);
        assert!(ran.stderr.contains("add --signatures"), "{}", ran.stderr);
        assert_eq!(ran.json()["documents_not_compared"], true);
    }
    plan(&sandbox, &["--fail-on", "class"]).exits(0);
}

#[test]
fn without_a_crm_the_ledgers_own_briefs_are_compared() {
    let sandbox = Sandbox::new();
    let now =
        |at: &'static str, line: &[&str]| sandbox.handoff("l", &[&["--now", at], line].concat());
    let init = ["--now", "2026-11-01T00:00:00Z", "init", "l", "--crm", "none", "--yes"];
    sandbox.handoff(".", &init).exits(0);
    for number in 1..=3 {
        let event = json!({"type": "contract.signed", "timestamp": "2026-11-02T10:00:00Z", "data": {
            "id": format!("doc-{number}"), "name": format!("Contract {number}"),
            "signed_at": format!("2026-11-0{number}T10:00:00Z"),
            "signers": [{"name": "Ada", "email": "ada@x.example", "company": "X Ltd"}]}});
        let file = sandbox.write("event.json", event.to_string()).display().to_string();
        now("2026-11-04T10:05:00Z", &["sign", &file, "--as", "contract"]).exits(0);
    }
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "all of it"]);
    let plan = |more: &[&str]| {
        let line = [&["plan", "--format", "json"][..], more].concat();
        now("2026-11-20T17:00:00Z", &line)
    };
    let empty = plan(&["--fail-on", "any"]).exits(0).json();
    assert_eq!(
        (&empty["changes"], &empty["composed"], &empty["briefs"], &empty["deals"]),
        (&json!([]), &json!(3), &json!(3), &json!(0)),
        "{empty}"
    );
    edit(&sandbox, "handoff.yaml", "within: 24h", "within: 48h");
    let moved = plan(&["--fail-on", "deadline"]).exits(1).json();
    assert_eq!((of(&moved, "deadline").len(), kinds(&moved)), (3, vec!["deadline"]), "{moved}");
    let last = plan(&["--last", "1"]).exits(0).json();
    assert_eq!(keys(&of(&last, "deadline")).len(), 1, "{last}");
    assert!(of(&last, "deadline")[0]["key"].as_str().unwrap().ends_with("doc-3"), "{last}");
    let ran = plan(&["--signatures"]).exits(2);
    assert!(ran.stderr.contains("there are no deals to read"), "{}", ran.stderr);
    // The same is asked for by name where a CRM is connected, without its secret.
    let demo = demo();
    edit(&demo, "handoff.yaml", "within: 24h", "within: 48h");
    let line = ["plan", "--briefs-only", "--format", "json"];
    let told = demo.handoff("l", &line).exits(0).json();
    assert_eq!((&told["deals"], kinds(&told)), (&json!(0), vec!["deadline"]), "{told}");
}
