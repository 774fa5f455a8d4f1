//! From the arguments to the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use chrono::SubsecRound as _;
use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{Cli, ColorChoice, Command, LogFormat};
use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use super::invocation::{Invocation, unwritten};
use crate::disk;
use crate::ledger::Ledger;
use crate::text::{quoted, shell_word};

/// Runs the program for the shell.
#[must_use]
pub fn main() -> ExitCode {
    // A shell that asks what may follow is answered, and this ends.
    clap_complete::CompleteEnv::with_factory(super::args::command)
        .var(super::reference::COMPLETE)
        .complete();
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => {
            let error = CliError::could_not(format!("the current folder cannot be used: {error}"))
                .help("change to a folder that is there, and run it again");
            eprint_raw(&error.render(false));
            return ExitCode::from(error.exit.code());
        }
    };
    ExitCode::from(run(std::env::args_os(), environment).code())
}

/// Runs one command line in these surroundings.
pub fn run(
    arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    environment: Environment,
) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let matches = match super::args::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::InvalidUtf8 => {
            let error = not_utf8(&arguments);
            eprint_raw(&error.render(environment.stderr_is_terminal));
            return error.exit;
        }
        Err(error) => {
            let error = with_tip(error, &arguments, &environment);
            return print_of_clap(&error, &environment);
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return print_of_clap(&error, &environment),
    };
    let mut environment = environment;
    if let Some(directory) = &cli.global.directory {
        // As with git: every path of the command line is meant from there.
        environment.cwd = disk::clean(&environment.cwd.join(directory));
    }
    let choose = |terminal: bool| match cli.global.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            terminal
                && environment.get("NO_COLOR").is_none()
                && environment.get("TERM") != Some("dumb")
        }
    };
    start_logging(&cli, &environment);
    let mut invocation = Invocation {
        // What is recorded and printed has whole seconds; so has the command that gives it again.
        now: cli.global.now.unwrap_or(environment.now).trunc_subsecs(0),
        is_now_given: cli.global.now.is_some(),
        folder: environment.cwd.clone(),
        color: choose(environment.stdout_is_terminal),
        color_stderr: choose(environment.stderr_is_terminal),
        quiet: cli.global.quiet,
        verbose: cli.global.verbose,
        public_url: None,
        said: None,
        environment,
    };
    if cli.global.directory.is_some() && !invocation.folder.is_dir() {
        // A folder in the commits of a bare repository, whose files are named from there.
        let bare = invocation.folder.ancestors().find(|folder| folder.is_dir());
        match bare.filter(|_| Ledger::open(&invocation.folder).is_ok()) {
            Some(bare) => invocation.environment.cwd = bare.to_path_buf(),
            None => {
                let folder = invocation.folder.display();
                let what = match invocation.folder.exists() {
                    true => "it is a file, and no folder",
                    false => "there is no such folder",
                };
                let error = CliError::usage(format!("-C {folder}: {what}")).help("name the folder of the ledger; in a bare repository of which the ledger is a part, `-C repo.git/teams/cs` names a folder that holds handoff.yaml");
                eprint_raw(&error.render(invocation.color_stderr));
                return error.exit;
            }
        }
    }
    match cli.command.run(&invocation) {
        Ok(exit) => exit,
        Err(error) => {
            eprint_raw(&error.render(invocation.color_stderr));
            error.exit
        }
    }
}

/// The error where an argument that is no path is not UTF-8; clap names none.
fn not_utf8(arguments: &[OsString]) -> CliError {
    let broken: Vec<String> = arguments
        .iter()
        .filter(|argument| argument.to_str().is_none())
        .map(|argument| quoted(&argument.to_string_lossy()))
        .collect();
    CliError::usage(format!("not UTF-8, and so no text: {}", broken.join(", ")))
        .help("write it in UTF-8; the names of files are taken in any encoding where a file is expected: `handoff COMMAND --help` says where")
}

/// Names --deals where a file was given without it, to a command that has it.
fn with_tip(
    mut error: clap::Error,
    arguments: &[OsString],
    environment: &Environment,
) -> clap::Error {
    let given = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(given))) => given.clone(),
        _ => return error,
    };
    let commands = super::args::command();
    let mut words = arguments.iter().filter_map(|argument| argument.to_str());
    let called = words.find_map(|word| commands.find_subcommand(word));
    let has_deals =
        |command: &clap::Command| command.get_arguments().any(|it| it.get_id() == "deals");
    if called.is_some_and(has_deals) && environment.cwd.join(&given).is_file() {
        let tip = format!("an export is named with --deals: --deals {}", shell_word(&given));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Prints what clap has to say: help and version are results, the rest is wrong
/// usage.
fn print_of_clap(error: &clap::Error, environment: &Environment) -> Exit {
    let printed = error.print();
    if error.use_stderr() {
        return Exit::Usage;
    }
    let Some(error) = printed.err().and_then(|error| unwritten(&error)) else {
        return Exit::Clean;
    };
    eprint_raw(&error.render(environment.stderr_is_terminal));
    error.exit
}

fn start_logging(cli: &Cli, environment: &Environment) {
    let level = match cli.global.verbose {
        // What runs on tells what it does.
        0 if matches!(cli.command, Command::Serve(_) | Command::Work(_) | Command::Watch(_))
            && !cli.global.quiet =>
        {
            "handoff=info,warn"
        }
        // A wrong call is answered, and is for whoever made it.
        0 if matches!(cli.command, Command::Mcp(_)) => "warn,rmcp=error",
        0 => "warn",
        1 => "handoff=info,warn",
        _ => "handoff=debug,info",
    };
    let asked = environment.get("HANDOFF_LOG").unwrap_or(level);
    let filter = tracing_subscriber::EnvFilter::try_new(asked).unwrap_or_else(|error| {
        let error = format!("warning: HANDOFF_LOG is not understood, and not taken: {error}; write a level (info) or parts of the program with theirs (warn,handoff=debug)\n");
        eprint_raw(&crate::text::terminal(&error));
        tracing_subscriber::EnvFilter::new(level)
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(environment.stderr_is_terminal && environment.get("NO_COLOR").is_none())
        .with_target(false);
    // In tests a subscriber may stand already.
    let _ = match cli.global.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

fn eprint_raw(text: &str) {
    use std::io::Write as _;
    // Nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
