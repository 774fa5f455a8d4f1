//! What `handoff validate` found, in the order in which it is shown.

use std::cmp::Ordering;

use super::sentences::tally;
use crate::audit::AuditReport;
use crate::finding::{Finding, Rule, Severity};
use crate::model::count;

/// What `handoff validate` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsReport {
    /// The files of the briefs that were checked, relative to the ledger's
    /// root, sorted.
    checked: Vec<String>,
    /// The findings, sorted by file, line and column.
    findings: Vec<Finding>,
    /// The rules that were applied, sorted by id.
    rules: Vec<&'static Rule>,
}

impl FindingsReport {
    /// In one line: `12 briefs checked, 3 errors`.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} checked, {}", count(self.checked.len(), "brief"), tally(&self.findings))
    }

    /// Brings findings into the order in which every format shows them: by
    /// file, line and column; what has no file comes last.
    #[must_use]
    pub fn new(
        mut checked: Vec<String>,
        mut findings: Vec<Finding>,
        rules: impl IntoIterator<Item = &'static Rule>,
    ) -> Self {
        checked.sort_unstable();
        checked.dedup();
        findings.sort_by(by_place);
        let mut rules: Vec<&'static Rule> = rules.into_iter().collect();
        rules.sort_unstable_by_key(|rule| rule.id);
        rules.dedup_by_key(|rule| rule.id);
        Self { checked, findings, rules }
    }

    /// The files of the briefs that were checked.
    #[must_use]
    pub fn checked(&self) -> &[String] {
        &self.checked
    }

    /// The findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The rules that were applied.
    #[must_use]
    pub fn rules(&self) -> &[&'static Rule] {
        &self.rules
    }

    /// The worst severity there is, for the exit code; `None` when there is no
    /// finding.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// By file, line, column, then worst first; findings without a file last.
pub(super) fn by_place(a: &Finding, b: &Finding) -> Ordering {
    let (in_a, in_b) = (a.place.file.as_deref(), b.place.file.as_deref());
    (in_a.is_none(), in_a)
        .cmp(&(in_b.is_none(), in_b))
        .then_with(|| (a.place.line, a.place.column).cmp(&(b.place.line, b.place.column)))
        .then_with(|| b.severity.cmp(&a.severity))
        .then_with(|| (a.rule, &a.key, &a.message).cmp(&(b.rule, &b.key, &b.message)))
}

/// The findings worst first, otherwise in the order they have.
pub(super) fn worst_first(findings: &[Finding]) -> Vec<&Finding> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    sorted
}

/// The findings of an audit, for formats that want a place in a file: what is
/// about a deal that has its handoff stands in its brief.
pub(super) fn in_briefs(report: &AuditReport) -> Vec<Finding> {
    let mut findings = report.findings.clone();
    for finding in findings.iter_mut().filter(|finding| finding.place.file.is_none()) {
        let deal = finding.key.as_ref().and_then(|key| report.deal(key.as_str()));
        if let Some(brief) =
            deal.filter(|deal| deal.class.is_covered()).and_then(|it| it.brief.as_ref())
        {
            finding.place.file = Some(format!("{brief}/brief.yaml"));
        }
    }
    findings
}

/// `file:line:column` as far as it is known, else the handoff's key.
pub(super) fn location(finding: &Finding) -> Option<String> {
    let place = &finding.place;
    let Some(file) = &place.file else {
        return finding.key.as_ref().map(ToString::to_string);
    };
    let mut location = file.clone();
    for number in [place.line, place.line.and(place.column)].into_iter().flatten() {
        location.push(':');
        location.push_str(&number.to_string());
    }
    Some(location)
}
