//! Killed at every point of the plan.

use futures_util::stream::{self, StreamExt as _};

use super::killer::{At, Point, When};
use super::world::{DELIVERED, KEY, World, timeline};

/// So many worlds at once.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_gives_exactly_one_of_each_and_five_more_runs_add_nothing() {
    let world = World::new("").await;
    let (killed, points) = world.sign(At::Never).await;
    assert!(!killed && points.len() > 20, "{points:?}");
    assert_eq!(world.faults(), Vec::<String>::new());
    assert_eq!(world.repeats(), (1, 1));
    let head = world.sandbox.git("ledger", &["rev-parse", "HEAD"]);
    for arguments in
        [&["deliver"][..], &["deliver", KEY], &["deliver"], &["deliver", KEY], &["deliver"]]
    {
        let (_, points) = world.run(arguments, At::Never).await;
        assert_eq!(points, [], "what is recorded is not asked about again");
    }
    world.sign(At::Never).await;
    assert_eq!(world.faults(), Vec::<String>::new());
    assert_eq!(world.repeats(), (1, 1));
    assert_eq!(world.sandbox.git("ledger", &["rev-parse", "HEAD"]), head);
}

/// Killed at one point, run again to the end: what is wrong then.
async fn killed_at(at: usize, point: &Point) -> Vec<String> {
    let world = World::new("").await;
    let (killed, _) = world.sign(At::Number(at)).await;
    let mut faults = Vec::new();
    if !killed {
        faults.push("it was not killed".to_owned());
    }
    // Whichever comes first after a crash: the reconciler, or the event again.
    let arguments: &[&str] = if at.is_multiple_of(2) { &["deliver"] } else { &["deliver", KEY] };
    world.run(arguments, At::Never).await;
    faults.extend(world.faults());
    let (mails, welcomes) = world.repeats();
    let sent_twice = |name: &str| point.request == name && point.when == When::Done;
    if mails != if sent_twice("SMTP DATA") { 2 } else { 1 } {
        faults.push(format!("{mails} mails"));
    }
    if welcomes != if sent_twice("POST /welcome") { 2 } else { 1 } {
        faults.push(format!("{welcomes} welcomes"));
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_single_step_and_run_again_there_is_exactly_one_of_each() {
    let (_, points) = World::new("").await.sign(At::Never).await;
    let count = points.len();
    assert!(count >= 20, "{points:?}");
    let done = points.iter().filter(|point| point.when == When::Done).count();
    assert!(done >= DELIVERED.len(), "every delivery has a point behind its act: {points:?}");
    let trials = points.into_iter().enumerate().map(|(at, point)| async move {
        let faults = tokio::spawn(async move { (killed_at(at, &point).await, point) });
        (at, faults.await.unwrap())
    });
    let results: Vec<_> = stream::iter(trials).buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<String> = results
        .into_iter()
        .filter(|(_, (faults, _))| !faults.is_empty())
        .map(|(at, (faults, point))| format!("killed at {at}, {point:?}: {faults:#?}"))
        .collect();
    assert!(wrong.is_empty(), "{count} points:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_a_later_delivery_repeats_no_mail() {
    let world = World::new("").await;
    let in_jira = At::Behind("POST /jira/rest/api/3/issue");
    assert!(world.sign(in_jira).await.0);
    assert!(timeline(&world.sandbox).contains("event: emailed"), "recorded as soon as it was sent");
    for _ in 0..3 {
        assert!(world.run(&["deliver"], in_jira).await.0);
    }
    world.run(&["deliver"], At::Never).await;
    assert_eq!(world.faults(), Vec::<String>::new());
    assert_eq!(world.repeats().0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_often_it_dies_behind_a_mail_the_mail_is_repeated_once_at_most() {
    for (setting, most) in [("", 2), (", repeat: false", 1)] {
        let world = World::new(setting).await;
        let behind_mail = At::Behind("SMTP DATA");
        assert!(world.sign(behind_mail).await.0);
        for _ in 0..3 {
            world.run(&["deliver"], behind_mail).await;
        }
        world.run(&["deliver"], At::Never).await;
        assert_eq!(world.repeats(), (most, 1), "mails and welcomes{setting}");
        let timeline = timeline(&world.sandbox);
        assert!(timeline.contains("unclear: the run that sent it ended"), "{timeline}");
        assert!(!timeline.contains("event: emailed"), "{timeline}");
        // A person who knows may have it sent all the same.
        world.run(&["deliver", KEY], At::Never).await;
        assert_eq!(world.repeats().0, most + 1);
        assert_eq!(world.faults(), Vec::<String>::new());
    }
}
