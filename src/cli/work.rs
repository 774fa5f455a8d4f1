//! `handoff work`: what others receive into the same inbox is processed.

use clap::Args;
use serde_json::json;
use tokio::sync::watch;

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::inbox_argument::InboxArgument;
use super::intake::{A_MOMENT, Intake, TO_THE_END, Working, told_to_stop};
use super::invocation::Invocation;
use crate::model::count;

/// The arguments of `work`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    inbox: InboxArgument,
    /// Process what is due now, then end
    #[arg(long)]
    once: bool,
    /// Do not push
    #[arg(long)]
    no_push: bool,
    /// What to print with --once
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, requires = "once")]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    invocation.block_on(async {
        let intake = Intake::open(&arguments.inbox, invocation).await?;
        match arguments.once {
            true => once(arguments, &intake, invocation).await,
            false => until_stopped(arguments, &intake, invocation).await,
        }
    })?
}

async fn once(
    arguments: &Arguments,
    intake: &Intake,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let worker = intake.worker(!arguments.no_push, TO_THE_END, invocation)();
    let tally = worker.drain().await?;
    invocation.emit(
        arguments.format,
        || json!({"version": 1, "done": tally.done, "held": tally.held, "again": tally.again, "failed": tally.failed}),
        || {
            format!(
                "{} done, {} held, {} to be tried again, {} failed\n",
                count(tally.done, "event"),
                tally.held,
                tally.again,
                tally.failed
            )
        },
    )?;
    let exit = intake.on_remote(!arguments.no_push, invocation)?;
    Ok(if tally.again + tally.failed == 0 { exit } else { Exit::CouldNot })
}

async fn until_stopped(
    arguments: &Arguments,
    intake: &Intake,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let (stop, stopped) = watch::channel(false);
    let mut working = Working::start(
        intake.worker(!arguments.no_push, A_MOMENT, invocation),
        std::sync::Arc::clone(&intake.metrics),
        stopped,
    )?;
    invocation.print(format!("processing {}\n", intake.inbox.location()))?;
    let broke_off = tokio::select! {
        told = told_to_stop() => told.map(|()| false)?,
        () = working.ended() => true,
    };
    tracing::info!("stopping: running work is finished");
    // The worker listens to this; it cannot be gone yet.
    let _ = stop.send(true);
    working.finish().await?;
    if broke_off {
        return Err(CliError::could_not("the worker stopped unexpectedly")
            .help("start again; every event is still in the inbox"));
    }
    Ok(Exit::Clean)
}
