//! What a completed document is: a contract, an amendment, nothing for us, or
//! not certain. One decision for `serve`, `watch`, `catch-up`, `sign`, drafts and
//! `audit --signatures`. Also which documents the ledger has handed over, and what
//! senders report later: a document voided, a deal won.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::audit::exclusion;
use super::deal::{Found, of_document};
use super::folder_facts::{FactKind, select};
use super::loose_documents::LooseDocuments;
use super::pending_pull_request;
use super::recording::append;
use super::store::Stored;
use super::{Context, Horizon, WorkflowError, keys_within};
use crate::brief::{DecidedBy, Event, EventKind, Timeline};
use crate::config::{Config, TestDocuments};
use crate::crm::Crm;
use crate::deliver::{DeliveryError, Notice};
use crate::ledger::{Folder, HandoffFiles};
use crate::model::{
    Company, Contact, Deal, DealId, DocumentId, DocumentKey, DocumentKind, Evidence, Gap,
    HeldDocument, Key, LineItem, Outcome, ProviderName, Remarks, Signature, UnreadFact,
};
use crate::text::{one_line, quoted, shorten, terminal};

/// What the CRM says of a deal that its webhook named.
#[derive(Debug, Clone, PartialEq)]
pub enum WonLook {
    /// It is won and needs a handoff.
    HandOver(Box<Deal>),
    /// It needs none, for this reason.
    Nothing(String),
}

/// Looks at a deal that the webhook of `sender` named.
///
/// # Errors
/// When the CRM cannot be asked or does not have the deal (yet), when another
/// CRM is connected than the one that spoke, or when `scope:` cannot be
/// applied to the deal.
pub async fn look_at_won(
    context: &Context,
    sender: &ProviderName,
    id: &DealId,
) -> Result<WonLook, WorkflowError> {
    let crm = connected(context, sender)?;
    let deal = crm.deal(id, None).await?;
    if deal.outcome != Outcome::Won {
        let stage = deal.stage.as_deref().map_or_else(
            || format!("{:?}", deal.outcome).to_lowercase(),
            |stage| format!("in {}", quoted(stage)),
        );
        return Ok(WonLook::Nothing(format!("it is not won: {} says it is {stage}", crm.name())));
    }
    if !crm.counts(&deal) {
        let pipeline = deal.pipeline.as_deref().map_or_else(String::new, quoted);
        return Ok(WonLook::Nothing(format!("its pipeline {pipeline} does not count")));
    }
    for id in &deal.merged_ids {
        let key = Key::for_deal(crm.name(), id)?;
        if context.stored(&key, None)?.is_some() {
            return Ok(WonLook::Nothing(format!("it was handed over before a merge, as {key}")));
        }
    }
    match exclusion(&context.config, &deal) {
        Ok(None) => Ok(WonLook::HandOver(Box::new(deal))),
        Ok(Some(reason)) => Ok(WonLook::Nothing(format!("it is out of scope: {reason}"))),
        Err(gap) => Err(WorkflowError::unfit(
            &Key::for_deal(crm.name(), &deal.id)?,
            format!("{}: {}", gap.what, gap.why),
        )),
    }
}

fn connected<'a>(
    context: &'a Context,
    sender: &ProviderName,
) -> Result<&'a dyn Crm, WorkflowError> {
    let crm = context.crm.as_deref().ok_or(WorkflowError::NoCrm)?;
    if crm.name().as_str() == sender.as_str() {
        return Ok(crm);
    }
    Err(WorkflowError::OtherCrm { sender: sender.clone(), connected: crm.name().clone() })
}

/// The handoffs that stand on a document that was voided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoidedHandoffs {
    /// Those in whose timelines it was recorded just now.
    pub recorded: Vec<Key>,
    /// Those that had it before.
    pub known: Vec<Key>,
}

/// Records in the timelines of its handoffs that a document was voided or
/// declined. Other documents of the same deal stay as they are.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn record_voided(
    context: &Context,
    signature: &Signature,
    what: &str,
    remarks: &mut Remarks,
) -> Result<VoidedHandoffs, WorkflowError> {
    let keys = handoffs_of(context, &signature.provider, &signature.document_id, true)?;
    let (provider, document) = (signature.provider.as_str(), signature.document_id.as_str());
    let mut found = VoidedHandoffs::default();
    for key in keys {
        let Some(stored) = context.stored(&key, None)? else { continue };
        let about =
            |event: &&Event| event.via == provider && event.reference.as_deref() == Some(document);
        let mut events = stored.timeline.events.iter().filter(about).peekable();
        // A deal may have several documents; that an older offer was declined says nothing of the one that was signed.
        if events.peek().is_none() {
            continue;
        }
        if events.any(|event| event.event == EventKind::Voided) {
            found.known.push(key);
            continue;
        }
        let mut event = Event::new(context.now, EventKind::Voided, provider);
        event.reference = Some(document.to_owned());
        event.reason = Some(shorten(&one_line(what), 200));
        append(context, &key, &stored.folder, vec![event], remarks)?;
        found.recorded.push(key);
    }
    Ok(found)
}

/// Whether a handoff of the ledger stands on this document.
///
/// # Errors
/// When the ledger cannot be read.
pub fn is_handed_over(context: &Context, signature: &Signature) -> Result<bool, WorkflowError> {
    Ok(!handoffs_of(context, &signature.provider, &signature.document_id, false)?.is_empty())
}

/// The documents of one handoff.
#[derive(Serialize, Deserialize)]
struct DocumentsOf {
    key: Key,
    /// Each with its provider, and whether it was signed.
    documents: Vec<(String, String, bool)>,
}

/// The handoffs whose timelines hold this document: by what the ledger says, since
/// a message that a document was voided seldom names its deal. `drafted` are those
/// that it made a draft of, too.
fn handoffs_of(
    context: &Context,
    provider: &ProviderName,
    document: &DocumentId,
    drafted: bool,
) -> Result<Vec<Key>, WorkflowError> {
    let snapshot = context.ledger.snapshot()?;
    let is_signed = |it: &Event| {
        matches!(it.event, EventKind::Signed | EventKind::Amended | EventKind::Backfilled)
    };
    let read = |_: &Folder, files: &HandoffFiles| {
        let timeline = files.timeline.as_deref().map(Timeline::parse).transpose();
        let timeline = timeline.map_err(|error| format!("timeline.yaml:{error}"))?;
        Ok(timeline.map(|timeline| {
            let events = timeline.events.into_iter();
            let about = events.filter(|it| is_signed(it) || it.event == EventKind::Drafted);
            let documents = about.filter_map(|it| {
                let is_signed = is_signed(&it);
                Some((it.via, it.reference?, is_signed))
            });
            DocumentsOf { key: timeline.key, documents: documents.collect() }
        }))
    };
    let kind = FactKind { name: "documents", basis: b"with drafts", read: &read };
    let named = |bytes: &[u8]| memchr::memmem::find(bytes, document.as_str().as_bytes()).is_some();
    let found = select(context, &snapshot, None, &kind, named, |folder, read| match read {
        Ok(found) => {
            let found = found?;
            let is_it = |(via, id, is_signed): &(String, String, bool)| {
                via == provider.as_str() && id == document.as_str() && (drafted || *is_signed)
            };
            found.documents.iter().any(is_it).then_some(Ok(found.key))
        }
        Err(why) => Some(Err(Gap::new(folder().path, why))),
    });
    let (waiting, gaps) = pending_pull_request::all(context, &snapshot)?;
    let stands_on = |stored: &Stored| {
        let mut events = stored.timeline.events.iter().filter(|it| is_signed(it));
        events.any(|it| {
            it.via == provider.as_str() && it.reference.as_deref() == Some(document.as_str())
        })
    };
    let waiting = waiting.into_iter().filter(|(_, stored)| stands_on(stored));
    let mut keys: Vec<Key> = waiting.map(|(key, _)| key).collect();
    let mut unread = found.gaps;
    unread.extend(gaps);
    for found in found.rows {
        match found {
            Ok(key) => keys.push(key),
            Err(gap) => unread.push(gap),
        }
    }
    match unread.into_iter().next() {
        // It may be the one.
        Some(gap) if keys.is_empty() => Err(WorkflowError::NotRead(gap)),
        _ => Ok(keys),
    }
}

/// What a completed document is for one deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentDecision {
    /// It is handed over, as this kind; never [`DocumentKind::Ignored`].
    Counts(DocumentKind, DecidedBy),
    /// It is nothing for us.
    Ignored {
        /// Why.
        reason: String,
    },
    /// Nothing decides what it is.
    Held {
        /// What is missing, and what to do.
        reason: String,
        /// Whether what is missing may be told later without anybody doing
        /// anything.
        may_pass: bool,
    },
}

impl DocumentDecision {
    fn held(reason: String) -> Self {
        Self::Held { reason, may_pass: false }
    }
}

/// What an expression under `documents` reads.
#[derive(Serialize)]
struct Input<'a> {
    signature: &'a Signature,
    #[serde(skip_serializing_if = "Option::is_none")]
    deal: Option<&'a Deal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'a Company>,
    contacts: &'a [Contact],
    line_items: &'a [LineItem],
}

/// Decides what a document is: what a person said, then whether it is a test,
/// the scope of its deal, the rules under `documents:`; what none of them
/// decides is a contract if the deal is won or the document has a total above
/// zero, else it is held. `deal` is nothing where the CRM does not have it.
fn decide(
    config: &Config,
    signature: &Signature,
    deal: Option<&Deal>,
    person: Option<DocumentKind>,
) -> DocumentDecision {
    match person {
        Some(DocumentKind::Ignored) => {
            return DocumentDecision::Ignored { reason: "a person said so".to_owned() };
        }
        Some(kind) => return DocumentDecision::Counts(kind, DecidedBy::Person),
        None => {}
    }
    if signature.test && config.test_documents != TestDocuments::Accept {
        let reason = format!(
            "it is a test document of {}; `test_documents: accept` in handoff.yaml would take it",
            signature.provider
        );
        return DocumentDecision::Ignored { reason };
    }
    match deal.map(|deal| exclusion(config, deal)) {
        Some(Ok(Some(reason))) => {
            return DocumentDecision::Ignored {
                reason: format!("its deal is out of scope: {reason}"),
            };
        }
        Some(Err(gap)) => {
            return DocumentDecision::held(format!("{}: {}", gap.what, gap.why));
        }
        Some(Ok(None)) | None => {}
    }
    let input = Input {
        signature,
        deal,
        company: deal.and_then(|deal| deal.company.as_ref()),
        contacts: deal.map_or(&[], |deal| deal.contacts.as_slice()),
        line_items: deal.map_or(&[], |deal| deal.line_items.as_slice()),
    };
    for rule in config.documents_of(&signature.provider) {
        // What was not read is not known to be nothing.
        let unread =
            signature.unread.iter().find(|it| rule.when.reads_path(&["signature", it.fact]));
        if let Some(UnreadFact { fact, why, may_pass }) = unread {
            let rule = rule.when.source();
            let reason = format!(
                "the rule `{rule}` under `documents:` reads signature.{fact}, which could not be read: {why}"
            );
            return DocumentDecision::Held { reason, may_pass: *may_pass };
        }
        match rule.when.is_true(&input) {
            Ok(false) => {}
            Ok(true) if rule.is == DocumentKind::Ignored => {
                let reason = rule.reason.clone();
                let reason = reason.unwrap_or_else(|| format!("`{}` holds", rule.when.source()));
                return DocumentDecision::Ignored { reason };
            }
            Ok(true) => return DocumentDecision::Counts(rule.is, DecidedBy::Rule),
            Err(error) => {
                let rule = rule.when.source();
                return DocumentDecision::held(format!(
                    "the rule `{rule}` under `documents:` cannot be decided: {error}"
                ));
            }
        }
    }
    if deal.is_some_and(|deal| deal.outcome == Outcome::Won) {
        return DocumentDecision::Counts(DocumentKind::Contract, DecidedBy::Won);
    }
    if signature.total.as_ref().is_some_and(|total| total.amount > Decimal::ZERO) {
        return DocumentDecision::Counts(DocumentKind::Contract, DecidedBy::Total);
    }
    let deal = match deal {
        Some(deal) => format!("its deal {} is not won", deal.id),
        None => "it has no deal that is won".to_owned(),
    };
    let reason = format!(
        "no rule under `documents:` in handoff.yaml says what it is, {deal}, and it has no total above zero"
    );
    DocumentDecision::held(reason)
}

/// [`decide`] for all the deals that a document names: held where it is for one of
/// them, then with all of them named; else it counts where it does for one.
#[must_use]
pub fn decide_for_all(
    config: &Config,
    signature: &Signature,
    deals: &[Option<&Deal>],
) -> DocumentDecision {
    let (mut counts, mut ignored, mut held) = (None, Vec::new(), Vec::new());
    let mut passes = true;
    for deal in deals {
        match decide(config, signature, *deal, None) {
            DocumentDecision::Ignored { reason } => ignored.push(reason),
            DocumentDecision::Held { reason, may_pass } => {
                passes &= may_pass;
                held.push(reason);
            }
            found @ DocumentDecision::Counts(..) => counts = counts.or(Some(found)),
        }
    }
    if !held.is_empty() {
        let named: Vec<&DealId> = deals.iter().flatten().map(|deal| &deal.id).collect();
        let reason = held_for(&named, &mut held);
        return DocumentDecision::Held { reason, may_pass: passes };
    }
    ignored.dedup();
    counts.unwrap_or_else(|| DocumentDecision::Ignored { reason: ignored.join("; ") })
}

/// Why a document is held, with all of its deals where it has several.
fn held_for(deals: &[&DealId], reasons: &mut Vec<String>) -> String {
    reasons.dedup();
    let reason = reasons.join("; ");
    match deals {
        [] | [_] => reason,
        several => {
            let names: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            format!("it names the deals {}: {reason}", names.join(", "))
        }
    }
}

/// What becomes of a completed document.
#[derive(Debug, Clone)]
pub enum DocumentLook {
    /// It is handed over, once for each of its deals.
    HandOver(Vec<Found>),
    /// It is nothing for us, for this reason.
    Ignored(String),
    /// It waits.
    Held {
        /// For what, and what to do.
        reason: String,
        /// The deals it names: news of one of them may decide it.
        deals: Vec<DealId>,
        /// Whether it may be decided later without anybody doing anything.
        may_pass: bool,
    },
}

/// Finds the deals of a document and decides what it is. A document whose
/// deal the CRM does not have waits for it, for as long as `wait_for_deal` says
/// from `waiting_since` on; after that, and where a person has decided, it is
/// handed over with what it says itself.
///
/// # Errors
/// When the CRM cannot be asked or the ledger cannot be read.
pub async fn look_at_document(
    context: &Context,
    signature: &Signature,
    person: Option<DocumentKind>,
    waiting_since: DateTime<Utc>,
) -> Result<DocumentLook, WorkflowError> {
    let config = &context.config;
    let signature = &signed_when_it_can_be(signature, waiting_since, context.now);
    // What the document alone says is no reason to ask the CRM.
    if let DocumentDecision::Ignored { reason } = decide(config, signature, None, person) {
        return Ok(DocumentLook::Ignored(reason));
    }
    let unclear = signature.unread.iter().find(|it| it.fact == "deal_refs");
    if let Some(UnreadFact { why, .. }) = unclear.filter(|_| signature.deal_refs.is_empty())
        && person.is_none()
    {
        let (reason, deals) = (format!("it is not clear which deal it is of: {why}"), Vec::new());
        return Ok(DocumentLook::Held { reason, deals, may_pass: false });
    }
    let mut all = of_document(signature, context.crm.as_deref()).await?;
    let loose = LooseDocuments::default();
    for found in &mut all {
        loose.join_known(context, found)?;
    }
    let deals: Vec<DealId> =
        all.iter().filter_map(|it| it.deal.as_ref()).map(|deal| deal.id.clone()).collect();
    let patience = config.wait_for_deal.plain();
    let until = waiting_since.checked_add_signed(patience).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let (mut counts, mut ignored, mut held) = (Vec::new(), Vec::new(), Vec::new());
    let mut passes = true;
    for mut found in all {
        let deal = found.deal.as_ref().filter(|_| found.is_known && context.crm.is_some());
        let named = found.deal.as_ref().map(|deal| deal.id.clone());
        // What was decided once, and is in the ledger, is not asked again.
        let person = match person {
            None => recorded_kind(context, &found.key, signature)?,
            said => said,
        };
        match decide(config, signature, deal, person) {
            DocumentDecision::Ignored { reason } => ignored.push(reason),
            DocumentDecision::Held { reason, may_pass } => {
                passes &= may_pass;
                held.push(reason);
            }
            DocumentDecision::Counts(DocumentKind::Amendment, _)
                if context.stored(&found.key, None)?.is_none() =>
            {
                passes = false;
                held.push(format!(
                    "it is an amendment, and the ledger has no handoff {}",
                    found.key
                ));
            }
            DocumentDecision::Counts(..)
                if !found.is_known && person.is_none() && context.now < until =>
            {
                passes = false;
                let crm = found.deal.as_ref().map_or("the CRM", |deal| deal.crm.as_str());
                let deal = named.as_ref().map_or("of it", |id| id.as_str());
                held.push(format!(
                    "{crm} has no deal {deal} (yet), and before {} no handoff is made without it",
                    until.format("%Y-%m-%d %H:%M UTC")
                ));
            }
            DocumentDecision::Counts(kind, by) => {
                (found.kind, found.decided_by) = (kind, Some(by));
                if !found.is_known {
                    // The first remark says so already; this one says what to do.
                    found.remarks.push(
                        "when the deal appears, `handoff sign --deal ID` fills in the brief"
                            .to_owned(),
                    );
                }
                counts.push(found);
            }
        }
    }
    if !held.is_empty() {
        let reason = held_for(&deals.iter().collect::<Vec<_>>(), &mut held);
        return Ok(DocumentLook::Held { reason, deals, may_pass: passes });
    }
    if counts.is_empty() {
        ignored.dedup();
        return Ok(DocumentLook::Ignored(ignored.join("; ")));
    }
    for found in &mut counts {
        found
            .remarks
            .extend(ignored.iter().map(|why| format!("one of its deals is left out: {why}")));
    }
    Ok(DocumentLook::HandOver(counts))
}

/// What a document is that a person has decided and the ledger has: nothing where
/// it is not there, or was voided since.
fn recorded_kind(
    context: &Context,
    key: &Key,
    signature: &Signature,
) -> Result<Option<DocumentKind>, WorkflowError> {
    let renewal = Key::for_renewal(key, &signature.document_id).ok();
    // Before its deal was known.
    let alone = Key::for_document(&signature.provider, &signature.document_id).ok();
    for (key, first) in [
        (Some(key.clone()), DocumentKind::Contract),
        (renewal, DocumentKind::New),
        (alone, DocumentKind::Contract),
    ] {
        let Some(key) = key else { continue };
        let Some(stored) = context.stored(&key, None)? else { continue };
        let about = |event: &&Event| {
            event.via == signature.provider.as_str()
                && event.reference.as_deref() == Some(signature.document_id.as_str())
        };
        let mut kind = None;
        for event in stored.timeline.events.iter().filter(about) {
            let is_persons = event.decided_by == Some(DecidedBy::Person);
            match event.event {
                EventKind::Signed if is_persons => kind = Some(first),
                EventKind::Amended if is_persons => kind = Some(DocumentKind::Amendment),
                EventKind::Voided => kind = None,
                _ => {}
            }
        }
        if kind.is_some() {
            return Ok(kind);
        }
    }
    Ok(None)
}

/// A clock, or a time without its zone, may be so far ahead.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// The signature with a time at which it can have been made: deadlines and the
/// folder follow it. One in the future, or before there were such signatures, is
/// the time at which it arrived, and so is one that nobody tells.
fn signed_when_it_can_be(
    signature: &Signature,
    arrived: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Signature {
    let mut signature = signature.clone();
    if signature.signed_at.is_none() {
        signature.signed_at = Some(arrived.min(now));
        signature.remarks.push(
            "the document does not say when it was signed; the time at which it arrived counts"
                .to_owned(),
        );
    } else if let Some(at) = signature.signed_at.filter(|at| *at > now + AHEAD || at.year() < 2000)
    {
        signature.signed_at = Some(arrived.min(now));
        signature.remarks.push(format!(
            "the document says it was signed on {}, which cannot be; the time at which it arrived counts",
            at.format("%Y-%m-%d")
        ));
    }
    signature
}

/// Sends the message about a document that is held to those whom `held_documents`
/// names and who are not among `told`, to which it adds them; whether all were
/// told that there are.
///
/// # Errors
/// When one of them cannot be told, or there is no way to; the others are told.
pub async fn tell_of_held(
    context: &Context,
    held: &HeldDocument,
    told: &mut BTreeSet<String>,
) -> Result<bool, DeliveryError> {
    let to = &context.config.tell_of_held;
    let posted = context.config.post_of_held.iter().map(|via| (*via, Some(*via)));
    let by_mail = (!to.is_empty()).then_some(("email", None));
    let open: Vec<(&str, Option<&'static str>)> =
        posted.chain(by_mail).filter(|(target, _)| !told.contains(*target)).collect();
    if open.is_empty() {
        return Ok(!told.is_empty());
    }
    let deals: Vec<&str> = held.deals.iter().map(DealId::as_str).collect();
    let deals = match deals.as_slice() {
        [] => String::new(),
        deals => format!("Deals: {}\n", deals.join(", ")),
    };
    let body = format!(
        "{} was completed, and is held: {}\n\n{deals}Held since: {}\nEvent: {event}\n\n\
         Nothing is handed over until this is decided:\n\
         - handoff inbox release {event} --as contract   hands it over\n\
         - handoff inbox drop {event}   leaves it alone\n\
         - a rule under `documents:` in handoff.yaml decides all that are like it\n",
        held.title(),
        held.reason,
        held.since.format("%Y-%m-%d %H:%M UTC"),
        event = held.event,
    );
    let title = one_line(&format!("Held: {}", held.title()));
    let mut failed = None;
    'targets: for (target, post) in open {
        let to = if post.is_none() { to.clone() } else { Vec::new() };
        let (id, body) = (format!("held.{}", held.event), terminal(&body));
        let notice = Notice { id, to, post, title: title.clone(), body };
        for sink in &context.sinks {
            match sink.notify(&notice).await {
                Ok(false) => {}
                Ok(true) => {
                    told.insert(target.to_owned());
                    continue 'targets;
                }
                Err(error) => {
                    failed = Some(error);
                    continue 'targets;
                }
            }
        }
        failed = Some(DeliveryError::Permanent {
            message: match post {
                None => "`held_documents.tell` names addresses, and nothing sends mail".to_owned(),
                Some(via) => {
                    format!("`held_documents.post` names {via}, and `deliver.{via}` is not there")
                }
            },
            help: match post {
                None => "configure `deliver.email`, or `deliver.outbox`".to_owned(),
                Some(via) => format!("configure `deliver.{via}`, or take it out"),
            },
        });
    }
    failed.map_or(Ok(true), Err)
}

/// The documents of the handoffs in the months from `since` on, and what could
/// not be read.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn documents_within(
    context: &Context,
    since: DateTime<Utc>,
) -> Result<Evidence<DocumentKey>, WorkflowError> {
    let (keys, mut gaps) = keys_within(context, Horizon { since })?;
    let mut documents = BTreeSet::new();
    for key in keys {
        let stored = match context.stored(&key, None) {
            Ok(Some(stored)) => stored,
            Ok(None) => continue,
            Err(error) => {
                gaps.push(Gap::new(format!("the handoff {key}"), error.to_string()));
                continue;
            }
        };
        for event in stored.timeline.events {
            if matches!(event.event, EventKind::Signed | EventKind::Amended | EventKind::Backfilled)
                && let Some(document) = event.reference
            {
                documents.insert((ProviderName::new(event.via), DocumentId::new(document)));
            }
        }
    }
    Ok(Evidence::new(documents.into_iter().collect(), gaps))
}
