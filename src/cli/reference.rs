//! `handoff completions` and `handoff man`: made from the commands themselves.

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

use super::environment;
use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use crate::text::did_you_mean;

/// The variable by which a shell asks for completions: its value names the shell.
pub(super) const COMPLETE: &str = "HANDOFF_COMPLETE";

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs `completions`.
pub(super) fn completions(
    arguments: &CompletionsArguments,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let shells = clap_complete::env::Shells::builtins();
    let shell = shells.completer(&arguments.shell.to_string()).expect("each shell has a completer");
    let mut bytes = Vec::new();
    shell.write_registration(COMPLETE, "handoff", "handoff", "handoff", &mut bytes)?;
    invocation.print(bytes)?;
    Ok(Exit::Clean)
}

/// What a manual page says beside options: name and meaning.
const VARIABLES: &[(&str, &str)] = &[
    ("NO_COLOR", "No colours, whatever the terminal."),
    ("COLUMNS", "The width that tables are fitted to."),
    ("HANDOFF_LOG", "What is logged, such as handoff=debug; see --verbose."),
    ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "The proxy for CRM, e-sign, targets, mail and NATS."),
    ("GIT_SSH_COMMAND, GIT_ASKPASS", "How git reaches the ledger's remote."),
];

const FILES: &[(&str, &str)] = &[
    ("handoff.yaml", "The settings, in the ledger's root."),
    ("briefs/", "A folder for each handoff: brief.yaml, timeline.yaml and the page README.md."),
    (
        "schema/brief.schema.json",
        "What a brief must answer; the shipped schema where it is absent.",
    ),
    ("templates/", "The ledger's own templates; the shipped ones where they are absent."),
    (
        ".git/handoff/inbox",
        "What was received and not yet processed, where --inbox names no other place.",
    ),
];

const CODES: &[(&str, &str)] = &[
    ("0", "Done and clean."),
    ("1", "Findings at or above --fail-level."),
    ("2", "Wrong usage or configuration."),
    ("3", "Could not do it, or could not check all of it."),
    ("4", "A name that was given matches nothing."),
];

/// The command that a page is called by: `links`, and `links-make` as the page
/// of `links` refers to it.
fn page_of<'a>(all: &'a Command, name: &str) -> Option<&'a Command> {
    all.get_subcommands().find_map(|command| {
        let rest = name.strip_prefix(command.get_name())?;
        match rest.strip_prefix('-') {
            Some(inside) => page_of(command, inside),
            None => rest.is_empty().then_some(command),
        }
    })
}

/// Runs `man`.
pub(super) fn man(
    command: Option<&str>,
    mut all: Command,
    names: &[&str],
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    all.build();
    let page = match command {
        None => all,
        Some(name) => {
            let Some(found) = page_of(&all, name) else {
                return Err(CliError::nothing(format!(
                    "there is no command {}",
                    crate::text::quoted(name)
                ))
                .help(did_you_mean(name, names.iter().copied())));
            };
            found.clone()
        }
    };
    let title = page.get_display_name().unwrap_or("handoff").replace(' ', "-");
    let mut bytes = Vec::new();
    let says = page.get_after_help().map(ToString::to_string).unwrap_or_default();
    let heading = if says.starts_with("Examples:") { ".SH EXAMPLES" } else { ".SH NOTES" };
    let version = concat!("handoff ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(page).title(title).source(version).render(&mut bytes)?;
    // What stands behind the options has no name of its own there.
    let text = String::from_utf8_lossy(&bytes).replace(".SH EXTRA", heading);
    let mut bytes = text.into_bytes();
    let mut roff = Roff::default();
    let secrets: Vec<(String, String)> = environment::all_secret_names()
        .into_iter()
        .map(|name| (name, "A secret; NAME_FILE may name a file that holds it.".to_owned()))
        .collect();
    let own = |lines: &[(&str, &str)]| -> Vec<(String, String)> {
        lines.iter().map(|(name, what)| ((*name).to_owned(), (*what).to_owned())).collect()
    };
    let variables = own(VARIABLES).into_iter().chain(secrets).collect();
    for (heading, lines) in
        [("ENVIRONMENT", variables), ("FILES", own(FILES)), ("EXIT STATUS", own(CODES))]
    {
        roff.control("SH", [heading]);
        for (name, what) in lines {
            roff.control("TP", []);
            roff.text([bold(name)]);
            roff.text([roman(what)]);
        }
    }
    roff.to_writer(&mut bytes)?;
    invocation.print(bytes)?;
    Ok(Exit::Clean)
}
