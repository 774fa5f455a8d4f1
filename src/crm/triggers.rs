//! The list of CRMs whose webhooks are read. A new one is one line here.

use super::config::CrmConfig;
use super::trigger::Trigger;
use super::{hubspot, pipedrive, salesforce};

/// Every CRM's webhook there is, with its settings. Those of a CRM that is
/// not connected refuse everything.
pub struct Triggers(Vec<Box<dyn Trigger>>);

impl Triggers {
    /// All of them with these settings.
    #[must_use]
    pub fn new(config: &CrmConfig) -> Self {
        Self(vec![
            Box::new(hubspot::Webhook::new(config.hubspot.clone())),
            Box::new(salesforce::Webhook::new(config.salesforce.clone())),
            Box::new(pipedrive::Webhook::new(config.pipedrive.clone())),
        ])
    }

    /// The one with this name or alias.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&dyn Trigger> {
        self.iter().find(|trigger| trigger.name() == name || trigger.aliases().contains(&name))
    }

    /// All of them, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Trigger> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// That of the CRM that is connected.
    #[must_use]
    pub fn connected(&self) -> Option<&dyn Trigger> {
        self.iter().find(|trigger| trigger.is_connected())
    }
}
