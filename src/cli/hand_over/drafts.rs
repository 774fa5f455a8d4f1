//! Documents that went out: a draft each, where the provider's settings say
//! so, and the request that asks the rep for what is missing. Those that were voided
//! end their drafts.

use std::collections::BTreeSet;

use super::super::invocation::Invocation;
use super::super::open::{DraftSinks, open_draft_sinks};
use super::{failed, remark, worsen};
use crate::deliver::DeliveryError;
use crate::intake::{News, Task, WorkVerdict};
use crate::model::{DocumentId, Key, Remarks, Signature, SignatureEvent};
use crate::text::{one_line, terminal};
use crate::workflow::{self, Context, DealSource, DocumentLook, WorkflowError};

/// Writes or renews the drafts of everything that went out. The same again
/// makes nothing new.
pub(super) async fn write(
    invocation: &Invocation,
    context: &Context,
    tasks: &[Task],
    verdicts: &mut [WorkVerdict],
) {
    let mut asking: Option<Result<DraftSinks, String>> = None;
    for (task, verdict) in tasks.iter().zip(verdicts) {
        let News::Signatures(events) = &task.news else { continue };
        for event in events {
            let SignatureEvent::Sent(signature) = event else { continue };
            let asking = asking.get_or_insert_with(|| open(invocation, context));
            if let Err(why) = asking {
                // The draft itself is of use without the request.
                worsen(verdict, WorkVerdict::Again(why.clone()));
            }
            let nothing = DraftSinks::default();
            let sinks = asking.as_ref().unwrap_or(&nothing);
            if let Err(found) = draft(context, task, signature, sinks).await {
                worsen(verdict, found);
            }
        }
    }
}

/// Ends the drafts of documents that were voided; gives these documents.
pub(super) async fn withdraw(
    invocation: &Invocation,
    context: &Context,
    tasks: &[Task],
    verdicts: &mut [WorkVerdict],
) -> BTreeSet<DocumentId> {
    let mut documents = BTreeSet::new();
    for (task, verdict) in tasks.iter().zip(verdicts) {
        let News::Signatures(events) = &task.news else { continue };
        for event in events {
            let SignatureEvent::Voided { signature, what } = event else { continue };
            let mut remarks = Remarks::default();
            let keys = workflow::withdraw_drafts(context, signature, what, &mut remarks);
            let keys = keys.unwrap_or_else(|error| {
                worsen(verdict, failed(&error));
                Vec::new()
            });
            remark(keys.first(), &remarks);
            for key in keys {
                documents.insert(signature.document_id.clone());
                let what = terminal(what);
                tracing::info!(key = key.as_str(), what, "a draft whose document was voided ends");
                say_withdrawn(invocation, context, &key).await;
            }
        }
    }
    documents
}

/// The draft is ended; that its request goes on asking is only said.
async fn say_withdrawn(invocation: &Invocation, context: &Context, key: &Key) {
    let why = match open(invocation, context) {
        Ok(DraftSinks { asking: Some(asking), .. }) => {
            match workflow::say_withdrawn(context, key, asking.as_ref()).await {
                Ok(None | Some(Ok(_))) => return,
                Ok(Some(Err(error))) => error.to_string(),
                Err(error) => error.to_string(),
            }
        }
        Ok(_) => return,
        Err(why) => why,
    };
    let why = terminal(&why);
    tracing::warn!(key = key.as_str(), why, "the request of the draft does not say that it ended");
}

/// Leaves drafts for later: the ledger's remote does not answer.
pub(super) fn wait(context: &Context, tasks: &[Task], verdicts: &mut [WorkVerdict]) {
    let waits = |event: &SignatureEvent| match event {
        SignatureEvent::Sent(_) => true,
        SignatureEvent::Voided { signature, .. } => {
            workflow::drafts_of(context, signature).is_ok_and(|keys| !keys.is_empty())
        }
        _ => false,
    };
    for (task, verdict) in tasks.iter().zip(verdicts) {
        let News::Signatures(events) = &task.news else { continue };
        if events.iter().any(waits) {
            worsen(verdict, WorkVerdict::Again("the ledger's remote does not answer".to_owned()));
        }
    }
}

/// What asks; without a push there is no branch to ask on.
fn open(invocation: &Invocation, context: &Context) -> Result<DraftSinks, String> {
    if !context.push {
        return Ok(DraftSinks::default());
    }
    open_draft_sinks(invocation, context).map_err(|error| one_line(&error.render(false)))
}

/// A draft where the document counts. One of which nothing decides what it is
/// gets none: it is decided when it is signed.
async fn draft(
    context: &Context,
    task: &Task,
    signature: &Signature,
    sinks: &DraftSinks,
) -> Result<(), WorkVerdict> {
    let look = workflow::look_at_document(context, signature, task.decided, task.received_at);
    let why = match look.await {
        Ok(DocumentLook::HandOver(_)) => None,
        Ok(DocumentLook::Ignored(why)) => Some(why),
        Ok(DocumentLook::Held { reason, .. }) => Some(reason),
        Err(error) => return Err(failed(&error)),
    };
    if let Some(why) = why {
        let document = terminal(signature.document_id.as_str());
        let why = terminal(&why);
        tracing::info!(provider = %signature.provider, document, why, "no draft");
        return Err(WorkVerdict::Ignored(format!("no draft of document {document}: {why}")));
    }
    let source = DealSource::Signature(Box::new(signature.clone()));
    let (asking, telling) = (sinks.asking.as_deref(), &sinks.telling);
    let drafted = match workflow::draft(context, source, None, asking, telling).await {
        Ok(drafted) => drafted,
        // It was signed before this was processed.
        Err(WorkflowError::DoesNotFit { key, message }) => {
            tracing::info!(key = key.as_str(), why = terminal(&message), "no draft");
            return Ok(());
        }
        Err(error @ WorkflowError::OutOfScope { .. }) => {
            tracing::info!(why = terminal(&error.to_string()), "no draft");
            return Ok(());
        }
        Err(error) => return Err(failed(&error)),
    };
    let key = drafted.key.as_str();
    tracing::info!(
        key,
        branch = terminal(&drafted.branch),
        created = drafted.created,
        missing = drafted.missing.len(),
        "drafted"
    );
    remark(Some(&drafted.key), &drafted.remarks);
    match drafted.request {
        None => Ok(()),
        Some(Ok(mark)) => {
            tracing::info!(key, reference = terminal(&mark.reference), "the rep is asked");
            Ok(())
        }
        Some(Err(DeliveryError::Permanent { message, help })) => Err(WorkVerdict::Never(format!(
            "the draft {key} is written, and nobody is asked: {message}; {help}"
        ))),
        Some(Err(error)) => Err(WorkVerdict::Again(format!(
            "the draft {key} is written, and nobody is asked yet: {error}"
        ))),
    }
}
