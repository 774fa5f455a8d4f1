//! Timelines of two sides become one.

use handoff::brief::{EventKind, Timeline};
use handoff::ledger::merge_timelines;

use crate::ledger_world::timeline;

type Row = (i64, EventKind, &'static str);

const SIGNED: Row = (0, EventKind::Signed, "pandadoc");
const TASK: Row = (10, EventKind::TaskOpened, "github");
const NOTE: Row = (10, EventKind::Notified, "slack");
const TOUCH: Row = (5, EventKind::Touched, "github");

fn merged(ours: &[Row], theirs: &[Row], base: Option<&[Row]>) -> Vec<Row> {
    let text = |rows: &[Row]| timeline(1, rows).into_bytes();
    let base = base.map(text);
    let merged = merge_timelines(&text(ours), &text(theirs), base.as_deref()).expect("timelines");
    let merged = Timeline::parse(&merged).expect("a timeline");
    let all = [SIGNED, TASK, NOTE, TOUCH];
    merged
        .events
        .iter()
        .map(|event| *all.iter().find(|row| row.1 == event.event).expect("known"))
        .collect()
}

#[test]
fn the_union_is_sorted_by_time_and_stable() {
    let base = Some(&[SIGNED][..]);
    assert_eq!(merged(&[SIGNED, TASK], &[SIGNED, NOTE], base), [SIGNED, NOTE, TASK]);
    assert_eq!(merged(&[SIGNED, NOTE], &[SIGNED, TASK, TOUCH], base), [SIGNED, TOUCH, TASK, NOTE]);
    assert_eq!(merged(&[SIGNED, TASK], &[SIGNED, TASK], base), [SIGNED, TASK], "both saw the same");
    assert_eq!(merged(&[SIGNED, TASK], &[SIGNED, TASK], None), [SIGNED, TASK]);
    assert_eq!(merged(&[TASK], &[SIGNED], None), [SIGNED, TASK]);
    assert_eq!(merged(&[], &[SIGNED], None), [SIGNED]);
}

#[test]
fn what_happened_twice_stays_twice() {
    let twice = [SIGNED, TASK, TASK];
    assert_eq!(merged(&twice, &[SIGNED], Some(&[SIGNED])), twice);
    assert_eq!(merged(&twice, &twice, Some(&twice)), twice);
    assert_eq!(merged(&twice, &[SIGNED, TASK], Some(&[SIGNED])), twice);
}

#[test]
fn merging_again_changes_nothing() {
    let text = |rows: &[Row]| timeline(1, rows).into_bytes();
    let (ours, theirs) = (text(&[SIGNED, TASK]), text(&[SIGNED, NOTE, TOUCH]));
    let once = merge_timelines(&ours, &theirs, None).expect("timelines");
    assert_eq!(merge_timelines(&ours, &once, None).expect("timelines"), once);
    assert_eq!(merge_timelines(&once, &once, None).expect("timelines"), once);
    assert!(merge_timelines(b"x: 1", &theirs, None).is_err());
}

#[test]
fn one_document_is_signed_once_whoever_recorded_it_when() {
    let text = |at: &str, document: &str| {
        format!(
            "schema: handoff/timeline/v1\nkey: hubspot-1\nevents:\n  - {{at: {at}, event: signed, via: pandadoc, ref: {document}}}\n"
        )
    };
    let merge = |ours: &str, theirs: &str| {
        let merged = merge_timelines(ours.as_bytes(), theirs.as_bytes(), None).expect("timelines");
        Timeline::parse(&merged).expect("a timeline").events.len()
    };
    let theirs = text("2026-11-20T15:00:00Z", "d1");
    assert_eq!(merge(&text("2026-11-20T15:00:31Z", "d1"), &theirs), 1);
    assert_eq!(merge(&text("2026-11-20T15:00:31Z", "d2"), &theirs), 2, "another document");
}
