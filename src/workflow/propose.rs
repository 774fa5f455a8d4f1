//! What a tool or language model would answer, as a branch for people to look
//! at: with one citation an answer, and nothing answered until somebody merges.

use serde_json::Value;

use super::context::{Context, WorkflowError};
use super::store::{LOCK_WAIT, Stored, commit};
use crate::brief::{
    Brief, Proposals, ProposedAnswer, ToolProposal, is_blank, is_placeholder, put_answer, question,
    violation,
};
use crate::deliver::BranchRequest;
use crate::ledger::{Change, blob_id};
use crate::model::{Key, ObjectId, Remarks};
use crate::text::{code, markdown, one_line, quoted, shorten};

/// The most answers of one proposal.
const MOST: usize = 100;

/// What became of a proposal.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The handoff.
    pub key: Key,
    /// Its folder.
    pub path: String,
    /// The branch that has the proposal.
    pub branch: String,
    /// The commit; `None` where the same was proposed before.
    pub commit: Option<ObjectId>,
    /// Whether the remote has the branch; `None` where there is no remote.
    pub pushed: Option<bool>,
    /// The pull request to open.
    pub request: BranchRequest,
    /// What a person should know.
    pub remarks: Remarks,
}

/// Proposes answers to what a brief does not answer: on a branch of its own,
/// which is pushed where there is a remote. The ledger's branch stays as it
/// is. The same proposal again makes nothing new.
///
/// # Errors
/// When there is no such handoff, an answer has no citation, does not fit the
/// schema or is answered already, or the ledger cannot be written.
pub fn propose(
    context: &Context,
    key: &Key,
    by: &str,
    answers: &[ProposedAnswer],
) -> Result<Proposed, WorkflowError> {
    let no = |message: String| WorkflowError::NotAllowed {
        key: key.clone(),
        message,
        help: format!(
            "propose what the brief lacks, each answer with its citation (docs/answers.md shows a file); `handoff why {key}` shows what is answered"
        ),
    };
    let by = shorten(&one_line(by.trim()), 100);
    if by.is_empty() {
        return Err(no("a proposal names the tool that makes it".to_owned()));
    }
    if answers.is_empty() || answers.len() > MOST {
        return Err(no(format!("a proposal has 1 to {MOST} answers, and not {}", answers.len())));
    }
    let mut remarks = Remarks::default();
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let snapshot = writer.snapshot()?;
    let stored = super::store::stored_in(&snapshot, key, None)?;
    let Some(Stored { folder, brief: Some(brief), confirmed, .. }) = stored else {
        return Err(match context.ledger.draft_keys()?.contains(key) {
            true => no("it waits in a pull request of its own; its answers go there".to_owned()),
            false => WorkflowError::NoHandoff(key.clone()),
        });
    };
    let mut json = brief.json().clone();
    let mut kept = Vec::with_capacity(answers.len());
    for proposed in answers {
        let answer = checked(context, brief.json(), &mut json, proposed).map_err(no)?;
        kept.push(answer);
    }
    let path = format!("{folder}/{}", Proposals::FILE);
    let mut proposals = match snapshot.read(&path)? {
        Some(bytes) => Proposals::parse(&bytes)
            .map_err(|error| WorkflowError::File { file: path.clone(), error })?,
        None => Proposals::new(key.clone()),
    };
    let told = serde_json::to_vec(&(&by, &kept)).expect("answers are plain data");
    let branch = format!("proposal/{key}/{}", &blob_id(&told).to_string()[..10]);
    let brief = Brief::from_json(context.schema.in_order(&json));
    let customer = brief.view().title().unwrap_or("customer").to_owned();
    let request = BranchRequest {
        key: key.clone(),
        branch: branch.clone(),
        title: format!("Proposed answers: {} ({key})", shorten(&one_line(&customer), 60)),
        body: body(context, &by, &kept),
    };
    let mut made = None;
    if context.ledger.snapshot_of_branch(&branch)?.is_none() {
        proposals.proposals.push(ToolProposal {
            proposed_by: by.clone(),
            at: context.now,
            answers: kept,
        });
        let change = Change::of_handoff(&folder, &customer, key, context.now)
            .trailer("Handoff-Proposed-By", by)
            .put(Proposals::FILE, proposals.to_yaml())
            .put("README.md", context.render(&brief, &confirmed)?)
            .put("brief.yaml", brief.to_yaml(Context::depth(&folder)));
        made = commit(&mut writer, Some(&branch), &change, &mut remarks)?;
    }
    drop(writer);
    let mut pushed = None;
    if let Some(remote) = context.remote() {
        let done = context.push_branch(&branch, &mut remarks)?;
        if done {
            context.ledger.leave_to_remote(&remote, &branch, LOCK_WAIT)?;
        }
        pushed = Some(done);
    }
    Ok(Proposed { key: key.clone(), path: folder, branch, commit: made, pushed, request, remarks })
}

/// A proposed answer put into the brief, if it may be proposed.
fn checked(
    context: &Context,
    before: &Value,
    json: &mut Value,
    proposed: &ProposedAnswer,
) -> Result<ProposedAnswer, String> {
    let field = proposed.field.trim();
    let named = quoted(field);
    let pointer = format!("/{}", field.replace('.', "/"));
    let Some(cite) = proposed.citation() else {
        return Err(format!(
            "{named} has no citation; say where the answer is taken from, in words that somebody can look up"
        ));
    };
    let outline = context.schema.outline();
    let section = pointer.split('/').nth(1).unwrap_or_default();
    let asked = outline.field(&format!("/{section}")).and_then(|section| section.question);
    let is_known = pointer.matches('/').count() > 1 || section == "commitments";
    if asked.is_none() && section != "context" || outline.field(&pointer).is_none() || !is_known {
        return Err(format!("the ledger's schema asks for no answer {named}"));
    }
    if pointer.starts_with("/first_action/owner") || pointer.starts_with("/first_action/due") {
        return Err(format!("{named} is set by handoff.yaml and cannot be proposed"));
    }
    let is_open = match before.pointer(&pointer) {
        None | Some(Value::Null) => true,
        Some(value @ Value::String(text)) => is_blank(value) || is_placeholder(text),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(fields)) => fields.is_empty() || fields.contains_key("unknown"),
        Some(_) => false,
    };
    if !is_open {
        return Err(format!(
            "{named} is answered already, and a proposal cannot replace an answer"
        ));
    }
    let answers_nothing = match &proposed.answer {
        Value::Null => true,
        value @ Value::String(text) => is_blank(value) || is_placeholder(text),
        Value::Object(fields) => fields.contains_key("unknown"),
        _ => false,
    };
    if answers_nothing {
        return Err(format!("the proposal for {named} answers nothing"));
    }
    let at_fault = |why: String| format!("{named}: {why}");
    put_answer(json, &pointer, proposed.answer.clone()).map_err(at_fault)?;
    if let Some(why) = violation(&context.schema, json, &pointer) {
        return Err(at_fault(why));
    }
    Ok(ProposedAnswer {
        field: field.to_owned(),
        answer: proposed.answer.clone(),
        cite: Some(shorten(&one_line(cite), 1_000)),
    })
}

/// The pull request's text: one line an answer, with its citation.
fn body(context: &Context, by: &str, answers: &[ProposedAnswer]) -> String {
    let mut text = format!(
        "Proposed by {}. Nothing here is an answer yet: look up each citation, correct or remove what is wrong, and merge. Whoever merges confirms.\n",
        markdown(by)
    );
    for answer in answers {
        let section = answer.field.split('.').next().unwrap_or_default();
        let asked = context.schema.outline().field(&format!("/{section}"));
        let asked =
            asked.and_then(|section| question(section.question?)).unwrap_or("What else helps");
        let said = match &answer.answer {
            Value::String(text) => one_line(text),
            other => one_line(&other.to_string()),
        };
        text.push_str(&format!(
            "\n- [ ] **{asked}** {}: {}\n  - taken from: {}\n",
            code(&answer.field),
            markdown(&shorten(&said, 1_000)),
            markdown(answer.citation().unwrap_or_default())
        ));
    }
    text
}
