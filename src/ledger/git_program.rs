//! Running the `git` program: credential helpers, SSH, proxies and hooks work
//! as the user has set them up. It never asks, never runs for ever, and what
//! it says is shown without the secrets that a URL may hold.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::LedgerError;
use crate::text::{one_line, shorten};

/// How a run ended.
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    /// Without secrets, on one line.
    pub(super) stderr: String,
    /// As it was said: to be read by a program, never to be shown.
    pub(super) raw_stderr: String,
}

/// What git sets for its hooks and aliases; a repository is named by its folder here.
const OWN_VARIABLES: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
];

/// Runs git in a folder with something on its standard input.
pub(super) fn run(
    root: &Path,
    args: &[&str],
    input: &[u8],
    timeout: Duration,
) -> Result<Ran, LedgerError> {
    run_with(root, args, input, timeout, &[])
}

/// Runs git in a folder with something on its standard input and in its environment.
pub(super) fn run_with(
    root: &Path,
    args: &[&str],
    input: &[u8],
    timeout: Duration,
    variables: &[(&str, &OsStr)],
) -> Result<Ran, LedgerError> {
    // What is set with `-c` stands before the command.
    let mut words = args.iter().skip_while(|word| word.starts_with('-') || word.contains('='));
    let command = words.next().copied().unwrap_or("git");
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(args);
    for name in OWN_VARIABLES {
        git.env_remove(name);
    }
    git.envs(variables.iter().copied());
    git.env("GIT_TERMINAL_PROMPT", "0");
    // Its helper for HTTP outlives it: that one gives up by itself.
    git.env("GIT_HTTP_LOW_SPEED_LIMIT", "1")
        .env("GIT_HTTP_LOW_SPEED_TIME", timeout.as_secs().max(1).to_string());
    run_program(git, &format!("git {command}"), input, timeout)
}

/// Runs a program with something on its standard input, for so long at most.
pub(super) fn run_program(
    mut program: Command,
    shown: &str,
    input: &[u8],
    timeout: Duration,
) -> Result<Ran, LedgerError> {
    let temporary = std::env::temp_dir();
    let root = temporary.as_path();
    let files = || -> std::io::Result<[File; 3]> {
        Ok([tempfile::tempfile()?, tempfile::tempfile()?, tempfile::tempfile()?])
    };
    // Files and not pipes: what git starts may outlive it and would keep a pipe open.
    let [mut stdin, mut stdout, mut stderr] =
        files().map_err(LedgerError::io("making a temporary file for a program in", root))?;
    stdin
        .write_all(input)
        .and_then(|()| stdin.rewind())
        .map_err(LedgerError::io("writing a temporary file for a program in", root))?;
    let handle = |file: &File| file.try_clone().map(Stdio::from);
    let pass =
        |file: &File| handle(file).map_err(LedgerError::io("passing a file to a program in", root));
    // Messages are read here, so they must be in one language.
    program.env("LC_ALL", "C").env("LANGUAGE", "C");
    program.stdin(pass(&stdin)?).stdout(pass(&stdout)?).stderr(pass(&stderr)?);
    let mut child = program.spawn().map_err(|source| LedgerError::NoProgram { source })?;
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) =
            child.try_wait().map_err(|source| LedgerError::NoProgram { source })?
        {
            break status;
        }
        if start.elapsed() >= timeout {
            let _ = child.kill();
            let _ = child.wait();
            let command = shown.strip_prefix("git ").unwrap_or(shown).to_owned();
            return Err(LedgerError::TimedOut { command, after: timeout });
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let text = |file: &mut File| {
        let mut bytes = Vec::new();
        let _ = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let raw_stderr = text(&mut stderr);
    Ok(Ran { status, stdout: text(&mut stdout), stderr: tell(&raw_stderr), raw_stderr })
}

/// Which of some paths a sparse checkout wants.
pub(super) fn sparse_paths(root: &Path, paths: &[&str]) -> Option<BTreeSet<String>> {
    let input: String = paths.iter().map(|path| format!("{path}\0")).collect();
    let args = ["sparse-checkout", "check-rules", "-z"];
    let ran = run(root, &args, input.as_bytes(), Duration::from_secs(10)).ok()?;
    ran.status.success().then(|| {
        ran.stdout.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
    })
}

/// The entries of an index below a folder: git's letter for each, blob and path.
pub(super) fn list_index(
    root: &Path,
    folder: &str,
) -> Result<Vec<(char, git2::Oid, String)>, LedgerError> {
    // Nothing that the repository's own configuration names is run.
    let folder = format!(":(top,literal){folder}");
    let args = ["-c", "core.fsmonitor=false", "ls-files", "-v", "-s", "-z", "--", &folder];
    let ran = run(root, &args, b"", Duration::from_secs(60))?;
    if !ran.status.success() {
        return Err(LedgerError::Program { command: "ls-files".into(), why: ran.stderr });
    }
    // `S 100644 <id> 0<tab><path>`
    let read = |line: &str| {
        let (facts, path) = line.split_once('\t')?;
        let mut facts = facts.split(' ');
        let tag = facts.next()?.chars().next()?;
        Some((tag, facts.nth(1)?.parse().ok()?, path.to_owned()))
    };
    Ok(ran.stdout.split('\0').filter_map(read).collect())
}

/// Rewrites a copy of an index without the forms that only git reads.
pub(super) fn make_plain(root: &Path, index: &Path) -> bool {
    let args = [
        "-c",
        "core.splitIndex=false",
        "-c",
        "index.sparse=false",
        "update-index",
        "--force-write-index",
    ];
    let variables = [("GIT_INDEX_FILE", index.as_os_str())];
    run_with(root, &args, b"", Duration::from_secs(60), &variables)
        .is_ok_and(|ran| ran.status.success())
}

/// What git said, for a message: its last lines, without passwords in URLs.
fn tell(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .map(|line| line.rsplit('\r').next().unwrap_or(line))
        .filter(|line| !line.trim().is_empty() && !line.starts_with("hint:"))
        .collect();
    let from = lines.len().saturating_sub(6);
    shorten(&one_line(&without_secrets(&lines[from..].join(" · "))), 500)
}

/// A text in which each URL has lost its user, password and query.
pub(super) fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        let end = url
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>'))
            .unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        let place = url.split(['?', '#']).next().unwrap_or(url);
        // A password may hold a bare `/`, so everything before the last `@` goes.
        out.push_str(place.rsplit('@').next().unwrap_or(place));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_told() {
        let told = without_secrets(
            "fatal: unable to access 'https://bot:ghp_s3cr3t@github.com/a/b.git/?token=x': 403, see ssh://git@h/x",
        );
        assert_eq!(
            told,
            "fatal: unable to access 'https://github.com/a/b.git/': 403, see ssh://h/x"
        );
        assert_eq!(
            tell("hint: x\nremote: no\rremote: yes\n\nfatal: http://u:p@q/x\n"),
            "remote: yes · fatal: http://q/x"
        );
    }
}
