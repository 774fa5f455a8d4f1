//! `handoff sync`: what people did about the deliveries is read back.

use chrono::Days;
use clap::Args;
use serde_json::{Value, json};

use super::deliver::{catch_up, push, warn_of};
use super::error::CliError;
use super::exit::Exit;
use super::formats::RecordedResult;
use super::invocation::Invocation;
use super::keys::find_key;
use super::open::{Ports, crm_tasks, export_root, open, open_crm};
use super::when::When;
use crate::brief::EventKind;
use crate::crm::Crm;
use crate::deliver::{self, Reader, ReaderContext, WholeDays};
use crate::model::{Key, count};
use crate::text::one_line;
use crate::workflow::{self, Context, Horizon, NotRead, Synced};

/// Without a key, handoffs of so many days are looked at.
const DAYS: u64 = 120;

/// The arguments of `sync`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoffs [default: all open ones of the last 120 days]
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// The handoff whose task has this address
    #[arg(long, value_name = "URL", conflicts_with = "keys")]
    task: Option<String>,
    /// Without a key: look back to this moment
    #[arg(long, value_name = "TIME", conflicts_with = "keys")]
    since: Option<When>,
    /// Print what is new and record nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    result: RecordedResult,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let mut context =
        open(invocation, Ports { push: !arguments.result.no_push, ..Ports::default() })?;
    context.crm = crm_of_touches(&context, invocation)?;
    let readers = open_readers(&context, invocation)?;
    catch_up(&context, invocation);
    let mut exit = Exit::Clean;
    let keys = choose(arguments, &context, &readers, invocation, &mut exit)?;
    // A task that is gone is reported and recorded once; an hourly run is not red for
    // it, which would hide what can be fixed. Who asks for the handoff hears it again.
    let named = !arguments.keys.is_empty() || arguments.task.is_some();
    let tell = |synced: &Synced| tell(synced, named, invocation);
    let results =
        invocation.block_on(all(&context, &readers, &keys, arguments.dry_run, tell))??;
    let unread = |task: &NotRead| named || !task.for_good;
    if results.iter().any(|synced| synced.not_read.iter().any(unread)) {
        exit = Exit::CouldNot;
    }
    if !arguments.dry_run {
        exit = exit.max(push(&context, invocation)?);
    }
    invocation.emit(
        arguments.result.format,
        || to_json(&results, arguments.dry_run),
        || crate::text::terminal(&to_text(&results, named, arguments.dry_run)),
    )?;
    Ok(exit)
}

/// The CRM that may show first touches. Where they need no evidence, a CRM
/// that this machine has no secret for is left out.
fn crm_of_touches(
    context: &Context,
    invocation: &Invocation,
) -> Result<Option<Box<dyn Crm>>, CliError> {
    let config = &context.config;
    if config.crm.file().is_some() {
        return Ok(None);
    }
    match open_crm(invocation, config, &export_root(&context.ledger)) {
        Err(error) if !config.first_touch.needs_evidence() => {
            invocation.say(format!(
                "note: the CRM is not asked for first touches: {}",
                one_line(&error.render(false))
            ));
            Ok(None)
        }
        crm => crm,
    }
}

/// One after the other, as GitHub asks.
async fn all(
    context: &Context,
    readers: &[Box<dyn Reader>],
    keys: &[Key],
    dry_run: bool,
    mut told: impl FnMut(&Synced) + Send,
) -> Result<Vec<Synced>, CliError> {
    Ok(workflow::sync_many(context, readers, keys, !dry_run, &mut told).await?)
}

fn open_readers(
    context: &Context,
    invocation: &Invocation,
) -> Result<Vec<Box<dyn Reader>>, CliError> {
    let config = &context.config;
    let reading = ReaderContext {
        days: WholeDays(config.timezone),
        crm_tasks: crm_tasks(invocation, config, &export_root(&context.ledger))?,
    };
    let readers = deliver::readers(&config.deliver, &invocation.secrets()?, &reading).map_err(
        |problems| {
            let mut error = CliError::usage("`deliver:` in handoff.yaml cannot be used as it is");
            for problem in problems {
                error = error.detail(problem.to_string());
            }
            error
        },
    )?;
    if readers.is_empty() && context.crm.is_none() {
        return Err(CliError::usage(
            "`deliver:` in handoff.yaml names no target that can be read back",
        )
        .help("add `deliver: {github: {repository: owner/name}}`, or record by hand with `handoff touch`, `accept` and `return`"));
    }
    Ok(readers)
}

fn choose(
    arguments: &Arguments,
    context: &Context,
    readers: &[Box<dyn Reader>],
    invocation: &Invocation,
    exit: &mut Exit,
) -> Result<Vec<Key>, CliError> {
    if !arguments.keys.is_empty() {
        return arguments.keys.iter().map(|text| find_key(text, context)).collect();
    }
    let since = When::of_act("--since", arguments.since.as_ref(), &context.config, invocation.now)?;
    let horizon = Horizon { since: since.unwrap_or(invocation.now - Days::new(DAYS)) };
    if let Some(task) = &arguments.task {
        let (key, gaps) = workflow::key_of_task(context, readers, task, horizon)?;
        *exit = (*exit).max(warn_of(&gaps, invocation));
        return match key {
            Some(key) => Ok(vec![key]),
            None => Err(CliError::nothing(format!("no handoff has the task {task}"))
                .help("name the handoff by its key, or look further back with --since")),
        };
    }
    let (rows, gaps) = workflow::status(context, horizon)?;
    *exit = (*exit).max(warn_of(&gaps, invocation));
    // Asking for ever about what is done would use up the target's limits.
    let wanted = rows.into_iter().filter(|row| workflow::may_tell_more(row, readers));
    Ok(wanted.map(|row| row.key).collect())
}

/// What could not be read, without what an earlier run has reported for good.
fn news(synced: &Synced, named: bool) -> impl Iterator<Item = &NotRead> {
    synced.not_read.iter().filter(move |task| named || !task.is_known)
}

fn tell(synced: &Synced, named: bool, invocation: &Invocation) {
    for remark in &synced.remarks {
        invocation.say(format!("note: {}: {remark}", synced.key));
    }
    for task in news(synced, named) {
        let help = task.help.as_deref().map_or_else(String::new, |help| format!("; {help}"));
        invocation.warn(format!(
            "warning: {}: not known what people did: {}{help}",
            synced.key, task.why
        ));
    }
}

fn to_json(results: &[Synced], dry_run: bool) -> Value {
    let handoffs: Vec<Value> = results
        .iter()
        .map(|synced| {
            let unknown: Vec<Value> = synced
                .not_read
                .iter()
                .map(|task| json!({"via": task.via, "ref": task.reference, "why": task.why, "help": task.help, "gone": task.for_good}))
                .collect();
            json!({
                "key": synced.key, "tasks_read": synced.read, "added": synced.added,
                "unknown": unknown, "remarks": synced.remarks,
            })
        })
        .collect();
    json!({"version": 1, "dry_run": dry_run, "handoffs": handoffs})
}

fn to_text(results: &[Synced], named: bool, dry_run: bool) -> String {
    let mut text = String::new();
    for synced in results {
        if synced.added.is_empty() && news(synced, named).next().is_none() {
            continue;
        }
        text.push_str(&format!("{}\n", synced.key));
        for event in &synced.added {
            let word = event.event.words();
            let is_read = matches!(
                event.event,
                EventKind::OnboardingSeen | EventKind::OnboardingDone | EventKind::TaskGone
            );
            let by = event.by.as_deref().unwrap_or(if is_read { &event.via } else { "somebody" });
            let at = event.at.format("%Y-%m-%d %H:%M UTC");
            let reason = event
                .reason
                .as_deref()
                .map_or_else(String::new, |reason| format!(": \"{reason}\""));
            let due = event.due.map_or_else(String::new, |due| {
                format!(" to {}", due.format("%Y-%m-%d %H:%M UTC"))
            });
            let reference = event.reference.as_deref().unwrap_or_default();
            text.push_str(&format!("  {word:<9}{due} by {by}, {at}{reason}  {reference}\n"));
        }
        for task in news(synced, named) {
            text.push_str(&format!("  unknown   {}: {}\n", task.via, task.why));
        }
    }
    let added: usize = results.iter().map(|synced| synced.added.len()).sum();
    let unknown: usize = results.iter().map(|synced| news(synced, named).count()).sum();
    let all: usize = results.iter().map(|synced| synced.not_read.len()).sum();
    let before = match all - unknown {
        0 => String::new(),
        gone => format!(", {gone} known to be gone"),
    };
    let verb = if dry_run { "would be recorded" } else { "recorded" };
    text.push_str(&format!(
        "{} looked at: {} {verb}, {unknown} unknown{before}\n",
        count(results.len(), "handoff"),
        count(added, "event"),
    ));
    text
}
