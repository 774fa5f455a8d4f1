//! The report as a contract: its JSON, its footing, its order.

use chrono::{DateTime, Utc};
use handoff::audit::{
    AuditOutcome as Came, AuditReport, CheckpointReport, Class, DealKey, SignatureAsWritten,
    UnansweredField,
};
use handoff::brief::EventKind;
use handoff::finding::Severity;
use handoff::model::{DealId, Gap, Money, ObjectId, Outcome, ProviderName};
use handoff::time::CalendarConfig;
use serde_json::{Value, json};

use super::world::{DELIVERED, World, all_done, at, event, folder, signed_brief, usd, won_deal};

/// A company's November: a deal of each class, orphans, returns, gaps.
fn november() -> World {
    let mut world = World::new();
    for id in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        world.deals.push(won_deal(id));
    }
    world.excluded.insert("7".to_owned(), "renewal".to_owned());
    world.deals[2].amount = Some(Money::parse("9000.50", Some("EUR")).expect("money"));
    world.deals[3].amount = None;
    world.deals[5].amount = Some(Money::parse("10", None).expect("money"));

    let mut incomplete = signed_brief("1");
    incomplete.complete = false;
    incomplete.unanswered = vec![
        UnansweredField { question: Some(6), field: "success.metric".to_owned() },
        UnansweredField { question: None, field: "custom.segment".to_owned() },
    ];
    world.put(&folder("1"), DELIVERED, Some(incomplete), all_done());
    // 3 is missing.
    world.put(&folder("4"), DELIVERED, Some(signed_brief("4")), vec![]);
    let mut exempted = event(EventKind::Exempted, DELIVERED);
    exempted.reason = Some("pilot".to_owned());
    exempted.by = Some("Dana Wu".to_owned());
    world.put(&folder("5"), DELIVERED, None, vec![exempted]);
    world.deals[5].closed_won_at = Some(world.as_of);
    // 7 is excluded. 8 was merged from 9, and 10 is an orphan.
    world.deals[7].merged_ids = vec![DealId::new("9")];
    world.put(&folder("9"), DELIVERED, Some(signed_brief("9")), all_done());
    let mut lost = won_deal("10");
    lost.outcome = Outcome::Lost;
    world.deals.push(lost);
    world.put(&folder("10"), DELIVERED, Some(signed_brief("10")), all_done());
    let mut stray = signed_brief("11");
    stray.deal = None;
    stray.signature = Some(SignatureAsWritten {
        provider: ProviderName::new("docusign"),
        document_id: None,
        signed_at: None,
    });
    stray.customer = Some("Acme 3".to_owned());
    stray.value = Some(usd("9000.50"));
    world.put(&folder("11"), DELIVERED, Some(stray), vec![]);

    let mut late = signed_brief("2");
    late.csm = Some("Kim Doe".to_owned());
    late.tier = None;
    let mut events = all_done();
    let mut returned = event(EventKind::Returned, "2026-11-22T09:00:00Z");
    returned.reason = Some("wrong tier".to_owned());
    events.push(returned);
    world.put(&folder("2"), "2026-11-20T18:00:00Z", Some(late), events);
    world.remove(&folder("4"), "2026-11-21T09:00:00Z");

    world.policy.calendar = Some(
        CalendarConfig {
            timezone: "America/New_York".to_owned(),
            days: ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec(),
            hours: "09:00-17:00".to_owned(),
            holidays: vec!["2026-11-26".to_owned()],
        }
        .check()
        .expect("a calendar"),
    );
    world.window.from = Some(at("2026-11-01T00:00:00Z"));
    world.checkpoints.push(CheckpointReport {
        name: "refs/handoff/audit/20261101T060000Z".to_owned(),
        at: at("2026-11-01T06:00:00Z"),
        tip: ObjectId([3; 20]),
        contained: false,
        displaced_by: None,
        is_signed: false,
        signer: None,
        is_current: false,
        faults: Vec::new(),
        deals: Vec::new(),
    });
    world
}

fn schema() -> jsonschema::Validator {
    let schema: Value =
        serde_json::from_str(include_str!("../../../schema/audit.schema.json")).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema compiles")
}

fn valid(report: &AuditReport) {
    let json = serde_json::to_value(report).expect("serialises");
    let errors: Vec<String> = schema()
        .iter_errors(&json)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_json_fits_its_schema() {
    valid(&november().audit());
    valid(&World::new().audit());
    let mut world = november();
    world.population_gaps.push(Gap {
        what: "page 7".to_owned(),
        why: "502".to_owned(),
        help: None,
    });
    valid(&world.audit());
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    let good = serde_json::to_value(november().audit()).expect("serialises");
    for (pointer, bad) in [
        ("/version", json!(2)),
        ("/deals/0/class", json!("ok")),
        ("/population/value/USD", json!(1.5)),
        ("/summary/late", json!(-1)),
        ("/as_of", json!("yesterday")),
    ] {
        let mut report = good.clone();
        *report.pointer_mut(pointer).expect(pointer) = bad;
        assert!(!schema().is_valid(&report), "{pointer}");
    }
    let mut report = good;
    report["more"] = json!(1);
    assert!(!schema().is_valid(&report));
}

#[test]
fn a_company_in_november() {
    let report = november().audit();
    let rows: Vec<String> = report
        .deals
        .iter()
        .map(|row| {
            let reason = row.reason.as_deref().unwrap_or("");
            format!(
                "{:<10} {:<9} {:?} {reason}",
                row.key.to_string(),
                row.class.label(),
                row.findings
            )
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    hubspot-1  on time   ["incomplete-handoff"] 
    hubspot-2  late      ["handoff-returned", "late-handoff"] 
    hubspot-3  missing   ["missing-handoff"] 
    hubspot-4  removed   ["removed-handoff"] removed by commit 0000000707 on 2026-11-21
    hubspot-5  exempt    [] pilot
    hubspot-6  pending   [] may come until 2026-11-23T16:00:00Z
    hubspot-7  excluded  [] renewal
    hubspot-8  on time   []
    "#);
    let findings: Vec<String> = report
        .findings
        .iter()
        .map(|f| format!("{}[{}] {}", f.severity.as_str(), f.rule, f.message))
        .collect();
    insta::assert_snapshot!(findings.join("\n"), @r#"
    error[history-rewritten] The audit of 2026-11-01 06:00 UTC saw the history up to commit 0303030303, and branch "main" no longer contains it.
    error[missing-handoff] "Acme 3" (EUR 9,000.50, Riley Ross) was won on 2026-11-20 15:00 UTC, 3 d ago, and has no handoff.
    error[removed-handoff] "Acme 4" (Riley Ross) was handed over, and its brief was removed on 2026-11-21 09:00 UTC in commit 0000000707.
    warning[late-handoff] "Acme 2" (USD 48,000.00, Riley Ross) was handed over 3 h after its signature on 2026-11-20 15:00 UTC; 1h is allowed.
    warning[incomplete-handoff] The brief of "Acme 1" (USD 48,000.00, Riley Ross) was delivered without success.metric, custom.segment.
    warning[handoff-returned] "Acme 2" (USD 48,000.00, Riley Ross) was returned by the CSM 1 d 6 h ago: "wrong tier".
    warning[orphan-brief] The brief of "Acme 10" (USD 48,000.00) is signed, and its deal "10" is lost.
    warning[orphan-brief] The brief of "Acme 3" (USD 9,000.50) names no deal, and no deal carries its document.
    "#);
    let orphans: Vec<String> = report
        .orphans
        .iter()
        .map(|orphan| format!("{} {}", orphan.key, orphan.why.as_str()))
        .collect();
    assert_eq!(orphans, ["hubspot-10 lost", "hubspot-11 unknown"]);
}

#[test]
fn the_figures_keep_the_deals_behind_them() {
    let metrics = november().audit().metrics;
    let json = serde_json::to_value(&metrics).expect("serialises");
    assert_eq!(
        json["coverage"]["handed_over"],
        json!({"count": 3, "of": 5, "not": ["hubspot-3", "hubspot-4"]})
    );
    assert_eq!(
        json["coverage"]["handed_over_value"],
        json!({
            "EUR": {"amount": "0", "of": "9000.50"},
            "USD": {"amount": "144000.00", "of": "144000.00"},
        })
    );
    assert_eq!(json["first_pass_complete"], json!({"count": 2, "of": 3, "not": ["hubspot-1"]}));
    assert_eq!(json["unanswered"][0]["question"], json!(6));
    assert_eq!(
        json["unanswered"][1]["fields"][0],
        json!({"field": "custom.segment", "count": 1, "deals": ["hubspot-1"]})
    );
    assert_eq!(json["returns"], json!([{"reason": "wrong", "count": 1, "deals": ["hubspot-2"]}]));
    let csms: Vec<&str> = metrics.by_csm.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(csms, ["Kim Doe", "Sam Lee", "(none)"]);
    // Per CSM and per rep: in time, of those that were due; shown by the CRM, of those that were made.
    for groups in ["by_csm", "by_rep"] {
        for group in json[groups].as_array().expect("groups") {
            let (on_time, shown) = (&group["first_touch_on_time"], &group["first_touch_evidenced"]);
            assert!(on_time["of"].as_u64() >= shown["of"].as_u64(), "{groups}: {group}");
        }
        let sum = |field: &str, of: &str| -> u64 {
            let groups = json[groups].as_array().expect("groups").iter();
            groups.map(|group| group[field][of].as_u64().expect("a number")).sum()
        };
        for field in ["first_touch_on_time", "first_touch_evidenced"] {
            assert_eq!(json!(sum(field, "count")), json[field]["count"], "{groups} {field}");
            assert_eq!(json!(sum(field, "of")), json[field]["of"], "{groups} {field}");
            assert!(json[field]["of"].as_u64() > Some(0), "{field}: {}", json[field]);
        }
    }
    let months: Vec<&str> = metrics.by_month.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(months, ["2026-11"]);
    // 15:00Z is 10:00 in New York; the touch is on Saturday at 09:00Z.
    assert_eq!(
        json["latency"]["signature_to_first_touch"]["samples"][0],
        json!({"key": "hubspot-1", "seconds": 64_800, "business_seconds": 25_200})
    );
    assert_eq!(
        json["latency"]["signature_to_brief"],
        json!({
            "n": 3, "median_s": 600, "p90_s": 10_800, "business_median_s": 600, "business_p90_s": 10_800,
            "samples": [
                {"key": "hubspot-2", "seconds": 10_800, "business_seconds": 10_800},
                {"key": "hubspot-1", "seconds": 600, "business_seconds": 600},
                {"key": "hubspot-8", "seconds": 600, "business_seconds": 600},
            ],
        })
    );
}

#[test]
fn the_report_says_what_it_rests_on() {
    let report = november().audit();
    let json = serde_json::to_value(&report).expect("serialises");
    assert_eq!(
        json["population"]["value"],
        json!({"EUR": "9000.50", "USD": "240000.00", "unknown": "10"})
    );
    assert_eq!(json["population"]["without_amount"], json!(1));
    assert_eq!(
        json["population"]["exclusions"],
        json!([
            {"reason": "renewal", "count": 1, "value": {"USD": "48000.00"}, "deals": ["hubspot-7"]},
        ])
    );
    assert_eq!(json["ledger"]["briefs"], json!(5));
    assert_eq!(
        json["settings"],
        json!({
            "handoff_within": "1h", "first_touch_within": "24h",
            "calendar": "Mon Tue Wed Thu Fri 09:00-17:00 America/New_York, 1 holiday",
        })
    );
    assert_eq!(json["command"], json!("handoff audit --deals deals.csv"));
}

#[test]
fn how_it_came_out_follows_the_worst() {
    let clean = World::handed_over().audit();
    assert_eq!(clean.outcome(Severity::Info), Came::Clean);
    let mut late = World::new();
    late.deals.push(won_deal("1"));
    late.put(&folder("1"), "2026-11-20T18:00:00Z", Some(signed_brief("1")), all_done());
    let late = late.audit();
    assert_eq!(late.outcome(Severity::Error), Came::Clean);
    assert_eq!(late.outcome(Severity::Warning), Came::Findings);
    assert_eq!(World::new().audit().outcome(Severity::Error), Came::NothingMatched);
    assert_eq!(november().audit().outcome(Severity::Error), Came::Findings);
}

#[test]
fn several_ledgers_are_one_audit() {
    let first = World::handed_over();
    let mut second = World::handed_over();
    second.deals.clear();
    second.deals.push(won_deal("2"));
    second.put(&folder("2"), DELIVERED, Some(signed_brief("2")), all_done());
    let population = handoff::model::Population {
        source: handoff::model::Source {
            kind: "file".to_owned(),
            location: "deals.csv".to_owned(),
            query: None,
            rows: 2,
            sha256: "00".repeat(32),
            remarks: handoff::model::Remarks::default(),
            undated_help: None,
        },
        deals: handoff::model::Evidence::complete(vec![won_deal("1"), won_deal("2")]),
    };
    let as_of: DateTime<Utc> = first.as_of;
    let americas = first.ledger(Some("americas"));
    let report = handoff::audit::audit(&handoff::audit::AuditInput {
        population: &population,
        signatures: None,
        window: first.window,
        as_of,
        exported_at: DateTime::<Utc>::MAX_UTC,
        ledger: &americas,
        more_ledgers: &[second.ledger(Some("emea"))],
        policies: &handoff::audit::Policies::unchanged(first.policy.clone()),
        differences: &handoff::audit::Differences::new(),
        exclude: &|_| Ok(handoff::audit::Scope::default()),
        generated_by: "handoff 0.0.0",
        command: "handoff audit",
    });
    assert_eq!(report.summary.of(Class::OnTime), 2);
    assert_eq!(report.more_ledgers[0].repository.as_deref(), Some("emea"));
    assert_eq!(report.findings.len(), 1, "one deal in two ledgers");
    assert!(report.findings[0].message.ends_with(
        "has 2 signed briefs: americas/briefs/2026/11/acme--hubspot-1 and emea/briefs/2026/11/acme--hubspot-1."
    ));
    valid(&report);
}

proptest::proptest! {
    #[test]
    fn the_order_of_keys_is_total(texts in proptest::collection::vec("[0-1ab9-]{0,5}", 1..40)) {
        let mut keys: Vec<DealKey> = texts.iter().map(|text| DealKey::new(text)).collect();
        keys.sort();
        for (at, key) in keys.iter().enumerate() {
            for later in &keys[at..] {
                proptest::prop_assert!(key <= later && (key < later) == (key != later));
                proptest::prop_assert_eq!(key.cmp(later), later.cmp(key).reverse());
            }
        }
    }
}
