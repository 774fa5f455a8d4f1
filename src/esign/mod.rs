//! Signatures in: one file or folder per e-sign provider. A vendor's field
//! names stop at its own door. May use floors below (`facts`, `text`, `yaml`, `net`).

pub mod adobe_sign;
mod answer;
mod batch;
mod config;
mod deal_refs;
mod delivery_id;
pub mod docusign;
mod door;
pub mod dropbox_sign;
mod enrich;
mod error;
pub mod fetch;
mod json;
mod mac;
mod metadata;
pub mod pandadoc;
mod port;
mod registry;
pub mod standard_webhooks;

pub use answer::Answer;
pub use config::EsignConfig;
pub use deal_refs::{DealSettings, Expression};
pub use delivery_id::DeliveryId;
pub use enrich::{Confirmed, confirm};
pub use error::{ParseError, Rejection};
pub use fetch::{FetchError, Fetcher};
pub use port::{Authenticity, BODY_LIMIT, Provider, Received, Request, Verified};
pub use registry::Providers;

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
