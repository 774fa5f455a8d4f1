//! Which documents the ledger has handed over.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Context, Horizon, WorkflowError, keys_within};
use crate::brief::EventKind;
use crate::model::{DocumentId, Evidence, Gap, ProviderName};

/// The documents of the handoffs in the months from `since` on, and what could
/// not be read.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn documents_within(
    context: &Context,
    since: DateTime<Utc>,
) -> Result<Evidence<(ProviderName, DocumentId)>, WorkflowError> {
    let (keys, mut gaps) = keys_within(context, Horizon { since })?;
    let mut documents = BTreeSet::new();
    for key in keys {
        let stored = match context.stored(&key, None) {
            Ok(Some(stored)) => stored,
            Ok(None) => continue,
            Err(error) => {
                gaps.push(Gap {
                    what: format!("the handoff {key}"),
                    why: error.to_string(),
                    help: None,
                });
                continue;
            }
        };
        for event in stored.timeline.events {
            if matches!(event.event, EventKind::Signed | EventKind::Backfilled)
                && let Some(document) = event.reference
            {
                documents.insert((ProviderName::new(event.via), DocumentId::new(document)));
            }
        }
    }
    Ok(Evidence::new(documents.into_iter().collect(), gaps))
}
