//! `handoff catch-up`: what the providers completed and the ledger does not
//! have is handed over.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::formats::RecordedResult;
use super::inbox_argument::InboxArgument;
use super::intake::{Intake, TO_THE_END};
use super::invocation::Invocation;
use super::open::{Ports, open};
use super::when::When;
use crate::esign::Provider;
use crate::intake::{Completed, Connections, EventTally, Put, UnaskedProvider, completed};
use crate::model::{Gap, Signature, count};
use crate::text::{did_you_mean, terminal};
use crate::webhook::Route;
use crate::workflow;

/// A brief does not move when it is signed later: handoffs drafted so long
/// before are looked at as well.
const DRAFTED_BEFORE: Days = Days::new(92);

/// The arguments of `catch-up`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Documents completed from this moment on, such as 2026-11-01 or 30d
    #[arg(long, value_name = "TIME")]
    since: When,
    /// Ask only this provider; may be given several times [default: all that are configured]
    #[arg(long, value_name = "NAME")]
    provider: Vec<String>,
    /// List what is missing and make no handoff
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    inbox: InboxArgument,
    #[command(flatten)]
    result: RecordedResult,
}

/// What the providers told.
#[derive(Default)]
struct ProviderAnswers {
    since: DateTime<Utc>,
    providers: Vec<&'static str>,
    completed: usize,
    missing: Vec<Completed>,
    gaps: Vec<Gap>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let (asked, tally) = invocation.block_on(ask_and_hand_over(arguments, invocation))??;
    print(arguments, &asked, tally, invocation)?;
    for gap in &asked.gaps {
        let help = gap.help.as_deref().map_or_else(String::new, |help| format!("; {help}"));
        invocation.warn(format!("warning: {} was not read: {}{help}", gap.what, gap.why));
    }
    Ok(if asked.gaps.is_empty() && tally.again + tally.failed == 0 {
        Exit::Clean
    } else {
        Exit::CouldNot
    })
}

async fn ask_and_hand_over(
    arguments: &Arguments,
    invocation: &Invocation,
) -> Result<(ProviderAnswers, EventTally), CliError> {
    let intake = Intake::open(&arguments.inbox, invocation).await?;
    let providers = chosen(arguments, &intake)?;
    let asked = ask(arguments, &intake, &providers, invocation).await?;
    if arguments.dry_run || asked.missing.is_empty() {
        return Ok((asked, EventTally::default()));
    }
    for missing in &asked.missing {
        let envelope = missing.envelope(invocation.now);
        let name = envelope.name();
        if let Put::Known(state) = intake.inbox.put(envelope).await? {
            invocation.say(format!("note: {name} is in the inbox already ({})", state.word()));
        }
    }
    let worker = intake.worker(!arguments.result.no_push, TO_THE_END, invocation)();
    let tally = worker.drain().await?;
    Ok((asked, tally))
}

fn chosen<'a>(
    arguments: &Arguments,
    intake: &'a Intake,
) -> Result<Vec<&'a dyn Provider>, CliError> {
    let providers = &intake.connections.providers;
    if arguments.provider.is_empty() {
        let configured: Vec<_> = providers.configured().collect();
        if configured.is_empty() {
            return Err(CliError::usage("`esign:` in handoff.yaml names no provider with an API")
                .help("add one, such as `esign: {pandadoc: {}}`, or name one with --provider"));
        }
        return Ok(configured);
    }
    let names: Vec<&str> = providers.iter().map(Route::name).collect();
    let find = |name: &String| {
        providers.by_name(name).ok_or_else(|| {
            CliError::usage(format!("there is no provider {}", crate::text::quoted(name)))
                .help(did_you_mean(name, names.iter().copied()))
        })
    };
    arguments.provider.iter().map(find).collect()
}

async fn ask(
    arguments: &Arguments,
    intake: &Intake,
    providers: &[&dyn Provider],
    invocation: &Invocation,
) -> Result<ProviderAnswers, CliError> {
    let context = open(invocation, Ports::default())?;
    let since = arguments.since.start("--since", &context.config, invocation.now)?;
    if since >= invocation.now {
        return Err(CliError::usage("--since is in the future")
            .help("name a moment of the past, such as 2026-11-01 or 30d"));
    }
    let (known, gaps) = workflow::documents_within(&context, since - DRAFTED_BEFORE)?.into_parts();
    let known: BTreeSet<_> = known.into_iter().collect();
    let mut asked = ProviderAnswers { since, gaps, ..ProviderAnswers::default() };
    let Connections { secrets, limits, .. } = &intake.connections;
    for provider in providers {
        let named = !arguments.provider.is_empty();
        let (documents, gaps) =
            match completed(*provider, secrets, *limits, since, invocation.now).await {
                Ok(told) => told,
                Err(UnaskedProvider::NoApi) if named => {
                    return Err(CliError::usage(format!("{} has no API to ask", provider.title())));
                }
                Err(UnaskedProvider::NoApi) => {
                    invocation.say(format!("note: {} has no API to ask", provider.title()));
                    continue;
                }
                Err(UnaskedProvider::NotSetUp(error)) => {
                    asked.gaps.push(Gap {
                        what: provider.title().to_owned(),
                        why: error.to_string(),
                        help: None,
                    });
                    continue;
                }
            };
        asked.providers.push(provider.name());
        asked.gaps.extend(gaps);
        asked.completed += documents.len();
        asked.missing.extend(documents.into_iter().filter(|Completed(signature)| {
            !known.contains(&(signature.provider.clone(), signature.document_id.clone()))
        }));
    }
    Ok(asked)
}

fn print(
    arguments: &Arguments,
    asked: &ProviderAnswers,
    tally: EventTally,
    invocation: &Invocation,
) -> Result<(), CliError> {
    invocation.emit(
        arguments.result.format,
        || to_json(arguments, asked, tally),
        || to_text(arguments, asked, tally),
    )
}

fn to_json(arguments: &Arguments, asked: &ProviderAnswers, tally: EventTally) -> Value {
    let missing: Vec<_> = asked
        .missing
        .iter()
        .map(|Completed(signature)| {
            json!({
                "provider": signature.provider, "document_id": signature.document_id,
                "document_name": signature.document_name, "signed_at": signature.signed_at,
            })
        })
        .collect();
    json!({
        "version": 1, "dry_run": arguments.dry_run, "providers": asked.providers, "complete": asked.gaps.is_empty(),
        "completed": asked.completed, "missing": missing,
        "handed_over": tally.done, "held": tally.held, "again": tally.again, "failed": tally.failed,
    })
}

fn to_text(arguments: &Arguments, asked: &ProviderAnswers, tally: EventTally) -> String {
    let mut text = String::new();
    for Completed(signature) in &asked.missing {
        text.push_str(&format!("{}\n", line(signature)));
    }
    text.push_str(&format!(
        "{} completed since {}",
        count(asked.completed, "document"),
        asked.since.format("%Y-%m-%d %H:%M UTC")
    ));
    text.push_str(&match (asked.missing.len(), arguments.dry_run) {
        (0, _) if !asked.gaps.is_empty() => {
            ": not everything was read, and nothing is known to be missing\n".to_owned()
        }
        (0, _) => ": each one is in the ledger\n".to_owned(),
        (missing, true) => format!(": {missing} not in the ledger\n"),
        (missing, false) => format!(
            ": {missing} not in the ledger; {} processed, {} held, {} to be tried again, {} failed\n",
            tally.done, tally.held, tally.again, tally.failed
        ),
    });
    terminal(&text)
}

fn line(signature: &Signature) -> String {
    let name = signature
        .document_name
        .as_deref()
        .map_or_else(|| "without a name".to_owned(), crate::text::quoted);
    let signed = signature.signed_at.map_or_else(
        || "at an unknown time".to_owned(),
        |at| at.format("%Y-%m-%d %H:%M UTC").to_string(),
    );
    format!("missing  {} {}  {name}  {signed}", signature.provider, signature.document_id)
}
