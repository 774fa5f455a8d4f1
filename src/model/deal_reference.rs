//! How documents name the deals of a CRM: what each CRM's row tells the
//! e-sign room, which knows no CRM.

use super::DealId;

/// How signed documents name one CRM's deals.
#[derive(Debug, Clone, Copy)]
pub struct ReferenceRule {
    /// The CRM, as in keys and briefs: `hubspot`.
    pub crm: &'static str,
    /// Names of metadata and fields that hold a deal's id of this CRM.
    /// Compared without case and punctuation: `hubspot_deal_id` is
    /// `HubSpot.Deal ID` too.
    pub names: &'static [&'static str],
    /// The deal's id in an address of a record that somebody pasted, such as
    /// `https://app.hubspot.com/contacts/1/record/0-3/9876543210`; `None`
    /// when it is not an address of a deal in this CRM.
    pub of_address: fn(&str) -> Option<DealId>,
}
