//! A brief before its signature, on a branch of its own, and the request that
//! asks the rep for what is missing.

use serde_json::{Map, Value};

use super::audit::in_scope;
use super::compose::{KnownCustomer, compose, identity};
use super::customers::{Customers, OpenHandoffs};
use super::deal::{DealSource, Found, find_draft_deal};
use super::deliveries::{self, gap};
use super::pending_pull_request::{Drafts, stored_draft};
use super::recording::Intents;
use super::sources::{ReplacedVersion, WrittenVersion, composed_sources};
use super::store::{LOCK_WAIT, Stored, brief_change, commit, machine_version, stored_in};
use super::{Context, WorkflowError};
use crate::brief::{
    Brief, Completeness, ConfirmedAnswers, Event, EventKind, MissingField, Timeline, View, merge,
};
use crate::deliver::{DeliveryError, Handoff, Mark, Sink};
use crate::ledger::{Change, Ledger, Writer, blob_id, folder_for};
use crate::model::{Key, ObjectId, Remarks, Signature};
use crate::text::{one_line, shorten};

/// What became of a draft.
#[derive(Debug, Clone)]
pub struct Drafted {
    /// The handoff.
    pub key: Key,
    /// Its folder.
    pub path: String,
    /// The branch.
    pub branch: String,
    /// The commit of the brief; `None` when nothing was new.
    pub commit: Option<ObjectId>,
    /// Whether the draft is new.
    pub created: bool,
    /// What is missing, without what the signature brings.
    pub missing: Vec<MissingField>,
    /// The request that asks for it, or why there is none; `None` where no
    /// target for it is configured, or the branch is not on the remote.
    pub request: Option<Result<Mark, DeliveryError>>,
    /// What a person should know.
    pub remarks: Remarks,
}

/// Writes or renews a draft: the brief without a signature, on the branch
/// `handoff/<key>`. Pushes it, and opens the request where `asking` is given.
/// What people have written in the draft is kept; `answers` are those of a form.
/// `telling` tells the rep, each once, where something is missing.
///
/// # Errors
/// See [`WorkflowError`]; when the handoff is on the ledger's branch already,
/// nothing is written.
pub async fn draft(
    context: &Context,
    source: DealSource,
    answers: Option<&Map<String, Value>>,
    asking: Option<&dyn Sink>,
    telling: &[Box<dyn Sink>],
) -> Result<Drafted, WorkflowError> {
    let found = find_draft_deal(source, context.crm.as_deref()).await?;
    let deal = found.deal.as_ref().filter(|_| found.is_known);
    in_scope(&context.config, &found.key, deal)?;
    let mut remarks = Remarks::default();
    let drafts = Drafts::look(context, &mut remarks);
    drafts.combine(&found.key, &mut remarks)?;
    let (mut drafted, mut stored) = {
        let mut writer = context.ledger.lock(LOCK_WAIT)?;
        write(context, &mut writer, &found, answers)?
    };
    drafted.remarks.take_over(remarks);
    let on_remote = drafts.combine(&found.key, &mut drafted.remarks)?;
    let mut is_new = false;
    if let Some(asking) = asking.filter(|_| on_remote) {
        let handoff = handoff_of(context, &drafted, &stored)?;
        let asked = ask(asking, &handoff, drafted.commit.is_some()).await;
        if let Ok(mark) = &asked {
            is_new |= record(context, &drafted, &mut stored, asking, mark)?;
        }
        drafted.request = Some(asked);
    }
    // Of use where it can be answered: on the remote, where there is one.
    if on_remote || context.ledger.remote().is_none() {
        is_new |= tell(context, &mut drafted, &mut stored, telling).await?;
    }
    if is_new {
        drafts.combine(&found.key, &mut drafted.remarks)?;
    }
    Ok(drafted)
}

/// Tells the rep what is missing, once through each sink.
async fn tell(
    context: &Context,
    drafted: &mut Drafted,
    stored: &mut Stored,
    telling: &[Box<dyn Sink>],
) -> Result<bool, WorkflowError> {
    let mut is_new = false;
    let intents = Intents::of(context, &drafted.key);
    for sink in telling.iter().map(AsRef::as_ref).filter(|_| !drafted.missing.is_empty()) {
        if stored.timeline.last_via(EventKind::Drafted, sink.via()).is_some() {
            continue;
        }
        if !sink.can_look_up() {
            let tries = intents.left(sink)?;
            if tries > 1 || (tries == 1 && !sink.repeats_when_unclear()) {
                drafted.remarks.push(format!(
                    "whether the rep was told through {} is not known, and it is not sent again: the run that sent it ended before it could record it",
                    sink.via()
                ));
                continue;
            }
            intents.write(sink, context.now)?;
        }
        let handoff = handoff_of(context, drafted, stored)?;
        let asked = ask(sink, &handoff, false).await;
        if let Ok(mark) = &asked {
            is_new |= record(context, drafted, stored, sink, mark)?;
        }
        // What is unclear has left its trace.
        if !matches!(asked, Err(DeliveryError::Unclear { .. })) {
            intents.clear(sink)?;
        }
        if let Err(error) = asked {
            drafted.remarks.push(format!("the rep was not told through {}: {error}", sink.via()));
        }
    }
    Ok(is_new)
}

/// What is missing from a draft: the deadline of the first touch comes with
/// the signature and is nobody's to answer.
fn missing(context: &Context, brief: &Brief) -> Vec<MissingField> {
    let mut missing = Completeness::of(&context.schema, brief.json()).missing;
    missing.retain(|field| field.field != "first_action.due");
    missing
}

fn write(
    context: &Context,
    writer: &mut Writer,
    found: &Found,
    answers: Option<&Map<String, Value>>,
) -> Result<(Drafted, Stored), WorkflowError> {
    let snapshot = writer.snapshot()?;
    if let Some(stored) = stored_in(&snapshot, &found.key, None)? {
        let message = format!(
            "it is on {} already ({}); a draft comes before the signature",
            context.ledger.branch(),
            stored.folder
        );
        return Err(WorkflowError::unfit(&found.key, message));
    }
    let branch = Ledger::draft_branch(&found.key);
    let stored = stored_draft(context, &found.key)?.map(|(_, stored)| stored);
    if stored
        .as_ref()
        .and_then(|stored| stored.brief.as_ref())
        .is_some_and(|b| b.view().is_signed())
    {
        let message =
            format!("it is signed and waits on {branch} for the merge of its pull request");
        return Err(WorkflowError::unfit(&found.key, message));
    }
    let before = stored.as_ref().and_then(|stored| stored.brief.as_ref());
    let open = || OpenHandoffs::default().count(context, &snapshot, context.now);
    let customers = Customers::default();
    let known =
        |brief: &Value| KnownCustomer::of(context, &snapshot, &customers, &found.key, brief);
    let mut composed =
        compose(context, found, false, before.map(Brief::json), answers, &open, &known);
    let brief = match before {
        Some(before) => {
            let (there, here) = (identity(before.view()), identity(View::of(&composed.brief)));
            if there != here && !there.is_empty() && !here.is_empty() {
                return Err(WorkflowError::KeyCollision { key: found.key.clone(), there, here });
            }
            let base =
                stored.as_ref().and_then(|stored| machine_version(context, &stored.timeline));
            merge(base.as_ref(), before.json(), &composed.brief)
        }
        None => composed.brief.clone(),
    };
    let brief = Brief::from_json(context.schema.in_order(&brief));
    let customer = brief.view().title().unwrap_or("customer").to_owned();
    let folder = match &stored {
        Some(stored) => stored.folder.clone(),
        None => folder_for(&context.config.layout, context.now, &customer, &found.key)?,
    };
    let goes_on = stored.as_ref().is_some_and(|stored| goes_on(&stored.timeline, found));
    let unchanged = !goes_on && before.is_some_and(|before| before.json() == brief.json());
    let mut drafted = Drafted {
        key: found.key.clone(),
        path: folder.clone(),
        branch: branch.clone(),
        commit: None,
        created: stored.is_none(),
        missing: missing(context, &brief),
        request: None,
        remarks: std::mem::take(&mut composed.remarks),
    };
    let earlier = ReplacedVersion::of(context, &snapshot, stored.as_ref().filter(|_| !unchanged))?;
    let (mut timeline, mut confirmed) = match stored {
        Some(stored) => (stored.timeline, stored.confirmed),
        None => (Timeline::new(found.key.clone()), ConfirmedAnswers::default()),
    };
    if !unchanged {
        let mut event =
            Event::new(context.now, EventKind::Drafted, found.signature.provider.as_str());
        event.reference = Some(found.signature.document_id.as_str().to_owned());
        let blob = blob_id(brief.to_yaml(Context::depth(&folder)).as_bytes()).to_string();
        event.brief = Some(blob.clone());
        let version = WrittenVersion {
            key: &found.key,
            brief: brief.json(),
            blob: &blob,
            earlier: earlier.as_ref(),
        };
        let sources =
            composed_sources(context, found, false, &composed.brief, Some(&composed.given));
        let sources = version.of_machine(context, &composed.brief, &sources, answers);
        event.sources = Some(blob_id(sources.as_bytes()).to_string());
        timeline.events.push(event);
        confirmed = ConfirmedAnswers::written(&sources);
        let change = brief_change(context, &found.key, &folder, &brief, sources)?
            .trailer("Handoff-Event", EventKind::Drafted.as_str())
            .put("timeline.yaml", timeline.to_yaml());
        drafted.commit = commit(writer, Some(&branch), &change, &mut drafted.remarks)?;
    }
    Ok((
        drafted,
        Stored {
            folder,
            branch: Some(branch),
            brief: Some(brief),
            brief_blob: None,
            confirmed,
            timeline,
        },
    ))
}

/// Whether this goes on with a draft where nothing of the brief is new: with one whose
/// documents were voided, or with a document that it was not made of yet.
fn goes_on(timeline: &Timeline, found: &Found) -> bool {
    let (provider, document) = (&found.signature.provider, &found.signature.document_id);
    let is_deal = found.deal.as_ref().is_some_and(|deal| deal.crm.as_str() == provider.as_str());
    timeline.is_voided()
        || !is_deal && !timeline.is_drafted_of(provider.as_str(), document.as_str())
}

/// The drafts that were made of a document which was not voided since.
///
/// # Errors
/// When the branches or a draft cannot be read.
pub fn drafts_of(context: &Context, signature: &Signature) -> Result<Vec<Key>, WorkflowError> {
    let (via, document) = (signature.provider.as_str(), signature.document_id.as_str());
    let mut keys = Vec::new();
    for key in context.ledger.draft_keys()? {
        let Some((_, stored)) = stored_draft(context, &key)? else { continue };
        let is_signed = stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed());
        if !is_signed && stored.timeline.is_drafted_of(via, document) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Ends the drafts that were made of a document that was voided; gives their keys. What
/// people answered stays, and another document of the same deal goes on with it.
///
/// # Errors
/// When a draft cannot be read or written.
pub fn withdraw_drafts(
    context: &Context,
    signature: &Signature,
    what: &str,
    remarks: &mut Remarks,
) -> Result<Vec<Key>, WorkflowError> {
    let drafts = Drafts::look(context, remarks);
    let keys = drafts_of(context, signature)?;
    for key in &keys {
        drafts.combine(key, remarks)?;
        let Some((branch, mut stored)) = stored_draft(context, key)? else { continue };
        let mut event = Event::new(context.now, EventKind::Voided, signature.provider.as_str());
        event.reference = Some(signature.document_id.as_str().to_owned());
        event.reason = Some(shorten(&one_line(what), 200));
        stored.timeline.events.push(event);
        write_timeline(context, key, &branch, &stored, EventKind::Voided)?;
        drafts.combine(key, remarks)?;
    }
    Ok(keys)
}

/// Says in the request of a draft that nothing is asked any more; `None` where there is
/// no request.
///
/// # Errors
/// When the draft cannot be read.
pub async fn say_withdrawn(
    context: &Context,
    key: &Key,
    asking: &dyn Sink,
) -> Result<Option<Result<Mark, DeliveryError>>, WorkflowError> {
    let Some((_, stored)) = stored_draft(context, key)? else { return Ok(None) };
    if stored.timeline.last_via(EventKind::Drafted, asking.via()).is_none() {
        return Ok(None);
    }
    let Some(handoff) = deliveries::handoff_of(context, key, &stored)? else { return Ok(None) };
    Ok(Some(ask(asking, &handoff, true).await))
}

/// The draft as the request shows it; links go to its branch.
fn handoff_of(
    context: &Context,
    drafted: &Drafted,
    stored: &Stored,
) -> Result<Handoff, WorkflowError> {
    let handoff = deliveries::handoff_of(context, &drafted.key, stored)?;
    let handoff = handoff.ok_or_else(|| WorkflowError::NoHandoff(drafted.key.clone()))?;
    let missing = drafted.missing.iter().cloned().map(gap).collect();
    Ok(Handoff {
        missing,
        changes: Vec::new(),
        changed_data: Vec::new(),
        told: None,
        brief_blob: None,
        ..handoff
    })
}

/// Looks for the request; makes it, or renews its text, where that is due.
async fn ask(asking: &dyn Sink, handoff: &Handoff, is_new: bool) -> Result<Mark, DeliveryError> {
    match asking.look_up(handoff).await? {
        Some(mark) if !is_new => Ok(mark),
        _ => asking.act(handoff).await,
    }
}

/// Records the request on the draft's branch, once.
fn record(
    context: &Context,
    drafted: &Drafted,
    stored: &mut Stored,
    asking: &dyn Sink,
    mark: &Mark,
) -> Result<bool, WorkflowError> {
    let known = stored.timeline.events.iter().any(|event| {
        event.event == EventKind::Drafted
            && event.via == asking.via()
            && event.reference.as_ref() == Some(&mark.reference)
    });
    if known {
        return Ok(false);
    }
    let mut event =
        Event::new(mark.at.unwrap_or_else(|| context.moment()), EventKind::Drafted, asking.via());
    event.reference = Some(mark.reference.clone());
    stored.timeline.events.push(event);
    write_timeline(context, &drafted.key, &drafted.branch, stored, EventKind::Drafted)?;
    Ok(true)
}

/// Commits the timeline of a draft on its branch.
fn write_timeline(
    context: &Context,
    key: &Key,
    branch: &str,
    stored: &Stored,
    event: EventKind,
) -> Result<(), WorkflowError> {
    let customer = stored.brief.as_ref().and_then(|brief| brief.view().customer_name());
    let customer = customer.unwrap_or("customer");
    let change = Change::of_handoff(&stored.folder, customer, key, context.moment())
        .trailer("Handoff-Event", event.as_str())
        .put("timeline.yaml", stored.timeline.to_yaml());
    context.ledger.lock(LOCK_WAIT)?.commit_on_branch(branch, &change)?;
    Ok(())
}
