//! From deal to brief: the defaults, a company's changes, and what cannot hurt.

use chrono::{DateTime, Utc};
use handoff::brief::{Brief, Completeness, FirstTouch, MappedBrief, Mapping, MappingInput, Schema};
use handoff::crm::base_mappings;
use handoff::model::{
    Company, Contact, CrmName, Deal, DealId, DocumentId, Key, LineItem, Money, Person,
    ProviderName, RecordKind, Signature, Signer,
};
use handoff::yaml::Span;
use serde_json::{Map, Value, json};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("time")
}

pub(crate) fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no mapping"),
    }
}

pub(crate) fn signature() -> Signature {
    let signer = |name: &str, email: &str, role: &str| Signer {
        name: Some(name.into()),
        email: Some(email.into()),
        role: Some(role.into()),
        signed_at: None,
        signed: Some(true),
    };
    Signature {
        document_name: Some("Order form".into()),
        signed_at: Some(at("2026-10-30T16:40:02Z")),
        signers: vec![
            signer("Priya Raman", "priya.raman@vendor.example", "Vendor"),
            signer("D. Okafor", "Dana.Okafor@northwind-robotics.example", "Client"),
        ],
        total: Some(Money::parse("48000", Some("USD")).expect("money")),
        customer: Some("Northwind Robotics Ltd".into()),
        metadata: map(json!({"Client.Company": "Northwind Robotics Ltd"})),
        ..Signature::new(ProviderName::new("pandadoc"), DocumentId::new("f9CbJKS4ZAs6nU629cuowb"))
    }
}

fn contact(name: &str, title: &str, roles: &[&str]) -> Contact {
    Contact {
        id: None,
        name: Some(name.into()),
        email: Some(format!(
            "{}@northwind-robotics.example",
            name.to_lowercase().replace(' ', ".")
        )),
        title: Some(title.into()),
        phone: None,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        properties: Map::new(),
    }
}

const METRIC: &str = "Cut pick errors from 2.1% to under 0.5% by 2027-03-31";
const RISK: &str = "Legacy WMS cut-over frozen 2026-12-15 to 2027-01-05";
const NOTE: &str = "Kickoff wanted in the week of 2026-11-09";

/// The deal of `facts/samples` as each CRM tells it.
pub(crate) fn deal(crm: &str) -> Deal {
    let mut deal = Deal::new(CrmName::new(crm), DealId::new(format!("{crm}-1")));
    deal.name = Some("Northwind Robotics - Platform".into());
    deal.owner = Some(Person {
        name: Some("Priya Raman".into()),
        email: Some("priya.raman@vendor.example".into()),
    });
    deal.closed_won_at = Some(at("2026-10-30T16:42:11Z"));
    let mut company = Company {
        name: Some("Northwind Robotics".into()),
        employees: Some(420),
        industry: Some("Machinery".into()),
        website: Some("https://northwind-robotics.example".into()),
        ..Company::default()
    };
    let line = |name: &str, sku: &str, price: &str, quantity: &str, properties: Value| LineItem {
        name: Some(name.into()),
        sku: Some(sku.into()),
        price: Some(price.into()),
        quantity: Some(quantity.into()),
        properties: map(properties),
    };
    deal.contacts = vec![
        contact("Dana Okafor", "Chief Operating Officer", &["decision_maker", "budget_holder"]),
        contact("Luis Ferreira", "Warehouse Operations Lead", &["champion"]),
        contact("Mei Tan", "IT Integration Manager", &[]),
    ];
    let promises = "SSO at no charge in year one [due: 2027-01-15, owner: Platform team]; dedicated onboarding engineer for 6 weeks [stretch]";
    let (amount, first, second);
    match crm {
        "hubspot" => {
            amount = "48000";
            company.website = Some("northwind-robotics.example".into());
            company.industry = Some("MACHINERY".into());
            let billing = json!({"hs_recurring_billing_period": "P12M", "hs_recurring_billing_start_date": "2026-12-01",
                "recurringbillingfrequency": "annually", "hs_discount_percentage": "10"});
            (first, second) = (
                ("40", billing),
                ("1", json!({"hs_recurring_billing_period": null, "discount": "0"})),
            );
            deal.properties = map(json!({
                "handoff_promises": promises, "handoff_success_metric": METRIC, "handoff_implementation_complexity": "high",
                "handoff_go_live_date": "2027-01-15", "handoff_risks": RISK, "handoff_notes": NOTE,
                "account_tier": "enterprise", "handoff_integrations": "Okta;NetSuite"}));
        }
        "salesforce" => {
            amount = "48000.0";
            (first, second) = (
                (
                    "40.0",
                    json!({"ServiceDate": "2026-12-01", "Discount": 10.0, "Billing_Frequency__c": "annually"}),
                ),
                ("1.0", json!({"ServiceDate": null, "Discount": null})),
            );
            deal.properties = map(json!({
                "Commitment_Log__c": promises.replace("; ", "\r\n"), "Success_Criteria__c": METRIC, "Implementation_Complexity__c": "High",
                "Go_Live_Target__c": "2027-01-15", "Risk_Flags__c": RISK, "Handoff_Notes__c": NOTE,
                "Account_Tier__c": "enterprise", "Integrations__c": "Okta\nNetSuite", "Contract_Term__c": 12.0}));
        }
        "pipedrive" => {
            amount = "48000.00";
            (first, second) = (
                (
                    "40",
                    json!({"billing_start_date": "2026-12-01", "billing_frequency": "annually",
                        "discount": 10, "discount_type": "percentage"}),
                ),
                (
                    "1",
                    json!({"billing_start_date": null, "discount": 0, "discount_type": "amount"}),
                ),
            );
            deal.properties = map(json!({
                "Handoff - promises": promises, "Handoff - success metric": METRIC,
                "Handoff - implementation complexity": {"id": 3, "label": "High"}, "Handoff - target go-live": "2027-01-15",
                "Handoff - risks": RISK, "Handoff - notes": NOTE, "Tier": "enterprise",
                "Handoff - integrations": ["Okta", "NetSuite"], "Handoff - term months": 12}));
        }
        _ => {
            amount = "48000.000";
            (first, second) = (
                ("40", json!({"Billing frequency": "annually", "Discount %": "10"})),
                ("1", json!({"Discount %": "0"})),
            );
            deal.properties = map(json!({
                "Deal - Handoff - promises": promises, "Handoff: success metric": METRIC, "Implementation complexity": "HIGH",
                "GO_LIVE_TARGET__C": "2027-01-15 00:00", "Risks": RISK, "Handoff notes": NOTE, "Account tier": "enterprise",
                "Integrations": "Okta; NetSuite", "Contract term": "1 year", "Contract start date": "2026-12-01"}));
        }
    }
    deal.amount = Some(Money::parse(amount, Some("usd")).expect("money"));
    deal.line_items = vec![
        line("Platform Enterprise", "PLAT-ENT", "1000.00", first.0, first.1),
        line("Onboarding package", "ONB-6W", "8000", second.0, second.1),
    ];
    deal.company = Some(company);
    deal
}

pub(crate) fn compile(base: Option<&str>, overrides: &[(&str, &str)]) -> Mapping {
    let overrides: Vec<_> = overrides
        .iter()
        .map(|(field, source)| ((*field).to_owned(), (*source).to_owned(), Span::default()))
        .collect();
    let base = base.map(|name| base_mappings().find(|base| base.name == name).expect("a default"));
    Mapping::compile(base.as_ref(), &overrides).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(crate) fn apply(mapping: &Mapping, deal: &Deal, signature: &Signature) -> MappedBrief {
    mapping.apply(&MappingInput {
        signature: Some(signature),
        deal: Some(deal),
        first_touch: Some(&FirstTouch { within: "24 hours".to_owned(), ..FirstTouch::default() }),
        ..MappingInput::default()
    })
}

#[test]
fn the_same_deal_gives_the_same_brief_whoever_tells_it() {
    let mut briefs = Vec::new();
    for crm in ["hubspot", "salesforce", "pipedrive", "csv"] {
        let mapped = apply(&compile(Some(crm), &[]), &deal(crm), &signature());
        assert_eq!(mapped.remarks, [], "{crm}");
        let mut sections = mapped.sections;
        let told = sections.shift_remove("deal").expect("deal");
        assert_eq!(told["crm"], crm);
        briefs.push((crm, Schema::shipped().in_order(&Value::Object(sections))));
    }
    for (crm, brief) in &briefs[1..] {
        assert_eq!(*brief, briefs[0].1, "{crm} and hubspot differ");
    }
    insta::assert_json_snapshot!(briefs[0].1);
}

#[test]
fn what_the_deal_gives_is_valid_and_lacks_only_what_no_crm_has() {
    let mapped = apply(&compile(Some("hubspot"), &[]), &deal("hubspot"), &signature());
    let brief = Brief::new(&Key::parse("hubspot-1").expect("key"), mapped.sections);
    let wrong: Vec<_> =
        Schema::shipped().check(&brief).into_iter().filter(|violation| !violation.absent).collect();
    assert_eq!(wrong, []);
    let completeness = Completeness::of(Schema::shipped(), brief.json());
    let missing: Vec<_> =
        completeness.missing.iter().map(|missing| missing.field.as_str()).collect();
    assert_eq!(
        missing,
        [
            "purchase.special_terms",
            "implementation.requirements",
            "implementation.custom_configuration",
            // handoff itself sets these two.
            "first_action.owner",
            "first_action.due"
        ]
    );
}

#[test]
fn without_a_crm_the_signature_alone_makes_a_brief() {
    let mut signature = signature();
    let mapping = compile(Some("none"), &[("success.primary_goal", "signature.metadata.goal")]);
    let input = MappingInput { signature: Some(&signature), ..MappingInput::default() };
    let mapped = mapping.apply(&input);
    assert_eq!(mapped.remarks, []);
    let sections = Value::Object(mapped.sections);
    assert_eq!(sections["customer"], json!({"name": "Northwind Robotics Ltd"}));
    assert_eq!(
        sections["purchase"]["contract_value"],
        json!({"amount": "48000.00", "currency": "USD"})
    );
    assert_eq!(sections["contacts"]["signer"]["name"], "D. Okafor", "told apart by the role");
    assert_eq!(
        sections["first_action"]["instruction"],
        "Introduce yourself to Northwind Robotics Ltd and ask what success looks like to them"
    );
    assert!(sections.get("deal").is_none() && sections.get("success").is_none());
    signature.signers.iter_mut().for_each(|signer| signer.role = None);
    let input = MappingInput { signature: Some(&signature), ..MappingInput::default() };
    assert!(mapping.apply(&input).sections.get("contacts").is_none(), "nobody guesses");
    assert_eq!(compile(Some("none"), &[]).apply(&MappingInput::default()).remarks, []);
}

#[test]
fn the_document_fills_what_the_deal_leaves_open() {
    let signature = Signature {
        metadata: map(json!({
            "Contract term": "12 months", "Contract start date": "2026-12-01",
            "line_items": [{"name": "Platform", "quantity": 5}],
        })),
        ..signature()
    };
    let mut deal = deal("hubspot");
    let purchase = |deal: &Deal| {
        let mapped = apply(&compile(Some("hubspot"), &[]), deal, &signature);
        let sections = Value::Object(mapped.sections);
        let (products, term) = (&sections["purchase"]["products"], &sections["purchase"]["term"]);
        json!([sections["customer"]["name"], products[0]["name"], term["months"], term["starts"]])
    };
    let of_deal = json!(["Northwind Robotics", "Platform Enterprise", 12, "2026-12-01"]);
    assert_eq!(purchase(&deal), of_deal);
    deal.properties.insert("handoff_term_months".into(), json!("24"));
    (deal.name, deal.company) = (None, None);
    deal.line_items.clear();
    let of_document = json!(["Northwind Robotics Ltd", "Platform", 24, "2026-12-01"]);
    assert_eq!(purchase(&deal), of_document);
}

#[test]
fn the_signer_is_the_contact_who_signed_and_never_the_rep() {
    let mapping = compile(Some("hubspot"), &[]);
    let mut deal = deal("hubspot");
    let mut signature = signature();
    let signer = |deal: &Deal, signature: &Signature| {
        let mapped = apply(&mapping, deal, signature);
        mapped.sections.get("contacts").and_then(|contacts| contacts.get("signer")).cloned()
    };
    assert_eq!(signer(&deal, &signature).expect("signer")["title"], "Chief Operating Officer");
    deal.contacts.clear();
    assert_eq!(signer(&deal, &signature).expect("signer")["name"], "D. Okafor");
    signature.signers[1].signed = Some(false);
    assert_eq!(signer(&deal, &signature), None, "the rep's signature is not the customer's");
}

#[test]
fn one_bad_leaf_is_absent_and_named_and_the_brief_is_there() {
    let mut deal = deal("hubspot");
    deal.properties.insert("handoff_go_live_date".into(), "03/04/2027".into());
    deal.properties.insert("handoff_implementation_complexity".into(), "Very high".into());
    deal.properties.insert("handoff_success_metric".into(), "TBD".into());
    deal.properties.insert("handoff_notes".into(), "x".repeat(50_000).into());
    let mapped = apply(&compile(Some("hubspot"), &[]), &deal, &signature());
    let remarks: Vec<_> =
        mapped.remarks.iter().map(|r| (r.field.as_str(), r.message.as_str())).collect();
    assert_eq!(
        remarks,
        [
            ("context.critical_dates", "\"03/04/2027\" can be 2027-03-04 or 2027-04-03"),
            ("context.notes", "the source holds more than a brief can; the rest was cut"),
            ("implementation.complexity", "\"Very high\" is none of low, medium, high"),
            ("success.metric", "the source says \"TBD\", which answers nothing"),
            ("success.primary_goal", "the source says \"TBD\", which answers nothing"),
        ]
    );
    let brief = Value::Object(mapped.sections);
    assert!(brief["implementation"].get("complexity").is_none());
    assert_eq!(brief["customer"]["name"], "Northwind Robotics");
}

#[test]
fn text_from_the_crm_is_never_evaluated() {
    let mut deal = deal("hubspot");
    let hostile = "{{ 7*7 }}{% for x in range(99999) %}x{% endfor %} deal.owner.email | upper";
    deal.properties.insert("handoff_success_metric".into(), hostile.into());
    let mapped = apply(&compile(Some("hubspot"), &[]), &deal, &signature());
    assert_eq!(mapped.sections["success"]["primary_goal"], hostile);
    let instruction = mapped.sections["first_action"]["instruction"].as_str().expect("text");
    assert!(instruction.ends_with(hostile), "{instruction}");
}

#[test]
fn a_companys_own_lines_win_over_the_default() {
    let mapping = compile(
        Some("hubspot"),
        &[
            ("customer.region", "'EMEA'"),
            ("customer.tier", "'gold' if deal.amount.amount|number > 40000 else 'silver'"),
            ("contacts.signer.phone", "'+1'"),
            ("success", "{'primary_goal': deal.name}"),
            ("purchase.special_terms", "'none'"),
            ("context.notes", "none"),
        ],
    );
    let brief = Value::Object(apply(&mapping, &deal("hubspot"), &signature()).sections);
    assert_eq!(brief["customer"]["region"], "EMEA");
    assert_eq!(brief["customer"]["tier"], "gold");
    assert_eq!(brief["contacts"]["signer"]["phone"], "+1");
    assert_eq!(brief["contacts"]["signer"]["name"], "Dana Okafor", "beside what the default gives");
    assert_eq!(brief["success"], json!({"primary_goal": "Northwind Robotics - Platform"}));
    assert_eq!(brief["purchase"]["special_terms"], "none");
    assert!(brief["context"].get("notes").is_none(), "`none` unmaps a field");
    let instruction = brief["first_action"]["instruction"].as_str().expect("text");
    assert!(instruction.ends_with("primary goal: Northwind Robotics - Platform"), "{instruction}");
}

#[test]
fn every_problem_of_a_mapping_is_told_at_once_with_its_place() {
    let span = |line| Span { line, column: 3, end_line: line, end_column: 9 };
    let own = |field: &str, source: &str, line| (field.to_owned(), source.to_owned(), span(line));
    let problems = Mapping::compile(
        None,
        &[
            own("customer.tier", "deal.", 1),
            own("customer.size", "dael.amount", 2),
            own("success.metric", "deal.name | tirm", 3),
            own("key", "deal.id", 4),
            own("a..b", "deal.id", 5),
            own("purchase.term", "{{ deal.name }}", 6),
            own("success.by", "deal.name", 7),
            own("success.by", "deal.id", 8),
        ],
    )
    .expect_err("problems");
    let told: Vec<_> = problems
        .iter()
        .map(|p| (p.span.map(|span| span.line), p.message.as_str(), p.help.as_deref()))
        .collect();
    assert_eq!(told.len(), 7, "{told:#?}");
    assert!(told[0].1.starts_with("`customer.tier`: "), "{told:?}");
    assert_eq!(
        told[1],
        (Some(2), "`customer.size`: nothing here is called `dael`", Some("did you mean `deal`?"))
    );
    assert_eq!(
        told[2],
        (Some(3), "`success.metric`: there is no filter `tirm`", Some("did you mean `trim`?"))
    );
    assert!(told[3].1.contains("written by handoff"), "{told:?}");
    assert!(told[4].1.contains("not the path of a field"), "{told:?}");
    assert!(told[5].2.expect("help").contains("without `{{ }}`"), "{told:?}");
    assert_eq!((told[6].0, told[6].1), (Some(8), "`success.by` is mapped twice"));
}

#[test]
fn a_trace_names_what_an_answer_was_made_from() {
    let mapping = compile(
        None,
        &[
            ("a", "deal.name"),
            ("b", "signature.document_name"),
            ("c", "deal.name or signature.document_name"),
            ("d", "signature.customer or company.name"),
            ("e", "deal.name ~ ' / ' ~ signature.document_name"),
            ("f", "'fixed'"),
            ("g", "deal.amount"),
            ("h", "deal | property('HANDOFF integrations') | lines"),
            ("i", "deal.stage or deal.properties.nothing or company.name"),
            ("j", "line_items | map(attribute='name') | join(', ')"),
            ("k", "deal.stage"),
            ("l", "brief.customer.name ~ '!'"),
            ("m", "brief.customer.name or deal.name"),
        ],
    );
    let (deal, signature) = (deal("hubspot"), signature());
    let brief = json!({"customer": {"name": "Acme"}});
    let input =
        MappingInput { signature: Some(&signature), deal: Some(&deal), ..MappingInput::default() };
    let traced = mapping.trace(&input, &brief, None);
    let told: Vec<Value> = traced
        .iter()
        .map(|it| json!([it.pointer, format!("{:?}", it.from), it.reads, it.expression]))
        .collect();
    let (deal_name, document) = ("Northwind Robotics - Platform", "Order form");
    let is = |field: &str, from: &str, reads: Value, expression: &str| {
        json!([format!("/{field}"), from, reads, expression])
    };
    assert_eq!(
        told,
        [
            is("a", "Crm", json!({"deal.name": deal_name}), "deal.name"),
            is(
                "b",
                "Document",
                json!({"signature.document_name": document}),
                "signature.document_name"
            ),
            // Where one source alone gives the answer, it is that one's.
            is("c", "Crm", json!({"deal.name": deal_name}), "deal.name or signature.document_name"),
            is(
                "d",
                "Document",
                json!({"signature.customer": "Northwind Robotics Ltd"}),
                "signature.customer or company.name"
            ),
            is(
                "e",
                "Crm",
                json!({"deal.name": deal_name, "signature.document_name": document}),
                "deal.name ~ ' / ' ~ signature.document_name"
            ),
            is("f", "Settings", json!({}), "'fixed'"),
            is("g", "Crm", json!({"deal.amount": "48000 USD"}), "deal.amount"),
            is(
                "h",
                "Crm",
                json!({"deal.handoff_integrations": "Okta;NetSuite"}),
                "deal | property('HANDOFF integrations') | lines"
            ),
            is(
                "i",
                "Crm",
                json!({"company.name": "Northwind Robotics"}),
                "deal.stage or deal.properties.nothing or company.name"
            ),
            is(
                "j",
                "Crm",
                json!({"line_items": ["Platform Enterprise", "Onboarding package"]}),
                "line_items | map(attribute='name') | join(', ')"
            ),
            is(
                "l",
                "Settings",
                json!({"brief.customer.name": "Acme"}),
                "brief.customer.name ~ '!'"
            ),
            is(
                "m",
                "Crm",
                json!({"brief.customer.name": "Acme", "deal.name": deal_name}),
                "brief.customer.name or deal.name"
            ),
        ]
    );
}

#[test]
fn a_discount_is_a_part_or_an_amount_and_what_is_no_number_stays_as_it_is() {
    let arguments = "discount_percent='p', discount_amount='a', discount_type='k'";
    for (properties, currency, discount) in [
        ("'p': '10'", true, json!("10%")),
        ("'p': '10.0'", true, json!("10%")),
        ("'p': 'as agreed'", true, json!("as agreed")),
        ("'p': '0'", true, json!(null)),
        ("'p': '0', 'a': '100'", true, json!("USD 100")),
        ("'a': '100'", true, json!("USD 100")),
        ("'a': '100'", false, json!("100")),
        ("'a': 'two seats free'", true, json!("two seats free")),
        ("'a': '0'", true, json!(null)),
        // One column for both, and one that says which it is.
        ("'p': '5', 'k': 'amount'", true, json!("USD 5")),
        ("'p': '5', 'k': 'percentage'", true, json!("5%")),
        ("'k': 'amount'", true, json!(null)),
    ] {
        let currency = if currency { ", currency='USD'" } else { "" };
        let item = format!("{{'name': 'Platform', 'properties': {{{properties}}}}}");
        let source = format!("[{item}] | products({arguments}{currency})");
        let product = eval(&source).expect(&source)[0].clone();
        assert_eq!(product.get("discount"), Some(&discount).filter(|it| !it.is_null()), "{source}");
    }
    // A line that has no name is called by its number, and one without either is none.
    let named = "[{'sku': 'P-1', 'quantity': '2'}, {'quantity': '1'}] | products";
    assert_eq!(eval(named), Ok(json!([{"name": "P-1", "quantity": 2, "sku": "P-1"}])));
    assert_eq!(eval("[{'quantity': '1'}] | products"), Ok(json!(null)));
}

#[test]
fn what_would_grow_too_large_is_refused_and_what_does_not_is_made() {
    for source in [
        "('a' * 9999) | replace('a', 'b' * 9999)",
        "('a' * 9999) | replace('', 'b' * 9999)",
        "range(9999) | join('a' * 9999)",
        "('\\n' * 99999) | indent(9999)",
        "[1] | batch(999999999, 0) | list",
        "[1] | slice(999999999) | list",
        "'%999999999d' | format(1)",
        "'%*d' | format(999999999, 1)",
        "'ab' * 9999999",
        "9999999 * 'ab'",
        "[1, 2] * 9999999",
    ] {
        let remark = eval(source).expect_err(source);
        assert!(remark.contains("large") || remark.contains("MiB"), "{source}: {remark}");
    }
    for (source, made) in [
        ("('a' * 99) | replace('a', 'bb') | length", json!(198)),
        ("'abc' | replace('', '-')", json!("-a-b-c-")),
        ("range(10) | join('ab') | length", json!(28)),
        ("'a\\nb' | indent(2)", json!("a\n  b")),
        ("[1, 2, 3] | batch(2) | list", json!([[1, 2], [3]])),
        ("'%5d' | format(7) ~ '.'", json!("7.")),
        ("'ab' * 2", json!("abab")),
        ("[1] * 3", json!([1, 1, 1])),
    ] {
        assert_eq!(eval(source), Ok(made), "{source}");
    }
    // Two texts of 2 MiB fill the 4 MiB that one value may have.
    let half = "'ab' * 1048576";
    assert_eq!(eval(&format!("(({half}) ~ ({half})) | length")), Ok(json!(4 << 20)));
    let remark = eval(&format!("(({half}) ~ ({half}) ~ 'a') | length")).expect_err("larger");
    assert!(remark.contains("more than 4 MiB"), "{remark}");
}

#[test]
fn the_properties_a_mapping_reads_are_known() {
    let mapping = compile(
        None,
        &[
            ("a", "deal.properties.one or deal.properties['two words']"),
            ("b", "deal | property(\"three\", 'four')"),
            ("c", "company | property('not a deal property')"),
            ("d", "company.properties.five"),
            ("e", "deal.properties.one.label"),
        ],
    );
    let read = mapping.properties();
    let names = |names: &std::collections::BTreeSet<String>| {
        names.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    assert_eq!(names(&read.deal), "four, one, three, two words");
    assert_eq!(read.company.as_ref().map(names).as_deref(), Some("five, not a deal property"));
    assert_eq!((read.contacts, read.line_items), (None, None));
    assert_eq!(mapping.own_properties().deal, read.deal);
    for kind in RecordKind::ALL {
        let mut read = mapping.properties();
        assert!(read.of_mut(kind).insert("six".to_owned()));
        read.forget(kind);
        assert!(read.of(kind).is_none_or(std::collections::BTreeSet::is_empty), "{kind:?}");
        let others = RecordKind::ALL.into_iter().filter(|other| *other != kind);
        for other in others {
            assert_eq!(read.of(other), mapping.properties().of(other), "{kind:?}: {other:?}");
        }
    }
    // Records beside the deal are read, whichever way they are named.
    for (source, company, contacts, line_items) in [
        ("deal.name", false, false, false),
        ("deal.company.name", true, false, false),
        ("deal.contacts | length", false, true, false),
        ("deal.line_items | length", false, false, true),
        ("company.name", true, false, false),
        ("contacts | length", false, true, false),
        ("line_items | length", false, false, true),
    ] {
        let read = compile(None, &[("a", source)]).properties();
        let is_read = [read.company.is_some(), read.contacts.is_some(), read.line_items.is_some()];
        assert_eq!(is_read, [company, contacts, line_items], "{source}");
    }
    for base in base_mappings() {
        let mapping = compile(Some(base.name), &[]);
        assert_eq!(mapping.properties().deal.is_empty(), base.name == "none", "{}", base.name);
        assert_eq!(
            mapping.own_properties(),
            handoff::model::Properties::default(),
            "{}",
            base.name
        );
    }
}

#[test]
fn the_defaults_fill_only_fields_of_the_shipped_schema() {
    for base in base_mappings() {
        let fields = compile(Some(base.name), &[]).fields();
        assert!(!fields.is_empty(), "{}", base.name);
        for field in fields {
            let pointer = format!("/{}", field.replace('.', "/"));
            assert!(
                Schema::shipped().outline().field(&pointer).is_some(),
                "{}: {field}",
                base.name
            );
        }
    }
}

#[test]
fn the_amount_of_a_deal_is_a_number_that_is_read_once() {
    let mut deal = deal("hubspot");
    // Three decimals, as dinars have: another text of that form can be a thousand, too.
    deal.amount = Some(Money::parse("1.234", Some("KWD")).expect("money"));
    let given = |source: &str| {
        let mapped = apply(&compile(None, &[("x", source)]), &deal, &signature());
        mapped.sections.get("x").cloned()
    };
    assert_eq!(given("deal.amount.amount | number"), Some(json!(1.234)));
    assert_eq!(given("'1.235' | number"), None);
}

/// What one expression gives over the HubSpot deal; a remark where it fails.
fn eval(source: &str) -> Result<Value, String> {
    let mut deal = deal("hubspot");
    deal.properties.insert("v".into(), json!(["Okta", "NetSuite"]));
    let mapped = apply(&compile(None, &[("x", source)]), &deal, &signature());
    match mapped.remarks.into_iter().next() {
        Some(remark) => Err(remark.message),
        None => Ok(mapped.sections.get("x").cloned().unwrap_or(Value::Null)),
    }
}

#[test]
fn each_filter_gives_what_its_page_says() {
    for (source, wanted) in [
        ("'48,000.50' | number", json!(48000.5)),
        ("'40.0' | number", json!(40)),
        ("'40.5' | number", json!(40.5)),
        // Beyond it a float is not certain to be the whole number that it shows.
        ("40.0", json!(40)),
        ("999999999999999.0", json!(999_999_999_999_999_i64)),
        ("1000000000000000.0", json!(1e15)),
        ("(deal.name if deal.stage) or 'x'", json!("x")),
        ("'' | number", json!(null)),
        ("'P1Y' | months", json!(12)),
        ("'36 months' | months", json!(36)),
        ("12.0 | months", json!(12)),
        ("'2026-11-20T23:30:00-05:00' | day", json!("2026-11-21")),
        ("1795327200000 | day", json!("2026-11-22")),
        ("'1795327200000' | day", json!("2026-11-22")),
        ("'2026-11-20 12:42' | day", json!("2026-11-20")),
        ("'2026-11-20T12:42:00+02:00' | time", json!("2026-11-20T10:42:00Z")),
        ("'1000' | money(currency='JPY')", json!({"amount": "1000", "currency": "JPY"})),
        ("'1000.5' | money", json!({"amount": "1000.50"})),
        ("'acme.example/' | website", json!("https://acme.example")),
        ("'nonsense' | website", json!(null)),
        ("'INDUSTRIAL_AUTOMATION' | words", json!("Industrial automation")),
        ("'IT' | words", json!("IT")),
        ("{'id': 3, 'label': 'High'} | plain", json!("High")),
        ("deal.properties.v | plain", json!("Okta, NetSuite")),
        ("deal.properties.v | lines", json!(["Okta", "NetSuite"])),
        ("'- a\\n- b\\n2. c' | lines", json!(["a", "b", "c"])),
        ("'3.5% uplift; 2026 plan' | lines", json!(["3.5% uplift", "2026 plan"])),
        ("'. a\\n) b' | lines", json!([". a", ") b"])),
        ("'None' | lines", json!("none")),
        ("'None.' | promises", json!("none")),
        (
            "'a; b' | each('risk', owner='X')",
            json!([{"risk": "a", "owner": "X"}, {"risk": "b", "owner": "X"}]),
        ),
        ("'a [see note]' | promises", json!([{"promise": "a [see note]"}])),
        (
            "'a [made_to: Dana, stretch]' | promises(made_by='P')",
            json!([{"promise": "a", "made_by": "P", "made_to": "Dana", "stretch": true}]),
        ),
        ("'2027-01-15' | dated('Go-live')", json!([{"date": "2027-01-15", "what": "Go-live"}])),
        (
            "contacts | role('champion') | person",
            json!({"name": "Luis Ferreira", "email": "luis.ferreira@northwind-robotics.example", "title": "Warehouse Operations Lead"}),
        ),
        ("contacts | role('nobody')", json!(null)),
        // A property that is called as its record is none of every other name.
        ("{'properties': {'Deal': 'x'}} | property('Opportunity')", json!(null)),
        ("{'properties': {'Deal': 'x'}} | property('deal')", json!("x")),
        ("{'properties': {'Deal - Tier__c': 'x'}} | property('Opportunity tier')", json!("x")),
        ("'HIGH' | choice('low', 'high')", json!("high")),
        ("deal | property('HANDOFF promises') is string", json!(true)),
        ("deal.properties.nothing.at.all", json!(null)),
        ("0", json!(0)),
        ("false", json!(false)),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
    for source in [
        "'48.000,50' | number",
        "'1,000' | number",
        "'1,2345,678' | number",
        "'soon' | months",
        "'0' | months",
        "'03/04/2026' | day",
        "'2026-11-20' | time",
        "'5' | money(currency='dollars')",
        "'5' | money(curency='USD')",
        "1/0",
        "range(10000) | map('upper') | join ~ range(10000) | map('upper') | join",
    ] {
        let remark = eval(source).expect_err(source);
        assert!(!remark.is_empty() && remark.len() < 200, "{source}: {remark}");
    }
}
