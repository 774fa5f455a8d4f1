//! `handoff plan` on the demo's ledger: what each change of settings, schema
//! and templates would do, worked out here from the export and the briefs alone.

use std::collections::BTreeSet;
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
    let schema = sandbox.handoff("l", &["schema", "plan"]).exits(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
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
    let errors: Vec<String> = [&empty, &moved]
        .iter()
        .flat_map(|it| validator.iter_errors(it))
        .map(|it| it.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
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
        let to = if late.contains(change["key"].as_str().unwrap()) { "on time" } else { "pending" };
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
    assert!(ran.stderr.contains("the settings of main cannot be read"), "{}", ran.stderr);

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
