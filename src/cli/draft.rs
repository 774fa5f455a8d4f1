//! `handoff draft`: a brief before its signature, and what it lacks.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::form::{form_answers, read_form};
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::open::{DraftSinks, Ports, open, open_draft_sinks};
use crate::brief::{MissingField, question};
use crate::crm;
use crate::deliver::DeliveryError;
use crate::esign::Authenticity;
use crate::model::{SignatureEvent, count};
use crate::workflow::{self, DealSource, Drafted};

/// The arguments of `draft`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The provider's payload of a document that was sent for signature; `-` for standard input
    #[arg(value_name = "EVENT", conflicts_with = "deal")]
    event: Option<PathBuf>,
    /// A deal of the CRM that is not signed yet
    #[arg(long, value_name = "ID")]
    deal: Option<String>,
    /// The provider; recognised by the payload if not given
    #[arg(long, value_name = "NAME", conflicts_with = "deal")]
    provider: Option<String>,
    /// Answers from a filled-in issue form: its body, as GitHub gives it; `-` for standard input
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
    /// Do not push, and open no pull request
    #[arg(long)]
    no_push: bool,
    /// Open no pull request
    #[arg(long)]
    no_request: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let answers = arguments.form.as_deref().map(|path| read_form(path, invocation)).transpose()?;
    let context = open(invocation, Ports { crm: true, sinks: false, push: !arguments.no_push })?;
    let sinks = if arguments.no_push || arguments.no_request {
        DraftSinks::default()
    } else {
        open_draft_sinks(invocation, &context)?
    };
    let sources = match (&arguments.event, &arguments.deal) {
        (Some(path), _) => sent(path, arguments.provider.as_deref(), &context, invocation)?,
        (None, Some(id)) => vec![DealSource::Deal(crm::deal_id(id))],
        (None, None) => {
            return Err(CliError::usage("nothing to draft was named").help(
                "name a deal that is not signed yet (`handoff draft --deal ID`), or an EVENT file",
            ));
        }
    };
    let answers = answers.map(|form| form_answers(&form, &context, invocation)).transpose()?;
    let mut exit = Exit::Clean;
    let all = async {
        let mut results = Vec::with_capacity(sources.len());
        for source in sources {
            results.push(
                workflow::draft(
                    &context,
                    source,
                    answers.as_ref(),
                    sinks.asking.as_deref(),
                    &sinks.telling,
                )
                .await?,
            );
        }
        Ok::<_, CliError>(results)
    };
    for drafted in invocation.block_on(all)?? {
        exit = exit.max(invocation.tell("", &drafted.remarks));
        if let Some(Err(error)) = &drafted.request {
            exit = Exit::CouldNot;
            let help = match error {
                DeliveryError::Permanent { help, .. } => help.clone(),
                _ => "run the command again: the draft itself is written".to_owned(),
            };
            invocation.warn(format!("warning: no pull request: {error}; {help}"));
        }
        invocation.emit(
            arguments.format,
            || to_json(&drafted),
            || crate::text::terminal(&to_text(&drafted)),
        )?;
    }
    Ok(exit)
}

/// The documents of a payload that went out and wait for signatures.
fn sent(
    path: &Path,
    provider: Option<&str>,
    context: &workflow::Context,
    invocation: &Invocation,
) -> Result<Vec<DealSource>, CliError> {
    let payload = super::relayed::read_payload(path, super::relayed::PAYLOAD, invocation)?;
    let events =
        super::sign::events_of(path, provider, &payload, Authenticity::Body, context, invocation)?;
    let mut sources = Vec::new();
    let mut others = Vec::new();
    for event in events {
        match event {
            SignatureEvent::Sent(signature) => {
                sources.push(DealSource::Signature(Box::new(signature)))
            }
            SignatureEvent::Completed(_) => others.push("a completed document".to_owned()),
            SignatureEvent::Voided { what, .. } | SignatureEvent::Ignored { what } => {
                others.push(what);
            }
        }
    }
    if sources.is_empty() {
        others.dedup();
        return Err(CliError::nothing(format!(
            "the payload does not describe a document that was sent for signature: {}",
            others.join(", ")
        ))
        .help("a document that was sent counts where `drafts: true` stands in the provider's section under `esign:` in handoff.yaml; `handoff draft --deal ID` drafts a deal, and `handoff sign` is for completed documents"));
    }
    Ok(sources)
}

/// The result as the documented JSON, version 1.
fn to_json(drafted: &Drafted) -> Value {
    let request = match &drafted.request {
        Some(Ok(mark)) => json!({"ref": mark.reference, "remark": mark.remark}),
        Some(Err(error)) => json!({"error": error.to_string()}),
        None => Value::Null,
    };
    json!({
        "version": 1,
        "key": drafted.key,
        "path": drafted.path,
        "branch": drafted.branch,
        "commit": drafted.commit,
        "created": drafted.created,
        "complete": drafted.missing.is_empty(),
        "missing": drafted.missing,
        "request": request,
    })
}

fn to_text(drafted: &Drafted) -> String {
    let what = match (&drafted.commit, drafted.created) {
        (Some(_), true) => "drafted",
        (Some(_), false) => "draft renewed",
        (None, _) => "drafted already, nothing new",
    };
    let mut text = format!(
        "{}: {what}\n  brief    {}\n  branch   {}\n",
        drafted.key, drafted.path, drafted.branch
    );
    if let Some(Ok(mark)) = &drafted.request {
        let remark =
            mark.remark.as_deref().map_or_else(String::new, |remark| format!(" ({remark})"));
        text.push_str(&format!("  request  {}{remark}\n", mark.reference));
    }
    if drafted.missing.is_empty() {
        text.push_str("  complete: nothing is missing but the signature\n");
    } else {
        let missing = count(drafted.missing.len(), "answer");
        text.push_str(&format!(
            "  missing  {missing}, to be given in brief.yaml on that branch:\n"
        ));
        text.push_str(&checklist(&drafted.missing));
    }
    text
}

/// What is missing: question, field, example, whom to ask.
fn checklist(missing: &[MissingField]) -> String {
    let mut text = String::new();
    let mut last = 0;
    for field in missing {
        if field.question != last {
            last = field.question;
            text.push_str(&format!("    {last}. {}\n", question(last).unwrap_or_default()));
        }
        let example =
            field.example.as_deref().map_or_else(String::new, |it| format!("  such as {it}"));
        let ask = field.ask.as_deref().map_or_else(String::new, |ask| format!("  ask {ask}"));
        text.push_str(&format!("       [ ] {}{example}{ask}\n", field.field));
    }
    text
}
