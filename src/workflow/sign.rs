//! A signature becomes a brief in the ledger.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use serde_json::{Map, Value, json};

use super::audit::{exclusion, in_scope, refuse_other_name};
use super::compose::{Correction, KnownCustomer, compose, identity};
use super::customers::{CustomerHandoff, OpenHandoffs, WrittenHandoff};
use super::deal::{DealSource, Found, find_deal};
use super::loose_documents::LooseDocuments;
use super::pending_pull_request::{Drafts, stored_draft};
use super::sources::{ReplacedVersion, WrittenVersion, composed_sources, of_deal_alone};
use super::store::{LOCK_WAIT, Stored, stored_in};
use super::{Context, WorkflowError, pending_pull_request, refresh};
use crate::brief::{
    Brief, BriefSources, Completeness, ConfirmedAnswers, Event, EventKind, MissingField, Timeline,
    View,
};
use crate::ledger::{
    Change, Ledger, LedgerError, Snapshot, blob_id, folder_for, month_for, month_of,
};
use crate::model::{
    Deal, DocumentKind, Gap, Key, ObjectId, Outcome, Population, Remarks, Signature, Window,
};
use crate::text::{one_line, shorten};

/// The longest reason of a signed event: what is odd about the document.
const LONGEST_REASON: usize = 500;

/// One signature to hand over.
#[derive(Debug, Clone)]
pub struct SignRequest {
    /// Where it begins.
    pub source: DealSource,
    /// When the webhook arrived, if one did.
    pub received_at: Option<DateTime<Utc>>,
    /// Whether the brief is made afterwards, for one an audit found missing.
    pub backfilled: bool,
}

/// What became of a signature.
#[derive(Debug, Clone)]
pub struct SignedHandoff {
    /// The handoff.
    pub key: Key,
    /// Its folder.
    pub path: String,
    /// The commit that was made; `None` when nothing was new.
    pub commit: Option<ObjectId>,
    /// Whether the handoff is new.
    pub created: bool,
    /// Whether the remote has it; `None` where there is no remote.
    pub pushed: Option<bool>,
    /// What is missing.
    pub missing: Vec<MissingField>,
    /// What a person should know.
    pub remarks: Remarks,
}

/// Hands over one signature: finds the deal, writes the brief, commits and
/// pushes. The same signature again makes nothing new; a corrected deal
/// updates the brief and keeps what people wrote.
///
/// # Errors
/// See [`WorkflowError`]; nothing is half written.
pub async fn sign(
    context: &Context,
    request: &SignRequest,
) -> Result<SignedHandoff, WorkflowError> {
    sign_with_answers(context, request, None).await
}

/// As [`sign`], with what people have answered in a form: their words come
/// before those of the deal.
///
/// # Errors
/// As [`sign`].
pub async fn sign_with_answers(
    context: &Context,
    request: &SignRequest,
    answers: Option<&Map<String, Value>>,
) -> Result<SignedHandoff, WorkflowError> {
    let mut found = find_deal(request.source.clone(), context.crm.as_deref(), context.now).await?;
    LooseDocuments::default().join(context, &mut found).await?;
    if let Some(signed) = refreshed(context, &found)? {
        return Ok(signed);
    }
    let mut remarks = Remarks::default();
    let drafts = Drafts::look(context, &mut remarks);
    drafts.combine(&found.key, &mut remarks)?;
    let (mut signed, onto) = {
        let mut writer = context.ledger.lock(LOCK_WAIT)?;
        let Prepared { change, mut signed, onto, .. } = prepare(
            context,
            &writer.snapshot()?,
            request,
            &found,
            answers,
            &OpenHandoffs::default(),
        )?;
        let committed = match (&change, &onto) {
            (Some(change), Destination::Landing(branch)) => writer.land(branch, change)?,
            (Some(change), Destination::Branch(branch)) => {
                writer.commit_on_branch(branch, change)?
            }
            (Some(change), Destination::Ledger) => writer.commit(change)?,
            (None, _) => None,
        };
        if let Some(committed) = committed {
            signed.commit = Some(committed.id);
            signed.remarks.extend(committed.remarks.iter().map(ToString::to_string));
        }
        (signed, onto)
    };
    signed.remarks.take_over(remarks);
    let pushed = context.push_branch(context.ledger.branch(), &mut signed.remarks)?;
    match onto {
        Destination::Landing(_) if pushed => drafts.retire(&signed.key, &mut signed.remarks),
        // Where the ledger's branch could not be pushed, this one cannot either.
        Destination::Branch(_) if pushed => {
            pending_pull_request::publish(context, &signed.key, &mut signed.remarks)?;
        }
        _ => {}
    }
    signed.pushed = is_pushed(context, &signed)?;
    Ok(signed)
}

/// Whether the remote is known to have a handoff as it is here.
fn is_pushed(context: &Context, signed: &SignedHandoff) -> Result<Option<bool>, WorkflowError> {
    let Some(remote) = context.ledger.remote() else { return Ok(None) };
    let month = Some(month_of(&signed.path));
    let Some(here) = context.stored(&signed.key, month)? else { return Ok(None) };
    let branch = here.branch.as_deref().unwrap_or(context.ledger.branch());
    let there = context.ledger.snapshot_on_remote(&remote, branch)?;
    let there = there.map(|there| stored_in(&there, &signed.key, month)).transpose()?.flatten();
    Ok(Some(there.is_some_and(|there| there.brief_blob == here.brief_blob)))
}

/// A deal on the CRM's word that was handed over with a document: the word
/// adds no signature, and what the deal says now corrects the brief.
fn refreshed(context: &Context, found: &Found) -> Result<Option<SignedHandoff>, WorkflowError> {
    let Some(deal) = found.deal.as_ref().filter(|_| found.is_on_the_crms_word()) else {
        return Ok(None);
    };
    let Some(stored) = context.stored(&found.key, None)? else { return Ok(None) };
    let brief = stored.brief.as_ref().filter(|brief| is_of_deal(brief.view(), found));
    let document = brief.and_then(|brief| brief.view().document_id());
    let Some(document) = document else { return Ok(None) };
    let mut refreshed = refresh::with_deal(context, &found.key, deal.clone(), false)?;
    refreshed.remarks.push(format!("it was handed over with the document {document}, which stays"));
    context.push(&mut refreshed.remarks)?;
    let mut signed = SignedHandoff {
        key: refreshed.key,
        path: stored.folder,
        commit: refreshed.commit,
        pushed: None,
        created: false,
        missing: refreshed.missing,
        remarks: refreshed.remarks,
    };
    signed.pushed = is_pushed(context, &signed)?;
    Ok(Some(signed))
}

/// What became of many signatures.
#[derive(Debug)]
pub struct SignedMany {
    /// One for each request, in their order.
    pub results: Vec<Result<SignedHandoff, WorkflowError>>,
    /// What a person should know of all of them together: the checkout, the push.
    pub remarks: Remarks,
}

/// Hands over many signatures, one commit each, durable together at the end.
/// One that cannot be handed over does not keep the others back.
///
/// # Errors
/// When the ledger cannot be written; then none of them is.
pub async fn sign_many(
    context: &Context,
    requests: &[SignRequest],
) -> Result<SignedMany, WorkflowError> {
    if pending_pull_request::is_mode(context) {
        // Each has a branch of its own; there is no common commit to gain from.
        let mut results = Vec::with_capacity(requests.len());
        for request in requests {
            results.push(sign(context, request).await);
        }
        return Ok(SignedMany { results, remarks: Remarks::default() });
    }
    let mut remarks = Remarks::default();
    let mut found = Vec::with_capacity(requests.len());
    let loose = LooseDocuments::default();
    for request in requests {
        let one = find_deal(request.source.clone(), context.crm.as_deref(), context.now).await;
        found.push(match one {
            Ok(mut one) => loose.join(context, &mut one).await.map(|()| one),
            Err(error) => Err(error),
        });
    }
    let mut results: Vec<Result<SignedHandoff, WorkflowError>> = Vec::with_capacity(requests.len());
    let mut committed = Vec::new();
    let mut landed = Vec::new();
    let drafts = Drafts::look(context, &mut remarks);
    for found in found.iter().flatten() {
        drafts.combine(&found.key, &mut remarks)?;
    }
    {
        let mut writer = context.ledger.lock(LOCK_WAIT)?;
        let open = OpenHandoffs::default();
        let done = writer.batch(|batch| {
            for (request, found) in requests.iter().zip(found) {
                let prepared = found.and_then(|found| {
                    prepare(context, &batch.snapshot(), request, &found, None, &open)
                });
                let result = prepared.and_then(|Prepared { change, signed, entry, onto }| {
                    let Some(change) = change else { return Ok(signed) };
                    let before = batch.snapshot().tree();
                    batch.commit(change)?;
                    if let Some(entry) = entry {
                        let after = batch.snapshot().tree();
                        let folder = signed.path.as_str();
                        open.customers.add(WrittenHandoff { folder, entry, before, after });
                    }
                    committed.push(results.len());
                    if let Destination::Landing(branch) = onto {
                        landed.push((branch, results.len()));
                    }
                    Ok(signed)
                });
                results.push(result);
            }
            Ok::<(), LedgerError>(())
        })?;
        for (index, commit) in committed.into_iter().zip(done.commits) {
            if let Some(Ok(signed)) = results.get_mut(index) {
                signed.commit = commit;
            }
        }
        remarks.extend(done.remarks.iter().map(ToString::to_string));
        for (branch, index) in &landed {
            // The brief is on the ledger's branch; a draft that stays harms nobody.
            if let (Err(error), Some(Ok(signed))) =
                (writer.delete_branch(branch), results.get_mut(*index))
            {
                signed.remarks.push(error.to_string());
            }
        }
    }
    if context.push_branch(context.ledger.branch(), &mut remarks)? {
        for (_, index) in landed {
            if let Some(Ok(signed)) = results.get_mut(index) {
                drafts.retire(&signed.key, &mut signed.remarks);
            }
        }
    }
    Ok(SignedMany { results, remarks })
}

/// A handoff as it will be, and the change that makes it so.
struct Prepared {
    change: Option<Change>,
    signed: SignedHandoff,
    /// What is known of it for its customer's later handoffs, where it changes.
    entry: Option<CustomerHandoff>,
    onto: Destination,
}

/// Where a signed brief goes.
enum Destination {
    /// The ledger's branch.
    Ledger,
    /// The ledger's branch, which takes over the draft on this one.
    Landing(String),
    /// A branch of its own, until its pull request is merged.
    Branch(String),
}

fn prepare(
    context: &Context,
    snapshot: &Snapshot,
    request: &SignRequest,
    found: &Found,
    answers: Option<&Map<String, Value>>,
    open: &OpenHandoffs,
) -> Result<Prepared, WorkflowError> {
    let renewal;
    let found = match renewal_key(snapshot, found)? {
        Some(key) => {
            renewal = Found { key, ..found.clone() };
            &renewal
        }
        None => found,
    };
    let signed_at = found.signature.signed_at.unwrap_or(context.now);
    let layout = context.config.layout.as_str();
    let month = month_for(layout, signed_at)?;
    let (stored, onto) = match stored_in(snapshot, &found.key, Some(&month))? {
        Some(stored) => (Some(stored), Destination::Ledger),
        None => {
            let draft = stored_draft(context, &found.key)?;
            let onto = match &draft {
                _ if pending_pull_request::is_mode(context) => {
                    Destination::Branch(Ledger::draft_branch(&found.key))
                }
                Some((branch, _)) => Destination::Landing(branch.clone()),
                None => Destination::Ledger,
            };
            (draft.map(|(_, stored)| stored), onto)
        }
    };
    let before = stored.as_ref().and_then(|stored| stored.brief.as_ref());
    // The document that the handoff began with, where another one of the same deal comes now.
    // Without a deal nothing but the key joins two documents, and keys may fall together.
    let first = stored.as_ref().filter(|_| found.deal.is_some());
    let first = first.and_then(|stored| first_document(stored, found));
    if found.is_on_the_crms_word()
        && let (Some(stored), Some(brief)) = (&stored, before)
        && let Some(document) = brief.view().document_id()
        && brief.view().deal_name().is_some()
        && is_of_deal(brief.view(), found)
    {
        // The word of the CRM adds nothing to a document that everybody has signed.
        let remark = format!("it was handed over with the document {document}, which stays");
        let signed = SignedHandoff {
            key: found.key.clone(),
            path: stored.folder.clone(),
            commit: None,
            pushed: None,
            created: false,
            missing: Completeness::of(&context.schema, brief.json()).missing,
            remarks: vec![remark].into(),
        };
        return Ok(Prepared { change: None, signed, entry: None, onto });
    }
    // What a document is for was decided where it was read.
    if found.is_on_the_crms_word() && before.is_none_or(|brief| !brief.view().is_signed()) {
        let deal = found.deal.as_ref().filter(|_| found.is_known);
        in_scope(&context.config, &found.key, deal)?;
    }
    let with_first = first.is_some();
    let amendment = with_first && !found.is_on_the_crms_word();
    let document = found;
    let of_first;
    let found = match first {
        Some(signature) => {
            of_first = Found { signature, ..found.clone() };
            &of_first
        }
        None => found,
    };
    let counts = || open.count(context, snapshot, signed_at);
    let known =
        |brief: &Value| KnownCustomer::of(context, snapshot, &open.customers, &found.key, brief);
    let mut composed =
        compose(context, found, true, before.map(Brief::json), answers, &counts, &known);
    if amendment && let Some(before) = before {
        composed.brief["amendments"] = amendments(before, &document.signature);
        composed.remarks.push(format!(
            "{} {} is added as an amendment; the first signature and its deadline stay",
            document.signature.provider, document.signature.document_id
        ));
    }
    if let Some(before) = before
        && !same_handoff(before.view(), View::of(&composed.brief))
    {
        let (there, here) = (identity(before.view()), identity(View::of(&composed.brief)));
        return Err(WorkflowError::KeyCollision { key: found.key.clone(), there, here });
    }
    let (brief, kept) = match (before, &stored) {
        (Some(before), Some(stored)) => {
            let theirs = &mut composed.brief;
            let correction = Correction::of(context, found, &stored.timeline, before, theirs);
            composed.remarks.extend(correction.kept_remarks(theirs));
            (correction.brief, correction.kept)
        }
        _ => (Brief::from_json(context.schema.in_order(&composed.brief)), Vec::new()),
    };
    let customer = brief.view().title().unwrap_or("customer").to_owned();
    let folder = match &stored {
        Some(stored) => stored.folder.clone(),
        None => folder_for(layout, signed_at, &customer, &found.key)?,
    };
    let signed = SignedHandoff {
        key: found.key.clone(),
        path: folder.clone(),
        commit: None,
        pushed: None,
        created: before.is_none_or(|brief| !brief.view().is_signed()),
        missing: Completeness::of(&context.schema, brief.json()).missing,
        remarks: std::mem::take(&mut composed.remarks),
    };
    let unchanged = before.is_some_and(|before| before.json() == brief.json());
    let earlier = ReplacedVersion::of(context, snapshot, stored.as_ref().filter(|_| !unchanged))?;
    let mut timeline =
        stored.map_or_else(|| Timeline::new(found.key.clone()), |stored: Stored| stored.timeline);
    let Some(kind) = next_event(&timeline, document, with_first, unchanged, request.backfilled)
    else {
        return Ok(Prepared { change: None, signed, entry: None, onto });
    };
    if signed.created {
        open.add(context, &folder, &brief);
    }
    let text = brief.to_yaml(Context::depth(&folder));
    let event = |at, kind| {
        let mut event = Event::new(at, kind, document.signature.provider.as_str());
        event.reference = Some(document.signature.document_id.as_str().to_owned());
        event
    };
    if matches!(kind, EventKind::Signed | EventKind::Amended)
        && let Some(received_at) = request.received_at
    {
        timeline.events.push(event(received_at, EventKind::Received));
    }
    // What the provider says happened then is recorded as of then.
    let is_signing = matches!(kind, EventKind::Signed | EventKind::Amended);
    let then = document.signature.signed_at.filter(|at| is_signing && *at <= context.now);
    let at = then.map_or_else(|| context.moment(), |at| at.trunc_subsecs(0));
    let mut written = event(at, kind);
    let blob = blob_id(text.as_bytes()).to_string();
    written.brief = Some(blob.clone());
    if matches!(kind, EventKind::Signed | EventKind::Amended | EventKind::Backfilled) {
        written.decided_by = document.decided_by;
        let odd = one_line(&document.signature.remarks.join("; "));
        written.reason = (!odd.is_empty()).then(|| shorten(&odd, LONGEST_REASON));
    }
    written.kept = kept;
    let mut change = Change::of_handoff(&folder, &customer, &found.key, context.moment())
        .trailer("Handoff-Event", kind.as_str())
        .trailer(
            "Handoff-Signature",
            format!("{}:{}", document.signature.provider, document.signature.document_id),
        );
    if !unchanged {
        let version = WrittenVersion {
            key: &found.key,
            brief: brief.json(),
            blob: &blob,
            earlier: earlier.as_ref(),
        };
        let sources = || {
            let given = Some(&composed.given);
            let mut sources = composed_sources(context, found, true, &composed.brief, given);
            if with_first {
                let later = composed_sources(context, document, true, &composed.brief, None);
                sources = of_deal_alone(sources);
                sources.extend(later.into_iter().filter(|(pointer, _)| pointer == "/amendments"));
            }
            version.of_machine(context, &composed.brief, &sources, answers)
        };
        // Nobody has confirmed anything yet in a brief that is new: its page need not
        // wait for its sources.
        let nothing = ConfirmedAnswers::default();
        let (sources, page) = if earlier.is_none() && answers.is_none() {
            let mut page = None;
            let sources = rayon::in_place_scope(|scope| {
                scope.spawn(|_| page = Some(context.render(&brief, &nothing)));
                sources()
            });
            (sources, page)
        } else {
            (sources(), None)
        };
        let confirmed = ConfirmedAnswers::written(&sources);
        let page = page.filter(|_| confirmed == nothing);
        let page = page.unwrap_or_else(|| context.render(&brief, &confirmed))?;
        written.sources = Some(blob_id(sources.as_bytes()).to_string());
        change =
            change.put("README.md", page).put("brief.yaml", text).put(BriefSources::FILE, sources);
    }
    timeline.events.push(written);
    change = change.put("timeline.yaml", timeline.to_yaml());
    let entry = Some(CustomerHandoff::of(&brief, Some(&timeline)));
    Ok(Prepared { change: Some(change), signed, entry, onto })
}

/// The key of a handoff of its own, for a document that a rule or a person
/// says is one although its deal has a handoff with another document.
fn renewal_key(snapshot: &Snapshot, found: &Found) -> Result<Option<Key>, WorkflowError> {
    if found.kind != DocumentKind::New {
        return Ok(None);
    }
    let Some(stored) = stored_in(snapshot, &found.key, None)? else { return Ok(None) };
    let other = stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed())
        && !has_document(&stored.timeline, &found.signature);
    Ok(other.then(|| Key::for_renewal(&found.key, &found.signature.document_id)).transpose()?)
}

/// Whether a timeline tells that this document was taken.
fn has_document(timeline: &Timeline, signature: &Signature) -> bool {
    timeline.events.iter().any(|event| {
        matches!(event.event, EventKind::Signed | EventKind::Amended | EventKind::Backfilled)
            && event.reference.as_deref() == Some(signature.document_id.as_str())
            && event.via == signature.provider.as_str()
    })
}

/// The document that a handoff began with, where it is another one than the
/// one that comes now and was not voided.
fn first_document(stored: &Stored, found: &Found) -> Option<Signature> {
    let brief = stored.brief.as_ref()?;
    let (view, json) = (brief.view(), brief.json());
    let (provider, document_id) = (view.provider()?, view.document_id()?);
    let is_same =
        provider == found.signature.provider && document_id == found.signature.document_id;
    if is_same || stored.timeline.is_voided() {
        return None;
    }
    let customer = json.pointer("/customer/name").and_then(Value::as_str).map(str::to_owned);
    Some(Signature { total: None, customer, ..refresh::signature_in(brief, json) })
}

/// The amendments of a brief with this document, oldest first.
fn amendments(before: &Brief, document: &Signature) -> Value {
    let mut all = before.json().get("amendments").and_then(Value::as_array).cloned();
    let all = all.get_or_insert_default();
    let is_this = |it: &Value| {
        it["provider"] == document.provider.as_str()
            && it["document_id"] == document.document_id.as_str()
    };
    if !all.iter().any(is_this) {
        let mut new = json!({"provider": document.provider, "document_id": document.document_id});
        if let Some(name) = &document.document_name {
            new["document_name"] = json!(name);
        }
        if let Some(at) = document.signed_at {
            new["signed_at"] = json!(at.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        if let Some(url) = &document.url {
            new["url"] = json!(url);
        }
        all.push(new);
    }
    all.sort_by_key(|it| it["signed_at"].as_str().unwrap_or_default().to_owned());
    Value::Array(std::mem::take(all))
}

/// What is to be recorded, if anything is new.
fn next_event(
    timeline: &Timeline,
    document: &Found,
    with_first: bool,
    unchanged: bool,
    backfilled: bool,
) -> Option<EventKind> {
    // The CRM knows the deal of a signed document now: no second signature.
    let heals = document.is_on_the_crms_word() && with_first;
    if !has_document(timeline, &document.signature) && !heals {
        return Some(match (with_first, backfilled) {
            (true, _) => EventKind::Amended,
            (false, true) => EventKind::Backfilled,
            (false, false) => EventKind::Signed,
        });
    }
    if unchanged {
        return None;
    }
    Some(refresh::kind_of(timeline))
}

/// Whether a brief is of the deal that was found, or of none yet.
fn is_of_deal(brief: View<'_>, found: &Found) -> bool {
    let deal = found.deal.as_ref();
    brief.deal().is_none_or(|(crm, id)| {
        deal.is_some_and(|deal| {
            deal.crm == crm && crate::model::normalise_deal_id(&crm, &deal.id) == id
        })
    })
}

/// The same document may be known under its deal later; the same deal may be
/// signed again. Only two different deals, or two documents without a deal,
/// are two handoffs.
fn same_handoff(before: View<'_>, now: View<'_>) -> bool {
    match (before.deal(), now.deal()) {
        (Some((crm, id)), Some((other_crm, other_id))) => {
            crm == other_crm
                && crate::model::normalise_deal_id(&crm, &id)
                    == crate::model::normalise_deal_id(&other_crm, &other_id)
        }
        // A draft of a document that went out names no document yet.
        (None, None) => !before.is_signed() || before.document_id() == now.document_id(),
        _ => true,
    }
}

// The briefs an audit found missing, made afterwards and marked as such.

/// The won deals in scope and in the window that have no handoff at the tip.
///
/// # Errors
/// When the ledger cannot be read whole, or a scope rule cannot be decided.
pub fn missing_deals(
    context: &Context,
    population: &Population,
    window: Window,
) -> Result<Vec<Deal>, WorkflowError> {
    let (folders, gaps) = context.ledger.folders(None)?.into_parts();
    if let Some(gap) = gaps.first() {
        return Err(unread(gap));
    }
    let mut known: BTreeSet<Key> = folders.into_iter().filter_map(|folder| folder.key).collect();
    refuse_other_name(known.iter(), population)?;
    let (deals, _) = population.deals.parts();
    let crms: BTreeSet<String> = deals.iter().map(|deal| format!("{}-", deal.crm)).collect();
    // A deal may have joined the handoff that its document began under another key.
    let others = known.iter().filter(|key| !crms.iter().any(|crm| key.as_str().starts_with(crm)));
    let mut joined = Vec::new();
    for key in others {
        let stored = context.stored(key, None)?;
        let deal = stored.and_then(|stored| stored.brief).and_then(|brief| brief.view().deal());
        joined.extend(deal.map(|(crm, id)| Key::for_deal(&crm, &id)).transpose()?);
    }
    known.extend(joined);
    let mut missing = Vec::new();
    for deal in deals {
        let in_window =
            deal.closed_won_at.is_none_or(|at| window.contains(at) && at <= context.now);
        if deal.outcome != Outcome::Won || !in_window {
            continue;
        }
        let ids = std::iter::once(&deal.id).chain(&deal.merged_ids);
        let keys = ids.map(|id| Key::for_deal(&deal.crm, id)).collect::<Result<Vec<_>, _>>()?;
        if keys.iter().any(|key| known.contains(key)) {
            continue;
        }
        if exclusion(&context.config, deal).map_err(|gap| unread(&gap))?.is_none() {
            missing.push(deal.clone());
        }
    }
    Ok(missing)
}

/// Makes the briefs on the CRM's word, one commit each.
///
/// # Errors
/// When the ledger cannot be written; then none is made.
pub async fn backfill(context: &Context, deals: &[Deal]) -> Result<SignedMany, WorkflowError> {
    let requests: Vec<SignRequest> = deals
        .iter()
        .map(|deal| SignRequest {
            source: DealSource::Deal(deal.id.clone()),
            received_at: None,
            backfilled: true,
        })
        .collect();
    sign_many(context, &requests).await
}

fn unread(gap: &Gap) -> WorkflowError {
    WorkflowError::Io { path: gap.what.clone(), why: gap.why.clone() }
}
