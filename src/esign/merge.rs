//! What several notifications, or a notification and the API, say of one
//! document, put together.

use super::deal_refs;
use crate::model::{DocumentId, Signature, SignatureEvent, Signer};

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
