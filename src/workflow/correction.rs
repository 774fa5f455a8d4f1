//! One merge for every way by which a brief changes after it was written: what
//! people wrote stays, and what the machine wrote follows the deal.

use serde_json::Value;

use super::context::Context;
use super::store::machine_version;
use crate::brief::{Brief, ChangedAnswer, Timeline, changed_answers, kept_answers, merge};
use crate::ledger::blob_id;

/// A brief as it is now, merged with what the machine would write.
#[derive(Debug)]
pub(super) struct Correction {
    /// The merged brief, its fields in the schema's order.
    pub brief: Brief,
    /// The answers in it that people had changed; JSON pointers.
    pub kept: Vec<String>,
    /// The answers that are other ones now.
    pub changed: Vec<ChangedAnswer>,
    /// Whether anything at all differs from the brief before, answers or not.
    pub is_change: bool,
}

impl Correction {
    /// Merges the ledger's brief with the machine's new one.
    pub(super) fn of(
        context: &Context,
        timeline: &Timeline,
        before: &Brief,
        theirs: &Value,
    ) -> Self {
        let base = machine_version(context, timeline);
        let merged = merge(base.as_ref(), before.json(), theirs);
        let kept = kept_answers(base.as_ref(), before.json(), theirs, &merged);
        let brief = Brief::from_json(context.schema.in_order(&merged));
        Self {
            kept,
            changed: changed_answers(&context.schema, before.json(), brief.json()),
            is_change: before.json() != brief.json(),
            brief,
        }
    }

    /// The bytes of its `brief.yaml` in this folder, and their blob id.
    pub(super) fn file(&self, folder: &str) -> (String, String) {
        let text = self.brief.to_yaml(Context::depth(folder));
        let blob = blob_id(text.as_bytes()).to_string();
        (text, blob)
    }
}
