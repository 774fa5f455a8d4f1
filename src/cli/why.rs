//! `handoff why`: where the answers of a brief come from.

use clap::Args;
use serde_json::{Value, json};

use super::deliver::parse_key;
use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::open::{Ports, open};
use crate::text::{nearest, one_line, quoted, shorten, terminal};
use crate::workflow::{self, AnswerSource, SourceKind, Sources};

/// The arguments of `why`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoff
    #[arg(value_name = "KEY")]
    key: String,
    /// One answer, such as success.metric, or a section [default: all answers]
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let key = parse_key(&arguments.key)?;
    let context = open(invocation, Ports::default())?;
    let field = arguments.field.as_deref().map(str::trim);
    let sources = workflow::why(&context, &key, field)?;
    if let Some(field) = field
        && sources.answers.is_empty()
    {
        let pointer = format!("/{}", field.replace('.', "/"));
        if context.schema.outline().field(&pointer).is_some() {
            return Err(CliError::nothing(format!("{key} has no answer to {}", quoted(field)))
                .help(format!("`handoff render {key}` shows what is missing")));
        }
        let error = CliError::nothing(format!("{key} has no field {}", quoted(field)));
        return Err(match nearest(field, sources.fields.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("`handoff why {key}` lists the fields")),
        });
    }
    if !sources.complete {
        invocation.warn(
            "warning: this clone does not have the whole history; `git fetch --unshallow` brings it",
        );
    }
    let to_json = || {
        json!({
            "version": 1,
            "key": sources.key,
            "folder": sources.folder,
            "complete": sources.complete,
            "answers": sources.answers,
        })
    };
    invocation.emit(arguments.format, to_json, || terminal(&to_text(&sources)))?;
    Ok(if sources.complete { Exit::Clean } else { Exit::CouldNot })
}

fn to_text(sources: &Sources) -> String {
    let mut text = format!("{} ({})\n", sources.key, sources.folder);
    for answer in &sources.answers {
        text.push_str(&format!("\n{}: {}\n", one_line(&answer.field), words(&answer.answer)));
        text.push_str(&format!("  from {}\n", origin(answer)));
        if !answer.reads.is_empty() {
            text.push_str(&format!("  reads {}\n", one_line(&answer.reads.join(", "))));
        }
        if let (Some(line), Some(expression)) = (&answer.line, &answer.expression) {
            text.push_str(&format!("  through {line}: {}\n", shorten(&one_line(expression), 200)));
        }
        if let Some(since) = &answer.since {
            text.push_str(&format!("  since {}\n", since.words()));
        }
        for earlier in &answer.before {
            let before = earlier.answer.as_ref().map_or_else(|| "no answer".to_owned(), words);
            let day = earlier.at.format("%Y-%m-%d");
            text.push_str(&format!("  before {day} ({}): {before}\n", &earlier.until[..10]));
        }
    }
    text
}

fn origin(answer: &AnswerSource) -> String {
    let from = one_line(&answer.from);
    let reference =
        answer.reference.as_ref().map_or_else(String::new, |it| format!(" ({})", one_line(it)));
    match answer.source {
        SourceKind::Crm => format!("the CRM: {from}{reference}"),
        SourceKind::Document => format!("the document: {from}{reference}"),
        SourceKind::Handoff => format!("the settings: {from}"),
        SourceKind::Link => format!("{from}, through a link"),
        SourceKind::Person => format!("a person: {from}"),
        SourceKind::Unrecorded => format!("a source that is not recorded: {from}"),
    }
}

/// An answer on one line; customer text stays on it.
fn words(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    shorten(&one_line(&text), 200)
}
