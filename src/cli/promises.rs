//! `handoff promises`: what reps have promised, and that one was kept.

use crate::model::Remarks;
use std::num::NonZeroUsize;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::keys::find_key;
use super::offered::count_from_one;
use super::open::{Ports, open};
use super::people::PersonArguments;
use super::when::When;
use crate::model::count;
use crate::report::table::{Table, TableColumn};
use crate::report::{Options, csv_table};
use crate::text::shorten;
use crate::workflow::{self, KeptPromise, Promise, WorkflowError};

/// The arguments of `promises`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<PromisesCommand>,
    /// Those of one handoff [default: of all]
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// The open ones (the default)
    #[arg(long, conflicts_with = "all")]
    open: bool,
    /// Also those that were kept
    #[arg(long)]
    all: bool,
    /// Only those that this person or team keeps; a part of the name is enough
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// Only those that are due before this day
    #[arg(long, value_name = "TIME")]
    due_before: Option<When>,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: PromisesFormat,
}

/// `--format` of the list.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum PromisesFormat {
    /// A table for people
    #[default]
    Text,
    /// One JSON value on a line
    Json,
    /// A table for spreadsheets
    Csv,
}

/// What can be done about a promise.
#[derive(Debug, Subcommand)]
enum PromisesCommand {
    /// Record that a promise was kept
    Keep(KeepArguments),
}

/// The arguments of `promises keep`.
#[derive(Debug, Args)]
struct KeepArguments {
    #[command(flatten)]
    person: PersonArguments,
    /// The promise's number, as `handoff promises` shows it
    #[arg(value_name = "N", value_parser = count_from_one)]
    number: NonZeroUsize,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    match &arguments.command {
        Some(PromisesCommand::Keep(keep)) => run_keep(keep, invocation),
        None => list(arguments, invocation),
    }
}

fn list(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    let (mut promises, gaps) = workflow::promises(&context)?;
    for gap in &gaps {
        invocation.warn(format!("warning: {} was not read: {}", gap.what, gap.why));
    }
    let key = arguments.key.as_deref().map(|key| find_key(key, &context)).transpose()?;
    if let Some(key) = &key
        && workflow::stored_anywhere(&context, key)?.is_none()
    {
        return Err(WorkflowError::NoHandoff(key.clone()).into());
    }
    let owner = arguments.owner.as_ref().map(|owner| owner.trim().to_lowercase());
    let due_before = When::of_act(
        "--due-before",
        arguments.due_before.as_ref(),
        &context.config,
        invocation.now,
    )?
    .map(|at| at.with_timezone(&context.config.timezone).date_naive());
    promises.retain(|promise| {
        let is_owner = |owner: &String| {
            promise.owner.as_ref().is_some_and(|it| it.to_lowercase().contains(owner.as_str()))
        };
        (arguments.all || promise.kept.is_none())
            && key.as_ref().is_none_or(|key| promise.key == *key)
            && owner.as_ref().is_none_or(is_owner)
            && due_before.is_none_or(|day| promise.due.is_some_and(|due| due < day))
    });
    let complete = gaps.is_empty();
    let to_json = || json!({"version": 1, "complete": complete, "promises": promises});
    let to_text = || to_text(&promises, invocation);
    match arguments.format {
        PromisesFormat::Csv => invocation.print(to_csv(&promises))?,
        PromisesFormat::Json => invocation.emit(ResultFormat::Json, to_json, to_text)?,
        PromisesFormat::Text => invocation.emit(ResultFormat::Text, to_json, to_text)?,
    }
    let is_named = key.is_some() || arguments.owner.is_some();
    let nothing = promises.is_empty() && is_named;
    // The process ends here, as after an audit.
    std::mem::forget(promises);
    Ok(match (gaps.is_empty(), nothing) {
        (false, _) => Exit::CouldNot,
        (true, true) => Exit::Nothing,
        (true, false) => Exit::Clean,
    })
}

fn run_keep(keep: &KeepArguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let (context, key, at) = keep.person.open(invocation)?;
    let by = &keep.person.by;
    let kept = KeptPromise { at: at.unwrap_or(invocation.now), by: Some(by.clone()) };
    let mut remarks = Remarks::default();
    let recorded = workflow::keep_promise(
        &context,
        &key,
        keep.number.get(),
        &kept,
        keep.person.reason.as_deref(),
        "cli",
        &mut remarks,
    )?;
    context.push(&mut remarks)?;
    let exit = invocation.tell("", &remarks);
    let text = match recorded {
        Some(promise) => {
            format!("{key}: promise {} kept, says {by}: {}\n", keep.number.get(), promise.promise)
        }
        None => format!("{key}: promise {} is kept already, nothing new\n", keep.number.get()),
    };
    invocation.print(crate::text::terminal(&text))?;
    Ok(exit)
}

/// `open`, `overdue` or `kept`.
fn state(promise: &Promise) -> &'static str {
    match (&promise.kept, promise.overdue) {
        (Some(_), _) => "kept",
        (None, true) => "overdue",
        (None, false) => "open",
    }
}

fn to_csv(promises: &[Promise]) -> Vec<u8> {
    let header = [
        "key", "number", "promise", "customer", "owner", "made_by", "made_to", "due", "stretch",
        "state", "kept_at", "kept_by", "folder",
    ];
    let rows: Vec<Vec<String>> = promises
        .iter()
        .map(|promise| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let kept = promise.kept.as_ref();
            vec![
                promise.key.to_string(),
                promise.number.to_string(),
                promise.promise.clone(),
                text(&promise.customer),
                text(&promise.owner),
                text(&promise.made_by),
                text(&promise.made_to),
                promise.due.map(|due| due.to_string()).unwrap_or_default(),
                promise.stretch.to_string(),
                state(promise).to_owned(),
                kept.map(|kept| kept.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                    .unwrap_or_default(),
                kept.and_then(|kept| kept.by.clone()).unwrap_or_default(),
                promise.folder.clone(),
            ]
        })
        .collect();
    csv_table(&header, &rows)
}

fn to_text(promises: &[Promise], invocation: &Invocation) -> String {
    if promises.is_empty() {
        return "no promise matches\n".to_owned();
    }
    let mut table = Table::new([
        TableColumn::text("due"),
        TableColumn::text("state"),
        TableColumn::text("owner"),
        TableColumn::text("customer"),
        TableColumn::whole("handoff"),
        TableColumn::number("n"),
        TableColumn::text("promise"),
    ]);
    for promise in promises {
        table.row([
            promise.due.map_or_else(|| "-".to_owned(), |due| due.to_string()).as_str(),
            state(promise),
            promise.owner.as_deref().unwrap_or("nobody"),
            promise.customer.as_deref().unwrap_or("-"),
            promise.key.as_str(),
            &promise.number.to_string(),
            &shorten(&promise.promise, 100),
        ]);
    }
    let mut text = table.render(&Options { color: invocation.color, width: invocation.width() });
    let open = promises.iter().filter(|promise| promise.kept.is_none()).count();
    let overdue = promises.iter().filter(|promise| promise.overdue).count();
    text.push_str(&format!(
        "\n{}: {open} open, {overdue} overdue\n",
        count(promises.len(), "promise")
    ));
    text
}
