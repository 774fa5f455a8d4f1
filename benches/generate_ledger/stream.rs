//! A ledger written through `git fast-import`.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// An import under way.
pub(crate) struct Stream {
    git: Child,
    input: BufWriter<ChildStdin>,
    commits: usize,
}

impl Stream {
    /// Makes a bare repository and begins.
    pub(crate) fn start(path: &Path) -> std::io::Result<Self> {
        let init =
            Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(path).status()?;
        if !init.success() {
            return Err(std::io::Error::other("git init failed"));
        }
        let mut git = Command::new("git")
            .arg("-C")
            .arg(path)
            .args(["fast-import", "--quiet", "--force", "--date-format=raw"])
            .stdin(Stdio::piped())
            .spawn()?;
        let input = git.stdin.take().ok_or_else(|| std::io::Error::other("git has no input"))?;
        Ok(Self { git, input: BufWriter::with_capacity(1 << 20, input), commits: 0 })
    }

    /// Begins a commit.
    pub(crate) fn commit(&mut self, at: i64, message: &str) -> std::io::Result<()> {
        self.commits += 1;
        let length = message.len();
        write!(
            self.input,
            "commit refs/heads/main\ncommitter handoff <handoff@example.com> {at} +0000\ndata {length}\n{message}\n"
        )
    }

    /// Puts a file into it.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) -> std::io::Result<()> {
        writeln!(self.input, "M 100644 inline {path}\ndata {}", content.len())?;
        self.input.write_all(content)?;
        self.input.write_all(b"\n")
    }

    /// Takes a folder out of it.
    pub(crate) fn delete(&mut self, path: &str) -> std::io::Result<()> {
        writeln!(self.input, "D {path}")
    }

    /// Ends the import; how many commits there are.
    pub(crate) fn finish(mut self) -> std::io::Result<usize> {
        self.input.flush()?;
        drop(self.input);
        if self.git.wait()?.success() {
            Ok(self.commits)
        } else {
            Err(std::io::Error::other("git fast-import failed"))
        }
    }
}
