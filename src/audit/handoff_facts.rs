//! One handoff: all folders of one key, taken together.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use rayon::prelude::*;

use super::brief_facts::{BriefFacts, DealAsWritten, SignatureAsWritten};
use super::events::{Events, Happened};
use super::folder_digest::{
    BriefVersion, Delivery, Early, FolderDigest, ForeignEvent, ForgedSources, RecordedCommit,
    Rewritten,
};
use crate::brief::{EventKind, TouchEvidence};
use crate::model::Key;
use crate::text::quoted;

/// What the audit knows of one handoff, up to the moment it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoffFacts {
    /// The key.
    pub key: Key,
    /// The ledger it lies in, when there are several.
    pub repository: Option<Arc<str>>,
    /// Its folders: the one that counts first, then by path.
    pub folders: Vec<FolderAtTip>,
    /// The brief at the tip, where one can be read.
    pub tip: Option<Arc<BriefFacts>>,
    /// The first arrival of a signed brief, at whatever path.
    pub delivered: Option<Delivery>,
    /// Whether a signed brief is at the tip.
    pub signed_at_tip: bool,
    /// The versions of the brief in the order they came, over all folders.
    pub versions: Vec<BriefVersion>,
    /// What happened, oldest first.
    pub events: Events,
    /// Whether the timeline is at the tip; an exemption counts only there.
    pub timeline_at_tip: bool,
    /// The commit that brought the last acceptance.
    pub accepted: Option<RecordedCommit>,
    incidents: Option<Box<HandoffIncidents>>,
}

/// What happened to few handoffs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandoffIncidents {
    /// The commit that took the last signed brief away.
    pub removed: Option<RecordedCommit>,
    /// The first event that was taken out of a timeline again.
    pub rewritten: Option<Rewritten>,
    /// The first commit that changed the sources past handoff, and the folder.
    pub forged: Option<(ForgedSources, String)>,
    /// The event that was committed the longest before its own time.
    pub ahead: Option<Early>,
    /// From which commit to which the brief was gone from all its folders, for
    /// the first time: one that was moved was never gone.
    pub gone: Option<(RecordedCommit, RecordedCommit)>,
    /// The commit that brought the last exemption.
    pub exempted: Option<RecordedCommit>,
    /// The first events that commits brought which handoff did not make, and
    /// their folder.
    pub foreign: Vec<(ForeignEvent, String)>,
}

static NO_INCIDENTS: HandoffIncidents = HandoffIncidents {
    removed: None,
    rewritten: None,
    forged: None,
    ahead: None,
    gone: None,
    exempted: None,
    foreign: Vec::new(),
};

/// A word of a brief that is not what it was handed over with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    /// Which one, `key`.
    pub what: &'static str,
    /// What it was.
    pub then: String,
    /// What it is.
    pub now: String,
}

/// One path of a handoff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderAtTip {
    /// The path below the ledger's root.
    pub path: String,
    /// Whether a signed brief is there at the tip.
    pub signed_at_tip: bool,
}

impl HandoffFacts {
    /// What happened to few handoffs.
    #[must_use]
    pub fn incidents(&self) -> &HandoffIncidents {
        self.incidents.as_deref().unwrap_or(&NO_INCIDENTS)
    }

    /// The folder that counts.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.folders.first().map_or("", |folder| folder.path.as_str())
    }

    /// The folder that counts, with the ledger in front when there are several.
    #[must_use]
    pub fn location(&self) -> String {
        self.locate(self.folder())
    }

    /// A folder of this handoff, with the ledger in front when there are several.
    pub(super) fn locate(&self, folder: &str) -> String {
        match &self.repository {
            Some(repository) => format!("{}/{folder}", repository.trim_end_matches('/')),
            None => folder.to_owned(),
        }
    }

    /// The brief as it is now, else as it was delivered.
    #[must_use]
    pub fn brief(&self) -> Option<&BriefFacts> {
        self.tip.as_deref().or(self.delivered.as_ref().map(|delivery| &*delivery.brief))
    }

    /// The deal it is about: as handoff wrote it, whatever people made of it since.
    #[must_use]
    pub fn deal(&self) -> Option<&DealAsWritten> {
        let now = self.brief()?.deal.as_ref();
        let delivered = self.delivered.as_ref().and_then(|it| it.brief.deal.as_ref());
        let is_other = |delivered: &&DealAsWritten| {
            !self.is_written_by_handoff()
                && now.is_none_or(|now| now.identity() != delivered.identity())
        };
        delivered.filter(is_other).or(now)
    }

    /// The deal that the brief names at the tip, where somebody made it another
    /// one than it was handed over for.
    #[must_use]
    pub fn swapped_deal(&self) -> Option<&DealAsWritten> {
        let now = self.tip.as_deref()?.deal.as_ref()?;
        (now.identity() != self.deal()?.identity()).then_some(now)
    }

    /// Which words of the brief at the tip somebody made others than it was handed
    /// over with, by which a handoff is known: its key, its document, when that was
    /// signed. Each with what it was and what it is. What handoff recorded is none.
    #[must_use]
    pub fn altered(&self) -> Vec<Altered> {
        let mut altered = Vec::new();
        let (Some(delivered), Some(tip)) = (&self.delivered, self.tip.as_deref()) else {
            return altered;
        };
        let mut tell = |what: &'static str, then: String, now: String| {
            altered.push(Altered { what, then, now });
        };
        let by_hand = !self.is_written_by_handoff();
        if let (Some(then), Some(now)) = (&delivered.brief.key, &tip.key)
            && then != now
            && by_hand
        {
            tell("key", then.to_string(), now.to_string());
        }
        let (Some(then), Some(now)) = (&delivered.brief.signature, &tip.signature) else {
            return altered;
        };
        let named = |brief: &BriefFacts, signature: &SignatureAsWritten| {
            // On the CRM's word there is no document: the event names the deal.
            let document = signature.document_id.as_ref().map(|id| id.as_str().to_owned());
            document.or_else(|| Some(brief.deal.as_ref()?.id.as_str().to_owned()))
        };
        let document = named(tip, now);
        let kinds = [EventKind::Signed, EventKind::Backfilled, EventKind::Amended];
        let recorded: Vec<Happened<'_>> = kinds
            .into_iter()
            .flat_map(|kind| self.events.of(kind))
            .filter(|it| it.via == now.provider.as_str() && it.reference == document.as_deref())
            .collect();
        let is_same = then.provider == now.provider && then.document_id == now.document_id;
        if !is_same && recorded.is_empty() && self.swapped_deal().is_none() {
            let shown = |brief: &BriefFacts, signature: &SignatureAsWritten| {
                let document = named(brief, signature).unwrap_or_default();
                format!("{} {}", signature.provider, quoted(&document))
            };
            tell("document", shown(&delivered.brief, then), shown(tip, now));
        }
        let is_recorded =
            |at: DateTime<Utc>| recorded.iter().any(|event| event.at == at.trunc_subsecs(0));
        if then.signed_at != now.signed_at && by_hand && !now.signed_at.is_some_and(is_recorded) {
            let shown = |at: Option<DateTime<Utc>>| {
                at.map_or_else(
                    || "no time".to_owned(),
                    |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
                )
            };
            tell("time of the signature", shown(then.signed_at), shown(now.signed_at));
        }
        altered
    }

    /// Whether handoff wrote the brief that is at the tip.
    fn is_written_by_handoff(&self) -> bool {
        self.tip.is_some() && self.versions.last().is_some_and(|version| version.recorded)
    }

    /// The signature it was delivered with, else the present one.
    #[must_use]
    pub fn signature(&self) -> Option<&SignatureAsWritten> {
        let delivered = self.delivered.as_ref().map(|delivery| &*delivery.brief);
        delivered.or(self.tip.as_deref()).and_then(|brief| brief.signature.as_ref())
    }

    /// Whether it was made as a handoff of its own beside another one of its deal, such as
    /// a renewal: its key says so.
    pub(super) fn renews(&self, other: &Self) -> bool {
        let document = self.signature().and_then(|signature| signature.document_id.as_ref());
        let key = document.and_then(|document| Key::for_renewal(&other.key, document).ok());
        key.as_ref() == Some(&self.key)
    }

    /// Whether it was handed over on the CRM's word, without an e-signature.
    #[must_use]
    pub fn is_on_crm_word(&self) -> bool {
        let provider = self.signature().map(|signature| signature.provider.as_str());
        provider.is_some() && provider == self.deal().map(|deal| deal.crm.as_str())
    }

    /// The first event of a kind.
    #[must_use]
    pub fn first(&self, kind: EventKind) -> Option<Happened<'_>> {
        self.events.of(kind).next()
    }

    /// The earliest first touch; where evidence is needed, of those that the
    /// CRM shows.
    #[must_use]
    pub fn first_touch(&self, needs_evidence: bool) -> Option<Happened<'_>> {
        let touches = self.events.of(EventKind::Touched);
        touches
            .filter(|event| !needs_evidence || event.evidence == Some(TouchEvidence::Crm))
            .min_by_key(|event| event.at)
    }

    /// The last event of a kind.
    #[must_use]
    pub fn last(&self, kind: EventKind) -> Option<Happened<'_>> {
        self.events.of(kind).last()
    }

    /// Whether the brief was made afterwards for a handoff that was missing.
    #[must_use]
    pub fn is_backfilled(&self) -> bool {
        self.events.has(EventKind::Backfilled)
    }

    /// The exemption that counts: at the tip, with a reason and an approver.
    #[must_use]
    pub fn exemption(&self) -> Option<(&str, &str)> {
        let filled = |text: &&str| !text.trim().is_empty();
        self.exemptions()
            .filter_map(|event| Some((event.reason.filter(filled)?, event.by.filter(filled)?)))
            .last()
    }

    /// Whether somebody tried to exempt it, with or without reason and approver.
    #[must_use]
    pub fn has_exempted_event(&self) -> bool {
        self.exemptions().next().is_some()
    }

    /// The last exemption, whether it counts or not.
    pub(super) fn last_exempted(&self) -> Option<Happened<'_>> {
        self.exemptions().last()
    }

    fn exemptions(&self) -> impl Iterator<Item = Happened<'_>> {
        let counts = self.timeline_at_tip;
        self.events.of(EventKind::Exempted).filter(move |_| counts)
    }
}

/// Puts the folders of each key together and leaves out the events after
/// `as_of`. The handoffs come sorted by key. `repository` names the ledger,
/// when there are several.
#[must_use]
pub fn combine(
    digests: Vec<FolderDigest>,
    as_of: DateTime<Utc>,
    repository: Option<&str>,
) -> Vec<HandoffFacts> {
    let repository: Option<Arc<str>> = repository.map(Arc::from);
    let mut digests: Vec<Option<FolderDigest>> = digests.into_iter().map(Some).collect();
    let key = |digest: &Option<FolderDigest>| digest.as_ref().and_then(|it| it.key.clone());
    digests.sort_by_cached_key(key);
    digests
        .par_chunk_by_mut(|one, next| key(one) == key(next))
        .flat_map_iter(|same| {
            let same: Vec<FolderDigest> = same.iter_mut().filter_map(Option::take).collect();
            let key = same.first().and_then(|digest| digest.key.clone());
            let groups = if key.is_some() { separate(same) } else { Vec::new() };
            let repository = &repository;
            groups.into_iter().zip(std::iter::repeat(key)).filter_map(move |(digests, key)| {
                Some(HandoffFacts { repository: repository.clone(), ..join(key?, digests, as_of) })
            })
        })
        .collect()
}

/// Folders with one key and different deals are different handoffs whose keys
/// fell together; a folder that names no deal goes with the first of them.
fn separate(digests: Vec<FolderDigest>) -> Vec<Vec<FolderDigest>> {
    if digests.len() < 2 {
        return vec![digests];
    }
    let mut by_deal: BTreeMap<_, Vec<FolderDigest>> = BTreeMap::new();
    let mut without = Vec::new();
    for digest in digests {
        let delivered = digest.delivered.as_ref().and_then(|it| it.brief.deal.as_ref());
        let deal = delivered.or_else(|| digest.brief_at_tip()?.deal.as_ref());
        match deal.map(DealAsWritten::identity) {
            Some(identity) => by_deal.entry(identity).or_default().push(digest),
            None => without.push(digest),
        }
    }
    let mut groups: Vec<_> = by_deal.into_values().collect();
    match groups.first_mut() {
        Some(first) => first.append(&mut without),
        None => groups.push(without),
    }
    groups
}

fn join(key: Key, mut digests: Vec<FolderDigest>, as_of: DateTime<Utc>) -> HandoffFacts {
    // The folder that counts: with a signed brief at the tip, then with any
    // brief, then with a timeline; among equals the first to be delivered.
    digests.sort_by_cached_key(|digest| {
        (
            !digest.is_signed_at_tip(),
            digest.brief_at_tip().is_none(),
            !digest.timeline_at_tip,
            digest.delivered.as_ref().map_or(u32::MAX, |delivery| delivery.change.order),
            digest.path.clone(),
        )
    });
    let folders: Vec<FolderAtTip> = digests
        .iter()
        .map(|digest| FolderAtTip {
            path: digest.path.clone(),
            signed_at_tip: digest.is_signed_at_tip(),
        })
        .collect();
    let signed_at_tip = digests.first().is_some_and(FolderDigest::is_signed_at_tip);
    let tip = digests.first().and_then(FolderDigest::brief_at_tip).cloned();
    let removed = if signed_at_tip {
        None
    } else {
        digests
            .iter()
            .filter_map(|digest| digest.incidents().removed)
            .max_by_key(|change| change.order)
    };
    let timeline_at_tip = digests.iter().any(|digest| digest.timeline_at_tip);
    let incidents = || digests.iter().map(|digest| (digest, digest.incidents()));
    let rewritten = incidents().filter_map(|(_, it)| it.rewritten.clone());
    let rewritten = rewritten.chain(lost_on_the_way(&digests, signed_at_tip));
    let rewritten = rewritten.min_by_key(|rewritten| rewritten.change.order);
    let forged = incidents().filter_map(|(digest, it)| Some((it.forged?, digest.path.clone())));
    let forged = forged.min_by_key(|(forged, _)| forged.change.order);
    let ahead = incidents().filter_map(|(_, it)| it.ahead);
    let ahead = ahead.max_by_key(|early| early.at - early.change.at);
    let exempted = incidents().filter_map(|(_, it)| it.exempted);
    let exempted = exempted.max_by_key(|change| change.order);
    // A folder that was moved brings its acceptance with it.
    let last = digests.iter().filter_map(|digest| digest.accepted).map(|(_, at)| at).max();
    let accepted = digests.iter().filter_map(|digest| digest.accepted);
    let accepted = accepted.filter(|(_, at)| Some(*at) == last).map(|(change, _)| change);
    let accepted = accepted.min_by_key(|change| change.order);
    let (foreign, gone) = (foreign(&digests), gone(&digests));
    let incidents = HandoffIncidents { removed, rewritten, forged, ahead, gone, exempted, foreign };

    let mut delivered: Option<Delivery> = None;
    let mut versions: Vec<BriefVersion> = Vec::new();
    let mut timelines: Vec<Events> = Vec::with_capacity(1);
    for digest in digests {
        match versions.is_empty() {
            true => versions = digest.versions,
            false => versions.extend(digest.versions),
        }
        // A folder that was moved left its old timeline behind in the history;
        // the new one has the same events and more.
        if digest.timeline_at_tip || !timeline_at_tip {
            timelines.push(digest.events);
        }
        if let Some(delivery) = digest.delivered
            && delivered.as_ref().is_none_or(|first| delivery.change.order < first.change.order)
        {
            delivered = Some(delivery);
        }
    }
    let events = Events::merge(timelines, as_of);
    versions.sort_by_key(|version| version.change.order);
    versions.dedup_by_key(|version| version.blob);
    HandoffFacts {
        key,
        repository: None,
        folders,
        tip,
        delivered,
        signed_at_tip,
        versions,
        events,
        timeline_at_tip,
        accepted,
        incidents: (incidents != NO_INCIDENTS).then(|| Box::new(incidents)),
    }
}

/// What a timeline lost when its folder was moved: the one that came in its
/// place, or was copied from it, lacks an event, or there is none.
fn lost_on_the_way(digests: &[FolderDigest], signed_at_tip: bool) -> Option<Rewritten> {
    if digests.len() < 2 {
        return None;
    }
    let now: Vec<&FolderDigest> = digests.iter().filter(|digest| digest.timeline_at_tip).collect();
    let left =
        digests.iter().filter_map(|digest| Some((digest, digest.incidents().timeline_left?)));
    let lost = left.filter_map(|(digest, change)| {
        if now.is_empty() {
            let event = None;
            return signed_at_tip.then_some(Rewritten { change, event });
        }
        let lost = digest.events.beyond(now.iter().map(|now| &now.events));
        let comes_at_once = |now: &&FolderDigest| now.timeline_from == Some(change.order);
        // Another handoff of this key that was taken away is not lost, but one too many.
        let is_copied = lost.iter().count() < digest.events.iter().count();
        let event = lost.iter().next().filter(|_| is_copied || now.iter().any(comes_at_once))?;
        Some(Rewritten { change, event: Some(event.event.as_str().to_owned()) })
    });
    lost.min_by_key(|rewritten| rewritten.change.order)
}

/// The events that handoff did not record, without those that were moved.
fn foreign(digests: &[FolderDigest]) -> Vec<(ForeignEvent, String)> {
    let mut foreign = Vec::new();
    for digest in digests {
        let is_moved = |event: &ForeignEvent| {
            digests.iter().filter(|other| other.path != digest.path).any(|other| {
                other.timeline_from.is_some_and(|from| from < event.change.order)
                    && other.events.of(event.event).any(|it| it.at == event.at)
            })
        };
        let told = digest.incidents().foreign.iter().filter(|event| !is_moved(event));
        foreign.extend(told.map(|event| (*event, digest.path.clone())));
    }
    foreign.sort_by_key(|(event, _)| event.change.order);
    foreign
}

/// From which commit to which none of the folders had the brief.
fn gone(digests: &[FolderDigest]) -> Option<(RecordedCommit, RecordedCommit)> {
    if digests.iter().all(|digest| digest.incidents().absences.is_empty()) {
        return None;
    }
    let mut changes: Vec<(RecordedCommit, i32)> = Vec::new();
    for digest in digests {
        changes.extend(digest.versions.first().map(|first| (first.change, 1)));
        for (gone, back) in &digest.incidents().absences {
            changes.push((*gone, -1));
            changes.extend(back.map(|back| (back, 1)));
        }
    }
    changes.sort_by_key(|(change, _)| change.order);
    let (mut there, mut gone) = (0, None);
    for same in changes.chunk_by(|(a, _), (b, _)| a.order == b.order) {
        there += same.iter().map(|(_, by)| by).sum::<i32>();
        match (there, gone) {
            (0, None) => gone = Some(same[0].0),
            (1.., Some(gone)) => return Some((gone, same[0].0)),
            _ => {}
        }
    }
    None
}
