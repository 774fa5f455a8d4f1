//! Asks the providers' APIs for what was completed.

use chrono::{DateTime, Utc};

use super::inbox::{Content, Envelope};
use crate::esign::{DeliveryId, FetchError, Provider};
use crate::facts::{Gap, Secrets, Signature};

/// A provider that was asked nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unasked {
    /// It has no API that could be asked.
    NoApi,
    /// Its secret or a setting is missing.
    NotSetUp(FetchError),
}

/// A document that a provider's API says is completed.
#[derive(Debug, Clone)]
pub struct Completed(pub Signature);

impl Completed {
    /// The event of the inbox that hands it over.
    ///
    /// # Panics
    /// Never: a signature is plain data.
    #[must_use]
    pub fn envelope(&self, now: DateTime<Utc>) -> Envelope {
        let Self(signature) = self;
        let (document, provider) = (signature.document_id.as_str(), signature.provider.as_str());
        let id = DeliveryId::of(&[document.as_bytes(), provider.as_bytes(), b"catch-up"]);
        let body = serde_json::to_vec(signature).expect("a signature is plain data");
        let kind = Some("application/json".to_owned());
        let mut envelope = Envelope::new(signature.provider.clone(), &id, kind, now, body);
        envelope.content = Content::Signature;
        envelope
    }
}

/// What a provider says was completed from `since` until `until`, and what of
/// it could not be read.
///
/// # Errors
/// When the provider cannot be asked at all.
pub async fn completed(
    provider: &dyn Provider,
    secrets: &Secrets,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(Vec<Completed>, Vec<Gap>), Unasked> {
    let fetcher = provider.fetcher(secrets).map_err(Unasked::NotSetUp)?.ok_or(Unasked::NoApi)?;
    let (signatures, gaps) = fetcher.completed(since, until).await.into_parts();
    Ok((signatures.into_iter().map(Completed).collect(), gaps))
}
