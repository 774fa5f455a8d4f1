//! What completions and help offer for an argument: known words, handoffs, files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::environment::Environment;
use crate::ledger::Ledger;

/// Any text, with words that completions and help offer: what is wrong with
/// another one is said by who knows.
#[derive(Debug, Clone)]
pub(super) struct Offered(pub(super) fn() -> Vec<&'static str>);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// A count from one on, in words of its own where it is none.
///
/// # Errors
/// When it is no such number.
pub(super) fn count_from_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number from 1 on, such as 3".to_owned())
}

/// How many handoffs are offered at once.
const MOST: usize = 100;

/// How long a shell waits for them.
const PATIENCE: Duration = Duration::from_millis(700);

/// Gives the arguments of a command what they take by the name of their value:
/// a KEY is completed from the ledger, a FILE from the disk.
pub(super) fn completed(command: Command) -> Command {
    let argument = |argument: Arg| {
        let names = argument.get_value_names().unwrap_or_default();
        let Some(name) = names.first().map(|name| name.as_str().to_owned()) else {
            return argument;
        };
        match name.as_str() {
            "KEY" | "KEY|PERSON" | "BRIEF|KEY" => argument.add(ArgValueCompleter::new(handoffs)),
            "DIR" => argument.value_hint(ValueHint::DirPath),
            "FILE" | "EVENT" | "PATH|KEY" => argument.value_hint(ValueHint::AnyPath),
            _ => argument,
        }
    };
    command.mut_args(argument).mut_subcommands(completed)
}

/// The handoffs of the ledger around the current folder whose key or customer
/// begins with a word. Says nothing where there is no ledger, or it is slow.
fn handoffs(word: &OsStr) -> Vec<CompletionCandidate> {
    let Some(word) = word.to_str().map(str::to_lowercase) else { return Vec::new() };
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = send.send(matching(&word).unwrap_or_default());
    });
    receive.recv_timeout(PATIENCE).unwrap_or_default()
}

fn matching(word: &str) -> Option<Vec<CompletionCandidate>> {
    let ledger = Ledger::open(&folder()?).ok()?;
    let (folders, _) = ledger.folders(None).ok()?.into_parts();
    let mut found = BTreeMap::new();
    for key in ledger.draft_keys().unwrap_or_default() {
        if key.as_str().starts_with(word) {
            found.insert(key.to_string(), "a draft".to_owned());
        }
    }
    // The newest month is last by path.
    for folder in folders.iter().rev() {
        let name = folder.path.rsplit('/').next().unwrap_or_default();
        let Some((customer, _)) = name.rsplit_once("--") else { continue };
        let Some(key) = folder.key.as_ref().map(ToString::to_string) else { continue };
        if key.starts_with(word) {
            found.insert(key, customer.to_owned());
        } else if customer.starts_with(word) {
            found.insert(customer.to_owned(), key);
        }
        if found.len() == MOST {
            break;
        }
    }
    let candidate =
        |(value, help): (String, String)| CompletionCandidate::new(value).help(Some(help.into()));
    Some(found.into_iter().map(candidate).collect())
}

/// The folder that the command on the line would start from.
fn folder() -> Option<PathBuf> {
    let here = Environment::read().ok()?.cwd;
    let mut words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        let given = match text {
            "-C" | "--directory" => words.next(),
            _ => text.strip_prefix("--directory=").or(text.strip_prefix("-C")).map(Into::into),
        };
        if let Some(given) = given {
            return Some(here.join(given));
        }
    }
    Some(here)
}
