//! Takes due events from the inbox, has them confirmed, and hands them on to
//! whoever acts upon them.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::inbox::{
    Backoff, Claimed, Envelope, EventContent, EventDocument, EventName, EventState, Inbox,
    InboxError,
};
use super::metrics::{Counter, ServiceMetrics};
use crate::crm::Triggers;
use crate::esign::{FetchError, Fetcher, Provider, Providers, Verified, confirm};
use crate::http::Limits;
use crate::model::{
    DealId, DocumentId, DocumentKey, DocumentKind, HeldDocument, ProviderName, Secrets, Signature,
    SignatureEvent,
};
use crate::time::Clock;

/// One delivery, as far as it may be acted upon.
#[derive(Debug, Clone)]
pub struct Task {
    /// Who says so.
    pub provider: ProviderName,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// What it tells.
    pub news: News,
    /// What kind of document a person said it is.
    pub decided: Option<DocumentKind>,
}

/// What a delivery tells.
#[derive(Debug, Clone)]
pub enum News {
    /// Confirmed events of an e-sign provider.
    Signatures(Vec<SignatureEvent>),
    /// What the provider, a CRM, says of deals. A hint: the CRM is to be asked.
    Deals(DealsTold),
}

/// The deals that a CRM's webhook named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DealsTold {
    /// Those that may have been won.
    #[serde(default)]
    pub deals: Vec<DealId>,
    /// Those that were changed otherwise.
    #[serde(default)]
    pub changed: Vec<DealId>,
}

impl DealsTold {
    /// The body of an event in the inbox; a plain list where there are none but
    /// such that may have been won, as older versions read it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let written = match self.changed.is_empty() {
            true => serde_json::to_vec(&self.deals),
            false => serde_json::to_vec(self),
        };
        written.expect("ids are plain data")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "its fields are typed: one that stands twice is refused"
    )]
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let read = serde_json::from_slice(bytes)
            .map(|deals| Self { deals, changed: Vec::new() })
            .or_else(|_| serde_json::from_slice(bytes));
        read.map_err(|error| format!("its body is not a list of deals: {error}"))
    }
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkVerdict {
    /// It is done, or there was nothing to do.
    Done,
    /// It is done: nothing came of it, or of a part of it, for this reason.
    Ignored(String),
    /// It is genuine, and what it means is not certain: it waits, for a person
    /// or for new facts.
    Held {
        /// What is not certain, and what to do.
        reason: String,
        /// The deals it names: news of one of them is a reason to look again.
        deals: Vec<DealId>,
        /// The document that waits; the first of several.
        document: Option<DocumentId>,
    },
    /// It may succeed later, by itself.
    Again(String),
    /// A person must fix something first.
    Never(String),
}

/// Acts upon events. It may be given the same task again and makes nothing twice.
#[async_trait(?Send)]
pub trait Handler {
    /// Acts upon tasks that are due together; one verdict for each, in their order.
    async fn hand_over(&self, tasks: &[Task]) -> Vec<WorkVerdict>;

    /// Tells whoever is to hear of a document that is held and is not among those
    /// whom `told` names; whether all were told that there are.
    ///
    /// # Errors
    /// With why somebody was not told; it is tried again.
    async fn tell_of_held(
        &self,
        held: &HeldDocument,
        told: &mut BTreeSet<String>,
    ) -> Result<bool, String> {
        let _ = (held, told);
        Ok(false)
    }

    /// The settings that decide what documents are, in whatever form: when they
    /// change, what is held is looked at again.
    fn rules(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Looks whether something slipped, every few minutes.
    async fn reconcile(&self);

    /// Whether there is reason to look now.
    fn wants_to_reconcile(&self) -> bool {
        false
    }
}

/// The most events that are handed on together.
const BATCH: usize = 64;
/// So many events are confirmed at a time.
const CONFIRMED_AT_ONCE: usize = 8;
/// How often the inbox is looked at for what others put there.
const TICK: Duration = Duration::from_secs(1);
/// How often what dead processes had in hand is looked for.
const RECOVER: Duration = Duration::from_secs(60);
/// How often it is looked whether something slipped.
const RECONCILE: Duration = Duration::from_secs(5 * 60);

/// How many events ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventTally {
    /// Worked off.
    pub done: usize,
    /// Held, until their meaning is certain.
    pub held: usize,
    /// To be tried again later.
    pub again: usize,
    /// Put aside for a person.
    pub failed: usize,
}

/// Who may send, as settings and secrets have it now.
#[derive(Clone)]
pub struct Connections {
    /// The e-sign providers with their settings.
    pub providers: Arc<Providers>,
    /// The CRMs' webhooks with their settings.
    pub triggers: Arc<Triggers>,
    /// The secrets.
    pub secrets: Secrets,
    /// How long the providers' APIs are waited for.
    pub limits: Limits,
}

/// Reads [`Connections`] again; fails with the reason to go on with the old ones.
pub type Reread = Arc<dyn Fn() -> Result<Connections, String> + Send + Sync>;

/// What a provider's API is reached through, or why it is not.
type ProviderFetcher = Result<Option<Box<dyn Fetcher>>, FetchError>;

/// Works events off.
pub struct Worker {
    inbox: Arc<dyn Inbox>,
    connections: RefCell<Arc<ProviderApis>>,
    reread: Reread,
    handler: Box<dyn Handler>,
    backoff: Backoff,
    clock: Clock,
    metrics: Arc<ServiceMetrics>,
    /// The rules by which what is held was last looked at; none before the first look.
    rules: RefCell<Option<Vec<u8>>>,
    /// What earlier events say of documents; none before it was needed.
    remembered: RefCell<Option<Remembered>>,
}

/// The providers and their APIs for one batch.
struct ProviderApis {
    connections: Connections,
    apis: BTreeMap<String, ProviderFetcher>,
}

impl ProviderApis {
    fn new(connections: Connections) -> Arc<Self> {
        // Settings that cannot be read leave the former APIs in use, for however long.
        let limits = Limits { run: None, ..connections.limits };
        let api = |provider: &dyn Provider| provider.fetcher(&connections.secrets, limits);
        let apis = connections.providers.iter().map(|it| (it.name().to_owned(), api(it))).collect();
        Arc::new(Self { connections, apis })
    }
}

impl Worker {
    /// A worker on an inbox.
    #[must_use]
    pub fn new(
        inbox: Arc<dyn Inbox>,
        connections: Connections,
        reread: Reread,
        handler: Box<dyn Handler>,
        clock: Clock,
        metrics: Arc<ServiceMetrics>,
    ) -> Self {
        Self {
            inbox,
            connections: RefCell::new(ProviderApis::new(connections)),
            reread,
            handler,
            backoff: Backoff::default(),
            clock,
            metrics,
            rules: RefCell::default(),
            remembered: RefCell::default(),
        }
    }

    /// What settings and secrets say now; what cannot be read is said, and the
    /// old ones are used.
    fn open(&self) -> Arc<ProviderApis> {
        match (self.reread)() {
            Ok(connections) => *self.connections.borrow_mut() = ProviderApis::new(connections),
            Err(why) => {
                tracing::error!(why, "the settings cannot be read; the former ones are used")
            }
        }
        Arc::clone(&self.connections.borrow())
    }

    /// Works until `stop` says so: what is in hand then is finished first.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let wake = self.inbox.stored();
        let (mut recovered, mut reconciled): (Option<Instant>, Option<Instant>) = (None, None);
        while !*stop.borrow() {
            if recovered.is_none_or(|at| at.elapsed() > RECOVER) {
                self.tidy().await;
                recovered = Some(Instant::now());
            }
            let worked = match self.work(Some(&stop)).await {
                Ok(tally) => tally != EventTally::default(),
                Err(error) => {
                    tracing::error!(%error, "the inbox cannot be processed; it is tried again");
                    if let Err(error) = self.inbox.give_all_back().await {
                        tracing::error!(%error, "what is in hand cannot be returned; it is tried again");
                    }
                    false
                }
            };
            if worked {
                continue;
            }
            let is_due = reconciled.is_none_or(|at| at.elapsed() > RECONCILE);
            if is_due || self.handler.wants_to_reconcile() {
                self.handler.reconcile().await;
                reconciled = Some(Instant::now());
                continue;
            }
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Works off everything that is due now.
    ///
    /// # Errors
    /// When the inbox cannot be read or written.
    pub async fn drain(&self) -> Result<EventTally, InboxError> {
        self.tidy().await;
        let mut total = EventTally::default();
        loop {
            let tally = self.work(None).await?;
            if tally == EventTally::default() {
                return Ok(total);
            }
            total.done += tally.done;
            total.held += tally.held;
            total.again += tally.again;
            total.failed += tally.failed;
        }
    }

    async fn tidy(&self) {
        match self.inbox.tidy((self.clock)()).await {
            Ok(0) => {}
            Ok(events) => tracing::warn!(
                events,
                "a process ended with events in hand; they are taken up again"
            ),
            Err(error) => tracing::error!(%error, "the inbox cannot be tidied"),
        }
    }

    /// Works off one batch.
    async fn work(&self, stop: Option<&watch::Receiver<bool>>) -> Result<EventTally, InboxError> {
        self.look_at_held(None).await?;
        let mut claimed = self.inbox.claim((self.clock)(), BATCH).await?;
        if claimed.is_empty() {
            return Ok(EventTally::default());
        }
        let open = self.open();
        let read: Vec<Result<Task, WorkVerdict>> = futures_util::stream::iter(&claimed)
            .map(|event| async {
                let confirmed = AssertUnwindSafe(self.confirmed(&open, &event.envelope));
                let broke_off =
                    |panic: Box<dyn Any + Send>| Err(WorkVerdict::Never(broke_off(panic.as_ref())));
                confirmed.catch_unwind().await.unwrap_or_else(broke_off)
            })
            .buffered(CONFIRMED_AT_ONCE)
            .collect()
            .await;
        if stop.is_some_and(|stop| *stop.borrow()) {
            for event in &claimed {
                self.inbox.give_back(event).await?;
            }
            return Ok(EventTally::default());
        }
        let (mut verdicts, mut tasks, mut places) =
            (Vec::with_capacity(read.len()), Vec::new(), Vec::new());
        for (index, task) in read.into_iter().enumerate() {
            verdicts.push(match task {
                Ok(task) => {
                    places.push(index);
                    tasks.push(task);
                    WorkVerdict::Done
                }
                Err(verdict) => verdict,
            });
        }
        for (index, verdict) in places.iter().zip(self.hand_over(&tasks).await) {
            verdicts[*index] = verdict;
        }
        for (task, index) in tasks.iter().zip(&places) {
            let envelope = &mut claimed[*index].envelope;
            if let News::Signatures(events) = &task.news {
                envelope.voided = events.iter().filter_map(voided).collect();
            }
            if let WorkVerdict::Held { reason, deals, document } = &verdicts[*index] {
                self.tell_of_held(envelope, task, reason, deals, document.as_ref()).await?;
            }
        }
        let mut tally = EventTally::default();
        let mut told = Vec::new();
        for (event, verdict) in claimed.iter_mut().zip(verdicts) {
            let is_done = matches!(verdict, WorkVerdict::Done | WorkVerdict::Ignored(_));
            self.settle(event, verdict, &mut tally).await?;
            if is_done {
                let mut remembered = self.remembered.borrow_mut();
                // What nobody has asked for yet is read when somebody does.
                told.extend(match remembered.as_mut() {
                    Some(remembered) => remembered.take(&event.envelope),
                    None => Remembered::default().take(&event.envelope),
                });
            }
        }
        if !told.is_empty() {
            self.look_at_documents(&told).await?;
        }
        let told: Vec<DealId> = tasks
            .into_iter()
            .filter_map(|task| match task.news {
                News::Deals(told) => Some(told.deals),
                News::Signatures(_) => None,
            })
            .flatten()
            .collect();
        if !told.is_empty() {
            self.look_at_held(Some(&told)).await?;
        }
        Ok(tally)
    }

    /// Hands tasks on. When that breaks off, each is handed on alone, so that
    /// only the one at fault fails.
    async fn hand_over(&self, tasks: &[Task]) -> Vec<WorkVerdict> {
        if tasks.is_empty() {
            return Vec::new();
        }
        match AssertUnwindSafe(self.handler.hand_over(tasks)).catch_unwind().await {
            Ok(verdicts) => verdicts,
            Err(panic) if tasks.len() == 1 => vec![WorkVerdict::Never(broke_off(panic.as_ref()))],
            Err(_) => {
                let mut verdicts = Vec::with_capacity(tasks.len());
                for task in tasks.chunks(1) {
                    let alone = AssertUnwindSafe(self.handler.hand_over(task)).catch_unwind().await;
                    verdicts.extend(alone.unwrap_or_else(|panic| {
                        vec![WorkVerdict::Never(broke_off(panic.as_ref()))]
                    }));
                }
                verdicts
            }
        }
    }

    /// Has somebody told about a document that is to be held, once: the event keeps
    /// that it was, and other events of the same document count.
    async fn tell_of_held(
        &self,
        envelope: &mut Envelope,
        task: &Task,
        reason: &str,
        deals: &[DealId],
        document: Option<&DocumentId>,
    ) -> Result<(), InboxError> {
        let News::Signatures(events) = &task.news else { return Ok(()) };
        let held = events.iter().find_map(|event| match event {
            SignatureEvent::Completed(signature) => {
                document.is_none_or(|id| *id == signature.document_id).then_some(signature)
            }
            _ => None,
        });
        let Some(signature) = held else { return Ok(()) };
        envelope.document = Some(EventDocument::of(signature));
        if envelope.told_at.is_some() {
            return Ok(());
        }
        let now = (self.clock)();
        let others = self.inbox.list(&[EventState::Held], now).await?;
        let same = |other: &&Envelope| {
            let id = other.document.as_ref().map(|document| &document.id);
            other.provider == envelope.provider && id == Some(&signature.document_id)
        };
        let others = others.iter().filter_map(|other| other.envelope.as_ref().ok());
        for other in others.filter(same) {
            envelope.told_at = envelope.told_at.or(other.told_at);
            envelope.told.extend(other.told.iter().cloned());
        }
        if envelope.told_at.is_some() {
            return Ok(());
        }
        let mut looked_at = envelope.clone();
        looked_at.hold(now, reason, deals.to_vec());
        let Some(held) = looked_at.held_document() else { return Ok(()) };
        match self.handler.tell_of_held(&held, &mut envelope.told).await {
            Ok(told) => envelope.told_at = told.then_some(now),
            Err(why) => {
                let event = held.event;
                tracing::warn!(event, why, "not all were told that it is held; it is tried again");
            }
        }
        Ok(())
    }

    /// Makes held events due that are to be looked at again: those whose time
    /// has come, all of them at the start and after the rules have changed, and
    /// those of deals that were reported.
    async fn look_at_held(&self, told: Option<&[DealId]>) -> Result<(), InboxError> {
        let now = (self.clock)();
        let rules = self.handler.rules();
        let changed = self.rules.borrow().as_ref() != Some(&rules);
        for held in self.inbox.list(&[EventState::Held], now).await? {
            let is_due = match (&held.envelope, told) {
                (Ok(envelope), Some(told)) => {
                    let deals = envelope.held.iter().flat_map(|hold| &hold.deals);
                    deals.into_iter().any(|deal| told.contains(deal))
                }
                (Ok(envelope), None) => changed || envelope.due() <= now,
                // It is put aside for a person when it is claimed.
                (Err(_), _) => changed,
            };
            if is_due {
                self.make_due(&held.name, now).await?;
            }
        }
        *self.rules.borrow_mut() = Some(rules);
        Ok(())
    }

    /// Makes held events due whose documents another event has reported.
    async fn look_at_documents(&self, told: &[DocumentKey]) -> Result<(), InboxError> {
        let now = (self.clock)();
        for held in self.inbox.list(&[EventState::Held], now).await? {
            let Ok(envelope) = &held.envelope else { continue };
            let document = envelope.document.as_ref();
            let key = document.map(|it| (envelope.provider.clone(), it.id.clone()));
            if key.is_some_and(|key| told.contains(&key)) {
                self.make_due(&held.name, now).await?;
            }
        }
        Ok(())
    }

    /// Makes a held event due, unless another process was faster.
    async fn make_due(&self, name: &EventName, now: DateTime<Utc>) -> Result<(), InboxError> {
        match self.inbox.retry(name, now, None).await {
            Ok(()) | Err(InboxError::Unknown(_) | InboxError::NotHere { .. }) => Ok(()),
            Err(InboxError::Damaged { place, why }) => {
                tracing::error!(place, why, "a held event cannot be read");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// What earlier events say of this document.
    async fn recall(&self, signature: &Signature) -> Result<Recalled, InboxError> {
        if self.remembered.borrow().is_none() {
            let now = (self.clock)();
            let done = self.inbox.list(&[EventState::Done], now).await?;
            let mut remembered = Remembered::default();
            for event in done.iter().filter_map(|event| event.envelope.as_ref().ok()) {
                remembered.take(event);
            }
            *self.remembered.borrow_mut() = Some(remembered);
        }
        let remembered = self.remembered.borrow();
        Ok(remembered.as_ref().map(|it| it.recall(signature)).unwrap_or_default())
    }

    async fn settle(
        &self,
        event: &mut Claimed,
        verdict: WorkVerdict,
        tally: &mut EventTally,
    ) -> Result<(), InboxError> {
        let (name, now) = (event.envelope.name(), (self.clock)());
        let outcome = match verdict {
            WorkVerdict::Done => {
                self.inbox.settle(event, EventState::Done).await?;
                tracing::info!(event = %name, "done");
                tally.done += 1;
                "done"
            }
            WorkVerdict::Ignored(why) => {
                event.envelope.ignore(&why);
                self.inbox.settle(event, EventState::Done).await?;
                tracing::info!(event = %name, why, "done; ignored");
                tally.done += 1;
                "done"
            }
            WorkVerdict::Held { reason, deals, .. } => {
                self.inbox.hold(event, now, &reason, deals).await?;
                tracing::warn!(event = %name, reason, "held; a rule under `documents:` decides it, or `handoff inbox release`");
                tally.held += 1;
                "held"
            }
            WorkVerdict::Again(why) => {
                match self.inbox.try_later(event, now, &why, &self.backoff).await? {
                    EventState::Failed => {
                        tracing::error!(event = %name, why, "given up; `handoff inbox retry` tries it again");
                        tally.failed += 1;
                        "failed"
                    }
                    _ => {
                        let due = event.envelope.due().to_rfc3339();
                        tracing::warn!(event = %name, why, due, "not done; it is tried again");
                        tally.again += 1;
                        "again"
                    }
                }
            }
            WorkVerdict::Never(why) => {
                self.inbox.give_up(event, now, &why).await?;
                tracing::error!(event = %name, why, "failed; fix it, then `handoff inbox retry`");
                tally.failed += 1;
                "failed"
            }
        };
        self.metrics.count(Counter::Processed, &[event.envelope.provider.as_str(), outcome]);
        Ok(())
    }

    /// The e-sign provider that an event comes from.
    fn provider<'a>(
        open: &'a ProviderApis,
        envelope: &Envelope,
    ) -> Result<&'a dyn Provider, WorkVerdict> {
        let name = envelope.provider.as_str();
        let found = open.connections.providers.by_name(name);
        found.ok_or_else(|| WorkVerdict::Never(format!("there is no provider {name}")))
    }

    /// What an event says, as far as it may be acted upon.
    async fn confirmed(
        &self,
        open: &ProviderApis,
        envelope: &Envelope,
    ) -> Result<Task, WorkVerdict> {
        let never = |why: String| WorkVerdict::Never(why);
        let bytes = envelope.body.bytes().map_err(never)?;
        let (provider, events) = match envelope.content {
            EventContent::Deals => return deals(envelope, &bytes).map_err(never),
            EventContent::Notification => {
                let provider = Self::provider(open, envelope)?;
                let events = provider
                    .parse(&bytes, envelope.content_type.as_deref())
                    .map_err(|error| never(error.to_string()))?;
                (provider, events)
            }
            EventContent::Signature => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "its fields are typed: one that stands twice is refused"
                )]
                let signature: Signature = serde_json::from_slice(&bytes)
                    .map_err(|error| never(format!("its body is not a signature: {error}")))?;
                (Self::provider(open, envelope)?, vec![SignatureEvent::Completed(signature)])
            }
        };
        let id = envelope.delivery_id().map_err(never)?;
        // Only what was verified, or was told by the provider's API, gets into the inbox.
        let verified = Verified::vouched(provider, id, events, provider.authenticity());
        let api = open.apis.get(provider.name());
        let fetcher = api.and_then(|api| api.as_ref().ok()).and_then(Option::as_deref);
        let confirmed = confirm(verified, fetcher).await.map_err(|error| match (error, api) {
            // Why there is nobody to ask says more than that there is nobody.
            (FetchError::CannotConfirm { .. }, Some(Err(error))) => never(error.to_string()),
            (error, _) if error.may_pass() => WorkVerdict::Again(error.to_string()),
            (error, _) => never(error.to_string()),
        })?;
        for error in &confirmed.not_enriched {
            tracing::warn!(event = %envelope.name(), %error, "the provider's API did not add to what the webhook says");
        }
        let provider: ProviderName = confirmed.provider;
        let (received_at, mut decided) = (envelope.received_at, envelope.decided);
        let mut events = Vec::with_capacity(confirmed.events.len());
        let is_alone = confirmed.events.len() == 1;
        for event in confirmed.events {
            let SignatureEvent::Completed(signature) = &event else {
                events.push(event);
                continue;
            };
            let recalled = self.recall(signature).await;
            let recalled = recalled.map_err(|error| WorkVerdict::Again(error.to_string()))?;
            if is_alone {
                decided = decided.or(recalled.decided);
            }
            events.push(match recalled.voided {
                Some(at) if signature.signed_at.is_some_and(|signed| signed <= at) => {
                    let at = at.format("%Y-%m-%d %H:%M UTC");
                    let what =
                        format!("document {}, which was voided on {at}", signature.document_id);
                    tracing::warn!(event = %envelope.name(), what, "ignored");
                    SignatureEvent::Ignored { what }
                }
                Some(at) if signature.signed_at.is_none() && decided.is_none() => {
                    return Err(WorkVerdict::Held {
                        reason: format!(
                            "it was voided on {}, and it does not say when it was signed",
                            at.format("%Y-%m-%d %H:%M UTC")
                        ),
                        deals: signature.deal_refs.iter().map(|it| it.id.clone()).collect(),
                        document: Some(signature.document_id.clone()),
                    });
                }
                _ => event,
            });
        }
        Ok(Task { provider, received_at, news: News::Signatures(events), decided })
    }
}

/// What the events that were processed say of documents, so that what comes
/// later is judged by it: kinds that a person gave, and when one was voided.
#[derive(Debug, Default)]
struct Remembered {
    decided: BTreeMap<DocumentKey, DocumentKind>,
    voided: BTreeMap<DocumentKey, DateTime<Utc>>,
}

/// What is remembered of one document.
#[derive(Debug, Default)]
struct Recalled {
    decided: Option<DocumentKind>,
    voided: Option<DateTime<Utc>>,
}

impl Remembered {
    /// Takes in an event that was processed; gives the documents it reports.
    fn take(&mut self, envelope: &Envelope) -> Vec<DocumentKey> {
        let key = |id: &DocumentId| (envelope.provider.clone(), id.clone());
        let mut told = Vec::new();
        if let (Some(document), Some(kind)) = (&envelope.document, envelope.decided) {
            self.decided.insert(key(&document.id), kind);
            told.push(key(&document.id));
        }
        for id in &envelope.voided {
            let at = self.voided.entry(key(id)).or_insert(envelope.received_at);
            *at = envelope.received_at.max(*at);
            told.push(key(id));
        }
        told
    }

    fn recall(&self, signature: &Signature) -> Recalled {
        let key = (signature.provider.clone(), signature.document_id.clone());
        let (decided, voided) = (self.decided.get(&key), self.voided.get(&key));
        Recalled { decided: decided.copied(), voided: voided.copied() }
    }
}

/// The document that an event says was voided.
fn voided(event: &SignatureEvent) -> Option<DocumentId> {
    match event {
        SignatureEvent::Voided { signature, .. } => Some(signature.document_id.clone()),
        _ => None,
    }
}

/// What is said of a panic: its own words, for whoever reports it.
fn broke_off(panic: &(dyn Any + Send)) -> String {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words");
    format!("handoff crashed on it, which is a bug in handoff: {words}")
}

/// What a CRM's webhook named; whoever hands over asks the CRM.
fn deals(envelope: &Envelope, bytes: &[u8]) -> Result<Task, String> {
    let told = DealsTold::read(bytes)?;
    let (provider, received_at) = (envelope.provider.clone(), envelope.received_at);
    Ok(Task { provider, received_at, news: News::Deals(told), decided: None })
}
