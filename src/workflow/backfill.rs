//! The briefs an audit found missing, made afterwards and marked as such.

use std::collections::BTreeSet;

use super::audit::exclusion;
use super::deal::DealSource;
use super::sign::{SignRequest, SignedMany, sign_many};
use super::{Context, WorkflowError};
use crate::model::{Deal, Gap, Key, Outcome, Population, Window};

/// The won deals in scope and in the window that have no handoff at the tip.
///
/// # Errors
/// When the ledger cannot be read whole, or a scope rule cannot be decided.
pub fn missing_deals(
    context: &Context,
    population: &Population,
    window: Window,
) -> Result<Vec<Deal>, WorkflowError> {
    let (folders, gaps) = context.ledger.folders(None)?.into_parts();
    if let Some(gap) = gaps.first() {
        return Err(unread(gap));
    }
    let mut known: BTreeSet<Key> = folders.into_iter().filter_map(|folder| folder.key).collect();
    let (deals, _) = population.deals.parts();
    let crms: BTreeSet<String> = deals.iter().map(|deal| format!("{}-", deal.crm)).collect();
    // A deal may have joined the handoff that its document began under another key.
    let others = known.iter().filter(|key| !crms.iter().any(|crm| key.as_str().starts_with(crm)));
    let mut joined = Vec::new();
    for key in others {
        let stored = context.stored(key, None)?;
        let deal = stored.and_then(|stored| stored.brief).and_then(|brief| brief.view().deal());
        joined.extend(deal.map(|(crm, id)| Key::for_deal(&crm, &id)).transpose()?);
    }
    known.extend(joined);
    let mut missing = Vec::new();
    for deal in deals {
        let in_window =
            deal.closed_won_at.is_none_or(|at| window.contains(at) && at <= context.now);
        if deal.outcome != Outcome::Won || !in_window {
            continue;
        }
        let ids = std::iter::once(&deal.id).chain(&deal.merged_ids);
        let keys = ids.map(|id| Key::for_deal(&deal.crm, id)).collect::<Result<Vec<_>, _>>()?;
        if keys.iter().any(|key| known.contains(key)) {
            continue;
        }
        if exclusion(&context.config, deal).map_err(|gap| unread(&gap))?.is_none() {
            missing.push(deal.clone());
        }
    }
    Ok(missing)
}

/// Makes the briefs on the CRM's word, one commit each.
///
/// # Errors
/// When the ledger cannot be written; then none is made.
pub async fn backfill(context: &Context, deals: &[Deal]) -> Result<SignedMany, WorkflowError> {
    let requests: Vec<SignRequest> = deals
        .iter()
        .map(|deal| SignRequest {
            source: DealSource::Deal(deal.id.clone()),
            received_at: None,
            backfilled: true,
        })
        .collect();
    sign_many(context, &requests).await
}

fn unread(gap: &Gap) -> WorkflowError {
    WorkflowError::Io { path: gap.what.clone(), why: gap.why.clone() }
}
