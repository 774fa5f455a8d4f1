//! The rules for briefs: a function each, beside those that judge the same
//! thing; one line in the table here, one page in `docs/rules`, one fixture folder
//! in `tests/fixtures/brief`.

mod answers;
mod files;
mod first_action;
mod subject;

use chrono::{DateTime, Utc};

pub use first_action::{NamedMember, TeamNames};
pub use subject::{CheckedFolder, FolderSummary, Refused};

use super::{Brief, RenderError, RenderInput, Renderer, Schema};
use crate::finding::{Finding, Rule};
use files::{BROKEN_SOURCES, STALE_RENDERING};
use subject::{Checked, Subject};

/// How a rule looks: at one brief that could be read, at one folder whatever
/// is in it, or at all folders together.
enum BriefCheck {
    Brief(fn(&Subject<'_>, &mut Vec<Finding>)),
    Folder(fn(&Checked<'_>, &mut Vec<Finding>)),
    Ledger(fn(&[FolderSummary], &mut Vec<Finding>)),
}

/// Every rule and how it looks: one line each, sorted by id.
const TABLE: [(&Rule, BriefCheck); 15] = [
    (&files::BROKEN_SOURCES, BriefCheck::Folder(files::broken_sources)),
    (&files::BROKEN_TIMELINE, BriefCheck::Folder(files::broken_timeline)),
    (&answers::COMMITMENT_WITHOUT_OWNER, BriefCheck::Brief(answers::commitment_without_owner)),
    (&files::DUPLICATE_BRIEF, BriefCheck::Ledger(files::duplicate_brief)),
    (&first_action::FIRST_ACTION_TOO_LATE, BriefCheck::Brief(first_action::first_action_too_late)),
    (&files::MISFILED_BRIEF, BriefCheck::Folder(files::misfiled_brief)),
    (&answers::ONE_PERSON_EVERY_ROLE, BriefCheck::Brief(answers::one_person_every_role)),
    (&first_action::OWNER_NOT_IN_TEAM, BriefCheck::Brief(first_action::owner_not_in_team)),
    (&answers::PLACEHOLDER_ANSWER, BriefCheck::Brief(answers::placeholder_answer)),
    (&files::SCHEMA_VIOLATION, BriefCheck::Folder(files::schema_violation)),
    (&files::STALE_RENDERING, BriefCheck::Brief(files::stale_rendering)),
    (&answers::UNANSWERED_QUESTION, BriefCheck::Brief(answers::unanswered_question)),
    (&answers::UNCITED_PROPOSAL, BriefCheck::Folder(answers::uncited_proposal)),
    (&answers::UNKNOWN_OVERDUE, BriefCheck::Brief(answers::unknown_overdue)),
    (&first_action::VAGUE_FIRST_ACTION, BriefCheck::Brief(first_action::vague_first_action)),
];

/// The rules for briefs, sorted by id.
#[must_use]
pub fn brief_rules() -> Vec<&'static Rule> {
    TABLE.iter().map(|(rule, _)| *rule).collect()
}

/// From the signature to the last moment for the first touch.
pub type FirstTouchDeadline<'a> = dyn Fn(DateTime<Utc>) -> DateTime<Utc> + Sync + 'a;

/// What the rules need to know besides the files.
#[derive(Clone, Copy)]
pub struct CheckContext<'a> {
    /// The ledger's schema.
    pub schema: &'a Schema,
    /// The ledger's template.
    pub renderer: &'a Renderer,
    /// The CSMs; with an empty team nobody is outside of it.
    pub team: &'a TeamNames,
    /// The time of the check.
    pub now: DateTime<Utc>,
    /// When the first touch is due; `None` when nothing is configured.
    pub first_touch: Option<&'a FirstTouchDeadline<'a>>,
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
    /// Whether README.md is what brief.yaml gives, and sources.yaml what handoff wrote.
    pub is_as_written: bool,
}

/// Checks one handoff's folder with every rule that looks at one folder.
#[must_use]
pub fn check_handoff(files: &CheckedFolder<'_>, context: &CheckContext<'_>) -> HandoffCheck {
    check_again(files, context, false)
}

/// As [`check_handoff`]; README.md is not rendered again and sources.yaml not read
/// again where an earlier check of the same files found both as they were written.
#[must_use]
pub fn check_again(
    files: &CheckedFolder<'_>,
    context: &CheckContext<'_>,
    is_as_written: bool,
) -> HandoffCheck {
    let checked = Checked { is_as_written, ..Checked::of(files, context) };
    let subject = checked.subject();
    let mut findings = Vec::new();
    for (_, check) in &TABLE {
        match check {
            BriefCheck::Brief(check) => {
                if let Some(subject) = &subject {
                    check(subject, &mut findings);
                }
            }
            BriefCheck::Folder(check) => check(&checked, &mut findings),
            BriefCheck::Ledger(_) => {}
        }
    }
    sort(&mut findings);
    let of_machine = [STALE_RENDERING.id, BROKEN_SOURCES.id];
    let is_other = findings.iter().any(|finding| of_machine.contains(&finding.rule));
    // What is refused is not looked at.
    let is_as_written = subject.is_some() && files.refused.is_empty() && !is_other;
    HandoffCheck { findings, summary: checked.summary(), is_as_written }
}

/// Checks what only shows when all handoffs are seen together.
#[must_use]
pub fn check_ledger(folders: &[FolderSummary]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, check) in &TABLE {
        if let BriefCheck::Ledger(check) = check {
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
    files: &CheckedFolder<'_>,
    context: &CheckContext<'_>,
) -> Result<Vec<Fix>, RenderError> {
    let Some(Ok(brief)) = files.brief.map(Brief::parse) else { return Ok(Vec::new()) };
    let confirmed = &files.confirmed();
    let input = RenderInput { brief: &brief, schema: context.schema, confirmed };
    let page = context.renderer.readme(&input)?;
    if files::is_same(files.readme, &page) {
        return Ok(Vec::new());
    }
    let file = format!("{}/README.md", files.folder);
    if files.refused.iter().any(|refused| refused.path == file) {
        return Ok(Vec::new());
    }
    Ok(vec![Fix { file, contents: page, rule: files::STALE_RENDERING.id }])
}
