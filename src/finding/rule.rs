//! What a rule is. Each room lists its own rules in one table.

use super::Severity;

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
