//! Another process that writes: this test binary, run again, told by its
//! standard input what to do.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use handoff::ledger::{Ledger, LedgerError};

use crate::ledger_world::{WAIT, World, signed};

/// Writes handoffs one by one, or all in batches of ten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Single,
    Batch,
}

pub(crate) fn start(world: &World, root: &Path, from: usize, to: usize, way: Way) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    world.hermetic(&mut command);
    let mut child = command
        .args(["--ignored", "--exact", "ledger_child::does_what_it_is_told"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("this program runs again");
    let way = if way == Way::Batch { "batch" } else { "single" };
    let told = format!("{way} {from} {to} {}", root.display());
    child.stdin.take().expect("piped").write_all(told.as_bytes()).expect("told");
    child
}

#[test]
#[ignore = "the other process of the tests that need one; they start it"]
fn does_what_it_is_told() {
    let mut told = String::new();
    std::io::stdin().read_to_string(&mut told).expect("told");
    let mut words = told.splitn(4, ' ');
    let mut word = || words.next().expect("a word");
    let way = word();
    let (from, to): (usize, usize) =
        (word().parse().expect("a number"), word().parse().expect("a number"));
    let ledger = Ledger::open(&PathBuf::from(word())).expect("opened");
    let numbers: Vec<usize> = (from..to).collect();
    for some in numbers.chunks(if way == "batch" { 10 } else { 1 }) {
        let mut writer = ledger.lock(WAIT).expect("the lock");
        if way == "single" {
            writer.commit(&signed(some[0])).expect("committed");
            continue;
        }
        writer
            .batch::<LedgerError>(|batch| {
                some.iter().try_for_each(|n| batch.commit(signed(*n)).map(drop))
            })
            .expect("committed");
    }
}
