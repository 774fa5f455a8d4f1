//! What is missing, what is done and what waits: decided from the timeline
//! alone, without asking anybody (`--dry-run` prints it, crash tests cut it). Then
//! the plan is carried out: look, act, mark; each sink for itself.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::events::unsent;
use super::message_kind::{answered_part, is_told};
use super::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::brief::{Event, EventKind, Timeline};
use crate::http::Schedule;
use crate::text;

/// One delivery that the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedDelivery {
    /// The event recorded when it is done.
    pub event: EventKind,
    /// The sink's name.
    pub via: &'static str,
    /// Whether a second try after an unclear outcome is safe or allowed.
    pub again_when_unclear: bool,
    /// Whether it is to be made again whenever the brief is another.
    pub follows_brief: bool,
}

impl WantedDelivery {
    /// What a sink stands for.
    #[must_use]
    pub fn from_sink(sink: &dyn Sink) -> Self {
        Self {
            event: sink.event(),
            via: sink.via(),
            again_when_unclear: sink.can_look_up() || sink.repeats_when_unclear(),
            follows_brief: sink.follows_brief(),
        }
    }
}

/// The circumstances of a plan, beside the timeline.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The present moment.
    pub now: DateTime<Utc>,
    /// How long a delivery rests after each failed run. After as many failures
    /// as there are waits, plus one, it is left to people.
    pub backoff: Schedule,
    /// Whether a person asked: what waits or was given up is tried at once.
    pub at_once: bool,
    /// Handoffs signed before this moment are left alone; for a company that
    /// adds a sink to a ledger with a past.
    pub since: Option<DateTime<Utc>>,
    /// The git blob of the brief as it is, hex.
    pub brief_blob: Option<String>,
    /// Whether the brief names the customer: nobody is welcomed without a name.
    pub customer_is_named: bool,
}

impl Circumstances {
    /// A plain run at this moment.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            backoff: Schedule::over_days(),
            at_once: false,
            since: None,
            brief_blob: None,
            customer_is_named: true,
        }
    }
}

/// Why nothing will be done although the delivery is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Settled {
    /// The brief has no signature yet.
    NotSigned,
    /// Somebody decided that no handoff is needed.
    Exempted,
    /// The document was voided after it was signed.
    Voided,
    /// The brief does not name the customer yet: it is made once it does.
    NoCustomer,
    /// It was signed before the configured day.
    BeforeSince {
        /// That day.
        since: DateTime<Utc>,
    },
    /// It may have been made, cannot be looked up, and must not be repeated.
    Unclear {
        /// What happened.
        reason: String,
    },
    /// It failed too often; a person must ask for another try.
    GivenUp {
        /// How often.
        failures: usize,
        /// What happened last.
        reason: String,
    },
}

/// Where one delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum DeliveryState {
    /// It is recorded in the timeline.
    Done {
        /// When it was made.
        at: DateTime<Utc>,
        /// What can be found again.
        #[serde(rename = "ref")]
        reference: Option<String>,
    },
    /// It is to be made now.
    Due {
        /// How often it failed before.
        failures: usize,
    },
    /// It failed and rests.
    Waiting {
        /// Until when.
        until: DateTime<Utc>,
        /// How often it failed.
        failures: usize,
        /// What happened last.
        reason: String,
    },
    /// Nothing will be done.
    Settled(Settled),
}

/// One delivery and where it stands; made again and again, it changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryStep {
    /// The event recorded when it is done.
    pub event: EventKind,
    /// The sink's name.
    pub via: &'static str,
    /// Where it stands.
    #[serde(flatten)]
    pub state: DeliveryState,
}

impl DeliveryStep {
    /// Whether it is to be made now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(self.state, DeliveryState::Due { .. })
    }
}

impl std::fmt::Display for DeliveryStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
        write!(f, "{} via {}: ", self.event, self.via)?;
        match &self.state {
            DeliveryState::Done { at, reference: Some(reference) } => {
                write!(f, "done {}, {reference}", time(at))
            }
            DeliveryState::Done { at, reference: None } => write!(f, "done {}", time(at)),
            DeliveryState::Due { failures: 0 } => f.write_str("due"),
            DeliveryState::Due { failures } => write!(f, "due, after {failures} failed tries"),
            DeliveryState::Waiting { until, failures, reason } => {
                write!(f, "waits until {} after {failures} failed tries ({reason})", time(until))
            }
            DeliveryState::Settled(settled) => match settled {
                Settled::NotSigned => f.write_str("the brief is not signed yet"),
                Settled::Exempted => f.write_str("exempted"),
                Settled::Voided => f.write_str("the document was voided"),
                Settled::NoCustomer => f.write_str(
                    "nobody is welcomed without a name; it goes out once customer.name is answered in the brief",
                ),
                Settled::BeforeSince { since } => {
                    write!(f, "signed before {}, deliver.since", time(since))
                }
                Settled::Unclear { reason } => {
                    write!(f, "may have been made and is not repeated ({reason})")
                }
                Settled::GivenUp { failures, reason } => {
                    write!(f, "given up after {failures} failed tries ({reason})")
                }
            },
        }
    }
}

/// The deliveries of one handoff, in the order in which they are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryPlan {
    /// The steps.
    pub steps: Vec<DeliveryStep>,
}

impl DeliveryPlan {
    /// Whether nothing is to be made now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.steps.iter().any(DeliveryStep::is_due)
    }
}

/// Plans the deliveries of one handoff.
#[must_use]
pub fn plan(
    wanted: &[WantedDelivery],
    timeline: &Timeline,
    circumstances: &Circumstances,
) -> DeliveryPlan {
    let excuse = excuse(timeline, circumstances);
    let mut steps: Vec<DeliveryStep> = wanted
        .iter()
        // Nobody is told about a return that there was not.
        .filter_map(|wanted| {
            let events = part(wanted, timeline, circumstances.brief_blob.as_deref())?;
            let state = state(wanted, events, circumstances, excuse.as_ref());
            Some(DeliveryStep { event: wanted.event, via: wanted.via, state })
        })
        .collect();
    // The kinds are declared in the order of the story; the task comes first,
    // so that what follows can link to it. Who is mentioned in a channel finds
    // the brief in the mailbox already.
    steps.sort_by_key(|step| match step.event {
        EventKind::Notified => (EventKind::Emailed, 1),
        event => (event, 0),
    });
    DeliveryPlan { steps }
}

/// The part of the timeline in which a delivery is to be looked for; `None`
/// where there is nothing to do.
fn part<'a>(
    wanted: &WantedDelivery,
    timeline: &'a Timeline,
    brief_blob: Option<&str>,
) -> Option<&'a [Event]> {
    let events = &timeline.events;
    if wanted.event == EventKind::EventsSent {
        // Whatever has happened since is to be sent.
        let last = events.iter().rposition(|it| it.event == wanted.event).unwrap_or_default();
        return if unsent(timeline).is_empty() { Some(events) } else { events.get(last + 1..) };
    }
    let answered = answered_part(wanted.event, wanted.via, events);
    if !wanted.follows_brief {
        return answered;
    }
    let is_done = answered
        .is_none_or(|part| part.iter().any(|it| it.event == wanted.event && it.via == wanted.via));
    if !is_done {
        return answered;
    }
    // Every change was reported; people may have edited the brief since.
    let told = events.iter().rposition(|it| it.via == wanted.via && is_told(it.event))?;
    let made_of = events.get(told)?.brief.as_deref()?;
    if brief_blob.is_some_and(|now| now != made_of) {
        return events.get(told + 1..);
    }
    answered
}

/// Why this handoff as a whole wants no deliveries.
fn excuse(timeline: &Timeline, circumstances: &Circumstances) -> Option<Settled> {
    let signed = [EventKind::Signed, EventKind::Backfilled];
    let was_signed = timeline.last_of(&signed).is_some();
    if timeline.is_exempt(was_signed && circumstances.brief_blob.is_some()) {
        return Some(Settled::Exempted);
    }
    if !was_signed {
        return Some(Settled::NotSigned);
    }
    if timeline.is_voided() {
        return Some(Settled::Voided);
    }
    let first = timeline.events.iter().find(|event| signed.contains(&event.event))?.at;
    circumstances.since.filter(|since| first < *since).map(|since| Settled::BeforeSince { since })
}

fn state(
    wanted: &WantedDelivery,
    events: &[Event],
    circumstances: &Circumstances,
    excuse: Option<&Settled>,
) -> DeliveryState {
    let done = events.iter().find(|e| e.event == wanted.event && e.via == wanted.via);
    if let Some(done) = done {
        return DeliveryState::Done { at: done.at, reference: done.reference.clone() };
    }
    // Who was told about the handoff is told that its document was voided.
    let tells_it = wanted.event == EventKind::CsmTold && excuse == Some(&Settled::Voided);
    if let Some(excuse) = excuse.filter(|_| !tells_it) {
        return DeliveryState::Settled(excuse.clone());
    }
    if wanted.event == EventKind::Welcomed && !circumstances.customer_is_named {
        return DeliveryState::Settled(Settled::NoCustomer);
    }
    let failures: Vec<(DateTime<Utc>, RecordedFailure)> = events
        .iter()
        .filter_map(|event| Some((event.at, RecordedFailure::read(event)?)))
        .filter(|(_, failure)| {
            failure.missing == wanted.event.as_str() && failure.via == wanted.via
        })
        .collect();
    let Some((at, last)) = failures.last() else {
        return DeliveryState::Due { failures: 0 };
    };
    let (count, reason) = (failures.len(), last.reason.clone());
    if circumstances.at_once {
        return DeliveryState::Due { failures: count };
    }
    if last.is_unclear() && !wanted.again_when_unclear {
        return DeliveryState::Settled(Settled::Unclear { reason });
    }
    let Some(wait) = circumstances.backoff.waits.get(count - 1) else {
        return DeliveryState::Settled(Settled::GivenUp { failures: count, reason });
    };
    let until = at
        .checked_add_signed(TimeDelta::from_std(*wait).unwrap_or(TimeDelta::MAX))
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    if until <= circumstances.now {
        DeliveryState::Due { failures: count }
    } else {
        DeliveryState::Waiting { until, failures: count, reason }
    }
}

const UNCLEAR: &str = "unclear: ";

/// What a `delivery_failed` event says: `via` is the sink, `ref` the event
/// that is missing, and `reason` begins with the class of the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RecordedFailure {
    /// The event that is missing, with what tells it apart: `reminded:first_touch-4h.csm`.
    missing: String,
    via: String,
    /// `refused: …`, `unavailable: …` or `unclear: …`.
    reason: String,
}

impl RecordedFailure {
    /// Reads a `delivery_failed` event; `None` for any other.
    fn read(event: &Event) -> Option<Self> {
        if event.event != EventKind::DeliveryFailed {
            return None;
        }
        let missing = event.reference.clone()?;
        let kind = missing.split_once(':').map_or(&*missing, |(kind, _)| kind);
        let _: EventKind = serde_json::from_value(serde_json::Value::from(kind)).ok()?;
        let reason = event.reason.clone().unwrap_or_default();
        Some(Self { missing, via: event.via.clone(), reason })
    }

    /// Whether it was made after all.
    fn is_made_good(&self, event: &Event) -> bool {
        let (kind, subject) = self.missing.split_once(':').unwrap_or((&self.missing, ""));
        event.event.as_str() == kind
            && event.via == self.via
            && (subject.is_empty() || event.reference.as_deref() == Some(subject))
    }

    /// Whether it may have been made all the same.
    fn is_unclear(&self) -> bool {
        self.reason.starts_with(UNCLEAR)
    }
}

/// The deliveries that failed and were not made since: the last failure of each.
pub fn open_failures(timeline: &Timeline) -> impl Iterator<Item = &Event> {
    let events = &timeline.events;
    let is_open = |(at, failure): &(usize, RecordedFailure)| {
        let mut after = events[at + 1..].iter();
        !after.any(|event| {
            failure.is_made_good(event)
                || event.event == EventKind::DeliveryFailed
                    && event.via == failure.via
                    && event.reference.as_deref() == Some(&*failure.missing)
        })
    };
    let failed =
        events.iter().enumerate().filter_map(|(at, it)| Some((at, RecordedFailure::read(it)?)));
    let open: Vec<usize> = failed.filter(is_open).map(|(at, _)| at).collect();
    open.into_iter().map(|at| &events[at])
}

/// The event that records a failure.
pub(super) fn failed_event(
    at: DateTime<Utc>,
    missing: EventKind,
    subject: &str,
    via: &str,
    error: &DeliveryError,
) -> Event {
    let reason = match error {
        DeliveryError::Permanent { message, help } if help.is_empty() => {
            format!("refused: {message}")
        }
        DeliveryError::Permanent { message, help } => format!("refused: {message} ({help})"),
        DeliveryError::Transient { message, .. } => format!("unavailable: {message}"),
        DeliveryError::Unclear { message } => format!("{UNCLEAR}{message}"),
    };
    let mut event = Event::new(at, EventKind::DeliveryFailed, via);
    let colon = if subject.is_empty() { "" } else { ":" };
    event.reference = Some(format!("{missing}{colon}{subject}"));
    event.reason = Some(text::shorten(&text::one_line(&reason), 500));
    event
}

/// The moments of a step at which a run can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepMoment {
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
    fn before(&self, sink: &dyn Sink, moment: StepMoment) -> ControlFlow<()> {
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

impl DeliveryPlan {
    /// The steps that can be made before anything is recorded, and those that
    /// report what is recorded.
    #[must_use]
    pub fn apart(&self, sinks: &[Box<dyn Sink>]) -> (Self, Self) {
        let reports = |step: &DeliveryStep| {
            let mut sinks = sinks.iter();
            sinks.any(|it| {
                it.event() == step.event && it.via() == step.via && it.reports_what_is_recorded()
            })
        };
        let (late, early) = self.steps.iter().cloned().partition(reports);
        (Self { steps: early }, Self { steps: late })
    }
}

/// Makes what is due, in order. A sink that fails keeps no other from its
/// turn. Later sinks see the marks of earlier ones in the handoff's timeline,
/// so that a message can link to the task.
pub async fn run(
    plan: &DeliveryPlan,
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
        if cut(StepMoment::Look) {
            return None;
        }
        let error = match sink.look_up(handoff).await {
            Ok(Some(mark)) => break (Ok(mark), true),
            Ok(None) => {
                if sink.can_look_up() {
                    // The look has settled what an earlier try left open.
                    unclear = None;
                }
                if cut(StepMoment::Act) {
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
            Err(DeliveryError::Unclear { message }) => DeliveryError::transient(message),
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
    if cut(StepMoment::Record) {
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
        (error @ DeliveryError::Unclear { .. }, _) => error,
        (error, Some(first)) => DeliveryError::unclear(format!("{first}; then {error}")),
        (error, None) => error,
    }
}
