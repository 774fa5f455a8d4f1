//! A CRM's webhook says that a deal may have been won. That is a hint: the
//! deal as the CRM has it now decides.

use super::audit::exclusion;
use super::{Context, WorkflowError};
use crate::crm::Crm;
use crate::model::{Deal, DealId, Key, Outcome, ProviderName};
use crate::text::quoted;

/// What the CRM says of a deal that its webhook named.
#[derive(Debug, Clone, PartialEq)]
pub enum WonLook {
    /// It is won and needs a handoff.
    HandOver(Box<Deal>),
    /// It needs none, for this reason.
    Nothing(String),
}

/// Looks at a deal that the webhook of `sender` named.
///
/// # Errors
/// When the CRM cannot be asked or does not have the deal (yet), when another
/// CRM is connected than the one that spoke, or when `scope:` cannot be
/// applied to the deal.
pub async fn look_at_won(
    context: &Context,
    sender: &ProviderName,
    id: &DealId,
) -> Result<WonLook, WorkflowError> {
    let crm = connected(context, sender)?;
    let deal = crm.deal(id, None).await?;
    if deal.outcome != Outcome::Won {
        let stage = deal.stage.as_deref().map_or_else(
            || format!("{:?}", deal.outcome).to_lowercase(),
            |stage| format!("in {}", quoted(stage)),
        );
        return Ok(WonLook::Nothing(format!("it is not won: {} says it is {stage}", crm.name())));
    }
    if !crm.counts(&deal) {
        let pipeline = deal.pipeline.as_deref().map_or_else(String::new, quoted);
        return Ok(WonLook::Nothing(format!("its pipeline {pipeline} does not count")));
    }
    for id in &deal.merged_ids {
        let key = Key::for_deal(crm.name(), id)?;
        if context.stored(&key, None)?.is_some() {
            return Ok(WonLook::Nothing(format!("it was handed over before a merge, as {key}")));
        }
    }
    match exclusion(&context.config, &deal) {
        Ok(None) => Ok(WonLook::HandOver(Box::new(deal))),
        Ok(Some(reason)) => Ok(WonLook::Nothing(format!("it is out of scope: {reason}"))),
        Err(gap) => Err(WorkflowError::DoesNotFit {
            key: Key::for_deal(crm.name(), &deal.id)?,
            message: format!("{}: {}", gap.what, gap.why),
        }),
    }
}

fn connected<'a>(
    context: &'a Context,
    sender: &ProviderName,
) -> Result<&'a dyn Crm, WorkflowError> {
    let crm = context.crm.as_deref().ok_or(WorkflowError::NoCrm)?;
    if crm.name().as_str() == sender.as_str() {
        return Ok(crm);
    }
    Err(WorkflowError::OtherCrm { sender: sender.clone(), connected: crm.name().clone() })
}
