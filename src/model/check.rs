//! What `doctor` finds when it tries a connection, a secret or a setting.

use serde::Serialize;

/// How one check of `doctor` came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckLevel {
    /// As it should be.
    Ok,
    /// Works, and may surprise.
    Warning,
    /// Does not work.
    Failed,
}

/// One thing `doctor` looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `hubspot: token`.
    pub what: String,
    /// How it came out.
    pub level: CheckLevel,
    /// What was seen.
    pub detail: String,
    /// The remedy, where there is something to fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn new(level: CheckLevel, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.into(), level, detail: detail.into(), remedy: None }
    }

    /// Something that is as it should be.
    #[must_use]
    pub fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(CheckLevel::Ok, what, detail)
    }

    /// Something that works and may surprise, with its remedy.
    #[must_use]
    pub fn warning(
        what: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { remedy, ..Self::new(CheckLevel::Warning, what, detail) }
    }

    /// Something that does not work, with its remedy.
    #[must_use]
    pub fn failed(
        what: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { remedy, ..Self::new(CheckLevel::Failed, what, detail) }
    }
}
