//! Carrying a plan out: independence, retries, cuts at every moment.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use handoff::brief::EventKind;
use handoff::deliver::{
    Circumstances, DeliveryError, Follower, Handoff, Mark, Sink, StepMoment, WantedDelivery, plan,
    run,
};
use handoff::http::Schedule;

use super::sample::{handoff, now};

/// A target in memory that fails as it is told to.
struct Target {
    event: EventKind,
    via: &'static str,
    readable: bool,
    repeats: bool,
    made: Arc<AtomicUsize>,
    faults: Mutex<Vec<DeliveryError>>,
}

impl Target {
    fn new(event: EventKind, via: &'static str) -> Self {
        let (made, faults) = (Arc::default(), Mutex::default());
        Self { event, via, readable: true, repeats: false, made, faults }
    }

    fn failing(mut self, faults: Vec<DeliveryError>) -> Self {
        self.faults = Mutex::new(faults);
        self
    }

    fn mark(&self) -> Mark {
        Mark { reference: format!("{}-1", self.via), at: None, remark: None }
    }
}

#[async_trait]
impl Sink for Target {
    fn event(&self) -> EventKind {
        self.event
    }
    fn via(&self) -> &'static str {
        self.via
    }
    fn can_look_up(&self) -> bool {
        self.readable
    }
    fn repeats_when_unclear(&self) -> bool {
        self.repeats
    }
    fn describe(&self, _: &Handoff) -> String {
        String::new()
    }
    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let there = self.readable && self.made.load(Ordering::SeqCst) > 0;
        Ok(there.then(|| self.mark()))
    }
    async fn act(&self, _: &Handoff) -> Result<Mark, DeliveryError> {
        let fault = self.faults.lock().expect("not poisoned").pop();
        match fault {
            Some(error @ DeliveryError::Unclear { .. }) => {
                self.made.fetch_add(1, Ordering::SeqCst);
                Err(error)
            }
            Some(error) => Err(error),
            None => {
                self.made.fetch_add(1, Ordering::SeqCst);
                Ok(self.mark())
            }
        }
    }
}

fn schedule() -> Schedule {
    Schedule { waits: vec![Duration::ZERO; 2], longest: Duration::from_secs(1) }
}

fn unclear() -> DeliveryError {
    DeliveryError::Unclear { message: "the connection ended".to_owned() }
}

async fn deliver(
    handoff: &mut Handoff,
    sinks: &[Box<dyn Sink>],
    follower: &dyn Follower,
) -> Vec<String> {
    let wanted: Vec<WantedDelivery> =
        sinks.iter().map(|s| WantedDelivery::from_sink(s.as_ref())).collect();
    let circumstances = Circumstances { at_once: true, ..Circumstances::at(now()) };
    let plan = plan(&wanted, &handoff.timeline, &circumstances);
    let results = run(&plan, sinks, handoff, now(), &schedule(), follower).await;
    results
        .into_iter()
        .map(|result| {
            handoff.timeline.events.push(result.to_event(now()));
            match result.outcome {
                Ok(mark) if result.found => format!("found {}", mark.reference),
                Ok(mark) => format!("made {}", mark.reference),
                Err(error) => format!("{}: {error}", result.via),
            }
        })
        .collect()
}

#[tokio::test]
async fn one_sink_that_fails_keeps_no_other_from_its_turn() {
    let refused =
        DeliveryError::Permanent { message: "no such channel".into(), help: "fix".into() };
    let slack = Target::new(EventKind::Notified, "slack").failing(vec![refused]);
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(Target::new(EventKind::TaskOpened, "github")),
        Box::new(slack),
        Box::new(Target::new(EventKind::Emailed, "email")),
    ];
    let mut handoff = handoff("hubspot-1");
    let results = deliver(&mut handoff, &sinks, &()).await;
    assert_eq!(results, ["made github-1", "made email-1", "slack: no such channel"]);
    assert_eq!(deliver(&mut handoff, &sinks, &()).await, ["made slack-1"]);
    assert!(deliver(&mut handoff, &sinks, &()).await.is_empty(), "everything is recorded");
}

#[tokio::test]
async fn after_an_unclear_outcome_it_looks_before_it_repeats() {
    let target = Target::new(EventKind::TaskOpened, "github").failing(vec![unclear()]);
    let made = target.made.clone();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(target)];
    assert_eq!(deliver(&mut handoff("hubspot-1"), &sinks, &()).await, ["found github-1"]);
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn where_nobody_can_look_the_setting_decides_about_a_repeat() {
    for (repeats, sent, says) in
        [(false, 1, "slack: the connection ended"), (true, 2, "made slack-1")]
    {
        let mut target = Target::new(EventKind::Notified, "slack").failing(vec![unclear()]);
        (target.readable, target.repeats) = (false, repeats);
        let made = target.made.clone();
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(target)];
        assert_eq!(deliver(&mut handoff("hubspot-1"), &sinks, &()).await, [says]);
        assert_eq!(made.load(Ordering::SeqCst), sent, "repeat: {repeats}");
    }
}

#[tokio::test]
async fn what_is_unavailable_is_tried_again_and_then_recorded() {
    let unavailable = || DeliveryError::Transient { message: "busy".to_owned(), retry_after: None };
    let twice = Target::new(EventKind::TaskOpened, "github").failing(vec![unavailable(); 2]);
    let always = Target::new(EventKind::Notified, "slack").failing(vec![unavailable(); 3]);
    let asks_long = DeliveryError::Transient {
        message: "in an hour".to_owned(),
        retry_after: Some(Duration::from_secs(3600)),
    };
    let later = Target::new(EventKind::Emailed, "email").failing(vec![asks_long]);
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(twice), Box::new(always), Box::new(later)];
    let results = deliver(&mut handoff("hubspot-1"), &sinks, &()).await;
    assert_eq!(results, ["made github-1", "email: in an hour", "slack: busy"]);
}

/// Ends the run at one of its moments.
struct CrashAt {
    moment: usize,
    passed: AtomicUsize,
}

impl Follower for CrashAt {
    fn before(&self, _: &dyn Sink, _: StepMoment) -> ControlFlow<()> {
        if self.passed.fetch_add(1, Ordering::SeqCst) == self.moment {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Cut before each look, act and record of three sinks in turn and run again:
/// what can be looked up is there exactly once, the rest at most twice.
#[tokio::test]
async fn cut_at_every_moment_and_run_again_nothing_is_doubled_or_lost() {
    for cut in 0..9 {
        let mut chat = Target::new(EventKind::Notified, "slack");
        chat.readable = false;
        let targets = [
            Target::new(EventKind::TaskOpened, "github"),
            chat,
            Target::new(EventKind::ProjectStarted, "asana"),
        ];
        let made: Vec<_> = targets.iter().map(|t| t.made.clone()).collect();
        let sinks: Vec<Box<dyn Sink>> =
            targets.into_iter().map(|t| Box::new(t) as Box<dyn Sink>).collect();
        let mut handoff = handoff("hubspot-1");
        let crash = CrashAt { moment: cut, passed: AtomicUsize::new(0) };
        deliver(&mut handoff, &sinks, &crash).await;
        deliver(&mut handoff, &sinks, &()).await;
        let made: Vec<usize> = made.iter().map(|m| m.load(Ordering::SeqCst)).collect();
        assert_eq!((made[0], made[2]), (1, 1), "cut at moment {cut}");
        assert!((1..=2).contains(&made[1]), "cut at moment {cut}: {} messages", made[1]);
        let events = &handoff.timeline.events;
        assert_eq!(events.len(), 2 + 3, "cut at moment {cut}: {events:?}");
    }
}
