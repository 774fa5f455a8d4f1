//! `handoff render`: a brief's page again.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::keys::find_key;
use super::open::{Ports, open};
use crate::brief::{Brief, BriefSources, ConfirmedAnswers, SourcesFile};
use crate::ledger::blob_id;
use crate::workflow::{WorkflowError, path_inside, stored_anywhere};

/// The arguments of `render`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A brief.yaml, its folder, or a key; `-` for standard input
    #[arg(value_name = "BRIEF|KEY")]
    brief: PathBuf,
    /// Print what each target would be sent, instead of the page; needs a key
    #[arg(long)]
    preview: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    if arguments.preview {
        let key = find_key(&arguments.brief.to_string_lossy(), &context)?;
        let stored = stored_anywhere(&context, &key)?
            .ok_or_else(|| WorkflowError::NoHandoff(key.clone()))?;
        let text = super::preview::preview(&context, &key, &stored, invocation)?;
        invocation.print(crate::text::terminal(&text))?;
        return Ok(Exit::Clean);
    }
    let path = invocation.path(&arguments.brief);
    // Its page and its timeline stand for the brief beside them, as for `validate`.
    let beside = path.with_file_name("brief.yaml");
    let file = match path.is_dir() {
        true => path.join("brief.yaml"),
        false if path.is_file() && beside.is_file() => beside,
        false => path,
    };
    let inside = path_inside(context.ledger.root(), &file).filter(|_| !context.ledger.is_bare());
    // Of a link that is no file there would be nothing to say but that no handoff has its name.
    let own = match &inside {
        Some(path) => context.ledger.read_checkout(path)?,
        None => None,
    };
    let (brief, confirmed) = if arguments.brief.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)?;
        (parse(&bytes, "standard input")?, ConfirmedAnswers::default())
    } else if let (Some(bytes), Some(path)) = (own, inside) {
        let beside = |name: &str| {
            let beside = Path::new(&path).with_file_name(name);
            context.ledger.read_checkout(&beside.to_string_lossy())
        };
        let (sources, timeline) = (beside(BriefSources::FILE)?, beside("timeline.yaml")?);
        let confirmed = confirmed(sources.as_deref(), timeline.as_deref());
        (parse(&bytes, &path)?, confirmed)
    } else if file.is_file() {
        let beside = |name: &str| std::fs::read(file.with_file_name(name)).ok();
        let (sources, timeline) = (beside(BriefSources::FILE), beside("timeline.yaml"));
        let confirmed = confirmed(sources.as_deref(), timeline.as_deref());
        let bytes = std::fs::read(&file).map_err(|error| {
            CliError::could_not(format!("{} cannot be read: {error}", file.display()))
                .help("let the user who runs this read it")
        })?;
        (parse(&bytes, &file.display().to_string())?, confirmed)
    } else {
        let key = find_key(&arguments.brief.to_string_lossy(), &context)?;
        let stored = stored_anywhere(&context, &key)?
            .ok_or_else(|| WorkflowError::NoHandoff(key.clone()))?;
        let none = || CliError::nothing(format!("{key} has no brief"));
        (stored.brief.ok_or_else(none)?, stored.confirmed)
    };
    invocation.print(context.render(&brief, &confirmed)?)?;
    Ok(Exit::Clean)
}

fn confirmed(sources: Option<&[u8]>, timeline: Option<&[u8]>) -> ConfirmedAnswers {
    let file = sources.map(|bytes| SourcesFile { bytes, blob_id });
    file.map(|file| file.confirmed(timeline)).unwrap_or_default()
}

fn parse(bytes: &[u8], name: &str) -> Result<Brief, CliError> {
    Brief::parse(bytes).map_err(|error| {
        CliError::could_not(format!("{name}:{}:{}: {}", error.line, error.column, error.message))
            .help("name a brief.yaml, a handoff's folder or a key")
    })
}
