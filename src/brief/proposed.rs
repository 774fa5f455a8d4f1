//! `proposed.yaml`: what tools and language models proposed as answers, each
//! with the place that it is taken from. It goes with the proposed brief, so
//! that whoever merges it, and whoever asks a year later, can look it up.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::is_citation;
use super::model::check_version;
use crate::model::Key;
use crate::yaml;

/// The schema a `proposed.yaml` names.
pub const PROPOSED_SCHEMA: &str = "handoff/proposed/v1";

/// One proposed answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedAnswer {
    /// The field, dotted: `success.metric`.
    pub field: String,
    /// The answer.
    pub answer: Value,
    /// Where it is taken from: a recording with the minute, a page, a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cite: Option<String>,
}

impl ProposedAnswer {
    /// Where it is taken from, if that says anything.
    #[must_use]
    pub fn citation(&self) -> Option<&str> {
        self.cite.as_deref().map(str::trim).filter(|cite| is_citation(cite))
    }
}

/// What one tool proposed at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ToolProposal {
    /// The tool or language model.
    pub proposed_by: String,
    /// When.
    #[schemars(with = "String")]
    pub at: DateTime<Utc>,
    /// What it proposed.
    pub answers: Vec<ProposedAnswer>,
}

/// What was proposed for one handoff, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposals {
    /// Always `handoff/proposed/v1`.
    pub schema: String,
    /// The handoff.
    #[schemars(with = "String")]
    pub key: Key,
    /// The proposals.
    pub proposals: Vec<ToolProposal>,
}

impl Proposals {
    /// The file's name in a handoff's folder.
    pub const FILE: &'static str = "proposed.yaml";

    /// None yet.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { schema: PROPOSED_SCHEMA.to_owned(), key, proposals: Vec::new() }
    }

    /// Reads a `proposed.yaml`.
    ///
    /// # Errors
    /// When it is none; the place is that of the value at fault.
    pub fn parse(source: &[u8]) -> Result<Self, yaml::Error> {
        let file = yaml::read(source)?;
        check_version(&file, PROPOSED_SCHEMA)?;
        yaml::from_node(&file)
    }

    /// The bytes of the `proposed.yaml`.
    ///
    /// # Panics
    /// Never: it holds only texts, times and JSON values.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::write(&serde_json::to_value(self).expect("proposals are plain data"))
    }

    /// The newest proposal of this answer: to the field, or to one around it.
    #[must_use]
    pub fn find(&self, field: &str, brief: &Value) -> Option<(&ToolProposal, &ProposedAnswer)> {
        self.proposals.iter().rev().find_map(|proposal| {
            let proposed = proposal.answers.iter().find(|proposed| {
                let pointer = format!("/{}", proposed.field.replace('.', "/"));
                field
                    .strip_prefix(proposed.field.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                    && brief.pointer(&pointer) == Some(&proposed.answer)
            })?;
            Some((proposal, proposed))
        })
    }
}
