//! What is done with events that may be acted upon.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::model::{DealId, ProviderName, SignatureEvent};

/// One delivery, as far as it may be acted upon.
#[derive(Debug, Clone)]
pub struct Task {
    /// Who says so.
    pub provider: ProviderName,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// What it tells.
    pub news: News,
}

/// What a delivery tells.
#[derive(Debug, Clone)]
pub enum News {
    /// Confirmed events of an e-sign provider.
    Signatures(Vec<SignatureEvent>),
    /// Deals that may have been won, as the provider, a CRM, says. A hint: the
    /// CRM is to be asked.
    Deals(Vec<DealId>),
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, or there was nothing to do.
    Done,
    /// It may succeed later, by itself.
    Again(String),
    /// A person must mend something first.
    Never(String),
}

/// Acts upon events. It may be given the same task again and makes nothing twice.
#[async_trait(?Send)]
pub trait Handler {
    /// Acts upon tasks that are due together; one verdict for each, in their order.
    async fn hand_over(&self, tasks: &[Task]) -> Vec<Verdict>;

    /// Looks whether something slipped, every few minutes.
    async fn reconcile(&self);

    /// Whether there is reason to look now.
    fn wants_to_reconcile(&self) -> bool {
        false
    }
}
