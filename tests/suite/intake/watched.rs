//! `handoff watch`: a folder of payload files.

use std::fs;
use std::time::Duration;

use super::server::{Running, briefs, document, eventually, ledger};
use crate::sandbox::{Sandbox, fixture};

const MANY: usize = 60;

fn wait_for(sandbox: &Sandbox, count: usize, running: &Running) {
    eventually("the briefs are there", || {
        let made = sandbox.git("ledger", &["ls-tree", "-r", "--name-only", "HEAD"]);
        let made = made.lines().filter(|line| line.ends_with("/brief.yaml")).count();
        assert!(made <= count, "{made} briefs instead of {count}:\n{}", running.log());
        (made == count).then_some(())
    });
}

#[test]
fn a_backlog_what_comes_later_and_half_written_files() {
    let sandbox = ledger();
    for number in 0..MANY {
        sandbox.write(&format!("drop/{number}.json"), document(&format!("doc{number}")));
    }
    sandbox.write(
        "drop/ignored.json",
        fs::read(fixture("esign/pandadoc-recipient-completed.body.json")).unwrap(),
    );
    let running = Running::start(&sandbox, &["watch", "../drop"], &[]);
    wait_for(&sandbox, MANY, &running);

    let whole = document("later");
    sandbox.write("drop/later.json", &whole[..whole.len() / 2]);
    eventually("a half file is told of once it stays so", || {
        running.log().contains("not a provider's payload").then_some(())
    });
    sandbox.write("drop/later.json", &whole);
    sandbox.write("drop/copy-of-later.json", &whole);
    sandbox.write("aside.json", document("moved"));
    fs::rename(sandbox.join("aside.json"), sandbox.join("drop/moved.json")).unwrap();
    sandbox.write("drop/unfinished.json.part", document("unfinished"));
    wait_for(&sandbox, MANY + 2, &running);

    fs::remove_dir_all(sandbox.join("drop")).unwrap();
    eventually("the folder is missed", || running.log().contains("waiting for it").then_some(()));
    sandbox.write("drop/again.json", document("again"));
    wait_for(&sandbox, MANY + 3, &running);
    drop(running);

    let running = Running::start(
        &sandbox,
        &["watch", "../drop", "--poll", "1", "--move-done", "../archive"],
        &[],
    );
    sandbox.write("drop/polled.json", document("polled"));
    wait_for(&sandbox, MANY + 4, &running);
    eventually("files are moved away", || {
        fs::read_dir(sandbox.join("drop")).unwrap().next().is_none().then_some(())
    });
    assert_eq!(fs::read_dir(sandbox.join("archive")).unwrap().count(), 2);
    assert_eq!(briefs(&sandbox).len(), MANY + 4);
}

/// To look at the folder is something that the system reports of it, too.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_in_which_nothing_happens_takes_no_processor_time() {
    let sandbox = ledger();
    sandbox.write("drop/one.json", document("one"));
    let running = Running::start(&sandbox, &["watch", "../drop"], &[]);
    wait_for(&sandbox, 1, &running);
    let before = running.processor_ticks();
    std::thread::sleep(Duration::from_secs(3));
    let used = running.processor_ticks() - before;
    assert!(used < 60, "{used} of some 300 ticks, with nothing to do");
}
