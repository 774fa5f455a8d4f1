//! What is missing, done, waiting or settled.

use std::time::Duration;

use handoff::brief::{Event, EventKind, Timeline};
use handoff::deliver::{
    Circumstances, DeliveryError, DeliveryResult, DeliveryState, Mark, Settled, WantedDelivery,
    plan,
};

use super::sample::{handoff, now, time};

const fn wanted(
    event: EventKind,
    via: &'static str,
    again_when_unclear: bool,
    follows_brief: bool,
) -> WantedDelivery {
    WantedDelivery { event, via, again_when_unclear, follows_brief }
}

const GITHUB: WantedDelivery = wanted(EventKind::TaskOpened, "github", true, false);
const WEBHOOK: WantedDelivery = wanted(EventKind::Notified, "slack", false, false);

fn timeline() -> Timeline {
    handoff("hubspot-1").timeline
}

fn failed(wanted: WantedDelivery, at: &str, error: DeliveryError) -> Event {
    DeliveryResult::new(wanted.event, wanted.via, Err(error)).to_event(time(at))
}

fn unavailable() -> DeliveryError {
    DeliveryError::Transient { message: "no answer".to_owned(), retry_after: None }
}

fn states(
    wanted: &[WantedDelivery],
    timeline: &Timeline,
    circumstances: &Circumstances,
) -> Vec<DeliveryState> {
    plan(wanted, timeline, circumstances).steps.into_iter().map(|step| step.state).collect()
}

#[test]
fn what_is_not_recorded_is_due_and_the_task_comes_first() {
    let plan = plan(&[WEBHOOK, GITHUB], &timeline(), &Circumstances::at(now()));
    let order: Vec<_> = plan.steps.iter().map(|step| (step.via, step.is_due())).collect();
    assert_eq!(order, [("github", true), ("slack", true)]);
    assert_eq!(plan.steps[0].to_string(), "task_opened via github: due");
}

#[test]
fn what_is_recorded_is_done_whatever_failed_before() {
    let mut timeline = timeline();
    timeline.events.push(failed(GITHUB, "2026-11-20T15:03:00Z", unavailable()));
    let mark =
        Mark { reference: "https://github.example/1".to_owned(), at: Some(now()), remark: None };
    let result = DeliveryResult::new(GITHUB.event, GITHUB.via, Ok(mark));
    timeline.events.push(result.to_event(now()));
    let reference = Some("https://github.example/1".to_owned());
    assert_eq!(
        states(&[GITHUB], &timeline, &Circumstances::at(now())),
        [DeliveryState::Done { at: now(), reference }]
    );
    assert!(plan(&[GITHUB], &timeline, &Circumstances::at(now())).is_idle());
}

#[test]
fn a_delivery_via_another_sink_does_not_count() {
    let mut timeline = timeline();
    timeline.events.push(Event::new(now(), EventKind::TaskOpened, "outbox"));
    assert_eq!(
        states(&[GITHUB], &timeline, &Circumstances::at(now())),
        [DeliveryState::Due { failures: 0 }]
    );
}

#[test]
fn after_a_failure_it_waits_longer_and_longer_and_then_gives_up() {
    let mut timeline = timeline();
    let mut at = time("2026-11-20T15:00:00Z");
    let circumstances = Circumstances::at(at);
    for (n, wait) in circumstances.backoff.waits.clone().into_iter().enumerate() {
        timeline.events.push(failed(GITHUB, &at.to_rfc3339(), unavailable()));
        let until = at + wait;
        let early = Circumstances { now: until - Duration::from_secs(1), ..circumstances.clone() };
        let DeliveryState::Waiting { until: told, failures, .. } =
            &states(&[GITHUB], &timeline, &early)[0]
        else {
            panic!("failure {n} must make it wait");
        };
        assert_eq!((*told, *failures), (until, n + 1));
        let later = Circumstances { now: until, ..circumstances.clone() };
        assert_eq!(states(&[GITHUB], &timeline, &later), [DeliveryState::Due { failures: n + 1 }]);
        at = until;
    }
    timeline.events.push(failed(GITHUB, &at.to_rfc3339(), unavailable()));
    let late = Circumstances { now: time("2030-01-01T00:00:00Z"), ..circumstances };
    let given_up = &states(&[GITHUB], &timeline, &late)[0];
    assert!(
        matches!(given_up, DeliveryState::Settled(Settled::GivenUp { failures: 7, .. })),
        "{given_up:?}"
    );
    let asked = Circumstances { at_once: true, ..late };
    assert_eq!(states(&[GITHUB], &timeline, &asked), [DeliveryState::Due { failures: 7 }]);
}

#[test]
fn a_failure_of_one_delivery_is_not_a_failure_of_another() {
    let mut timeline = timeline();
    timeline.events.push(failed(GITHUB, "2026-11-20T15:09:00Z", unavailable()));
    let states = states(&[GITHUB, WEBHOOK], &timeline, &Circumstances::at(now()));
    assert!(matches!(states[0], DeliveryState::Waiting { .. }), "{states:?}");
    assert_eq!(states[1], DeliveryState::Due { failures: 0 });
}

#[test]
fn an_unclear_outcome_is_not_repeated_where_nobody_can_look() {
    let unclear = || DeliveryError::Unclear { message: "the connection ended".to_owned() };
    let mut timeline = timeline();
    timeline.events.push(failed(WEBHOOK, "2026-11-19T15:00:00Z", unclear()));
    timeline.events.push(failed(GITHUB, "2026-11-19T15:00:00Z", unclear()));
    let repeat = WantedDelivery { again_when_unclear: true, ..WEBHOOK };
    let circumstances = Circumstances::at(now());
    assert_eq!(states(&[GITHUB], &timeline, &circumstances), [DeliveryState::Due { failures: 1 }]);
    assert_eq!(states(&[repeat], &timeline, &circumstances), [DeliveryState::Due { failures: 1 }]);
    let reason = "unclear: the connection ended".to_owned();
    assert_eq!(
        states(&[WEBHOOK], &timeline, &circumstances),
        [DeliveryState::Settled(Settled::Unclear { reason })]
    );
}

#[test]
fn drafts_exempted_voided_and_old_handoffs_are_left_alone() {
    let circumstances = Circumstances::at(now());
    let with = |kind: EventKind| {
        let mut timeline = timeline();
        timeline.events.push(Event::new(now(), kind, "cli"));
        timeline
    };
    let mut draft = timeline();
    draft.events.retain(|event| event.event != EventKind::Signed);
    let settled = |timeline: &Timeline| states(&[GITHUB], timeline, &circumstances)[0].clone();
    assert_eq!(settled(&draft), DeliveryState::Settled(Settled::NotSigned));
    assert_eq!(settled(&with(EventKind::Exempted)), DeliveryState::Settled(Settled::Exempted));
    assert_eq!(settled(&with(EventKind::Voided)), DeliveryState::Settled(Settled::Voided));
    let since = time("2026-12-01T00:00:00Z");
    let later = Circumstances { since: Some(since), ..circumstances };
    assert_eq!(
        states(&[GITHUB], &timeline(), &later),
        [DeliveryState::Settled(Settled::BeforeSince { since })]
    );
}

#[test]
fn a_failure_in_the_timeline_survives_its_file() {
    let mut timeline = timeline();
    timeline.events.push(failed(GITHUB, "2026-11-20T15:09:00Z", unavailable()));
    let read = Timeline::parse(timeline.to_yaml().as_bytes()).expect("a timeline");
    let last = read.events.last().expect("an event");
    assert_eq!(last.reference.as_deref(), Some("task_opened"));
    assert_eq!(last.reason.as_deref(), Some("unavailable: no answer"));
    let circumstances = Circumstances::at(now());
    assert_eq!(
        states(&[GITHUB], &read, &circumstances),
        states(&[GITHUB], &timeline, &circumstances)
    );
}

#[test]
fn what_changed_is_told_once_by_whoever_told_of_it_before() {
    let (slack, email) = (
        wanted(EventKind::CsmTold, "slack", true, false),
        wanted(EventKind::CsmTold, "email", true, false),
    );
    let mut timeline = timeline();
    let told = |kind: EventKind, via: &str| Event::new(now(), kind, via);
    timeline.events.push(told(EventKind::Notified, "slack"));
    let circumstances = Circumstances::at(now());
    assert_eq!(states(&[slack, email], &timeline, &circumstances), [], "nothing has changed");
    for change in [EventKind::Corrected, EventKind::Amended, EventKind::Assigned] {
        timeline.events.push(told(change, "cli"));
        // The mail was never sent: it will say how things are then.
        assert_eq!(
            states(&[slack, email], &timeline, &circumstances),
            [DeliveryState::Due { failures: 0 }],
            "{change}"
        );
        timeline.events.push(told(EventKind::CsmTold, "slack"));
        let states = states(&[slack, email], &timeline, &circumstances);
        assert!(matches!(states[..], [DeliveryState::Done { .. }]), "{change}: {states:?}");
    }
}

#[test]
fn a_task_follows_every_version_of_the_brief() {
    let follow = wanted(EventKind::CsmTold, "github", true, true);
    let mut timeline = timeline();
    let at = |blob: &str| Circumstances {
        brief_blob: Some(blob.to_owned()),
        ..Circumstances::at(now())
    };
    assert_eq!(states(&[follow], &timeline, &at("b")), [], "there is no task yet");
    let made_of = |kind, blob: &str| {
        let mut event = Event::new(now(), kind, "github");
        event.brief = Some(blob.to_owned());
        event
    };
    timeline.events.push(made_of(EventKind::TaskOpened, "a"));
    assert_eq!(states(&[follow], &timeline, &at("a")), []);
    assert_eq!(states(&[follow], &timeline, &at("b")), [DeliveryState::Due { failures: 0 }]);
    timeline.events.push(made_of(EventKind::CsmTold, "b"));
    assert_eq!(states(&[follow], &timeline, &at("b")), []);
    assert_eq!(states(&[follow], &timeline, &at("c")), [DeliveryState::Due { failures: 0 }]);
}
