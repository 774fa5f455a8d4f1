//! Queries in SOQL, with every value from outside quoted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};

use super::api::{FieldType, MERGED_FROM};
use crate::model::Properties;

/// A text as a SOQL literal (developer.salesforce.com, "Quoted String Escape
/// Sequences").
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Several texts as the right side of `IN`.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(quote).collect();
    format!("({})", quoted.join(", "))
}

/// A moment as a SOQL literal, which has no quotes.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Whether a text can be a field's API name; a mapping's `deal.properties["…"]`
/// may hold anything.
pub(super) fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Those of an opportunity's standard fields that are read where an org has
/// them: one unknown field fails a whole query.
const STANDARD: [&str; 19] = [
    "Id",
    "Name",
    "StageName",
    "IsClosed",
    "IsWon",
    "IsDeleted",
    "CloseDate",
    "Amount",
    "CurrencyIsoCode",
    "Type",
    "AccountId",
    "OwnerId",
    "CreatedDate",
    "LastStageChangeDate",
    "SystemModstamp",
    "Description",
    "NextStep",
    "LeadSource",
    "ContractId",
];

/// The fields of an account that every opportunity is read with.
const ACCOUNT: [&str; 7] = [
    "Account.Name",
    "Account.Website",
    "Account.Industry",
    "Account.NumberOfEmployees",
    "Account.ParentId",
    "Account.Parent.Name",
    "Account.MasterRecordId",
];

/// The fields of an opportunity to ask for: standard ones that the org has,
/// wanted ones, and those of the records beside it.
pub(super) fn fields(known: &BTreeMap<String, FieldType>, requested: &Properties) -> Vec<String> {
    let mut fields: Vec<String> =
        STANDARD.iter().filter(|name| known.contains_key(**name)).map(|&n| n.to_owned()).collect();
    for name in &requested.deal {
        if known.contains_key(name) && is_field(name) && !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    for (through, beside) in [
        ("AccountId", &ACCOUNT[..]),
        ("OwnerId", &["Owner.Name", "Owner.Email", "Owner.IsActive"]),
        ("RecordTypeId", &["RecordType.Name"]),
    ] {
        if known.contains_key(through) {
            fields.extend(beside.iter().map(|&name| name.to_owned()));
        }
    }
    if known.contains_key("AccountId") {
        fields.extend(more("Account.", &ACCOUNT, requested.company.as_ref()));
    }
    fields
}

/// The fields of a person on an opportunity.
const PERSON: [&str; 4] = ["Contact.Name", "Contact.Title", "Contact.Email", "Contact.Phone"];

/// The fields of a contact role, with those of its person.
pub(super) fn roles(requested: &Properties) -> Vec<String> {
    let mut fields = ["Role", "IsPrimary", "ContactId"].map(str::to_owned).to_vec();
    fields.extend(PERSON.map(str::to_owned));
    fields.extend(more("Contact.", &PERSON, requested.contacts.as_ref()));
    fields
}

/// The fields of a product on an opportunity.
pub(super) fn line_items(requested: &Properties) -> Vec<String> {
    const ALWAYS: [&str; 8] = [
        "Name",
        "ProductCode",
        "Product2.Name",
        "Quantity",
        "UnitPrice",
        "TotalPrice",
        "ServiceDate",
        "Description",
    ];
    let mut fields = ALWAYS.map(str::to_owned).to_vec();
    fields.extend(more("", &ALWAYS, requested.line_items.as_ref()));
    fields
}

/// Wanted fields of a record beside, that are not read anyway.
fn more(before: &str, always: &[&str], requested: Option<&BTreeSet<String>>) -> Vec<String> {
    let requested = requested.into_iter().flatten().filter(|name| is_field(name));
    let named = requested.filter(|name| before != "Contact." || *name != "IsPrimary");
    let named = named.filter(|name| *name != MERGED_FROM);
    let named = named.map(|name| format!("{before}{name}"));
    named.filter(|name| !always.contains(&name.as_str())).collect()
}

/// What fields of records beside an opportunity hold, where they are always
/// read; the rest an org describes.
pub(super) fn holds_beside(field: &str) -> Option<FieldType> {
    Some(match field {
        "Owner.IsActive" | "IsPrimary" => FieldType::Truth,
        "Account.NumberOfEmployees" | "Quantity" | "UnitPrice" | "TotalPrice" => FieldType::Number,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_literal() {
        for (text, literal) in [
            ("Closed Won", "'Closed Won'"),
            ("O'Hara", r"'O\'Hara'"),
            (r"\' OR Name != '", r"'\\\' OR Name != \''"),
            ("a\nb\u{0}", r"'a\nb'"),
        ] {
            assert_eq!(quote(text), literal, "{text:?}");
        }
        assert_eq!(list(["a", "b'"]), r"('a', 'b\'')");
        for name in ["Amount", "Success_Criteria__c"] {
            assert!(is_field(name), "{name}");
        }
        for name in ["", "a b", "Name FROM User", "1__c", "é"] {
            assert!(!is_field(name), "{name}");
        }
    }
}
