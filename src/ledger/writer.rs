//! Writing commits: built from the parent's tree, durable on return, with the
//! checkout following.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use git2::{Oid, Repository};

use super::behind::{self, Behind, CheckoutTip};
use super::branch_ref::{self, LogLine, Pending, real_name};
use super::build::{Build, CommitPlace};
use super::change::Change;
use super::checkout::{CheckoutRemark, ReadFrom, follow, following, has_checked_out};
use super::eol::{AttributeSource, Attributes};
use super::handle::{branch_commit, branch_or_remote, hold, object_id};
use super::index_file::IndexLock;
use super::lock::become_writer;
use super::snapshot::{Snapshot, tree_of};
use super::staging::Staging;
use super::write_ahead::{BranchMove, WriteAhead};
use super::{Ledger, LedgerError};
use crate::disk::FileLock;
use crate::model::ObjectId;

/// How often a branch may move under a writer's hands before it gives up.
const TRIES: u32 = 50;

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The commit.
    pub id: ObjectId,
    /// Whether the folder changed on the branch meanwhile, and both changes
    /// are in; the rendering may be stale then.
    pub merged: bool,
    /// What was left as it is in the checkout.
    pub remarks: Vec<CheckoutRemark>,
}

/// The one writer of a clone, for as long as it lives.
pub struct Writer {
    ledger: Ledger,
    repo: Repository,
    seen: Option<Oid>,
    remarks: Vec<CheckoutRemark>,
    attributes: RefCell<Option<Attributes>>,
    journal: WriteAhead,
    _lock: FileLock,
}

impl Ledger {
    /// Becomes the one writer of this clone, waiting for another one to end.
    /// What a writer that was killed left undone is done first.
    ///
    /// # Errors
    /// When another process holds the lock for longer than `timeout`, or the
    /// repository cannot be written.
    pub fn lock(&self, timeout: Duration) -> Result<Writer, LedgerError> {
        self.certain_branch()?;
        let lock = become_writer(self.git_dir(), timeout)?;
        branch_ref::recover(self.git_dir())?;
        let repo = self.reopen()?;
        let journal = WriteAhead::open(self.git_dir(), &repo)?;
        let seen = branch_or_remote(&repo, self.branch(), self.root())?;
        let mut writer = Writer {
            ledger: self.clone(),
            repo,
            seen,
            remarks: Vec::new(),
            attributes: RefCell::default(),
            journal,
            _lock: lock,
        };
        writer.catch_up()?;
        Ok(writer)
    }
}

impl Writer {
    /// The ledger as this writer sees it: what a change is to be made from.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        self.ledger.snapshot_of(self.seen)
    }

    /// What could not be brought into the checkout when earlier work was caught up with.
    #[must_use]
    pub fn remarks(&self) -> &[CheckoutRemark] {
        &self.remarks
    }

    /// Commits a change on the ledger's branch; `None` when it changes nothing.
    /// On return the commit is on the disk. When a user's own commit moved the
    /// branch since [`Writer::snapshot`], the change is made on top of that.
    ///
    /// # Errors
    /// When a path may not be written, the user's commit contradicts the
    /// change, or the repository cannot be written.
    pub fn commit(&mut self, change: &Change) -> Result<Option<Committed>, LedgerError> {
        let refname = self.refname();
        let start = self.seen;
        self.commit_to(&refname, start, std::slice::from_ref(change))
    }

    /// The ref of the ledger's branch.
    pub(super) fn refname(&self) -> String {
        real_name(&self.repo, &format!("refs/heads/{}", self.ledger.branch()))
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn repo(&self) -> &Repository {
        &self.repo
    }

    pub(super) fn seen(&self) -> Option<Oid> {
        self.seen
    }

    pub(super) fn journal(&mut self) -> &mut WriteAhead {
        &mut self.journal
    }

    /// Takes note that a branch was moved by other means than a commit.
    pub(super) fn saw(&mut self, refname: &str, tip: Oid) {
        if refname == self.refname() {
            self.seen = Some(tip);
        }
    }

    /// Where a new commit on a branch goes: the local branch, and the commit
    /// it builds on (that of the remote, or for a new branch `start`).
    fn tip_of(
        &self,
        refname: &str,
        start: Option<Oid>,
    ) -> Result<(Option<Oid>, Option<Oid>), LedgerError> {
        let root = self.ledger.root();
        let local = branch_commit(&self.repo, refname, root)?;
        if local.is_some() {
            return Ok((local, local));
        }
        let name = refname.strip_prefix("refs/heads/").unwrap_or(refname);
        Ok((None, branch_or_remote(&self.repo, name, root)?.or(start)))
    }

    pub(super) fn commit_to(
        &mut self,
        refname: &str,
        seen: Option<Oid>,
        changes: &[Change],
    ) -> Result<Option<Committed>, LedgerError> {
        let (_, tip) = self.tip_of(refname, seen)?;
        let mut build = self.build(seen, tip)?;
        self.refuse_filters(changes, &hold(build.staging.repo()))?;
        for change in changes {
            build.add(change)?;
        }
        let done = self.publish(refname, seen, build, changes)?;
        let last = done.made.into_iter().flatten().next_back();
        Ok(last.map(|id| Committed {
            id: object_id(id),
            merged: done.merged,
            remarks: done.remarks,
        }))
    }

    pub(super) fn build(&self, seen: Option<Oid>, tip: Option<Oid>) -> Result<Build, LedgerError> {
        let ledger = &self.ledger;
        let signing = ledger.signs_commits().then(|| ledger.root().to_path_buf());
        let place = CommitPlace {
            git_dir: ledger.git_dir(),
            identity: ledger.identity(),
            prefix: ledger.prefix(),
            signing,
        };
        Build::start(place, &self.repo, seen, tip)
    }

    pub(super) fn refuse_filters(
        &self,
        changes: &[Change],
        plain: &Repository,
    ) -> Result<(), LedgerError> {
        if self.repo.is_bare() {
            return Ok(());
        }
        let tree = self.seen.map(|commit| tree_of(&self.repo, commit)).transpose()?;
        let mut held = self.attributes.borrow_mut();
        let attributes = match held.take().filter(|attributes| attributes.is_of(tree)) {
            Some(attributes) => attributes,
            None => Attributes::open(&self.repo, self.ledger.names(), tree)?,
        };
        let attributes = held.insert(attributes);
        let source = AttributeSource::new(&self.repo, Some(plain));
        for change in changes {
            let paths = change.paths()?;
            let mut paths = paths.keys().map(|path| self.ledger.in_repository(path));
            paths.try_for_each(|path| attributes.refuse_filter(&source, &path))?;
        }
        Ok(())
    }

    /// Makes what was built part of the repository and moves the branch to it;
    /// builds it again where the branch was moved meanwhile.
    pub(super) fn publish(
        &mut self,
        refname: &str,
        seen: Option<Oid>,
        mut build: Build,
        changes: &[Change],
    ) -> Result<Published, LedgerError> {
        let is_ours = refname == self.refname();
        for _ in 0..TRIES {
            let made = build.made.clone();
            let merged = !build.onto.combined.is_empty();
            let Some(new) = made.iter().flatten().next_back().copied() else {
                return Ok(Published { made, merged, remarks: Vec::new() });
            };
            let (local, start) = self.tip_of(refname, seen)?;
            if start == build.start {
                let subject = changes.last().map(Change::message).unwrap_or_default();
                let log = subject.lines().next().unwrap_or("handoff").to_owned();
                let at = build.last_time;
                if let Some(remarks) =
                    self.move_branch(refname, local, new, build.staging, at, &log)?
                {
                    if is_ours {
                        self.seen = Some(new);
                    }
                    return Ok(Published { made, merged, remarks });
                }
            }
            let (_, tip) = self.tip_of(refname, seen)?;
            build = self.build(seen, tip)?;
            for change in changes {
                build.add(change)?;
            }
        }
        Err(LedgerError::BranchBusy {
            branch: refname.strip_prefix("refs/heads/").unwrap_or(refname).to_owned(),
            why: format!("it moved before each of {TRIES} tries"),
        })
    }

    /// Installs the objects, moves the branch, lets the checkouts follow.
    /// `None` if somebody else moved the branch first. From the record on the
    /// commits are on the disk, and a writer that comes after a kill or a power
    /// failure ends what was begun.
    pub(super) fn move_branch(
        &mut self,
        refname: &str,
        old: Option<Oid>,
        new: Oid,
        staging: Staging,
        at: i64,
        log: &str,
    ) -> Result<Option<Vec<CheckoutRemark>>, LedgerError> {
        self.journal.complete(&self.repo)?;
        let git_dir = self.ledger.git_dir().to_path_buf();
        let mut behind = behind::read(&git_dir)?;
        let checkouts = following(&self.repo, &git_dir, refname);
        for checkout in checkouts.iter().cloned() {
            let shown = CheckoutTip { refname: refname.to_owned(), commit: old };
            behind.entry(checkout).or_insert(shown);
        }
        // What was just made need not be read again for the checkouts.
        let made = Arc::clone(staging.repo());
        let objects = staging.install()?;
        let record = BranchMove { refname: refname.to_owned(), old, new, behind, objects };
        // From before the branch moves: a `git commit` between that and the index
        // following would take the new files for deleted, and delete them.
        let mut locks = BTreeMap::new();
        for checkout in record.behind.keys().filter(|checkout| checkout.is_dir()) {
            locks.insert(checkout.clone(), IndexLock::acquire(checkout)?);
        }
        let Some(locked) = Pending::write(&git_dir, refname, new)?.lock(&self.repo, old)? else {
            return Ok(None);
        };
        self.journal.append(&record)?;
        self.journal.install(&record)?;
        let line = LogLine { who: self.ledger.identity(), at, what: log };
        let touched = locked.set(&self.repo, &line, &checkouts)?;
        let mut remarks = Vec::new();
        {
            let made = hold(&made);
            let from = ReadFrom { objects: &made, plain: Some(&made) };
            self.follow_all(record.behind.clone(), locks, from, &mut remarks)?;
        }
        // Last: until then the next writer has the record's checkouts follow.
        self.journal.applied(&record, touched);
        Ok(Some(remarks))
    }

    /// Lets checkouts follow that a killed writer or a busy index left behind.
    fn catch_up(&mut self) -> Result<(), LedgerError> {
        let git_dir = self.ledger.git_dir().to_path_buf();
        IndexLock::recover(&git_dir);
        let behind = behind::read(&git_dir)?;
        if behind.is_empty() {
            return Ok(());
        }
        let mut locks = BTreeMap::new();
        for checkout in behind.keys().filter(|checkout| checkout.is_dir()) {
            locks.insert(checkout.clone(), IndexLock::acquire(checkout)?);
        }
        let mut remarks = Vec::new();
        let from = ReadFrom { objects: &self.repo, plain: None };
        self.follow_all(behind, locks, from, &mut remarks)?;
        self.remarks = remarks;
        Ok(())
    }

    fn follow_all(
        &self,
        behind: Behind,
        mut locks: BTreeMap<PathBuf, Option<IndexLock>>,
        from: ReadFrom<'_>,
        remarks: &mut Vec<CheckoutRemark>,
    ) -> Result<(), LedgerError> {
        let mut left = Behind::new();
        for (checkout, shown) in behind {
            // Somebody who switched to another branch has a checkout of that, and nothing is behind.
            if !has_checked_out(&checkout, &shown.refname) {
                continue;
            }
            let Ok(tip) = self.repo.refname_to_id(&shown.refname) else { continue };
            // The commit is made; a checkout that cannot follow is a remark, never an error of the commit.
            let lock = locks.remove(&checkout).flatten();
            let done = follow(&checkout, [shown.commit, Some(tip)], from, lock, remarks)
                .unwrap_or_else(|error| {
                    let why = error.to_string();
                    remarks
                        .push(CheckoutRemark::CheckoutBehind { checkout: checkout.clone(), why });
                    false
                });
            if !done {
                left.insert(checkout, shown);
            }
        }
        behind::note(self.ledger.git_dir(), &left)
    }
}

/// What publishing came to; see [`Committed`] and [`super::BatchDone`].
pub(super) struct Published {
    pub(super) made: Vec<Option<Oid>>,
    pub(super) merged: bool,
    pub(super) remarks: Vec<CheckoutRemark>,
}
