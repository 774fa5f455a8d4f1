//! Signatures in: a folder for each e-sign provider, and senders that are
//! described by settings. A vendor's field names stop in its own folder. May
//! use floors below (`settings`, `http`, `webhook`, `time`, `yaml`, `model`, `text`).

pub mod adobe_sign;
mod api;
mod confirm;
mod deal_refs;
pub mod docusign;
pub mod dropbox_sign;
mod metadata;
pub mod pandadoc;
mod provider;
mod providers;
pub mod sender;

pub use api::{FetchError, Fetcher};
pub use confirm::{Confirmed, confirm};
pub use deal_refs::{DealIdExpression, DealSettings};
pub use provider::{Authenticity, Provider, ProviderRow, ProviderSettings, Received, Verified};
pub use providers::{EsignConfig, PROVIDERS, ParseError, Providers, secret_names};

pub use crate::webhook::{
    BODY_LIMIT, DeliveryId, Malformed, Rejection, Reply, Request, Route, RouteNames,
};

use crate::model::{DocumentId, ProviderName, Signature};

/// A signature of which nothing but its document is known.
fn blank(provider: &'static str, document_id: &str) -> Signature {
    Signature::new(ProviderName::new(provider), DocumentId::new(document_id))
}

/// A name without case and punctuation: `HubSpot.Deal_ID` is `hubspotdealid`.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        // Nearly all are, and a webhook has hundreds.
        let kept = name.bytes().filter(u8::is_ascii_alphanumeric);
        return kept.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    }
    letters(name).collect()
}

/// Whether a name is that without case and punctuation.
fn folds_to(name: &str, folded: &str) -> bool {
    letters(name).eq(folded.chars())
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}
