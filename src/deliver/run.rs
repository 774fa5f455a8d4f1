//! Carries a plan out: look, act, mark; each sink for itself.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::plan::{Plan, failed_event};
use super::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::brief::{Event, EventKind};
use crate::http::Schedule;
use crate::text;

/// The moments of a step at which a run can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before looking for an earlier delivery.
    Look,
    /// Before making the delivery.
    Act,
    /// After it was made or failed, before the result is handed to the caller.
    Record,
}

/// Follows a run: keeps what must not be forgotten when the process dies.
pub trait Follower {
    /// Told before each moment of each step; a break ends the run as a crash
    /// would.
    fn before(&self, sink: &dyn Sink, moment: Moment) -> ControlFlow<()> {
        let _ = (sink, moment);
        ControlFlow::Continue(())
    }

    /// Told of each step that came to an end; a break ends the run.
    fn after(&self, sink: &dyn Sink, result: &DeliveryResult) -> ControlFlow<()> {
        let _ = (sink, result);
        ControlFlow::Continue(())
    }
}

/// Follows nothing.
impl Follower for () {}

/// What became of one step.
#[derive(Debug, Clone)]
pub struct DeliveryResult {
    /// The event it stands for.
    pub event: EventKind,
    /// The sink's name.
    pub via: &'static str,
    /// The mark, or why there is none after the last retry.
    pub outcome: Result<Mark, DeliveryError>,
    /// Whether the mark was found from an earlier run instead of made now.
    pub found: bool,
    /// The git blob of the brief that it was made of, where it follows the brief.
    pub brief: Option<String>,
    /// What tells it apart from others of its event and sink; may be empty.
    pub subject: String,
}

impl DeliveryResult {
    /// Of a delivery that stands for itself.
    #[must_use]
    pub fn new(event: EventKind, via: &'static str, outcome: Result<Mark, DeliveryError>) -> Self {
        Self { event, via, outcome, found: false, brief: None, subject: String::new() }
    }

    /// What became of a sink's delivery.
    #[must_use]
    pub fn of(sink: &dyn Sink, handoff: &Handoff, outcome: Result<Mark, DeliveryError>) -> Self {
        // What is opened of a brief is followed up by the same sink.
        let follows = sink.follows_brief() || sink.is_followed_up();
        Self {
            brief: handoff.brief_blob.clone().filter(|_| follows),
            subject: sink.subject().to_owned(),
            ..Self::new(sink.event(), sink.via(), outcome)
        }
    }

    /// The event for the timeline: the delivery's own, or `delivery_failed`.
    #[must_use]
    pub fn to_event(&self, now: DateTime<Utc>) -> Event {
        match &self.outcome {
            Ok(mark) => {
                let mut event = Event::new(mark.at.unwrap_or(now), self.event, self.via);
                let is_only_one = self.subject.is_empty();
                let reference = if is_only_one { &mark.reference } else { &self.subject };
                event.reference = Some(reference.clone());
                event.brief.clone_from(&self.brief);
                event.reason =
                    mark.remark.as_deref().map(|r| text::shorten(&text::one_line(r), 500));
                event
            }
            Err(error) => failed_event(now, self.event, &self.subject, self.via, error),
        }
    }
}

/// Makes what is due, in order. A sink that fails keeps no other from its
/// turn. Later sinks see the marks of earlier ones in the handoff's timeline,
/// so that a message can link to the task.
pub async fn run(
    plan: &Plan,
    sinks: &[Box<dyn Sink>],
    handoff: &Handoff,
    now: DateTime<Utc>,
    schedule: &Schedule,
    follower: &dyn Follower,
) -> Vec<DeliveryResult> {
    let mut handoff = handoff.clone();
    let mut results = Vec::new();
    for step in plan.steps.iter().filter(|step| step.is_due()) {
        let sink = sinks.iter().find(|s| s.event() == step.event && s.via() == step.via);
        let Some(sink) = sink else { continue };
        let Some(result) = deliver_one(sink.as_ref(), &handoff, schedule, follower).await else {
            break;
        };
        handoff.timeline.events.push(result.to_event(now));
        let goes_on = follower.after(sink.as_ref(), &result).is_continue();
        results.push(result);
        if !goes_on {
            break;
        }
    }
    results
}

/// One delivery with its retries; `None` when the run was cut.
pub async fn deliver_one(
    sink: &dyn Sink,
    handoff: &Handoff,
    schedule: &Schedule,
    follower: &dyn Follower,
) -> Option<DeliveryResult> {
    let cut = |moment| follower.before(sink, moment).is_break();
    let mut unclear = None;
    let mut retry = 0;
    let (outcome, found) = loop {
        if cut(Moment::Look) {
            return None;
        }
        let error = match sink.look_up(handoff).await {
            Ok(Some(mark)) => break (Ok(mark), true),
            Ok(None) => {
                if sink.can_look_up() {
                    // The look has settled what an earlier try left open.
                    unclear = None;
                }
                if cut(Moment::Act) {
                    return None;
                }
                match sink.act(handoff).await {
                    Ok(mark) => break (Ok(mark), false),
                    Err(error) => {
                        if let DeliveryError::Unclear { message } = &error {
                            unclear = Some(message.clone());
                        }
                        error
                    }
                }
            }
            // Nothing was done by looking.
            Err(DeliveryError::Unclear { message }) => {
                DeliveryError::Transient { message, retry_after: None }
            }
            Err(error) => error,
        };
        match next_wait(sink, &error, schedule, retry) {
            Some(wait) => {
                tracing::debug!(via = sink.via(), %error, ?wait, "trying again");
                tokio::time::sleep(wait).await;
                retry += 1;
            }
            None => break (Err(last_word(error, unclear)), false),
        }
    };
    if cut(Moment::Record) {
        return None;
    }
    Some(DeliveryResult { found, ..DeliveryResult::of(sink, handoff, outcome) })
}

/// The wait before the next try, if there is to be one.
fn next_wait(
    sink: &dyn Sink,
    error: &DeliveryError,
    schedule: &Schedule,
    retry: usize,
) -> Option<Duration> {
    match error {
        DeliveryError::Permanent { .. } => None,
        DeliveryError::Transient { retry_after, .. } => schedule.wait(retry, *retry_after),
        DeliveryError::Unclear { .. } if sink.can_look_up() => {
            schedule.wait(retry, None).map(|wait| wait.max(sink.look_lag()))
        }
        DeliveryError::Unclear { .. } if sink.repeats_when_unclear() => schedule.wait(retry, None),
        DeliveryError::Unclear { .. } => None,
    }
}

/// An unclear outcome that no later look could settle stays unclear, whatever
/// failed after it.
fn last_word(error: DeliveryError, unclear: Option<String>) -> DeliveryError {
    match (error, unclear) {
        (DeliveryError::Unclear { message }, _) => DeliveryError::Unclear { message },
        (error, Some(first)) => {
            DeliveryError::Unclear { message: format!("{first}; then {error}") }
        }
        (error, None) => error,
    }
}
