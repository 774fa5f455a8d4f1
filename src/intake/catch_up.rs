//! Asks the providers' APIs for what was completed.

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;

use super::inbox::{Envelope, EventContent};
use crate::esign::{FetchError, Fetcher, Provider};
use crate::http::Limits;
use crate::model::{Gap, Secrets, Signature, SignatureEvent};
use crate::webhook::DeliveryId;

/// So many documents are asked for at a time.
const ASKED_AT_ONCE: usize = 4;

/// A provider that was asked nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnaskedProvider {
    /// It has no API to ask.
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
        envelope.content = EventContent::Signature;
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
    limits: Limits,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(Vec<Completed>, Vec<Gap>), UnaskedProvider> {
    let fetcher = open(provider, secrets, limits)?;
    let (signatures, gaps) = fetcher.completed(since, until).await.into_parts();
    Ok((signatures.into_iter().map(Completed).collect(), gaps))
}

/// As [`completed`], each document with the deals it names: where the
/// provider's list does not tell them, it is asked for the document itself,
/// one request each; with `whole` for every document, since rules may ask for
/// what a list does not hold. A document that cannot be read is a gap too.
///
/// # Errors
/// As for [`completed`].
pub async fn completed_with_deals(
    provider: &dyn Provider,
    secrets: &Secrets,
    limits: Limits,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    whole: bool,
) -> Result<(Vec<Completed>, Vec<Gap>), UnaskedProvider> {
    let fetcher = open(provider, secrets, limits)?;
    let (mut signatures, mut gaps) = fetcher.completed(since, until).await.into_parts();
    let unclear: Vec<usize> =
        (0..signatures.len()).filter(|at| whole || signatures[*at].deal_refs.is_empty()).collect();
    let ids: Vec<_> = unclear.iter().map(|at| signatures[*at].document_id.clone()).collect();
    let told: Vec<_> = futures_util::stream::iter(&ids)
        .map(|id| fetcher.document(id))
        .buffered(ASKED_AT_ONCE)
        .collect()
        .await;
    for (at, told) in unclear.into_iter().zip(told) {
        match told {
            Ok(SignatureEvent::Completed(whole)) => {
                let listed = &mut signatures[at];
                let signed_at = whole.signed_at.or(listed.signed_at);
                let document_name = listed.document_name.take().or(whole.document_name.clone());
                let deal_refs = match whole.deal_refs.is_empty() {
                    true => std::mem::take(&mut listed.deal_refs),
                    false => whole.deal_refs.clone(),
                };
                *listed = Signature { signed_at, document_name, deal_refs, ..whole };
            }
            // Something else by now; it was completed in the window all the same.
            Ok(_) => {}
            Err(error) => {
                let what = match signatures[at].deal_refs.is_empty() {
                    true => "the deal of",
                    false => "what the API says of",
                };
                let listed = &mut signatures[at];
                gaps.push(Gap {
                    what: format!("{what} document {}", listed.document_id),
                    why: error.to_string(),
                    help: None,
                });
                let absent: Vec<&str> = listed.absent_facts().collect();
                listed.unread.extend(absent.into_iter().map(|fact| error.unread(fact)));
            }
        }
    }
    Ok((signatures.into_iter().map(Completed).collect(), gaps))
}

fn open(
    provider: &dyn Provider,
    secrets: &Secrets,
    limits: Limits,
) -> Result<Box<dyn Fetcher>, UnaskedProvider> {
    provider
        .fetcher(secrets, limits)
        .map_err(UnaskedProvider::NotSetUp)?
        .ok_or(UnaskedProvider::NoApi)
}
