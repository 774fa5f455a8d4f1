//! Which questions the CRM's data can answer.

use handoff::audit::{CoverageInput, DealAnswers, DealKey, RequiredField, measure_coverage};
use handoff::model::Gap;
use serde_json::{Value, json};

use super::world::at;

fn required() -> Vec<RequiredField> {
    [
        (Some(6), "success.metric"),
        (None, "custom.segment"),
        (Some(1), "customer.name"),
        (Some(6), "success.by"),
    ]
    .map(|(question, field)| RequiredField { question, field: field.to_owned() })
    .to_vec()
}

fn deal(id: u32, rep: Option<&str>, won: Option<&str>, answered: &[&str]) -> DealAnswers {
    DealAnswers {
        key: DealKey::new(&format!("hubspot-{id}")),
        rep: rep.map(str::to_owned),
        closed_won_at: won.map(at),
        answered: answered.iter().map(|field| (*field).to_owned()).collect(),
    }
}

fn measure(deals: &[DealAnswers], last: Option<usize>) -> Value {
    let fields = required();
    let report = measure_coverage(&CoverageInput { fields: &fields, deals, last, gaps: &[] });
    serde_json::to_value(report).expect("serialises")
}

fn deals() -> Vec<DealAnswers> {
    vec![
        deal(
            1,
            Some("Riley"),
            Some("2026-11-20T15:00:00Z"),
            &["customer.name", "success.metric", "success.by", "custom.segment"],
        ),
        deal(
            2,
            Some("Kim"),
            Some("2026-11-19T15:00:00Z"),
            &["customer.name", "success.metric", "not.asked"],
        ),
        deal(3, Some("Riley"), Some("2026-11-18T15:00:00Z"), &[]),
        deal(4, None, None, &["customer.name"]),
    ]
}

#[test]
fn a_question_is_answered_when_each_of_its_fields_is() {
    let report = measure(&deals(), None);
    assert_eq!(report["deals"], json!(4));
    assert_eq!(
        report["whole_brief"],
        json!({"count": 1, "of": 4, "not": ["hubspot-2", "hubspot-3", "hubspot-4"]})
    );
    let questions: Vec<&Value> = report["questions"].as_array().expect("a list").iter().collect();
    assert_eq!(
        questions[0],
        &json!({
            "question": 1,
            "answered": {"count": 3, "of": 4, "not": ["hubspot-3"]},
            "fields": [{"field": "customer.name", "answered": {"count": 3, "of": 4, "not": ["hubspot-3"]}}],
        })
    );
    assert_eq!(questions[1]["question"], json!(6));
    assert_eq!(
        questions[1]["answered"]["count"],
        json!(1),
        "two deals have a metric, one has a date too"
    );
    assert_eq!(questions[1]["fields"][0]["answered"]["count"], json!(2));
    assert_eq!(questions[2].get("question"), None, "a company's own fields come last");
}

#[test]
fn reps_are_told_apart_and_a_deal_without_one_is_not_lost() {
    let report = measure(&deals(), None);
    let reps: Vec<(&str, u64)> = report["by_rep"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|rep| (rep["rep"].as_str().expect("a name"), rep["deals"].as_u64().expect("a count")))
        .collect();
    assert_eq!(reps, [("Riley", 2), ("Kim", 1), ("(none)", 1)]);
}

#[test]
fn only_the_newest_count_and_the_order_of_the_source_does_not() {
    let mut deals = deals();
    deals.push(deals[0].clone());
    let report = measure(&deals, Some(2));
    assert_eq!(report["deals"], json!(2));
    assert_eq!(report["whole_brief"], json!({"count": 1, "of": 2, "not": ["hubspot-2"]}));
    deals.reverse();
    assert_eq!(measure(&deals, Some(2)), report);
    assert_eq!(measure(&[], None)["whole_brief"], json!({"count": 0, "of": 0, "not": []}));
}

#[test]
fn what_could_not_be_read_is_said() {
    let gap = Gap { what: "page 7".to_owned(), why: "502".to_owned(), help: None };
    let report =
        measure_coverage(&CoverageInput { fields: &[], deals: &[], last: None, gaps: &[gap] });
    assert!(!report.complete && report.gaps.len() == 1);
}
