//! Problems as data: rules, severities, places. How they are shown is decided
//! in `report`; which severity fails a run is decided at the command line.

mod location;
mod rule;
mod severity;

pub use location::Location;
pub use rule::{Rule, RuleKind};
pub use severity::Severity;

use serde::Serialize;

use crate::model::Key;

/// One problem: rule, severity, message, place, help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id, kebab-case; public API.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, a full sentence without the customer's markup.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The handoff it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Where it is.
    #[serde(flatten)]
    pub place: Location,
    /// Which of the seven questions it is about, 1 to 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<u8>,
}

impl Finding {
    /// A finding of this rule with the rule's own severity.
    #[must_use]
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self {
            rule: rule.id,
            severity: rule.severity,
            message: message.into(),
            help: None,
            key: None,
            place: Location::default(),
            question: None,
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names the handoff.
    #[must_use]
    pub fn key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, place: Location) -> Self {
        self.place = place;
        self
    }

    /// Names the question, 1 to 7.
    #[must_use]
    pub fn question(mut self, question: u8) -> Self {
        debug_assert!((1..=7).contains(&question), "there are seven questions");
        self.question = Some(question);
        self
    }

    /// Changes the severity from the rule's own.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
