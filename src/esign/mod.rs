//! Signatures in: one file or folder per e-sign provider. A vendor's field
//! names stop at its own door. May use floors below (`door`, `facts`, `text`, `yaml`, `net`).

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

pub use crate::door::{Answer, BODY_LIMIT, DeliveryId, Door, Malformed, Rejection, Request};

use crate::facts::{DocumentId, ProviderName, Signature};

/// A signature of which nothing but its document is known.
fn blank(provider: &'static str, document_id: &str) -> Signature {
    nothing_but(ProviderName::new(provider), DocumentId::new(document_id))
}

/// As [`blank`], for a document that is known already.
fn nothing_but(provider: ProviderName, document_id: DocumentId) -> Signature {
    Signature {
        provider,
        document_id,
        document_name: None,
        signed_at: None,
        url: None,
        signers: Vec::new(),
        deal_refs: Vec::new(),
        amount: None,
        metadata: serde_json::Map::new(),
        remarks: Vec::new(),
    }
}
