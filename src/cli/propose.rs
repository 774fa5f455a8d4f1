//! `handoff propose`: what a tool would answer, for people to confirm.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::keys::find_whole_key;
use super::open::{Ports, open, open_requests};
use super::relayed::{name_of, read_payload};
use crate::brief::ProposedAnswer;
use crate::model::{Key, count};
use crate::workflow::{self, Context, Proposed};
use crate::yaml;

/// The arguments of `propose`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoff: key, deal id, folder or task
    #[arg(value_name = "KEY")]
    key: String,
    /// The answers, YAML: `success.metric: Days to close`, or `{answer: …, cite: …}`; `-` for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The tool or language model that proposes
    #[arg(long, value_name = "TOOL")]
    by: String,
    /// The citation for answers without a `cite:` of their own
    #[arg(long, value_name = "TEXT")]
    cite: Option<String>,
    /// Do not push, and open no pull request
    #[arg(long)]
    no_push: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports { push: !arguments.no_push, ..Ports::default() })?;
    let key = find_whole_key(&arguments.key, &context)?;
    let what = "give a file of answers, each with its citation: docs/answers.md shows one";
    let bytes = read_payload(&arguments.file, what, invocation)?;
    let answers = answers_of(&bytes, arguments)?;
    let made = make(&context, &key, &arguments.by, &answers, invocation)?;
    invocation.emit(
        arguments.format,
        || made.to_json(),
        || crate::text::terminal(&made.to_text(answers.len())),
    )?;
    Ok(made.exit)
}

/// What became of a proposal.
pub(super) struct ProposalRun {
    proposed: Proposed,
    /// The pull request, where one was opened.
    request: Option<String>,
    exit: Exit,
}

/// Proposes answers, and opens a pull request where the context pushes and
/// GitHub is connected.
pub(super) fn make(
    context: &Context,
    key: &Key,
    by: &str,
    answers: &[ProposedAnswer],
    invocation: &Invocation,
) -> Result<ProposalRun, CliError> {
    let opens = if context.push { open_requests(invocation, context)? } else { None };
    let proposed = workflow::propose(context, key, by, answers)?;
    let mut exit = invocation.tell("", &proposed.remarks);
    let mut request = None;
    if let Some(opens) = opens.filter(|_| proposed.pushed == Some(true)) {
        match invocation.block_on(opens.open_request(&proposed.request))? {
            Ok(mark) => request = Some(mark.reference),
            Err(error) => {
                exit = Exit::CouldNot;
                invocation.warn(format!(
                    "warning: no pull request: {error}; propose the same again: the branch is there"
                ));
            }
        }
    }
    Ok(ProposalRun { proposed, request, exit })
}

/// The answers of the file, each with its citation.
fn answers_of(bytes: &[u8], arguments: &Arguments) -> Result<Vec<ProposedAnswer>, CliError> {
    let node = yaml::read(bytes)
        .map_err(|error| CliError::usage(format!("{}: {error}", name_of(&arguments.file))))?;
    let Value::Object(fields) = node.to_json() else {
        return Err(CliError::usage(format!("{} holds no answers", name_of(&arguments.file)))
            .help("write one a line: `success.metric: Days to close`"));
    };
    let answers = fields.into_iter().map(|(field, value)| {
        let is_cited = value.as_object().is_some_and(|value| {
            value.contains_key("answer")
                && value.keys().all(|name| matches!(name.as_str(), "answer" | "cite"))
        });
        let (answer, cite) = match value {
            Value::Object(mut value) if is_cited => {
                let cite = value.get("cite").and_then(Value::as_str).map(str::to_owned);
                (value.remove("answer").unwrap_or_default(), cite)
            }
            value => (value, None),
        };
        ProposedAnswer { field, answer, cite: cite.or_else(|| arguments.cite.clone()) }
    });
    Ok(answers.collect())
}

impl ProposalRun {
    /// The result as the documented JSON, version 1.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "version": 1,
            "key": self.proposed.key,
            "path": self.proposed.path,
            "branch": self.proposed.branch,
            "commit": self.proposed.commit,
            "pushed": self.proposed.pushed,
            "request": self.request,
        })
    }

    fn to_text(&self, answers: usize) -> String {
        let Proposed { key, branch, commit, .. } = &self.proposed;
        let what = match commit {
            Some(_) => format!("{} proposed", count(answers, "answer")),
            None => "proposed already, nothing new".to_owned(),
        };
        let mut text = format!("{key}: {what}\n  branch   {branch}\n");
        match &self.request {
            Some(request) => text.push_str(&format!("  request  {request}\n")),
            None => text.push_str("  nothing is answered until somebody merges the branch\n"),
        }
        text
    }
}
