//! The list of CRMs: one row each. Everything that lists them reads it.

use super::export::FileSettings;
use super::{CrmSettings, Trigger, hubspot, pipedrive, salesforce};
use crate::brief::BaseMapping;
use crate::model::{DealId, ReferenceRule};
use crate::settings::SettingsReader;

/// One CRM.
pub struct CrmRow {
    /// The key under `crm:`, in keys of handoffs and in briefs.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Every secret it may read.
    pub secrets: &'static [&'static str],
    /// Those of them that a run outside of `serve` needs: the ones that
    /// `init` writes into workflows.
    pub workflow_secrets: &'static [&'static str],
    /// How its section is read and described.
    pub settings: SettingsReader<dyn CrmSettings>,
    /// Its default mapping.
    pub mapping: BaseMapping,
    /// How documents name its deals.
    pub references: Option<ReferenceRule>,
    /// Its webhook as long as the CRM is not connected: it refuses everything.
    pub trigger: Option<fn() -> Box<dyn Trigger>>,
}

impl std::fmt::Debug for CrmRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrmRow").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every CRM there is.
pub static CRMS: &[CrmRow] = &[
    hubspot::ROW,
    salesforce::ROW,
    pipedrive::ROW,
    CrmRow {
        name: "file",
        title: "an export file (CSV or JSON)",
        secrets: &[],
        workflow_secrets: &[],
        settings: SettingsReader::of::<FileSettings>(),
        mapping: BaseMapping {
            name: "csv",
            source: include_str!("../../templates/mapping/csv.yaml"),
        },
        references: None,
        trigger: None,
    },
];

/// The row with this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static CrmRow> {
    CRMS.iter().find(|row| row.name == name)
}

/// Every secret that a CRM may read.
pub fn secret_names() -> impl Iterator<Item = &'static str> {
    CRMS.iter().flat_map(|row| row.secrets.iter().copied())
}

/// How documents name the deals of each CRM.
#[must_use]
pub fn reference_rules() -> Vec<ReferenceRule> {
    CRMS.iter().filter_map(|row| row.references).collect()
}

/// A deal as a person names it: its id, or the address of its record.
#[must_use]
pub fn deal_id(text: &str) -> DealId {
    let text = text.trim();
    let of_address = reference_rules().iter().find_map(|rule| (rule.of_address)(text));
    of_address.unwrap_or_else(|| DealId::new(text))
}

/// The parts of an https address's path, when its host fits.
pub(super) fn path_of(address: &str, fits: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
    let rest = address.trim().strip_prefix("https://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let mut parts = rest.split('/');
    let host = parts.next()?.to_ascii_lowercase();
    fits(&host).then(|| parts.collect())
}
