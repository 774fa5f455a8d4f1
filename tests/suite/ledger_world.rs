//! A hermetic place with git repositories, and the git program as a witness.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use handoff::brief::{Event, EventKind, Timeline};
use handoff::ledger::{Change, Identity, Ledger, Writer, folder_for};
use handoff::model::Key;

pub(crate) const WAIT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("home")).expect("a home");
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A ledger with one commit of a person, and nothing of the machine's git configuration that matters.
    pub(crate) fn ledger(&self, name: &str) -> Ledger {
        let dir = self.path(name);
        let ledger = Ledger::init(&dir).expect("a ledger");
        self.settle(&dir);
        fs::write(dir.join("handoff.yaml"), "version: 1\n").expect("written");
        self.git(&dir, &["add", "."]);
        self.git(&dir, &["commit", "-q", "-m", "start"]);
        ledger.signed_by(Identity { name: "Test".into(), email: "test@example.com".into() })
    }

    /// Sets what the user's configuration could otherwise decide.
    pub(crate) fn settle(&self, dir: &Path) {
        for (key, value) in [
            ("core.autocrlf", "false"),
            ("core.fsmonitor", "false"),
            ("commit.gpgsign", "false"),
            ("user.name", "Person"),
            ("user.email", "person@example.com"),
        ] {
            self.git(dir, &["config", key, value]);
        }
    }

    pub(crate) fn command(&self, dir: &Path) -> Command {
        let mut git = Command::new("git");
        git.arg("-C").arg(dir);
        self.hermetic(&mut git);
        git
    }

    pub(crate) fn hermetic(&self, command: &mut Command) {
        command
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "2026-11-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-11-01T00:00:00Z")
            .env("LC_ALL", "C");
    }

    /// What git says; a failure fails the test.
    pub(crate) fn git(&self, dir: &Path, args: &[&str]) -> String {
        let out = self.command(dir).args(args).output().expect("git runs");
        assert!(
            out.status.success(),
            "git {args:?} in {}: {}{}",
            dir.display(),
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// git finds nothing wrong at all.
    pub(crate) fn fsck(&self, dir: &Path) {
        let out = self
            .command(dir)
            .args(["fsck", "--strict", "--full", "--no-dangling", "--no-progress"])
            .output()
            .expect("git runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(out.status.success() && said.trim().is_empty(), "git fsck --strict: {said}");
    }

    pub(crate) fn status(&self, dir: &Path) -> String {
        self.git(dir, &["status", "--porcelain"])
    }
}

pub(crate) fn key(n: usize) -> Key {
    Key::parse(&format!("hubspot-{n}")).expect("a key")
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T15:00:00Z").expect("a time").to_utc()
        + TimeDelta::seconds(seconds)
}

pub(crate) fn folder(n: usize) -> String {
    folder_for("%Y/%m", at(0), &format!("Customer {n}"), &key(n)).expect("a folder")
}

pub(crate) fn timeline(n: usize, events: &[(i64, EventKind, &str)]) -> String {
    let mut timeline = Timeline::new(key(n));
    timeline.events =
        events.iter().map(|(time, kind, via)| Event::new(at(*time), *kind, *via)).collect();
    timeline.to_yaml()
}

pub(crate) fn brief(n: usize, more: &str) -> String {
    format!(
        "schema: handoff/brief/v1\nkey: {}\ndeal: {{crm: hubspot, id: \"{n}\"}}\nsignature: {{provider: pandadoc, document_id: doc{n}}}\n{more}",
        key(n)
    )
}

/// The commit of a whole new handoff.
pub(crate) fn signed(n: usize) -> Change {
    Change::of_handoff(folder(n), &format!("Customer {n}"), &key(n), at(60))
        .put("brief.yaml", brief(n, ""))
        .put("timeline.yaml", timeline(n, &[(0, EventKind::Signed, "pandadoc")]))
        .put("README.md", format!("# Customer {n}\n"))
        .trailer("Handoff-Event", "signed")
        .trailer("Handoff-Signature", format!("pandadoc/doc{n}"))
}

pub(crate) fn writer(ledger: &Ledger) -> Writer {
    ledger.lock(WAIT).expect("the lock")
}

/// Commits and expects a commit.
pub(crate) fn commit(ledger: &Ledger, change: &Change) -> handoff::ledger::Committed {
    writer(ledger).commit(change).expect("committed").expect("something changed")
}
