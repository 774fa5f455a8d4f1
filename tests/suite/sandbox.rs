//! A hermetic place to run the real binary in: own folder, own HOME, cleared
//! environment, git without configuration, a fixed moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The moment that tests take for now.
pub(crate) const NOW: &str = "2026-11-20T17:00:00Z";

pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a command printed and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) line: String,
}

impl Ran {
    /// Fails unless the command ended with this code, showing what it printed.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "`{}` ended with {} instead of {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("`{}` printed no JSON ({error}):\n{}\n{}", self.line, self.stdout, self.stderr)
        })
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    /// A command with nothing of the surroundings but `PATH`.
    pub(crate) fn command(&self, program: &str, folder: impl AsRef<Path>) -> Command {
        let home = self.join(".home");
        fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Test")
            .env("GIT_AUTHOR_EMAIL", "test@example.com")
            .env("GIT_COMMITTER_NAME", "Test")
            .env("GIT_COMMITTER_EMAIL", "test@example.com")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(folder);
        command
    }

    /// Runs `handoff` in a folder of the sandbox, at [`NOW`].
    #[track_caller]
    pub(crate) fn handoff(&self, folder: &str, arguments: &[&str]) -> Ran {
        self.handoff_with(folder, arguments, &[])
    }

    /// As [`Sandbox::handoff`], with variables in the environment.
    #[track_caller]
    pub(crate) fn handoff_with(
        &self,
        folder: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Ran {
        let mut command = self.command(env!("CARGO_BIN_EXE_handoff"), self.join(folder));
        if !arguments.contains(&"--now") {
            command.args(["--now", NOW]);
        }
        command.args(arguments).envs(variables.iter().copied());
        ran(&command.output().unwrap(), format!("handoff {}", arguments.join(" ")))
    }

    /// Fails unless a value is as `handoff schema NAME` says.
    #[track_caller]
    pub(crate) fn assert_schema(&self, name: &str, value: &serde_json::Value) {
        let schema = self.handoff(".", &["schema", name]).exits(0).json();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(value).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}\n{value:#}");
    }

    /// Runs `git` in a folder of the sandbox and gives its output.
    #[track_caller]
    pub(crate) fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.command("git", self.join(folder)).args(arguments).output().unwrap();
        ran(&output, format!("git {}", arguments.join(" "))).exits(0).stdout
    }
}

pub(crate) fn ran(output: &Output, line: String) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        line,
    }
}

/// A file below `tests/fixtures/`.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}
