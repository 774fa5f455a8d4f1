//! `handoff sign`: one signed contract is handed over.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Map, Value, json};

use super::deliver::deliveries_json;
use super::error::CliError;
use super::exit::Exit;
use super::form::{form_answers, read_form, signature_of};
use super::formats::RecordedResult;
use super::inbox_argument::InboxArgument;
use super::invocation::Invocation;
use super::open::{Ports, open};
use super::relayed::{PAYLOAD, Relayed, name_of, read_payload};
use super::when::When;
use crate::brief::question;
use crate::crm;
use crate::esign::{Authenticity, DeliveryId, Providers, Verified, confirm};
use crate::intake::Completed;
use crate::model::{DocumentKind, Remarks, Signature, SignatureEvent, count};
use crate::workflow::{
    self, Context, DealSource, Delivered, DocumentLook, SignRequest, SignedHandoff, VoidedHandoffs,
};

/// The arguments of `sign`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The provider's payload, as it was received or as a workflow's event carries it; `-` for standard input
    #[arg(value_name = "EVENT", conflicts_with_all = ["deal", "issue"])]
    event: Option<PathBuf>,
    /// A deal that the CRM says is won, without an e-signature
    #[arg(long, value_name = "ID")]
    deal: Option<String>,
    /// The provider; recognised by the payload if not given
    #[arg(long, value_name = "NAME", conflicts_with = "deal")]
    provider: Option<String>,
    /// What the document is, whatever the rules under `documents` say
    #[arg(
        long = "as",
        value_name = "KIND",
        value_parser = ["contract", "amendment", "new"],
        conflicts_with_all = ["deal", "issue"]
    )]
    kind: Option<String>,
    /// When the payload arrived, for a webhook received elsewhere [default: now]
    #[arg(long, value_name = "TIME")]
    received_at: Option<When>,
    /// Answers from a filled-in issue form: its body, or the event of a workflow; `-` for standard input
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
    /// The number of the issue with the form: identifies the handoff where there is neither an e-signature nor a CRM
    #[arg(long, value_name = "NUMBER", requires = "form", conflicts_with = "deal")]
    issue: Option<String>,
    /// Write the brief only; `handoff deliver` makes the deliveries later
    #[arg(long)]
    no_deliver: bool,
    #[command(flatten)]
    result: RecordedResult,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let answers = arguments.form.as_deref().map(|path| read_form(path, invocation)).transpose()?;
    let mut payload = arguments
        .event
        .as_deref()
        .map(|path| Relayed::read(read_payload(path, PAYLOAD, invocation)?))
        .transpose()?;
    let context = open(
        invocation,
        Ports { crm: true, sinks: !arguments.no_deliver, push: !arguments.result.no_push },
    )?;
    let given = When::of_act(
        "--received-at",
        arguments.received_at.as_ref(),
        &context.config,
        invocation.now,
    )?;
    let received_at = given
        .or(payload.as_ref().and_then(|payload| payload.received_at))
        .unwrap_or(invocation.now);
    let mut exit = Exit::Clean;
    let sources = match (&mut payload, &arguments.deal) {
        (Some(payload), _) => {
            let providers = Providers::new(&context.config.esign, &crate::crm::reference_rules());
            let named = arguments.provider.as_deref();
            payload.verify(named, &providers, &invocation.secrets()?, invocation)?;
            let (documents, voided) = documents(arguments, payload, &context, invocation)?;
            let recorded = record_voided(&voided, arguments, &context, invocation)?;
            let sources = decide(arguments, documents, received_at, &context, invocation)?;
            if sources.is_empty() {
                return Ok(recorded.unwrap_or(Exit::Nothing));
            }
            exit = recorded.unwrap_or(exit);
            sources
        }
        (None, Some(id)) => vec![DealSource::Deal(crm::deal_id(id))],
        (None, None) => match &arguments.issue {
            Some(issue) => vec![signature_of(issue, given, &context, invocation)?],
            None => return Err(nothing_named(answers.is_some())),
        },
    };
    let answers = answers.map(|form| form_answers(&form, &context, invocation)).transpose()?;
    // In one go: the connections of the sinks live as long as what drives them.
    let all = async {
        let mut results = Vec::with_capacity(sources.len());
        for source in sources {
            let by_signature = matches!(source, DealSource::Signature(_) | DealSource::Found(_));
            let request = SignRequest {
                source,
                received_at: by_signature.then_some(received_at),
                backfilled: false,
            };
            results.push(hand_over(&context, &request, answers.as_ref()).await?);
        }
        Ok::<_, CliError>(results)
    };
    let mut printed = Vec::new();
    for (mut signed, delivered) in invocation.block_on(all)?? {
        if let Some(delivered) = &delivered {
            signed.remarks.take_over(delivered.remarks.clone());
            signed.remarks.extend(&delivered.held);
        }
        exit = exit.max(invocation.tell("", &signed.remarks));
        if delivered
            .as_ref()
            .is_some_and(|d| d.results.iter().any(|result| result.outcome.is_err()))
        {
            exit = Exit::CouldNot;
        }
        printed.push((signed, delivered));
    }
    for (signed, delivered) in &printed {
        invocation.emit(
            arguments.result.format,
            || to_json(signed, delivered.as_ref()),
            || crate::text::terminal(&to_text(signed, delivered.as_ref())),
        )?;
    }
    Ok(exit)
}

async fn hand_over(
    context: &Context,
    request: &SignRequest,
    answers: Option<&Map<String, Value>>,
) -> Result<(SignedHandoff, Option<Delivered>), CliError> {
    let signed = workflow::sign_with_answers(context, request, answers).await?;
    if context.sinks.is_empty() {
        return Ok((signed, None));
    }
    let mut delivered = workflow::deliver(context, &signed.key, false, false).await?;
    if !delivered.results.is_empty() {
        context.push(&mut delivered.remarks)?;
    }
    Ok((signed, Some(delivered)))
}

/// The error where neither a document nor a deal is named.
fn nothing_named(with_form: bool) -> CliError {
    let help = match with_form {
        true => {
            "a form adds answers to a document or deal: name an EVENT file or a --deal as well, or the form's own --issue NUMBER"
        }
        false => {
            "name an EVENT file (`handoff sign event.json`) or a deal that is won (`handoff sign --deal ID`)"
        }
    };
    CliError::usage("nothing to sign was named").help(help)
}

/// Records that documents were voided, and says of which handoffs and drafts; nothing
/// where none stands on one.
fn record_voided(
    voided: &[(Signature, String)],
    arguments: &Arguments,
    context: &Context,
    invocation: &Invocation,
) -> Result<Option<Exit>, CliError> {
    let mut exit = None;
    for (signature, what) in voided {
        let mut remarks = Remarks::default();
        let VoidedHandoffs { recorded: mut keys, known } =
            workflow::record_voided(context, signature, what, &mut remarks)?;
        keys.extend(workflow::withdraw_drafts(context, signature, what, &mut remarks)?);
        if keys.is_empty() {
            let (provider, id) = (&signature.provider, &signature.document_id);
            let stands = match known.first() {
                Some(key) => format!("{key} has it already"),
                None => "nothing stands on it".to_owned(),
            };
            invocation.say(format!("{provider} {id} was voided ({what}): {stands}"));
            continue;
        }
        context.push(&mut remarks)?;
        exit = exit.max(Some(invocation.tell("", &remarks)));
        invocation.emit(
            arguments.result.format,
            || json!({"version": 1, "voided": keys, "pushed": remarks.not_pushed().is_none()}),
            || {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                crate::text::terminal(&format!("{}: its document was voided\n", keys.join(", ")))
            },
        )?;
    }
    Ok(exit)
}

/// Documents that were voided, each with what became of it.
type VoidedDocuments = Vec<(Signature, String)>;

/// The completed documents of a payload, and those that were voided.
fn documents(
    arguments: &Arguments,
    payload: &Relayed,
    context: &Context,
    invocation: &Invocation,
) -> Result<(Vec<Signature>, VoidedDocuments), CliError> {
    let provider = arguments.provider.as_deref().or(payload.provider.as_deref());
    let (mut sources, mut voided) = (Vec::new(), Vec::new());
    let mut passed = Vec::new();
    let name = arguments.event.as_deref().unwrap_or(Path::new("-"));
    let authenticity = payload.authenticity;
    for event in events_of(name, provider, &payload.body, authenticity, context, invocation)? {
        match event {
            SignatureEvent::Completed(signature) => sources.push(signature),
            SignatureEvent::Sent(_) => passed.push("sent, not signed yet".to_owned()),
            SignatureEvent::Voided { signature, what } => voided.push((signature, what)),
            SignatureEvent::Ignored { what } => passed.push(what),
        }
    }
    if sources.is_empty() && voided.is_empty() {
        passed.dedup();
        return Err(CliError::nothing(format!(
            "the payload does not describe a completed document: {}",
            passed.join(", ")
        ))
        .help("nothing was written; a handoff begins when every signer has signed"));
    }
    Ok((sources, voided))
}

/// The documents that count, for each of their deals. What is ignored is said;
/// what is held goes into the inbox, where it waits for a person or new facts.
fn decide(
    arguments: &Arguments,
    documents: Vec<Signature>,
    received_at: DateTime<Utc>,
    context: &Context,
    invocation: &Invocation,
) -> Result<Vec<DealSource>, CliError> {
    let person = arguments.kind.as_deref().and_then(DocumentKind::parse);
    let (mut sources, mut held) = (Vec::new(), Vec::new());
    for document in documents {
        let look = workflow::look_at_document(context, &document, person, received_at);
        match invocation.block_on(look)?? {
            DocumentLook::HandOver(all) => {
                sources.extend(all.into_iter().map(|found| DealSource::Found(Box::new(found))));
            }
            DocumentLook::Ignored(why) => invocation
                .say(format!("ignored: {} {}: {why}", document.provider, document.document_id)),
            DocumentLook::Held { reason, deals, .. } => {
                let mut envelope = Completed(document).envelope(received_at);
                envelope.hold(invocation.now, &reason, deals);
                held.push((envelope, reason));
            }
        }
    }
    if held.is_empty() {
        return Ok(sources);
    }
    let inbox = InboxArgument::default();
    let open = inbox.open(true, || Ok(context.ledger.clone()), invocation);
    let keep = async {
        let inbox = open.await?;
        let mut names = Vec::new();
        for (envelope, reason) in held {
            let name = envelope.name();
            inbox.put(envelope).await?;
            names.push((name, reason));
        }
        Ok::<_, CliError>(names)
    };
    let names = invocation.block_on(keep)??;
    for (name, reason) in &names {
        invocation.warn(format!("held: {name}: {reason}"));
    }
    if !sources.is_empty() {
        return Ok(sources);
    }
    let error = CliError::could_not("no handoff was made: it is not certain what the document is");
    // The inbox of a runner is gone when the run ends, and GitHub keeps the event.
    if invocation.environment.is_github_workflow() {
        return Err(error.help(
            "correct what is said behind `held:` (a deal that was not there, a rule under `documents:` in handoff.yaml for documents like it), and re-run this job: GitHub keeps the event with the run",
        ));
    }
    let ids: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    Err(error.help(format!(
        "it waits in the inbox: `handoff inbox release {} --as contract` makes the handoff, `handoff work --once` looks again, and a rule under `documents:` in handoff.yaml decides for all documents like it",
        ids.join(" ")
    )))
}

/// What the payload of a file reports; asks the provider's API where its secret
/// is there. `authenticity` is how much of it is believed without.
pub(super) fn events_of(
    path: &Path,
    provider: Option<&str>,
    payload: &[u8],
    authenticity: Authenticity,
    context: &Context,
    invocation: &Invocation,
) -> Result<Vec<SignatureEvent>, CliError> {
    let providers = Providers::new(&context.config.esign, &crate::crm::reference_rules());
    let (provider, events) = providers.parse(provider, payload).map_err(|error| {
        CliError::usage(format!("{}: {error}", name_of(path)))
            .help("give the payload as it was received, and --provider if it is not recognised")
    })?;
    let secrets = invocation.secrets()?;
    // Who can run this command stands for the origin of a file.
    let verified = Verified::vouched(provider, DeliveryId::of(&[payload]), events, authenticity);
    let fetcher = provider.fetcher(&secrets, context.config.limits).ok().flatten();
    let confirmed =
        invocation.block_on(confirm(verified, fetcher.as_deref()))?.map_err(|error| {
            CliError::could_not(error.to_string())
                .help("run the command again; nothing was written")
        })?;
    for failure in &confirmed.not_enriched {
        invocation.say(format!("note: {failure}"));
    }
    Ok(confirmed.events)
}

/// The result as the documented JSON, version 1.
fn to_json(signed: &SignedHandoff, delivered: Option<&Delivered>) -> Value {
    json!({
        "version": 1,
        "key": signed.key,
        "path": signed.path,
        "commit": signed.commit,
        "created": signed.created,
        "pushed": signed.pushed,
        "not_pushed": signed.remarks.not_pushed().map(|why| &why.reason),
        "complete": signed.missing.is_empty(),
        "missing": signed.missing.iter().map(|field| field.field.as_str()).collect::<Vec<_>>(),
        "deliveries": delivered.map_or_else(|| json!([]), deliveries_json),
    })
}

fn to_text(signed: &SignedHandoff, delivered: Option<&Delivered>) -> String {
    let what = match (&signed.commit, signed.created) {
        (Some(_), true) => "handed over",
        (Some(_), false) => "updated",
        (None, _) => "already handed over, nothing new",
    };
    let mut text = format!("{}: {what}\n  brief    {}\n", signed.key, signed.path);
    if let Some(commit) = &signed.commit {
        text.push_str(&format!("  commit   {}\n", &commit.to_string()[..12]));
    }
    for step in delivered.iter().flat_map(|delivered| super::deliver::lines(delivered)) {
        text.push_str(&format!("  {step}\n"));
    }
    if signed.missing.is_empty() {
        text.push_str("  complete: every question is answered\n");
        return text;
    }
    text.push_str(&format!("  missing  {}:\n", count(signed.missing.len(), "answer")));
    let mut last = 0;
    for field in &signed.missing {
        if field.question != last {
            last = field.question;
            text.push_str(&format!("    {}. {}\n", last, question(last).unwrap_or_default()));
        }
        let ask = field.ask.as_deref().map_or_else(String::new, |ask| format!("  ask {ask}"));
        text.push_str(&format!("       {}{ask}\n", field.field));
    }
    text
}
