//! `handoff completions` and `handoff man`: made from the commands themselves.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::args::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;

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
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "handoff", &mut bytes);
    invocation.print(bytes)?;
    Ok(Exit::Clean)
}

/// Runs `man`: one page with every command.
pub(super) fn man(invocation: &Invocation) -> Result<Exit, CliError> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut bytes)?;
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let title = format!("handoff-{}", command.get_name());
        clap_mangen::Man::new(command.clone()).title(title).render(&mut bytes)?;
    }
    invocation.print(bytes)?;
    Ok(Exit::Clean)
}
