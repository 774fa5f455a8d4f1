//! Queries in SOQL, with every value from outside quoted.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};

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

/// The fields of an opportunity to ask for: standard and wanted ones that the
/// org has, and those of the records beside it.
pub(super) fn fields(known: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Vec<String> {
    let mut fields: Vec<String> =
        STANDARD.iter().filter(|name| known.contains(**name)).map(|&n| n.to_owned()).collect();
    for name in wanted {
        if known.contains(name) && is_field(name) && !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    for (through, beside) in [
        ("AccountId", &["Account.Name", "Account.Website", "Account.Industry"][..]),
        ("AccountId", &["Account.NumberOfEmployees", "Account.ParentId"]),
        ("OwnerId", &["Owner.Name", "Owner.Email", "Owner.IsActive"]),
        ("RecordTypeId", &["RecordType.Name"]),
    ] {
        if known.contains(through) {
            fields.extend(beside.iter().map(|&name| name.to_owned()));
        }
    }
    fields
}

/// The people on an opportunity.
pub(super) const ROLES: &str = "(SELECT Role, IsPrimary, ContactId, Contact.Name, \
     Contact.Title, Contact.Email, Contact.Phone FROM OpportunityContactRoles)";

/// The products on an opportunity.
pub(super) const LINE_ITEMS: &str = "(SELECT Name, ProductCode, Product2.Name, Quantity, \
     UnitPrice, TotalPrice, ServiceDate, Description FROM OpportunityLineItems)";

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
