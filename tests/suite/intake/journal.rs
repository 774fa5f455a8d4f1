//! What came and has no file yet: every reader sees it, it is known when it
//! comes again, and after a crash the next process makes its file.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Days;
use handoff::intake::{Envelope, EventName, EventState, Put, Spool};

use super::contract::{event, now};
use super::server::{KEY, Running, document, ledger, next_now, pandadoc};

fn spool() -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    (folder, spool)
}

fn events(count: usize) -> Vec<Envelope> {
    (0..count).map(|number| event(&format!("e{number}"))).collect()
}

/// The segment there is.
fn segment(folder: &Path) -> PathBuf {
    let segments = journal(folder, "segment");
    assert_eq!(segments.len(), 1, "{segments:?}");
    segments[0].clone()
}

/// What is written of the segment there is, without the zeros behind it. Events
/// end with a brace.
fn written(folder: &Path) -> Vec<u8> {
    let mut bytes = fs::read(segment(folder)).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes
}

fn journal(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|it| it == ending)).collect()
}

fn files(folder: &Path, state: &str) -> usize {
    fs::read_dir(folder.join(state)).unwrap().count()
}

/// What a process that ended at once has left: a segment that nobody locks.
fn left_behind(bytes: &[u8]) -> (tempfile::TempDir, Spool) {
    let (folder, spool) = spool();
    fs::write(folder.path().join("journal/1-00000000.segment"), bytes).unwrap();
    (folder, spool)
}

/// What the next process finds to do in a segment.
fn taken(bytes: &[u8]) -> (Vec<EventName>, bool) {
    let (folder, spool) = left_behind(bytes);
    let listed = spool.list(&[EventState::New]).unwrap();
    let mut names: Vec<EventName> =
        spool.claim(now(), 1_000).unwrap().iter().map(|it| it.envelope.name()).collect();
    names.sort();
    let mut shown: Vec<EventName> = listed.into_iter().map(|it| it.name).collect();
    shown.sort();
    assert_eq!(shown, names, "what is shown is what is processed");
    assert_eq!(journal(folder.path(), "segment"), Vec::<PathBuf>::new(), "it is not needed");
    (names, !journal(folder.path(), "damaged").is_empty())
}

fn sorted_names(events: &[Envelope]) -> Vec<EventName> {
    let mut names: Vec<EventName> = events.iter().map(Envelope::name).collect();
    names.sort();
    names
}

#[test]
fn what_has_no_file_yet_is_seen_and_known_by_every_process() {
    let (folder, mine) = spool();
    let yours = Spool::open(folder.path()).unwrap();
    let mut held = event("held");
    held.hold(now(), "which deal?", Vec::new());
    let all = [events(3), vec![held.clone()]].concat();
    assert!(mine.put_all(&all).into_iter().all(|put| put == Ok(Put::Stored)));
    assert_eq!(files(folder.path(), "new"), 0, "nothing is a file yet");
    for spool in [&mine, &yours] {
        let counts = spool.counts(now()).unwrap();
        assert_eq!((counts.new, counts.held, counts.work), (3, 1, 0));
        assert_eq!(counts.oldest_due.map(|age| age.as_secs()), Some(0));
        let listed = spool.list(&EventState::ALL).unwrap();
        let states: Vec<EventState> = listed.iter().map(|it| it.state).collect();
        assert_eq!(states, [EventState::New, EventState::New, EventState::New, EventState::Held]);
        assert_eq!(spool.list(&[EventState::Held]).unwrap()[0].envelope, Ok(held.clone()));
        let found = spool.find(event("e1").name().delivery()).unwrap();
        assert_eq!((found.state, found.envelope), (EventState::New, Ok(event("e1"))));
        assert_eq!(files(folder.path(), "new"), 0, "looking makes nothing");
    }
    assert_eq!(mine.put(&event("e1")).unwrap(), Put::Known(EventState::New));
    assert_eq!(yours.put(&event("e1")).unwrap(), Put::Known(EventState::New));
    assert_eq!(yours.put(&held).unwrap(), Put::Known(EventState::Held));
    assert_eq!(mine.counts(now()).unwrap().new, 3);
}

#[test]
fn another_process_may_drop_release_and_work_off_what_has_no_file_yet() {
    let (folder, mine) = spool();
    let yours = Spool::open(folder.path()).unwrap();
    mine.put_all(&events(3));
    yours.discard(&event("e0").name(), now()).unwrap();
    assert_eq!(mine.put(&event("e0")).unwrap(), Put::Known(EventState::Done));
    let claimed = yours.claim(now(), 10).unwrap();
    assert_eq!(claimed.len(), 2);
    yours.settle(&claimed[0], EventState::Done).unwrap();
    drop((claimed, yours));
    drop(mine);
    let next = Spool::open(folder.path()).unwrap();
    let counts = next.counts(now()).unwrap();
    assert_eq!((counts.new, counts.work, counts.done), (1, 0, 2), "each is where it was left");
    assert_eq!(journal(folder.path(), "segment"), Vec::<PathBuf>::new());
}

#[test]
fn zeros_are_written_ahead_and_no_event_makes_the_file_longer() {
    let (folder, spool) = spool();
    let length = |folder: &Path| fs::metadata(segment(folder)).unwrap().len();
    let (mut before, mut grown) = (0, 0);
    for event in events(1_000) {
        assert_eq!(spool.put(&event).unwrap(), Put::Stored);
        grown += usize::from(length(folder.path()) > before);
        before = length(folder.path());
    }
    assert!(grown < 10, "grown {grown} times");
    let zeros = before - written(folder.path()).len() as u64;
    assert!((1..2 * 1024 * 1024).contains(&zeros), "{zeros} zeros");
    let next = taken(&fs::read(segment(folder.path())).unwrap());
    assert_eq!(next, (sorted_names(&events(1_000)), false), "behind them is nothing");
}

#[test]
fn wherever_a_crash_cuts_a_segment_off_all_before_the_cut_is_there() {
    let (folder, spool) = spool();
    let all = events(4);
    let mut ends = Vec::new();
    for event in &all {
        spool.put(event).unwrap();
        ends.push(written(folder.path()).len());
    }
    let whole = written(folder.path());
    let zeros = vec![0; 5_000];
    let (seen, shown) = left_behind(b"");
    for cut in 0..=whole.len() {
        let before = ends.iter().take_while(|end| **end <= cut).count();
        let expected = sorted_names(&all[..before]);
        // The file had grown so far; or what was written over the zeros had.
        let torn = [&whole[..cut], &zeros].concat();
        for bytes in [&whole[..cut], &torn] {
            fs::write(segment(seen.path()), bytes).unwrap();
            let listed = shown.list(&EventState::ALL).unwrap();
            let mut names: Vec<EventName> = listed.into_iter().map(|it| it.name).collect();
            names.sort();
            assert_eq!(names, expected, "{} bytes, cut at {cut}", bytes.len());
            if cut % 29 == 0 || cut == whole.len() {
                assert_eq!(taken(bytes), (expected.clone(), false), "cut at {cut}");
            }
        }
    }
}

/// A power cut while a group was written over the zeros: some blocks of it are
/// on the disk, in whatever order.
#[test]
fn what_a_power_cut_left_of_a_group_is_no_damage_and_costs_nothing_that_was_answered() {
    let (folder, spool) = spool();
    let all = events(6);
    spool.put_all(&all[..2]);
    spool.put(&all[2]).unwrap();
    let answered = written(folder.path()).len();
    spool.put_all(&all[3..]);
    let whole = written(folder.path());
    let (mut random, mut kept) = (fastrand::Rng::with_seed(20_261_130), 0);
    for round in 0..60 {
        let mut bytes = [&whole[..], &[0; 4_096]].concat();
        // Small blocks, so that headers and contents are hit as well.
        let block = [8, 64, 512][round % 3];
        for at in (answered..whole.len()).step_by(block) {
            if random.bool() {
                let end = (at + block).min(whole.len());
                bytes[at..end].fill(0);
            }
        }
        let (names, is_damaged) = taken(&bytes);
        assert!(!is_damaged, "round {round}: nobody was answered");
        assert!(sorted_names(&all[..3]).iter().all(|name| names.contains(name)), "round {round}");
        assert!(names.iter().all(|name| sorted_names(&all).contains(name)), "round {round}");
        kept += names.len() - 3;
    }
    assert!(kept > 0, "what is whole of it is taken: its sender sends it again, and it is known");

    // The same behind what was answered is damage, and is said.
    spool.put(&event("last")).unwrap();
    let mut bytes = written(folder.path());
    bytes[answered..answered + 64].fill(0);
    let (names, is_damaged) = taken(&bytes);
    assert!(is_damaged && names.len() >= 6, "{names:?}");
}

#[test]
fn a_byte_that_went_bad_costs_at_most_one_event_and_the_segment_is_kept() {
    let (folder, spool) = spool();
    let all = events(3);
    let mut ends = vec![0];
    for event in &all {
        spool.put(event).unwrap();
        ends.push(written(folder.path()).len());
    }
    let whole = written(folder.path());
    for at in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let hit = ends.iter().filter(|end| **end <= at).count() - 1;
        // Before each event stands a record of 25 bytes.
        let lost = (at >= ends[hit] + 25).then_some(hit);
        let left: Vec<Envelope> = all
            .iter()
            .enumerate()
            .filter(|(it, _)| Some(*it) != lost)
            .map(|(_, it)| it.clone())
            .collect();
        let (names, is_damaged) = taken(&bytes);
        assert_eq!(names, sorted_names(&left), "byte {at}");
        assert_eq!(is_damaged, hit < 2, "byte {at}: what comes after it was answered");
    }
}

#[test]
fn a_segment_of_an_earlier_version_is_read_and_its_damage_is_found() {
    // Without the records that say what was on the disk.
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for event in events(3) {
        bytes.extend(record(b'e', &serde_json::to_vec(&event).unwrap()));
        ends.push(bytes.len());
    }
    assert_eq!(taken(&bytes), (sorted_names(&events(3)), false));
    bytes[ends[0] + 30] ^= 1;
    let (names, is_damaged) = taken(&bytes);
    assert!(is_damaged && names.len() == 2, "{names:?}");
}

/// A record as it stands in a segment: the checksum is of its kind and content.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[kind]);
    checksum.update(content);
    let mut record = vec![0xff, b'h', b'o', b'1', kind];
    record.extend((content.len() as u64).to_le_bytes());
    record.extend(checksum.finalize().to_le_bytes());
    record.extend(content);
    record
}

#[test]
fn what_was_worked_off_or_forgotten_does_not_come_back_from_a_segment() {
    let (folder, spool) = spool();
    spool.put_all(&events(3));
    let before = fs::read(segment(folder.path())).unwrap();
    let claimed = spool.claim(now(), 1).unwrap();
    spool.settle(&claimed[0], EventState::Done).unwrap();
    let after = fs::read(segment(folder.path())).unwrap();
    assert_ne!(after, before, "that the files are made is noted");
    let done = claimed[0].envelope.name();

    // The crash came before the note was on the disk: the files are there.
    fs::write(folder.path().join("journal/1-00000000.segment"), &before).unwrap();
    let next = Spool::open(folder.path()).unwrap();
    assert_eq!(next.claim(now(), 10).unwrap().len(), 2, "and not the one that is done");
    assert_eq!(next.counts(now()).unwrap().done, 1);

    // It came later, when what was done had been forgotten.
    assert_eq!(next.prune(now() + Days::new(31)).unwrap(), 1);
    fs::write(folder.path().join("journal/1-00000001.segment"), &after).unwrap();
    let last = Spool::open(folder.path()).unwrap();
    assert!(last.claim(now() + Days::new(31), 10).unwrap().is_empty());
    assert_eq!(last.put(&event("e0")).unwrap() == Put::Stored, event("e0").name() == done);
}

#[test]
fn what_a_later_version_wrote_is_kept_for_it() {
    let (folder, spool) = spool();
    spool.put_all(&events(2));
    let whole = fs::read(segment(folder.path())).unwrap();
    // A record that is whole and holds no event.
    let (names, is_kept) = taken(&[record(b'e', b"{\"version\": 2}"), whole].concat());
    assert_eq!(names, sorted_names(&events(2)));
    assert!(is_kept);
}

#[test]
fn a_long_event_and_one_that_is_no_text_come_back_as_they_were() {
    let (folder, spool) = spool();
    let mut long = event("long");
    long.body = handoff::intake::EventBody::new(vec![b'"'; 3 * 1024 * 1024]);
    spool.put_all(&[event("a"), long.clone(), event("b")]);
    assert_eq!(spool.find(long.name().as_str()).unwrap().envelope, Ok(long.clone()));
    let claimed = spool.claim(now(), 10).unwrap();
    let mut bodies: Vec<_> = claimed.iter().map(|it| it.envelope.body.clone()).collect();
    bodies.sort_by_key(|body| body.bytes().unwrap().len());
    assert_eq!(bodies, [event("a").body, event("b").body, long.body]);
    assert_eq!(files(folder.path(), "new"), 0);
}

/// Whatever several processes do in whatever order: each event is in one place,
/// and whoever puts it in again is told so.
#[test]
fn an_event_is_known_to_every_process_whoever_put_it_in_and_wherever_it_went() {
    let (folder, first) = spool();
    let mut processes = vec![first, Spool::open(folder.path()).unwrap()];
    let mut random = fastrand::Rng::with_seed(20_261_130);
    let mut put = std::collections::BTreeSet::new();
    let all = events(60);
    for step in 0..600 {
        let process = random.usize(..processes.len());
        let event = &all[random.usize(..all.len())];
        match random.usize(..10) {
            0..6 => {
                let is_new = put.insert(event.name());
                let answer = processes[process].put(event).unwrap();
                assert_eq!(answer == Put::Stored, is_new, "step {step}: {answer:?}");
            }
            6 | 7 => {
                let to = [EventState::New, EventState::Failed, EventState::Done];
                for claimed in processes[process].claim(now(), 3).unwrap() {
                    processes[process].settle(&claimed, to[random.usize(..3)]).unwrap();
                }
            }
            // Not where it is: that is said.
            8 => drop(processes[process].discard(&event.name(), now())),
            _ => processes[process] = Spool::open(folder.path()).unwrap(),
        }
        // A process is alone for a while, and another comes.
        match random.usize(..20) {
            0 if processes.len() > 1 => drop(processes.pop()),
            1 if processes.len() < 3 => processes.push(Spool::open(folder.path()).unwrap()),
            _ => {}
        }
    }
    let listed = processes[0].list(&EventState::ALL).unwrap();
    let names: Vec<EventName> = listed.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names.len(), put.len(), "each is in one place");
    assert!(names.iter().all(|name| put.contains(name)));
}

/// As when a backup is put back while the server runs.
#[test]
fn a_file_that_a_person_puts_in_is_no_second_event() {
    let (folder, mine) = spool();
    let (elsewhere, other) = spool();
    mine.put(&event("a")).unwrap();
    other.put(&event("b")).unwrap();
    drop(other);
    let file = event("b").name().file();
    fs::copy(elsewhere.path().join("new").join(&file), folder.path().join("done").join(&file))
        .unwrap();
    mine.put(&event("b")).unwrap();
    let claimed = mine.claim(now(), 10).unwrap();
    assert_eq!(claimed.len(), 1, "the other is done");
    let counts = mine.counts(now()).unwrap();
    assert_eq!((counts.new, counts.work, counts.done), (0, 1, 1));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_a_segment() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, spool) = spool();
    spool.put(&event("a")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&segment(folder.path())), 0o600);
    assert_eq!(mode(&folder.path().join("journal")), 0o700);
}

/// The server with a segment and no file: killed at once after an answer, and
/// asked by `handoff inbox` while it runs.
#[test]
fn commands_see_what_a_server_has_just_answered() {
    let sandbox = ledger();
    let receive = ["serve", "--listen", "127.0.0.1:0", "--no-work"];
    let mut server = Running::start(&sandbox, &receive, &[("PANDADOC_WEBHOOK_KEY", KEY)]);
    for number in 0..20 {
        let body = document(&format!("doc{number}"));
        assert_eq!(
            pandadoc(server.address(), KEY, &format!("e{number}"), &body).unwrap().status,
            200
        );
        let ran = sandbox.handoff("ledger", &["inbox", "list", "--format", "json"]).exits(0);
        assert_eq!(ran.json()["events"].as_array().unwrap().len(), number + 1);
        if number == 10 {
            server.kill();
            server = Running::start(&sandbox, &receive, &[("PANDADOC_WEBHOOK_KEY", KEY)]);
        }
    }
    server.kill();
    let ran = sandbox.handoff("ledger", &["inbox", "list", "--format", "json"]).exits(0);
    let events = ran.json()["events"].as_array().unwrap().clone();
    let name = events[19]["delivery_id"].as_str().unwrap();
    sandbox.handoff("ledger", &["inbox", "drop", name]).exits(0);
    let once = ["--now", &next_now(&sandbox), "work", "--once", "--format", "json"];
    let worked = sandbox.handoff("ledger", &once).exits(0);
    assert_eq!(worked.json()["done"], 19, "{}", worked.stderr);
}
