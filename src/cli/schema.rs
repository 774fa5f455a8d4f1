//! `handoff schema`: the contracts as JSON Schema.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;

/// The arguments of `schema`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which schema
    #[arg(value_name = "NAME", default_value = "brief")]
    name: Name,
}

/// The schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// `brief.yaml`.
    Brief,
    /// `timeline.yaml`.
    Timeline,
    /// `handoff.yaml`.
    Config,
    /// What `handoff audit --format json` prints.
    Audit,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, CliError> {
    context.print(match arguments.name {
        Name::Brief => include_str!("../../schema/brief.schema.json"),
        Name::Timeline => include_str!("../../schema/timeline.schema.json"),
        Name::Config => include_str!("../../schema/config.schema.json"),
        Name::Audit => include_str!("../../schema/audit.schema.json"),
    })?;
    Ok(Exit::Clean)
}
