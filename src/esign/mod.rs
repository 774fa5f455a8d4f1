//! Signatures in: one file or folder per e-sign provider. A vendor's field
//! names stop at its own door. May use floors below (`webhook`, `model`, `text`, `yaml`, `http`).

pub mod adobe_sign;
mod batch;
mod config;
mod deal_refs;
pub mod docusign;
pub mod dropbox_sign;
mod enrich;
mod error;
pub mod fetch;
mod metadata;
pub mod pandadoc;
mod port;
mod registry;
pub mod standard_webhooks;
mod total;

pub use config::EsignConfig;
pub use deal_refs::{DealSettings, Expression};
pub use enrich::{Confirmed, confirm};
pub use error::ParseError;
pub use fetch::{FetchError, Fetcher};
pub use port::{Authenticity, Provider, Received, Verified};
pub use registry::Providers;

pub use crate::webhook::{Answer, BODY_LIMIT, DeliveryId, Malformed, Rejection, Request, Route};

use crate::model::{DocumentId, ProviderName, Signature};

/// A signature of which nothing but its document is known.
fn blank(provider: &'static str, document_id: &str) -> Signature {
    Signature::new(ProviderName::new(provider), DocumentId::new(document_id))
}
