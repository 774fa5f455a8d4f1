//! What `serve`, `watch` and `catch-up` do with events of the inbox: brief,
//! deliveries, push.

mod drafts;
mod publisher;
mod requests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Days, Utc};

use self::publisher::Publisher;
use super::error::CliError;
use super::invocation::Invocation;
use super::open::{Ports, open, text_of};
use crate::brief::EventKind;
use crate::config::FILE_NAME;
use crate::intake::{Counter, Degraded, Handler, News, ServiceMetrics, Task, WorkVerdict};
use crate::ledger::Ledger;
use crate::model::{DocumentId, HeldDocument, Key, Remarks, SignatureEvent};
use crate::text::{one_line, terminal};
use crate::time::Clock;
use crate::workflow::{
    self, Context, Delivered, Horizon, Refreshed, RefreshedHandoff, SignRequest, VoidedHandoffs,
    WorkflowError,
};

/// Handoffs of so many days are looked at for deliveries that are missing.
const RECENT: Days = Days::new(14);

/// Deals of handoffs of so many days are read again when they change.
const OPEN: Days = Days::new(120);

/// Hands over to the ledger around the folder of the command line.
pub(super) struct LedgerHandler {
    invocation: Invocation,
    clock: Clock,
    push: bool,
    publisher: Publisher,
    metrics: Arc<ServiceMetrics>,
    /// Whether changed deals wait to be read.
    goes_on: Cell<bool>,
    /// Handoffs whose deliveries wait for the remote, however long ago they
    /// were signed.
    waiting: RefCell<BTreeSet<Key>>,
}

#[async_trait(?Send)]
impl Handler for LedgerHandler {
    async fn hand_over(&self, tasks: &[Task]) -> Vec<WorkVerdict> {
        let mut context = match self.context() {
            Ok(context) => context,
            Err(error) => {
                return vec![WorkVerdict::Again(one_line(&error.render(false))); tasks.len()];
            }
        };
        let mut verdicts = vec![WorkVerdict::Done; tasks.len()];
        let answers = self.publish(&context, true).await;
        let mut keys = sign(&context, tasks, &mut verdicts).await;
        let mut withdrawn = BTreeSet::new();
        if answers {
            // A draft is of use where the rep can answer it, which is on the remote.
            context.push = self.push;
            drafts::write(&self.invocation, &context, tasks, &mut verdicts).await;
            let invocation = &self.invocation;
            withdrawn = drafts::withdraw(invocation, &context, tasks, &mut verdicts).await;
            context.push = false;
        } else {
            drafts::wait(&context, tasks, &mut verdicts);
        }
        for (task, verdict) in tasks.iter().zip(&mut verdicts) {
            keys.extend(voided(&context, task, verdict, &withdrawn));
        }
        keys.sort();
        keys.dedup();
        self.publish(&context, false).await;
        if self.deliver(&context, &keys).await {
            self.publish(&context, false).await;
        }
        verdicts
    }

    async fn tell_of_held(
        &self,
        held: &HeldDocument,
        told: &mut BTreeSet<String>,
    ) -> Result<bool, String> {
        let context = self.context().map_err(|error| one_line(&error.render(false)))?;
        workflow::tell_of_held(&context, held, told).await.map_err(|error| error.to_string())
    }

    fn wants_to_reconcile(&self) -> bool {
        self.publisher.has_ended() || self.goes_on.get()
    }

    /// The configuration as it is written: what of it decides over a document
    /// is not worth telling apart.
    fn rules(&self) -> Vec<u8> {
        let ledger = Ledger::open(&self.invocation.folder);
        let config = ledger.ok().and_then(|ledger| text_of(&ledger, FILE_NAME).ok().flatten());
        config.unwrap_or_default()
    }

    async fn reconcile(&self) {
        let context = match self.context() {
            Ok(context) => context,
            Err(error) => {
                tracing::error!(
                    "deliveries cannot be looked at: {}",
                    terminal(&one_line(&error.render(false)))
                );
                return;
            }
        };
        self.publish(&context, true).await;
        let (goes_on, wrote) = refresh(&context).await;
        self.goes_on.set(goes_on);
        if wrote {
            self.publish(&context, false).await;
        }
        let recent = Horizon { since: context.now - RECENT };
        match workflow::keys_within(&context, recent) {
            Ok((mut keys, gaps)) => {
                for gap in gaps {
                    tracing::warn!("{} was not read: {}", terminal(&gap.what), terminal(&gap.why));
                }
                if !context.sinks.is_empty() {
                    match workflow::idle_deliveries(&context, &keys, recent, false) {
                        Ok(idle) => keys.retain(|key| !idle.contains_key(key)),
                        Err(error) => tracing::error!(%error, "what is due cannot be told"),
                    }
                }
                keys.extend(self.waiting.take());
                keys.sort();
                keys.dedup();
                if self.deliver(&context, &keys).await {
                    self.publish(&context, false).await;
                }
            }
            Err(error) => tracing::error!(%error, "the handoffs of the last days cannot be read"),
        }
    }
}

impl LedgerHandler {
    /// `patience` is how long a batch waits for the ledger's remote.
    pub(super) fn new(
        invocation: Invocation,
        clock: Clock,
        push: bool,
        patience: std::time::Duration,
        metrics: Arc<ServiceMetrics>,
    ) -> Self {
        let publisher = Publisher::new(patience, Arc::clone(&metrics));
        let (goes_on, waiting) = (Cell::new(false), RefCell::default());
        Self { invocation, clock, push, publisher, metrics, goes_on, waiting }
    }

    /// Pushes what was written to these handoffs, and makes what is missing of
    /// their deliveries.
    pub(super) async fn follow(&self, keys: &[Key]) {
        let context = match self.context() {
            Ok(context) => context,
            Err(error) => {
                let why = terminal(&one_line(&error.render(false)));
                tracing::error!("deliveries cannot be looked at: {why}");
                return;
            }
        };
        self.publish(&context, true).await;
        if self.deliver(&context, keys).await {
            self.publish(&context, false).await;
        }
    }

    fn invocation(&self) -> Invocation {
        Invocation { now: (self.clock)(), ..self.invocation.clone() }
    }

    /// The ledger as it is now: what was changed in its configuration counts.
    /// It commits and never waits for the network; the publisher pushes.
    fn context(&self) -> Result<Context, CliError> {
        let opened = open(&self.invocation(), Ports { crm: true, sinks: true, push: false });
        let why = opened.as_ref().err().map(|error| one_line(&error.render(false)));
        self.metrics.degraded(Degraded::Settings, why);
        for sink in opened.iter().flat_map(|context| &context.sinks) {
            self.metrics.begin_delivery(sink.via(), sink.event().as_str());
        }
        opened
    }

    /// Brings this clone and its remote together; whether that was done, or
    /// there is no remote.
    async fn publish(&self, context: &Context, fetch: bool) -> bool {
        if !self.push || context.ledger.remote().is_none() {
            return true;
        }
        match context.ledger.unpushed_signed() {
            Ok(keys) => self.waiting.borrow_mut().extend(keys),
            Err(error) => tracing::warn!(%error, "what the remote lacks cannot be listed"),
        }
        self.publisher.run(&self.invocation(), fetch).await
    }

    /// Makes the deliveries of handoffs that are missing; whether something
    /// was recorded.
    async fn deliver(&self, context: &Context, keys: &[Key]) -> bool {
        let (wrote, held) = deliver(context, keys, &self.metrics).await;
        self.waiting.borrow_mut().extend(held);
        wrote
    }
}

/// Says what reading a deal again came to.
fn say_refreshed(refreshed: &RefreshedHandoff) {
    let key = refreshed.key.as_str();
    match &refreshed.result {
        Refreshed::Unchanged => tracing::info!(key, "its deal was read again: nothing new"),
        Refreshed::Corrected { changed, data } => {
            let answers = changed.iter().map(|it| it.field.as_str());
            let fields: Vec<&str> =
                answers.chain(data.iter().map(|it| it.field.as_str())).collect();
            let fields = terminal(&fields.join(", "));
            tracing::info!(key, fields, "corrected: its deal was read again");
        }
        Refreshed::NoLongerWon { why } | Refreshed::Skipped { why } => {
            tracing::warn!(key, "its deal was read again: {}", terminal(why));
        }
    }
    remark(Some(&refreshed.key), &refreshed.remarks);
}

/// Reads the deals again that the CRM says were changed; those that could not
/// be read are tried again the next time.
/// Gives whether more wait that can be read at once, and whether something was
/// recorded.
async fn refresh(context: &Context) -> (bool, bool) {
    match workflow::refresh_changed(context, Horizon { since: context.now - OPEN }).await {
        Ok(done) => {
            done.read.iter().for_each(say_refreshed);
            for gap in &done.gaps {
                tracing::warn!("{} was not read: {}", terminal(&gap.what), terminal(&gap.why));
            }
            (done.goes_on, done.read.iter().any(|it| it.commit.is_some()))
        }
        Err(error) => {
            tracing::error!(%error, "the CRM does not say which deals have changed; it is asked again");
            (false, false)
        }
    }
}

/// Hands over what is completed or won; gives the keys.
async fn sign(context: &Context, tasks: &[Task], verdicts: &mut [WorkVerdict]) -> Vec<Key> {
    let (collected, mut keys) = requests::collect(context, tasks, verdicts).await;
    if collected.is_empty() {
        return keys;
    }
    let (owners, requests): (Vec<usize>, Vec<SignRequest>) = collected.into_iter().unzip();
    let done = match workflow::sign_many(context, &requests).await {
        Ok(done) => done,
        Err(error) => {
            for owner in owners {
                worsen(&mut verdicts[owner], failed(&error));
            }
            return keys;
        }
    };
    for (owner, result) in owners.into_iter().zip(done.results) {
        match result {
            Ok(signed) => {
                let (key, path) = (signed.key.as_str(), terminal(&signed.path));
                tracing::info!(
                    key,
                    path,
                    created = signed.created,
                    missing = signed.missing.len(),
                    "handed over"
                );
                remark(Some(&signed.key), &signed.remarks);
                keys.push(signed.key);
            }
            Err(error) => worsen(&mut verdicts[owner], failed(&error)),
        }
    }
    remark(None, &done.remarks);
    keys
}

/// Records documents that were voided; gives the handoffs that stand on them. Of
/// `withdrawn` a draft was made, which has ended.
fn voided(
    context: &Context,
    task: &Task,
    verdict: &mut WorkVerdict,
    withdrawn: &BTreeSet<DocumentId>,
) -> Vec<Key> {
    let News::Signatures(events) = &task.news else { return Vec::new() };
    let mut all = Vec::new();
    for event in events {
        let SignatureEvent::Voided { signature, what } = event else { continue };
        let mut remarks = Remarks::default();
        let recorded = workflow::record_voided(context, signature, what, &mut remarks);
        let VoidedHandoffs { recorded: keys, known } = recorded.unwrap_or_else(|error| {
            worsen(verdict, failed(&error));
            VoidedHandoffs::default()
        });
        if keys.is_empty() && !withdrawn.contains(&signature.document_id) {
            let document = &signature.document_id;
            let why = match known.first() {
                Some(key) => format!("{key} has it already that document {document} was voided"),
                None => format!("no handoff stands on document {document}, which was voided"),
            };
            tracing::info!(what = terminal(what), "{}", terminal(&why));
            worsen(verdict, WorkVerdict::Ignored(why));
        }
        for key in &keys {
            let (key, what) = (key.as_str(), terminal(what));
            tracing::warn!(key, what, "its document was voided");
        }
        remark(keys.first(), &remarks);
        all.extend(keys);
    }
    all
}

/// Makes the deliveries that are missing. What fails is in the timeline, and
/// is tried again by the next reconciliation.
/// Whether something was recorded, and which wait for the remote.
async fn deliver(context: &Context, keys: &[Key], metrics: &ServiceMetrics) -> (bool, Vec<Key>) {
    let (mut wrote, mut waiting) = (false, Vec::new());
    if context.sinks.is_empty() {
        return (wrote, waiting);
    }
    for key in keys {
        match workflow::deliver(context, key, false, false).await {
            Ok(delivered) => {
                wrote |= !delivered.results.is_empty();
                measure(&delivered, context.now, metrics);
                for line in super::deliver::lines(&delivered)
                    .iter()
                    .filter(|_| !delivered.results.is_empty())
                {
                    tracing::info!(key = key.as_str(), "{}", terminal(line));
                }
                remark(Some(key), &delivered.remarks);
                if let Some(held) = &delivered.held {
                    tracing::warn!(key = key.as_str(), "{}", terminal(held));
                    waiting.push(key.clone());
                }
            }
            Err(error) => {
                tracing::error!(key = key.as_str(), %error, "its deliveries were not made; they are tried again");
            }
        }
    }
    (wrote, waiting)
}

/// Counts what was delivered, and how old the signature was.
fn measure(delivered: &Delivered, now: DateTime<Utc>, metrics: &ServiceMetrics) {
    let signed_at = delivered.timeline.first(EventKind::Signed).map(|event| event.at);
    for result in &delivered.results {
        let outcome = match (&result.outcome, result.found) {
            (Err(_), _) => "failed",
            (Ok(_), true) => "found",
            (Ok(_), false) => "made",
        };
        if matches!(result.event, EventKind::Reminded | EventKind::Escalated) {
            metrics.count(Counter::Reminded, &[result.via, outcome]);
            continue;
        }
        metrics.count(Counter::Delivered, &[result.via, result.event.as_str(), outcome]);
        if outcome == "made"
            && let Some(at) = signed_at
        {
            let age = u64::try_from((now - at).num_seconds()).unwrap_or_default();
            metrics.delivered_after(result.via, age);
        }
    }
}

/// Says what a person should know: of one handoff, or of several together.
fn remark(key: Option<&Key>, remarks: &Remarks) {
    if let Some(why) = remarks.not_pushed() {
        tracing::warn!(key = key.map(Key::as_str), "{}", terminal(&why.to_string()));
    }
    for remark in remarks {
        match key {
            Some(key) => tracing::info!(key = key.as_str(), "note: {}", terminal(remark)),
            None => tracing::info!("note: {}", terminal(remark)),
        }
    }
}

/// What an error means for its task: one that needs a person needs one.
fn failed(error: &WorkflowError) -> WorkVerdict {
    if error.may_pass() {
        WorkVerdict::Again(error.to_string())
    } else {
        WorkVerdict::Never(error.to_string())
    }
}

/// A task fares as its worst part does, and what was done of it is not done twice.
fn worsen(verdict: &mut WorkVerdict, found: WorkVerdict) {
    let weight = |verdict: &WorkVerdict| match verdict {
        WorkVerdict::Done => 0,
        WorkVerdict::Ignored(_) => 1,
        WorkVerdict::Held { .. } => 2,
        WorkVerdict::Again(_) => 3,
        WorkVerdict::Never(_) => 4,
    };
    match (&mut *verdict, found) {
        // Each of several documents says why it waits.
        (
            WorkVerdict::Held { reason, deals, .. },
            WorkVerdict::Held { reason: other, deals: named, .. },
        ) => {
            reason.push_str("; ");
            reason.push_str(&other);
            deals.extend(named);
        }
        (WorkVerdict::Ignored(why), WorkVerdict::Ignored(other)) => {
            why.push_str("; ");
            why.push_str(&other);
        }
        (before, found) if weight(&found) >= weight(before) && weight(&found) > 0 => {
            *before = found;
        }
        _ => {}
    }
}
