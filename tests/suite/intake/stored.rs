//! The inbox in a folder: what every inbox does, and what files alone do.

use std::sync::Arc;

use chrono::Days;
use handoff::intake::{Envelope, EventState, FolderInbox, Put, Spool};

use super::contract::{self, event, now};

fn spool() -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    (folder, spool)
}

fn inbox() -> (tempfile::TempDir, FolderInbox) {
    let folder = tempfile::tempdir().unwrap();
    let inbox = FolderInbox::open(folder.path()).unwrap();
    (folder, inbox)
}

#[test]
fn a_delivery_is_known_wherever_it_is() {
    let (_folder, inbox) = inbox();
    contract::run(contract::a_delivery_is_known_wherever_it_is(&inbox));
}

#[test]
fn what_fails_comes_back_and_is_given_up_and_a_person_decides() {
    let (_folder, inbox) = inbox();
    contract::run(contract::what_fails_comes_back_and_is_given_up_and_a_person_decides(&inbox));
}

#[test]
fn what_is_in_hand_is_nobody_elses_until_it_is_returned() {
    let (folder, inbox) = inbox();
    let other = FolderInbox::open(folder.path()).unwrap();
    contract::run(contract::what_is_in_hand_is_nobody_elses_until_it_is_returned(&inbox, &other));
}

#[test]
fn many_at_once_are_all_stored_and_each_once() {
    let (_folder, inbox) = inbox();
    contract::run(contract::many_at_once_are_all_stored_and_each_once(Arc::new(inbox)));
}

#[test]
fn what_was_done_is_remembered_for_thirty_days() {
    let (_folder, spool) = spool();
    spool.put(&event("a")).unwrap();
    let claimed = spool.claim(now(), 1).unwrap();
    spool.settle(&claimed[0], EventState::Done).unwrap();
    assert_eq!(spool.prune(now() + Days::new(29)).unwrap(), 0);
    assert_eq!(spool.prune(now() + Days::new(31)).unwrap(), 1);
    assert_eq!(spool.put(&event("a")).unwrap(), Put::Stored);
}

#[test]
fn two_processes_share_one_inbox_and_the_survivor_takes_over() {
    let (folder, first) = spool();
    let second = Spool::open(folder.path()).unwrap();
    let events: Vec<Envelope> = (0..20).map(|number| event(&format!("e{number}"))).collect();
    assert!(first.put_all(&events).into_iter().all(|put| put == Ok(Put::Stored)));
    let mine = first.claim(now(), 12).unwrap();
    let yours = second.claim(now(), 20).unwrap();
    assert_eq!((mine.len(), yours.len()), (12, 8), "no event is in two hands");
    assert_eq!(second.recover().unwrap(), 0, "what a living process has in hand is its own");
    assert_eq!(second.counts(now()).unwrap().work, 20);
    drop(mine);
    drop(first);
    second.recover().unwrap();
    let counts = second.counts(now()).unwrap();
    assert_eq!((counts.new, counts.work), (12, 8), "what it had in hand waits again");
}

#[test]
fn a_file_that_is_no_event_is_put_aside() {
    let (folder, inbox) = spool();
    inbox.put(&event("a")).unwrap();
    let name = event("a").name();
    std::fs::write(folder.path().join("new").join(name.file()), "{\"version\": 1").unwrap();
    std::fs::write(folder.path().join("new/notes.txt"), "not an event").unwrap();
    assert!(inbox.claim(now() + Days::new(20_000), 10).unwrap().is_empty());
    let listed = inbox.list(&EventState::ALL).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].state, listed[0].envelope.is_err()), (EventState::Failed, true));
}
