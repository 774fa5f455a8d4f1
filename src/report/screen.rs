//! Text and colours on a terminal or in a CI log.

use crate::finding::Severity;
use crate::text;

/// Somebody else's text for a terminal or a CI log: controls and direction
/// overrides visible, on one line, and nothing that GitHub's runner would take
/// for a workflow command (`::error::` at a line's start, `##[…]` anywhere).
pub(super) fn inert(given: &str) -> String {
    let folded = given.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = text::terminal(&folded).replace("##[", "## [");
    match shown.strip_prefix("::") {
        Some(rest) => format!(": :{rest}"),
        None => shown,
    }
}

/// Sets colours, or does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    /// Whether colours are wanted.
    pub(super) color: bool,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Bold.
    pub(super) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Gutter, arrows and rules.
    pub(super) fn frame(self, text: &str) -> String {
        self.wrap("1;34", text)
    }

    /// All is well.
    pub(super) fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// In the colour of a severity.
    pub(super) fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        self.wrap(code, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reads_as_a_workflow_command() {
        assert_eq!(inert("::error::x"), ": :error::x");
        assert_eq!(inert("a ##[stop-commands]x"), "a ## [stop-commands]x");
        assert_eq!(inert("a\r\n::error::\u{1b}[2J"), "a ::error::\\u{1b}[2J");
    }
}
