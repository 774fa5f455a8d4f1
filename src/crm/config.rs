//! The `crm` section of the configuration: one line for each kind.

use serde::Deserialize;

use super::file::FileSettings;
use super::hubspot::HubSpotSettings;

/// Where deals come from; one of them is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrmConfig {
    /// HubSpot.
    pub hubspot: Option<HubSpotSettings>,
    /// An export file.
    pub file: Option<FileSettings>,
}
