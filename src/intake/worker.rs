//! Takes due events from the inbox, has them confirmed, and hands them on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::Clock;
use super::handler::{Handler, News, Task, Verdict};
use super::inbox::{Backoff, Claimed, Content, Envelope, Inbox, InboxError, State};
use super::metrics::{Counter, Metrics};
use crate::esign::{FetchError, Fetcher, Provider, Providers, Verified, confirm};
use crate::model::{DealId, ProviderName, Secrets, Signature, SignatureEvent};

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
pub struct Tally {
    /// Worked off.
    pub done: usize,
    /// To be tried again later.
    pub again: usize,
    /// Put aside for a person.
    pub failed: usize,
}

/// What a provider's API is reached through, or why it is not.
type Api = Result<Option<Box<dyn Fetcher>>, FetchError>;

/// Works events off.
pub struct Worker {
    inbox: Arc<dyn Inbox>,
    providers: Arc<Providers>,
    apis: BTreeMap<&'static str, Api>,
    handler: Box<dyn Handler>,
    backoff: Backoff,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Worker {
    /// A worker on an inbox.
    #[must_use]
    pub fn new(
        inbox: Arc<dyn Inbox>,
        providers: Arc<Providers>,
        secrets: &Secrets,
        handler: Box<dyn Handler>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let apis =
            providers.iter().map(|provider| (provider.name(), provider.fetcher(secrets))).collect();
        Self { inbox, providers, apis, handler, backoff: Backoff::default(), clock, metrics }
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
                Ok(tally) => tally != Tally::default(),
                Err(error) => {
                    tracing::error!(%error, "the inbox cannot be worked off; it is tried again");
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
    pub async fn drain(&self) -> Result<Tally, InboxError> {
        self.tidy().await;
        let mut total = Tally::default();
        loop {
            let tally = self.work(None).await?;
            if tally == Tally::default() {
                return Ok(total);
            }
            total.done += tally.done;
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
    async fn work(&self, stop: Option<&watch::Receiver<bool>>) -> Result<Tally, InboxError> {
        let mut claimed = self.inbox.claim((self.clock)(), BATCH).await?;
        let read: Vec<Result<Task, Verdict>> = futures_util::stream::iter(&claimed)
            .map(|event| self.confirmed(&event.envelope))
            .buffered(CONFIRMED_AT_ONCE)
            .collect()
            .await;
        if stop.is_some_and(|stop| *stop.borrow()) {
            for event in &claimed {
                self.inbox.give_back(event).await?;
            }
            return Ok(Tally::default());
        }
        let (mut verdicts, mut tasks, mut places) =
            (Vec::with_capacity(read.len()), Vec::new(), Vec::new());
        for (index, task) in read.into_iter().enumerate() {
            verdicts.push(match task {
                Ok(task) => {
                    places.push(index);
                    tasks.push(task);
                    Verdict::Done
                }
                Err(verdict) => verdict,
            });
        }
        if !tasks.is_empty() {
            for (index, verdict) in places.into_iter().zip(self.handler.hand_over(&tasks).await) {
                verdicts[index] = verdict;
            }
        }
        let mut tally = Tally::default();
        for (event, verdict) in claimed.iter_mut().zip(verdicts) {
            self.settle(event, verdict, &mut tally).await?;
        }
        Ok(tally)
    }

    async fn settle(
        &self,
        event: &mut Claimed,
        verdict: Verdict,
        tally: &mut Tally,
    ) -> Result<(), InboxError> {
        let (name, now) = (event.envelope.name(), (self.clock)());
        let outcome = match verdict {
            Verdict::Done => {
                self.inbox.settle(event, State::Done).await?;
                tracing::info!(event = %name, "done");
                tally.done += 1;
                "done"
            }
            Verdict::Again(why) => {
                match self.inbox.try_later(event, now, &why, &self.backoff).await? {
                    State::Failed => {
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
            Verdict::Never(why) => {
                self.inbox.give_up(event, now, &why).await?;
                tracing::error!(event = %name, why, "failed; mend it, then `handoff inbox retry`");
                tally.failed += 1;
                "failed"
            }
        };
        self.metrics.count(Counter::Processed, &[event.envelope.provider.as_str(), outcome]);
        Ok(())
    }

    /// The e-sign provider that an event comes from.
    fn provider(&self, envelope: &Envelope) -> Result<&dyn Provider, Verdict> {
        let name = envelope.provider.as_str();
        let found = self.providers.by_name(name);
        found.ok_or_else(|| Verdict::Never(format!("there is no provider {name}")))
    }

    /// What an event says, as far as it may be acted upon.
    async fn confirmed(&self, envelope: &Envelope) -> Result<Task, Verdict> {
        let never = |why: String| Verdict::Never(why);
        let bytes = envelope.body.bytes().map_err(never)?;
        let (provider, events) = match envelope.content {
            Content::Deals => return deals(envelope, &bytes).map_err(never),
            Content::Notification => {
                let provider = self.provider(envelope)?;
                let events = provider
                    .parse(&bytes, envelope.content_type.as_deref())
                    .map_err(|error| never(error.to_string()))?;
                (provider, events)
            }
            Content::Signature => {
                let signature: Signature = serde_json::from_slice(&bytes)
                    .map_err(|error| never(format!("its body is no signature: {error}")))?;
                (self.provider(envelope)?, vec![SignatureEvent::Completed(signature)])
            }
        };
        let id = envelope.delivery_id().map_err(never)?;
        // Only what was verified, or was told by the provider's API, gets into the inbox.
        let verified = Verified::vouched(provider, id, events, provider.authenticity());
        let api = self.apis.get(provider.name());
        let fetcher = api.and_then(|api| api.as_ref().ok()).and_then(Option::as_deref);
        let confirmed = confirm(verified, fetcher).await.map_err(|error| match (error, api) {
            // Why there is nobody to ask says more than that there is nobody.
            (FetchError::CannotConfirm { .. }, Some(Err(error))) => never(error.to_string()),
            (error, _) if error.may_pass() => Verdict::Again(error.to_string()),
            (error, _) => never(error.to_string()),
        })?;
        for error in &confirmed.not_enriched {
            tracing::warn!(event = %envelope.name(), %error, "the provider's API did not add to what the webhook says");
        }
        let provider: ProviderName = confirmed.provider;
        let news = News::Signatures(confirmed.events);
        Ok(Task { provider, received_at: envelope.received_at, news })
    }
}

/// What a CRM's webhook named; whoever hands over asks the CRM.
fn deals(envelope: &Envelope, bytes: &[u8]) -> Result<Task, String> {
    let ids: Vec<DealId> = serde_json::from_slice(bytes)
        .map_err(|error| format!("its body is no list of deals: {error}"))?;
    let (provider, received_at) = (envelope.provider.clone(), envelope.received_at);
    Ok(Task { provider, received_at, news: News::Deals(ids) })
}
