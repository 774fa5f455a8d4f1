//! `handoff status`: one handoff's story, or all open ones.

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::keys::find_key;
use super::open::{Ports, open};
use super::when::When;
use crate::brief::{Event, TouchEvidence};
use crate::model::count;
use crate::report::Options;
use crate::report::table::{Table, TableColumn};
use crate::time::describe_seconds;
use crate::workflow::{self, Horizon, Standing, StatusRow, WorkflowError};

/// Without a key, handoffs of so many days are looked at.
const DAYS: u64 = 120;

/// The arguments of `status`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoff [default: all open ones]
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Look back to this moment [default: 120 days]
    #[arg(long, value_name = "TIME", conflicts_with = "key")]
    since: Option<When>,
    /// Also those that are done
    #[arg(long, conflicts_with = "key")]
    all: bool,
    /// All handoffs of one customer: a name, a domain, or the company's id in the CRM
    #[arg(long, value_name = "NAME", conflicts_with_all = ["key", "since"])]
    customer: Option<String>,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    let rows = match (&arguments.key, &arguments.customer) {
        (None, Some(customer)) => {
            let keys = workflow::handoffs_of_customer(&context, customer)?;
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                rows.extend(workflow::status_of(&context, &key)?);
            }
            rows
        }
        (Some(key), _) => {
            let key = find_key(key, &context)?;
            vec![workflow::status_of(&context, &key)?.ok_or(WorkflowError::NoHandoff(key))?]
        }
        (None, None) => {
            let since =
                When::of_act("--since", arguments.since.as_ref(), &context.config, invocation.now)?
                    .unwrap_or(invocation.now - Days::new(DAYS));
            let (rows, gaps) = workflow::status(&context, Horizon { since })?;
            for gap in &gaps {
                invocation.warn(format!("warning: {} was not read: {}", gap.what, gap.why));
            }
            if !gaps.is_empty() {
                return Err(CliError::could_not("not every handoff could be read")
                    .help("`handoff validate` says what is wrong"));
            }
            rows.into_iter().filter(|row| arguments.all || row.standing.is_open()).collect()
        }
    };
    let none = match &arguments.customer {
        Some(customer) => {
            format!(
                "there is no handoff of the customer {}; `handoff status --all` lists every one",
                crate::text::quoted(customer)
            )
        }
        None => "no handoff is open".to_owned(),
    };
    let to_text = || match (&arguments.key, rows.as_slice()) {
        (Some(_), [row]) => crate::text::terminal(&story(row, context.config.timezone)),
        _ => list(&rows, &none, context.config.timezone, invocation),
    };
    let unpushed = workflow::unpushed(&context)?;
    if let Some(unpushed) = &unpushed {
        invocation.warn(format!("warning: {unpushed}; {}", unpushed.remedy()));
    }
    invocation.emit(
        arguments.format,
        || json!({"version": 1, "handoffs": rows, "unpushed": unpushed}),
        to_text,
    )?;
    let named_none = rows.is_empty() && arguments.customer.is_some();
    Ok(if named_none { Exit::Nothing } else { Exit::Clean })
}

fn list(rows: &[StatusRow], none: &str, zone: Tz, invocation: &Invocation) -> String {
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let mut table = Table::new([
        TableColumn::whole("handoff"),
        TableColumn::text("customer"),
        TableColumn::text("csm"),
        TableColumn::text("state"),
        TableColumn::text("first touch due"),
        TableColumn::number("missing"),
    ]);
    for row in rows {
        table.row([
            row.key.as_str(),
            row.customer.as_deref().unwrap_or_else(|| customer_in(&row.folder)),
            row.csm.as_deref().unwrap_or(if row.standing.is_open() { "nobody" } else { "-" }),
            state(row),
            &row.due
                .map_or_else(|| "-".to_owned(), |due| due_words(due, row, zone, invocation.now)),
            &row.missing.len().to_string(),
        ]);
    }
    let mut text = table.render(&Options { color: invocation.color, width: invocation.width() });
    let overdue = rows.iter().filter(|row| row.is_overdue(invocation.now)).count();
    text.push_str(&format!("\n{}, {overdue} overdue\n", count(rows.len(), "handoff")));
    text
}

/// Where a handoff stands; of a deal that is over nothing is waited for.
fn state(row: &StatusRow) -> &'static str {
    match row.deal_is_over {
        Some(_) if row.standing.is_open() => "the deal is over",
        _ => row.standing.words(),
    }
}

/// What a folder without a brief says of its customer.
fn customer_in(folder: &str) -> &str {
    let name = folder.rsplit('/').next().unwrap_or_default();
    // An exemption of a deal that nobody could ask for has no customer's name.
    name.rsplit_once("--").map_or("-", |(customer, _)| match customer {
        workflow::NO_CUSTOMER => "-",
        customer => customer,
    })
}

/// A moment on the company's clock.
fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

fn due_words(due: DateTime<Utc>, row: &StatusRow, zone: Tz, now: DateTime<Utc>) -> String {
    let when = local(due, zone);
    if row.touched_at.is_some() {
        return format!("{when} (done)");
    }
    let seconds = (due - now).num_seconds();
    if seconds < 0 {
        format!("{when} ({} ago)", describe_seconds(-seconds))
    } else {
        format!("{when} (in {})", describe_seconds(seconds))
    }
}

fn story(row: &StatusRow, zone: Tz) -> String {
    let mut text = format!("{}  {}\n", row.key, row.customer.as_deref().unwrap_or("(no brief)"));
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<12} {value}\n"));
    line(
        "state",
        match row.standing {
            Standing::Overdue if row.deal_is_over.is_none() => {
                "waiting for the first touch, overdue"
            }
            _ => state(row),
        },
    );
    if let Some(over) = &row.deal_is_over {
        line("deal", &format!("over: {over}; nobody is reminded any more"));
    }
    line("brief", &row.folder);
    line("csm", row.csm.as_deref().unwrap_or("nobody"));
    if let Some(rep) = &row.rep {
        line("rep", rep);
    }
    if let Some(due) = row.due {
        line("first touch", &format!("due {}", local(due, zone)));
    }
    if let Some(returned) = &row.returned {
        let took = describe_seconds(returned.seconds);
        let when = local(returned.at, zone);
        let clock = match returned.answered_at {
            Some(_) => format!("{when}, answered after {took}"),
            None => format!("{when}, waiting for the rep for {took}"),
        };
        line("returned", &clock);
    }
    line(
        "missing",
        &if row.missing.is_empty() { "nothing".to_owned() } else { row.missing.join(", ") },
    );
    for failed in &row.not_delivered {
        line("failed", failed);
    }
    text.push_str("\nWhat happened\n");
    // They are recorded as they come in: a signature after the arrival of its webhook.
    let mut events: Vec<&Event> = row.events.iter().collect();
    events.sort_by_key(|event| event.at);
    for event in events {
        let proof = match event.evidence {
            Some(TouchEvidence::Claimed) => ", claimed",
            Some(TouchEvidence::Crm) => ", shown by the CRM",
            None => "",
        };
        let word = format!("{}{proof}", event.event.words());
        let by = event.by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
        let reference = event.reference.as_deref().map_or_else(String::new, |r| format!("  {r}"));
        let reason =
            event.reason.as_deref().map_or_else(String::new, |r| format!("\n{:>25}\"{r}\"", ""));
        let at = local(event.at, zone);
        text.push_str(&format!("  {at}  {word}{by} ({}){reference}{reason}\n", event.via));
    }
    text
}
