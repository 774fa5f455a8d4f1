//! The paths of the server, and what they share.

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};

use super::super::Clock;
use super::super::inbox::Inbox;
use super::super::metrics::Metrics;
use super::{health, webhook};
use crate::crm::Triggers;
use crate::esign::Providers;
use crate::model::Secrets;

/// What the paths of the server share.
pub struct Service {
    /// The providers with their settings.
    pub providers: Arc<Providers>,
    /// The CRMs' webhooks with their settings.
    pub triggers: Arc<Triggers>,
    /// The secrets.
    pub secrets: Secrets,
    /// The inbox.
    pub inbox: Arc<dyn Inbox>,
    /// The counts.
    pub metrics: Arc<Metrics>,
    /// The clock.
    pub clock: Clock,
    /// Whether the ledger can be read.
    pub ledger: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The paths of the server.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        // Every method: which ones a provider uses is its own affair.
        .route("/webhooks/{provider}", any(webhook::receive))
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(service)
}
