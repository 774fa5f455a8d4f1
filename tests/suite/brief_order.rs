//! What the CRM knows of an order is in the brief.

use handoff::brief::{MappingInput, Schema};
use serde_json::{Value, json};

use crate::brief_mapping::{apply, compile, deal, signature};

#[test]
fn nothing_that_the_crm_knows_of_the_order_is_dropped() {
    for crm in ["hubspot", "salesforce", "pipedrive", "csv"] {
        let mapped = apply(&compile(Some(crm), &[]), &deal(crm), &signature());
        let usd = |amount: &str| json!({"amount": amount, "currency": "USD"});
        assert_eq!(
            mapped.sections["purchase"]["products"],
            json!([
                {"name": "Platform Enterprise", "quantity": 40, "unit_price": usd("1000.00"),
                 "discount": "10%", "billing": "annually", "sku": "PLAT-ENT"},
                {"name": "Onboarding package", "quantity": 1, "unit_price": usd("8000.00"),
                 "sku": "ONB-6W"},
            ]),
            "{crm}"
        );
        let others = mapped.sections["contacts"]["others"].as_array().expect("others");
        let names: Vec<&str> = others.iter().filter_map(|other| other["name"].as_str()).collect();
        assert!(names.contains(&"Mei Tan"), "{crm}: {others:?}");
        assert!(!names.contains(&"Dana Okafor"), "{crm}: a named person is not an other");
    }
    // An amount as a discount, a promise of the contract, and a term with its end.
    let mut deal = deal("pipedrive");
    let line = &mut deal.line_items[1];
    line.properties.insert("discount".to_owned(), json!(250));
    deal.properties.insert("Handoff - term ends".to_owned(), json!("2027-11-30"));
    deal.properties.insert("Handoff - notice by".to_owned(), json!("2027-10-01"));
    deal.properties.insert("Handoff - renewal".to_owned(), json!("auto"));
    deal.properties.insert("Handoff - success baseline".to_owned(), json!("2.1%"));
    deal.properties.insert(
        "Handoff - promises".to_owned(),
        json!("SSO [in contract]; Audit [in contract: no]"),
    );
    let mapping = compile(Some("pipedrive"), &[]);
    let sections = apply(&mapping, &deal, &signature()).sections;
    assert_eq!(sections["purchase"]["products"][1]["discount"], "USD 250");
    assert_eq!(sections["purchase"]["term"]["ends"], "2027-11-30");
    assert_eq!(sections["purchase"]["term"]["notice_by"], "2027-10-01");
    assert_eq!(sections["purchase"]["term"]["renewal"], "auto");
    assert_eq!(sections["success"]["baseline"], "2.1%");
    assert_eq!(sections["commitments"][0]["in_contract"], "yes");
    assert_eq!(sections["commitments"][1]["in_contract"], "no");

    // A ledger with the schema of last year gets what it has a place for.
    let mut older: Value = serde_json::from_str(handoff::brief::SHIPPED_SCHEMA).expect("JSON");
    let products =
        older.pointer_mut("/properties/purchase/properties/products/anyOf/0/items/properties");
    products.expect("products").as_object_mut().expect("fields").remove("unit_price");
    let contacts = older.pointer_mut("/properties/contacts/properties").expect("contacts");
    contacts.as_object_mut().expect("fields").remove("others");
    let older = Schema::compile(older.to_string().as_bytes()).expect("compiles");
    let mapped = mapping.apply(&MappingInput {
        signature: Some(&signature()),
        deal: Some(&deal),
        schema: Some(&older),
        ..MappingInput::default()
    });
    assert_eq!(mapped.sections["purchase"]["products"][0].get("unit_price"), None);
    assert_eq!(mapped.sections["purchase"]["products"][0]["sku"], "PLAT-ENT");
    assert_eq!(mapped.sections["contacts"].get("others"), None);
}
