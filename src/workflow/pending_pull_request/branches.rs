//! The branches of what waits, here and on the remote. Where there is a
//! remote, they live there, since people answer in the pull request.

use super::super::context::Context;
use super::super::error::WorkflowError;
use super::super::remarks::{NotPushed, Remarks};
use super::super::store::{LOCK_WAIT, stored_in};
use super::{find, is_mode};
use crate::ledger::Ledger;
use crate::model::Key;
use crate::text::shorten;

impl Context {
    /// Pushes, where there is a remote and it is wanted. What could not be
    /// pushed is said and stays committed; the next run pushes it.
    ///
    /// # Errors
    /// When the two sides have changed the same brief.
    pub fn push(&self, remarks: &mut Remarks) -> Result<(), WorkflowError> {
        self.push_branch(self.ledger.branch(), remarks)?;
        publish_all(self, remarks)
    }
}

/// Pushes the branch of a handoff that waits, and leaves it to the remote,
/// where people change it; tells whether the remote has it.
///
/// # Errors
/// When the two sides contradict each other, or the ledger cannot be written.
pub(in crate::workflow) fn publish(
    context: &Context,
    key: &Key,
    remarks: &mut Remarks,
) -> Result<bool, WorkflowError> {
    let Some(remote) = context.remote() else { return Ok(false) };
    let branch = Ledger::draft_branch(key);
    let pushed = context.push_branch(&branch, remarks)?;
    if pushed {
        context.ledger.leave_to_remote(&remote, &branch, LOCK_WAIT)?;
    }
    Ok(pushed)
}

/// Publishes every handoff that waits and has a branch in this clone.
///
/// # Errors
/// As for [`publish`].
pub(in crate::workflow) fn publish_all(
    context: &Context,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    if !is_mode(context) || context.remote().is_none() {
        return Ok(());
    }
    let snapshot = context.ledger.snapshot()?;
    for key in context.ledger.local_draft_keys()? {
        if find(context, &snapshot, &key, None)?.is_some_and(|stored| stored.branch.is_some()) {
            publish(context, &key, remarks)?;
        }
    }
    Ok(())
}

/// Brings this clone and its remote together, for a process that commits
/// without waiting for the network: `fetch` first takes over what others have
/// pushed; then what is committed here is pushed, and the branches of drafts
/// that have landed go.
///
/// # Errors
/// As for [`Context::push`]; a remote that does not answer is in the remarks.
pub fn publish_everything(
    context: &Context,
    fetch: bool,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let Some(remote) = context.remote() else { return Ok(()) };
    if fetch {
        Drafts::look(context, remarks);
    }
    context.push(remarks)?;
    if is_mode(context) || remarks.not_pushed().is_some() {
        return Ok(());
    }
    let snapshot = context.ledger.snapshot()?;
    let drafts = Drafts { context, remote: Some(remote), silent: None };
    for key in context.ledger.draft_keys()? {
        let landed = stored_in(&snapshot, &key, None)?;
        if landed.and_then(|it| it.brief).is_some_and(|brief| brief.view().is_signed()) {
            drafts.retire(&key, remarks);
        }
    }
    Ok(())
}

/// Takes over what was merged and what people wrote on the remote, where
/// signed briefs wait there. A remote that does not answer is a remark.
pub fn catch_up(context: &Context, remarks: &mut Remarks) {
    let Some(remote) = context.remote().filter(|_| is_mode(context)) else { return };
    if let Err(error) = context.ledger.catch_up(&remote, context.now) {
        remarks
            .push(format!("{remote} was not asked for news: {}", shorten(&error.to_string(), 200)));
    }
}

/// The drafts as the remote had them a moment ago.
pub(in crate::workflow) struct Drafts<'a> {
    context: &'a Context,
    remote: Option<String>,
    /// Why the remote was not asked; what is drafted now is not there.
    silent: Option<NotPushed>,
}

impl<'a> Drafts<'a> {
    /// Takes over what others have pushed: drafts, and handoffs that need not be
    /// made a second time. Without it what was fetched before counts, and a
    /// remark says so.
    pub(in crate::workflow) fn look(context: &'a Context, remarks: &mut Remarks) -> Self {
        let remote = context.remote();
        let Some(name) = remote.clone() else {
            return Self { context, remote, silent: None };
        };
        match context.ledger.catch_up(&name, context.now) {
            Ok(_) => Self { context, remote, silent: None },
            Err(error) => {
                remarks.push(format!(
                    "{name} was not asked for news: {}",
                    shorten(&error.to_string(), 200)
                ));
                let reason = shorten(&error.to_string(), 300);
                let silent = Some(NotPushed { remote: name, reason, help: error.help() });
                Self { context, remote: None, silent }
            }
        }
    }

    /// Puts what this clone has of a draft together with what the remote has.
    ///
    /// # Errors
    /// When the two contradict each other, or the ledger cannot be written.
    pub(in crate::workflow) fn combine(
        &self,
        key: &Key,
        remarks: &mut Remarks,
    ) -> Result<bool, WorkflowError> {
        if self.remote.is_some() {
            return publish(self.context, key, remarks);
        }
        if let Some(why) = &self.silent {
            remarks.not_pushed_yet(why.clone());
        }
        Ok(false)
    }

    /// Deletes the remote's branch of a draft that has landed.
    pub(in crate::workflow) fn retire(&self, key: &Key, remarks: &mut Remarks) {
        let Some(remote) = &self.remote else { return };
        let branch = Ledger::draft_branch(key);
        if let Err(error) = self.context.ledger.delete_remote_branch(remote, &branch) {
            remarks.push(format!(
                "the draft has landed, and its branch {branch} is still on {remote}: {}",
                shorten(&error.to_string(), 200)
            ));
        }
    }
}
