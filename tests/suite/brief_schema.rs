//! The schema: what is valid, how violations read, completeness, and a
//! company's own copy.

use handoff::brief::{
    Absence, AnswerState, Brief, Completeness, QUESTIONS, SHIPPED_SCHEMA, Schema, SchemaError,
    TIMELINE_JSON_SCHEMA, View,
};
use serde_json::{Value, json};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/brief/samples");

pub(crate) fn sample(name: &str) -> Brief {
    let source = std::fs::read(format!("{SAMPLES}/{name}.yaml")).expect("sample");
    Brief::parse(&source).expect("YAML")
}

fn changed(pointer: &str, value: Value) -> Brief {
    let mut json = sample("complete").into_json();
    *json.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    Brief::from_json(json)
}

#[test]
fn the_sample_is_valid_and_complete() {
    let brief = sample("complete");
    assert_eq!(Schema::shipped().check(&brief), []);
    assert!(Schema::shipped().is_valid(&brief));
    let completeness = Completeness::of(Schema::shipped(), brief.json());
    assert!(completeness.is_complete(), "{:?}", completeness.missing);
    assert_eq!(completeness.answered(), 7);
}

#[test]
fn completeness_tells_missing_unknown_and_placeholder_apart_and_names_whom_to_ask() {
    let brief = sample("gaps");
    let completeness = Completeness::of(Schema::shipped(), brief.json());
    let missing: Vec<_> = completeness
        .missing
        .iter()
        .map(|m| (m.question, m.field.as_str(), m.absence, m.ask.as_deref()))
        .collect();
    let ask = Some("Riley Ross");
    let gone = Absence::Missing;
    assert_eq!(
        missing,
        [
            (1, "customer.industry", gone, ask),
            (1, "customer.tier", gone, ask),
            (2, "purchase.term", gone, ask),
            (3, "contacts.signer.email", gone, ask),
            (3, "contacts.economic_buyer", gone, ask),
            (4, "commitments", gone, ask),
            (5, "implementation.complexity", gone, ask),
            (5, "implementation.requirements", gone, ask),
            (5, "implementation.integrations", gone, ask),
            (5, "implementation.custom_configuration", gone, ask),
            (6, "success.primary_goal", Absence::Placeholder, ask),
            (6, "success.metric", gone, ask),
        ]
    );
    let unknown: Vec<_> = completeness.unknown.iter().map(|u| u.field.as_str()).collect();
    assert_eq!(unknown, ["customer.size", "contacts.day_to_day"]);
    assert_eq!(completeness.answer(1), Some(AnswerState::Unanswered));
    assert_eq!(completeness.answer(7), Some(AnswerState::Answered));
    assert_eq!(completeness.missing[0].label, "Industry");
    assert_eq!(completeness.missing[0].example.as_deref(), Some("Manufacturing"));
    assert_eq!(completeness.missing[3].label, "Signer: e-mail");
}

#[test]
fn an_unknown_answer_counts_apart() {
    let gap = json!({"unknown": {"why": "w", "owner": "o", "resolve_by": "2026-12-05"}});
    for pointer in ["/customer/tier", "/purchase/term", "/commitments", "/first_action/owner"] {
        let brief = changed(pointer, gap.clone());
        assert_eq!(Schema::shipped().check(&brief), [], "{pointer}");
        let completeness = Completeness::of(Schema::shipped(), brief.json());
        assert!(completeness.is_complete(), "{pointer}");
        assert_eq!(completeness.answered(), 6, "{pointer}");
    }
}

#[test]
fn an_empty_brief_lacks_everything_and_breaks_nothing_else() {
    let brief = Brief::from_json(json!({}));
    let completeness = Completeness::of(Schema::shipped(), brief.json());
    assert_eq!(completeness.questions, [AnswerState::Unanswered; 7]);
    assert_eq!(completeness.missing[0].ask.as_deref(), Some("the sales rep"));
    assert!(Schema::shipped().check(&brief).iter().all(|violation| violation.absent));
}

#[test]
fn whatever_the_file_holds_is_judged_without_a_panic() {
    for text in ["", "null", "[]", "7", "a: b", "customer: 7", "customer: [x]", "commitments: [[]]"]
    {
        let brief = Brief::parse(text.as_bytes()).expect("YAML");
        let _ = Schema::shipped().check(&brief);
        let _ = Completeness::of(Schema::shipped(), brief.json());
        let view = View::of(brief.json());
        assert_eq!((view.key(), view.customer_name(), view.contract_value()), (None, None, None));
        assert!(view.commitments().is_empty() || text.contains("[["), "{text}");
    }
}

#[test]
fn the_questions_are_the_titles_of_the_shipped_schema() {
    let sections = Schema::shipped().outline().sections();
    let titles: Vec<_> = sections.iter().map(|(_, field)| field.title.as_str()).collect();
    assert_eq!(titles, QUESTIONS);
    let numbers: Vec<_> = sections.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn every_owed_answer_has_a_title_an_example_that_is_valid_and_somebody_to_ask() {
    for (_, section) in Schema::shipped().outline().sections() {
        assert!(section.ask.is_some(), "{}", section.name);
        let handoff::brief::Shape::Mapping { fields, .. } = &section.shape else { continue };
        for field in fields.iter().filter(|field| field.required) {
            let pointer = format!("/{}/{}", section.name, field.name);
            let example = field.example.clone().unwrap_or_else(|| panic!("{pointer}: no example"));
            let violations = Schema::shipped().check(&changed(&pointer, example));
            assert_eq!(violations, [], "{pointer}");
        }
    }
}

/// The shipped schema with one change.
fn own(change: impl FnOnce(&mut Value)) -> Schema {
    let mut document: Value = serde_json::from_str(SHIPPED_SCHEMA).expect("JSON");
    change(&mut document);
    Schema::compile(document.to_string().as_bytes()).expect("compiles")
}

#[test]
fn a_companys_own_fields_are_checked_asked_for_and_put_in_order() {
    let schema = own(|document| {
        document["properties"]["customer"]["properties"]["region"] = json!({"title": "Sales region", "type": "string", "enum": ["EMEA", "NA"], "x-ask": "rep"});
        document["properties"]["customer"]["required"] = json!(["name", "region"]);
        document["properties"]["partner"] = json!({
            "title": "Which partner brought them?", "x-ask": "Partner team", "type": "object",
            "required": ["name"], "properties": {"name": {"type": "string"}, "fee": {"$ref": "#/$defs/money"}}});
    });
    assert!(!schema.is_shipped());
    assert!(Schema::shipped().is_shipped());
    assert!(own(|_| ()).is_shipped(), "a copy that says the same");
    let brief = sample("complete");
    let completeness = Completeness::of(&schema, brief.json());
    let missing: Vec<_> = completeness.missing.iter().map(|m| m.field.as_str()).collect();
    assert_eq!(missing, ["customer.region"]);
    assert_eq!(completeness.missing[0].label, "Sales region");
    let mut json = brief.into_json();
    json["customer"]["region"] = "APAC".into();
    json["partner"] = json!({"fee": {"currency": "USD", "amount": "1.00"}, "name": "Acme"});
    let ordered = schema.in_order(&json);
    let keys: Vec<_> = ordered["partner"].as_object().expect("mapping").keys().collect();
    assert_eq!(keys, ["name", "fee"]);
    assert_eq!(serde_json::to_value(&ordered).expect("json"), json, "only the order changes");
    let violations = schema.check(&Brief::from_json(json));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(
        violations[0].message,
        "`customer.region` must be one of `EMEA`, `NA`, and is \"APAC\""
    );
}

#[test]
fn each_limit_of_a_companys_schema_is_said_in_words() {
    let any = json!({"type": ["string", "number", "array", "object", "boolean", "null"]});
    for (limit, value, message) in [
        (json!({"const": "gold"}), json!("tin"), "must be `gold`, and is \"tin\""),
        (json!({"minItems": 2}), json!(["a"]), "needs at least 2 items"),
        (json!({"maxItems": 1}), json!(["a", "b"]), "may have at most 1 items"),
        (json!({"uniqueItems": true}), json!(["a", "a"]), "names something twice"),
        (json!({"minLength": 3}), json!("ab"), "needs at least 3 characters"),
        (json!({"maxLength": 3}), json!("abcd"), "may have at most 3 characters"),
        (json!({"minimum": 5}), json!(4), "must be 5 or more, and is the number 4"),
        (json!({"maximum": 5}), json!(6), "must be 5 or less, and is the number 6"),
        (json!({"exclusiveMinimum": 5}), json!(5), "must be more than 5, and is the number 5"),
        (json!({"exclusiveMaximum": 5}), json!(5), "must be less than 5, and is the number 5"),
        (json!({"minProperties": 2}), json!({"a": 1}), "needs at least 2 fields"),
        (json!({"maxProperties": 1}), json!({"a": 1, "b": 2}), "may have at most 1 fields"),
        (json!({"not": {"type": "number"}}), json!(4), "`own.it`: "),
        (
            json!({"oneOf": [{"type": "number"}, {"minimum": 1}]}),
            json!(4),
            "fits more than one of the forms that the schema allows",
        ),
        (
            json!({"type": "boolean", "examples": [true]}),
            json!("perhaps"),
            "must be `true` or `false`, and is \"perhaps\"",
        ),
        (json!({"type": "number", "examples": [4]}), json!("x"), "must be a number, and is \"x\""),
    ] {
        let schema = own(|document| {
            let mut field = any.clone();
            let all = field.as_object_mut().expect("fields");
            all.extend(limit.as_object().expect("keywords").clone());
            document["properties"]["own"] = json!({"type": "object", "properties": {"it": field}});
        });
        let with = |value: &Value| {
            let mut json = sample("complete").into_json();
            json["own"] = json!({"it": value});
            Brief::from_json(json)
        };
        let violations = schema.check(&with(&value));
        assert_eq!(violations.len(), 1, "{limit}: {violations:?}");
        assert_eq!(violations[0].pointer, "/own/it", "{limit}");
        assert!(violations[0].message.contains(message), "{limit}: {}", violations[0].message);
        assert!(violations[0].message.starts_with("`own.it`"), "{}", violations[0].message);
    }
    // Two limits of one answer are two facts.
    let schema = own(|document| {
        document["properties"]["own"] =
            json!({"type": "object", "properties": {"it": {"minLength": 3, "pattern": "^a"}}});
    });
    let mut json = sample("complete").into_json();
    json["own"] = json!({"it": "b"});
    let violations = schema.check(&Brief::from_json(json));
    let pointers: Vec<&str> = violations.iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!(pointers, ["/own/it", "/own/it"], "{violations:?}");
    // Of a field that the outline does not have, the types are all there is to say.
    for (types, words) in [
        (json!("integer"), "must be a whole number, and is a mapping of fields"),
        (json!(["null", "array"]), "must be empty or a list, and is a mapping of fields"),
        (json!(["boolean", "number"]), "must be `true` or `false` or a number"),
        (json!("string"), "must be a text, and is a mapping of fields"),
    ] {
        let schema = own(|document| {
            document["properties"]["own"] =
                json!({"type": "object", "patternProperties": {"^x": {"type": types}}});
        });
        let mut json = sample("complete").into_json();
        json["own"] = json!({"x1": {"a": 1}});
        let violations = schema.check(&Brief::from_json(json));
        assert_eq!(violations.len(), 1, "{types}: {violations:?}");
        assert!(violations[0].message.contains(words), "{types}: {}", violations[0].message);
    }
    let schema = own(|document| document["properties"]["own"] = json!(false));
    let mut json = sample("complete").into_json();
    json["own"] = json!("x");
    let violations = schema.check(&Brief::from_json(json));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].message, "`own` is not allowed here");
}

#[test]
fn a_schema_that_is_none_is_refused_with_its_place() {
    let compile = |source: &[u8]| Schema::compile(source).expect_err("refused");
    assert!(matches!(compile(b"{\n  \"a\": }"), SchemaError::Json { line: 2, .. }));
    assert!(matches!(compile(b"{\"type\": \"txt\"}"), SchemaError::Invalid { .. }));
    assert!(matches!(compile(b"{}"), SchemaError::NotABrief { .. }));
    let remote =
        json!({"properties": {"schema": {}, "key": {"$ref": "https://example.com/x.json"}}});
    let error = compile(remote.to_string().as_bytes());
    assert!(matches!(error, SchemaError::Invalid { .. }), "no network: {error}");
    let refers = |to: &str| json!({"properties": {"schema": {}, "key": {"$ref": to}}});
    for (schema, words) in [
        (json!({"type": "txt"}), "\"txt\" is not valid"),
        (json!({"type": "txt"}), " (at /type)"),
        (remote, " (at /properties/key/$ref)"),
        (refers("#/$defs/nothing"), "there is no \"#/$defs/nothing\" in the schema"),
        (refers("#anchor"), "leads out of the schema"),
        (json!({"properties": {"key": {"$ref": 7}}}), "a reference is a text"),
        (json!({"properties": {"key": {"$id": "x"}}}), "`$id` belongs at the top alone"),
    ] {
        let told = compile(schema.to_string().as_bytes()).to_string();
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn what_a_mapping_takes_is_said() {
    let schema = own(|document| {
        document["properties"]["own"] = json!({"type": "object", "properties": {
            "two": {"type": "object", "required": ["a", "b"], "properties": {"a": {}, "b": {}, "c": {}}},
            "open": {"type": "object", "properties": {"a": {}}}}});
    });
    for (pointer, words) in [
        ("/purchase/contract_value", "must be {amount, currency}"),
        ("/contacts/signer", "must be a person with name and email"),
        ("/own/two", "must be a mapping with `a` and `b`, and is"),
        ("/own/open", "must be a mapping of fields, and is"),
    ] {
        let mut json = sample("complete").into_json();
        json["own"] = json!({"two": {"a": 1, "b": 2}, "open": {}});
        *json.pointer_mut(pointer).expect(pointer) = json!("words");
        let violations = schema.check(&Brief::from_json(json));
        let told: Vec<&str> = violations.iter().map(|it| it.message.as_str()).collect();
        assert!(told.iter().any(|told| told.contains(words)), "{pointer}: {told:?}");
    }
}

#[test]
fn a_near_miss_is_told_what_to_write() {
    let gap = json!({"unknown": {"why": "w", "owner": "o", "resolve_by": "2026-12-05"}});
    for (pointer, value, help) in [
        ("/success/by", json!("2026-11-20T10:00:00Z"), "write the day alone, `YYYY-MM-DD`"),
        ("/success/by", json!("2026-11-2"), "for example `by: "),
        ("/signature/signed_at", json!("2026-11-20 15:00"), "write it in UTC with `T` and `Z`"),
        ("/customer/size", json!("420"), "write it without quotes: `420`"),
        ("/customer/size", json!("many"), "for example `size: "),
        ("/customer/size", json!(true), "for example `size: "),
        ("/customer/name", json!(5), "put quotes around it"),
        ("/customer/name", gap, "this answer cannot be unknown"),
        ("/commitments", json!("Nothing"), "write the word `none`"),
        ("/implementation/integrations", json!("Okta"), "make it a list: `[\"Okta\"]`"),
        ("/implementation/complexity", json!("HIGH"), "write it as `high`"),
        ("/implementation/complexity", json!("huge"), "for example `complexity: "),
    ] {
        let violations = Schema::shipped().check(&changed(pointer, value));
        let told: Vec<&str> = violations.iter().filter_map(|it| it.help.as_deref()).collect();
        assert!(told.iter().any(|told| told.contains(help)), "{pointer} {help}: {violations:?}");
    }
    let violations = Schema::shipped().check(&changed("/signature/signed_at", json!("tomorrow")));
    let told = "a time in UTC such as 2026-11-20T15:01:58Z";
    assert!(violations.iter().any(|it| it.message.contains(told)), "{violations:?}");
}

#[test]
fn of_two_forms_the_one_that_was_meant_is_explained() {
    let schema = own(|document| {
        document["properties"]["own"] = json!({"anyOf": [
            {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            {"type": "object", "properties": {"count": {"type": "integer"}, "rate": {"type": "integer"}}},
        ]});
    });
    let pointers = |value: Value| {
        let mut json = sample("complete").into_json();
        json["own"] = value;
        let violations = schema.check(&Brief::from_json(json));
        violations.into_iter().map(|it| it.pointer).collect::<Vec<_>>()
    };
    // What is wrong inside tells more of what was meant than a name that is not there.
    let wrong = json!({"count": "many", "rate": "high"});
    assert_eq!(pointers(wrong), ["/own/count", "/own/rate"]);
    assert_eq!(pointers(json!({"count": "many", "name": 5})), ["/own/name"]);
    assert_eq!(pointers(json!("text")), ["/own"]);
    assert_eq!(pointers(json!({"name": "x", "count": "many"})), [""; 0]);
}

#[test]
fn what_a_schema_has_no_place_for_is_left_out() {
    let schema = own(|document| {
        document["properties"]["own"] = json!({"type": "object", "additionalProperties": false,
            "properties": {"known": {"type": "string"}}});
    });
    let closed = own(|document| document["additionalProperties"] = json!(false));
    let open = own(|document| {
        document.as_object_mut().expect("fields").remove("additionalProperties");
    });
    let fits = |schema: &Schema, path: &str| {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        schema.fitting(&path, json!("x")).is_some()
    };
    for (path, is_there) in [("own.known", true), ("own.other", false), ("customer.name", true)] {
        assert_eq!(fits(&schema, path), is_there, "{path}");
    }
    assert!(!fits(&closed, "nothing") && fits(&closed, "customer.name"));
    // Of what comes as a whole, too; what is open takes all of it.
    let whole = json!({"known": "x", "other": "y"});
    let own_of = |open: bool| {
        let schema = own(|document| {
            document["properties"]["own"] = json!({"type": "object", "additionalProperties": open,
                "properties": {"known": {"type": "string"}}});
        });
        schema.fitting(&["own".to_owned()], whole.clone())
    };
    assert_eq!(own_of(false), Some(json!({"known": "x"})));
    assert_eq!(own_of(true), Some(whole.clone()));
    assert!(fits(&open, "nothing"), "an open schema has a place for it");
}

#[test]
fn a_schema_that_refers_to_itself_is_bounded() {
    let schema = own(|document| {
        document["$defs"]["tree"] =
            json!({"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}});
        document["properties"]["tree"] = json!({"$ref": "#/$defs/tree"});
    });
    assert!(schema.outline().field("/tree/child/child").is_some());
    // By whatever keyword it comes back to itself.
    let tree = json!({"$ref": "#/$defs/tree"});
    for keyword in ["items", "contains", "additionalProperties", "unevaluatedProperties"] {
        own(|document| document["$defs"]["tree"] = json!({keyword: tree}));
        own(|document| {
            document["$defs"]["tree"] = json!({keyword: tree});
            document["properties"]["tree"] = tree.clone();
        });
    }
    for inside in [
        json!({"prefixItems": [tree]}),
        json!({"patternProperties": {"^x": tree}}),
        json!({"properties": {"child": tree}}),
    ] {
        own(|document| {
            document["$defs"]["tree"] = inside.clone();
            document["properties"]["tree"] = tree.clone();
        });
    }
}

#[test]
fn the_timeline_schema_knows_every_event() {
    use handoff::brief::{Event, EventKind, Timeline};
    let schema: Value = serde_json::from_str(TIMELINE_JSON_SCHEMA).expect("JSON");
    let listed = &schema["properties"]["events"]["items"]["properties"]["event"]["enum"];
    for kind in listed.as_array().expect("events") {
        let kind: EventKind =
            serde_json::from_value(kind.clone()).expect("an event of the program");
        let key = handoff::model::Key::parse("csv-1").expect("key");
        let mut timeline = Timeline::new(key);
        timeline.events.push(Event::new(chrono::DateTime::UNIX_EPOCH, kind, "cli"));
        let validator = jsonschema::validator_for(&schema).expect("compiles");
        let json = serde_json::to_value(&timeline).expect("json");
        assert!(validator.is_valid(&json), "{kind:?}");
        assert_eq!(Timeline::parse(timeline.to_yaml().as_bytes()).expect("reads"), timeline);
    }
    let unknown = serde_json::from_value::<EventKind>(json!("nothing")).expect_err("unknown");
    let known = listed.as_array().expect("events").iter();
    for kind in known {
        let quoted = format!("`{}`", kind.as_str().expect("text"));
        assert!(unknown.to_string().contains(&quoted), "{quoted} is no event of the program");
    }
    let count = unknown.to_string().matches('`').count() / 2 - 1;
    assert_eq!(count, listed.as_array().expect("events").len(), "an event is not in the schema");
}

#[test]
fn what_is_compiled_once_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Schema>();
    shared::<handoff::brief::Renderer>();
    shared::<handoff::brief::Mapping>();
    shared::<handoff::brief::Expression>();
    shared::<handoff::brief::TeamNames>();
    shared::<handoff::brief::CheckContext<'_>>();
}
