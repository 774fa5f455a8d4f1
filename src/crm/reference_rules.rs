//! How signed documents name each CRM's deals, for the e-sign room.

use crate::model::{DealId, ReferenceRule};

/// The rules of all CRMs.
#[must_use]
pub fn reference_rules() -> Vec<ReferenceRule> {
    vec![
        ReferenceRule {
            crm: "hubspot",
            names: &["hubspot_deal_id", "hubspot_deal", "hs_deal_id", "hubspot_record_id"],
            of_address: hubspot,
        },
        ReferenceRule {
            crm: "salesforce",
            names: &[
                "salesforce_opportunity_id",
                "salesforce_opportunity",
                "sfdc_opportunity_id",
                "opportunity_id",
            ],
            of_address: salesforce,
        },
        ReferenceRule {
            crm: "pipedrive",
            names: &["pipedrive_deal_id", "pipedrive_deal"],
            of_address: pipedrive,
        },
    ]
}

/// `https://app.hubspot.com/contacts/1/record/0-3/9876543210` and the older
/// `…/contacts/1/deal/9876543210`.
fn hubspot(address: &str) -> Option<DealId> {
    let path = path(address, |host| host == "hubspot.com" || host.ends_with(".hubspot.com"))?;
    let at = path.iter().position(|part| matches!(*part, "0-3" | "deal"))?;
    digits(path.get(at + 1)?)
}

/// `https://acme.lightning.force.com/lightning/r/Opportunity/0065g…/view` and
/// the classic `https://acme.my.salesforce.com/0065g…`.
fn salesforce(address: &str) -> Option<DealId> {
    let path =
        path(address, |host| host.ends_with(".force.com") || host.ends_with(".salesforce.com"))?;
    let is_id = |part: &&&str| {
        matches!(part.len(), 15 | 18)
            && part.starts_with("006")
            && part.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    path.iter().find(is_id).map(|id| DealId::new(*id))
}

/// `https://acme.pipedrive.com/deal/42`.
fn pipedrive(address: &str) -> Option<DealId> {
    let path = path(address, |host| host.ends_with(".pipedrive.com"))?;
    let at = path.iter().position(|part| *part == "deal")?;
    digits(path.get(at + 1)?)
}

fn digits(text: &str) -> Option<DealId> {
    (!text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())).then(|| DealId::new(text))
}

/// The parts of an https address's path, when its host fits.
fn path(address: &str, fits: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
    let rest = address.trim().strip_prefix("https://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let mut parts = rest.split('/');
    let host = parts.next()?.to_ascii_lowercase();
    fits(&host).then(|| parts.collect())
}
