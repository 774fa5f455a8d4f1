//! `handoff backfill`: the briefs an audit found missing.

use crate::model::Remarks;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::audit::population;
use super::error::CliError;
use super::exit::Exit;
use super::formats::RecordedResult;
use super::invocation::Invocation;
use super::open::{Ports, open, open_deals};
use crate::crm::export::Detail;
use crate::model::count;
use crate::time::parse_window;
use crate::workflow;

/// The arguments of `backfill`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An export of the deals: CSV, JSON or a workbook; - for standard input [default: the CRM in handoff.yaml]
    #[arg(long, value_name = "FILE")]
    deals: Option<PathBuf>,
    /// Deals won from this day or moment on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Deals won up to the end of this day, or before this moment
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Make the deliveries, too: tasks and messages for what is long past
    #[arg(long)]
    deliver: bool,
    #[command(flatten)]
    result: RecordedResult,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let mut context = open(
        invocation,
        Ports { push: !arguments.result.no_push, sinks: arguments.deliver, crm: false },
    )?;
    if arguments.deals.is_some() {
        context.config.map_for_export();
    }
    let zone = workflow::company_zone(&context.config).unwrap_or(chrono_tz::Tz::UTC);
    let window =
        parse_window(arguments.from.as_deref(), arguments.to.as_deref(), zone, invocation.now)
            .map_err(|error| CliError::usage(error.to_string()))?;
    let population =
        population(arguments.deals.as_ref(), Detail::Whole, window, &context, invocation)?;
    let (_, gaps) = population.deals.parts();
    if !gaps.is_empty() {
        let error = CliError::could_not("not all deals were read, and nothing was written");
        let error = gaps.iter().fold(error, |error, gap| {
            error.detail(crate::text::terminal(&format!("{}: {}", gap.what, gap.why)))
        });
        let help = gaps.iter().find_map(|gap| gap.help.as_deref());
        return Err(error.help(help.unwrap_or("run it again when the source answers")));
    }
    context.crm = Some(open_deals(arguments.deals.as_ref(), Detail::Whole, invocation, &context)?);
    let missing = workflow::missing_deals(&context, &population, window)?;
    if arguments.dry_run || missing.is_empty() {
        print(
            arguments,
            invocation,
            &missing.iter().map(BackfillLine::planned).collect::<Vec<_>>(),
            true,
        )?;
        return Ok(Exit::Clean);
    }
    let done = invocation.block_on(workflow::backfill(&context, &missing))??;
    let mut lines = Vec::new();
    let mut exit = invocation.tell("", &done.remarks);
    for (deal, result) in missing.iter().zip(done.results) {
        match result {
            Ok(signed) => {
                let key = signed.key.as_str();
                exit = exit.max(invocation.tell(key, &signed.remarks));
                if arguments.deliver {
                    let delivery = workflow::deliver(&context, &signed.key, false, false);
                    let delivered = invocation.block_on(delivery)??;
                    exit = exit.max(invocation.tell(key, &delivered.remarks));
                    if let Some(held) = &delivered.held {
                        invocation.warn(format!("warning: {key}: {held}"));
                        exit = Exit::CouldNot;
                    }
                }
                if signed.commit.is_some() {
                    lines.push(BackfillLine {
                        path: Some(signed.path),
                        missing: Some(signed.missing.len()),
                        ..BackfillLine::planned(deal)
                    });
                }
            }
            Err(error) => {
                invocation.warn(format!("warning: deal {} was not backfilled: {error}", deal.id));
                exit = Exit::CouldNot;
            }
        }
    }
    if arguments.deliver {
        let mut remarks = Remarks::default();
        context.push(&mut remarks)?;
        exit = exit.max(invocation.tell("", &remarks));
    }
    print(arguments, invocation, &lines, false)?;
    Ok(exit)
}

#[derive(serde::Serialize)]
struct BackfillLine {
    deal_id: String,
    name: Option<String>,
    closed_won_at: Option<DateTime<Utc>>,
    path: Option<String>,
    missing: Option<usize>,
}

impl BackfillLine {
    fn planned(deal: &crate::model::Deal) -> Self {
        Self {
            deal_id: deal.id.to_string(),
            name: deal.name.clone(),
            closed_won_at: deal.closed_won_at,
            path: None,
            missing: None,
        }
    }
}

fn print(
    arguments: &Arguments,
    invocation: &Invocation,
    lines: &[BackfillLine],
    planned: bool,
) -> Result<(), CliError> {
    invocation.emit(
        arguments.result.format,
        || json!({"version": 1, "dry_run": arguments.dry_run, "deals": lines}),
        || to_text(lines, planned),
    )
}

fn to_text(lines: &[BackfillLine], planned: bool) -> String {
    let mut text = String::new();
    for line in lines {
        let name = line.name.as_deref().unwrap_or("-");
        let when = line
            .closed_won_at
            .map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d").to_string());
        match (&line.path, line.missing) {
            (Some(path), Some(missing)) => {
                text.push_str(&format!(
                    "  {path}  won {when}, {} missing\n",
                    count(missing, "answer")
                ));
            }
            _ => {
                text.push_str(&format!("  would make  deal {}  {name}  won {when}\n", line.deal_id))
            }
        }
    }
    let briefs = count(lines.len(), "brief");
    text.push_str(&match (planned, lines.is_empty()) {
        (_, true) => "nothing to backfill: every deal in scope has its handoff\n".to_owned(),
        (true, false) => format!("{briefs} would be made\n"),
        (false, false) => format!(
            "{briefs} made, marked as backfilled; the audit still says that they came late\n"
        ),
    });
    crate::text::terminal(&text)
}
