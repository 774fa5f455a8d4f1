//! `handoff render`: a brief's page anew.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::keys::find_key;
use super::open::{Ports, open};
use crate::brief::Brief;
use crate::workflow::{WorkflowError, path_inside, stored_anywhere};

/// The arguments of `render`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A brief.yaml, its folder, or a key; `-` for standard input
    #[arg(value_name = "BRIEF|KEY")]
    brief: String,
    /// Print what each target would be sent, instead of the page; needs a key
    #[arg(long)]
    preview: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let context = open(invocation, Ports::default())?;
    if arguments.preview {
        let key = find_key(&arguments.brief, &context)?;
        let stored = stored_anywhere(&context, &key)?
            .ok_or_else(|| WorkflowError::NoHandoff(key.clone()))?;
        let text = super::preview::preview(&context, &key, &stored, invocation)?;
        invocation.print(crate::text::terminal(&text))?;
        return Ok(Exit::Clean);
    }
    let path = invocation.path(arguments.brief.as_ref());
    let file = if path.is_dir() { path.join("brief.yaml") } else { path };
    let inside = path_inside(context.ledger.root(), &file).filter(|_| !context.ledger.is_bare());
    // Of a link that is no file there would be nothing to say but that no handoff has its name.
    let own = match &inside {
        Some(path) => context.ledger.read_checkout(path)?,
        None => None,
    };
    let brief = if arguments.brief == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)?;
        parse(&bytes, "standard input")?
    } else if let (Some(bytes), Some(path)) = (own, inside) {
        parse(&bytes, &path)?
    } else if file.is_file() {
        parse(&std::fs::read(&file)?, &file.display().to_string())?
    } else {
        let key = find_key(&arguments.brief, &context)?;
        let stored = stored_anywhere(&context, &key)?
            .ok_or_else(|| WorkflowError::NoHandoff(key.clone()))?;
        stored.brief.ok_or_else(|| CliError::nothing(format!("{key} has no brief")))?
    };
    invocation.print(context.render(&brief)?)?;
    Ok(Exit::Clean)
}

fn parse(bytes: &[u8], name: &str) -> Result<Brief, CliError> {
    Brief::parse(bytes).map_err(|error| {
        CliError::could_not(format!("{name}:{}:{}: {}", error.line, error.column, error.message))
    })
}
