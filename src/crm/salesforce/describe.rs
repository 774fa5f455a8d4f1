//! What an org has: the fields of its objects, what each of them holds, and
//! the lists below an opportunity.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::Value;

use super::api::Api;
use crate::crm::failure::{Failure, list};
use crate::crm::requested_properties::Known;
use crate::model::RecordKind;

/// What a field holds, as far as a CSV file does not tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Number,
    Truth,
    Moment,
}

/// An object of the org.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) fields: BTreeMap<String, Holds>,
    pub(super) children: BTreeSet<String>,
}

/// Asks the org which fields and children an object has.
pub(super) async fn describe(api: &Api, object: &str) -> Result<Described, Failure> {
    let path = format!("sobjects/{object}/describe");
    let mut answer = api.get(&path).await?;
    let fields = list("Salesforce", &path, &mut answer, "fields")?;
    let children = list("Salesforce", &path, &mut answer, "childRelationships")?;
    let field = |field: &Value| {
        let holds = match field["type"].as_str().unwrap_or_default() {
            "boolean" => Holds::Truth,
            "int" | "long" | "double" | "currency" | "percent" => Holds::Number,
            "datetime" => Holds::Moment,
            _ => Holds::Text,
        };
        Some((field["name"].as_str()?.to_owned(), holds))
    };
    let child = |child: &Value| child["relationshipName"].as_str().map(str::to_owned);
    Ok(Described {
        fields: fields.iter().filter_map(field).collect(),
        children: children.iter().filter_map(child).collect(),
    })
}

/// Salesforce's name for a kind of record, and its own for several of them.
pub(super) fn object(kind: RecordKind) -> (&'static str, &'static str) {
    match kind {
        RecordKind::Deal => ("Opportunity", "opportunities"),
        RecordKind::Company => ("Account", "accounts"),
        RecordKind::Contact => ("Contact", "contacts"),
        RecordKind::LineItem => ("OpportunityLineItem", "opportunity products"),
    }
}

/// What [`super::record`] adds to a record's own fields.
fn added(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Deal => &["Owner.IsActive", "RecordType.Name"],
        RecordKind::Company => &["Parent.Name", super::merged::MERGED_FROM],
        RecordKind::Contact => &["IsPrimary"],
        RecordKind::LineItem => &[],
    }
}

#[async_trait]
impl Known for Api {
    fn called(&self, kind: RecordKind) -> (&'static str, &'static str) {
        ("Salesforce", object(kind).1)
    }

    async fn names(&self, kind: RecordKind) -> Result<Option<BTreeSet<String>>, Failure> {
        let described = describe(self, object(kind).0).await?;
        let added = added(kind).iter().map(|&name| name.to_owned());
        Ok(Some(described.fields.into_keys().chain(added).collect()))
    }
}
