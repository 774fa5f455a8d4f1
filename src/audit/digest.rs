//! From the versions of a folder to its digest: reads as few blobs as say
//! what the audit needs, and keeps account of those that say nothing.

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::brief_facts::BriefFacts;
use super::folder_digest::{AtTip, BriefVersion, Change, Delivery, FolderDigest};
use crate::brief::Timeline;
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

/// Digests one folder of a history. For many folders, give
/// [`digest_history`] a history with these folders alone.
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
