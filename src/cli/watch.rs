//! `handoff watch`: payload files of a folder are handed over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;

use super::error::CliError;
use super::exit::Exit;
use super::inbox_argument::InboxArgument;
use super::intake::{A_MOMENT, GRACE, Intake, Working, told_to_stop};
use super::invocation::Invocation;
use crate::intake::{FolderWatch, WatchSettings};

/// The arguments of `watch`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder with payload files, as providers send them
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Read the folder every N seconds instead of waiting for the system: for network drives
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    poll: Option<u64>,
    /// Move files here once they are in the inbox [default: they stay]
    #[arg(long, value_name = "DIR")]
    move_done: Option<PathBuf>,
    /// Folders below it as well
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    inbox: InboxArgument,
    /// Do not push
    #[arg(long)]
    no_push: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let settings = WatchSettings {
        folder: invocation.path(&arguments.dir),
        poll: arguments.poll.map(Duration::from_secs),
        move_done: arguments.move_done.as_deref().map(|path| invocation.path(path)),
        recursive: arguments.recursive,
    };
    if !settings.folder.is_dir() {
        return Err(CliError::usage(format!("{} is not a folder", arguments.dir.display()))
            .help("make it first"));
    }
    if settings.move_done.as_ref() == Some(&settings.folder) {
        return Err(CliError::usage("--move-done names the folder that is watched")
            .help("name another folder"));
    }
    invocation.block_on(async {
        let intake = Intake::open(&arguments.inbox, invocation).await?;
        run_until_stopped(arguments, settings, &intake, invocation).await
    })??;
    Ok(Exit::Clean)
}

async fn run_until_stopped(
    arguments: &Arguments,
    settings: WatchSettings,
    intake: &Intake,
    invocation: &Invocation,
) -> Result<(), CliError> {
    let (stop, stopped) = watch::channel(false);
    let mut working = Working::start(
        intake.worker(!arguments.no_push, A_MOMENT, invocation),
        std::sync::Arc::clone(&intake.metrics),
        stopped.clone(),
    )?;
    invocation.print(format!("watching {}\n", settings.folder.display()))?;
    let watch = FolderWatch::new(
        settings,
        Arc::new(intake.senders()),
        Arc::clone(&intake.inbox),
        Arc::clone(&intake.clock),
    );
    let watching = tokio::spawn(watch.run(stopped));
    let broke_off = tokio::select! {
        told = told_to_stop() => told.map(|()| false)?,
        () = working.ended() => true,
    };
    // Both sides listen to this; neither can be gone yet.
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, watching).await.is_err() {
        tracing::warn!(
            "the folder could not be left in time; what was not taken is taken by the next start"
        );
    }
    working.finish().await?;
    if broke_off {
        return Err(CliError::could_not("the worker stopped unexpectedly")
            .help("start again; every event is still in the inbox"));
    }
    Ok(())
}
