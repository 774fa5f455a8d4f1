//! The one way from a verified notification to events that may be acted upon.

use super::api::{FetchError, Fetcher};
use super::deal_refs;
use super::provider::{Authenticity, Verified};
use crate::model::{DocumentId, ProviderName, Signature, SignatureEvent, Signer};

// What several notifications, or a notification and the API, say of one
// document, put together.

/// Several notifications in one request may say the same: leaves one event for
/// each document and kind. What a later one knows and the
/// first does not is kept.
pub(super) fn collapse(events: Vec<SignatureEvent>) -> Vec<SignatureEvent> {
    let mut kept: Vec<SignatureEvent> = Vec::with_capacity(events.len());
    for event in events {
        let same = kept.iter_mut().find(|other| {
            std::mem::discriminant(*other) == std::mem::discriminant(&event)
                && document_id(&event).is_some_and(|id| document_id(other) == Some(id))
        });
        match (same, event) {
            (
                Some(SignatureEvent::Completed(first) | SignatureEvent::Sent(first)),
                SignatureEvent::Completed(more) | SignatureEvent::Sent(more),
            ) => fill(first, more),
            (Some(_), _) => {}
            (None, event) => kept.push(event),
        }
    }
    kept
}

/// The signature an event is about.
pub(super) fn signature_of(event: &SignatureEvent) -> Option<&Signature> {
    match event {
        SignatureEvent::Completed(signature)
        | SignatureEvent::Sent(signature)
        | SignatureEvent::Voided { signature, .. } => Some(signature),
        SignatureEvent::Ignored { .. } => None,
    }
}

fn document_id(event: &SignatureEvent) -> Option<&DocumentId> {
    signature_of(event).map(|signature| &signature.document_id)
}

/// Fills what the first lacks from the second; what the first has stays.
pub(super) fn fill(signature: &mut Signature, more: Signature) {
    signature.document_name = signature.document_name.take().or(more.document_name);
    signature.signed_at = signature.signed_at.or(more.signed_at);
    signature.url = signature.url.take().or(more.url);
    signature.total = signature.total.take().or(more.total);
    signature.template = signature.template.take().or(more.template);
    signature.template_id = signature.template_id.take().or(more.template_id);
    signature.folder = signature.folder.take().or(more.folder);
    for tag in more.tags {
        if !signature.tags.contains(&tag) {
            signature.tags.push(tag);
        }
    }
    signature.sender = signature.sender.take().or(more.sender);
    signature.customer = signature.customer.take().or(more.customer);
    signature.test |= more.test;
    fill_signers(&mut signature.signers, more.signers);
    for reference in more.deal_refs {
        deal_refs::add(&mut signature.deal_refs, reference);
    }
    for (name, value) in more.metadata {
        signature.metadata.entry(name).or_insert(value);
    }
    for remark in more.remarks {
        if !signature.remarks.contains(&remark) {
            signature.remarks.push(remark);
        }
    }
}

/// The signers are matched by e-mail, else by name; a list that was empty is
/// taken whole.
fn fill_signers(signers: &mut Vec<Signer>, more: Vec<Signer>) {
    if signers.is_empty() {
        *signers = more;
        return;
    }
    for other in more {
        let same = |signer: &&mut Signer| match (&signer.email, &other.email) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            _ => signer.name.is_some() && signer.name == other.name,
        };
        if let Some(signer) = signers.iter_mut().find(same) {
            signer.name = signer.name.take().or(other.name);
            signer.email = signer.email.take().or(other.email);
            signer.role = signer.role.take().or(other.role);
            signer.signed_at = signer.signed_at.or(other.signed_at);
            signer.signed = signer.signed.or(other.signed);
        }
    }
}

// The one way from a verified notification to events that may be acted upon:
// with what the provider's API knows of the document.

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
    let (provider, claims, authenticity) = verified.into_parts();
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
            (Authenticity::Body, None) => claim,
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
            Ok(said) => {
                if let SignatureEvent::Completed(more)
                | SignatureEvent::Sent(more)
                | SignatureEvent::Voided { signature: more, .. } = said
                {
                    fill(signature, more);
                }
            }
            Err(error) => not_enriched.push(error),
        }
    }
    claim
}
