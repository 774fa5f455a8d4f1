//! Records a run while it goes: what cannot be looked up is noted before it is
//! sent and committed as soon as it was, so that no crash of a later delivery
//! repeats it.

use std::cell::RefCell;
use std::ops::ControlFlow;

use super::append::append;
use super::intents::Intents;
use super::{Context, Remarks, WorkflowError};
use crate::brief::{Event, Timeline};
use crate::deliver::{DeliveryError, DeliveryResult, Follower, Moment, Sink, answered_part};
use crate::model::Key;

/// The follower that writes into the ledger.
pub(super) struct Recording<'a> {
    context: &'a Context,
    key: &'a Key,
    folder: &'a str,
    intents: Intents,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// What was done and is not in the ledger yet.
    pending: Vec<Event>,
    timeline: Option<Timeline>,
    remarks: Remarks,
    failed: Option<WorkflowError>,
}

impl<'a> Recording<'a> {
    pub(super) fn new(context: &'a Context, key: &'a Key, folder: &'a str) -> Self {
        let intents = Intents::of(context, key);
        Self { context, key, folder, intents, state: RefCell::default() }
    }

    /// What earlier runs began to send and never recorded. A target that may
    /// get it twice gets it once more; after a second such death, or where a
    /// repeat is not allowed, the timeline says that the outcome is unclear.
    /// Gives the timeline where that was written.
    pub(super) fn settle(&self, timeline: &Timeline) -> Result<Option<Timeline>, WorkflowError> {
        let mut events = Vec::new();
        let mut settled = Vec::new();
        for sink in self.context.sinks.iter().filter(|sink| !sink.can_look_up()) {
            let (event, via) = (sink.event(), sink.via());
            let tries = self.intents.left(sink.as_ref())?;
            if tries == 0 || (tries == 1 && sink.repeats_when_unclear()) {
                continue;
            }
            settled.push(sink);
            let part = answered_part(event, via, &timeline.events).unwrap_or(&timeline.events);
            if part.iter().any(|known| known.event == event && known.via == via) {
                continue;
            }
            let message =
                "the run that sent it ended before it could record what became of it".to_owned();
            let outcome = Err(DeliveryError::Unclear { message });
            let result = DeliveryResult::new(event, via, outcome);
            events.push(result.to_event(self.context.now));
        }
        let mut state = self.state.borrow_mut();
        let after = append(self.context, self.key, self.folder, events, &mut state.remarks)?;
        for sink in settled {
            self.intents.clear(sink.as_ref())?;
        }
        Ok(after)
    }

    /// Whether something could not be recorded, so that nothing more is sent.
    pub(super) fn has_failed(&self) -> bool {
        self.state.borrow().failed.is_some()
    }

    /// How many runs began to send this and never recorded what became of it.
    pub(super) fn left(&self, sink: &dyn Sink) -> Result<usize, WorkflowError> {
        self.intents.left(sink)
    }

    /// Records the rest; gives the timeline where something was written.
    pub(super) fn finish(self, remarks: &mut Remarks) -> Result<Option<Timeline>, WorkflowError> {
        let flushed = self.flush();
        let state = self.state.into_inner();
        remarks.take_over(state.remarks);
        flushed?;
        match state.failed {
            Some(error) => Err(error),
            None => Ok(state.timeline),
        }
    }

    fn flush(&self) -> Result<(), WorkflowError> {
        let state = &mut *self.state.borrow_mut();
        let events = std::mem::take(&mut state.pending);
        if let Some(timeline) =
            append(self.context, self.key, self.folder, events, &mut state.remarks)?
        {
            state.timeline = Some(timeline);
        }
        Ok(())
    }

    fn go_on(&self, done: Result<(), WorkflowError>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.state.borrow_mut().failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Follower for Recording<'_> {
    fn before(&self, sink: &dyn Sink, moment: Moment) -> ControlFlow<()> {
        if sink.can_look_up() || moment != Moment::Act {
            return ControlFlow::Continue(());
        }
        // Not sent where it cannot be noted: a full disk must not send mail for ever.
        self.go_on(self.intents.write(sink, self.context.now))
    }

    fn after(&self, sink: &dyn Sink, result: &DeliveryResult) -> ControlFlow<()> {
        self.state.borrow_mut().pending.push(result.to_event(self.context.now));
        if sink.can_look_up() {
            return ControlFlow::Continue(());
        }
        let done = self.flush().and_then(|()| self.intents.clear(sink));
        self.go_on(done)
    }
}
