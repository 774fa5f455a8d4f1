//! `handoff init`: a folder becomes a ledger that is ready to use.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use chrono_tz::{TZ_VARIANTS, Tz};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use dialoguer::console::Term;
use dialoguer::theme::SimpleTheme;
use dialoguer::{Confirm, Input, MultiSelect, Select};
use futures_util::FutureExt as _;

use super::error::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::offered::Offered;
use crate::config::{Config, FILE_NAME};
use crate::crm::CRMS;
use crate::crm::export::FileSettings;
use crate::ledger::{Ledger, LedgerError};
use crate::text::{nearest, quoted, shell_word};
use crate::time::CalendarConfig;
use crate::webhook::Route;
use crate::workflow::{self, Laid, Setup};

/// The arguments of `init`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder; made if it is not there [default: the current one]
    dir: Option<PathBuf>,
    /// Where deals come from
    #[arg(long, value_name = "CRM", value_parser = crm_parser())]
    crm: Option<String>,
    /// The export file, for `--crm file` [default: deals.csv]
    #[arg(long, value_name = "FILE")]
    deals: Option<String>,
    /// Which e-signatures start a handoff, or `none`; may be given several times [default: pandadoc]
    #[arg(long, value_name = "PROVIDER", value_delimiter = ',', value_parser = Offered(providers))]
    esign: Vec<String>,
    /// The GitHub repository for the CSM's tasks
    #[arg(long, value_name = "OWNER/REPO")]
    github: Option<String>,
    /// A CSM: `Sam Lee <sam@example.com> @samlee`; may be given several times
    #[arg(long, value_name = "PERSON")]
    csm: Vec<String>,
    /// The company's time zone, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The hours in which the first touch is due, Monday to Friday: `09:00-17:00` [default: day and night]
    #[arg(long, value_name = "HOURS")]
    hours: Option<String>,
    /// Words in the names of documents that are contracts; may be given several times
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    contract: Vec<String>,
    /// Set up no ledger: make the git server's repository DIR record who pushed what, and when
    #[arg(long, conflicts_with_all = ["crm", "esign", "github", "csm", "yes"])]
    server_hook: bool,
    /// Only make the workflows again, as handoff.yaml asks for them
    #[arg(long, conflicts_with_all = ["crm", "esign", "github", "csm"])]
    workflows: bool,
    /// Where the workflows get handoff from: `https://…#sha256=…`, a file in the ledger, or `cargo`
    #[arg(long, value_name = "URL|PATH|cargo")]
    install_from: Option<String>,
    /// Ask nothing; take the defaults. Never lets handoff write to the CRM
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

/// The word for no e-signature provider.
const NO_ESIGN: &str = "none";

fn providers() -> Vec<&'static str> {
    crate::esign::Providers::default().iter().map(Route::name).chain([NO_ESIGN]).collect()
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let dir = arguments
        .dir
        .as_ref()
        .map_or_else(|| invocation.folder.clone(), |dir| invocation.path(dir));
    let named = arguments.dir.as_deref().unwrap_or(&invocation.folder);
    not_a_file(&dir, named)?;
    if arguments.server_hook {
        return lay_server_hook(&dir, invocation);
    }
    if Ledger::open(&dir).is_ok_and(|ledger| ledger.is_bare()) {
        return Err(CliError::usage(format!("{} is a bare repository", dir.display()))
            .help("run `handoff init` in a clone of it, and push"));
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
        && !dir.join(FILE_NAME).exists();
    let mut setup = from_flags(arguments)?;
    let within = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if setup.crm == "file"
        && environment.get("HANDOFF_EXPORTS").is_none()
        && !Path::new(&setup.deals).components().all(within)
    {
        return Err(CliError::usage(format!(
            "--deals {}: settings name no file outside of the ledger",
            setup.deals
        ))
        .help("copy the export into the ledger's folder and name it there, or set HANDOFF_EXPORTS to its folder"));
    }
    setup.install_from = install_from;
    setup.workflows = arguments.workflows;
    if asks {
        let asked = ask(&dir, invocation, setup);
        // A prompt that was left hides the cursor; nobody is told when the terminal is gone.
        let _ = Term::stderr().show_cursor();
        setup = asked.map_err(|error| {
            CliError::usage(format!("init was stopped, and nothing was created{}", why(&error)))
                .help("run `handoff init` again, or say everything at once: handoff init --help")
        })?;
    }
    let was_there = dir.join(FILE_NAME).exists();
    if !was_there {
        workflow::check_setup(&setup).map_err(|problem| {
            let error = CliError::usage(problem.message);
            match problem.help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
    }
    let laid = workflow::init(&dir, &setup, invocation.now)?;
    if was_there {
        warn_of_unused(arguments, invocation);
        as_configured(&dir, &mut setup);
    }
    report(&dir, &laid, &setup, invocation)?;
    let export = dir.join(&setup.deals);
    if asks && setup.crm == "file" && export.is_file() && audit_now(&setup.deals) {
        return first_audit(&dir, &setup.deals, invocation);
    }
    Ok(Exit::Clean)
}

/// Refuses a file where a folder is meant.
pub(super) fn not_a_file(dir: &Path, named: &Path) -> Result<(), CliError> {
    match dir.exists() && !dir.is_dir() {
        true => Err(CliError::usage(format!("{} is a file, not a folder", named.display()))
            .help("name a folder; it is made if it is not there")),
        false => Ok(()),
    }
}

/// Says which options were not taken, because there are settings already.
fn warn_of_unused(arguments: &Arguments, invocation: &Invocation) {
    let given = [
        ("--crm", arguments.crm.is_some()),
        ("--deals", arguments.deals.is_some()),
        ("--esign", !arguments.esign.is_empty()),
        ("--github", arguments.github.is_some()),
        ("--csm", !arguments.csm.is_empty()),
        ("--timezone", arguments.timezone.is_some()),
        ("--hours", arguments.hours.is_some()),
        ("--contract", !arguments.contract.is_empty()),
    ];
    let given: Vec<&str> = given.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    if !given.is_empty() {
        invocation.warn(format!(
            "warning: {FILE_NAME} is there already and was not changed: {} not taken over; write it there by hand",
            match given.as_slice() {
                [one] => format!("{one} was"),
                several => format!("{} were", several.join(", ")),
            }
        ));
    }
}

/// What the settings that are there say of what is told at the end.
fn as_configured(dir: &Path, setup: &mut Setup) {
    let text = std::fs::read(dir.join(FILE_NAME)).unwrap_or_default();
    let Ok(config) = Config::parse(&text) else { return };
    setup.crm = config.crm.row().map_or(NO_CRM, |row| row.name).to_owned();
    if let Some(file) = config.crm.file() {
        setup.deals = file.deals.display().to_string();
    }
    let csms = config.team.csms.iter();
    setup.csms = csms
        .map(|csm| workflow::SetupPerson { name: csm.name.clone(), ..Default::default() })
        .collect();
}

/// A second clock for `handoff audit`, on a git server of one's own.
fn lay_server_hook(dir: &Path, invocation: &Invocation) -> Result<Exit, CliError> {
    let laid = crate::ledger::lay_hook(dir).map_err(|error| match error {
        LedgerError::NotFound { .. } => CliError::usage(error.to_string())
            .help("name the repository on the git server, such as /srv/git/handoffs.git"),
        error => error.into(),
    })?;
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

/// Asks on a thread of its own, so that an interrupt ends the questions whenever
/// it comes: between two keys no prompt would see it.
fn ask(dir: &Path, invocation: &Invocation, mut setup: Setup) -> Result<Setup, dialoguer::Error> {
    let (dir, invocation) = (dir.to_path_buf(), invocation.clone());
    let (send, receive) = tokio::sync::oneshot::channel();
    let stopped = || Err(std::io::Error::from(std::io::ErrorKind::Interrupted).into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        // It listens from the first look on, which is to be before the first question.
        let _ = interrupted.as_mut().now_or_never();
        std::thread::spawn(move || {
            let asked = Conversation { dir: &dir, invocation: &invocation }.hold(&mut setup);
            // Nobody waits any more after an interrupt.
            let _ = send.send(asked.map(|()| setup));
        });
        tokio::select! {
            biased;
            _ = interrupted => stopped(),
            asked = receive => asked.unwrap_or_else(|_| stopped()),
        }
    })
}

fn audit_now(deals: &str) -> bool {
    let asked = Confirm::new()
        .with_prompt(format!("Audit {deals} now? It writes nothing"))
        .default(true)
        .interact();
    // The ledger is made; an answer that does not come is no.
    let _ = Term::stderr().show_cursor();
    asked.unwrap_or(false)
}

/// The audit that the last question offers.
fn first_audit(dir: &Path, deals: &str, invocation: &Invocation) -> Result<Exit, CliError> {
    let mut inside = invocation.clone();
    inside.folder = dir.to_path_buf();
    inside.environment.cwd = dir.to_path_buf();
    super::audit::run_plain(deals.into(), &inside)
}

/// What to give for `--esign` instead of a name that is none of the built-in ones.
fn no_such_provider(name: &str, known: &[&str]) -> String {
    if crate::esign::sender::known_names().any(|sender| sender == name) {
        return format!(
            "give `--esign {NO_ESIGN}`, and name it in handoff.yaml: `esign: {{senders: {{{name}: {{}}}}}}`"
        );
    }
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the providers are {}; docs/esign.md has more senders", known.join(", ")),
    }
}

/// What the flags say, checked; the rest by its default.
fn from_flags(arguments: &Arguments) -> Result<Setup, CliError> {
    let mut esign = match arguments.esign.is_empty() {
        true => vec!["pandadoc".to_owned()],
        false => arguments.esign.clone(),
    };
    let mut seen = BTreeSet::new();
    esign.retain(|name| seen.insert(name.clone()));
    let known = providers();
    for name in &esign {
        if !known.contains(&name.as_str()) {
            return Err(CliError::usage(format!("--esign {name}: there is no such provider"))
                .help(no_such_provider(name, &known)));
        }
    }
    if esign.len() > 1 && esign.iter().any(|name| name == NO_ESIGN) {
        return Err(CliError::usage(format!("--esign {}: `none` stands alone", esign.join(",")))
            .help("name the providers, or `none` where handoffs begin with a form or in the CRM"));
    }
    esign.retain(|name| name != NO_ESIGN);
    let usage = |option: &str, problem: String| CliError::usage(format!("{option}: {problem}"));
    Ok(Setup {
        crm: arguments.crm.clone().unwrap_or_else(|| NO_CRM.to_owned()),
        deals: arguments.deals.clone().unwrap_or_else(|| "deals.csv".to_owned()),
        esign,
        github: arguments.github.as_deref().map(repository).transpose()?,
        csms: arguments.csm.iter().map(|text| person(text)).collect::<Result<_, _>>()?,
        timezone: match &arguments.timezone {
            Some(zone) => Some(time_zone(zone).map_err(|it| usage("--timezone", it))?),
            None => None,
        },
        hours: match &arguments.hours {
            Some(hours) => Some(working_hours(hours).map_err(|it| usage("--hours", it))?),
            None => None,
        },
        contracts: match arguments
            .contract
            .iter()
            .flat_map(|text| text.split(';'))
            .filter(|text| !text.trim().is_empty())
            .map(contract_words)
            .collect()
        {
            Ok(words) => words,
            Err(problem) => return Err(usage("--contract", problem)),
        },
        update_closed_won: false,
        install_from: None,
        workflows: false,
    })
}

/// The questions of `init`, each checked before the next is asked.
struct Conversation<'a> {
    dir: &'a Path,
    invocation: &'a Invocation,
}

impl Conversation<'_> {
    fn hold(&self, setup: &mut Setup) -> Result<(), dialoguer::Error> {
        let exports = self.exports();
        let (words, titles): (Vec<&str>, Vec<&str>) = crm_choices().unzip();
        // An export that lies here is the likeliest answer.
        let likely = words.iter().position(|word| *word == "file").filter(|_| !exports.is_empty());
        let crm = Select::with_theme(&SimpleTheme)
            .with_prompt("Your CRM, or where your deals are")
            .items(&titles)
            .default(likely.unwrap_or(0))
            .interact()?;
        setup.crm = words[crm].to_owned();
        if setup.crm == "file" {
            setup.deals = self.export(&exports)?;
        }
        let known: Vec<&str> = crate::esign::Providers::default().iter().map(Route::name).collect();
        let picked = MultiSelect::with_theme(&SimpleTheme)
            .with_prompt("E-signature providers (space selects, return continues)")
            .items(&known)
            .interact()?;
        setup.esign = picked.into_iter().map(|index| known[index].to_owned()).collect();
        setup.contracts = self.contracts(setup)?;
        let api = crate::crm::row(&setup.crm).is_some_and(|row| !row.secrets.is_empty());
        if api && !setup.contracts.is_empty() {
            setup.update_closed_won = Confirm::with_theme(&SimpleTheme)
                .with_prompt("May a signed contract move its deal to Closed Won in the CRM?")
                .default(false)
                .interact()?;
        }
        setup.timezone = Some(self.text("The company's time zone", Some(self.zone()), |text| {
            time_zone(text).map(|_| ())
        })?);
        let hours = self.text(
            "Working hours for first touches, Monday to Friday (24h for day and night)",
            Some("09:00-17:00".to_owned()),
            |text| match text {
                "24h" => Ok(()),
                text => working_hours(text).map(|_| ()),
            },
        )?;
        setup.hours = Some(hours).filter(|hours| hours != "24h");
        let github = self.text(
            "GitHub repository for the CSM's tasks, owner/repo (empty: none yet)",
            self.remote(),
            |text| {
                let github = match text {
                    "" => None,
                    text => Some(repository(text).map_err(words_of)?),
                };
                sound(&Setup { github, ..setup.clone() })
            },
        )?;
        setup.github = Some(github).filter(|text| !text.is_empty());
        setup.csms = self.csms(setup)?;
        Ok(())
    }

    /// A line of text, asked again until it is right.
    fn text(
        &self,
        prompt: &str,
        default: Option<String>,
        check: impl Fn(&str) -> Result<(), String> + Clone,
    ) -> Result<String, dialoguer::Error> {
        let mut input = Input::<String>::with_theme(&SimpleTheme)
            .with_prompt(prompt)
            .allow_empty(true)
            .validate_with(move |text: &String| check(text.trim()));
        if let Some(default) = default {
            input = input.default(default);
        }
        input.interact_text().map(|text| text.trim().to_owned())
    }

    /// The files here that read as exports of deals.
    fn exports(&self) -> Vec<String> {
        let Ok(entries) = self.dir.read_dir() else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| self.check_export(name).is_ok()).collect();
        names.sort();
        names
    }

    fn check_export(&self, name: &str) -> Result<(), String> {
        let lower = name.to_lowercase();
        if ![".csv", ".json", ".xlsx", ".zip", ".gz"].iter().any(|end| lower.ends_with(end)) {
            return Err("an export is a .csv, .json or .xlsx file".to_owned());
        }
        match crate::crm::open_file(FileSettings::of(name), self.dir, None) {
            Ok(_) => Ok(()),
            Err(error) => Err(crate::text::one_line(&error.to_string())),
        }
    }

    fn export(&self, found: &[String]) -> Result<String, dialoguer::Error> {
        let default = found.first().cloned().unwrap_or_else(|| "deals.csv".to_owned());
        let there = self.dir.to_path_buf();
        let later = default.clone();
        self.text("Export file", Some(default), move |text| {
            // The default may be put there later; another name must be right.
            if text == later && !there.join(text).exists() {
                return Ok(());
            }
            Conversation { dir: &there, invocation: self.invocation }.check_export(text)
        })
    }

    fn contracts(&self, setup: &Setup) -> Result<Vec<String>, dialoguer::Error> {
        let each = |text: &str| -> Vec<String> {
            let words = text.split([',', ';']).map(str::trim);
            words.filter(|it| !it.is_empty()).map(str::to_owned).collect()
        };
        let text = self.text(
            "Words in the names of your contracts, such as: order form, agreement (empty: decide later)",
            None,
            |text| {
                contract_words(text)?;
                sound(&Setup { contracts: each(text), ..setup.clone() })
            },
        )?;
        Ok(each(&text))
    }

    fn csms(&self, setup: &Setup) -> Result<Vec<workflow::SetupPerson>, dialoguer::Error> {
        let mut so_far = setup.clone();
        loop {
            let prompt = match so_far.csms.len() {
                0 => "A CSM: Sam Lee <sam@example.com> @samlee (empty: none yet)",
                _ => "Another CSM (empty: that is all)",
            };
            let text = self.text(prompt, None, |text| match text {
                "" => Ok(()),
                text => {
                    let mut next = so_far.clone();
                    next.csms.push(person(text).map_err(words_of)?);
                    sound(&next)
                }
            })?;
            match person(&text) {
                Ok(person) if !text.is_empty() => so_far.csms.push(person),
                _ => return Ok(so_far.csms),
            }
        }
    }

    /// The repository that this folder is pushed to, where it is one of GitHub's.
    fn remote(&self) -> Option<String> {
        let ledger = Ledger::open(self.dir).ok()?;
        let url = ledger.web_url("")?;
        let rest = url.strip_prefix("https://github.com/")?;
        let mut parts = rest.split('/');
        let name = format!("{}/{}", parts.next()?, parts.next()?);
        repository(&name).ok()
    }

    /// The zone of this machine, where it says so.
    fn zone(&self) -> String {
        let told = self.invocation.environment.get("TZ").map(|zone| zone.trim_start_matches(':'));
        let linked = std::fs::read_link("/etc/localtime").ok();
        let linked = linked.as_deref().and_then(Path::to_str);
        let linked = linked.and_then(|path| path.split("zoneinfo/").nth(1));
        let zone = told.or(linked).filter(|zone| zone.parse::<Tz>().is_ok());
        zone.unwrap_or("UTC").to_owned()
    }
}

/// Whether all that was said so far makes settings that can be used.
fn sound(setup: &Setup) -> Result<(), String> {
    workflow::check_setup(setup).map_err(|problem| match problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message,
    })
}

/// What stopped the questions, where that was not the person at them.
fn why(error: &dialoguer::Error) -> String {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        std::io::ErrorKind::Interrupted => String::new(),
        _ => format!(": {error}"),
    }
}

/// An error in one line, for a prompt.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn words_of(error: CliError) -> String {
    match &error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message.clone(),
    }
}

/// Words that stand in a rule as they are.
fn contract_words(text: &str) -> Result<String, String> {
    match text.contains(['\'', '"', '\\', '{', '}']) {
        true => Err("write the words alone, with commas between them".to_owned()),
        false => Ok(text.trim().to_owned()),
    }
}

fn time_zone(text: &str) -> Result<String, String> {
    if text.parse::<Tz>().is_ok() {
        return Ok(text.to_owned());
    }
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let tail =
        |name: &&str| name.rsplit('/').next().is_some_and(|it| it.eq_ignore_ascii_case(text));
    let city = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    // Of two or three letters everything is near.
    let near = names.clone().find(tail).or_else(|| {
        let near = nearest(text, names.clone().chain(names.clone().map(city)))?;
        names.clone().find(|name| *name == near || city(name) == near).filter(|_| text.len() > 3)
    });
    let meant = near.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    Err(format!("{} is not a time zone such as Europe/Berlin{meant}", quoted(text)))
}

fn working_hours(text: &str) -> Result<String, String> {
    let calendar = CalendarConfig {
        timezone: "UTC".to_owned(),
        days: vec!["mon".to_owned()],
        hours: text.to_owned(),
        holidays: Vec::new(),
    };
    match calendar.check() {
        Ok(_) => Ok(text.to_owned()),
        Err(problems) => {
            Err(problems.into_iter().map(|it| it.message).collect::<Vec<_>>().join("; "))
        }
    }
}

/// `owner/repo`, checked.
fn repository(text: &str) -> Result<String, CliError> {
    let valid = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    match text.split_once('/') {
        Some((owner, name)) if valid(owner) && valid(name) => Ok(text.to_owned()),
        _ => Err(CliError::usage(format!("`{text}` is not a GitHub repository"))
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
    let wrong = if person.name.is_empty() {
        "has no name"
    } else if person.name.contains(['<', '>']) {
        "has an e-mail address without an @"
    } else if person.github.as_deref() == Some("") {
        "has an @ without a login"
    } else {
        return Ok(person);
    };
    Err(CliError::usage(format!("`{text}` {wrong}"))
        .help("write it as: Sam Lee <sam@example.com> @samlee"))
}

fn report(dir: &Path, laid: &Laid, setup: &Setup, invocation: &Invocation) -> Result<(), CliError> {
    let mut text = String::new();
    // Without the `.` of `handoff init .`.
    let dir: PathBuf = dir.components().collect();
    let shown = dir.display();
    if setup.workflows {
        for (word, files) in [("made", &laid.made), ("removed", &laid.removed)] {
            for file in files {
                text.push_str(&format!("{word:<8} {file}\n"));
            }
        }
        if laid.made.is_empty() && laid.removed.is_empty() {
            text.push_str(match laid.kept.as_slice() {
                [] => "the workflows are as handoff.yaml asks for; nothing was changed\n",
                _ => "nothing was changed\n",
            });
        }
        for remark in &laid.remarks {
            invocation.warn(format!("note: {remark}"));
        }
        invocation.print(text)?;
        return Ok(());
    }
    if laid.made.is_empty() {
        text.push_str(&format!("{shown} is a ledger already; nothing was missing.\n"));
    } else {
        text.push_str(&format!("{shown} is set up as a ledger. Created:\n"));
        for file in &laid.made {
            text.push_str(&format!("  {file}\n"));
        }
        if !laid.kept.is_empty() {
            text.push_str(&format!("Left unchanged: {}\n", laid.kept.join(", ")));
        }
    }
    for remark in &laid.remarks {
        invocation.warn(format!("note: {remark}"));
    }
    text.push_str("\nNext:\n");
    let there = invocation.environment.folder_here(&dir);
    let called_in: PathBuf = invocation.environment.called_in.components().collect();
    if dir != called_in {
        text.push_str(&format!("  cd {there}\n"));
    }
    for (command, what) in next(&dir, setup) {
        text.push_str(&format!("  {command:<44}  {what}\n"));
    }
    if setup.csms.is_empty() {
        text.push_str(
            "Name your CSMs in handoff.yaml, under `team:`; until then nobody is assigned.\n",
        );
    }
    invocation.print(text)
}

/// The three commands that come next, for what was chosen.
fn next(dir: &Path, setup: &Setup) -> [(String, &'static str); 3] {
    let own = |line: &str| line.to_owned();
    if setup.crm != "file" {
        let first = match setup.crm.as_str() {
            NO_CRM => (own("handoff schema brief"), "what a brief answers"),
            _ => (own("handoff coverage"), "which questions the CRM's data answers"),
        };
        return [
            (own("handoff doctor --offline"), "which secrets you still have to set"),
            first,
            (own("handoff demo"), "the whole story of a small company, in its own folder"),
        ];
    }
    let file = shell_word(&setup.deals);
    if !dir.join(&setup.deals).exists() {
        return [
            (format!("cp EXPORT {file}"), "put an export of your deals here"),
            (own("handoff doctor --offline"), "what the settings still lack"),
            (own("handoff demo"), "the whole story of a small company, in its own folder"),
        ];
    }
    [
        (format!("handoff coverage --deals {file} --write"), "maps your own columns"),
        (format!("handoff backfill --deals {file} --dry-run"), "which briefs would be made"),
        (format!("handoff audit --deals {file}"), "every deal in one class"),
    ]
}
