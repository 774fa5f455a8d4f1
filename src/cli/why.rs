//! `handoff why`: where the answers of a brief come from.

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::formats::ResultFormat;
use super::invocation::Invocation;
use super::keys::find_key;
use super::open::{Ports, open};
use crate::brief::{SourceKind, in_one_line};
use crate::esign::Providers;
use crate::model::{DocumentId, SignatureEvent};
use crate::report::Options;
use crate::report::table::{Table, TableColumn};
use crate::text::{nearest, one_line, quoted, shorten, terminal};
use crate::workflow::{self, AskedDocuments, Context, SourcedAnswer, UnaskedDocument, Why};

/// The arguments of `why`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The handoff: key, deal id, customer, folder or task
    #[arg(value_name = "KEY")]
    key: String,
    /// One answer, such as success.metric or metric, or a section [default: all answers]
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Ask the CRM, and the providers of documents, whether they still say the same
    #[arg(long)]
    check: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ResultFormat,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports { crm: arguments.check, ..Ports::default() })?;
    let key = find_key(&arguments.key, &context)?;
    let field = arguments.field.as_deref().map(str::trim);
    let mut why = workflow::why(&context, &key, field)?;
    if let Some(field) = why.asked.as_deref()
        && why.answers.is_empty()
    {
        if why.fields.iter().any(|known| known == field) {
            return Err(CliError::nothing(format!("{key} has no answer to {}", quoted(field)))
                .help(format!("`handoff render {key}` shows what is missing")));
        }
        let error = CliError::nothing(format!("{key} has no field {}", quoted(field)));
        let several = workflow::fields_called(&why.fields, field);
        return Err(if !several.is_empty() {
            error.help(format!("did you mean one of `{}`?", several.join("`, `")))
        } else if let Some(near) = nearest(field, why.fields.iter().map(String::as_str)) {
            error.help(format!("did you mean `{near}`?"))
        } else {
            error.help(format!("`handoff why {key}` lists the fields"))
        });
    }
    if arguments.check {
        let documents = invocation.block_on(ask_providers(&context, &why, invocation))??;
        invocation.block_on(workflow::check_sources(&context, &mut why, &documents))??;
    }
    for gap in &why.gaps {
        invocation.warn(format!("warning: {}", terminal(gap)));
    }
    invocation.emit(
        arguments.format,
        || json!(why),
        || match field {
            Some(_) => terminal(&to_text(&why)),
            None => overview(&why, invocation),
        },
    )?;
    let is_other = why.answers.iter().any(|it| it.now.as_ref().is_some_and(|now| !now.same));
    Ok(match (why.complete, is_other) {
        (false, _) => Exit::CouldNot,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Clean,
    })
}

/// What the e-sign providers say now of the documents that answers came from.
async fn ask_providers(
    context: &Context,
    why: &Why,
    invocation: &Invocation,
) -> Result<AskedDocuments, CliError> {
    let secrets = invocation.secrets()?;
    let providers = Providers::new(&context.config.esign, &crate::crm::reference_rules());
    let mut asked = AskedDocuments::new();
    for (name, id) in why.documents() {
        let unasked = |why: String, is_gap: bool| Err(UnaskedDocument { why, is_gap });
        let provider = providers.configured().find(|provider| provider.name() == name);
        let said = match provider.map(|provider| provider.fetcher(&secrets, context.config.limits))
        {
            None => unasked(format!("{name} is not connected under `esign:`"), false),
            Some(Ok(None)) => unasked(format!("{name} has no API that is asked"), false),
            Some(Err(error)) => unasked(error.to_string(), false),
            Some(Ok(Some(fetcher))) => match fetcher.document(&DocumentId::new(&*id)).await {
                Ok(SignatureEvent::Completed(signature)) => Ok(Box::new(signature)),
                Ok(_) => unasked("the document is not completed any more".to_owned(), true),
                Err(error) => unasked(error.to_string(), true),
            },
        };
        asked.insert((name, id), said);
    }
    Ok(asked)
}

/// All answers, one line each: what was read, and where.
fn overview(why: &Why, invocation: &Invocation) -> String {
    let is_checked =
        why.answers.iter().any(|answer| answer.now.is_some() || answer.not_asked.is_some());
    let titles = ["answer", "from", "now"].into_iter().take(if is_checked { 3 } else { 2 });
    let mut table = Table::new(
        std::iter::once(TableColumn::whole("field")).chain(titles.map(TableColumn::text)),
    );
    for answer in &why.answers {
        let mut from = origin(answer);
        let mut reads = answer.source.reads.keys();
        if let (Some(name), None) = (reads.next(), reads.next()) {
            from = format!("{} ({from})", one_line(name));
        }
        let now = match (&answer.now, &answer.not_asked) {
            (Some(now), _) if now.same => "the same",
            (Some(_), _) => "differs",
            (None, Some(_)) => "not asked",
            (None, None) => "",
        }
        .to_owned();
        let answered = in_one_line(&answer.answer, 60);
        let row = [one_line(&answer.field), answered, shorten(&from, 120), now];
        table.row(row.into_iter().take(if is_checked { 4 } else { 3 }));
    }
    let options = Options { color: invocation.color, width: invocation.width() };
    let key = &why.key;
    format!(
        "{key} ({})\n\n{}\n`handoff why {key} FIELD` tells how an answer was made and what it said before\n",
        why.folder,
        table.render(&options)
    )
}

fn to_text(why: &Why) -> String {
    let mut text = format!("{} ({})\n", why.key, why.folder);
    for answer in &why.answers {
        text.push_str(&format!("\n{}: {}\n", one_line(&answer.field), words(&answer.answer)));
        text.push_str(&format!("  from     {}\n", origin(answer)));
        for (name, value) in &answer.source.reads {
            text.push_str(&format!("  read     {} = {}\n", one_line(name), words(value)));
        }
        if let (Some(line), Some(expression)) = (&answer.source.line, &answer.source.expression) {
            let expression = shorten(&one_line(expression), 200);
            text.push_str(&format!("  through  {}: {expression}\n", one_line(line)));
        }
        if let Some(since) = &answer.since {
            text.push_str(&format!("  since    {} in {}\n", since.at, &since.commit[..10]));
        }
        for earlier in &answer.before {
            let before = earlier.answer.as_ref().map_or_else(|| "no answer".to_owned(), words);
            let (until, at) = (&earlier.until[..10], &earlier.at);
            text.push_str(&format!("  before   {before} (until {at} in {until})\n"));
        }
        match &answer.now {
            Some(now) if now.same => text.push_str("  now      the same\n"),
            Some(now) => {
                for (name, (then, now)) in &now.differs {
                    let (then, now) = (words(then), words(now));
                    let name = one_line(name);
                    text.push_str(&format!("  now      {name} was {then}, and is {now}\n"));
                }
            }
            None => {}
        }
        if let Some(why) = &answer.not_asked {
            text.push_str(&format!("  now      not asked: {}\n", one_line(why)));
        }
    }
    text
}

fn origin(answer: &SourcedAnswer) -> String {
    let source = &answer.source;
    let name = source.name.as_deref().map(one_line);
    let name = name.as_deref().unwrap_or("not named");
    let reference = match (&source.reference, source.from) {
        (Some(it), SourceKind::Person) => format!(", commit {}", shorten(&one_line(it), 11)),
        (Some(it), _) => format!(" {}", one_line(it)),
        (None, _) => String::new(),
    };
    let at = source.at.map_or_else(String::new, |at| at.format(", %Y-%m-%d %H:%M UTC").to_string());
    match source.from {
        SourceKind::Crm => format!("the CRM: {name}{reference}{at}"),
        SourceKind::Document => format!("the document: {name}{reference}{at}"),
        SourceKind::Settings => format!("handoff.yaml, {name}{at}"),
        SourceKind::Ledger => format!("earlier handoffs of the customer{at}"),
        SourceKind::Form => format!("a form{at}"),
        SourceKind::Link => format!("{name}, through a link{at}"),
        SourceKind::Person => format!("a person: {name}{reference}{at}"),
        SourceKind::Proposed => {
            let confirmed = match (&answer.confirmed_by, &answer.note) {
                (Some(person), _) => format!(", confirmed by {}", one_line(person)),
                (None, note) => format!("; {}", note.as_deref().unwrap_or("not confirmed")),
            };
            let cited = source.reference.as_deref().map_or_else(String::new, one_line);
            format!("proposed by {name}{at}, taken from {}{confirmed}", quoted(&cited))
        }
        SourceKind::Unrecorded => match &answer.note {
            Some(note) => format!("not recorded: {}", one_line(note)),
            None => "not recorded".to_owned(),
        },
    }
}

/// An answer on one line; customer text stays on it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => in_one_line(other, 200),
    }
}
