//! The deal of a handoff is read again: what the CRM corrected becomes a
//! commit that names the answers, and what people wrote stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compose::{Correction, KnownCustomer, compose, composed_instruction, set_instruction};
use super::customers::OpenHandoffs;
use super::deal::Found;
use super::deliveries::{Horizon, keys_within};
use super::loose_documents::joined_deals;
use super::sources::{ReplacedVersion, WrittenVersion, composed_sources, of_deal_alone};
use super::store::{LOCK_WAIT, Stored, brief_change, commit, machine_version};
use super::{Context, WorkflowError, pending_pull_request};
use crate::brief::{
    Brief, ChangedAnswer, ChangedData, Completeness, DEAL_GONE, DEAL_LOST, DEAL_MISSING, Event,
    EventKind, MissingField, Timeline, merge,
};
use crate::crm::{AskedDeal, Crm, CrmError};
use crate::disk::{self, Access};
use crate::ledger::{Snapshot, blob_id};
use crate::model::{
    CrmName, Deal, DealId, DocumentId, Gap, Key, Money, ObjectId, Outcome, ProviderName, Remarks,
    Signature, Signer, normalise_deal_id,
};
use crate::text::{one_line, quoted, shorten};

/// How far back the first look goes.
const FIRST_LOOK: TimeDelta = TimeDelta::days(1);
/// Deals that are read together, before somebody else has their turn: what a
/// batch with its history holds in the CRM that allows the fewest.
const AT_ONCE: usize = 50;
/// A CRM's lists lag behind what was written to it.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// What reading a deal again has come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Refreshed {
    /// The CRM says what the brief says.
    Unchanged,
    /// The brief follows the CRM.
    Corrected {
        /// The answers that are other ones now.
        changed: Vec<ChangedAnswer>,
        /// What else of the brief follows the CRM: the deal's owner, its name.
        data: Vec<ChangedData>,
    },
    /// The deal is lost, deleted or merged since; the brief stays as it is.
    NoLongerWon {
        /// What the CRM says.
        why: String,
    },
    /// There is nothing to read: no brief, no deal, another CRM.
    Skipped {
        /// Why.
        why: String,
    },
}

/// One handoff whose deal was read again.
#[derive(Debug, Clone)]
pub struct RefreshedHandoff {
    /// The handoff.
    pub key: Key,
    /// What it has come to.
    pub result: Refreshed,
    /// The commit that was made; `None` when nothing was new.
    pub commit: Option<ObjectId>,
    /// Answers that are still missing.
    pub missing: Vec<MissingField>,
    /// What a person should know.
    pub remarks: Remarks,
}

/// Reads the deal of a handoff again and merges what has changed. Nothing is
/// pushed; with `dry_run` nothing is written either.
///
/// # Errors
/// When there is no such handoff, the CRM cannot be asked, or the ledger
/// cannot be read or written. Nothing is half written.
pub async fn refresh(
    context: &Context,
    key: &Key,
    dry_run: bool,
) -> Result<RefreshedHandoff, WorkflowError> {
    let mut refreshed = refresh_many(context, std::slice::from_ref(key), dry_run).await;
    refreshed.pop().expect("one handoff was asked for").1
}

/// As [`refresh`], of several handoffs in their order: their deals are asked
/// for together, so many at once, and what fails of one keeps none of the
/// others back. Nothing of the ledger is locked meanwhile.
pub async fn refresh_many(
    context: &Context,
    keys: &[Key],
    dry_run: bool,
) -> Vec<(Key, Result<RefreshedHandoff, WorkflowError>)> {
    let mut done = Vec::with_capacity(keys.len());
    for keys in keys.chunks(AT_ONCE) {
        done.extend(refresh_part(context, keys, dry_run).await);
    }
    done
}

async fn refresh_part(
    context: &Context,
    keys: &[Key],
    dry_run: bool,
) -> Vec<(Key, Result<RefreshedHandoff, WorkflowError>)> {
    let mut results: Vec<(Key, Option<Result<RefreshedHandoff, WorkflowError>>)> = Vec::new();
    let mut open = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        let known = match context.handoff(key) {
            Err(error) => Some(Err(error)),
            Ok(stored) => match readable(context, &stored) {
                Err(why) => Some(Ok(done(context, key, &stored, Refreshed::Skipped { why }))),
                Ok((_, id)) => {
                    let signature =
                        stored.brief.as_ref().map(|brief| signature_of(context, &stored, brief));
                    open.push((place, id, signature));
                    None
                }
            },
        };
        results.push((key.clone(), known));
    }
    if let Some(crm) = context.crm.as_deref().filter(|_| !open.is_empty()) {
        let asked: Vec<AskedDeal<'_>> = open
            .iter()
            .map(|(_, id, signature)| AskedDeal { id, signature: signature.as_ref() })
            .collect();
        let deals = crm.deals(&asked).await;
        for ((place, id, _), deal) in open.iter().zip(deals) {
            let (key, result) = &mut results[*place];
            *result = Some(match deal {
                Ok(deal) => with_deal(context, key, deal, dry_run),
                Err(CrmError::NotFound { .. }) => {
                    let why = format!("{}{DEAL_MISSING}{id} any more", crm.name());
                    no_longer_won(context, key, why, dry_run)
                }
                Err(error) => Err(error.into()),
            });
        }
    }
    let answered = |(key, result): (Key, Option<_>)| (key, result.expect("each has its answer"));
    results.into_iter().map(answered).collect()
}

/// Reads a deal that the webhook of `sender` named again, where it was handed
/// over; else nothing is read.
///
/// # Errors
/// As [`refresh`].
pub async fn refresh_deal(
    context: &Context,
    sender: &ProviderName,
    id: &DealId,
) -> Result<Option<RefreshedHandoff>, WorkflowError> {
    let crm = CrmName::new(sender.as_str());
    let id = normalise_deal_id(&crm, id);
    let mut key = Key::for_deal(&crm, &id)?;
    let mut stored = context.stored(&key, None)?;
    if stored.is_none()
        && let Some(joined) = joined_deals(context, &crm).remove(&id)
    {
        stored = context.stored(&joined, None)?;
        key = joined;
    }
    let is_signed = stored.is_some_and(|it| it.brief.is_some_and(|brief| brief.view().is_signed()));
    if is_signed { refresh(context, &key, false).await.map(Some) } else { Ok(None) }
}

/// What reading the changed deals again came to.
#[derive(Debug, Default)]
pub struct RefreshedMany {
    /// The handoffs whose deals were read.
    pub read: Vec<RefreshedHandoff>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Whether more of them can be read at once.
    pub goes_on: bool,
}

/// The handoffs within the horizon whose deals the CRM says were changed since
/// a moment, and what could not be read; all of them where it cannot tell.
///
/// # Errors
/// When the CRM cannot be asked or the ledger cannot be read at all.
pub async fn changed_handoffs(
    context: &Context,
    since: DateTime<Utc>,
    horizon: Horizon,
) -> Result<(Vec<Key>, Vec<Gap>), WorkflowError> {
    let crm = context.crm.as_deref().ok_or(WorkflowError::NoCrm)?;
    let changed = crm.changed_since(since).await?;
    let Some(changed) = changed else { return keys_within(context, horizon) };
    let (changed, mut gaps) = changed.into_parts();
    if changed.is_empty() {
        return Ok((Vec::new(), gaps));
    }
    let joined = joined_deals(context, crm.name());
    let mut keys_of = BTreeSet::new();
    for id in changed {
        let id = normalise_deal_id(crm.name(), &id);
        keys_of.extend(Key::for_deal(crm.name(), &id));
        keys_of.extend(joined.get(&id).cloned());
    }
    let changed = keys_of;
    let (keys, unread) = keys_within(context, horizon)?;
    gaps.extend(unread);
    Ok((keys.into_iter().filter(|key| changed.contains(key)).collect(), gaps))
}

/// What is still to be read, kept beside the ledger's objects.
#[derive(Debug, Default, Serialize, Deserialize)]
struct RefreshCursor {
    /// Up to when everything was read.
    since: Option<DateTime<Utc>>,
    /// Up to when it will be, once nothing is left.
    until: Option<DateTime<Utc>>,
    left: Vec<Key>,
}

impl RefreshCursor {
    /// One that cannot be read starts again.
    #[expect(
        clippy::disallowed_methods,
        reason = "its fields are typed: one that stands twice is refused"
    )]
    fn load(path: &Path) -> Self {
        let bytes = fs::read(path).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn save(&self, path: &Path) -> Result<(), WorkflowError> {
        let bytes = serde_json::to_vec(self).expect("keys and times are plain data");
        let write = || {
            disk::make_folder(path.parent().unwrap_or(path), Access::Private)?;
            disk::write(path, &bytes, Access::Private)
        };
        write().map_err(|error| WorkflowError::file(path, &error))
    }
}

/// Reads deals again that were changed since the last time, so many at once
/// that new signatures do not wait for them; a CRM that cannot tell which is
/// not asked. What could not be read for now is tried again.
///
/// # Errors
/// When the CRM cannot be asked, or the ledger cannot be read at all.
pub async fn refresh_changed(
    context: &Context,
    horizon: Horizon,
) -> Result<RefreshedMany, WorkflowError> {
    let mut done = RefreshedMany::default();
    if context.crm.is_none() || context.config.crm.file().is_some() {
        return Ok(done);
    }
    let path = context.ledger.git_dir().join("handoff").join("refreshed");
    let mut cursor = RefreshCursor::load(&path);
    if cursor.left.is_empty() {
        let since = cursor.since.unwrap_or(context.now - FIRST_LOOK);
        let (keys, gaps) = changed_handoffs(context, since - OVERLAP, horizon).await?;
        // A list that is not whole is asked for again.
        cursor.until = gaps.is_empty().then_some(context.now);
        (cursor.left, done.gaps) = (keys, gaps);
    }
    let now: Vec<Key> = cursor.left.drain(..cursor.left.len().min(AT_ONCE)).collect();
    for (key, refreshed) in refresh_many(context, &now, false).await {
        match refreshed {
            Ok(refreshed) => done.read.push(refreshed),
            Err(error) => {
                let why = error.to_string();
                done.gaps.push(Gap::new(key.to_string(), why));
                if error.may_pass() {
                    cursor.left.push(key);
                }
            }
        }
    }
    if cursor.left.is_empty() {
        cursor.since = cursor.until.take().or(cursor.since);
    }
    done.goes_on = !cursor.left.is_empty() && done.gaps.is_empty();
    cursor.save(&path)?;
    Ok(done)
}

/// Merges a deal that was read a moment ago into its signed handoff.
///
/// # Errors
/// As [`refresh`].
pub(super) fn with_deal(
    context: &Context,
    key: &Key,
    mut deal: Deal,
    dry_run: bool,
) -> Result<RefreshedHandoff, WorkflowError> {
    if let Some(why) = gone(context, &deal) {
        return no_longer_won(context, key, why, dry_run);
    }
    let mut remarks = Remarks::default();
    if !dry_run {
        goes_on(context, key, &deal, &mut remarks)?;
        merged(context, key, &deal, &mut remarks)?;
    }
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let snapshot = writer.snapshot()?;
    let stored = pending_pull_request::find(context, &snapshot, key, None)?
        .ok_or_else(|| WorkflowError::NoHandoff(key.clone()))?;
    let Some(before) = &stored.brief else {
        let why = "it has no brief".to_owned();
        return Ok(done(context, key, &stored, Refreshed::Skipped { why }));
    };
    if let Some((_, id)) = before.view().deal()
        && id != normalise_deal_id(&deal.crm, &deal.id)
    {
        remarks.push(format!("deal {id} was merged into {}", deal.id));
        // The handoff keeps its identity.
        deal.id = before.view().deal_id().unwrap_or(id);
    }
    let reference = deal.id.as_str().to_owned();
    let crm = deal.crm.as_str().to_owned();
    let (found, mut theirs, noted) = composed_again(context, &snapshot, &stored, before, deal);
    let correction = Correction::of(context, &found, &stored.timeline, before, &mut theirs);
    remarks.extend(correction.kept_remarks(&theirs));
    remarks.take_over(noted);
    if !correction.is_change {
        let result = Refreshed::Unchanged;
        return Ok(RefreshedHandoff { remarks, ..done(context, key, &stored, result) });
    }
    let (changed, data) = (correction.changed.clone(), correction.data.clone());
    let result = Refreshed::Corrected { changed, data };
    let missing = Completeness::of(&context.schema, correction.brief.json()).missing;
    if dry_run {
        return Ok(RefreshedHandoff { key: key.clone(), result, commit: None, missing, remarks });
    }
    let fields = changed_fields(&correction);
    let blob = correction.blob(&stored.folder);
    let earlier = ReplacedVersion::of(context, &snapshot, Some(&stored))?;
    let version = WrittenVersion {
        key,
        brief: correction.brief.json(),
        blob: &blob,
        earlier: earlier.as_ref(),
    };
    let sources = of_deal_alone(composed_sources(context, &found, true, &theirs, None));
    let sources = version.of_machine(context, &theirs, &sources, None);
    let mut event = Event::new(context.now, kind_of(&stored.timeline), crm);
    event.reference = Some(reference);
    event.reason = Some(shorten(&fields, 1_000));
    event.brief = Some(blob.clone());
    event.sources = Some(blob_id(sources.as_bytes()).to_string());
    event.kept = correction.kept.clone();
    let mut timeline = stored.timeline.clone();
    let change = brief_change(context, key, &stored.folder, &correction.brief, sources)?
        .trailer("Handoff-Event", event.event.as_str())
        .trailer("Handoff-Fields", shorten(&fields, 500));
    timeline.events.push(event);
    let change = change.put("timeline.yaml", timeline.to_yaml());
    let commit = commit(&mut writer, stored.branch.as_deref(), &change, &mut remarks)?;
    Ok(RefreshedHandoff { key: key.clone(), result, commit, missing, remarks })
}

/// The brief of a handoff as handoff would write it from its deal as it is
/// now, what the deal was found as, and what a person should know.
pub(super) fn composed_again(
    context: &Context,
    snapshot: &Snapshot,
    stored: &Stored,
    before: &Brief,
    deal: Deal,
) -> (Found, Value, Remarks) {
    let signature = signature_of(context, stored, before);
    let signed_at = signature.signed_at.unwrap_or(context.now);
    let key = stored.timeline.key.clone();
    let found = Found::of_document(key, Some(deal), &signature, Remarks::default());
    let open = OpenHandoffs::default();
    let counts = || open.count(context, snapshot, signed_at);
    let composed = compose(context, &found, true, Some(before.json()), None, &counts, &|_| {
        KnownCustomer::default()
    });
    let mut theirs = composed.brief;
    // Who signed what, and what was before, is no matter of the deal.
    for section in ["signature", "amendments", "earlier"] {
        match (before.json().get(section), theirs.as_object_mut()) {
            (Some(kept), Some(fields)) => drop(fields.insert(section.to_owned(), kept.clone())),
            (None, Some(fields)) => drop(fields.shift_remove(section)),
            _ => {}
        }
    }
    // Its words are of the brief, which holds more than the deal.
    let whole = merge(None, before.json(), &theirs);
    if let Some(words) = composed_instruction(context, Some(&found), &whole) {
        set_instruction(&mut theirs, &words);
    }
    (found, theirs, composed.remarks)
}

/// A deal that goes on as part of another one: said once in the timeline.
fn merged(
    context: &Context,
    key: &Key,
    deal: &Deal,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let Some(stored) = context.stored(key, None)? else { return Ok(()) };
    let Some((crm, id)) = stored.brief.as_ref().and_then(|brief| brief.view().deal()) else {
        return Ok(());
    };
    if id == normalise_deal_id(&deal.crm, &deal.id) {
        return Ok(());
    }
    let why = format!("{crm} says deal {id} was merged into {}", deal.id);
    let mut events = stored.timeline.events.iter();
    if events.any(|it| it.via == crm.as_str() && it.reason.as_deref() == Some(&*why)) {
        return Ok(());
    }
    record_of_deal(context, key, &stored, crm.as_str(), (deal, why), remarks)
}

/// Records what a CRM says of a deal itself, beside its answers.
fn record_of_deal(
    context: &Context,
    key: &Key,
    stored: &Stored,
    crm: &str,
    (deal, why): (&Deal, String),
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let mut event = Event::new(context.now, EventKind::Corrected, crm);
    event.reference = Some(deal.id.as_str().to_owned());
    event.reason = Some(why);
    super::recording::append(context, key, &stored.folder, vec![event], remarks).map(drop)
}

/// A deal that was lost or deleted and is not any more: said once, and only where
/// the CRM says where it stands.
fn goes_on(
    context: &Context,
    key: &Key,
    deal: &Deal,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let Some(stored) = context.stored(key, None)? else { return Ok(()) };
    let Some(over) = stored.timeline.deal_is_over() else { return Ok(()) };
    let crm = deal.crm.as_str();
    let now = match deal.outcome {
        Outcome::Won => "won",
        Outcome::Open => "open",
        Outcome::Unknown | Outcome::Lost | Outcome::Gone => return Ok(()),
    };
    let why = format!("{crm} says deal {} is {now} again", deal.id);
    remarks.push(format!("{why}; before: {over}"));
    record_of_deal(context, key, &stored, crm, (deal, why), remarks)
}

/// A deal that is lost or deleted: said once in the timeline, and nothing is
/// taken away.
fn no_longer_won(
    context: &Context,
    key: &Key,
    why: String,
    dry_run: bool,
) -> Result<RefreshedHandoff, WorkflowError> {
    let stored = context.handoff(key)?;
    let crm = stored.brief.as_ref().and_then(|brief| brief.view().deal_crm());
    let via = crm.as_ref().map_or("crm", |crm| crm.as_str());
    let of_crm = stored.timeline.last_via(EventKind::Corrected, via);
    let is_known = of_crm.is_some_and(|event| event.reason.as_deref() == Some(&*why));
    let mut refreshed = done(context, key, &stored, Refreshed::NoLongerWon { why: why.clone() });
    if is_known || dry_run {
        return Ok(refreshed);
    }
    let mut event = Event::new(context.now, EventKind::Corrected, via);
    event.reference =
        stored.brief.as_ref().and_then(|brief| Some(brief.view().deal_id()?.as_str().to_owned()));
    event.reason = Some(why);
    super::recording::append(context, key, &stored.folder, vec![event], &mut refreshed.remarks)?;
    refreshed.commit = context.ledger.tip()?;
    Ok(refreshed)
}

/// What the CRM says of a deal that nobody needs a handoff for any more.
fn gone(context: &Context, deal: &Deal) -> Option<String> {
    let crm = context.crm.as_ref().map_or("the CRM", |crm| crm.name().as_str());
    match deal.outcome {
        Outcome::Lost => {
            let stage = deal
                .stage
                .as_deref()
                .map_or_else(String::new, |stage| format!(" (stage {})", quoted(stage)));
            Some(format!("{crm} says deal {}{DEAL_LOST}{stage}", deal.id))
        }
        Outcome::Gone => Some(format!("{crm} says deal {}{DEAL_GONE}", deal.id)),
        Outcome::Won | Outcome::Open | Outcome::Unknown => None,
    }
}

/// The CRM and the deal to ask it for, or why there is nothing to ask.
pub(super) fn readable<'a>(
    context: &'a Context,
    stored: &Stored,
) -> Result<(&'a dyn Crm, DealId), String> {
    let brief = stored.brief.as_ref().ok_or("it has no brief")?;
    if !brief.view().is_signed() {
        return Err("it is a draft; `handoff draft` reads its deal again".to_owned());
    }
    let crm = context.crm.as_deref().ok_or("`crm:` in handoff.yaml connects no CRM")?;
    let (name, id) = brief.view().deal().ok_or("the brief names no deal")?;
    if &name != crm.name() {
        return Err(format!("it is a deal of {name}, and {} is connected", crm.name()));
    }
    Ok((crm, brief.view().deal_id().unwrap_or(id)))
}

/// The signature as far as the brief tells it: enough for the mapping to give
/// the same answers from the same deal.
pub(super) fn signature_of(context: &Context, stored: &Stored, brief: &Brief) -> Signature {
    let written = machine_version(context, &stored.timeline);
    signature_in(brief, written.as_ref().unwrap_or(brief.json()))
}

/// The first document as a brief tells it; its signer is taken from `signer_in`.
pub(super) fn signature_in(brief: &Brief, signer_in: &Value) -> Signature {
    let (view, json) = (brief.view(), brief.json());
    let text = |brief: &Value, pointer: &str| {
        brief.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    };
    let of_deal = || view.deal_id().map(|id| DocumentId::new(id.as_str()));
    let document = view.document_id().or_else(of_deal).unwrap_or_default();
    let total = text(json, "/signature/total/amount").and_then(|amount| {
        Money::parse(&amount, text(json, "/signature/total/currency").as_deref()).ok()
    });
    let signer = Signer {
        name: text(signer_in, "/contacts/signer/name"),
        email: text(signer_in, "/contacts/signer/email"),
        signed: Some(true),
        ..Signer::default()
    };
    let is_known = signer.name.is_some() || signer.email.is_some();
    Signature {
        document_name: text(json, "/signature/document_name"),
        url: text(json, "/signature/url"),
        signed_at: view.signed_at(),
        total,
        signers: is_known.then_some(signer).into_iter().collect(),
        ..Signature::new(view.provider().unwrap_or_default(), document)
    }
}

/// A returned handoff is resubmitted; any other is corrected.
pub(super) fn kind_of(timeline: &Timeline) -> EventKind {
    match timeline.verdict() {
        Some(event) if event.event == EventKind::Returned => EventKind::Resubmitted,
        _ => EventKind::Corrected,
    }
}

/// What changed, by name: the answers, then the deal's own data.
fn changed_fields(correction: &Correction) -> String {
    let answers = correction.changed.iter().map(|answer| answer.field.as_str());
    let data = correction.data.iter().map(|data| data.field.as_str());
    one_line(&answers.chain(data).collect::<Vec<_>>().join(", "))
}

fn done(context: &Context, key: &Key, stored: &Stored, result: Refreshed) -> RefreshedHandoff {
    let missing = stored
        .brief
        .as_ref()
        .map_or_else(Vec::new, |brief| Completeness::of(&context.schema, brief.json()).missing);
    RefreshedHandoff {
        key: key.clone(),
        result,
        commit: None,
        missing,
        remarks: Remarks::default(),
    }
}
