//! `handoff coverage`: which questions the CRM's data can answer.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::audit::read_population;
use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::open::{
    Ports, export_root, is_in_ledger, no_ledger_for, open, open_configured_export, open_crm,
    open_export, path_within, settings_beside,
};
use crate::audit::{CoverageReport, QuestionCoverage, Share};
use crate::brief::{Proposal, Schema, question};
use crate::config::{Config, FILE_NAME};
use crate::crm::Crm;
use crate::crm::export::Detail;
use crate::disk::{self, Access};
use crate::model::{Window, count};
use crate::report::Options;
use crate::report::table::{Table, TableColumn};
use crate::text::{quoted, shell_word};
use crate::workflow::{self, CoverageRequest, Unused};

/// The arguments of `coverage`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An export of the deals: CSV, JSON or a workbook; - for standard input [default: the CRM in handoff.yaml]
    #[arg(long, value_name = "FILE")]
    deals: Option<PathBuf>,
    /// How many of the last won deals count
    #[arg(long, value_name = "N", default_value = "200", allow_negative_numbers = true, value_parser = super::offered::count_from_one)]
    last: NonZeroUsize,
    /// Put the lines that answer more into handoff.yaml
    #[arg(long)]
    write: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command. An export is enough: without a ledger the shipped schema
/// and mapping are measured.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let ledger = match &arguments.deals {
        Some(_) if !is_in_ledger(&invocation.folder)? => None,
        None if !is_in_ledger(&invocation.folder)? => {
            return Err(no_ledger_for("coverage", invocation));
        }
        _ => Some(open(invocation, Ports::default())?),
    };
    let (mut config, schema, root) = match ledger {
        Some(context) if arguments.write && context.ledger.is_bare() => {
            return Err(CliError::usage(format!(
                "{} has no checkout, and --write changes {FILE_NAME} in one",
                context.ledger.root().display()
            ))
            .help("run it in a clone with files, or without --write, and paste the lines there"));
        }
        Some(context) => {
            let root = export_root(&context.ledger);
            (context.config, context.schema, root)
        }
        None => {
            let schema = Schema::compile(crate::brief::SHIPPED_SCHEMA.as_bytes())
                .map_err(|error| CliError::could_not(format!("the shipped schema: {error}")))?;
            (settings_beside(&invocation.folder)?, schema.into(), invocation.folder.clone().into())
        }
    };
    if arguments.deals.is_some() {
        config.map_for_export();
    }
    // The list says which deals are the last; each of those is then read whole.
    let mut detail = workflow::counted(&config, None, &[]);
    // A rule of the scope may leave out any of them.
    if let Detail::Counted(counted) = &mut detail
        && config.scope.is_empty()
    {
        counted.newest = Some(arguments.last.get());
    }
    let export = match &arguments.deals {
        Some(file) => Some(open_export(file, detail, invocation, &config, &root)?),
        None => open_configured_export(detail, invocation, &config, &root)?,
    };
    if export.is_none() && arguments.write {
        return Err(CliError::usage("`--write` looks through the columns of an export")
            .help("give --deals FILE, an export of your deals"));
    }
    let connected = match export {
        Some(_) => None,
        None => Some(open_crm(invocation, &config, &root)?.ok_or_else(|| {
            CliError::usage("there are no deals to read").help(
                "give --deals FILE, an export of your deals, or connect a CRM under `crm:` in handoff.yaml",
            )
        })?),
    };
    let crm: &dyn Crm = match (&export, &connected) {
        (Some(export), _) => export,
        (None, Some(connected)) => connected.as_ref(),
        (None, None) => return Err(CliError::usage("there are no deals to read")),
    };
    let population = read_population(crm, Window::default(), invocation)?;
    let request = CoverageRequest {
        config: &config,
        schema: &schema,
        crm,
        population: &population,
        last: arguments.last.get(),
        now: invocation.now,
    };
    let (report, measured) = invocation.block_on(workflow::coverage(&request))??;
    let unused = match &export {
        Some(export) => workflow::unused_columns(&request, &export.headers()?, &measured),
        None => Unused::default(),
    };
    for gap in &report.gaps {
        invocation.warn(format!("warning: {}: {}", gap.what, gap.why));
    }
    let mut json =
        serde_json::to_value(&report).map_err(|error| CliError::could_not(error.to_string()))?;
    if export.is_some() {
        json["unused_columns"] = json!(unused.columns);
        json["proposals"] = json!(unused.proposals);
    }
    let again = (!arguments.write).then(|| match &arguments.deals {
        Some(file) => {
            let file = shell_word(&file.display().to_string());
            format!("handoff coverage --deals {file} --write")
        }
        None => "handoff coverage --write".to_owned(),
    });
    invocation.emit(
        arguments.format,
        || json,
        || {
            let mut text = text(&report, invocation);
            text.push_str(&more(&unused, report.deals, again.as_deref()));
            text
        },
    )?;
    if arguments.write {
        write(root.folder(), arguments.deals.as_deref(), &unused.proposals, invocation)?;
    }
    Ok(match (report.complete, report.deals) {
        (false, _) => Exit::CouldNot,
        (true, 0) => Exit::Nothing,
        (true, _) => Exit::Clean,
    })
}

/// The columns without a use, and the lines that would use some.
fn more(unused: &Unused, deals: usize, again: Option<&str>) -> String {
    let mut text = String::new();
    if !unused.columns.is_empty() {
        let names: Vec<String> = unused.columns.iter().map(|name| quoted(name)).collect();
        text.push_str(&format!("\nColumns that no answer uses: {}\n", names.join(", ")));
    }
    if unused.proposals.is_empty() {
        return text;
    }
    match again {
        Some(again) => text.push_str(&format!(
            "\nThese lines answer more. Put them into {FILE_NAME}, or let `{again}` do it:\n\n"
        )),
        None => text.push_str("\nThese lines answer more:\n\n"),
    }
    text.push_str("brief:\n");
    for line in lines(&unused.proposals, deals) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// The lines below `brief:`, each with what it fills.
fn lines(proposals: &[Proposal], deals: usize) -> Vec<String> {
    let line = |proposal: &Proposal| {
        let before = match proposal.now {
            0 => String::new(),
            some => format!("; {some} without it"),
        };
        let expression = proposal.expression.replace('\'', "''");
        format!("  {}: '{expression}'   # {} of {deals}{before}", proposal.field, proposal.fills)
    };
    proposals.iter().map(line).collect()
}

/// Puts the lines into the settings; a file that is not there is made.
fn write(
    root: &Path,
    deals: Option<&Path>,
    proposals: &[Proposal],
    invocation: &Invocation,
) -> Result<(), CliError> {
    if proposals.is_empty() {
        invocation.say(format!("{FILE_NAME} is unchanged: no unused column answers a question"));
        return Ok(());
    }
    let file = root.join(FILE_NAME);
    let own: Vec<String> = proposals
        .iter()
        .map(|it| format!("  {}: '{}'", it.field, it.expression.replace('\'', "''")))
        .collect();
    let own = own.join("\n");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => with_lines(&text, &own).ok_or_else(|| {
            CliError::could_not(format!(
                "`brief:` in {FILE_NAME} is written in a form that cannot be added to"
            ))
            .help("write it as a block, one field a line, or paste the lines above")
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let export = deals.and_then(|deals| path_within(root, &invocation.path(deals)));
            let export = match export {
                Some(deals) => {
                    format!("crm:\n  file:\n    deals: {}\n", json!(deals.display().to_string()))
                }
                None => String::new(),
            };
            format!("version: 1\n{export}brief:\n{own}\n")
        }
        Err(error) => {
            return Err(CliError::could_not(format!("{FILE_NAME} cannot be read: {error}")));
        }
    };
    if let Err(problems) = Config::parse(text.as_bytes()) {
        let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        return Err(CliError::could_not(format!(
            "{FILE_NAME} was not changed: with the lines it would not be valid: {first}"
        ))
        .help("paste the lines above by hand"));
    }
    disk::write(&file, text.as_bytes(), Access::Shared)?;
    invocation.say(format!("wrote {} into {}", count(proposals.len(), "line"), file.display()));
    Ok(())
}

/// The settings with more lines below `brief:`; `None` where it is no block.
/// A field that has a line already keeps it, as the proposals are for others.
fn with_lines(text: &str, own: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + own.len());
    let mut added = false;
    for line in text.lines() {
        let value =
            line.strip_prefix("brief:").map(|rest| rest.split(" #").next().unwrap_or("").trim());
        match value {
            Some("" | "{}") => {
                out.push_str(&format!("brief:\n{own}\n"));
                added = true;
            }
            Some(_) => return None,
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    if !added {
        out.push_str(&format!("brief:\n{own}\n"));
    }
    Some(out)
}

fn text(report: &CoverageReport, invocation: &Invocation) -> String {
    let options = Options { color: invocation.color, width: invocation.width() };
    if report.deals == 0 {
        return "no won deal in scope\n".to_owned();
    }
    let mut table = Table::new([
        TableColumn::text("question and field"),
        TableColumn::number("answered"),
        TableColumn::number("share"),
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
        "What the CRM answers, over the last {}. People are asked for the rest.\n\n{}\
         Question 7, What should CS do first, and by when?, is answered by handoff itself.\n\n",
        count(report.deals, "won deal"),
        table.render(&options)
    );
    let mut columns = vec![
        TableColumn::text("rep"),
        TableColumn::number("deals"),
        TableColumn::number("whole brief"),
    ];
    columns.extend(report.questions.iter().map(|q| {
        TableColumn::number(q.question.map_or_else(|| "own".to_owned(), |n| format!("{n}.")))
    }));
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
