//! Expressions: what they may read and what they decide.

use handoff::brief::{Decision, Expression, FirstTouch, Holds, Mapping, RECORDS, Schema};
use handoff::model::{
    Company, Contact, CrmName, Deal, DealId, DealRef, DocumentId, LineItem, Money, Person,
    ProviderName, Signature, Signer,
};
use handoff::yaml::Span;
use serde_json::{Value, json};

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

#[test]
fn a_document_names_the_facts_that_it_does_not_tell() {
    let told: Vec<&str> = signature().absent_facts().collect();
    assert_eq!(told, ["metadata"]);
    let bare = Signature::new(ProviderName::new("pandadoc"), DocumentId::new("d1"));
    let told: Vec<&str> = bare.absent_facts().collect();
    assert_eq!(
        told.join(" "),
        "document_name signed_at signers total template template_id folder tags customer metadata"
    );
}

#[test]
fn says_finds_whole_words_in_whatever_writing() {
    let told = |text: &str, words: &str| {
        let source = format!("signature.document_name | says({words})");
        let expression = Expression::compile(&source).expect(&source);
        let context = json!({"signature": {"document_name": text}});
        expression.value(context).expect("a value")
    };
    for (text, words, is_said) in [
        ("Mutual NDA - Acme", "'nda'", true),
        ("MNDA_Acme_v2.pdf", "'NDA', 'MNDA'", true),
        ("Non-Disclosure Agreement", "'nondisclosure', 'non disclosure'", true),
        ("Accord de CONFIDENTIALITE", "'confidentialité'", true),
        ("Order\u{a0}form (signed)", "'order form'", true),
        ("(Order-Form)", "'order form'", true),
        ("秘密保持契約書", "'秘密保持'", true),
        ("ＮＤＡ", "'nda'", true),
        ("NDA契約書", "'nda'", true),
        ("株式会社アクメNDA", "'nda'", true),
        ("NDA2026.pdf", "'nda'", true),
        ("MutualNDA.pdf", "'nda'", true),
        ("OrderForm.pdf", "'order form'", true),
        ("PandaDoc", "'pandadoc'", true),
        ("Agenda", "'nda'", false),
        ("Form 12", "'form 1'", false),
        ("STANDARD ORDER FORM", "'NDA'", false),
        ("Disagreement notice", "'agreement'", false),
        ("Agreements", "'agreement'", false),
        ("Form of order", "'order form'", false),
        ("Reorder form", "'order form'", false),
        ("", "'order form'", false),
    ] {
        let said = told(text, words).and_then(|it| it.as_bool()).unwrap_or_default();
        assert_eq!(said, is_said, "{text}: {words}");
    }
    // What has no name leaves a rule undecided, and nothing to look for is a mistake.
    let rule = Expression::compile("signature.document_name | says('nda')").expect("a rule");
    assert!(matches!(rule.decide(json!({"signature": {}})), Ok(Decision::Undecided { .. })));
    for source in ["'a' | says", "'a' | says('-')"] {
        let failed = Expression::compile(source).expect(source).value(json!({}));
        assert!(failed.is_err_and(|error| error.message.contains("says")), "{source}");
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
        ("'worth ' ~ deal.amount", "write one of them: `deal.amount.amount`"),
        ("deal | attr('nmae')", "did you mean `deal.name`?"),
        ("deal.name < 60", "compare with a number: `deal.name | number < 60`"),
        ("deal.amount < 'sixty'", "write a number: `deal.amount < 60`"),
        ("contacts > 3", "compare how many there are: `contacts | length > 1`"),
        ("deal.owner == 'Riley'", "compare one of its parts: `deal.owner.name`"),
        ("(deal.name == 'x') == 5", "compare values of one kind"),
        ("5 == (deal.name == 'x')", "compare values of one kind"),
        ("company.employees == true", "compare values of one kind"),
        ("contacts|unique(attribute='nmae')|list", "did you mean `contacts.name`?"),
    ] {
        let problems = Expression::compile(source).expect(source).problems(&NAMES);
        let told: Vec<String> =
            problems.iter().filter_map(|problem| problem.help.clone()).collect();
        assert!(told.iter().any(|told| told.contains(help)), "{source}: {problems:?}");
    }
    for source in [
        "deal.amount < 60",
        "deal.amount < '60' and '60' > deal.amount",
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
        ("contacts | select('sting') | list", "there is no test `sting`"),
        ("contacts | rejectattr('name', 'sting') | list", "there is no test `sting`"),
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
        handoff::crm::row("file").map(|row| &row.mapping),
        &[
            own("customer.teir", "deal.stage"),
            own("succes.metric", "deal.stage"),
            own("customer.name.short", "deal.name"),
            own("success.metric", "brief.customer.sise"),
            own("contacts.technical_owner", "contacts | role('technical_owner')"),
        ],
    )
    .unwrap();
    let deep = |keys: usize| own(&vec!["own"; keys].join("."), "deal.name");
    assert!(Mapping::compile(None, &[deep(8)]).is_ok());
    let problems = Mapping::compile(None, &[deep(9)]).expect_err("nine keys");
    assert!(problems[0].message.ends_with("is not the path of a field"), "{problems:?}");
    let problems = mapping.check(Schema::shipped());
    let helps: Vec<&str> = problems.iter().filter_map(|problem| problem.help.as_deref()).collect();
    for help in [
        "did you mean `customer.tier`?",
        "did you mean `success`?",
        "map `customer.name` as a whole",
        "did you mean `brief.customer.size`?",
    ] {
        assert!(helps.contains(&help), "{help}: {problems:?}");
    }
    assert_eq!(problems.len(), 4, "{problems:?}");
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    for message in [
        "the ledger's schema has no field `customer.teir`: `customer` has no `teir`",
        "the ledger's schema has no field `succes.metric`",
        "`customer.name` has no fields inside: there is no `short`",
    ] {
        assert!(messages.contains(&message), "{message}: {messages:#?}");
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
        // Beside an empty text it is asked whether there is something.
        "deal.properties.blank == ''",
        "deal.name == 'Acme' or deal.properties.absent == 'x'",
        "deal.properties.absent == 'x' or deal.name == 'Acme'",
        "1 < 2 < 3",
        "true == true and true != false and true > false",
        "deal.properties.test != true and not (deal.properties.test == 'TRUE')",
        "9 < deal.properties.size and 10 > deal.properties.seats",
        "deal.amount > deal.properties.seats and deal.properties.seats < deal.amount",
        "[1, 2] == [1, 2] and [1] != [2]",
        "deal.name == 'Other' if deal.properties.seats > 60 else deal.name == 'Acme'",
        "deal.name == 'Acme' if deal.properties.absent else deal.name != 'Other'",
        "not (deal.name == 'x' if deal.name == 'Other')",
        "(deal.properties.absent or deal.name) == 'Acme'",
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
        "deal.properties.blank != ''",
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
        ("deal.properties.stage < 75", "compare with a number: `… | number < 75`"),
        ("deal.amount < deal.properties.fee", "one amount is in USD and the other in EUR"),
        ("deal.amount < {'amount': '60', 'currency': 'CHF'}", "one amount is in USD"),
        ("deal.properties.absent | trim == 'x'", "`deal.properties.absent` has no value"),
        (
            "(deal.properties.absent or deal.pipeline) == 'x'",
            "`deal.properties.absent or deal.pipeline` has no value",
        ),
        ("deal.name == 'x' if deal.properties.absent else deal.name == 'Acme'", "has no value"),
    ] {
        match decide(source) {
            Decision::Undecided { why } => assert!(why.contains(because), "{source}: {why}"),
            decided => panic!("{source}: {decided:?}"),
        }
    }
    let eur = "(deal.properties.price | money(currency='EUR')).amount | number == 100";
    for (price, read) in [("100 EUR", true), ("€100", true), ("USD 100", false), ("£100", false)]
    {
        let context = json!({"deal": {"properties": {"price": price}}});
        match Expression::compile(eur).unwrap().decide(&context) {
            Ok(decided) => assert!(read && decided == Decision::Holds, "{price}: {decided:?}"),
            Err(error) => {
                assert!(
                    !read && error.message.contains("is not an amount in EUR"),
                    "{price}: {error}"
                );
            }
        }
    }
    // What no deal could decide is an error, and of a deal's values a gap.
    for (source, because) in [
        ("deal.properties.stage > 60", "cannot compare the text \"Won\" with the number 60"),
        ("60 > deal.properties.stage", "compare with a number: `… | number > 60`"),
        ("deal.amount == 'Won'", "cannot compare an amount of money with the text \"Won\""),
        ("'Won' == deal.amount", "compare with a number: `… | number == 60`"),
        ("[1] < [2]", "cannot compare a list with a list; compare values of one kind"),
        ("[1] == {'a': 1}", "cannot compare a list with a record"),
        ("1 < [2]", "cannot compare the number 1 with a list; compare values of one kind"),
        ("'a' < [2]", "cannot compare the text \"a\" with a list; compare values of one kind"),
        ("true == 'yes'", "cannot compare true or false with the text \"yes\""),
        ("true < 'true'", "cannot compare true or false with the text \"true\""),
        ("true < 1", "cannot compare true or false with the number 1"),
    ] {
        let why = match Expression::compile(source).expect(source).decide(&context) {
            Ok(Decision::Undecided { why }) => why,
            Ok(decided) => panic!("{source}: {decided:?}"),
            Err(error) => error.to_string(),
        };
        assert!(why.contains(because), "{source}: {why}");
    }
}

#[test]
fn a_condition_says_which_properties_of_a_deal_it_reads_or_that_it_reads_more() {
    for (source, read) in [
        ("deal.amount > 5", Some(&[][..])),
        ("deal.properties.x == 'y' or deal.properties['two words']", Some(&["two words", "x"])),
        ("company.name == 'x' and deal.company.industry", Some(&[])),
        ("deal", None),
        ("deal.properties", None),
        ("company", None),
        ("deal.company", None),
        ("company.properties.x", None),
        ("contacts | length > 1", None),
        ("deal.line_items", None),
    ] {
        let told = Expression::compile(source).expect(source).deal_properties();
        let told: Option<Vec<&str>> =
            told.as_ref().map(|names| names.iter().map(String::as_str).collect());
        assert_eq!(told.as_deref(), read, "{source}");
    }
}

#[test]
fn conditions_over_deals_and_briefs() {
    let deal = crate::brief_mapping::deal("hubspot");
    let over = |source: &str| Expression::compile(source).expect("compiles");
    let context = json!({"deal": deal, "company": deal.company});
    assert!(
        over("deal.properties.account_tier == 'enterprise'").is_true(&context).expect("evaluates")
    );
    assert!(!over("deal.properties.dealtype == 'renewal'").is_true(&context).expect("absent"));
    assert!(!over("company.properties.x.y > 5").is_true(&context).unwrap_or(false));
    let brief = json!({"customer": {"tier": "enterprise"}});
    let condition = over("customer.tier == 'enterprise'");
    assert!(condition.is_true(&brief).expect("evaluates"));
    assert_eq!(condition.problems(&["customer"]), []);
    let help = over("custmer.tier").problems(&["customer", "purchase"])[0].help.clone();
    assert_eq!(help.as_deref(), Some("did you mean `customer`?"));
    let error = Expression::compile(&"a or ".repeat(2_000)).expect_err("too long");
    assert!(error.message.contains("bytes"), "{error}");
}
