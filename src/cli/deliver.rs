//! `handoff deliver`: every delivery that is missing is made.

use std::collections::BTreeMap;

use chrono::Days;
use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::formats::RecordedResult;
use super::invocation::Invocation;
use super::keys::find_signed_keys;
use super::open::{Ports, open};
use super::when::When;
use crate::deliver::{DeliveryState, Settled};
use crate::model::{Gap, Key, Remarks, count};
use crate::workflow::{self, Context, Delivered, Horizon};

/// Without a key, handoffs of so many days are looked at.
const DAYS: u64 = 60;

/// The arguments of `deliver`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoffs [default: all of the last 60 days]
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Without a key: look back to this moment
    #[arg(long, value_name = "TIME", conflicts_with = "keys")]
    since: Option<When>,
    /// Print the plan and make nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    result: RecordedResult,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    // A sink that writes to the CRM brings its own connection.
    let ports = Ports { sinks: true, crm: false, push: !arguments.result.no_push };
    let context = open(invocation, ports)?;
    catch_up(&context, invocation);
    if context.sinks.is_empty() {
        return push_alone(&context, arguments, invocation);
    }
    let named = !arguments.keys.is_empty();
    let mut exit = Exit::Clean;
    let mut idle = BTreeMap::new();
    let keys = if named {
        find_signed_keys(&arguments.keys, &context)?
    } else {
        let since =
            When::of_act("--since", arguments.since.as_ref(), &context.config, invocation.now)?
                .unwrap_or(invocation.now - Days::new(DAYS));
        let (keys, gaps) = workflow::keys_within(&context, Horizon { since })?;
        exit = exit.max(warn_of(&gaps, invocation));
        idle = workflow::idle_deliveries(&context, &keys, Horizon { since }, arguments.dry_run)?;
        keys
    };
    let dry_run = arguments.dry_run;
    let (results, told) =
        invocation.block_on(all(&context, &keys, idle, named, dry_run, invocation))??;
    exit = exit.max(told);
    let to_json = || {
        let handoffs: Vec<Value> = results
            .iter()
            .map(|d| json!({"key": d.key, "steps": d.plan.steps, "would": d.would, "held": d.held, "deliveries": deliveries_json(d)}))
            .collect();
        json!({"version": 1, "dry_run": arguments.dry_run, "handoffs": handoffs})
    };
    if dry_run && results.iter().any(|delivered| failed(delivered) > 0) {
        exit = exit.max(Exit::CouldNot);
    }
    invocation.emit(arguments.result.format, to_json, || {
        crate::text::terminal(&to_text(&results, arguments.dry_run))
    })?;
    Ok(exit)
}

/// Pushes what the remote does not have, in a ledger that delivers nowhere. Where
/// there is nothing to push either, that is said as a mistake of the settings.
fn push_alone(
    context: &Context,
    arguments: &Arguments,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let nowhere = "`deliver:` in handoff.yaml names nothing to deliver to";
    let help = "add `deliver: {outbox: {dir: outbox}}` to see what would be sent, as files";
    let waiting = context.ledger.unpushed()?.map_or(0, |unpushed| unpushed.commits);
    if waiting == 0 || arguments.dry_run || !context.push {
        return Err(CliError::usage(nowhere).help(help));
    }
    let exit = push(context, invocation)?;
    if exit == Exit::Clean {
        let commits = count(waiting, "commit");
        invocation.say(format!("{commits} pushed; {nowhere}"));
    }
    invocation.emit(
        arguments.result.format,
        || json!({"version": 1, "dry_run": false, "handoffs": []}),
        || crate::text::terminal(&to_text(&[], false)),
    )?;
    Ok(exit)
}

/// Says what was not read, and how a command ends because of it.
pub(super) fn warn_of(gaps: &[Gap], invocation: &Invocation) -> Exit {
    for gap in gaps {
        invocation.warn(format!("warning: {} was not read: {}", gap.what, gap.why));
    }
    if gaps.is_empty() { Exit::Clean } else { Exit::CouldNot }
}

/// Pushes what was written, where there is a remote.
pub(super) fn push(context: &Context, invocation: &Invocation) -> Result<Exit, CliError> {
    let mut remarks = Remarks::default();
    context.push(&mut remarks)?;
    Ok(invocation.tell("", &remarks))
}

/// What was merged and written on the remote is looked at, too.
pub(super) fn catch_up(context: &Context, invocation: &Invocation) {
    let mut remarks = Remarks::default();
    workflow::catch_up(context, &mut remarks);
    invocation.tell("", &remarks);
}

/// Delivers what is due for these handoffs, as a part of another command;
/// whether all of it was done.
pub(super) fn follow_up(
    context: &Context,
    keys: &[Key],
    invocation: &Invocation,
) -> Result<bool, CliError> {
    let (_, exit) =
        invocation.block_on(all(context, keys, BTreeMap::new(), false, false, invocation))??;
    Ok(exit == Exit::Clean)
}

/// `idle` is what is known already of those that have nothing due.
async fn all(
    context: &Context,
    keys: &[Key],
    mut idle: BTreeMap<Key, Delivered>,
    at_once: bool,
    dry_run: bool,
    invocation: &Invocation,
) -> Result<(Vec<Delivered>, Exit), CliError> {
    let mut results = Vec::new();
    let mut exit = Exit::Clean;
    for key in keys {
        let delivered = match idle.remove(key) {
            Some(delivered) => delivered,
            None => workflow::deliver(context, key, at_once, dry_run).await?,
        };
        exit = exit.max(invocation.tell("", &delivered.remarks));
        if let Some(held) = &delivered.held {
            invocation.warn(format!("warning: {key}: {held}"));
            exit = Exit::CouldNot;
        }
        if delivered.results.iter().any(|result| result.outcome.is_err()) {
            exit = Exit::CouldNot;
        }
        results.push(delivered);
    }
    if !dry_run {
        exit = exit.max(push(context, invocation)?);
    }
    Ok((results, exit))
}

fn to_text(results: &[Delivered], dry_run: bool) -> String {
    let mut text = String::new();
    let (mut made, mut failed) = (0, 0);
    for delivered in results {
        let idle = delivered.results.is_empty() && delivered.would.is_empty();
        if idle && self::failed(delivered) == 0 {
            continue;
        }
        text.push_str(&format!("{}\n", delivered.key));
        if dry_run {
            for line in &delivered.would {
                text.push_str(&format!("  would  {line}\n"));
            }
        }
        for line in lines(delivered) {
            text.push_str(&format!("  {line}\n"));
        }
        made += delivered.results.iter().filter(|result| result.outcome.is_ok()).count();
        failed += delivered.results.iter().filter(|result| result.outcome.is_err()).count();
    }
    let due: usize = results.iter().map(|delivered| delivered.would.len()).sum();
    let earlier: usize = results.iter().map(self::failed).sum();
    let looked = count(results.len(), "handoff");
    let deliveries = |count| crate::model::count_of(count, "delivery", "deliveries");
    let did = match (dry_run, due) {
        (true, 0) if earlier > 0 => "nothing would be made now".to_owned(),
        (false, 0) if earlier > 0 => "nothing was made".to_owned(),
        (true, 0) => "nothing is missing".to_owned(),
        (true, due) => format!("{} would be made", deliveries(due)),
        (false, 0) => "nothing was missing".to_owned(),
        (false, _) => format!("{made} made, {failed} failed"),
    };
    text.push_str(&format!("{looked}: {did}"));
    if earlier > 0 {
        text.push_str(&format!(
            ", {} failed before; name the handoff to try again at once",
            deliveries(earlier)
        ));
    }
    text.push('\n');
    text
}

/// How many deliveries failed in earlier runs and wait, or are left to people.
fn failed(delivered: &Delivered) -> usize {
    let is_failed = |state: &DeliveryState| {
        matches!(
            state,
            DeliveryState::Waiting { .. }
                | DeliveryState::Settled(Settled::Unclear { .. } | Settled::GivenUp { .. })
        )
    };
    // What was done in this run is told by its results.
    let steps = if delivered.results.is_empty() { &*delivered.plan.steps } else { &[] };
    steps.iter().filter(|step| is_failed(&step.state)).count()
}

/// One line for each thing that was done, waits or was given up.
pub(super) fn lines(delivered: &Delivered) -> Vec<String> {
    let mut lines = Vec::new();
    for result in &delivered.results {
        let event = result.event.words();
        lines.push(match &result.outcome {
            Ok(mark) => {
                let remark = mark
                    .remark
                    .as_deref()
                    .map_or_else(String::new, |remark| format!(" ({remark})"));
                format!("{event:<15} {}  {}{remark}", result.via, mark.reference)
            }
            Err(error) => format!("{event:<15} {}  failed: {error}", result.via),
        });
    }
    for step in &delivered.plan.steps {
        let tells = match step.state {
            // It waits for a person.
            DeliveryState::Settled(Settled::NoCustomer) => true,
            DeliveryState::Waiting { .. } | DeliveryState::Settled(_) => {
                delivered.results.is_empty()
            }
            _ => false,
        };
        if tells {
            lines.push(step.to_string());
        }
    }
    lines
}

/// The deliveries of a handoff that stand in its timeline, as JSON.
pub(super) fn deliveries_json(delivered: &Delivered) -> Value {
    let steps = &delivered.plan.steps;
    let made: Vec<Value> = delivered
        .timeline
        .events
        .iter()
        .filter(|event| steps.iter().any(|step| step.event == event.event && step.via == event.via))
        .map(|event| json!({"event": event.event, "via": event.via, "ref": event.reference}))
        .collect();
    json!(made)
}
