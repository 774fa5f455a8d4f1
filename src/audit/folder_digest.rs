//! One folder's history, digested: when a signed brief arrived, what it said
//! then, what is at the tip, what happened in between.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::brief_facts::BriefFacts;
use super::events::Events;
use crate::brief::EventKind;
use crate::model::{Key, ObjectId};

/// A commit that did something to a brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedCommit {
    /// The commit.
    pub commit: ObjectId,
    /// The committer's time.
    pub at: DateTime<Utc>,
    /// Its place in the history, to put the changes of several folders in order.
    pub order: u32,
}

/// A version of `brief.yaml` that a commit brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BriefVersion {
    /// The commit.
    pub change: RecordedCommit,
    /// The blob.
    pub blob: ObjectId,
    /// Whether an event of the timeline says that handoff wrote it.
    pub recorded: bool,
}

/// When a commit arrived, by a second clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The moment; with [`Proof::NotBefore`] the earliest that is possible.
    pub at: DateTime<Utc>,
    /// Whose clock it is, in a reader's words.
    pub source: Arc<str>,
    /// The account that pushed it, where that was recorded.
    pub by: Option<Arc<str>>,
    /// What is known of the moment.
    pub proof: Proof,
}

/// What a second clock knows of a commit's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The push that brought it was recorded.
    Recorded,
    /// A push that is not in the record brought it; this is the next one, which had it.
    BehindGap,
    /// It came after this moment, at which the branch did not have it.
    NotBefore,
}

/// The first arrival of a brief with a signature on the default branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The commit that brought it.
    pub change: RecordedCommit,
    /// The latest committer time of that commit and those before it: the
    /// earliest time it can truly have arrived, whatever its own date says.
    pub not_before: DateTime<Utc>,
    /// Whether the commit is dated before its own parent.
    pub dated_before_parent: bool,
    /// The blob.
    pub blob: ObjectId,
    /// The brief as it was then.
    pub brief: Arc<BriefFacts>,
    /// When it arrived by another clock than the committer's, where one tells.
    pub arrival: Option<Box<Arrival>>,
}

impl Delivery {
    /// When it counts as delivered: by the second clock, else by the committer's.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.arrival.as_ref().map_or(self.change.at, |arrival| arrival.at)
    }
}

/// The brief at the tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtTip {
    /// There is none.
    Gone,
    /// The very file that was delivered.
    AsDelivered,
    /// Another version, or a draft.
    Changed(Arc<BriefFacts>),
    /// A file that cannot be read.
    Unreadable,
}

/// An event that a timeline no longer held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The commit since when it is gone.
    pub change: RecordedCommit,
    /// What it was, `accepted`; `None` for the whole file.
    pub event: Option<String>,
}

/// An event in a commit that handoff did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignEvent {
    /// The commit that brought it.
    pub change: RecordedCommit,
    /// What is said to have happened.
    pub event: EventKind,
    /// When it is said to have happened.
    pub at: DateTime<Utc>,
}

/// An event that was committed before it can have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Early {
    /// The commit that brought it.
    pub change: RecordedCommit,
    /// When it is said to have happened.
    pub at: DateTime<Utc>,
}

/// What was done to a `sources.yaml` by somebody else than handoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forgery {
    /// No event recorded the file.
    Written,
    /// An event recorded it, for an earlier version.
    BroughtBack,
    /// It was taken away, and the brief stayed.
    Removed,
}

/// Sources that handoff did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForgedSources {
    /// The commit that did it.
    pub change: RecordedCommit,
    /// What it did.
    pub what: Forgery,
}

/// What few folders' histories hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderIncidents {
    /// The commit that took the signed brief away.
    pub removed: Option<RecordedCommit>,
    /// What could not be read: what, and why.
    pub unreadable: Vec<(String, String)>,
    /// The first event that was taken out of the timeline again.
    pub rewritten: Option<Rewritten>,
    /// The first commit that changed the sources past handoff.
    pub forged: Option<ForgedSources>,
    /// The event that was committed the longest before its own time.
    pub ahead: Option<Early>,
    /// From which commit to which the brief was gone, after it had been there.
    pub absences: Vec<(RecordedCommit, Option<RecordedCommit>)>,
    /// The commit that took the timeline away.
    pub timeline_left: Option<RecordedCommit>,
    /// The commit that brought the last exemption.
    pub exempted: Option<RecordedCommit>,
    /// The first events that commits brought which handoff did not make.
    pub foreign: Vec<ForeignEvent>,
}

impl FolderIncidents {
    /// These, where there is any.
    pub(super) fn if_any(self) -> Option<Box<Self>> {
        (self != NO_INCIDENTS).then(|| Box::new(self))
    }
}

static NO_INCIDENTS: FolderIncidents = FolderIncidents {
    removed: None,
    unreadable: Vec::new(),
    rewritten: None,
    forged: None,
    ahead: None,
    absences: Vec::new(),
    timeline_left: None,
    exempted: None,
    foreign: Vec::new(),
};

/// One folder's history, digested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderDigest {
    /// The folder.
    pub path: String,
    /// The key in the files, else in the folder's name.
    pub key: Option<Key>,
    /// The first arrival of a signed brief at this path.
    pub delivered: Option<Delivery>,
    /// The brief at the tip.
    pub tip: AtTip,
    /// The versions of the brief, oldest first.
    pub versions: Vec<BriefVersion>,
    /// The events of the last timeline.
    pub events: Events,
    /// Whether that timeline is at the tip.
    pub timeline_at_tip: bool,
    /// The place in the history of the first commit with a timeline.
    pub timeline_from: Option<u32>,
    /// The commit that brought the last acceptance, and when that was.
    pub accepted: Option<(RecordedCommit, DateTime<Utc>)>,
    pub(super) incidents: Option<Box<FolderIncidents>>,
}

impl FolderDigest {
    /// What few folders' histories hold.
    #[must_use]
    pub fn incidents(&self) -> &FolderIncidents {
        self.incidents.as_deref().unwrap_or(&NO_INCIDENTS)
    }

    /// The brief at the tip, where one can be read.
    #[must_use]
    pub fn brief_at_tip(&self) -> Option<&Arc<BriefFacts>> {
        match &self.tip {
            AtTip::Gone | AtTip::Unreadable => None,
            AtTip::AsDelivered => self.delivered.as_ref().map(|delivery| &delivery.brief),
            AtTip::Changed(brief) => Some(brief),
        }
    }

    /// Whether a signed brief is at the tip. One that was signed and cannot
    /// be read any more counts as there; that it cannot be read is a gap.
    #[must_use]
    pub fn is_signed_at_tip(&self) -> bool {
        match &self.tip {
            AtTip::Unreadable => self.delivered.is_some(),
            _ => self.brief_at_tip().is_some_and(|brief| brief.signature.is_some()),
        }
    }
}
