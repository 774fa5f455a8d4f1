//! From the versions of a folder to its digest: reads as few blobs as say
//! what the audit needs, and keeps account of those that say nothing.

use std::sync::Arc;

use super::brief_facts::BriefFacts;
use super::digester::Digester;
use super::events::TimelineFacts;
use super::folder_digest::{AtTip, Delivery, Early, FolderDigest, Rewritten};
use crate::model::{FolderHistory, Gap, Key, ObjectId};

/// Reads the blobs of a ledger.
pub trait Blobs {
    /// A version of `brief.yaml`, judged by the schema of its time (`None`:
    /// the ledger had none, so the shipped one counts).
    ///
    /// # Errors
    /// See [`ReadError`].
    fn brief(
        &mut self,
        blob: ObjectId,
        schema: Option<ObjectId>,
    ) -> Result<Arc<BriefFacts>, ReadError>;

    /// A version of `timeline.yaml`.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn timeline(&mut self, blob: ObjectId) -> Result<TimelineFacts, ReadError>;
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

/// Digests one folder from its files.
pub(super) fn digest(
    digester: &Digester<'_>,
    folder: &FolderHistory,
    blobs: &mut impl Blobs,
) -> FolderDigest {
    let mut unreadable = Vec::new();
    let delivered = first_signed(digester, folder, blobs, &mut unreadable);
    let tip = at_tip(digester, folder, blobs, delivered.as_ref(), &mut unreadable);

    let Timelines { last: timeline, rewritten, ahead } =
        timelines(digester, folder, blobs, &mut unreadable);

    let named = |brief: &BriefFacts| brief.key.clone();
    let key = match &tip {
        AtTip::Changed(brief) => named(brief),
        _ => None,
    };
    let key = key
        .or_else(|| delivered.as_ref().and_then(|delivery| named(&delivery.brief)))
        .or_else(|| timeline.as_ref().map(|timeline| timeline.key.clone()))
        .or_else(|| folder.key_text.as_deref().and_then(|text| Key::parse(text).ok()));
    let events = timeline.map(|timeline| timeline.events).unwrap_or_default();
    let digest = digester.assemble(folder, key, delivered, tip, events);
    FolderDigest { unreadable, rewritten, ahead, ..digest }
}

/// What a folder's timelines say, one after the other.
#[derive(Default)]
struct Timelines {
    last: Option<TimelineFacts>,
    rewritten: Option<Rewritten>,
    ahead: Option<Early>,
}

fn timelines(
    digester: &Digester<'_>,
    folder: &FolderHistory,
    blobs: &mut impl Blobs,
    unreadable: &mut Vec<(String, String)>,
) -> Timelines {
    let mut found = Timelines::default();
    let mut seen = None;
    let at_tip = folder.versions.last().and_then(|version| version.timeline);
    for version in &folder.versions {
        let Some(blob) = version.timeline else { continue };
        if seen.replace(blob) == Some(blob) {
            continue;
        }
        let change = digester.change(version);
        let timeline = match blobs.timeline(blob) {
            Ok(timeline) => timeline,
            // A broken one that is gone or was mended since hides nothing: the
            // next one is compared with the one before it.
            Err(ReadError::Content(_)) if at_tip != Some(blob) => continue,
            Err(error) => {
                unreadable.push((format!("{}/timeline.yaml", folder.path), error.to_string()));
                if at_tip == Some(blob) {
                    found.last = None;
                }
                continue;
            }
        };
        if let Some(before) = &found.last
            && found.rewritten.is_none()
            && let Some(event) = before.events.missing_from(&timeline.events)
        {
            let event = event.event.as_str().to_owned();
            found.rewritten = Some(Rewritten { change, event });
        }
        let latest = timeline.events.iter().map(|event| event.at).max();
        if let Some(at) = latest.filter(|at| *at > change.at)
            && found.ahead.is_none_or(|early| at - change.at > early.at - early.change.at)
        {
            found.ahead = Some(Early { change, at });
        }
        found.last = Some(timeline);
    }
    found
}

/// The first version with a signature. An earlier version that is no brief is
/// no obstacle: what counts is when a readable one arrived.
fn first_signed(
    digester: &Digester<'_>,
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
        match blobs.brief(blob, digester.schema_at(version)) {
            Ok(brief) if brief.signature.is_some() => {
                return Some(digester.delivery(version, blob, brief));
            }
            Ok(_) | Err(ReadError::Content(_)) => {}
            Err(ReadError::Object(why)) => {
                let commit = digester.change(version).commit;
                unreadable.push((format!("{}/brief.yaml in commit {commit}", folder.path), why));
            }
        }
    }
    None
}

fn at_tip(
    digester: &Digester<'_>,
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
    match blobs.brief(blob, digester.schema_at(version)) {
        Ok(brief) => AtTip::Changed(brief),
        Err(error) => {
            unreadable.push((format!("{}/brief.yaml", folder.path), error.to_string()));
            AtTip::Unreadable
        }
    }
}
