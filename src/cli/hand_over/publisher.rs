//! Fetches and pushes in a thread of its own, so that a remote that hangs does
//! not delay the next handoff's commit.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::invocation::Invocation;
use super::super::open::{Ports, open};
use crate::intake::{Counter, ServiceMetrics};
use crate::model::Remarks;
use crate::text::{one_line, terminal};
use crate::workflow;

/// One thread at a time; what it has to say is told when it is done.
pub(super) struct Publisher {
    running: RefCell<Option<oneshot::Receiver<Result<Remarks, String>>>>,
    /// How long to wait for it before going on without it.
    patience: Duration,
    metrics: Arc<ServiceMetrics>,
}

impl Publisher {
    pub(super) fn new(patience: Duration, metrics: Arc<ServiceMetrics>) -> Self {
        Self { running: RefCell::default(), patience, metrics }
    }

    /// Whether a run that was not waited for has ended since.
    pub(super) fn has_ended(&self) -> bool {
        let mut running = self.running.borrow_mut();
        let Some(receiver) = running.as_mut() else { return false };
        match receiver.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => false,
            Ok(result) => {
                *running = None;
                self.tell(&result);
                true
            }
            Err(oneshot::error::TryRecvError::Closed) => {
                *running = None;
                true
            }
        }
    }

    /// Brings this clone and its remote together, where no earlier run is still
    /// at it; whether the remote has answered in time.
    pub(super) async fn run(&self, invocation: &Invocation, fetch: bool) -> bool {
        self.has_ended();
        if self.running.borrow().is_some() {
            return false;
        }
        let (sender, mut receiver) = oneshot::channel();
        let invocation = invocation.clone();
        let work = move || {
            // Nobody hears it when the program is ending.
            let _ = sender.send(publish(&invocation, fetch));
        };
        if let Err(error) = std::thread::Builder::new().name("push".to_owned()).spawn(work) {
            tracing::error!(%error, "no thread to push in; it is tried again");
            return false;
        }
        match tokio::time::timeout(self.patience, &mut receiver).await {
            Ok(Ok(result)) => {
                self.tell(&result);
                result.is_ok_and(|remarks| remarks.not_pushed().is_none())
            }
            Ok(Err(_)) => false,
            Err(_) => {
                tracing::warn!(
                    "the ledger's remote does not answer; handoffs are committed here, and their deliveries wait until it has them"
                );
                self.metrics.count(Counter::Pushed, &["slow"]);
                *self.running.borrow_mut() = Some(receiver);
                false
            }
        }
    }

    fn tell(&self, result: &Result<Remarks, String>) {
        let outcome = match result {
            Ok(remarks) => {
                super::remark(None, remarks);
                if remarks.not_pushed().is_some() { "refused" } else { "done" }
            }
            Err(why) => {
                let why = terminal(why);
                tracing::error!("what is committed here is not on the ledger's remote: {why}");
                "failed"
            }
        };
        self.metrics.count(Counter::Pushed, &[outcome]);
    }
}

fn publish(invocation: &Invocation, fetch: bool) -> Result<Remarks, String> {
    let words = |error: &super::super::error::CliError| one_line(&error.render(false));
    let context = open(invocation, Ports { push: true, ..Ports::default() })
        .map_err(|error| words(&error))?;
    let mut remarks = Remarks::default();
    workflow::publish(&context, fetch, &mut remarks).map_err(|error| words(&error.into()))?;
    Ok(remarks)
}
