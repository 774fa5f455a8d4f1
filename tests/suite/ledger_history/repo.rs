//! Repositories for the tests: made with `git fast-import`, untouched by the
//! user's configuration.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use handoff::ledger::history::{ScanAt, Scanned, scan, scan_cold};
use handoff::model::ObjectId;

/// A bare repository in a folder of its own.
pub(super) struct Repo {
    pub(super) dir: tempfile::TempDir,
}

impl Repo {
    pub(super) fn new() -> Self {
        let repo = Self { dir: tempfile::tempdir().expect("a folder for the test") };
        repo.git(&["init", "-q", "--bare", "-b", "main", "."]);
        repo
    }

    /// A repository filled by this fast-import stream.
    pub(super) fn imported(stream: &[u8]) -> Self {
        let repo = Self::new();
        repo.import(stream);
        repo
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn import(&self, stream: &[u8]) {
        let mut child = command(self.path())
            .args(["fast-import", "--quiet", "--force", "--date-format=raw"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("git runs");
        child.stdin.take().expect("piped").write_all(stream).expect("git reads");
        assert!(child.wait().expect("git ends").success(), "git fast-import failed");
    }

    /// Runs git here and gives what it prints.
    pub(super) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        git(self.path(), arguments)
    }

    pub(super) fn line(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.git(arguments)).expect("text").trim().to_owned()
    }

    pub(super) fn id(&self, revision: &str) -> ObjectId {
        self.line(&["rev-parse", revision]).parse().expect("an id")
    }

    pub(super) fn cold(&self) -> Scanned {
        scan_cold(self.path(), &main(), &|_| {}).expect("scans")
    }

    pub(super) fn scan(&self) -> Scanned {
        scan(self.path(), &main(), &|_| {}).expect("scans")
    }

    /// The file of a loose object.
    pub(super) fn loose(&self, id: ObjectId) -> PathBuf {
        let hex = id.to_string();
        self.path().join("objects").join(&hex[..2]).join(&hex[2..])
    }
}

pub(super) fn main() -> ScanAt {
    ScanAt::Branch("main".to_owned())
}

pub(super) fn git(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = command(dir).args(arguments).stderr(Stdio::inherit()).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?} failed");
    output.stdout
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("HOME", dir)
        // What a test makes need not survive a power cut.
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.fsync")
        .env("GIT_CONFIG_VALUE_0", "none")
        .env("GIT_AUTHOR_NAME", "t")
        .env("GIT_AUTHOR_EMAIL", "t@example.com")
        .env("GIT_COMMITTER_NAME", "t")
        .env("GIT_COMMITTER_EMAIL", "t@example.com");
    command
}

/// A fast-import stream under construction.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) bytes: Vec<u8>,
    marks: usize,
}

impl Stream {
    /// Begins a commit on a branch; without parents it is a root.
    pub(super) fn commit(&mut self, branch: &str, at: i64, parents: &[usize]) -> usize {
        self.marks += 1;
        let mark = self.marks;
        if parents.is_empty() {
            self.text(&format!("reset refs/heads/{branch}\n"));
        }
        self.text(&format!("commit refs/heads/{branch}\nmark :{mark}\n"));
        self.text(&format!("committer T <t@example.com> {at} +0000\ndata 2\nc\n"));
        for (number, parent) in parents.iter().enumerate() {
            let word = if number == 0 { "from" } else { "merge" };
            self.text(&format!("{word} :{parent}\n"));
        }
        mark
    }

    pub(super) fn file(&mut self, path: &[u8], content: &str) {
        self.entry("100644", path, content);
    }

    pub(super) fn entry(&mut self, mode: &str, path: &[u8], content: &str) {
        if mode == "160000" {
            self.text(&format!("M {mode} {} ", "ab".repeat(20)));
            self.quoted(path);
            self.text("\n");
            return;
        }
        self.text(&format!("M {mode} inline "));
        self.quoted(path);
        self.text(&format!("\ndata {}\n{content}\n", content.len()));
    }

    pub(super) fn delete(&mut self, path: &[u8]) {
        self.text("D ");
        self.quoted(path);
        self.text("\n");
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) {
        self.text("R ");
        self.quoted(from);
        self.text(" ");
        self.quoted(to);
        self.text("\n");
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn quoted(&mut self, path: &[u8]) {
        self.bytes.push(b'"');
        for byte in path {
            if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\') {
                self.bytes.push(*byte);
            } else {
                self.text(&format!("\\{byte:03o}"));
            }
        }
        self.bytes.push(b'"');
    }
}
