//! What `coverage` proposes for columns that nothing reads.

use handoff::brief::propose;
use handoff::model::{CrmName, Deal, DealId};
use serde_json::{Value, json};

use crate::brief_mapping::{compile, map};

#[test]
fn of_several_columns_the_surest_name_is_proposed_in_the_order_of_the_page() {
    let cells = [
        ("Their main use case", "fewer errors"),
        ("Our goal now", "close the books in three days"),
        ("Company size", "420"),
        ("Tier", "gold"),
    ];
    let mut deal = Deal::new(CrmName::new("file"), DealId::new("1"));
    let given = cells.map(|(column, text)| (column.to_owned(), json!(text)));
    deal.properties = map(Value::Object(given.into_iter().collect()));
    let columns = cells.map(|(column, _)| column.to_owned());
    let known = columns.iter().map(|it| it.to_lowercase().replace(' ', "")).collect();
    let proposals = propose(&columns, &known, &[&deal], &compile(None, &[]));
    let told: Vec<_> = proposals.iter().map(|it| (&*it.field, &*it.column)).collect();
    // Two words of three and of four are left over; the word that is asked for first wins.
    let wanted = [
        ("customer.tier", "Tier"),
        ("customer.size", "Company size"),
        ("success.primary_goal", "Our goal now"),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_column_is_proposed_where_most_of_its_texts_read_as_the_answer() {
    let proposed = |column: &str, texts: &[&str], own: &[(&str, &str)]| {
        let with = |text: &&str| {
            let mut deal = Deal::new(CrmName::new("file"), DealId::new("1"));
            deal.properties = map(json!({column: text, "Account tier": "gold"}));
            deal
        };
        let mut deals: Vec<Deal> = texts.iter().map(with).collect();
        deals[0].name = Some("gold".to_owned());
        let deals: Vec<&Deal> = deals.iter().collect();
        let folded = |name: &str| name.to_lowercase().replace(' ', "");
        // Case and punctuation do not count in a property's name.
        let known = [column, "Account tier", "Other column"].map(folded).into();
        let proposals = propose(&[column.to_owned()], &known, &deals, &compile(None, own));
        assert!(proposals.len() < 2, "{proposals:?}");
        proposals.into_iter().next().map(|it| (it.field, it.expression, it.fills, it.now))
    };
    let is =
        |field: &str, read: &str, fills, now| Some((field.to_owned(), read.to_owned(), fills, now));
    let months = |column: &str| format!("deal | property(\"{column}\") | months");
    // Three of five are enough.
    assert_eq!(
        proposed("Contract length", &["12", "24 months", "P1Y", "soon", "open"], &[]),
        is("purchase.term.months", &months("Contract length"), 3, 0)
    );
    assert_eq!(proposed("Contract length", &["12", "24 months", "soon", "open", "?"], &[]), None);
    assert_eq!(proposed("Shoe size", &["12", "24 months"], &[]), None, "a name that says nothing");
    // What people write is words: no numbers, links or flags, whatever the column is called.
    for (column, text) in [("Tier", "gold"), ("Promises", "SSO with Okta"), ("Risks", "a freeze")] {
        assert!(proposed(column, &[text], &[]).is_some(), "{column}: {text}");
        for no in ["12", "Q4", "2026-11-20", "true", "No", "https://acme.example/x", "a@b.example"]
        {
            assert_eq!(proposed(column, &[no, no, text], &[]), None, "{column}: {no}");
            assert_eq!(proposed(column, &[no, text], &[]), None, "{column}: {no}");
        }
    }
    // What a line in force reads, and the deals have, comes first in the new one.
    let tier = |line: &'static str| [("customer.tier", line)];
    let plain = tier("deal | property('Old tier', 'Account tier') | plain");
    assert_eq!(proposed("Support tier", &["silver", "gold"], &plain), None, "no more deals");
    assert_eq!(
        proposed("Support tier", &["silver", "gold"], &tier("deal.name")),
        is("customer.tier", "(deal.name) or (deal | property(\"Support tier\") | plain)", 2, 1)
    );
    for (line, new) in [
        (
            "deal | property('Gone', 'Other column', 'Old tier') | words",
            "(deal | property(\"Other column\") | words) or (deal | property(\"Support tier\") | plain)",
        ),
        (
            "deal | property('Other column') | words or company | property('Any') | words",
            "(deal | property(\"Other column\") | words or company | property(\"Any\") | words) or (deal | property(\"Support tier\") | plain)",
        ),
        (
            "deal | property(\"Gone (old)\", 'Other (column)', \"Other \\\"column\\\"\") | words",
            "(deal | property(\"Other (column)\", \"Other \\\"column\\\"\") | words) or (deal | property(\"Support tier\") | plain)",
        ),
        // Of one shape they are one line.
        (
            "deal | property('Gone', 'Other column') | plain",
            "deal | property(\"Other column\", \"Support tier\") | plain",
        ),
        (
            "deal | property('Other column') | words or deal | property('Other column') | plain",
            "(deal | property(\"Other column\") | words or deal | property(\"Other column\") | plain) or (deal | property(\"Support tier\") | plain)",
        ),
        ("deal | property('Gone') | plain", "deal | property(\"Support tier\") | plain"),
    ] {
        assert_eq!(
            proposed("Support tier", &["silver", "gold"], &tier(line)),
            is("customer.tier", new, 2, 0),
            "{line}"
        );
    }
}
