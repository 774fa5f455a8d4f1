//! What is to be handed over of the tasks that are due: completed documents,
//! and deals that the CRM confirms as won.

use super::{failed, worsen};
use crate::crm::CrmError;
use crate::intake::{News, Task, WorkVerdict};
use crate::model::{Deal, DealId, Key, ProviderName, Signature, SignatureEvent};
use crate::text::{quoted, terminal};
use crate::workflow::{
    self, Context, DealSource, DocumentLook, Found, SignRequest, WonLook, WorkflowError,
};

/// A request, and the place of the task it comes from.
pub(super) type Owned = (usize, SignRequest);

/// Everything that is to be handed over now, and the handoffs whose deals were
/// read again and had changed. A task whose deal could not be looked at gets
/// its verdict here.
pub(super) async fn collect(
    context: &Context,
    tasks: &[Task],
    verdicts: &mut [WorkVerdict],
) -> (Vec<Owned>, Vec<Key>) {
    let (mut requests, mut refreshed) = (Vec::new(), Vec::new());
    for (index, task) in tasks.iter().enumerate() {
        let mut add = |source| {
            let received_at = Some(task.received_at);
            requests.push((index, SignRequest { source, received_at, backfilled: false }));
        };
        match &task.news {
            News::Signatures(events) => {
                let completed =
                    |event: &&SignatureEvent| matches!(event, SignatureEvent::Completed(_));
                let is_alone = events.iter().filter(completed).count() == 1;
                for event in events {
                    let signature = match event {
                        SignatureEvent::Completed(signature) => signature,
                        SignatureEvent::Ignored { what } => {
                            worsen(&mut verdicts[index], WorkVerdict::Ignored(what.clone()));
                            continue;
                        }
                        SignatureEvent::Sent(_) | SignatureEvent::Voided { .. } => continue,
                    };
                    match look(context, task, signature, is_alone).await {
                        Ok(all) => all.into_iter().for_each(|it| add(DealSource::Found(it))),
                        Err(verdict) => worsen(&mut verdicts[index], verdict),
                    }
                }
            }
            News::Deals(told) => {
                for id in told.deals.iter().chain(&told.changed) {
                    match again(context, &task.provider, id).await {
                        Ok(Some(key)) => {
                            refreshed.extend(key);
                            continue;
                        }
                        Ok(None) if told.changed.contains(id) => continue,
                        Ok(None) => {}
                        Err(verdict) => {
                            worsen(&mut verdicts[index], verdict);
                            continue;
                        }
                    }
                    match won(context, &task.provider, id).await {
                        Ok(deal) => add(DealSource::Read(deal)),
                        Err(verdict) => worsen(&mut verdicts[index], verdict),
                    }
                }
            }
        }
    }
    (requests, refreshed)
}

/// Reads the deal of a handoff again; nothing where it was not handed over. The
/// key comes with it where something was written.
async fn again(
    context: &Context,
    sender: &ProviderName,
    id: &DealId,
) -> Result<Option<Option<Key>>, WorkVerdict> {
    let refreshed = workflow::refresh_deal(context, sender, id).await;
    let Some(refreshed) = refreshed.map_err(|error| failed(&error))? else { return Ok(None) };
    super::say_refreshed(&refreshed);
    Ok(Some(refreshed.commit.map(|_| refreshed.key)))
}

/// The document with its deals, where it is to be handed over. What a person said
/// of a delivery is about what was held of it: where it has several documents, those
/// that are decided without it stay what they are.
async fn look(
    context: &Context,
    task: &Task,
    signature: &Signature,
    is_alone: bool,
) -> Result<Vec<Box<Found>>, WorkVerdict> {
    let at = task.received_at;
    let first = task.decided.filter(|_| is_alone);
    let mut look = workflow::look_at_document(context, signature, first, at).await;
    if matches!(look, Ok(DocumentLook::Held { .. })) && first != task.decided {
        look = workflow::look_at_document(context, signature, task.decided, at).await;
    }
    match look {
        Ok(DocumentLook::HandOver(all)) => Ok(all.into_iter().map(Box::new).collect()),
        Ok(DocumentLook::Ignored(why)) => {
            let document = terminal(signature.document_id.as_str());
            let why = terminal(&why);
            tracing::info!(provider = %signature.provider, document, why, "ignored");
            Err(WorkVerdict::Ignored(format!("document {document}: {why}")))
        }
        Ok(DocumentLook::Held { reason, may_pass: true, .. }) => Err(WorkVerdict::Again(reason)),
        Ok(DocumentLook::Held { reason, deals, may_pass: false }) => {
            let document = Some(signature.document_id.clone());
            let name = signature.document_name.as_deref().filter(|_| !is_alone);
            let reason = match name {
                Some(name) => format!("{}: {reason}", quoted(name)),
                None => reason,
            };
            Err(WorkVerdict::Held { reason, deals, document })
        }
        Err(error) => Err(failed(&error)),
    }
}

/// The deal, if it is won and needs a handoff. One that the CRM does not show
/// may not be visible yet: it is looked for again.
async fn won(
    context: &Context,
    sender: &ProviderName,
    id: &DealId,
) -> Result<Box<Deal>, WorkVerdict> {
    match workflow::look_at_won(context, sender, id).await {
        Ok(WonLook::HandOver(deal)) => Ok(deal),
        Ok(WonLook::Nothing(why)) => {
            let (deal, why) = (terminal(id.as_str()), terminal(&why));
            tracing::info!(provider = %sender, deal, why, "nothing to hand over");
            Err(WorkVerdict::Ignored(format!("deal {deal}: {why}")))
        }
        Err(error @ WorkflowError::Crm(CrmError::NotFound { .. })) => {
            Err(WorkVerdict::Again(error.to_string()))
        }
        Err(error) => Err(failed(&error)),
    }
}
