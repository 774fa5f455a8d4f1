//! The issue form for companies without a CRM: made from the schema, read
//! back into a brief.

use std::fs;

use handoff::brief::{
    SHIPPED_SCHEMA, Schema, asked_answer, issue_form, put_answer, read_answer, read_form,
};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, fixture};

fn form(schema: &Schema) -> Value {
    handoff::yaml::read(issue_form(schema).as_bytes()).expect("the form is YAML").to_json()
}

fn inputs(form: &Value) -> Vec<&Value> {
    form["body"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|element| element["type"] != "markdown")
        .collect()
}

/// The body that GitHub makes of a form: each label with its answer.
fn filled(schema: &Schema, answers: &[(&str, &str)]) -> String {
    let form = form(schema);
    let parts: Vec<String> = inputs(&form)
        .iter()
        .map(|input| {
            let label = input["attributes"]["label"].as_str().unwrap();
            let answer = answers.iter().find(|(name, _)| *name == label).map(|(_, text)| *text);
            format!("### {label}\n\n{}", answer.unwrap_or("_No response_"))
        })
        .collect();
    parts.join("\n\n")
}

#[test]
fn the_form_asks_for_each_owed_answer_once_under_its_question() {
    let form = form(Schema::shipped());
    let headings: Vec<&str> = form["body"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|element| element["attributes"]["value"].as_str()?.strip_prefix("## "))
        .collect();
    assert_eq!(headings.len(), 6, "the CSM's own question is not asked: {headings:?}");
    assert_eq!(headings[0], "1. Who is this customer?");
    let inputs = inputs(&form);
    let mut labels: Vec<&str> =
        inputs.iter().map(|it| it["attributes"]["label"].as_str().unwrap()).collect();
    let mut ids: Vec<&str> = inputs.iter().map(|it| it["id"].as_str().unwrap()).collect();
    let count = labels.len();
    for names in [&mut labels, &mut ids] {
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "GitHub refuses a form with a name twice: {names:?}");
    }
    let complexity = inputs.iter().find(|it| it["attributes"]["label"] == "Complexity").unwrap();
    assert_eq!(complexity["type"], "dropdown");
    assert_eq!(complexity["attributes"]["options"], json!(["low", "medium", "high"]));
    assert!(inputs.iter().all(|input| input["validations"]["required"] == false));
}

#[test]
fn a_filled_form_becomes_answers_in_the_shapes_of_the_schema() {
    let schema = Schema::shipped();
    let body = filled(
        schema,
        &[
            ("Customer", "Acme Corp"),
            ("Employees", "2,822"),
            ("Tier", "no"),
            ("Products", "- {name: Platform, plan: Business, quantity: 50}\n* Support"),
            ("Contract value", "48000.00 USD"),
            ("Term", "months: 12\nstarts: 2026-12-01"),
            ("Special terms", "None"),
            ("Signer", "name: Dana Wu\nemail: dana@acme.example"),
            ("Commitments", "{promise: SSO with their Okta, due: 2027-01-15}\nA named contact"),
            ("Complexity", "Medium"),
            ("Integrations", "1. Okta\n2. NetSuite\n3D Secure"),
            (
                "Primary goal",
                "Cut onboarding time\n\n### Customer\n\nnot a heading of ours\n\n### Primary goal\n\nnor this",
            ),
        ],
    );
    let answers = read_form(schema, &body.replace('\n', "\r\n")).expect("a form");
    assert_eq!(answers.problems, []);
    assert_eq!(
        Value::Object(answers.sections),
        json!({
            "customer": {"name": "Acme Corp", "size": 2822, "tier": "no"},
            "purchase": {
                "products": [{"name": "Platform", "plan": "Business", "quantity": 50}, {"name": "Support"}],
                "contract_value": {"amount": "48000.00", "currency": "USD"},
                "term": {"months": 12, "starts": "2026-12-01"},
                "special_terms": "none",
            },
            "contacts": {"signer": {"name": "Dana Wu", "email": "dana@acme.example"}},
            "commitments": [{"promise": "SSO with their Okta", "due": "2027-01-15"}, {"promise": "A named contact"}],
            "implementation": {"complexity": "medium", "integrations": ["Okta", "NetSuite", "3D Secure"]},
            "success": {"primary_goal": "Cut onboarding time\n\n### Customer\n\nnot a heading of ours\n\n### Primary goal\n\nnor this"},
        })
    );
}

#[test]
fn a_person_is_read_as_people_write_one() {
    let schema = Schema::shipped();
    let read = |text: &str| {
        let answers = read_form(schema, &filled(schema, &[("Signer", text)])).expect("a form");
        match answers.problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(answers.sections["contacts"]["signer"].clone()),
        }
    };
    let dana = json!({"name": "Dana Wu", "email": "dana@acme.example"});
    for text in [
        "name: Dana Wu, email: dana@acme.example",
        "Name: Dana Wu; E-mail: dana@acme.example",
        "email: dana@acme.example\nname: Dana Wu",
        "Dana Wu <dana@acme.example>",
        "Dana Wu, dana@acme.example",
        "Dana Wu dana@acme.example",
        "dana@acme.example, Dana Wu",
        "\"Wu, Dana\" <dana@acme.example>",
    ] {
        let read = read(text);
        let comma = text.contains("Wu, Dana");
        if !comma && text != "Name: Dana Wu; E-mail: dana@acme.example" {
            assert_eq!(read.as_ref(), Ok(&dana), "{text}");
        }
        // Whatever is not understood is asked about, and never part of a name.
        if let Ok(person) = read {
            assert!(!person["name"].as_str().unwrap().contains(['@', ':']), "{text}: {person}");
        }
    }
    let titled = read("Dana Wu, VP Operations, dana@acme.example").expect("a person");
    assert_eq!(titled["title"], "VP Operations");
    assert_eq!(titled["email"], "dana@acme.example");
    // One of the two alone is not the other.
    assert_eq!(read("Dana Wu"), Ok(json!({"name": "Dana Wu"})));
    assert_eq!(read("dana@acme.example"), Ok(json!({"email": "dana@acme.example"})));
    for wrong in ["name: Dana, name: Lee", "a@b.example, c@d.example"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_cannot_be_understood_is_said_and_other_bodies_are_no_forms() {
    let schema = Schema::shipped();
    let body = filled(
        schema,
        &[
            ("Employees", "many"),
            ("Contract value", "48.000,00 EUR"),
            ("Commitments", "{promise: SSO, due: soon}"),
            ("Complexity", "huge"),
            ("Customer", "Acme"),
        ],
    );
    let answers = read_form(schema, &body).expect("a form");
    let problems: Vec<String> = answers.problems.iter().map(ToString::to_string).collect();
    let begin = [
        "Employees: \"many\" is not a number",
        "Contract value: ",
        "Commitments: ",
        "Complexity: \"huge\" is not one of low, medium, high",
    ];
    // What a link's form refuses, the issue form does not take either.
    assert_eq!(problems.len(), begin.len(), "{problems:?}");
    for (problem, begin) in problems.iter().zip(begin) {
        assert!(problem.starts_with(begin), "{problem}");
    }
    assert_eq!(answers.sections.len(), 1);
    for other in
        ["", "Hello", "# Customer\n\nAcme", "```\n### Customer\n\nAcme\n```", "> ### Customer\n> x"]
    {
        assert_eq!(read_form(schema, other), None, "{other:?}");
    }
}

#[test]
fn braces_are_fields_only_where_they_name_known_ones() {
    let schema = Schema::shipped();
    for (text, read) in [
        ("{promise: SSO, owner: Platform}", json!({"promise": "SSO", "owner": "Platform"})),
        ("{promise: SSO, colour: red}", json!({"promise": "{promise: SSO, colour: red}"})),
        ("{SSO} for all", json!({"promise": "{SSO} for all"})),
        ("- {}", json!({"promise": "{}"})),
    ] {
        let answers = read_form(schema, &filled(schema, &[("Commitments", text)])).expect("a form");
        assert_eq!(answers.sections["commitments"], json!([read]), "{text}: {answers:?}");
    }
}

#[test]
fn a_body_of_more_than_half_a_mebibyte_is_not_read() {
    let schema = Schema::shipped();
    let body = filled(schema, &[("Customer", "Acme")]);
    let most = body.clone() + &"\n".repeat(512 * 1024 - body.len());
    assert!(read_form(schema, &most).is_some());
    assert_eq!(read_form(schema, &(most + "\n")), None);
}

#[test]
fn one_answer_alone_is_read_in_the_shape_of_its_field() {
    let schema = Schema::shipped();
    for (pointer, text, read) in [
        ("/customer/size", "2,822", Ok(Some(json!(2822)))),
        ("/implementation/integrations", "Okta\r\nNetSuite", Ok(Some(json!(["Okta", "NetSuite"])))),
        ("/success/metric", " Days to close ", Ok(Some(json!("Days to close")))),
        ("/success/metric", " \n ", Ok(None)),
        ("/success/metric", "TBD", Err("answers nothing")),
        ("/success/nothing", "x", Err("no such answer")),
        ("/customer/size", "many", Err("\"many\" is not a number")),
        ("/success/metric", &"x".repeat(20_001), Err("longer than 20000 characters")),
    ] {
        match (read_answer(schema, pointer, text), read) {
            (Ok(answer), Ok(read)) => assert_eq!(answer, read, "{pointer} {text:.20}"),
            (Err(why), Err(words)) => assert!(why.contains(words), "{pointer}: {why}"),
            (told, read) => panic!("{pointer} {text:.20}: {told:?}, not {read:?}"),
        }
    }
    assert!(read_answer(schema, "/success/metric", &"x".repeat(20_000)).is_ok());
}

#[test]
fn an_input_is_as_long_as_its_answers_are() {
    let mut document: Value = serde_json::from_str(SHIPPED_SCHEMA).unwrap();
    let success = document["properties"]["success"]["properties"].as_object_mut().unwrap();
    let story = "They lost two customers in the spring peak over it.";
    for (name, field) in [
        ("story", json!({"type": "string", "examples": [story]})),
        ("plain", json!({"type": "object", "properties": {"a": {}}})),
        (
            "page",
            json!({"type": "string", "format": "uri", "examples": [format!("https://a.example/{story}")]}),
        ),
    ] {
        success.insert(name.to_owned(), field);
    }
    let schema = Schema::compile(document.to_string().as_bytes()).unwrap();
    // A section that is one answer is called by its key, for its title is the question.
    for (pointer, label) in [("/commitments", "Commitments"), ("/success/metric", "Metric")] {
        let asked = asked_answer(&schema, pointer, None).expect(pointer);
        assert_eq!(asked.label, label);
    }
    for (pointer, example) in [
        ("/contacts/signer", Some("name: ")),
        ("/implementation/integrations", Some("Okta")),
        ("/success/story", Some(story)),
        ("/success/plain", None),
    ] {
        let asked = asked_answer(&schema, pointer, None).expect(pointer).example;
        assert_eq!(asked.is_some(), example.is_some(), "{pointer}");
        assert!(asked.unwrap_or_default().starts_with(example.unwrap_or_default()), "{pointer}");
    }
    let long = |pointer: &str| asked_answer(&schema, pointer, None).map(|asked| asked.is_long);
    for (pointer, is_long) in [
        ("/customer/tier", Some(false)),
        ("/success/primary_goal", Some(false)),
        ("/success/story", Some(true)),
        ("/success/page", Some(false)),
        ("/implementation/integrations", Some(true)),
        ("/contacts/signer", Some(true)),
        // The CSM's own, the deal's own, and what there is not.
        ("/first_action/instruction", None),
        ("/deal/name", None),
        ("/success/nothing", None),
    ] {
        assert_eq!(long(pointer), is_long, "{pointer}");
    }
}

#[test]
fn an_answer_is_put_where_it_belongs() {
    let brief = json!({"commitments": [{"promise": "SSO"}], "purchase": "none", "success": "",
        "customer": {"name": "Acme"}});
    for (pointer, put) in [
        ("/customer/tier", json!({"name": "Acme", "tier": 1})),
        ("/commitments/0/due", json!([{"promise": "SSO", "due": 1}])),
        ("/success/metric", json!({"metric": 1})),
        ("/implementation/own~1field/it", json!({"own/field": {"it": 1}})),
        ("/context", json!(1)),
    ] {
        let mut changed = brief.clone();
        put_answer(&mut changed, pointer, json!(1)).expect(pointer);
        let section = pointer.split('/').nth(1).unwrap();
        assert_eq!(changed[section], put, "{pointer}");
        changed[section] = brief[section].clone();
        let kept = changed.as_object().unwrap().iter().filter(|(_, it)| !it.is_null());
        assert_eq!(kept.count(), 4, "nothing else is touched");
    }
    for (pointer, why) in [
        ("/commitments/1/due", "is gone"),
        ("/commitments/x/due", "is gone"),
        ("/commitments/0", "answered in another way"),
        ("/purchase/term", "answered in another way"),
        ("/customer/name/first", "answered in another way"),
    ] {
        let mut changed = brief.clone();
        let error = put_answer(&mut changed, pointer, json!(1)).expect_err(pointer);
        assert!(error.contains(why), "{pointer}: {error}");
        assert_eq!(changed, brief, "{pointer}");
    }
}

#[test]
fn a_companys_own_field_is_asked_for_and_read() {
    let mut document: Value = serde_json::from_str(SHIPPED_SCHEMA).unwrap();
    document["properties"]["customer"]["properties"]["region"] =
        json!({"title": "Customer", "enum": ["EMEA", "APAC"]});
    document["properties"]["customer"]["required"].as_array_mut().unwrap().push(json!("region"));
    let schema = Schema::compile(document.to_string().as_bytes()).unwrap();
    let body = filled(&schema, &[("Customer", "Acme"), ("Customer (customer.region)", "emea")]);
    let answers = read_form(&schema, &body).expect("a form");
    assert_eq!(answers.sections["customer"], json!({"name": "Acme", "region": "EMEA"}));
}

#[test]
fn a_yes_or_no_is_read_as_people_write_one() {
    let mut document: Value = serde_json::from_str(SHIPPED_SCHEMA).unwrap();
    let customer = &mut document["properties"]["customer"];
    customer["properties"]["pilot"] =
        json!({"title": "Pilot", "type": "boolean", "examples": [true]});
    customer["required"].as_array_mut().unwrap().push(json!("pilot"));
    let schema = Schema::compile(document.to_string().as_bytes()).unwrap();
    for (text, read) in
        [("Yes", Some(true)), ("true", Some(true)), ("no", Some(false)), ("False", Some(false))]
            .into_iter()
            .chain([("perhaps", None)])
    {
        let answers = read_form(&schema, &filled(&schema, &[("Pilot", text)])).expect("a form");
        let pilot = answers.sections.get("customer").and_then(|it| it["pilot"].as_bool());
        assert_eq!(pilot, read, "{text}");
        let problems: Vec<String> = answers.problems.iter().map(ToString::to_string).collect();
        match read {
            Some(_) => assert!(problems.is_empty(), "{text}: {problems:?}"),
            None => assert_eq!(problems, ["Pilot: \"perhaps\" is neither yes nor no"]),
        }
    }
}

#[test]
fn an_example_that_was_copied_with_its_marks_is_the_text_alone() {
    let schema = Schema::shipped();
    for (text, read) in [
        ("\"Dana Wu\"", "Dana Wu"),
        ("\"Dana \\\"D\\\" Wu\"", "\"Dana \\\"D\\\" Wu\""),
        ("\"Dana\" \"Wu\"", "\"Dana\" \"Wu\""),
        ("Dana \"Wu\"", "Dana \"Wu\""),
    ] {
        let text = format!("name: {text}\nemail: \"dana@acme.example\"");
        let answers = read_form(schema, &filled(schema, &[("Signer", &text)])).expect("a form");
        let signer = &answers.sections["contacts"]["signer"];
        assert_eq!(signer, &json!({"name": read, "email": "dana@acme.example"}), "{text}");
    }
}

#[test]
fn a_signature_takes_the_answers_of_a_form() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    let laid =
        fs::read_to_string(sandbox.join("ledger/.github/ISSUE_TEMPLATE/handoff.yml")).unwrap();
    assert_eq!(laid, issue_form(Schema::shipped()));
    let body = filled(
        Schema::shipped(),
        &[("Customer", "Acme Corp"), ("Metric", "Pick error rate"), ("Employees", "lots")],
    );
    sandbox.write("ledger/issue.md", body);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let signed = sandbox
        .handoff("ledger", &["sign", &event, "--form", "issue.md", "--format", "json"])
        .exits(0);
    assert!(signed.stderr.contains("\"lots\" is not a number"), "{}", signed.stderr);
    let path = signed.json()["path"].as_str().unwrap().to_owned();
    assert!(path.contains("acme-corp--"), "the customer's name is the form's: {path}");
    let brief = fs::read_to_string(sandbox.join("ledger").join(path).join("brief.yaml")).unwrap();
    assert!(
        brief.contains("metric: Pick error rate") && brief.contains("provider: pandadoc"),
        "{brief}"
    );
    sandbox.write("ledger/issue.md", "Hello\n");
    let none = sandbox.handoff("ledger", &["sign", &event, "--form", "issue.md"]).exits(2);
    assert!(none.stderr.contains("not a filled-in handoff form"), "{}", none.stderr);
}

#[test]
fn a_company_with_neither_crm_nor_e_signature_hands_over_by_issue() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    let form = |goal: &str| {
        let answers = [("Customer", "Acme Corp"), ("Primary goal", goal), ("Employees", "120")];
        sandbox.write("ledger/issue.md", filled(Schema::shipped(), &answers));
    };
    let sign = |issue: &str, more: &[&str]| {
        let given = ["sign", "--form", "issue.md", "--issue", issue, "--format", "json"];
        sandbox.handoff("ledger", &[&given[..], more].concat())
    };
    form("Ship in a day");
    let issue = "12";
    let opened = ["--received-at", "2026-11-20T15:00:00Z"];
    let signed = sign(issue, &opened).exits(0).json();
    assert_eq!((&signed["key"], &signed["created"]), (&json!("github-12"), &json!(true)));
    let path = signed["path"].as_str().unwrap();
    assert!(path.contains("acme-corp--github-12"), "{path}");
    let read = || fs::read_to_string(sandbox.join("ledger").join(path).join("brief.yaml")).unwrap();
    for words in [
        "name: Acme Corp",
        "Ship in a day",
        "size: 120",
        "issue 12",
        "2026-11-20T15:00:00Z",
        "Introduce yourself to Acme Corp by ",
        "reference their primary goal: Ship in a day",
    ] {
        assert!(read().contains(words), "the brief has {words}:\n{}", read());
    }

    let head = || sandbox.git("ledger", &["rev-parse", "HEAD"]);
    let first = head();
    for (again, more) in [(issue, &opened[..]), ("#12", &[][..])] {
        assert_eq!(sign(again, more).exits(0).json()["commit"], Value::Null, "{more:?}");
    }
    assert_eq!(head(), first, "the same form again makes nothing new");
    form("Ship in an hour");
    let updated = sign(issue, &opened).exits(0).json();
    assert_eq!((&updated["path"], &updated["created"]), (&json!(path), &json!(false)));
    assert!(read().contains("Ship in an hour"), "{}", read());
    assert!(sandbox.handoff("ledger", &["status"]).exits(0).stdout.contains("github-12"));

    for other in ["twelve", "https://github.com/other/repository/issues/12"] {
        let wrong = sign(other, &[]).exits(2);
        assert!(wrong.stderr.contains("is not an issue number"), "{}", wrong.stderr);
    }
    let alone = sandbox.handoff("ledger", &["sign", "--issue", "12"]).exits(2);
    assert!(alone.stderr.contains("--form"), "{}", alone.stderr);
}

#[test]
fn a_preview_shows_what_each_target_would_be_sent() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let signed = sandbox
        .handoff("ledger", &["sign", &event, "--no-deliver", "--format", "json"])
        .exits(0)
        .json();
    let key = signed["key"].as_str().unwrap();
    let shown = sandbox.handoff("ledger", &["render", key, "--preview"]).exits(0).stdout;
    for words in [
        "==> task, to the outbox: First touch: ",
        "==> message, to the outbox",
        "==> mail, to",
        "==> project, to",
        "handoff.welcome_sequence.requested",
    ] {
        assert!(shown.contains(words), "the preview has {words}:\n{shown}");
    }
    assert!(!sandbox.join("ledger/outbox").exists(), "nothing is sent");
    let config = fs::read_to_string(sandbox.join("ledger/handoff.yaml")).unwrap();
    sandbox.write(
        "ledger/handoff.yaml",
        config.replace(
            "  outbox: {dir: outbox}",
            "  github: {repository: acme/handoffs}\n  slack: {channel: \"#cs\"}",
        ),
    );
    let shown = sandbox.handoff("ledger", &["render", key, "--preview"]).exits(0).stdout;
    assert!(
        shown.contains("==> task, to GitHub:") && shown.contains("==> message, to Slack:"),
        "no secret is asked for:\n{shown}"
    );
    sandbox.handoff("ledger", &["render", "hubspot-404", "--preview"]).exits(4);
}
