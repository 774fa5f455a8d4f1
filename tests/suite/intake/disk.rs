//! A disk that is full, and one that became read-only, under the real server.
//! Both are a small file system of the test's own; where mounting one is
//! refused, the tests say that they were skipped.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{KEY, Running, briefs, document, eventually, get, ledger, pandadoc};
use crate::sandbox::Sandbox;

/// A file system of 256 KiB; unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(test: &str, sandbox: &Sandbox) -> Option<Self> {
        let path = sandbox.join("spool");
        fs::create_dir_all(&path).unwrap();
        let mounted =
            mount(&["-t", "tmpfs", "-o", "size=256k,nr_inodes=200", "handoff-test"], &path);
        if let Err(why) = mounted {
            eprintln!("skipped: {test} needs to mount a file system: {}", why.trim());
            return None;
        }
        Some(Self(path))
    }

    /// Writes until nothing more fits, not one byte.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        path
    }

    fn remount(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0).unwrap();
    }

    /// Every file of the inbox but locks.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for state in ["new", "work", "failed", "done"] {
            collect(&self.0.join(state), &mut found);
        }
        found
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nobody is left to tell; the sandbox' own end says what it cannot remove.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn mount(arguments: &[&str], path: &Path) -> Result<(), String> {
    let ran = Command::new("mount").args(arguments).arg(path).output();
    let output = ran.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.file_name().is_some_and(|name| name != ".lock") {
            found.push(path.display().to_string());
        }
    }
}

fn serve(sandbox: &Sandbox, disk: &SmallDisk) -> Running {
    let inbox = disk.0.to_str().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--inbox", inbox];
    Running::start(sandbox, &arguments, &[("PANDADOC_WEBHOOK_KEY", KEY)])
}

#[test]
fn a_full_disk_means_come_again_and_the_retry_succeeds() {
    let sandbox = ledger();
    let Some(disk) = SmallDisk::mount("a_full_disk_means_come_again", &sandbox) else { return };
    let server = serve(&sandbox, &disk);
    let at = server.address();
    assert_eq!(pandadoc(at, KEY, "e1", &document("doc1")).unwrap().status, 200);
    server.wait_until_idle();
    let before = disk.files();
    let filler = disk.fill();
    let send = |number: usize| {
        let (event, body) = (format!("e{number}"), document(&format!("doc{number}")));
        pandadoc(at, KEY, &event, &body).unwrap()
    };
    // The zeros that were written ahead are the room for some, not for many.
    let full = (2..60).find(|number| send(*number).status != 200).expect("it is full");
    for number in full..full + 3 {
        let refused = send(number);
        assert_eq!(refused.status, 503, "{}\n{}", refused.body, server.log());
        assert!(refused.head.to_lowercase().contains("retry-after"), "{}", refused.head);
    }
    eventually("nothing is left half written", || (disk.files() == before).then_some(()));
    assert_eq!(get(at, "/readyz").status, 503);
    assert!(server.log().contains("No space left"), "{}", server.log());
    assert_eq!(pandadoc(at, KEY, "e1", &document("doc1")).unwrap().status, 200, "it is known");

    fs::remove_file(filler).unwrap();
    for number in full..full + 3 {
        let answer = send(number);
        assert_eq!(answer.status, 200, "{}\n{}", answer.body, server.log());
    }
    assert_eq!(get(at, "/readyz").status, 200);
    let health = server.wait_until_idle();
    let events = full + 2;
    assert_eq!((&health["inbox"]["done"], &health["inbox"]["failed"]), (&events.into(), &0.into()));
    assert_eq!(briefs(&sandbox).len(), events, "{}", server.log());
}

#[test]
fn a_read_only_spool_means_come_again_and_the_retry_succeeds() {
    let sandbox = ledger();
    let Some(disk) = SmallDisk::mount("a_read_only_spool_means_come_again", &sandbox) else {
        return;
    };
    let server = serve(&sandbox, &disk);
    let (at, body) = (server.address(), document("doc1"));
    disk.remount("ro");
    let refused = pandadoc(at, KEY, "e1", &body).unwrap();
    assert_eq!(refused.status, 503, "{}\n{}", refused.body, server.log());
    assert_eq!(get(at, "/readyz").status, 503);
    assert_eq!(get(at, "/healthz").status, 200, "it lives");
    assert!(server.log().contains("Read-only file system"), "{}", server.log());
    disk.remount("rw");
    assert_eq!(pandadoc(at, KEY, "e1", &body).unwrap().status, 200, "{}", server.log());
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 1, "{}", server.log());
}

/// Files may be no longer than a few events: no room for zeros, then none at all.
#[test]
fn where_there_is_no_room_for_zeros_events_are_taken_until_one_does_not_fit() {
    let sandbox = ledger();
    let receive = ["serve", "--listen", "127.0.0.1:0", "--no-work"];
    let mut server = Running::start_small(&sandbox, 32, &receive, &[("PANDADOC_WEBHOOK_KEY", KEY)]);
    let taken = (0..100)
        .take_while(|number| {
            let body = document(&format!("doc{number}"));
            let answer = pandadoc(server.address(), KEY, &format!("e{number}"), &body).unwrap();
            assert!([200, 503].contains(&answer.status), "{}", answer.body);
            answer.status == 200
        })
        .count();
    assert!((2..50).contains(&taken), "{taken}");
    server.kill();
    let ran = sandbox.handoff("ledger", &["inbox", "list", "--format", "json"]).exits(0);
    let events = ran.json()["events"].as_array().unwrap().clone();
    assert_eq!(events.len(), taken);
    assert!(events.iter().all(|event| event["problem"].is_null()));
}
