//! `handoff coverage`: which questions the CRM's data can answer.

use std::path::PathBuf;

use clap::Args;

use super::audit::population;
use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::open::{Ports, open, open_deals};
use crate::audit::{CoverageReport, QuestionCoverage, Share};
use crate::brief::question;
use crate::crm::export::Detail;
use crate::model::Window;
use crate::report::table::{Column, Table};
use crate::report::{Options, count};
use crate::workflow;

/// The arguments of `coverage`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An export of the deals: CSV, JSON or a workbook; - for standard input [default: the CRM in handoff.yaml]
    #[arg(long, value_name = "FILE")]
    deals: Option<PathBuf>,
    /// How many of the last won deals count
    #[arg(long, value_name = "N", default_value_t = 200)]
    last: usize,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let mut context = open(invocation, Ports::default())?;
    let deals = population(
        arguments.deals.as_ref(),
        workflow::in_scope(&context.config),
        Window::default(),
        &context,
        invocation,
    )?;
    context.crm = Some(open_deals(arguments.deals.as_ref(), Detail::Whole, invocation, &context)?);
    let report = invocation.block_on(workflow::coverage(&context, &deals, arguments.last))??;
    for gap in &report.gaps {
        invocation.warn(format!("warning: {}: {}", gap.what, gap.why));
    }
    let json =
        serde_json::to_value(&report).map_err(|error| CliError::could_not(error.to_string()))?;
    invocation.emit(arguments.format, || json, || text(&report, invocation))?;
    Ok(match (report.complete, report.deals) {
        (false, _) => Exit::CouldNot,
        (true, 0) => Exit::Nothing,
        (true, _) => Exit::Clean,
    })
}

fn text(report: &CoverageReport, invocation: &Invocation) -> String {
    let options = Options { color: invocation.color, width: invocation.width() };
    if report.deals == 0 {
        return "no won deal in scope\n".to_owned();
    }
    let mut table = Table::new([
        Column::text("question and field"),
        Column::number("answered"),
        Column::number("share"),
    ]);
    for asked in &report.questions {
        table.row([title(asked), fraction(&asked.answered), percent(&asked.answered)]);
        for field in &asked.fields {
            table.row([
                format!("   {}", field.field),
                fraction(&field.answered),
                percent(&field.answered),
            ]);
        }
    }
    let mut text = format!(
        "What the CRM can answer by itself, over the last {}; what it cannot, somebody is asked.\n\n{}\n",
        count(report.deals, "won deal"),
        table.render(&options)
    );
    let mut columns =
        vec![Column::text("rep"), Column::number("deals"), Column::number("whole brief")];
    columns.extend(
        report.questions.iter().map(|q| {
            Column::number(q.question.map_or_else(|| "own".to_owned(), |n| format!("{n}.")))
        }),
    );
    let mut table = Table::new(columns);
    for rep in &report.by_rep {
        let mut cells = vec![rep.rep.clone(), rep.deals.to_string(), percent(&rep.whole_brief)];
        cells.extend(rep.questions.iter().map(|question| percent(&question.answered)));
        table.row(cells);
    }
    text.push_str(&table.render(&options));
    text.push_str(&format!(
        "\n{} of {} answer every question from the CRM alone\n",
        fraction(&report.whole_brief),
        count(report.deals, "deal")
    ));
    text
}

fn title(asked: &QuestionCoverage) -> String {
    match asked.question {
        Some(number) => format!("{number}. {}", question(number).unwrap_or_default()),
        None => "your own fields".to_owned(),
    }
}

fn fraction(share: &Share) -> String {
    share.count.to_string()
}

fn percent(share: &Share) -> String {
    (share.count * 100)
        .checked_div(share.of)
        .map_or_else(|| "-".to_owned(), |share| format!("{share} %"))
}
