//! One deal, told by each CRM's API and by an export file, through the shipped
//! mappings: the brief is the same.

use std::path::Path;

use handoff::brief::{FirstTouch, Mapping, MappingInput, Schema};
use handoff::crm::{Connection, CrmConfig, RequestedProperties, build};
use handoff::http::Limits;
use handoff::model::{DealId, Secrets, Signature};
use handoff::yaml;
use serde_json::{Value, json};

use crate::{hubspot, pipedrive, salesforce};

const METRIC: &str = "Cut pick errors from 2.1% to under 0.5% by 2027-03-31";
const RISK: &str = "Legacy WMS cut-over frozen 2026-12-15 to 2027-01-05";
const NOTE: &str = "Kickoff wanted in the week of 2026-11-09";
const PROMISES: [&str; 2] = [
    "SSO at no charge in year one [due: 2027-01-15, owner: Platform team]",
    "Dedicated onboarding engineer for 6 weeks",
];

fn signature() -> Signature {
    serde_json::from_value(json!({
        "provider": "pandadoc", "document_id": "d", "deal_refs": [], "metadata": {},
        "signed_at": "2026-10-30T16:40:02Z",
        "signers": [{"name": "D. Okafor", "email": "dana.okafor@northwind-robotics.example",
                     "signed": true}],
    }))
    .expect("signature")
}

/// The brief of a deal, without the section that names the deal itself.
async fn brief(crm: &str, config: &str, root: &Path, id: &str) -> (Value, Value) {
    let config: CrmConfig =
        CrmConfig::read(&yaml::read(config.as_bytes()).expect("yaml")).expect("settings");
    let base = handoff::crm::row(crm).map(|row| &row.mapping);
    let mapping = Mapping::compile(base, &[]).expect("a shipped mapping");
    let secrets = [
        ("HUBSPOT_TOKEN", hubspot::fake::TOKEN),
        ("SALESFORCE_CLIENT_ID", salesforce::fake::CLIENT_ID),
        ("SALESFORCE_CLIENT_SECRET", salesforce::fake::CLIENT_SECRET),
        ("PIPEDRIVE_TOKEN", pipedrive::fake::TOKEN),
    ];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned().into()));
    let requested = RequestedProperties {
        mapping: mapping.properties(),
        own: mapping.own_properties(),
        ..RequestedProperties::default()
    };
    let connection = Connection {
        secrets: &Secrets::new(secrets),
        root: &root.into(),
        requested: &requested,
        limits: Limits::default(),
        company_zone: None,
        exports: None,
    };
    let connected = build(&config, &connection).expect("settings that do").expect("a CRM");
    let signature = signature();
    let deal = connected.deal(&DealId::new(id), Some(&signature)).await;
    let deal = deal.unwrap_or_else(|error| panic!("{crm}: {error}"));
    let mapped = mapping.apply(&MappingInput {
        signature: Some(&signature),
        deal: Some(&deal),
        first_touch: Some(&FirstTouch { within: "24 hours".to_owned(), ..FirstTouch::default() }),
        ..MappingInput::default()
    });
    assert_eq!(mapped.remarks, [], "{crm}");
    let mut sections = mapped.sections;
    let told = sections.shift_remove("deal").expect("deal");
    (Schema::shipped().in_order(&Value::Object(sections)), told)
}

async fn told_by_hubspot() -> hubspot::fake::Fake {
    let fake = hubspot::fake::Fake::start().await;
    fake.state().add(
        "deals",
        json!({"id": "31874500101", "properties": {
            "handoff_promises": PROMISES.join("; "), "account_tier": "enterprise",
        }}),
    );
    fake.state()
        .add("companies", json!({"id": "19900300201", "properties": {"industry": "MACHINERY"}}));
    fake
}

async fn told_by_salesforce() -> salesforce::fake::Fake {
    let fake = salesforce::fake::Fake::start().await;
    let mut state = fake.state();
    state.fields.insert("Contract_Term__c".to_owned());
    let deal = state.opportunities.get_mut("006Hs00000aB1cDIAS").expect("the deal");
    deal["Commitment_Log__c"] = PROMISES.join("\r\n").into();
    deal["Contract_Term__c"] = json!(12.0);
    // A value that an org adds to its picklist.
    deal["OpportunityContactRoles"]["records"][2]["Role"] = json!("Champion");
    drop(state);
    fake
}

/// Roles and handoff fields are what a company adds: Pipedrive has none.
async fn told_by_pipedrive() -> pipedrive::fake::Fake {
    let fake = pipedrive::fake::Fake::start().await;
    let mut state = fake.state();
    let field = |code: &str, name: &str| json!({"field_code": code, "field_name": name, "is_custom_field": true});
    let more = [
        ("r1", "Handoff - risks", json!(RISK)),
        ("n1", "Handoff - notes", json!(NOTE)),
        ("t1", "Tier", json!("enterprise")),
        ("m1", "Handoff - term months", json!(12)),
    ];
    for (code, name, value) in more {
        state.fields.get_mut("deal").expect("fields").push(field(code, name));
        state.deals.get_mut(&7001).expect("deal")["custom_fields"][code] = value;
    }
    let deal = state.deals.get_mut(&7001).expect("deal");
    deal["custom_fields"]["8c5e1d4f0a2b4e6f9d7c3b1a5e8f0c2d4b6a8e90"] = PROMISES.join("; ").into();
    state.fields.insert("person", vec![field("role", "Role")]);
    for (at, role, phone) in
        [(0, "Economic buyer", "+44 20 7946 0011"), (1, "Champion", "+44 20 7946 0012")]
    {
        state.persons[at]["custom_fields"] = json!({"role": role});
        state.persons[at]["phones"] = json!([{"value": phone, "primary": true}]);
    }
    state.organizations[0]["industry"] = json!({"id": 3, "label": "Machinery"});
    drop(state);
    fake
}

fn told_by_csv(folder: &Path) {
    let promises = PROMISES.join("; ");
    let files = [
        (
            "deals.csv",
            format!(
                "Deal ID,Deal,Account,Owner,Owner Email,Amount,Currency,Won,Close Date,Promises,\
                 Success metric,Implementation complexity,Go-live date,Risks,\
                 Handoff notes,Account tier,Contract term,Contract start date\n\
                 D1,Northwind Robotics - Platform,Northwind Robotics,Priya Raman,\
                 priya.raman@vendor.example,48000,USD,true,2026-10-30,\"{promises}\",\
                 \"{METRIC}\",High,2027-01-15,{RISK},{NOTE},enterprise,12,2026-12-01\n"
            ),
        ),
        (
            "accounts.csv",
            "Name,Website,Industry,Employees\n\
             Northwind Robotics,northwind-robotics.example,Machinery,420\n"
                .to_owned(),
        ),
        (
            "people.csv",
            "Deal ID,Name,Email,Job title,Phone,Role\n\
             D1,Dana Okafor,dana.okafor@northwind-robotics.example,Chief Operating Officer,\
             +44 20 7946 0011,Economic Buyer\n\
             D1,Luis Ferreira,luis.ferreira@northwind-robotics.example,\
             Warehouse Operations Lead,+44 20 7946 0012,Champion\n"
                .to_owned(),
        ),
        (
            "products.csv",
            "Deal,Product,Quantity,Unit price\nD1,Platform Enterprise,40,1000\n\
             D1,Onboarding package,1,8000\n"
                .to_owned(),
        ),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

#[tokio::test]
async fn the_same_deal_told_by_all_gives_the_same_brief() {
    let folder = tempfile::tempdir().expect("a folder");
    told_by_csv(folder.path());
    let (hubspot, salesforce, pipedrive) =
        (told_by_hubspot().await, told_by_salesforce().await, told_by_pipedrive().await);
    let base = |url: &handoff::http::BaseUrl| url.as_str().to_owned();
    let file = "file:\n  deals: deals.csv\n  join:\n    \
                - {file: accounts.csv, on: company, key: Name, as: company}\n    \
                - {file: people.csv, on: Deal ID, as: contacts}\n    \
                - {file: products.csv, on: id, key: Deal, as: line_items}\n";
    let all = [
        ("hubspot", format!("hubspot: {{base_url: '{}'}}", base(&hubspot.base)), "31874500101"),
        (
            "salesforce",
            format!("salesforce: {{login_url: '{}'}}", base(&salesforce.base)),
            "006Hs00000aB1cD",
        ),
        ("pipedrive", format!("pipedrive: {{base_url: '{}'}}", base(&pipedrive.base)), "7001"),
        ("file", file.to_owned(), "D1"),
    ];
    let mut briefs = Vec::new();
    for (crm, config, id) in &all {
        let (brief, deal) = brief(crm, config, folder.path(), id).await;
        assert_eq!(deal["name"], "Northwind Robotics - Platform", "{crm}");
        assert_eq!(deal["owner"]["email"], "priya.raman@vendor.example", "{crm}");
        let won = deal["closed_won_at"].as_str().expect("a time");
        assert!(won.starts_with("2026-10-30T"), "{crm}: {won}");
        briefs.push((*crm, brief));
    }
    for (crm, brief) in &briefs[1..] {
        similar(&briefs[0].1, brief, crm);
    }
    insta::assert_json_snapshot!(briefs[0].1);
}

/// Compares answer by answer, so that a failure names the field.
fn similar(one: &Value, other: &Value, crm: &str) {
    let (one, other) = (one.as_object().expect("a brief"), other.as_object().expect("a brief"));
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    // The samples differ in the role and title of who is left over, and not all say how a line
    // is billed or what its number is.
    let comparable = |value: Option<&Value>| {
        let mut value = value.cloned().unwrap_or_default();
        for other in value.get_mut("others").and_then(Value::as_array_mut).into_iter().flatten() {
            let person = other.as_object_mut().expect("a person");
            person.remove("role");
            person.remove("title");
        }
        for line in value.get_mut("products").and_then(Value::as_array_mut).into_iter().flatten() {
            let line = line.as_object_mut().expect("a line");
            line.remove("billing");
            line.remove("sku");
        }
        value
    };
    for name in names {
        let (mut one, mut other) = (comparable(one.get(name)), comparable(other.get(name)));
        // The export's sample has nobody but the people with a role.
        if one.get("others").is_none() || other.get("others").is_none() {
            for side in [&mut one, &mut other].into_iter().filter_map(Value::as_object_mut) {
                side.remove("others");
            }
        }
        assert_eq!(one, other, "{name}: hubspot and {crm} differ");
    }
}
