//! One folder's history, digested: when a signed brief arrived, what it said
//! then, what is at the tip, what happened in between.

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::brief_facts::BriefFacts;
use crate::brief::{Event, Timeline};
use crate::facts::{FolderHistory, Gap, History, Key, ObjectId, Version};

/// Reads the blobs of a ledger. Each thread has its own.
pub trait Blobs {
    /// A version of `brief.yaml`, judged by the schema of its time (`None`:
    /// the ledger had none, so the shipped one counts).
    ///
    /// # Errors
    /// See [`ReadError`].
    fn brief(&mut self, blob: ObjectId, schema: Option<ObjectId>) -> Result<BriefFacts, ReadError>;

    /// A version of `timeline.yaml`.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn timeline(&mut self, blob: ObjectId) -> Result<Timeline, ReadError>;
}

/// Why a blob says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The object is not there or damaged.
    #[error("the git object cannot be read: {0}")]
    Object(String),
    /// It is there and no brief or timeline.
    #[error("{0}")]
    Content(String),
}

/// A commit that did something to a brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The commit.
    pub commit: ObjectId,
    /// The committer's time.
    pub at: DateTime<Utc>,
    /// Its place in the history, to put the changes of several folders in order.
    pub order: u32,
}

/// A version of `brief.yaml` that a commit brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BriefVersion {
    /// The commit.
    pub change: Change,
    /// The blob.
    pub blob: ObjectId,
}

/// The first arrival of a brief with a signature on the default branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The commit that brought it.
    pub change: Change,
    /// The latest committer time of that commit and those before it: the
    /// earliest time it can truly have arrived, whatever its own date says.
    pub not_before: DateTime<Utc>,
    /// Whether the commit is dated before its own parent.
    pub dated_before_parent: bool,
    /// The blob.
    pub blob: ObjectId,
    /// The brief as it was then.
    pub brief: BriefFacts,
}

/// The brief at the tip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtTip {
    /// There is none.
    Gone,
    /// The very file that was delivered.
    AsDelivered,
    /// Another version, or a draft.
    Changed(Box<BriefFacts>),
    /// A file that cannot be read.
    Unreadable,
}

/// One folder's history, digested. It depends on the folder's versions, the
/// blobs and the schemas alone, so it may be kept for as long as these stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderDigest {
    /// The folder.
    pub path: String,
    /// The key in the files, else in the folder's name.
    pub key: Option<Key>,
    /// The first arrival of a signed brief at this path.
    pub delivered: Option<Delivery>,
    /// The brief at the tip.
    pub tip: AtTip,
    /// The commit that took the signed brief away.
    pub removed: Option<Change>,
    /// The versions of the brief, oldest first.
    pub versions: Vec<BriefVersion>,
    /// The events of the last timeline.
    pub events: Vec<Event>,
    /// Whether that timeline is at the tip.
    pub timeline_at_tip: bool,
    /// What could not be read: what, and why.
    pub unreadable: Vec<(String, String)>,
}

impl FolderDigest {
    /// The brief at the tip, where one can be read.
    #[must_use]
    pub fn brief_at_tip(&self) -> Option<&BriefFacts> {
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

/// The history of a ledger, with for each commit the latest time up to it.
struct Scan<'a> {
    history: &'a History,
    not_before: Vec<i64>,
}

impl<'a> Scan<'a> {
    fn new(history: &'a History) -> Self {
        let mut latest = i64::MIN;
        let not_before = history
            .commits
            .iter()
            .map(|commit| {
                let own = commit.parent_committed_at.unwrap_or(i64::MIN).max(commit.committed_at);
                latest = latest.max(own);
                latest
            })
            .collect();
        Self { history, not_before }
    }

    fn change(&self, version: &Version) -> Change {
        let commit = &self.history.commits[version.commit as usize];
        Change { commit: commit.id, at: moment(commit.committed_at), order: version.commit }
    }

    fn not_before(&self, version: &Version) -> DateTime<Utc> {
        moment(self.not_before[version.commit as usize])
    }

    fn is_dated_before_parent(&self, version: &Version) -> bool {
        let commit = &self.history.commits[version.commit as usize];
        commit.parent_committed_at.is_some_and(|parent| commit.committed_at < parent)
    }

    fn schema_at(&self, version: &Version) -> Option<ObjectId> {
        let schemas = &self.history.schemas;
        let later = schemas.partition_point(|(commit, _)| *commit <= version.commit);
        schemas[..later].last().and_then(|(_, blob)| *blob)
    }
}

/// A committer time as a moment; one that no calendar holds is the end of time.
fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(if seconds < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// Digests every folder of a history, on all threads. The history is taken as
/// it is: for an audit of the past it must have been scanned as of then.
///
/// `blobs` is called once for each thread that needs a reader; an error of it
/// makes every folder of that thread unreadable, never absent.
pub fn digest_history<B: Blobs>(
    history: &History,
    blobs: impl Fn() -> Result<B, String> + Sync + Send,
) -> Vec<FolderDigest> {
    let scan = Scan::new(history);
    history
        .folders
        .par_iter()
        .map_init(&blobs, |blobs, folder| match blobs {
            Ok(blobs) => digest(&scan, folder, blobs),
            Err(why) => digest(&scan, folder, &mut Unavailable(why.clone())),
        })
        .collect()
}

/// Digests one folder of a history.
pub fn digest_folder(
    history: &History,
    folder: &FolderHistory,
    blobs: &mut impl Blobs,
) -> FolderDigest {
    digest(&Scan::new(history), folder, blobs)
}

/// What could not be read, as gaps of the audit.
#[must_use]
pub fn gaps_of(digests: &[FolderDigest]) -> Vec<Gap> {
    let gap = |(what, why): &(String, String)| Gap {
        what: what.clone(),
        why: why.clone(),
        help: Some(
            "Run `handoff validate` and mend the file, or `git fsck` and restore the object."
                .to_owned(),
        ),
    };
    let mut gaps: Vec<Gap> =
        digests.iter().flat_map(|digest| digest.unreadable.iter().map(gap)).collect();
    gaps.extend(
        digests.iter().filter(|digest| digest.key.is_none() && digest.tip != AtTip::Gone).map(
            |digest| Gap {
                what: digest.path.clone(),
                why: "neither its files nor its name say which handoff it is".to_owned(),
                help: Some(
                    "Give brief.yaml its key, or move the folder out of briefs/.".to_owned(),
                ),
            },
        ),
    );
    gaps
}

fn digest(scan: &Scan<'_>, folder: &FolderHistory, blobs: &mut impl Blobs) -> FolderDigest {
    let mut unreadable = Vec::new();
    let delivered = first_signed(scan, folder, blobs, &mut unreadable);
    let tip = at_tip(scan, folder, blobs, delivered.as_ref(), &mut unreadable);

    let last_timeline = folder.versions.iter().rev().find_map(|version| version.timeline);
    let timeline = last_timeline.and_then(|blob| match blobs.timeline(blob) {
        Ok(timeline) => Some(timeline),
        Err(error) => {
            unreadable.push((format!("{}/timeline.yaml", folder.path), error.to_string()));
            None
        }
    });

    let mut versions: Vec<BriefVersion> = Vec::new();
    for version in &folder.versions {
        if let Some(blob) = version.brief
            && versions.last().is_none_or(|last| last.blob != blob)
        {
            versions.push(BriefVersion { change: scan.change(version), blob });
        }
    }

    let named = |brief: &BriefFacts| brief.key.clone();
    let key = match &tip {
        AtTip::Changed(brief) => named(brief),
        _ => None,
    };
    let key = key
        .or_else(|| delivered.as_ref().and_then(|delivery| named(&delivery.brief)))
        .or_else(|| timeline.as_ref().map(|timeline| timeline.key.clone()))
        .or_else(|| folder.key_text.as_deref().and_then(|text| Key::parse(text).ok()));

    let mut digest = FolderDigest {
        path: folder.path.clone(),
        key,
        delivered,
        tip,
        removed: None,
        versions,
        events: timeline.map(|timeline| timeline.events).unwrap_or_default(),
        timeline_at_tip: folder.versions.last().is_some_and(|version| version.timeline.is_some()),
        unreadable,
    };
    if digest.delivered.is_some() && !digest.is_signed_at_tip() {
        digest.removed = removal(folder).map(|version| scan.change(version));
    }
    digest
}

/// The first version with a signature. An earlier version that is no brief is
/// no obstacle: what counts is when a readable one arrived.
fn first_signed(
    scan: &Scan<'_>,
    folder: &FolderHistory,
    blobs: &mut impl Blobs,
    unreadable: &mut Vec<(String, String)>,
) -> Option<Delivery> {
    let mut seen = None;
    for version in &folder.versions {
        let Some(blob) = version.brief else { continue };
        if seen.replace(blob) == Some(blob) {
            continue;
        }
        match blobs.brief(blob, scan.schema_at(version)) {
            Ok(brief) if brief.signature.is_some() => {
                return Some(Delivery {
                    change: scan.change(version),
                    not_before: scan.not_before(version),
                    dated_before_parent: scan.is_dated_before_parent(version),
                    blob,
                    brief,
                });
            }
            Ok(_) | Err(ReadError::Content(_)) => {}
            Err(ReadError::Object(why)) => {
                let commit = scan.change(version).commit;
                unreadable.push((format!("{}/brief.yaml in commit {commit}", folder.path), why));
            }
        }
    }
    None
}

fn at_tip(
    scan: &Scan<'_>,
    folder: &FolderHistory,
    blobs: &mut impl Blobs,
    delivered: Option<&Delivery>,
    unreadable: &mut Vec<(String, String)>,
) -> AtTip {
    let Some((version, blob)) =
        folder.versions.last().and_then(|version| Some((version, version.brief?)))
    else {
        return AtTip::Gone;
    };
    if delivered.is_some_and(|delivery| delivery.blob == blob) {
        return AtTip::AsDelivered;
    }
    match blobs.brief(blob, scan.schema_at(version)) {
        Ok(brief) => AtTip::Changed(Box::new(brief)),
        Err(error) => {
            unreadable.push((format!("{}/brief.yaml", folder.path), error.to_string()));
            AtTip::Unreadable
        }
    }
}

/// The version that took the brief away: the first of the last run without a
/// brief, or with the brief that has no signature any more.
fn removal(folder: &FolderHistory) -> Option<&Version> {
    let last = folder.versions.last()?.brief;
    let kept = folder.versions.iter().rposition(|version| version.brief != last);
    folder.versions.get(kept.map_or(0, |at| at + 1))
}

/// Stands in for a reader that could not be made.
struct Unavailable(String);

impl Blobs for Unavailable {
    fn brief(&mut self, _: ObjectId, _: Option<ObjectId>) -> Result<BriefFacts, ReadError> {
        Err(ReadError::Object(self.0.clone()))
    }

    fn timeline(&mut self, _: ObjectId) -> Result<Timeline, ReadError> {
        Err(ReadError::Object(self.0.clone()))
    }
}
