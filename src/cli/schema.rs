//! `handoff schema`: the contracts as JSON Schema.

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;

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
    /// `sources.yaml`.
    Sources,
    /// `proposed.yaml`.
    Proposed,
    /// `handoff.yaml`.
    Config,
    /// What `handoff audit --format json` prints.
    Audit,
    /// What `handoff plan --format json` prints.
    Plan,
    /// What `handoff why --format json` prints.
    Why,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    invocation.print(match arguments.name {
        Name::Brief => include_str!("../../schema/brief.schema.json"),
        Name::Timeline => include_str!("../../schema/timeline.schema.json"),
        Name::Sources => include_str!("../../schema/sources.schema.json"),
        Name::Proposed => include_str!("../../schema/proposed.schema.json"),
        Name::Config => include_str!("../../schema/config.schema.json"),
        Name::Audit => include_str!("../../schema/audit.schema.json"),
        Name::Plan => include_str!("../../schema/plan.schema.json"),
        Name::Why => include_str!("../../schema/why.schema.json"),
    })?;
    Ok(Exit::Clean)
}
