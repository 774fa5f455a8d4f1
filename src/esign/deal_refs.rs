//! References to deals, found in what senders put on a document.

use minijinja::Environment;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::{CrmName, DealId, DealRef, Signature, normalise_deal_id};
use crate::webhook::json;

/// Names under which senders (and the CRMs' own integrations) keep a deal's
/// id, compared without case and punctuation, with the CRM each one names.
const KNOWN_NAMES: &[(&str, &str)] = &[
    ("hubspotdealid", "hubspot"),
    ("hubspotdeal", "hubspot"),
    ("hsdealid", "hubspot"),
    ("salesforceopportunityid", "salesforce"),
    ("salesforceopportunity", "salesforce"),
    ("sfdcopportunityid", "salesforce"),
    ("pipedrivedealid", "pipedrive"),
    ("pipedrivedeal", "pipedrive"),
    ("freshsalesdealid", "freshsales"),
    ("msdynamicsopportunityid", "ms-dynamics"),
];

/// Names that hold a deal's id and leave its CRM to another field.
const PLAIN_NAMES: &[&str] = &["dealid", "opportunityid", "crmdealid", "handoffdealid"];

/// Names that say which CRM a plain id belongs to.
const CRM_NAMES: &[&str] = &["crm", "crmname", "crmprovider", "dealcrm"];

/// Where the deal's id is taken from when the provider has no link of its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealSettings {
    /// The CRM the ids below belong to; absent when there is only one.
    #[serde(default)]
    pub crm: Option<String>,
    /// Names of metadata, custom fields or tokens that hold the deal's id.
    #[serde(default)]
    pub fields: Vec<String>,
    /// An expression over `signature` that gives the deal's id, such as
    /// `signature.document_name | split('#') | last`.
    #[serde(default)]
    pub id: Option<Expression>,
}

/// A minijinja expression that compiles.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Expression(String);

impl TryFrom<String> for Expression {
    type Error = String;
    fn try_from(source: String) -> Result<Self, String> {
        match Environment::new().compile_expression(&source) {
            Ok(_) => Ok(Self(source)),
            Err(error) => Err(format!("this is no expression: {error}")),
        }
    }
}

impl Expression {
    /// The value for this signature; a text, or nothing when it is undefined.
    fn value(&self, signature: &Signature) -> Result<Option<Value>, minijinja::Error> {
        let mut environment = Environment::new();
        // An expression is the company's own; the bound is against accidents.
        environment.set_fuel(Some(100_000));
        let value = environment.compile_expression(&self.0)?.eval(minijinja::context! {
            signature => minijinja::value::Serde(signature)
        })?;
        if value.is_undefined() || value.is_none() {
            return Ok(None);
        }
        Ok(serde_json::to_value(value).ok())
    }
}

/// A reference with the CRM's name brought to this product's form.
pub(super) fn reference(crm: Option<&str>, id: &str) -> Option<DealRef> {
    let id = id.trim();
    let plain = !id.is_empty()
        && id.chars().count() <= 100
        && !id.chars().any(|c| c.is_control() || c.is_whitespace());
    let crm = crm.map(crm_name).filter(|name| !name.as_str().is_empty());
    plain.then(|| DealRef { crm, id: DealId::new(id) })
}

/// The product's name for a CRM, whatever a vendor calls it.
pub(super) fn crm_name(vendors: &str) -> CrmName {
    let name = vendors.trim().to_ascii_lowercase().replace([' ', '_'], "-");
    let name = match name.as_str() {
        "salesforce-oauth2" | "salesforce-oauth2-sandbox" | "salesforce-sandbox" | "sfdc" => {
            "salesforce"
        }
        "hub-spot" => "hubspot",
        "pipe-drive" => "pipedrive",
        other => other,
    };
    CrmName::new(name)
}

/// Adds a reference unless the same deal is there; one that names its CRM
/// takes the place of one that does not.
pub(super) fn add(references: &mut Vec<DealRef>, new: DealRef) {
    for old in references.iter_mut() {
        match (&old.crm, &new.crm) {
            (Some(a), Some(b))
                if a == b && normalise_deal_id(a, &old.id) == normalise_deal_id(b, &new.id) =>
            {
                return;
            }
            (Some(_), Some(_)) => {}
            (None, Some(_)) if old.id == new.id => {
                old.crm = new.crm;
                return;
            }
            _ if old.id == new.id => return,
            _ => {}
        }
    }
    references.push(new);
}

/// The references that a text of the form `hubspot:deal:1864`, `hubspot:1864`
/// or a bare id makes.
pub(super) fn from_text(text: &str, crm: Option<&str>) -> Option<DealRef> {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    match parts.as_slice() {
        [id] => reference(crm, id),
        [named, id] => reference(Some(named), id),
        [named, kind, id]
            if ["deal", "opportunity"].iter().any(|known| kind.eq_ignore_ascii_case(known)) =>
        {
            reference(Some(named), id)
        }
        _ => None,
    }
}

/// Finds what the settings and the well-known names point to and adds it after
/// what the signature has: first the configured fields, then the expression,
/// then the well-known names.
pub(super) fn find(signature: &mut Signature, settings: &DealSettings) {
    let mut found = Vec::new();
    let crm = settings.crm.as_deref();
    for field in &settings.fields {
        for (name, value) in &signature.metadata {
            if folded(name) == folded(field) {
                from_value(value, crm, &mut found);
            }
        }
    }
    if let Some(expression) = &settings.id {
        match expression.value(signature) {
            Ok(Some(value)) => from_value(&value, crm, &mut found),
            Ok(None) => {}
            Err(error) => {
                signature.remarks.push(format!("the expression for the deal's id failed: {error}"));
            }
        }
    }
    from_known_names(&signature.metadata, crm, &mut found);
    for reference in found {
        add(&mut signature.deal_refs, reference);
    }
}

fn from_known_names(metadata: &Map<String, Value>, default: Option<&str>, into: &mut Vec<DealRef>) {
    let named = |names: &[&str]| {
        metadata
            .iter()
            .find(|(name, _)| names.contains(&folded(name).as_str()))
            .and_then(|(_, value)| json::scalar(value))
    };
    for (name, value) in metadata {
        let name = folded(name);
        if let Some((_, crm)) = KNOWN_NAMES.iter().find(|(known, _)| *known == name) {
            from_value(value, Some(crm), into);
        }
    }
    let crm = named(CRM_NAMES);
    for (name, value) in metadata {
        if PLAIN_NAMES.contains(&folded(name).as_str()) {
            from_value(value, crm.as_deref().or(default), into);
        }
    }
}

/// Ids come as texts, as numbers and as lists of either.
fn from_value(value: &Value, crm: Option<&str>, into: &mut Vec<DealRef>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| from_value(value, crm, into)),
        value => {
            into.extend(json::scalar(value).and_then(|text| from_text(&text, crm)));
        }
    }
}

/// A name without case and punctuation: `HubSpot.Deal_ID` is `hubspotdealid`.
fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(metadata: &Value, settings: &str) -> Vec<String> {
        let settings: DealSettings =
            crate::yaml::from_node(&crate::yaml::read(settings.as_bytes()).expect("yaml"))
                .expect("settings");
        let mut signature = super::super::blank("pandadoc", "doc-1");
        signature.document_name = Some("Order #77".to_owned());
        signature.metadata = metadata.as_object().expect("an object").clone();
        find(&mut signature, &settings);
        signature
            .deal_refs
            .iter()
            .map(|r| format!("{}:{}", r.crm.as_ref().map_or("?", |crm| crm.as_str()), r.id))
            .collect()
    }

    #[test]
    fn ids_are_found_as_texts_numbers_and_lists_without_doubles() {
        let found = refs(
            &serde_json::json!({
                "HubSpot.Deal_ID": 18_640_329_741_i64,
                "hubspot.deal_id": ["18640329741", 2],
                "salesforce_opportunity_id": "0065g00000XyZ12",
                "Salesforce.Opportunity_Id": "0065g00000XyZ12AAF",
                "deal_id": "2", "crm": "HubSpot"
            }),
            "{}",
        );
        assert_eq!(
            found,
            ["hubspot:18640329741", "hubspot:2", "salesforce:0065g00000XyZ12"],
            "one reference for each deal"
        );
    }

    #[test]
    fn configured_fields_and_expressions_come_first() {
        let settings = "{crm: pipedrive, fields: [Order No], id: \"signature.document_name | split('#') | last\"}";
        let found = refs(
            &serde_json::json!({"order_no": "12", "deal_id": "9", "hubspot_deal_id": "5"}),
            settings,
        );
        assert_eq!(found, ["pipedrive:12", "pipedrive:77", "hubspot:5", "pipedrive:9"]);
    }

    #[test]
    fn what_is_no_id_is_left_out() {
        let found = refs(
            &serde_json::json!({"deal_id": "a b", "hubspot_deal_id": 1.5, "pipedrive_deal_id": {}}),
            "{id: signature.nothing.there}",
        );
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_bad_expression_is_refused_when_the_settings_are_read() {
        let node = crate::yaml::read(b"{id: 'signature..x'}").expect("yaml");
        let error = crate::yaml::from_node::<DealSettings>(&node).expect_err("must be refused");
        assert!(error.to_string().contains("this is no expression"), "{error}");
    }
}
