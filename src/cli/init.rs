//! `handoff init`: a folder becomes a ledger that is ready to use.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use dialoguer::{Input, MultiSelect, Select};

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use crate::crm::CRMS;
use crate::webhook::Route;
use crate::workflow::{self, Laid};

/// The arguments of `init`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder; made if it is not there [default: the current one]
    dir: Option<PathBuf>,
    /// Where deals come from
    #[arg(long, value_name = "CRM", value_parser = crm_parser())]
    crm: Option<String>,
    /// The export file, for `--crm file`
    #[arg(long, value_name = "FILE", default_value = "deals.csv")]
    deals: String,
    /// Which e-signatures start a handoff; may be given several times
    #[arg(long, value_name = "PROVIDER", value_delimiter = ',')]
    esign: Vec<String>,
    /// The GitHub repository for the CSM's tasks
    #[arg(long, value_name = "OWNER/REPO")]
    github: Option<String>,
    /// A CSM: `Sam Lee <sam@example.com> @samlee`; may be given several times
    #[arg(long, value_name = "PERSON")]
    csm: Vec<String>,
    /// Make no ledger: have the git server's repository DIR keep who pushed what, and when
    #[arg(long, conflicts_with_all = ["crm", "esign", "github", "csm", "yes"])]
    server_hook: bool,
    /// Make the workflows again as handoff.yaml asks for them, and nothing else
    #[arg(long, conflicts_with_all = ["crm", "esign", "github", "csm"])]
    workflows: bool,
    /// Where the workflows get handoff from: `https://…#sha256=…`, a file in the ledger, or `cargo`
    #[arg(long, value_name = "URL|PATH|cargo")]
    install_from: Option<String>,
    /// Ask nothing; take the defaults
    #[arg(short, long)]
    yes: bool,
}

/// The word for no CRM.
const NO_CRM: &str = "none";

/// Where deals may come from: a word for `--crm` each, and a title for people.
fn crm_choices() -> impl Iterator<Item = (&'static str, &'static str)> {
    let none = (NO_CRM, "none: briefs hold what the signed document says");
    CRMS.iter().map(|row| (row.name, row.title)).chain([none])
}

fn crm_parser() -> PossibleValuesParser {
    PossibleValuesParser::new(
        crm_choices().map(|(name, title)| PossibleValue::new(name).help(title)),
    )
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let dir = arguments
        .dir
        .as_ref()
        .map_or_else(|| invocation.folder.clone(), |dir| invocation.folder.join(dir));
    if arguments.server_hook {
        return lay_server_hook(&dir, invocation);
    }
    let environment = &invocation.environment;
    let install_from = arguments.install_from.as_deref().map(workflow::InstallFrom::parse);
    let install_from = install_from
        .transpose()
        .map_err(|why| CliError::usage(format!("--install-from: {why}")))?;
    if arguments.workflows && !dir.join(crate::config::FILE_NAME).exists() {
        return Err(CliError::usage(format!("{} holds no handoff.yaml", dir.display()))
            .help("run `handoff init` first, without --workflows"));
    }
    let asks = !arguments.yes
        && !arguments.workflows
        && environment.stdin_is_terminal
        && environment.stderr_is_terminal
        && arguments.crm.is_none()
        && arguments.esign.is_empty()
        && arguments.csm.is_empty()
        && !dir.join(crate::config::FILE_NAME).exists();
    let answers = if asks { ask(arguments)? } else { Answers::from_flags(arguments)? };
    let setup = workflow::Setup {
        crm: answers.crm,
        deals: arguments.deals.clone(),
        esign: answers.esign,
        github: answers.github,
        csms: answers.csms,
        install_from,
        workflows: arguments.workflows,
    };
    let laid = workflow::init(&dir, &setup, invocation.now)?;
    report(&dir, &laid, &setup, invocation)
}

/// A second clock for `handoff audit`, on a git server of one's own.
fn lay_server_hook(dir: &Path, invocation: &Invocation) -> Result<Exit, CliError> {
    let laid = crate::ledger::lay_hook(dir)?;
    let log = laid.repository.join(crate::ledger::PUSH_LOG);
    invocation.print(crate::text::terminal(&format!(
        "Every push is noted in {}.\nCopy it to whoever audits: handoff audit --clock {}\n",
        log.display(),
        crate::ledger::PUSH_LOG
    )))?;
    if laid.is_run {
        return Ok(Exit::Clean);
    }
    Err(CliError::could_not(format!(
        "git runs another hooks/post-receive there, so {} is not run yet",
        crate::ledger::HOOK
    ))
    .help(format!(
        "put these two lines behind its first one: lines=$(cat) and printf '%s\\n' \"$lines\" | \"$(dirname \"$0\")/{}\"; what follows reads \"$lines\"",
        crate::ledger::HOOK
    )))
}

struct Answers {
    crm: String,
    esign: Vec<String>,
    github: Option<String>,
    csms: Vec<workflow::SetupPerson>,
}

impl Answers {
    fn from_flags(arguments: &Arguments) -> Result<Self, CliError> {
        let esign = if arguments.esign.is_empty() {
            vec!["pandadoc".to_owned()]
        } else {
            arguments.esign.clone()
        };
        let known: Vec<&str> = crate::esign::Providers::default().iter().map(Route::name).collect();
        for name in &esign {
            if !known.contains(&name.as_str()) {
                return Err(CliError::usage(format!("--esign {name}: there is no such provider"))
                    .help(format!("the providers are {}", known.join(", "))));
            }
        }
        Ok(Self {
            crm: arguments.crm.clone().unwrap_or_else(|| NO_CRM.to_owned()),
            esign,
            github: arguments.github.as_deref().map(repository).transpose()?,
            csms: arguments.csm.iter().map(|text| person(text)).collect::<Result<_, _>>()?,
        })
    }
}

fn ask(arguments: &Arguments) -> Result<Answers, CliError> {
    let asked = |error: dialoguer::Error| {
        CliError::usage(format!("the question was not answered: {error}"))
            .help("pass --yes, or the flags of `handoff init --help`")
    };
    let (words, titles): (Vec<&str>, Vec<&str>) = crm_choices().unzip();
    let crm = Select::new()
        .with_prompt("Where do your deals live?")
        .items(&titles)
        .default(0)
        .interact()
        .map_err(asked)?;
    let providers: Vec<&str> = crate::esign::Providers::default().iter().map(Route::name).collect();
    let picked = MultiSelect::new()
        .with_prompt("Which e-signatures start a handoff? (space to choose)")
        .items(&providers)
        .interact()
        .map_err(asked)?;
    let github: String = Input::new()
        .with_prompt("GitHub repository for the CSM's tasks (owner/repo; empty for none yet)")
        .allow_empty(true)
        .interact_text()
        .map_err(asked)?;
    let csm: String = Input::new()
        .with_prompt("The first CSM: Sam Lee <sam@example.com> @samlee (empty for none yet)")
        .allow_empty(true)
        .interact_text()
        .map_err(asked)?;
    Ok(Answers {
        crm: words[crm].to_owned(),
        esign: picked.into_iter().map(|index| providers[index].to_owned()).collect(),
        github: Some(github.trim())
            .filter(|text| !text.is_empty())
            .map(repository)
            .transpose()?
            .or_else(|| arguments.github.clone()),
        csms: Some(csm.trim())
            .filter(|text| !text.is_empty())
            .map(person)
            .transpose()?
            .into_iter()
            .collect(),
    })
}

/// `owner/repo`, checked.
fn repository(text: &str) -> Result<String, CliError> {
    let valid = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    match text.split_once('/') {
        Some((owner, name)) if valid(owner) && valid(name) => Ok(text.to_owned()),
        _ => Err(CliError::usage(format!("`{text}` is no GitHub repository"))
            .help("write it as owner/repo, such as acme/handoffs")),
    }
}

/// `Sam Lee <sam@example.com> @samlee`: a name, then what is known of the rest.
fn person(text: &str) -> Result<workflow::SetupPerson, CliError> {
    let mut person = workflow::SetupPerson::default();
    let mut name = Vec::new();
    for word in text.split_whitespace() {
        if let Some(login) = word.strip_prefix('@') {
            person.github = Some(login.to_owned());
        } else if word.contains('@') {
            person.email = Some(word.trim_matches(['<', '>']).to_owned());
        } else {
            name.push(word);
        }
    }
    person.name = name.join(" ");
    if person.name.is_empty() {
        return Err(CliError::usage(format!("`{text}` has no name"))
            .help("write it as: Sam Lee <sam@example.com> @samlee"));
    }
    Ok(person)
}

fn report(
    dir: &Path,
    laid: &Laid,
    setup: &workflow::Setup,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let mut text = String::new();
    let shown = dir.display();
    if setup.workflows {
        for (word, files) in [("made", &laid.made), ("removed", &laid.removed)] {
            for file in files {
                text.push_str(&format!("{word:<8} {file}\n"));
            }
        }
        if laid.made.is_empty() && laid.removed.is_empty() {
            text.push_str("the workflows are as handoff.yaml asks for; nothing was changed\n");
        }
        for remark in &laid.remarks {
            invocation.warn(format!("note: {remark}"));
        }
        invocation.print(text)?;
        return Ok(Exit::Clean);
    }
    if laid.made.is_empty() {
        text.push_str(&format!("{shown} is a ledger already; nothing was missing.\n"));
    } else {
        text.push_str(&format!("{shown} is a ledger now. Made:\n"));
        for file in &laid.made {
            text.push_str(&format!("  {file}\n"));
        }
        if !laid.kept.is_empty() {
            text.push_str(&format!("Kept as they were: {}\n", laid.kept.join(", ")));
        }
    }
    for remark in &laid.remarks {
        invocation.warn(format!("note: {remark}"));
    }
    text.push_str("\nNext:\n");
    if setup.csms.is_empty() {
        text.push_str("  name your CSMs in handoff.yaml, under `team:`\n");
    }
    if setup.crm == "file" && !dir.join(&setup.deals).exists() {
        text.push_str(&format!("  put an export of your deals at {}\n", setup.deals));
    }
    text.push_str("  handoff sign EVENT.json     hand over a signed contract\n");
    text.push_str("  handoff validate            check every brief\n");
    text.push_str("  handoff demo                see it all once, in a folder of its own\n");
    invocation.print(text)?;
    Ok(Exit::Clean)
}
