//! What waits in a pull request: drafts, and signed handoffs whose task is a
//! pull request, each on a branch of its own until somebody merges it. And the
//! remote, which is where a handoff counts.

use super::context::{Context, WorkflowError};
use super::store::{LOCK_WAIT, Stored, stored_in};
use crate::ledger::{Change, Ledger, LedgerError, Snapshot, Unpushed, web_links};
use crate::model::{Gap, Key, NotPushed, ObjectId, Remarks};
use crate::text::shorten;

impl Context {
    /// Renders the pages of folders into which two machines have written;
    /// whether there was anything to render.
    fn render_merged(&self, folders: &[String]) -> Result<bool, WorkflowError> {
        let mut rendered = false;
        for folder in folders {
            let mut writer = self.ledger.lock(LOCK_WAIT)?;
            let Some(key) = crate::ledger::key_of(folder) else { continue };
            let Some(Stored { folder, brief: Some(brief), confirmed, .. }) =
                stored_in(&writer.snapshot()?, &key, None)?
            else {
                continue;
            };
            let customer = brief.view().title().unwrap_or("customer").to_owned();
            let change = Change::of_handoff(folder, &customer, &key, self.moment())
                .trailer("Handoff-Event", "merged")
                .put("README.md", self.render(&brief, &confirmed)?);
            rendered |= writer.commit(&change)?.is_some();
        }
        Ok(rendered)
    }

    /// The remote that is pushed to, where there is one and it is wanted.
    pub(super) fn remote(&self) -> Option<String> {
        if self.push { self.ledger.remote() } else { None }
    }

    /// Pushes one branch as [`Context::push`] does; tells whether the remote
    /// has it now.
    pub(super) fn push_branch(
        &self,
        branch: &str,
        remarks: &mut Remarks,
    ) -> Result<bool, WorkflowError> {
        let Some(remote) = self.remote() else { return Ok(false) };
        match self.ledger.push_branch(&remote, branch, self.now) {
            Ok(pushed) => {
                remarks.extend(pushed.remarks.iter().map(ToString::to_string));
                if branch == self.ledger.branch() && self.render_merged(&pushed.merged)? {
                    self.ledger.push_branch(&remote, branch, self.now)?;
                }
                remarks.pushed();
                Ok(true)
            }
            Err(
                error @ (LedgerError::TimedOut { .. }
                | LedgerError::Program { .. }
                | LedgerError::Outrun { .. }
                | LedgerError::Rejected { .. }
                | LedgerError::HistoryReplaced { .. }
                | LedgerError::BranchGone { .. }),
            ) => {
                let reason = shorten(&error.to_string(), 300);
                remarks.not_pushed_yet(NotPushed { remote, reason, help: error.help() });
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Why the deliveries of a handoff have to wait: the remote does not have
    /// its brief. Pushes it first, where a push is wanted.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the two sides contradict each other.
    pub(super) fn not_on_remote(
        &self,
        key: &Key,
        stored: &Stored,
        remarks: &mut Remarks,
    ) -> Result<Option<String>, WorkflowError> {
        if self.config.deliver.before_push {
            return Ok(None);
        }
        let Some(remote) = self.ledger.remote() else { return Ok(None) };
        let branch = stored.branch.as_deref().unwrap_or(self.ledger.branch());
        let has_brief = || -> Result<bool, WorkflowError> {
            let Some(there) = self.ledger.snapshot_on_remote(&remote, branch)? else {
                return Ok(false);
            };
            if stored.branch.is_none() && there.commit() == self.ledger.tip()? {
                return Ok(true);
            }
            let there = stored_in(&there, key, None)?;
            Ok(there.is_some_and(|there| there.brief_blob == stored.brief_blob))
        };
        if has_brief()? || (self.push_branch(branch, remarks)? && has_brief()?) {
            return Ok(None);
        }
        Ok(Some(format!(
            "its deliveries wait until the brief is on {remote}; `deliver: {{before_push: true}}` in handoff.yaml lets them go before"
        )))
    }
}

/// What only this clone has of a ledger; `None` where there is no remote or it
/// has everything that was last seen of it.
///
/// # Errors
/// When the ledger cannot be read.
pub fn unpushed(context: &Context) -> Result<Option<Unpushed>, WorkflowError> {
    Ok(context.ledger.unpushed()?)
}

impl Context {
    /// The handoff with this key at the tip; else the signed one that waits
    /// on its own branch.
    ///
    /// # Errors
    /// When the ledger or one of the two files cannot be read.
    pub fn stored(&self, key: &Key, month: Option<&str>) -> Result<Option<Stored>, WorkflowError> {
        find(self, &self.ledger.snapshot()?, key, month)
    }

    /// A handoff that must be there.
    pub(super) fn handoff(&self, key: &Key) -> Result<Stored, WorkflowError> {
        self.stored(key, None)?.ok_or_else(|| WorkflowError::NoHandoff(key.clone()))
    }

    /// The commit in which a handoff stands: the tip of its branch, else of the ledger.
    pub(super) fn tip_of(&self, stored: &Stored) -> Result<Option<ObjectId>, WorkflowError> {
        Ok(match &stored.branch {
            Some(branch) => self.ledger.snapshot_of_branch(branch)?.and_then(|it| it.commit()),
            None => self.ledger.tip()?,
        })
    }
}

/// The draft of a key with its branch; `None` where there is none.
///
/// # Errors
/// When the branch or the draft's files cannot be read.
pub(super) fn stored_draft(
    context: &Context,
    key: &Key,
) -> Result<Option<(String, Stored)>, WorkflowError> {
    let branch = Ledger::draft_branch(key);
    let Some(snapshot) = context.ledger.snapshot_of_branch(&branch)? else { return Ok(None) };
    let stored = stored_in(&snapshot, key, None)?;
    Ok(stored.map(|stored| (branch.clone(), Stored { branch: Some(branch), ..stored })))
}

/// Whether signed briefs wait for the merge of their pull request.
pub(super) fn is_mode(context: &Context) -> bool {
    context.config.deliver.opens_pull_request()
}

/// A handoff in one commit of the ledger, else the signed one on its own
/// branch. What is on the ledger's branch counts, whatever a branch that was
/// merged still says.
///
/// # Errors
/// When a commit or a file cannot be read.
pub(super) fn find(
    context: &Context,
    snapshot: &Snapshot,
    key: &Key,
    month: Option<&str>,
) -> Result<Option<Stored>, WorkflowError> {
    if let Some(stored) = stored_in(snapshot, key, month)? {
        return Ok(Some(stored));
    }
    if !is_mode(context) {
        return Ok(None);
    }
    let draft = stored_draft(context, key)?.map(|(_, stored)| stored);
    Ok(draft.filter(|stored| stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed())))
}

/// Handoffs by key, and what could not be read.
type Waiting = (Vec<(Key, Stored)>, Vec<Gap>);

/// Every handoff that waits, by key, and what could not be read.
///
/// # Errors
/// When the ledger or its branches cannot be listed.
pub(super) fn all(context: &Context, snapshot: &Snapshot) -> Result<Waiting, WorkflowError> {
    let (mut waiting, mut gaps) = (Vec::new(), Vec::new());
    if !is_mode(context) {
        return Ok((waiting, gaps));
    }
    for key in context.ledger.draft_keys()? {
        match find(context, snapshot, &key, None) {
            Ok(Some(stored)) if stored.branch.is_some() => waiting.push((key, stored)),
            Ok(_) => {}
            Err(error) => gaps.push(Gap::new(Ledger::draft_branch(&key), error.to_string())),
        }
    }
    Ok((waiting, gaps))
}

/// Where people read a handoff's folder on the forge.
pub(super) fn web_url(context: &Context, stored: &Stored) -> Option<String> {
    let Some(branch) = &stored.branch else { return context.ledger.web_url(&stored.folder) };
    let url = context.ledger.remote_url(&context.ledger.remote()?)?;
    web_links(&url, branch)
        .map(|links| links.within(context.ledger.prefix()).folder(&stored.folder))
}

// The branches of what waits, here and on the remote. Where there is a
// remote, they live there, since people answer in the pull request.

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
pub(super) fn publish(
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
pub(super) struct Drafts<'a> {
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
