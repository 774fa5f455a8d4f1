//! The rules for briefs: one file each, one line in the table here, one page
//! in `docs/rules`, one fixture folder in `tests/fixtures/brief`.

mod broken_timeline;
mod commitment_without_owner;
mod duplicate_brief;
mod first_action_too_late;
mod misfiled_brief;
mod one_person_every_role;
mod owner_not_in_team;
mod placeholder_answer;
mod schema_violation;
mod stale_rendering;
mod subject;
mod unanswered_question;
mod unknown_overdue;
mod vague_first_action;

use chrono::{DateTime, Utc};

pub use owner_not_in_team::{Member, Team};
pub use subject::{FolderSummary, HandoffFiles, Refused};

use super::{Brief, RenderError, RenderInput, Renderer, Schema};
use crate::finding::{Finding, Rule};
use subject::{Checked, Subject};

/// How a rule looks: at one brief that could be read, at one folder whatever
/// is in it, or at all folders together.
enum Check {
    Brief(fn(&Subject<'_>, &mut Vec<Finding>)),
    Folder(fn(&Checked<'_>, &mut Vec<Finding>)),
    Ledger(fn(&[FolderSummary], &mut Vec<Finding>)),
}

/// Every rule and how it looks: one line each, sorted by id.
const TABLE: [(&Rule, Check); 13] = [
    (&broken_timeline::RULE, Check::Folder(broken_timeline::check)),
    (&commitment_without_owner::RULE, Check::Brief(commitment_without_owner::check)),
    (&duplicate_brief::RULE, Check::Ledger(duplicate_brief::check)),
    (&first_action_too_late::RULE, Check::Brief(first_action_too_late::check)),
    (&misfiled_brief::RULE, Check::Folder(misfiled_brief::check)),
    (&one_person_every_role::RULE, Check::Brief(one_person_every_role::check)),
    (&owner_not_in_team::RULE, Check::Brief(owner_not_in_team::check)),
    (&placeholder_answer::RULE, Check::Brief(placeholder_answer::check)),
    (&schema_violation::RULE, Check::Folder(schema_violation::check)),
    (&stale_rendering::RULE, Check::Brief(stale_rendering::check)),
    (&unanswered_question::RULE, Check::Brief(unanswered_question::check)),
    (&unknown_overdue::RULE, Check::Brief(unknown_overdue::check)),
    (&vague_first_action::RULE, Check::Brief(vague_first_action::check)),
];

/// The rules for briefs, sorted by id.
#[must_use]
pub fn brief_rules() -> Vec<&'static Rule> {
    TABLE.iter().map(|(rule, _)| *rule).collect()
}

/// From the signature to the last moment for the first touch.
pub type FirstTouchLimit<'a> = dyn Fn(DateTime<Utc>) -> DateTime<Utc> + Sync + 'a;

/// What the rules need to know besides the files.
#[derive(Clone, Copy)]
pub struct CheckContext<'a> {
    /// The ledger's schema.
    pub schema: &'a Schema,
    /// The ledger's template.
    pub renderer: &'a Renderer,
    /// The CSMs; with an empty team nobody is outside of it.
    pub team: &'a Team,
    /// The time of the check.
    pub now: DateTime<Utc>,
    /// When the first touch is due; `None` when nothing is configured.
    pub first_touch: Option<&'a FirstTouchLimit<'a>>,
    /// How folders are named by time, such as `%Y/%m`; `None` when any will do.
    pub layout: Option<&'a str>,
}

/// What checking one handoff gives.
#[derive(Debug, Clone)]
pub struct HandoffCheck {
    /// The findings, in the order of the files.
    pub findings: Vec<Finding>,
    /// What [`check_ledger`] needs of it.
    pub summary: FolderSummary,
}

/// Checks one handoff's folder with every rule that looks at one folder.
#[must_use]
pub fn check_handoff(files: &HandoffFiles<'_>, context: &CheckContext<'_>) -> HandoffCheck {
    let checked = Checked::of(files, context);
    let subject = checked.subject();
    let mut findings = Vec::new();
    for (_, check) in &TABLE {
        match check {
            Check::Brief(check) => {
                if let Some(subject) = &subject {
                    check(subject, &mut findings);
                }
            }
            Check::Folder(check) => check(&checked, &mut findings),
            Check::Ledger(_) => {}
        }
    }
    sort(&mut findings);
    HandoffCheck { findings, summary: checked.summary() }
}

/// Checks what only shows when all handoffs are seen together.
#[must_use]
pub fn check_ledger(folders: &[FolderSummary]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, check) in &TABLE {
        if let Check::Ledger(check) = check {
            check(folders, &mut findings);
        }
    }
    sort(&mut findings);
    findings
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let place = |finding: &Finding| {
            (finding.place.file.clone(), finding.place.line, finding.place.column, finding.rule)
        };
        place(a).cmp(&place(b)).then_with(|| a.message.cmp(&b.message))
    });
}

/// A change that loses nothing, for `validate --fix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The file, relative to the ledger's root.
    pub file: String,
    /// Its new text.
    pub contents: String,
    /// The rule whose finding it fixes.
    pub rule: &'static str,
}

/// The safe fixes of one handoff: README.md rendered again where it is not
/// what its brief gives. Nothing that anybody wrote is touched.
///
/// # Errors
/// When the ledger's own template fails with this brief.
pub fn fixes(
    files: &HandoffFiles<'_>,
    context: &CheckContext<'_>,
) -> Result<Vec<Fix>, RenderError> {
    let Some(Ok(brief)) = files.brief.map(Brief::parse) else { return Ok(Vec::new()) };
    let page = context.renderer.readme(&RenderInput { brief: &brief, schema: context.schema })?;
    if stale_rendering::is_same(files.readme, &page) {
        return Ok(Vec::new());
    }
    let file = format!("{}/README.md", files.folder);
    if files.refused.iter().any(|refused| refused.path == file) {
        return Ok(Vec::new());
    }
    Ok(vec![Fix { file, contents: page, rule: stale_rendering::RULE.id }])
}
