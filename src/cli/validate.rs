//! `handoff validate`: briefs against the schema and the rules.

use std::path::{Path, PathBuf};

use clap::Args;

use super::audit::Level;
use super::error::CliError;
use super::exit::Exit;
use super::formats::Formats;
use super::invocation::Invocation;
use super::keys::find_key;
use super::open::{Ports, check_columns, open};
use crate::brief::brief_rules;
use crate::finding::Severity;
use crate::model::{count, count_of};
use crate::report::{FindingsReport, render_findings};
use crate::workflow::{self, Which, WorkflowError};

/// The arguments of `validate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Briefs, folders that hold some, or handoffs [default: all of the ledger]
    #[arg(value_name = "PATH|KEY")]
    paths: Vec<PathBuf>,
    /// Only briefs that changed since this revision, with uncommitted changes
    #[arg(long, value_name = "REV", conflicts_with = "paths")]
    since: Option<String>,
    /// Fix what can be fixed without losing anything: render pages, rename folders called `customer`
    #[arg(long)]
    fix: bool,
    /// Exit 1 for findings of this severity or worse
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_level: Level,
    #[command(flatten)]
    formats: Formats,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let which = match &arguments.since {
        Some(revision) => Which::Since(revision.clone()),
        None if arguments.paths.is_empty() => Which::All,
        None => {
            let named = arguments.paths.iter().map(|given| path_of(given, invocation));
            Which::At(named.collect::<Result<_, _>>()?)
        }
    };
    check(&which, arguments.fix, arguments.fail_level.severity(), &arguments.formats, invocation)
}

/// The brief or folder that was named, by its path or by the handoff's name.
fn path_of(given: &Path, invocation: &Invocation) -> Result<PathBuf, CliError> {
    const HELP: &str = "name a brief.yaml, a handoff's folder or key, or a folder above it";
    let (path, shown) = (invocation.path(given), given.display());
    let is_brief = path.parent().is_some_and(is_handoff);
    if path.is_dir() || path.exists() && is_brief {
        return Ok(path);
    }
    if path.exists() {
        return Err(CliError::usage(format!("{shown} is not a brief")).help(HELP));
    }
    // What looks like a path is one that is not there.
    let text = given.to_string_lossy();
    let is_file = [".yaml", ".yml", ".md"].iter().any(|end| text.ends_with(end));
    if is_file || text.contains(['/', '\\']) && !text.contains("://") {
        return Err(CliError::usage(format!("{shown}: there is no such file or folder")).help(HELP));
    }
    let context = open(invocation, Ports::default())?;
    let key = find_key(&text, &context)?;
    let stored = context.stored(&key, None)?.ok_or(WorkflowError::NoHandoff(key))?;
    Ok(context.ledger.root().join(stored.folder))
}

/// Whether a folder is a handoff's.
fn is_handoff(folder: &Path) -> bool {
    ["brief.yaml", "timeline.yaml"].iter().any(|name| folder.join(name).exists())
}

/// As without arguments; for the demo.
pub(super) fn run_default(invocation: &Invocation) -> Result<Exit, CliError> {
    check(&Which::All, false, Severity::Error, &Formats::default(), invocation)
}

fn check(
    which: &Which,
    fix: bool,
    fail_level: Severity,
    formats: &Formats,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let formats = formats.check(&invocation.environment.cwd)?;
    let context = open(invocation, Ports::default())?;
    check_columns(&context)?;
    let validated = workflow::validate(&context, which, fix)?;
    for remark in &validated.remarks {
        invocation.say(format!("note: {remark}"));
    }
    if validated.deleted > 0 {
        invocation.say(format!(
            "note: {} deleted in this checkout and not checked; `git restore briefs` brings back what was not meant to go",
            count_of(validated.deleted, "handoff is", "handoffs are")
        ));
    }
    for file in &validated.fixed {
        invocation.say(format!("fixed {file}"));
    }
    for (from, to) in &validated.renamed {
        invocation.say(format!("renamed {from} to {to}; commit both"));
    }
    if validated.checked.is_empty() {
        match which {
            Which::Since(_) if !validated.remarks.is_empty() => {
                invocation.say("the ledger holds no brief yet");
            }
            Which::Since(revision) => invocation.say(format!("no brief changed since {revision}")),
            Which::All if validated.deleted > 0 => invocation.say("there is no brief to check"),
            Which::All => invocation
                .say("the ledger holds no brief yet; `handoff sign EVENT` makes the first"),
            Which::At(_) => invocation.say("there is no brief at these paths"),
        }
        let report = FindingsReport::new(Vec::new(), Vec::new(), brief_rules());
        Formats::write(&formats, invocation, &report.summary(), |format, options, out| {
            out.write_all(&render_findings(format, &report, options))
        })?;
        // That nothing changed is what a workflow sees most of the time.
        return Ok(match which {
            Which::At(_) => Exit::Nothing,
            Which::All | Which::Since(_) => Exit::Clean,
        });
    }
    if !validated.fixed.is_empty() {
        invocation
            .say(format!("{} rendered again; commit them", count(validated.fixed.len(), "page")));
    }
    let report = FindingsReport::new(validated.checked, validated.findings, brief_rules());
    Formats::write(&formats, invocation, &report.summary(), |format, options, out| {
        out.write_all(&render_findings(format, &report, options))
    })?;
    Ok(if report.worst().is_some_and(|worst| worst >= fail_level) {
        Exit::Findings
    } else {
        Exit::Clean
    })
}
