//! `handoff inbox`: what was received, and what to do with what failed.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::inbox_argument::InboxArgument;
use super::invocation::Invocation;
use crate::intake::{Envelope, EventState, Inbox, ListedEvent};
use crate::ledger::Ledger;
use crate::model::{DocumentKind, count};
use crate::report::{Options, table};
use crate::text::terminal;

/// What `release --as` takes.
const KINDS: [&str; 5] = ["contract", "amendment", "new", "ignored", "drop"];

/// The arguments of `inbox`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    inbox: InboxArgument,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, global = true)]
    format: ResultFormat,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List events that wait, are being processed, are held, or failed
    List {
        /// Only those in this state
        #[arg(long, value_name = "STATE", value_parser = EventState::ALL.map(EventState::word))]
        state: Option<String>,
        /// Also those that are done
        #[arg(long, conflicts_with = "state")]
        all: bool,
    },
    /// Show one event with what went wrong and what was received
    Show {
        /// The event: its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Try events again at once
    Retry {
        /// The events: their ids, or the beginnings
        #[arg(value_name = "ID", conflicts_with = "failed")]
        ids: Vec<String>,
        /// All that failed
        #[arg(long)]
        failed: bool,
    },
    /// Decide what held documents are; they are processed at once
    Release {
        /// The events: their ids, or the beginnings
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// What they are; `drop` gives them up
        #[arg(long = "as", value_name = "KIND", value_parser = KINDS)]
        kind: String,
    },
    /// Give events up for good; no handoff is made of them
    Drop {
        /// The events: their ids, or the beginnings
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    if matches!(&arguments.action, Action::Retry { ids, failed: false } if ids.is_empty()) {
        return Err(CliError::usage("nothing to retry was named")
            .help("name events, as `handoff inbox list` shows them, or --failed"));
    }
    invocation.block_on(act(arguments, invocation))?
}

async fn act(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let ledger = || Ok(Ledger::open(&invocation.folder)?);
    let json = arguments.format == ResultFormat::Json;
    // Where nothing was ever received there is nothing to list, which is no failure.
    if matches!(arguments.action, Action::List { .. }) && arguments.inbox.is_none_yet(ledger)? {
        invocation.say("nothing was received here yet; `handoff serve` and `handoff watch` receive, and --inbox names another inbox");
        return print_none(json, invocation);
    }
    let inbox = arguments.inbox.open(false, ledger, invocation).await?;
    let (inbox, now) = (inbox.as_ref(), invocation.now);
    match &arguments.action {
        Action::List { state, all } => list(inbox, state.as_deref(), *all, json, invocation).await,
        Action::Show { id } => show(&inbox.find(id, now).await?, json, invocation),
        Action::Retry { ids, failed } => {
            let events = match failed {
                true => inbox.list(&[EventState::Failed], now).await?,
                false => find_all(inbox, ids, invocation).await?,
            };
            for event in &events {
                inbox.retry(&event.name, now, None).await?;
            }
            done("retry", "is tried again", &events, json, invocation)
        }
        Action::Release { ids, kind } => {
            let events = find_all(inbox, ids, invocation).await?;
            for event in &events {
                match DocumentKind::parse(kind) {
                    Some(kind) => inbox.retry(&event.name, now, Some(kind)).await?,
                    None => inbox.discard(&event.name, now).await?,
                }
            }
            let words = if kind == "drop" { "is dropped" } else { "is released" };
            done("release", words, &events, json, invocation)
        }
        Action::Drop { ids } => {
            let events = find_all(inbox, ids, invocation).await?;
            for event in &events {
                inbox.discard(&event.name, now).await?;
            }
            done("drop", "is dropped", &events, json, invocation)
        }
    }
}

async fn find_all(
    inbox: &dyn Inbox,
    ids: &[String],
    invocation: &Invocation,
) -> Result<Vec<ListedEvent>, CliError> {
    let mut found = Vec::new();
    for id in ids {
        found.push(inbox.find(id, invocation.now).await?);
    }
    Ok(found)
}

fn print_none(json: bool, invocation: &Invocation) -> Result<Exit, CliError> {
    invocation.print(match json {
        true => format!("{}\n", json!({"version": 1, "events": []})),
        false => "no events\n".to_owned(),
    })?;
    Ok(Exit::Clean)
}

async fn list(
    inbox: &dyn Inbox,
    state: Option<&str>,
    all: bool,
    json: bool,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let wanted: Vec<EventState> = EventState::ALL
        .into_iter()
        .filter(|candidate| {
            state.map_or(all || *candidate != EventState::Done, |state| state == candidate.word())
        })
        .collect();
    let events = inbox.list(&wanted, invocation.now).await?;
    if events.is_empty() {
        return print_none(json, invocation);
    }
    if json {
        let events: Vec<Value> = events.iter().map(to_json).collect();
        invocation.print(format!("{}\n", json!({"version": 1, "events": events})))?;
        return Ok(Exit::Clean);
    }
    let columns = ["state", "provider", "event", "received"].map(table::TableColumn::text);
    let rest = [
        table::TableColumn::number("tries"),
        table::TableColumn::text("due"),
        table::TableColumn::text("last problem"),
    ];
    let mut table = table::Table::new(columns.into_iter().chain(rest));
    for event in &events {
        let mut row = vec![
            event.state.word().to_owned(),
            event.name.provider().to_owned(),
            event.name.delivery().to_owned(),
        ];
        match &event.envelope {
            Ok(envelope) => {
                row.push(minute(envelope.received_at));
                row.push(envelope.attempts.to_string());
                row.push(
                    envelope
                        .not_before
                        .filter(|_| matches!(event.state, EventState::New | EventState::Held))
                        .map(minute)
                        .unwrap_or_default(),
                );
                row.push(why(event.state, envelope).unwrap_or_default());
            }
            Err(error) => {
                row.extend([String::new(), String::new(), String::new(), error.to_string()]);
            }
        }
        table.row(row);
    }
    invocation
        .print(table.render(&Options { color: invocation.color, width: invocation.width() }))?;
    Ok(Exit::Clean)
}

/// Why an event is where it is.
fn why(state: EventState, envelope: &Envelope) -> Option<String> {
    let held = envelope.held.as_ref().filter(|_| state == EventState::Held);
    let problem = || envelope.errors.last().map(|trouble| trouble.message.clone());
    let ignored = || envelope.ignored.clone().filter(|_| state == EventState::Done);
    held.map(|hold| hold.reason.clone()).or_else(ignored).or_else(problem)
}

fn show(event: &ListedEvent, json: bool, invocation: &Invocation) -> Result<Exit, CliError> {
    let envelope = event.envelope.as_ref().map_err(|error| CliError::from(error.clone()))?;
    let bytes = envelope.body.bytes().map_err(CliError::could_not)?;
    let body = String::from_utf8_lossy(&bytes);
    if json {
        let mut value = to_json(event);
        value["body"] = json!(body);
        invocation.print(format!("{value}\n"))?;
        return Ok(Exit::Clean);
    }
    let mut text = format!(
        "event      {}\nstate      {}\nreceived   {}\n",
        event.name,
        event.state.word(),
        minute(envelope.received_at)
    );
    if envelope.attempts > 0 {
        text.push_str(&format!("tries      {}\n", envelope.attempts));
    }
    if let Some(hold) = &envelope.held {
        text.push_str(&format!("held       {}  {}\n", minute(hold.since), hold.reason));
    }
    if let Some(kind) = envelope.decided {
        text.push_str(&format!("decided    {}\n", kind.as_str()));
    }
    if let Some(due) =
        envelope.not_before.filter(|_| matches!(event.state, EventState::New | EventState::Held))
    {
        text.push_str(&format!("due        {}\n", minute(due)));
    }
    if let Some(why) = &envelope.ignored {
        text.push_str(&format!("ignored    {why}\n"));
    }
    for trouble in &envelope.errors {
        text.push_str(&format!("problem    {}  {}\n", minute(trouble.at), trouble.message));
    }
    text.push_str(&format!("\n{body}\n"));
    invocation.print(terminal(&text))?;
    Ok(Exit::Clean)
}

fn done(
    action: &str,
    words: &str,
    events: &[ListedEvent],
    json: bool,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    if json {
        let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
        invocation
            .print(format!("{}\n", json!({"version": 1, "action": action, "events": names})))?;
    } else {
        for event in events {
            invocation.print(format!("{} {words}\n", event.name))?;
        }
        if events.is_empty() {
            invocation.print("no event failed\n")?;
        } else if action == "retry" || words == "is released" {
            invocation.say(format!(
                "{}: a running `serve`, `work` or `watch` takes them up, or the next one",
                count(events.len(), "event")
            ));
        }
    }
    Ok(Exit::Clean)
}

fn to_json(event: &ListedEvent) -> Value {
    let mut value = json!({
        "event": event.name.as_str(),
        "state": event.state.word(),
        "provider": event.name.provider(),
        "delivery_id": event.name.delivery(),
    });
    match &event.envelope {
        Ok(envelope) => {
            value["received_at"] = json!(envelope.received_at);
            value["attempts"] = json!(envelope.attempts);
            value["not_before"] = json!(envelope.not_before);
            value["errors"] = json!(envelope.errors);
            value["held"] = json!(envelope.held);
            value["decided"] = json!(envelope.decided);
            value["ignored"] = json!(envelope.ignored);
        }
        Err(error) => value["problem"] = json!(error.to_string()),
    }
    value
}

fn minute(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
