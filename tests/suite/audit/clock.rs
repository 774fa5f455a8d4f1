//! Second clocks: what the record of pushes and checkpoints say of when a commit
//! reached the branch, and how far they are believed.

use chrono::{DateTime, Utc};
use handoff::audit::{Arrivals, ClockReport, Proof, PushClock};
use handoff::model::{CommitInfo, ObjectId, Push, PushRecord};

use super::world::{DELIVERED, World, at, folder, signed_brief, won_deal};

fn id(place: usize) -> ObjectId {
    ObjectId([u8::try_from(place).expect("few commits") + 1; 20])
}

fn clock_time(text: &str) -> DateTime<Utc> {
    at(&format!("2026-11-20T{text}Z"))
}

/// A chain of commits with these committers' times.
fn chain(times: &[&str]) -> Vec<(ObjectId, i64)> {
    let times = times.iter().enumerate();
    times.map(|(place, time)| (id(place), clock_time(time).timestamp())).collect()
}

fn commits(chain: &[(ObjectId, i64)]) -> Vec<CommitInfo> {
    let commits = chain.iter().map(|(id, time)| CommitInfo {
        id: *id,
        committed_at: *time,
        parent_committed_at: None,
    });
    commits.collect()
}

/// A record of pushes: when, from which place (`None`: the branch was made), to which.
fn record(pushes: &[(&str, Option<usize>, usize)]) -> Vec<PushRecord> {
    let pushes = pushes.iter().map(|(time, before, after)| Push {
        at: clock_time(time),
        before: before.map(id),
        after: Some(id(*after)),
        by: Some("samlee".to_owned()),
        is_forced: false,
    });
    vec![PushRecord { source: "the push log".to_owned(), pushes: pushes.collect() }]
}

#[test]
fn the_tip_of_a_moment_is_what_the_record_of_pushes_says() {
    // The committers' dates run ahead of the pushes: places 2 and 3 are pushed at 12:00.
    let chain = chain(&["08:00:00", "09:00:00", "10:00:00", "10:30:00", "13:00:00", "14:00:00"]);
    let records = record(&[("11:00:00", Some(0), 1), ("12:00:00", Some(1), 3)]);
    let clock = PushClock::new(&chain, &records, DateTime::<Utc>::MAX_UTC);
    for (moment, tip) in [
        // Before the first push the committers' dates are all there is.
        ("07:59:59", None),
        ("08:00:00", Some(0)),
        // What the first push brought was not there before it.
        ("10:59:59", Some(0)),
        ("11:00:00", Some(1)),
        ("11:59:59", Some(1)),
        ("12:00:00", Some(3)),
        ("12:59:59", Some(3)),
        // And behind the last one.
        ("13:00:00", Some(4)),
        ("15:00:00", Some(5)),
    ] {
        assert_eq!(clock.tip_at(clock_time(moment)), tip.map(id), "{moment}");
    }
}

#[test]
fn what_was_pushed_stays_the_tip_although_its_date_is_yet_to_come() {
    let chain = chain(&["08:00:00", "09:00:00", "23:00:00"]);
    let records = record(&[("10:00:00", Some(0), 1), ("12:00:00", Some(1), 2)]);
    let clock = PushClock::new(&chain, &records, DateTime::<Utc>::MAX_UTC);
    assert_eq!(clock.tip_at(clock_time("13:00:00")), Some(id(2)));
}

#[test]
fn a_push_proves_when_its_commits_came_and_no_others() {
    let chain = chain(&["08:00:00", "09:00:00", "09:30:00", "10:00:00", "10:58:59", "12:00:00"]);
    // The push before 11:00 is not in the record: place 2 came at 11:00 or with it.
    let records = record(&[("10:00:00", Some(0), 1), ("11:00:00", Some(2), 3)]);
    let clock = PushClock::new(&chain, &records, DateTime::<Utc>::MAX_UTC);
    let told = clock.arrivals(&commits(&chain), &[]);
    let arrivals: Vec<_> = told
        .commits
        .iter()
        .map(|it| it.as_ref().map(|it| (it.at, it.proof, it.by.as_deref())))
        .collect();
    let of = |time, proof, by| Some((clock_time(time), proof, by));
    assert_eq!(
        arrivals,
        [
            None,
            of("10:00:00", Proof::Recorded, Some("samlee")),
            of("11:00:00", Proof::BehindGap, Some("samlee")),
            of("11:00:00", Proof::Recorded, Some("samlee")),
            // Behind the last push, and dated before it: it came later.
            of("11:00:00", Proof::NotBefore, None),
            None,
        ]
    );
    assert_eq!(told.unrecorded.into_iter().collect::<Vec<_>>(), [4, 5]);
    let clock = &told.clocks[0];
    assert_eq!(
        (clock.pushes, clock.from, clock.until),
        (2, Some(clock_time("10:00:00")), Some(clock_time("11:00:00")))
    );
}

#[test]
fn two_clocks_may_be_a_minute_apart() {
    let seen = |claimed: &str| {
        let chain = chain(&["08:00:00", claimed]);
        let clock = PushClock::new(&chain, &[], DateTime::<Utc>::MAX_UTC);
        // A checkpoint of 10:00 saw the branch end with the first.
        let told = clock.arrivals(&commits(&chain), &[(id(0), clock_time("10:00:00"))]);
        assert_eq!(told.commits[0], None);
        told.commits[1].as_ref().map(|it| (it.at, it.proof))
    };
    let not_before = Some((clock_time("10:00:00"), Proof::NotBefore));
    assert_eq!(seen("09:58:59"), not_before);
    assert_eq!(seen("09:59:00"), None);
    assert_eq!(seen("10:30:00"), None);
    let pushed = |claimed: &str| {
        let chain = chain(&["08:00:00", claimed]);
        let records = record(&[("10:00:00", None, 0)]);
        let clock = PushClock::new(&chain, &records, DateTime::<Utc>::MAX_UTC);
        let told = clock.arrivals(&commits(&chain), &[]);
        told.commits[1].as_ref().map(|it| (it.at, it.proof))
    };
    assert_eq!(pushed("09:58:59"), not_before);
    assert_eq!(pushed("09:59:00"), None);
}

#[test]
fn a_checkpoint_that_did_not_see_what_a_push_brought_contradicts_it() {
    let chain = chain(&["08:00:00", "09:00:00"]);
    let records = record(&[("08:30:00", None, 0), ("09:00:00", Some(0), 1)]);
    let clock = PushClock::new(&chain, &records, DateTime::<Utc>::MAX_UTC);
    let told = clock.arrivals(&commits(&chain), &[(id(0), clock_time("10:00:00"))]);
    assert_eq!(told.faults.len(), 1, "{:?}", told.faults);
    let (since, seen) = ("since 2026-11-20 09:00 UTC", "the checkpoint of 2026-11-20 10:00 UTC");
    assert!(told.faults[0].contains(since) && told.faults[0].contains(seen), "{:?}", told.faults);
    assert!(told.faults[0].contains("commit 0202020202 "), "{:?}", told.faults);
    let agrees = clock.arrivals(&commits(&chain), &[(id(1), clock_time("10:00:00"))]);
    assert!(agrees.faults.is_empty() && agrees.gaps.is_empty(), "{agrees:?}");
}

#[test]
fn a_record_of_another_branch_tells_nothing_and_says_so() {
    let chain = chain(&["08:00:00"]);
    let records = record(&[("08:30:00", None, 7)]);
    let clock = PushClock::new(&chain, &records, DateTime::<Utc>::MAX_UTC);
    let told = clock.arrivals(&commits(&chain), &[]);
    assert_eq!((told.commits, told.gaps.len(), told.clocks[0].pushes), (vec![None], 1, 0));
    assert_eq!(told.lost, []);
}

#[test]
fn what_was_forced_out_of_the_branch_is_lost() {
    let chain = chain(&["08:00:00", "10:00:00"]);
    let mut records =
        record(&[("08:30:00", None, 0), ("09:00:00", Some(0), 5), ("10:00:00", Some(5), 1)]);
    records[0].pushes[2].is_forced = true;
    let lost = |records: &[PushRecord], until: &str| {
        let clock = PushClock::new(&chain, records, clock_time(until));
        let lost = clock.arrivals(&commits(&chain), &[]).lost;
        lost.iter().map(|it| (it.push.at, it.source.to_string())).collect::<Vec<_>>()
    };
    let told = [(clock_time("10:00:00"), "the push log".to_owned())];
    assert_eq!(lost(&records, "12:00:00"), told);
    assert_eq!(lost(&records, "09:30:00"), [], "not yet");
    // Not forced, or of what is still there, nothing is lost.
    records[0].pushes[2].before = Some(id(0));
    assert_eq!(lost(&records, "12:00:00"), []);
    records[0].pushes[2] =
        Push { before: Some(id(5)), is_forced: false, ..records[0].pushes[2].clone() };
    assert_eq!(lost(&records, "12:00:00"), []);
    // Deleted, and made again.
    records[0].pushes[2] =
        Push { before: Some(id(5)), after: None, ..records[0].pushes[2].clone() };
    records[0].pushes.extend(record(&[("11:00:00", None, 1)])[0].pushes.clone());
    assert_eq!(lost(&records, "12:00:00"), told);
}

#[test]
fn deliveries_behind_the_end_of_a_record_are_one_gap_with_their_number() {
    for (deals, named) in [(1, ""), (2, " and 1 more"), (3, " and 2 more")] {
        let mut world = World::new();
        for id in (1..=deals).map(|id| id.to_string()) {
            world.deals.push(won_deal(&id));
            world.put(&folder(&id), DELIVERED, Some(signed_brief(&id)), vec![]);
        }
        let mut ledger = world.ledger(None);
        let delivered = ledger.handoffs.iter().filter_map(|it| it.delivered.as_ref());
        let unrecorded = delivered.map(|it| it.change.order).collect();
        let until = Some(at("2026-11-20T15:00:00Z"));
        let clock = ClockReport { source: "the push log".into(), pushes: 1, from: until, until };
        ledger.set_arrivals(Arrivals { unrecorded, clocks: vec![clock], ..Arrivals::default() });
        let [gap] = &ledger.gaps[..] else { panic!("{:?}", ledger.gaps) };
        assert!(gap.what.ends_with(&format!("{named} reached the branch")), "{}", gap.what);
        assert_eq!(gap.what.contains("more"), deals > 1, "{}", gap.what);
        assert!(gap.why.starts_with("the push log ends with the push of 2026-11-20 15:00"));
    }
}
