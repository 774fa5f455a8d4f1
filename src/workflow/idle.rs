//! The handoffs for which nothing is to be delivered, told from what is kept of
//! them: a run of `deliver` or of the timer reads the others alone.

use std::collections::BTreeMap;

use super::assign::as_given;
use super::deliveries::{Delivered, Horizon, circumstances, months_within, wanted};
use super::handoff_facts::{HandoffFacts, known_handoffs};
use super::intents::Intents;
use super::{Context, Remarks, WorkflowError, reminders};
use crate::deliver;
use crate::model::Key;

/// Those of these handoffs for which [`super::deliver`] would find nothing to
/// do, with what it would give. `keys` are those within the horizon.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn idle_deliveries(
    context: &Context,
    keys: &[Key],
    horizon: Horizon,
    dry_run: bool,
) -> Result<BTreeMap<Key, Delivered>, WorkflowError> {
    let mut idle = BTreeMap::new();
    for (key, (_, facts)) in known_handoffs(context, keys, &months_within(context, horizon)?)? {
        if !dry_run && may_have_news(context, &key, &facts)? {
            continue;
        }
        let blob = facts.brief.as_ref().and_then(|brief| brief.blob.clone());
        let plan =
            deliver::plan(&wanted(context), &facts.timeline, &circumstances(context, false, blob));
        if plan.is_idle() && !reminders::may_be_due(context, &facts) {
            let delivered = Delivered {
                key: key.clone(),
                plan,
                would: Vec::new(),
                results: Vec::new(),
                timeline: facts.timeline,
                held: None,
                remarks: Remarks::default(),
            };
            idle.insert(key, delivered);
        }
    }
    Ok(idle)
}

/// Whether a run may have died while it sent something, or the brief may name
/// another CSM than it was given to.
fn may_have_news(
    context: &Context,
    key: &Key,
    facts: &HandoffFacts,
) -> Result<bool, WorkflowError> {
    let intents = Intents::of(context, key);
    for sink in context.sinks.iter().filter(|sink| !sink.can_look_up()) {
        if intents.left(sink.as_ref())? > 0 {
            return Ok(true);
        }
    }
    let Some(brief) = facts.brief.as_ref().filter(|brief| brief.is_signed) else {
        return Ok(false);
    };
    let given = as_given(&facts.timeline);
    Ok(given.is_some_and(|given| brief.blob.as_deref() != Some(given)))
}
