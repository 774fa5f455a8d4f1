//! A document was voided, declined or deleted.

use super::append::append;
use super::deal::references;
use super::{Context, Remarks, WorkflowError};
use crate::brief::{Event, EventKind};
use crate::model::{Key, Signature};
use crate::text::{one_line, shorten};

/// Records in the timelines of its handoffs that a document was voided or
/// declined; gives their keys. None where no handoff is about this document,
/// or it is recorded already. Other documents of the same deal stay as they are.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn record_voided(
    context: &Context,
    signature: &Signature,
    what: &str,
    remarks: &mut Remarks,
) -> Result<Vec<Key>, WorkflowError> {
    let crm = context.crm.as_deref();
    let mut keys = Vec::new();
    for reference in references(signature, crm, &mut Vec::new()) {
        let name = crm.map(|crm| crm.name().clone()).or(reference.crm);
        let Some(key) = name.and_then(|name| Key::for_deal(&name, &reference.id).ok()) else {
            continue;
        };
        keys.extend(Key::for_renewal(&key, &signature.document_id).ok());
        keys.push(key);
    }
    keys.extend(Key::for_document(&signature.provider, &signature.document_id).ok());
    let (provider, document) = (signature.provider.as_str(), signature.document_id.as_str());
    let mut recorded = Vec::new();
    for key in keys {
        let Some(stored) = context.stored(&key, None)? else { continue };
        let about =
            |event: &&Event| event.via == provider && event.reference.as_deref() == Some(document);
        let mut events = stored.timeline.events.iter().filter(about).peekable();
        // A deal may have several documents; that an older offer was declined says nothing of the one that was signed.
        if events.peek().is_none() || events.any(|event| event.event == EventKind::Voided) {
            continue;
        }
        let mut event = Event::new(context.now, EventKind::Voided, provider);
        event.reference = Some(document.to_owned());
        event.reason = Some(shorten(&one_line(what), 200));
        append(context, &key, &stored.folder, vec![event], remarks)?;
        recorded.push(key);
    }
    Ok(recorded)
}
