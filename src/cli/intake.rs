//! What the commands around the inbox share: ledger, providers and inbox, and a
//! worker beside what receives.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::error::CliError;
use super::hand_over::LedgerHandler;
use super::inbox_argument::InboxArgument;
use super::invocation::Invocation;
use super::open::{Ports, open, read_settings};
use crate::crm::Triggers;
use crate::esign::Providers;
use crate::intake::{Clock, Inbox, Metrics, Worker};
use crate::ledger::Ledger;
use crate::model::Secrets;

/// How long what is in hand may take once the end is wanted.
pub(super) const GRACE: Duration = Duration::from_secs(25);

/// What stands between the outside and the ledger.
pub(super) struct Intake {
    pub(super) ledger: Ledger,
    pub(super) inbox: Arc<dyn Inbox>,
    pub(super) providers: Arc<Providers>,
    pub(super) triggers: Arc<Triggers>,
    pub(super) secrets: Secrets,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
}

impl Intake {
    /// Opens ledger, configuration and inbox.
    pub(super) async fn open(
        inbox: &InboxArgument,
        invocation: &Invocation,
    ) -> Result<Self, CliError> {
        let ledger = Ledger::open(&invocation.folder)?;
        let (config, _) = read_settings(&ledger)?;
        let inbox = inbox.open(true, || Ok(ledger.clone()), invocation).await?;
        Ok(Self {
            ledger,
            inbox,
            providers: Arc::new(Providers::new(&config.esign)),
            triggers: Arc::new(Triggers::new(&config.crm)),
            secrets: invocation.secrets()?,
            metrics: Arc::default(),
            clock: invocation.clock(),
        })
    }

    /// A worker for this inbox. What is wrong with CRM or deliveries is said
    /// now, and is no reason not to receive: events are kept until it is mended.
    pub(super) fn worker(
        &self,
        push: bool,
        invocation: &Invocation,
    ) -> impl FnOnce() -> Worker + Send + 'static {
        if let Err(error) = open(invocation, Ports { crm: true, sinks: true, push }) {
            invocation.warn(format!(
                "warning: events are kept and not worked off until this is mended:\n{}",
                error.render(false)
            ));
        }
        let handler =
            LedgerHandler { invocation: invocation.clone(), clock: Arc::clone(&self.clock), push };
        let (inbox, providers, metrics) =
            (Arc::clone(&self.inbox), Arc::clone(&self.providers), Arc::clone(&self.metrics));
        let (clock, secrets) = (Arc::clone(&self.clock), self.secrets.clone());
        move || Worker::new(inbox, providers, &secrets, Box::new(handler), clock, metrics)
    }
}

/// A worker in a thread of its own, so that commits keep no request waiting.
pub(super) struct Working {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Working {
    /// Starts it.
    pub(super) fn start(
        make: impl FnOnce() -> Worker + Send + 'static,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (done, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
            // Dropped at the end, however the thread ends.
            let _done: oneshot::Sender<()> = done;
            runtime.block_on(make().run(stop));
        })?;
        Ok(Self { thread, ended })
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) {
        // Nothing is ever sent: the other side is dropped at the end.
        let _ = (&mut self.ended).await;
    }

    /// Waits until what it has in hand is finished; after [`GRACE`] the next
    /// start takes that up again.
    pub(super) async fn finish(mut self) -> Result<(), CliError> {
        if !self.thread.is_finished() && tokio::time::timeout(GRACE, self.ended()).await.is_err() {
            tracing::warn!(
                seconds = GRACE.as_secs(),
                "what was in hand is not finished; the next start takes it up again"
            );
            return Ok(());
        }
        self.thread.join().map_err(|_| {
            CliError::could_not("the worker broke off")
                .help("start again; every event is still in the inbox")
        })
    }
}

/// Waits until somebody wants the end: SIGTERM, or SIGINT.
pub(super) async fn told_to_stop() -> Result<(), CliError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            told = tokio::signal::ctrl_c() => Ok(told?),
        }
    }
    #[cfg(not(unix))]
    {
        Ok(tokio::signal::ctrl_c().await?)
    }
}
