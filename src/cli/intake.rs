//! What the commands around the inbox share: ledger, providers and inbox, and a
//! worker beside what receives.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::error::CliError;
use super::exit::Exit;
use super::hand_over::LedgerHandler;
use super::inbox_argument::InboxArgument;
use super::invocation::Invocation;
use super::open::{Ports, open, open_ledger, read_settings};
use crate::crm::Triggers;
use crate::esign::Providers;
use crate::intake::{Connections, Counter, Inbox, Reread, Senders, ServiceMetrics, Worker};
use crate::ledger::Ledger;
use crate::text::one_line;
use crate::time::Clock;

/// How long what is in hand may take once the end is wanted.
pub(super) const GRACE: Duration = Duration::from_secs(25);
/// How long a batch waits for the ledger's remote while more may arrive.
pub(super) const A_MOMENT: Duration = Duration::from_secs(3);
/// How long it waits when nothing runs on afterwards: for as long as git may take.
pub(super) const TO_THE_END: Duration = Duration::from_secs(300);

/// How long to wait before a worker that broke off starts again.
const RESTART: Duration = Duration::from_secs(5);

/// What stands between the outside and the ledger.
pub(super) struct Intake {
    pub(super) ledger: Ledger,
    pub(super) inbox: Arc<dyn Inbox>,
    pub(super) connections: Connections,
    reread: Reread,
    pub(super) metrics: Arc<ServiceMetrics>,
    pub(super) clock: Clock,
}

impl Intake {
    /// Opens ledger, configuration and inbox.
    pub(super) async fn open(
        inbox: &InboxArgument,
        invocation: &Invocation,
    ) -> Result<Self, CliError> {
        let (ledger, ..) = open_ledger(&invocation.folder)?;
        let inbox = inbox.open(true, || Ok(ledger.clone()), invocation).await?;
        let connections = connect(&ledger, invocation)?;
        let reread: Reread = {
            let (ledger, invocation) = (ledger.clone(), invocation.clone());
            Arc::new(move || {
                connect(&ledger, &invocation).map_err(|error| one_line(&error.render(false)))
            })
        };
        let (metrics, clock) = (Arc::default(), invocation.clock());
        Ok(Self { ledger, inbox, connections, reread, metrics, clock })
    }

    /// What the receiving routes are made from, read again by and by.
    pub(super) fn senders(&self) -> Senders {
        Senders::new(self.connections.clone(), Arc::clone(&self.reread))
    }

    /// A worker for this inbox. What is wrong with CRM or deliveries is said
    /// now, and is no reason not to receive: events are kept until it is fixed.
    pub(super) fn worker(
        &self,
        push: bool,
        patience: Duration,
        invocation: &Invocation,
    ) -> impl Fn() -> Worker + Send + 'static {
        if let Err(error) = open(invocation, Ports { crm: true, sinks: true, push }) {
            invocation.warn(format!(
                "warning: events are kept and not processed until this is fixed:\n{}",
                error.render(false)
            ));
        }
        let (inbox, metrics) = (Arc::clone(&self.inbox), Arc::clone(&self.metrics));
        let (clock, invocation) = (Arc::clone(&self.clock), invocation.clone());
        let (connections, reread) = (self.connections.clone(), Arc::clone(&self.reread));
        move || {
            let invocation = invocation.clone();
            let handler = LedgerHandler::new(
                invocation,
                Arc::clone(&clock),
                push,
                patience,
                Arc::clone(&metrics),
            );
            Worker::new(
                Arc::clone(&inbox),
                connections.clone(),
                Arc::clone(&reread),
                Box::new(handler),
                Arc::clone(&clock),
                Arc::clone(&metrics),
            )
        }
    }

    /// Exit 3, and a warning, where the ledger's remote lacks what is committed.
    pub(super) fn on_remote(&self, push: bool, invocation: &Invocation) -> Result<Exit, CliError> {
        let Some(unpushed) = self.ledger.unpushed()?.filter(|_| push) else {
            return Ok(Exit::Clean);
        };
        invocation.warn(format!("warning: {unpushed}; {}", unpushed.remedy()));
        Ok(Exit::CouldNot)
    }
}

/// Who may send, as the ledger's settings and the secrets are now.
fn connect(ledger: &Ledger, invocation: &Invocation) -> Result<Connections, CliError> {
    let (config, _) = read_settings(ledger)?;
    Ok(Connections {
        providers: Arc::new(Providers::new(&config.esign, &crate::crm::reference_rules())),
        triggers: Arc::new(Triggers::new(&config.crm)),
        secrets: invocation.secrets()?,
        limits: config.limits,
    })
}

/// A worker in a thread of its own, so that commits keep no request waiting.
pub(super) struct Working {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Working {
    /// Starts it.
    pub(super) fn start(
        make: impl Fn() -> Worker + Send + 'static,
        metrics: Arc<ServiceMetrics>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (done, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
            // Dropped at the end, however the thread ends.
            let _done: oneshot::Sender<()> = done;
            // A bug must not end the service: what was in hand is returned when the
            // worker is rebuilt, and one event at fault goes to `failed/` by itself.
            while std::panic::catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(make().run(stop.clone()));
            }))
            .is_err()
            {
                tracing::error!("the worker crashed, which is a bug in handoff; it is restarted");
                metrics.count(Counter::Restarted, &[]);
                runtime.block_on(async {
                    // An error means that nobody is left who could say stop.
                    let _ = tokio::time::timeout(RESTART, stop.wait_for(|stop| *stop)).await;
                });
            }
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
            CliError::could_not("the worker crashed")
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
