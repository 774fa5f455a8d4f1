//! Whose export a file is, by its headers.

use super::settings::Column;
use super::vendor_columns::{HUBSPOT, Known, Vendor};

/// What Pipedrive writes before a label, in its languages.
const DEAL_PREFIXES: [&str; 4] = ["deal - ", "affaire - ", "trato - ", "negócio - "];

/// A header in the form the labels have: lower case, one space between words,
/// without the star of a required column.
pub(super) fn normal(header: &str) -> String {
    let lower = header.to_lowercase().replace('_', " ").replace('\u{2019}', "'");
    let words: Vec<&str> = lower.trim_end_matches('*').split_whitespace().collect();
    words.join(" ")
}

/// The header without Pipedrive's `Deal - `.
pub(super) fn without_prefix(normal: &str) -> &str {
    DEAL_PREFIXES.iter().find_map(|prefix| normal.strip_prefix(prefix)).unwrap_or(normal)
}

/// Whose export the headers are, by columns that no other vendor has.
pub(super) fn recognise(headers: &[String]) -> Option<Vendor> {
    let normals: Vec<String> = headers.iter().map(|header| normal(header)).collect();
    let has = |labels: &[&str]| normals.iter().any(|header| labels.contains(&header.as_str()));
    let prefixed = normals.iter().filter(|h| without_prefix(h).len() < h.len()).count();
    if prefixed >= 2 {
        return Some(Vendor::Pipedrive);
    }
    let pipedrive_api = has(&["title"]) && has(&["won time"]) && has(&["org id", "pipeline id"]);
    if pipedrive_api {
        return Some(Vendor::Pipedrive);
    }
    // Which of a vendor's own words are there; one alone proves nothing.
    let count = |labels: &[&[&str]]| labels.iter().filter(|labels| has(labels)).count();
    let labels = |column: Column, columns: &'static [Known]| {
        columns
            .iter()
            .find(|known| known.column == Some(column))
            .map_or(&[][..], |known| known.labels)
    };
    let hubspot = count(&[
        &labels(Column::Id, HUBSPOT)[..5],
        labels(Column::Name, HUBSPOT),
        labels(Column::Stage, HUBSPOT),
        &labels(Column::Owner, HUBSPOT)[..2],
        &["hs object id", "hubspot owner id"],
        &["hs is closed won", "hs lastmodifieddate"],
    ]);
    let salesforce = count(&[
        &["opportunity id", "opportunity-id", "id de l'opportunité"],
        &["opportunity name", "opportunity-name", "opportunityname", "nom de l'opportunité"],
        &["opportunity owner", "inhaber der opportunity", "propriétaire de l'opportunité"],
        &["stagename"],
        &["iswon", "currencyisocode", "systemmodstamp", "account.name", "accountid", "ownerid"],
    ]);
    match (hubspot, salesforce) {
        (h, s) if h >= 2 && h > s => Some(Vendor::HubSpot),
        (_, s) if s >= 2 => Some(Vendor::Salesforce),
        _ => None,
    }
}
