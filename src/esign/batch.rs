//! Several notifications in one request, of which some say the same.

use crate::model::{DocumentId, Signature, SignatureEvent};

/// Leaves one event for each document and kind; what a later one knows and the
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
            ) => super::enrich::fill(first, more),
            (Some(_), _) => {}
            (None, event) => kept.push(event),
        }
    }
    kept
}

/// The signature an event is about.
#[must_use]
pub(super) fn signature(event: &SignatureEvent) -> Option<&Signature> {
    match event {
        SignatureEvent::Completed(signature)
        | SignatureEvent::Sent(signature)
        | SignatureEvent::Voided { signature, .. } => Some(signature),
        SignatureEvent::Ignored { .. } => None,
    }
}

fn document_id(event: &SignatureEvent) -> Option<&DocumentId> {
    signature(event).map(|signature| &signature.document_id)
}
