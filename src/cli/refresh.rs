//! `handoff refresh`: the deals are read again, and what is told follows.

use chrono::Days;
use clap::Args;
use serde_json::{Value, json};

use super::deliver;
use super::error::CliError;
use super::exit::Exit;
use super::formats::RecordedResult;
use super::invocation::Invocation;
use super::keys::find_signed_keys;
use super::open::{Ports, open};
use super::when::When;
use crate::model::{Gap, Key, count};
use crate::workflow::{self, Context, Horizon, Refreshed, RefreshedHandoff, WorkflowError};

/// Without a key, handoffs of so many days are looked at.
const DAYS: u64 = 120;

/// The arguments of `refresh`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoffs [default: those of the last 120 days]
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Only deals that the CRM says were changed since then
    #[arg(long, value_name = "TIME", conflicts_with = "keys")]
    changed_since: Option<When>,
    /// Say what would change; write and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Notify nobody; `handoff deliver` does it later
    #[arg(long)]
    no_deliver: bool,
    #[command(flatten)]
    result: RecordedResult,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let tells = !arguments.dry_run && !arguments.no_deliver;
    let context =
        open(invocation, Ports { crm: true, sinks: tells, push: !arguments.result.no_push })?;
    if context.crm.is_none() {
        return Err(WorkflowError::NoCrm.into());
    }
    let (keys, gaps) = invocation.block_on(choose(arguments, &context))??;
    let mut failed = deliver::warn_of(&gaps, invocation) != Exit::Clean;
    let mut read = Vec::new();
    invocation.block_on(async {
        for (key, refreshed) in workflow::refresh_many(&context, &keys, arguments.dry_run).await {
            match refreshed {
                Ok(refreshed) => read.push(refreshed),
                // A key that was named is wrong; one of many only keeps itself back.
                Err(error) if !arguments.keys.is_empty() => return Err(CliError::from(error)),
                Err(error) => {
                    failed = true;
                    invocation.warn(format!("warning: {key} was not read: {error}"));
                }
            }
        }
        Ok(())
    })??;
    for refreshed in &read {
        for remark in &refreshed.remarks {
            invocation.say(format!("note: {}: {remark}", refreshed.key));
        }
    }
    let written: Vec<Key> =
        read.iter().filter(|it| it.commit.is_some()).map(|it| it.key.clone()).collect();
    if !written.is_empty() {
        failed |= deliver::push(&context, invocation)? != Exit::Clean;
    }
    if tells && !written.is_empty() {
        failed |= !deliver::follow_up(&context, &written, invocation)?;
    }
    invocation.emit(
        arguments.result.format,
        || to_json(&read, arguments.dry_run),
        || crate::text::terminal(&to_text(&read, arguments.dry_run)),
    )?;
    Ok(match (failed, read.is_empty() && !arguments.keys.is_empty()) {
        (true, _) => Exit::CouldNot,
        (false, true) => Exit::Nothing,
        (false, false) => Exit::Clean,
    })
}

/// The handoffs to look at, and what of the ledger or the CRM's list could
/// not be read.
async fn choose(
    arguments: &Arguments,
    context: &Context,
) -> Result<(Vec<Key>, Vec<Gap>), CliError> {
    if !arguments.keys.is_empty() {
        return Ok((find_signed_keys(&arguments.keys, context)?, Vec::new()));
    }
    let since = context.now - Days::new(DAYS);
    let horizon = Horizon { since };
    let changed = When::of_act(
        "--changed-since",
        arguments.changed_since.as_ref(),
        &context.config,
        context.now,
    )?;
    Ok(match changed {
        Some(since) => workflow::changed_handoffs(context, since, horizon).await?,
        None => workflow::keys_within(context, horizon)?,
    })
}

fn to_json(read: &[RefreshedHandoff], dry_run: bool) -> Value {
    let handoffs: Vec<Value> = read
        .iter()
        .map(|it| {
            json!({
                "key": it.key, "result": it.result, "missing": it.missing.len(),
                "commit": it.commit.as_ref().map(ToString::to_string), "remarks": it.remarks,
            })
        })
        .collect();
    json!({"version": 1, "dry_run": dry_run, "handoffs": handoffs})
}

fn to_text(read: &[RefreshedHandoff], dry_run: bool) -> String {
    let mut text = String::new();
    let mut corrected = 0;
    for it in read {
        match &it.result {
            Refreshed::Unchanged => {}
            Refreshed::Skipped { why } => text.push_str(&format!("{}: skipped: {why}\n", it.key)),
            Refreshed::NoLongerWon { why } => {
                text.push_str(&format!("{}: {why}; the brief stays\n", it.key));
            }
            Refreshed::Corrected { changed, data } => {
                corrected += 1;
                text.push_str(&format!("{}: corrected\n", it.key));
                let answers = changed.iter().map(|it| (&it.field, &it.before, &it.after));
                let data = data.iter().map(|it| (&it.field, &it.before, &it.after));
                for (field, before, after) in answers.chain(data) {
                    let told =
                        |it: &Option<String>| it.clone().unwrap_or_else(|| "none".to_owned());
                    let (before, after) = (told(before), told(after));
                    text.push_str(&format!("  {field}: {before} → {after}\n"));
                }
            }
        }
    }
    let word = if dry_run { "would be corrected" } else { "corrected" };
    text.push_str(&format!("{} read, {corrected} {word}\n", count(read.len(), "deal")));
    text
}
