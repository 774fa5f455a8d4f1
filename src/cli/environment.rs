//! What surrounds a run: clock, folder, environment, terminal. Read here once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::crm;
use crate::deliver;
use crate::disk;
use crate::esign;
use crate::model::Secrets;
use crate::text::shell_word;

/// Names that may hold a secret, beside those that the doors of webhooks ask
/// for; `<NAME>_FILE` names a file that does.
const SECRET_NAMES: &[&str] = &["NATS_CREDS", "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN"];

/// What the names of the secrets of senders end with that settings describe.
const SENDER_SECRET: &str = "_WEBHOOK_SECRET";

/// All of them. Each route names its own, so that a new one needs no line here.
fn secret_names(variables: &BTreeMap<String, String>) -> BTreeSet<String> {
    let of_rows = crm::secret_names().chain(deliver::secret_names());
    let known = SECRET_NAMES.iter().copied().chain(of_rows).map(str::to_owned);
    let of_senders = variables
        .keys()
        .map(|name| name.strip_suffix("_FILE").unwrap_or(name))
        .filter(|name| name.len() > SENDER_SECRET.len() && name.ends_with(SENDER_SECRET))
        .map(str::to_owned);
    known.chain(esign::secret_names()).chain(of_senders).collect()
}

/// Every secret that some connector may read, by name.
pub(super) fn all_secret_names() -> BTreeSet<String> {
    secret_names(&BTreeMap::new())
}

/// The moment it is, for what runs on.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock and the environment"
)]
pub(super) fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}

/// What surrounds a run, as values.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The moment the run began.
    pub now: DateTime<Utc>,
    /// The program itself.
    pub program: PathBuf,
    /// The folder that paths start from: where it runs, or what `-C` names.
    pub cwd: PathBuf,
    /// The folder that whoever called it is in.
    pub called_in: PathBuf,
    /// The environment's variables that are texts.
    pub variables: BTreeMap<String, String>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard input is a terminal.
    pub stdin_is_terminal: bool,
}

impl Environment {
    /// Reads the real surroundings.
    ///
    /// # Errors
    /// When the current folder is gone or may not be read.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock and the environment"
    )]
    pub fn read() -> std::io::Result<Self> {
        Ok(Self {
            now: Utc::now(),
            program: std::env::current_exe().unwrap_or_else(|_| "handoff".into()),
            cwd: std::env::current_dir()?,
            called_in: std::env::current_dir()?,
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
        })
    }

    /// Whether a workflow of GitHub runs this, on a machine that is thrown away.
    #[must_use]
    pub fn is_github_workflow(&self) -> bool {
        self.get("GITHUB_ACTIONS") == Some("true")
    }

    /// How this program is called from where it runs, as a word of a shell: by
    /// its name where the shell finds it, else by the shortest path.
    #[must_use]
    pub fn program_here(&self) -> String {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let program = real(&self.program);
        // The shell takes the first of that name.
        let first = self.variables.get("PATH").and_then(|path| {
            std::env::split_paths(path).map(|dir| dir.join("handoff")).find(|it| it.is_file())
        });
        if first.is_some_and(|first| real(&first) == program) {
            return "handoff".to_owned();
        }
        let below = |folder: &Path| {
            let rest = program.strip_prefix(real(folder)).ok()?;
            Some(shell_word(&rest.display().to_string()))
        };
        if let Some(rest) = below(&self.called_in) {
            return if rest.contains('/') { rest } else { format!("./{rest}") };
        }
        let home = self.get("HOME").and_then(|home| below(Path::new(home)));
        home.map_or_else(
            || shell_word(&self.program.display().to_string()),
            |rest| format!("~/{rest}"),
        )
    }

    /// A folder as a word of a shell, from where this was called; `named` is how
    /// the command line calls it.
    #[must_use]
    pub fn folder_here(&self, named: &Path) -> String {
        let folder = disk::clean(&self.cwd.join(named));
        let called_in: PathBuf = self.called_in.components().collect();
        let shown = match folder.strip_prefix(&called_in) {
            _ if self.cwd == self.called_in && named.is_relative() => named,
            Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
            Ok(rest) => rest,
            Err(_) => &folder,
        };
        shell_word(&shown.display().to_string())
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every secret that is set, directly or through `<NAME>_FILE`.
    ///
    /// # Errors
    /// The name of the variable and the cause, when a named file cannot be read.
    pub fn secrets(&self) -> Result<Secrets, (String, std::io::Error)> {
        let mut found = Vec::new();
        for name in secret_names(&self.variables) {
            let file_variable = format!("{name}_FILE");
            if let Some(value) = self.get(&name) {
                found.push((name, SecretString::from(value)));
            } else if let Some(path) = self.get(&file_variable) {
                let value = std::fs::read_to_string(self.cwd.join(path))
                    .map_err(|error| (file_variable, error))?;
                found.push((name, SecretString::from(value)));
            }
        }
        Ok(Secrets::new(found))
    }
}
