//! What a ledger's history says about a folder beside its files: which commit
//! brought a version, when that can have been, which schema was in force.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::brief_facts::BriefFacts;
use super::cache_codec::{KeptBrief, KeptDigest, KeptTip};
use super::events::{Events, TimelineFacts};
use super::folder_digest::{
    AtTip, BriefVersion, Delivery, Early, FolderDigest, FolderIncidents, ForeignEvent,
    ForgedSources, Forgery, RecordedCommit, Rewritten,
};
use crate::brief::EventKind;
use crate::model::{FolderHistory, Gap, History, Key, ObjectId, Version};

/// Digests the folders of one history. The history is taken as it is: for an
/// audit of the past it must have been scanned as of then.
pub struct Digester<'a> {
    history: &'a History,
    /// For each commit the latest time up to it.
    not_before: Vec<i64>,
}

impl<'a> Digester<'a> {
    /// A digester for a history.
    #[must_use]
    pub fn new(history: &'a History) -> Self {
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

    /// Digests one folder from its files.
    pub fn digest(&self, folder: &FolderHistory, blobs: &mut impl BlobSource) -> FolderDigest {
        digest(self, folder, blobs)
    }

    /// What the files of a folder, the commits that brought them and the schemas
    /// they are judged by are known by: two folders of one fingerprint have one
    /// digest, up to what the history says of their commits.
    #[must_use]
    pub fn fingerprint(&self, folder: &FolderHistory) -> ObjectId {
        let mut sum = Sha256::new();
        sum.update(folder.path.as_bytes());
        let mut blob = |blob: Option<ObjectId>| match blob {
            None => sum.update([0]),
            Some(blob) => {
                sum.update([1]);
                sum.update(blob.0);
            }
        };
        for version in &folder.versions {
            blob(version.brief);
            blob(version.timeline);
            blob(version.sources);
            blob(self.schema_at(version));
            // Whether handoff made a commit stands in the commit.
            blob(Some(self.commit(version)));
        }
        let mut id = ObjectId([0; 20]);
        id.0.copy_from_slice(&sum.finalize()[..20]);
        id
    }

    /// A digest as bytes that [`Digester::unpack`] reads back; `None` where
    /// something could not be read, which is tried again each time.
    #[must_use]
    pub fn pack(&self, folder: &FolderHistory, digest: &FolderDigest) -> Option<Vec<u8>> {
        let incidents = digest.incidents();
        if !incidents.unreadable.is_empty() {
            return None;
        }
        let delivered = match &digest.delivered {
            None => None,
            Some(delivery) => {
                let place =
                    folder.versions.iter().position(|v| v.commit == delivery.change.order)?;
                Some((u32::try_from(place).ok()?, KeptBrief::from(&*delivery.brief)))
            }
        };
        let tip = match &digest.tip {
            AtTip::Gone => KeptTip::Gone,
            AtTip::AsDelivered => KeptTip::AsDelivered,
            AtTip::Changed(brief) => KeptTip::Changed(Box::new(KeptBrief::from(&**brief))),
            AtTip::Unreadable => return None,
        };
        let key = digest.key.as_ref().map(Key::as_str);
        let place = |change: &RecordedCommit| {
            let place = folder.versions.iter().position(|v| v.commit == change.order)?;
            u32::try_from(place).ok()
        };
        let rewritten = match &incidents.rewritten {
            None => None,
            Some(rewritten) => Some((place(&rewritten.change)?, rewritten.event.as_deref())),
        };
        let time = |at: DateTime<Utc>| (at.timestamp(), at.timestamp_subsec_nanos());
        let ahead = match &incidents.ahead {
            None => None,
            Some(early) => Some((place(&early.change)?, time(early.at))),
        };
        let accepted = match &digest.accepted {
            None => None,
            Some((change, at)) => Some((place(change)?, time(*at))),
        };
        let foreign = incidents.foreign.iter();
        let foreign = foreign.map(|it| Some((place(&it.change)?, it.event, time(it.at))));
        let foreign = foreign.collect::<Option<Vec<_>>>()?;
        let unrecorded = digest.versions.iter().zip(0..);
        let unrecorded = unrecorded.filter(|(version, _)| !version.recorded).map(|(_, at)| at);
        let unrecorded: Vec<u32> = unrecorded.collect();
        let forged = match &incidents.forged {
            None => None,
            Some(forged) => Some((place(&forged.change)?, forged.what)),
        };
        let exempted = match &incidents.exempted {
            None => None,
            Some(change) => Some(place(change)?),
        };
        let events = digest.events.bytes();
        let kept = KeptDigest {
            key,
            delivered,
            tip,
            events,
            rewritten,
            ahead,
            forged,
            exempted,
            accepted,
            foreign,
            unrecorded,
        };
        Some(kept.to_bytes())
    }

    /// The digest of a folder from the bytes that [`Digester::pack`] gave for
    /// the same fingerprint; `None` when they do not fit.
    #[must_use]
    pub fn unpack(&self, folder: &FolderHistory, bytes: &[u8]) -> Option<FolderDigest> {
        let kept: KeptDigest<'_> = postcard::from_bytes(bytes).ok()?;
        let key = kept.key.map(Key::parse).transpose().ok()?;
        let delivered = match &kept.delivered {
            None => None,
            Some((place, brief)) => {
                let version = folder.versions.get(usize::try_from(*place).ok()?)?;
                Some(self.delivery(version, version.brief?, Arc::new(brief.facts()?)))
            }
        };
        let tip = match &kept.tip {
            KeptTip::Gone => AtTip::Gone,
            KeptTip::AsDelivered => AtTip::AsDelivered,
            KeptTip::Changed(brief) => AtTip::Changed(Arc::new(brief.facts()?)),
        };
        let change = |place: u32| {
            folder.versions.get(usize::try_from(place).ok()?).map(|version| self.change(version))
        };
        let mut incidents = FolderIncidents::default();
        if let Some((place, event)) = kept.rewritten {
            let event = event.map(str::to_owned);
            incidents.rewritten = Some(Rewritten { change: change(place)?, event });
        }
        let time = |(seconds, nanos): (i64, u32)| DateTime::from_timestamp(seconds, nanos);
        if let Some((place, at)) = kept.ahead {
            incidents.ahead = Some(Early { change: change(place)?, at: time(at)? });
        }
        for (place, event, at) in &kept.foreign {
            let (change, at) = (change(*place)?, time(*at)?);
            incidents.foreign.push(ForeignEvent { change, event: *event, at });
        }
        if let Some((place, what)) = kept.forged {
            incidents.forged = Some(ForgedSources { change: change(place)?, what });
        }
        if let Some(place) = kept.exempted {
            incidents.exempted = Some(change(place)?);
        }
        let mut digest = self.assemble(folder, key, delivered, tip, kept.events()?, incidents);
        if let Some((place, at)) = kept.accepted {
            digest.accepted = Some((change(place)?, time(at)?));
        }
        for at in kept.unrecorded {
            digest.versions.get_mut(usize::try_from(at).ok()?)?.recorded = false;
        }
        Some(digest)
    }

    /// A digest from what the files say and what the history says.
    fn assemble(
        &self,
        folder: &FolderHistory,
        key: Option<Key>,
        delivered: Option<Delivery>,
        tip: AtTip,
        events: Events,
        mut incidents: FolderIncidents,
    ) -> FolderDigest {
        // Nearly all folders have one.
        let mut versions: Vec<BriefVersion> = Vec::with_capacity(1);
        for version in &folder.versions {
            if let Some(blob) = version.brief
                && versions.last().is_none_or(|last| last.blob != blob)
            {
                versions.push(BriefVersion { change: self.change(version), blob, recorded: true });
            }
        }
        let mut digest = FolderDigest {
            path: folder.path.clone(),
            key,
            delivered,
            tip,
            versions,
            events,
            timeline_at_tip: folder.versions.last().is_some_and(|v| v.timeline.is_some()),
            timeline_from: folder
                .versions
                .iter()
                .find(|version| version.timeline.is_some())
                .map(|version| version.commit),
            accepted: None,
            incidents: None,
        };
        incidents.absences = self.absences(folder);
        incidents.timeline_left = self.timeline_left(folder);
        if digest.delivered.is_some() && !digest.is_signed_at_tip() {
            incidents.removed = removal(folder).map(|version| self.change(version));
        }
        digest.incidents = incidents.if_any();
        digest
    }

    /// From which commit to which the folder's brief was gone, after it had been there.
    fn absences(&self, folder: &FolderHistory) -> Vec<(RecordedCommit, Option<RecordedCommit>)> {
        let mut absences: Vec<(RecordedCommit, Option<RecordedCommit>)> = Vec::new();
        let there = folder.versions.iter().position(|version| version.brief.is_some());
        let after = there.map_or(&[][..], |there| &folder.versions[there..]);
        for version in after {
            let open = absences.last_mut().filter(|(_, back)| back.is_none());
            match (open, version.brief) {
                (None, None) => absences.push((self.change(version), None)),
                (Some((_, back)), Some(_)) => *back = Some(self.change(version)),
                _ => {}
            }
        }
        absences
    }

    /// The commit that took the timeline away, where it is gone.
    fn timeline_left(&self, folder: &FolderHistory) -> Option<RecordedCommit> {
        let last = folder.versions.iter().rposition(|version| version.timeline.is_some())?;
        folder.versions.get(last + 1).map(|version| self.change(version))
    }

    pub(super) fn delivery(
        &self,
        version: &Version,
        blob: ObjectId,
        brief: Arc<BriefFacts>,
    ) -> Delivery {
        let commit = &self.history.commits[version.commit as usize];
        Delivery {
            change: self.change(version),
            not_before: moment(self.not_before[version.commit as usize]),
            dated_before_parent: commit
                .parent_committed_at
                .is_some_and(|parent| commit.committed_at < parent),
            blob,
            brief,
            arrival: None,
        }
    }

    pub(super) fn change(&self, version: &Version) -> RecordedCommit {
        let commit = &self.history.commits[version.commit as usize];
        RecordedCommit { commit: commit.id, at: moment(commit.committed_at), order: version.commit }
    }

    /// The commit that brought a version.
    #[must_use]
    pub fn commit(&self, version: &Version) -> ObjectId {
        self.history.commits[version.commit as usize].id
    }

    /// The schema in force at a version; `None` while the ledger had none.
    #[must_use]
    pub fn schema_at(&self, version: &Version) -> Option<ObjectId> {
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

/// The version that took the brief away: the first of the last run without a
/// brief, or with the brief that has no signature any more.
fn removal(folder: &FolderHistory) -> Option<&Version> {
    let last = folder.versions.last()?.brief;
    let kept = folder.versions.iter().rposition(|version| version.brief != last);
    folder.versions.get(kept.map_or(0, |at| at + 1))
}

/// Reads the blobs of a ledger.
pub trait BlobSource {
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

    /// Whether handoff made a commit, for the handoff of this key; `None` where
    /// nothing tells.
    fn is_handoffs(&mut self, commit: ObjectId, key: Option<&str>) -> Option<bool> {
        let _ = (commit, key);
        None
    }
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
            "Run `handoff validate` and fix the file, or `git fsck` and restore the object."
                .to_owned(),
        ),
    };
    let mut gaps: Vec<Gap> =
        digests.iter().flat_map(|digest| digest.incidents().unreadable.iter().map(gap)).collect();
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
fn digest(
    digester: &Digester<'_>,
    folder: &FolderHistory,
    blobs: &mut impl BlobSource,
) -> FolderDigest {
    let mut unreadable = Vec::new();
    let delivered = first_signed(digester, folder, blobs, &mut unreadable);
    let tip = at_tip(digester, folder, blobs, delivered.as_ref(), &mut unreadable);

    let Timelines { last: timeline, accepted, mut incidents } =
        timelines(digester, folder, blobs, &mut unreadable);
    incidents.unreadable = unreadable;

    let named = |brief: &BriefFacts| brief.key.clone();
    let of_timeline = timeline.as_ref().map(|timeline| timeline.key.clone());
    let (events, briefs) =
        timeline.map(|timeline| (timeline.events, timeline.briefs)).unwrap_or_default();
    // What handoff wrote at first is whose folder it is, whatever people made of it since.
    let handed_over = delivered.as_ref().filter(|delivery| briefs.contains(&delivery.blob));
    let changed = match &tip {
        AtTip::Changed(brief) => named(brief),
        _ => None,
    };
    let key = handed_over
        .and_then(|delivery| named(&delivery.brief))
        .or(changed)
        .or_else(|| delivered.as_ref().and_then(|delivery| named(&delivery.brief)))
        .or(of_timeline)
        .or_else(|| folder.key_text.as_deref().and_then(|text| Key::parse(text).ok()));
    let mut digest = digester.assemble(folder, key, delivered, tip, events, incidents);
    for version in &mut digest.versions {
        version.recorded = briefs.contains(&version.blob);
    }
    digest.accepted = accepted;
    digest
}

/// So many events of one folder are told that handoff did not record.
const MOST_FOREIGN: usize = 16;

/// What a folder's timelines say, one after the other.
#[derive(Default)]
struct Timelines {
    last: Option<TimelineFacts>,
    accepted: Option<(RecordedCommit, DateTime<Utc>)>,
    incidents: FolderIncidents,
}

fn timelines(
    digester: &Digester<'_>,
    folder: &FolderHistory,
    blobs: &mut impl BlobSource,
    unreadable: &mut Vec<(String, String)>,
) -> Timelines {
    let mut found = Timelines::default();
    let mut seen = None;
    let mut sources = Sources::default();
    let at_tip = folder.versions.last().and_then(|version| version.timeline);
    let mut earlier: Vec<ObjectId> = Vec::new();
    let mut was_there = false;
    for version in &folder.versions {
        let change = digester.change(version);
        let had_timeline = std::mem::replace(&mut was_there, version.timeline.is_some());
        let Some(blob) = version.timeline else {
            // Whoever takes the timeline away did not touch the sources.
            let recorded: Option<&[ObjectId]> = found.last.is_none().then_some(&[]);
            sources.see(version, change, recorded);
            let rewritten = &mut found.incidents.rewritten;
            if had_timeline && version.brief.is_some() && rewritten.is_none() {
                *rewritten = Some(Rewritten { change, event: None });
            }
            continue;
        };
        if seen.replace(blob) == Some(blob) {
            let recorded = found.last.as_ref().map(|last| &last.sources[..]);
            sources.see(version, change, recorded);
            continue;
        }
        let timeline = match blobs.timeline(blob) {
            Ok(timeline) => timeline,
            // A broken one that is gone or was fixed since hides nothing: the
            // next one is compared with the one before it.
            Err(ReadError::Content(_)) if at_tip != Some(blob) => {
                sources.see(version, change, None);
                continue;
            }
            Err(error) => {
                sources.see(version, change, None);
                unreadable.push((format!("{}/timeline.yaml", folder.path), error.to_string()));
                if at_tip == Some(blob) {
                    found.last = None;
                }
                continue;
            }
        };
        let incidents = &mut found.incidents;
        if let Some(before) = &found.last
            && incidents.rewritten.is_none()
            && let Some(event) = before.missing_from(&timeline)
        {
            let event = Some(event.as_str().to_owned());
            incidents.rewritten = Some(Rewritten { change, event });
        }
        if blobs.is_handoffs(change.commit, folder.key_text.as_deref()) == Some(false) {
            let known: Vec<TimelineFacts> =
                earlier.iter().filter_map(|blob| blobs.timeline(*blob).ok()).collect();
            let new = timeline.events.beyond(known.iter().map(|known| &known.events));
            let new = new.iter().take(MOST_FOREIGN.saturating_sub(incidents.foreign.len()));
            let foreign = new.map(|it| ForeignEvent { change, event: it.event, at: it.at });
            incidents.foreign.extend(foreign);
        }
        earlier.push(blob);
        if let Some(at) = timeline.events.latest().filter(|at| *at > change.at)
            && incidents.ahead.is_none_or(|early| at - change.at > early.at - early.change.at)
        {
            incidents.ahead = Some(Early { change, at });
        }
        let exemptions = |it: &TimelineFacts| it.events.of(EventKind::Exempted).count();
        if exemptions(&timeline) > found.last.as_ref().map_or(0, exemptions) {
            incidents.exempted = Some(change);
        }
        let acceptances = |it: &TimelineFacts| it.events.of(EventKind::Accepted).count();
        if acceptances(&timeline) > found.last.as_ref().map_or(0, acceptances) {
            let last = timeline.events.of(EventKind::Accepted).last();
            found.accepted = last.map(|accepted| (change, accepted.at));
        }
        sources.see(version, change, Some(&timeline.sources));
        found.last = Some(timeline);
    }
    found.incidents.forged = sources.forged;
    found
}

/// A folder's `sources.yaml` from version to version, beside what the
/// timelines record of it.
#[derive(Default)]
struct Sources {
    now: Option<ObjectId>,
    /// What the last timeline that could be read records.
    recorded: Vec<ObjectId>,
    forged: Option<ForgedSources>,
}

impl Sources {
    /// `recorded` is `None` while the timeline cannot be read: the next one
    /// that can decides.
    fn see(&mut self, version: &Version, change: RecordedCommit, recorded: Option<&[ObjectId]>) {
        let before = std::mem::replace(&mut self.now, version.sources);
        let is_another = before != version.sources;
        let what = match (version.sources, recorded) {
            (None, _) if before.is_some() && version.brief.is_some() => Some(Forgery::Removed),
            (Some(blob), Some(recorded)) if !recorded.contains(&blob) => Some(Forgery::Written),
            (Some(blob), _) if is_another && self.recorded.contains(&blob) => {
                Some(Forgery::BroughtBack)
            }
            _ => None,
        };
        if let Some(recorded) = recorded {
            recorded.clone_into(&mut self.recorded);
        }
        if let Some(what) = what.filter(|_| self.forged.is_none()) {
            self.forged = Some(ForgedSources { change, what });
        }
    }
}

/// The first version with a signature. An earlier version that is no brief is
/// no obstacle: what counts is when a readable one arrived.
fn first_signed(
    digester: &Digester<'_>,
    folder: &FolderHistory,
    blobs: &mut impl BlobSource,
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
    blobs: &mut impl BlobSource,
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
