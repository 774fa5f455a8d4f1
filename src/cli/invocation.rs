//! What a command needs beside its own arguments.

use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use crate::disk;
use crate::http::BaseUrl;
use crate::model::{Remarks, Secrets};
use crate::text::terminal;
use crate::time::Clock;

/// What a command needs beside its own arguments: the surroundings, and how
/// to speak. Standard output is the result, standard error the commentary.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The surroundings.
    pub environment: Environment,
    /// The moment of the run, or what `--now` says.
    pub now: DateTime<Utc>,
    /// Whether `--now` says it.
    pub is_now_given: bool,
    /// The folder to start from: `-C`, else where the run began.
    pub folder: PathBuf,
    /// Whether results are coloured.
    pub color: bool,
    /// Whether commentary is coloured.
    pub color_stderr: bool,
    /// Whether commentary is kept to warnings.
    pub quiet: bool,
    /// How often `--verbose` was given.
    pub verbose: u8,
    /// Where people reach this server, where that was said.
    pub public_url: Option<BaseUrl>,
    /// What was said on standard error, for who gives it on; kept nowhere where
    /// that is absent.
    pub said: Option<Arc<Mutex<Vec<String>>>>,
}

/// What is said where standard output took no result. Nothing where its reader
/// went away (`| head`): that is no error.
pub(super) fn unwritten(error: &std::io::Error) -> Option<CliError> {
    (error.kind() != std::io::ErrorKind::BrokenPipe).then(|| {
        CliError::could_not(format!("the result cannot be written to standard output: {error}"))
            .help("make room there, or send it elsewhere (`> FILE`), and run this again; what was recorded before stays, and nothing is recorded twice")
    })
}

impl Invocation {
    /// Writes a result to standard output. A reader that went away (`| head`)
    /// is not an error.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print(&self, bytes: impl AsRef<[u8]>) -> Result<(), CliError> {
        self.print_with(|out| out.write_all(bytes.as_ref()))
    }

    /// Prints on standard output what `write` writes; a reader that is gone is
    /// no error.
    ///
    /// # Errors
    /// When it cannot be written otherwise.
    pub fn print_with(
        &self,
        write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) => unwritten(&error).map_or(Ok(()), Err),
            Ok(()) => Ok(()),
        }
    }

    /// Says something on standard error; customer text in it is made harmless.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            self.warn(line);
        }
    }

    /// Says what is read and done, with `--verbose`.
    pub fn note(&self, line: impl AsRef<str>) {
        if self.verbose > 0 {
            self.say(line);
        }
    }

    /// Says something on standard error even when quiet.
    pub fn warn(&self, line: impl AsRef<str>) {
        if let Some(said) = &self.said {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push(line.as_ref().to_owned());
        }
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{}", terminal(line.as_ref()));
    }

    /// Tells the remarks of a run, each behind `of` where that is not empty.
    /// What the remote does not have is told even when quiet, and is exit 3.
    pub fn tell(&self, of: &str, remarks: &Remarks) -> Exit {
        let of = if of.is_empty() { String::new() } else { format!("{of}: ") };
        for remark in remarks {
            self.say(format!("note: {of}{remark}"));
        }
        let Some(why) = remarks.not_pushed() else { return Exit::Clean };
        self.warn(format!("warning: {of}{why}"));
        Exit::CouldNot
    }

    /// The width of the terminal for results; `None` when it is none.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        let columns = self.environment.get("COLUMNS").and_then(|text| text.parse().ok());
        if let Some(columns) = columns.filter(|columns| *columns > 0) {
            return Some(columns);
        }
        self.environment
            .stdout_is_terminal
            .then(|| {
                dialoguer::console::Term::stdout()
                    .size_checked()
                    .map(|(_, columns)| usize::from(columns))
            })
            .flatten()
    }

    /// A path of the command line, relative to where the run began.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        disk::clean(&self.environment.cwd.join(path))
    }

    /// The secrets of the environment.
    ///
    /// # Errors
    /// When a `<NAME>_FILE` cannot be read.
    pub fn secrets(&self) -> Result<Secrets, CliError> {
        self.environment.secrets().map_err(|(variable, error)| {
            CliError::usage(format!("the file that {variable} names cannot be read: {error}"))
                .help(format!("correct {variable}, or unset it"))
        })
    }

    /// The clock of one run; stands still where `--now` is given.
    #[must_use]
    pub fn run_clock(&self) -> Clock {
        let now = self.now;
        if self.is_now_given {
            Arc::new(move || now)
        } else {
            Arc::new(super::environment::wall_clock)
        }
    }

    /// The clock for what runs on; from `--now` where that is given.
    #[must_use]
    pub fn clock(&self) -> Clock {
        if self.now == self.environment.now {
            return Arc::new(super::environment::wall_clock);
        }
        let (base, start) = (self.now, Instant::now());
        Arc::new(move || base + start.elapsed())
    }

    /// Runs what waits on the network.
    ///
    /// # Errors
    /// When the machine gives no thread for it.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, CliError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(runtime.block_on(future))
    }
}
