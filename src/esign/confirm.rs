//! The one way from a verified notification to events that may be acted upon.

use super::api::{FetchError, Fetcher};
use super::provider::{Authenticity, Verified, collapse, fill, signature_of, signature_of_mut};
use crate::model::{ProviderName, Signature, SignatureEvent, UnreadFact};

/// Whether an API call could tell more than the notification did.
fn lacks_facts(signature: &Signature) -> bool {
    signature.signed_at.is_none()
        || signature.signers.is_empty()
        || signature.deal_refs.is_empty()
        || signature.metadata.is_empty()
}

/// Events that may be acted upon.
#[derive(Debug)]
pub struct Confirmed {
    /// Who says so.
    pub provider: ProviderName,
    /// What happened.
    pub events: Vec<SignatureEvent>,
    /// What the API was asked and did not tell, although the notification
    /// could be believed without it. For the log; the events stand.
    pub not_enriched: Vec<FetchError>,
}

/// Turns a verified notification into events that may be acted upon.
///
/// Where the proof covers the body, the API (if there is one) adds what the
/// notification lacks, and its failure is no obstacle. Where the notification
/// is a hint only, nothing of its content is used but the document's id: what
/// the API says is what happened.
///
/// # Errors
/// For a hint: when there is no API to ask, when it does not answer, or when
/// it says that the document is not completed (it may be a moment behind: try
/// again later).
pub async fn confirm(
    verified: Verified,
    fetcher: Option<&dyn Fetcher>,
) -> Result<Confirmed, FetchError> {
    let (provider, claims, authenticity, told_by_api) = verified.into_parts();
    let mut confirmed =
        Confirmed { provider, events: Vec::with_capacity(claims.len()), not_enriched: Vec::new() };
    for claim in claims {
        let event = match (authenticity, fetcher) {
            (_, _) if matches!(claim, SignatureEvent::Ignored { .. }) => claim,
            (Authenticity::HintOnly, None) => {
                return Err(FetchError::CannotConfirm {
                    provider: confirmed.provider.as_str().to_owned(),
                });
            }
            (Authenticity::HintOnly, Some(fetcher)) => ask(claim, fetcher).await?,
            (Authenticity::Body, Some(fetcher)) => {
                add_facts(claim, fetcher, &mut confirmed.not_enriched).await
            }
            (Authenticity::Body, None) => without_api(claim, told_by_api),
        };
        confirmed.events.push(event);
    }
    confirmed.events = collapse(confirmed.events);
    Ok(confirmed)
}

async fn ask(claim: SignatureEvent, fetcher: &dyn Fetcher) -> Result<SignatureEvent, FetchError> {
    let Some(signature) = signature_of(&claim) else { return Ok(claim) };
    let said = match (fetcher.document(&signature.document_id).await, &claim) {
        // What was deleted or recalled may be gone from the API as well.
        (Err(FetchError::NotFound { document, .. }), SignatureEvent::Voided { what, .. }) => {
            let signature = Signature::new(signature.provider.clone(), document);
            return Ok(SignatureEvent::Voided { signature, what: what.clone() });
        }
        (said, _) => said?,
    };
    let completed = matches!(claim, SignatureEvent::Completed(_));
    match said {
        SignatureEvent::Sent(_) | SignatureEvent::Ignored { .. } if completed => {
            let state = match said {
                SignatureEvent::Ignored { what } => what,
                _ => "waiting for signatures".to_owned(),
            };
            Err(FetchError::NotCompleted { document: signature.document_id.clone(), state })
        }
        said => Ok(said),
    }
}

async fn add_facts(
    claim: SignatureEvent,
    fetcher: &dyn Fetcher,
    not_enriched: &mut Vec<FetchError>,
) -> SignatureEvent {
    let mut claim = claim;
    let (SignatureEvent::Completed(signature) | SignatureEvent::Sent(signature)) = &mut claim
    else {
        return claim;
    };
    if lacks_facts(signature) || fetcher.adds_to(signature) {
        match fetcher.document(&signature.document_id).await {
            // What was completed may be voided by now.
            Ok(SignatureEvent::Voided { signature: mut more, what }) => {
                fill(&mut more, std::mem::take(signature));
                return SignatureEvent::Voided { signature: more, what };
            }
            Ok(SignatureEvent::Completed(more) | SignatureEvent::Sent(more)) => {
                fill(signature, more);
            }
            Ok(SignatureEvent::Ignored { .. }) => {}
            Err(error) => {
                let absent: Vec<&str> = signature.absent_facts().collect();
                signature.unread.extend(absent.into_iter().map(|fact| error.unread(fact)));
                not_enriched.push(error);
            }
        }
    }
    claim
}

/// What only the API tells is not known where there is none to ask.
fn without_api(claim: SignatureEvent, told_by_api: &[&'static str]) -> SignatureEvent {
    let mut claim = claim;
    if let Some(signature) = signature_of_mut(&mut claim) {
        let absent: Vec<&str> = signature.absent_facts().collect();
        let untold = told_by_api.iter().filter(|fact| absent.contains(*fact));
        signature.unread.extend(untold.map(|fact| {
            UnreadFact {
                fact,
                why: "its notifications do not hold it, and its API is not set up (docs/esign.md)"
                    .to_owned(),
                may_pass: false,
            }
        }));
    }
    claim
}
