//! Problems as data: rules, severities, places. How they are shown is decided
//! in `report`; which severity fails a run is decided at the command line.

use serde::{Deserialize, Serialize};

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

/// Whether a rule looks at a brief, at its sources or at the whole ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// Checked by `handoff validate`.
    Brief,
    /// Checked by `handoff audit`.
    Audit,
    /// Checked by `handoff why --check`.
    Sources,
}

/// One rule: its id is public API.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Kebab-case, unique over the whole program.
    pub id: &'static str,
    /// Which command checks it.
    pub kind: RuleKind,
    /// The severity unless the finding says otherwise.
    pub severity: Severity,
    /// One sentence for lists.
    pub summary: &'static str,
    /// A page for `handoff explain`: why it matters, an example, how to fix
    /// it. Markdown.
    pub explain: &'static str,
}

/// How bad a finding is; ordered from least to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be looked at.
    Warning,
    /// Must be fixed.
    Error,
}

impl Severity {
    /// The lower-case word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Where a finding is: a file in the ledger, and in it a line and column,
/// both counted from 1 (columns in characters).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The file, relative to the ledger's root, `/` between folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column of the first character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// How many characters of the line are meant; for underlining.
    #[serde(skip)]
    pub width: Option<usize>,
    /// The line itself as it stands in the file; for showing.
    #[serde(skip)]
    pub source: Option<String>,
}

impl Location {
    /// A whole file.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }
}
