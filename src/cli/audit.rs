//! `handoff audit`: the ledger's history against the closed-won deals.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use clap::{Args, ValueEnum};

use super::error::CliError;
use super::exit::Exit;
use super::formats::Formats;
use super::inbox_argument::{held_documents, inbox_counts};
use super::invocation::Invocation;
use super::open::{
    Ports, check_columns, committed_settings, config_at, is_in_ledger, no_ledger_for,
    on_committed_branch, open, open_deals, open_export, open_ledger, settings_beside,
    uncommitted_settings,
};
use super::progress::{Counting, DealsProgress};
use super::signatures;
use crate::audit::{AuditOutcome, AuditReport, Differences, LedgerInput};
use crate::config::AuditClock;
use crate::crm::Crm;
use crate::crm::export::Detail;
use crate::finding::Severity;
use crate::http::BaseUrl;
use crate::ledger::Ledger;
use crate::model::{Gap, HeldDocument, Population, PushRecord, Window, read_push_log};
use crate::report::{Format, audit_summary, render_audit, write_audit};
use crate::text::{shell_word, shorten};
use crate::time::{Edge, MomentError, parse_window, read_moment};
use crate::workflow::{self, AuditRequest, Clocks, Context, LedgersAt, RulesOfTime, Strictness};

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An export of the deals: CSV, JSON or a workbook; - for standard input [default: the CRM in handoff.yaml]
    #[arg(long, value_name = "FILE")]
    pub deals: Option<PathBuf>,
    /// Deals won from this day or moment on
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Deals won up to the end of this day, or before this moment
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Audit the past: a day, a moment, or a revision of the ledger [default: now]
    #[arg(long, value_name = "TIME|REV")]
    pub as_of: Option<String>,
    /// With --as-of: when the deals were exported. A won deal with a later close date had been won by then
    #[arg(long, value_name = "TIME", requires = "as_of")]
    exported_at: Option<String>,
    /// A ledger, if not the one around this folder; may be given several times
    #[arg(long, value_name = "DIR")]
    repo: Vec<PathBuf>,
    /// Ask the e-sign providers too: what was signed and has no handoff, or is not won. Needs --from
    #[arg(long)]
    signatures: bool,
    /// Exit 1 for findings of this severity or worse
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_level: Level,
    /// Leave a signed checkpoint and push it: later audits notice what was changed since
    #[arg(long)]
    checkpoint: bool,
    /// Get a timestamp (RFC 3161) for the checkpoint from the authority at this address; `handoff verify
    /// --tsa-trust` checks it. Needs the program openssl
    #[arg(long, value_name = "URL", requires = "checkpoint")]
    timestamp: Option<String>,
    /// Fail where there is no checkpoint, or one that is not signed by somebody in --trust
    #[arg(long, requires = "trust")]
    require_checkpoint: bool,
    /// Who may sign checkpoints: a file of git's allowed signers, kept outside of the ledger
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Whose clock decides when a brief arrived, instead of the dates in the commits: `github`, or a
    /// record of pushes; may be given several times [default: `audit.clock` in handoff.yaml]
    #[arg(long, value_name = "github|FILE")]
    clock: Vec<PathBuf>,
    /// Do not ask the ledger's remote for checkpoints, and push none
    #[arg(long)]
    offline: bool,
    /// Read everything again, without the cache in the git folder
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    formats: Formats,
}

/// A severity on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// Worth knowing.
    Info,
    /// Should be looked at.
    Warning,
    /// Must be fixed.
    Error,
}

impl Level {
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        }
    }
}

/// Refuses a file for --trust that is not there.
pub(super) fn check_trust(trust: Option<&Path>, invocation: &Invocation) -> Result<(), CliError> {
    let Some(file) = trust.filter(|file| !invocation.path(file).is_file()) else { return Ok(()) };
    Err(CliError::usage(format!("--trust {}: there is no such file", file.display()))
        .help("name a file of git's allowed signers, such as ssh-keygen(1) describes"))
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let formats = arguments.formats.check(&invocation.environment.cwd)?;
    check_trust(arguments.trust.as_deref(), invocation)?;
    if arguments.repo.is_empty() && !is_in_ledger(&invocation.folder)? {
        return match &arguments.deals {
            Some(deals) => without_ledger(deals, arguments, &formats, invocation),
            None => Err(no_ledger_for("audit", invocation)),
        };
    }
    let authority = arguments.timestamp.as_deref().map(|url| {
        BaseUrl::parse(url).map_err(|error| {
            CliError::usage(format!("--timestamp {}: {error}", shell_word(url)))
                .help("give the address of an authority that answers over https")
        })
    });
    let authority = authority.transpose()?;
    let made = make(arguments, invocation)?;
    Formats::write(&formats, invocation, &audit_summary(&made.report), |format, options, out| {
        write_audit(format, &made.report, options, out)
    })?;
    let mut exit = exit(&made.report, arguments.fail_level.severity());
    if arguments.checkpoint {
        let push = !arguments.offline;
        exit = exit.max(checkpoint(
            &made.context,
            &made.report,
            push,
            authority.as_ref(),
            invocation,
        )?);
    }
    // The process ends here: to give a hundred thousand deals back one by one
    // takes as long as to judge them.
    std::mem::forget((made.ledgers, made.population, made.report));
    Ok(exit)
}

/// An audit with what it was made from.
pub(super) struct AuditRun {
    context: Context,
    ledgers: Vec<LedgerInput>,
    population: Population,
    pub(super) report: AuditReport,
}

/// Makes the audit that the arguments ask for, in a ledger; writes nothing.
pub(super) fn make(arguments: &Arguments, invocation: &Invocation) -> Result<AuditRun, CliError> {
    let (mut first, more) = ledgers(arguments, invocation)?;
    // Nothing long is read where the export is not there: this fails then.
    let absent = |file: &&PathBuf| file.as_os_str() != "-" && !invocation.path(file).exists();
    if let Some(file) = arguments.deals.as_ref().filter(absent) {
        open_deals(Some(file), Detail::Whole, invocation, &first)?;
    }
    commit_settings(&mut first, arguments, invocation)?;
    let moment = as_of(arguments, &first.ledger, zone(&first), invocation)?;
    let trust = arguments.trust.as_deref().map(|file| invocation.path(file));
    let all: Vec<Ledger> = std::iter::once(first.ledger.clone()).chain(more).collect();
    let clocks = read_clocks(arguments, &first, &all, invocation)?;
    let at = LedgersAt {
        as_of: moment.as_of,
        cut: moment.cut,
        revision: moment.revision.as_deref(),
        cache: !arguments.no_cache,
        clocks: &clocks,
        checkpoints: Strictness {
            ask_remote: !arguments.offline,
            required: arguments.require_checkpoint,
            trust: trust.as_deref(),
            tsa_trust: None,
        },
    };
    let counting = Counting::start("reading the ledger's history", invocation);
    let ledgers = workflow::read_ledgers(&all, &at, &|commits| counting.at(commits))?;
    counting.finish();
    // The settings of the audited commit count.
    if let Some(head) = ledgers.first().filter(|ledger| ledger.absent.is_none()) {
        let config = match config_at(&first.ledger, &head.head.to_string()) {
            // Where somebody removed them, the ones before count.
            Ok(None) => workflow::last_settings(&first.ledger, head)?,
            // Of a moment at which they could not be read, the ones before count.
            Err(error) if arguments.as_of.is_some() => {
                Some(workflow::last_settings(&first.ledger, head)?.ok_or(error)?)
            }
            config => config?,
        };
        if let Some(config) = config {
            first.config = config;
        }
    }
    let window = parse_window(
        arguments.from.as_deref(),
        arguments.to.as_deref(),
        zone(&first),
        invocation.now,
    )
    .map_err(|error| CliError::usage(error.to_string()))?;
    let rules = RulesOfTime::of(&first.ledger, &ledgers[0], &first.config)?;
    for note in ledgers.iter().flat_map(|ledger| &ledger.notes) {
        invocation.warn(format!("warning: {note}"));
    }
    for ledger in ledgers.iter().filter(|ledger| ledger.unpushed > 0) {
        invocation.warn(format!(
            "warning: {} of this clone {} not on {} and {} not count; `handoff deliver` pushes {}",
            crate::model::count(ledger.unpushed, "commit"),
            if ledger.unpushed == 1 { "is" } else { "are" },
            ledger.branch,
            if ledger.unpushed == 1 { "does" } else { "do" },
            if ledger.unpushed == 1 { "it" } else { "them" },
        ));
    }
    let held = waiting(&first.ledger, arguments, invocation);
    // A document may name its deal by whatever property the deal has.
    let detail = match arguments.signatures {
        true => Detail::Whole,
        false => workflow::counted(&first.config, Some(&rules), &ledgers),
    };
    let source = open_deals(arguments.deals.as_ref(), detail, invocation, &first)?;
    let population = read_population(source.as_ref(), window, invocation)?;
    let signatures = if arguments.signatures {
        let asked =
            signatures::ask(&first, source.as_ref(), &population, window, moment.as_of, invocation);
        let asked = invocation.block_on(asked)??;
        Some(signatures::keep_contracts(&first, asked, &population, invocation)?)
    } else {
        None
    };
    let command = again(arguments, window, &moment, &population);
    let differences = workflow::differences(&all, &ledgers, &first.config, &population)?;
    let request = AuditRequest {
        population: &population,
        signatures: signatures.as_ref(),
        window,
        as_of: moment.as_of,
        exported_at: moment.exported_at,
        differences: &differences,
        command: &command,
    };
    let mut report = workflow::audit(&ledgers, &first.config, &rules, &request)?;
    help_as_called(&mut report, arguments.deals.as_deref(), true, invocation);
    report.held = held;
    Ok(AuditRun { context: first, ledgers, population, report })
}

/// Puts the settings that the ledger's branch holds, or held last, in the place of
/// the checkout's, which decide about nothing in an audit: neither its moments nor
/// whose clock it asks. Says where the two differ.
fn commit_settings(
    context: &mut Context,
    arguments: &Arguments,
    invocation: &Invocation,
) -> Result<(), CliError> {
    let ledger = &context.ledger;
    let branch = match ledger.remote_branch()? {
        Some(branch) => branch,
        None => match ledger.tip()? {
            Some(tip) => tip.to_string(),
            None => return Ok(()),
        },
    };
    if arguments.as_of.is_none()
        && let Some(warning) = uncommitted_settings(ledger, &branch)?
    {
        check_columns(context)?;
        invocation.warn(warning);
    }
    if let Some(config) = committed_settings(ledger, &branch)? {
        context.config = config;
    }
    Ok(())
}

/// The documents that are held in this clone's inbox; how many events wait there
/// is said. An audit of the past has none.
fn waiting(ledger: &Ledger, arguments: &Arguments, invocation: &Invocation) -> Vec<HeldDocument> {
    let waiting = inbox_counts(ledger, invocation).filter(|_| arguments.as_of.is_none());
    match waiting.map(|counts| counts.and_then(|it| Ok((it, held_documents(ledger)?)))) {
        Some(Ok((counts, held))) => {
            for (number, state) in [(counts.held, "held"), (counts.failed, "failed")] {
                if number > 0 {
                    invocation.warn(format!(
                        "warning: {} {state} in this clone's inbox: what is a contract among them is not in the ledger; `handoff inbox list` says why",
                        crate::model::count(number, "event")
                    ));
                }
            }
            held
        }
        Some(Err(error)) => {
            invocation.warn(format!(
                "warning: this clone's inbox cannot be read, so held documents are not known: {error}"
            ));
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// An audit of an export with nothing else asked for, as text.
pub(super) fn run_plain(deals: PathBuf, invocation: &Invocation) -> Result<Exit, CliError> {
    run(&Arguments { offline: true, ..Arguments::of(Some(deals)) }, invocation)
}

impl Arguments {
    /// What the command line says where nothing but the deals is named.
    pub(super) fn of(deals: Option<PathBuf>) -> Self {
        Self {
            deals,
            from: None,
            to: None,
            as_of: None,
            exported_at: None,
            repo: Vec::new(),
            signatures: false,
            fail_level: Level::Error,
            checkpoint: false,
            timestamp: None,
            require_checkpoint: false,
            trust: None,
            offline: false,
            clock: Vec::new(),
            no_cache: false,
            formats: Formats::default(),
        }
    }
}

/// An audit in a folder that is no ledger: every deal of the export is without
/// a handoff. Nothing is written but the reports that were asked for.
fn without_ledger(
    deals: &Path,
    arguments: &Arguments,
    formats: &[(Format, Option<PathBuf>)],
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    let needs_ledger = [
        ("--signatures", arguments.signatures),
        ("--clock", !arguments.clock.is_empty()),
        ("--checkpoint", arguments.checkpoint),
        ("--require-checkpoint", arguments.require_checkpoint),
    ];
    if let Some((option, _)) = needs_ledger.into_iter().find(|(_, given)| *given) {
        let folder = invocation.folder.display();
        return Err(CliError::usage(format!("{option} needs a ledger, and {folder} is not one"))
            .help("run `handoff init` to make one here, or leave the option out"));
    }
    let config = settings_beside(&invocation.folder)?;
    let zone = workflow::company_zone(&config).unwrap_or(Tz::UTC);
    let usage = |error: MomentError| CliError::usage(error.to_string());
    let as_of = match arguments.as_of.as_deref() {
        Some(text) => read_moment(text, zone, Edge::End, invocation.now)
            .map_err(|error| CliError::usage(format!("--as-of: {error}")))?
            .min(invocation.now),
        None => invocation.now,
    };
    let exported_at = exported_at(arguments, zone, invocation)?;
    let moment = AsOf { as_of, cut: arguments.as_of.is_some(), revision: None, exported_at };
    let window =
        parse_window(arguments.from.as_deref(), arguments.to.as_deref(), zone, invocation.now)
            .map_err(usage)?;
    let ledger = LedgerInput::absent("there is no ledger yet");
    let rules = RulesOfTime::unchanged(&config);
    let ledgers = [ledger];
    let detail = workflow::counted(&config, Some(&rules), &ledgers);
    let source =
        open_export(deals, detail, invocation, &config, &invocation.folder.as_path().into())?;
    let population = read_population(&source, window, invocation)?;
    let command = again(arguments, window, &moment, &population);
    let request = AuditRequest {
        population: &population,
        signatures: None,
        window,
        as_of,
        exported_at: moment.exported_at,
        differences: &Differences::new(),
        command: &command,
    };
    let mut report = workflow::audit(&ledgers, &config, &rules, &request)?;
    help_as_called(&mut report, Some(deals), false, invocation);
    Formats::write(formats, invocation, &audit_summary(&report), |format, options, out| {
        write_audit(format, &report, options, out)
    })?;
    let file = shell_word(&deals.display().to_string());
    let next = [
        (
            format!("handoff coverage --deals {file}"),
            "which of the seven questions this export answers",
        ),
        (format!("handoff audit --deals {file} -o audit.html"), "the same as a page"),
        ("handoff demo".to_owned(), "what a handoff is, in a folder of its own"),
        ("handoff init".to_owned(), "make this folder a ledger; from then on handoffs are found"),
    ];
    let widest = next.iter().map(|(command, _)| command.chars().count()).max().unwrap_or_default();
    let lines = next.map(|(command, what)| format!("\n  {command:<widest$}  {what}"));
    invocation.say(format!("\nNext{}", lines.concat()));
    Ok(exit(&report, arguments.fail_level.severity()))
}

/// Makes the commands in the findings' help those that work as this audit was
/// called: with its export, and behind `init` where there is no ledger.
fn help_as_called(
    report: &mut AuditReport,
    deals: Option<&Path>,
    has_ledger: bool,
    invocation: &Invocation,
) {
    let Some(deals) = deals else { return };
    let from_here = deals.strip_prefix(&invocation.environment.cwd).unwrap_or(deals);
    let file = shell_word(&from_here.display().to_string());
    let backfill = match has_ledger {
        true => format!("`handoff backfill --deals {file}`"),
        false => format!("`handoff init`, then `handoff backfill --deals {file}`"),
    };
    for help in report.findings.iter_mut().filter_map(|finding| finding.help.as_mut()) {
        *help = help.replace("`handoff backfill`", &backfill);
    }
}

/// What second clocks recorded of each ledger. One that cannot be asked is a
/// gap; a file that cannot be read is an error.
fn read_clocks(
    arguments: &Arguments,
    context: &Context,
    ledgers: &[Ledger],
    invocation: &Invocation,
) -> Result<Vec<Clocks>, CliError> {
    let is_github = |name: &PathBuf| name.as_os_str() == GITHUB;
    let mut asks_github = arguments.clock.iter().any(is_github);
    if arguments.clock.is_empty() {
        asks_github = context.config.audit_clock == Some(AuditClock::Github);
    }
    let mut all = Vec::new();
    for ledger in ledgers {
        let is_current = ledger.remote().is_none() || !arguments.offline;
        let mut clocks = Clocks { is_current, ..Clocks::default() };
        // A checkpoint says what was not there yet only when it has just looked.
        if let Some(remote) = ledger.remote().filter(|_| arguments.checkpoint && !arguments.offline)
            && let Err(error) = ledger.fetch(&remote)
        {
            clocks.is_current = false;
            let why = shorten(&error.to_string(), 200);
            invocation.warn(format!(
                "warning: {remote} could not be asked for its branch, so the checkpoint says nothing of what came later: {why}"
            ));
        }
        for file in arguments.clock.iter().filter(|name| !is_github(name)) {
            let shown = file.display();
            let bytes = std::fs::read(invocation.path(file)).map_err(|error| {
                CliError::could_not(format!("--clock {shown}: it cannot be read: {error}")).help(
                    "name the log that the hook of `handoff init --server-hook` writes, or a saved answer of GitHub's activity",
                )
            })?;
            let pushes = read_push_log(&bytes, ledger.branch()).map_err(|fault| {
                CliError::could_not(format!("{shown}:{}: {}", fault.line, fault.why))
                    .help("copy the record again: one that was changed proves nothing")
            })?;
            clocks.records.push(PushRecord { source: format!("the push log {shown}"), pushes });
        }
        if asks_github {
            match ask_github(context, ledger, invocation)? {
                Ok(record) => clocks.records.push(record),
                Err(gap) => clocks.gaps.push(gap),
            }
        }
        all.push(clocks);
    }
    Ok(all)
}

/// The word of `--clock` that is no file.
const GITHUB: &str = "github";

fn ask_github(
    context: &Context,
    ledger: &Ledger,
    invocation: &Invocation,
) -> Result<Result<PushRecord, Gap>, CliError> {
    let gap = |why: String, help: &str| Gap {
        what: "when commits reached the branch, by GitHub's record of pushes".to_owned(),
        why: shorten(&why, 300),
        help: Some(help.to_owned()),
    };
    let access = "Set GITHUB_TOKEN to a token that may read the contents of the ledger's repository, or give --clock FILE with a record that was saved.";
    let Some(links) = ledger.web_links() else {
        let why = "the ledger has no remote on GitHub".to_owned();
        return Ok(Err(gap(
            why,
            "Give --clock FILE: the log of `handoff init --server-hook` on the server that holds the ledger.",
        )));
    };
    let deliver = &context.config.deliver;
    let forge = match deliver.forge(links.project(), &invocation.secrets()?) {
        Ok(forge) => forge,
        Err(why) => return Ok(Err(gap(why, access))),
    };
    let asked = invocation.block_on(forge.pushes(ledger.branch()))?;
    Ok(asked.map_err(|error| gap(error.to_string(), access)))
}

/// Leaves a checkpoint; exit 3 where it is not on the remote.
fn checkpoint(
    context: &Context,
    report: &AuditReport,
    push: bool,
    authority: Option<&BaseUrl>,
    invocation: &Invocation,
) -> Result<Exit, CliError> {
    if !report.complete {
        invocation
            .warn("warning: no checkpoint was left, because the audit did not see everything");
        return Ok(Exit::Clean);
    }
    let left = workflow::leave_checkpoint(context, report, push)?;
    invocation.say(format!("left the checkpoint {}", left.name));
    if !left.is_signed {
        invocation.warn("warning: the checkpoint is not signed: anybody who may push can replace it; set git's user.signingkey (and gpg.format ssh)");
    }
    let mut exit = Exit::Clean;
    if let Some(authority) = authority {
        let stamped = workflow::stamp_checkpoint(context, &left, authority, push);
        match invocation.block_on(stamped)? {
            Ok(()) => invocation.say(format!(
                "{} has stamped it; `handoff verify --tsa-trust FILE` checks that",
                authority.as_str()
            )),
            Err(why) => {
                invocation.warn(format!("warning: the checkpoint has no timestamp: {why}"));
                exit = Exit::CouldNot;
            }
        }
    }
    let Some(why) = left.not_pushed else { return Ok(exit) };
    invocation.warn(format!(
        "warning: the checkpoint is not on the remote: {why}; push it with: git push origin {}",
        left.name
    ));
    Ok(Exit::CouldNot)
}

/// The audit of the demo, as of the story's moment; its page is written, and
/// all of it printed where that is asked for.
pub(super) fn of_demo(invocation: &Invocation, as_of: &str) -> Result<AuditReport, CliError> {
    let context = open(invocation, Ports::default())?;
    let at = LedgersAt {
        as_of: invocation.now,
        cut: true,
        revision: None,
        cache: true,
        checkpoints: Strictness::default(),
        clocks: &[],
    };
    let ledgers = workflow::read_ledgers(std::slice::from_ref(&context.ledger), &at, &|_| ())?;
    let deals = PathBuf::from("deals.csv");
    let population =
        population(Some(&deals), Detail::Whole, Window::default(), &context, &inside(invocation))?;
    let differences = workflow::differences(
        std::slice::from_ref(&context.ledger),
        &ledgers,
        &context.config,
        &population,
    )?;
    let request = AuditRequest {
        population: &population,
        signatures: None,
        window: Window::default(),
        as_of: invocation.now,
        exported_at: DateTime::<Utc>::MAX_UTC,
        differences: &differences,
        command: &format!("handoff audit --deals deals.csv --as-of {as_of}"),
    };
    let rules = RulesOfTime::of(&context.ledger, &ledgers[0], &context.config)?;
    let report = workflow::audit(&ledgers, &context.config, &rules, &request)?;
    let page = invocation.folder.join("audit.html");
    std::fs::write(&page, render_audit(Format::Html, &report, &crate::report::Options::default()))?;
    Ok(report)
}

/// The same context, with paths meant from its folder.
fn inside(invocation: &Invocation) -> Invocation {
    let mut inside = invocation.clone();
    inside.environment.cwd.clone_from(&invocation.folder);
    inside
}

fn exit(report: &AuditReport, fail_level: Severity) -> Exit {
    match report.outcome(fail_level) {
        AuditOutcome::Clean => Exit::Clean,
        AuditOutcome::Findings => Exit::Findings,
        AuditOutcome::Incomplete => Exit::CouldNot,
        AuditOutcome::NothingMatched => Exit::Nothing,
    }
}

/// The ledger whose configuration counts, and the further ones.
fn ledgers(
    arguments: &Arguments,
    invocation: &Invocation,
) -> Result<(Context, Vec<Ledger>), CliError> {
    let mut folders = arguments.repo.iter().map(|folder| invocation.path(folder));
    let ports = Ports::default();
    let mut first = match folders.next() {
        None => open(invocation, ports)?,
        Some(folder) => open(&Invocation { folder, ..invocation.clone() }, ports)?,
    };
    first.ledger = on_committed_branch(first.ledger)?;
    let more = folders
        .map(|folder| on_committed_branch(open_ledger(&folder)?.0))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((first, more))
}

/// The population of an export file, or of the configured CRM.
pub(super) fn population(
    deals: Option<&PathBuf>,
    detail: Detail,
    window: Window,
    context: &Context,
    invocation: &Invocation,
) -> Result<Population, CliError> {
    read_population(open_deals(deals, detail, invocation, context)?.as_ref(), window, invocation)
}

pub(super) fn read_population(
    source: &dyn Crm,
    window: Window,
    invocation: &Invocation,
) -> Result<Population, CliError> {
    let reading = DealsProgress::start(invocation);
    let population = invocation.block_on(source.population(window, &reading))??;
    reading.finish();
    let source = &population.source;
    invocation.note(format!(
        "read {} of {}",
        crate::model::count(source.rows, "row"),
        source.location
    ));
    Ok(population)
}

/// The time zone of days without a time.
fn zone(context: &Context) -> Tz {
    workflow::company_zone(&context.config).unwrap_or(Tz::UTC)
}

struct AsOf {
    as_of: DateTime<Utc>,
    cut: bool,
    revision: Option<String>,
    /// When the deals were read or exported, as far as that is known.
    exported_at: DateTime<Utc>,
}

/// `--as-of`: a moment, or a revision, whose own time is the moment then.
fn as_of(
    arguments: &Arguments,
    ledger: &Ledger,
    zone: Tz,
    invocation: &Invocation,
) -> Result<AsOf, CliError> {
    let exported_at = exported_at(arguments, zone, invocation)?;
    let Some(text) = arguments.as_of.as_deref() else {
        return Ok(AsOf { as_of: invocation.now, cut: false, revision: None, exported_at });
    };
    let moment = read_moment(text, zone, Edge::End, invocation.now);
    match moment {
        Ok(as_of) if as_of > invocation.now + chrono::TimeDelta::days(1) => {
            Err(CliError::usage(format!("--as-of {text} is in the future"))
                .help("name a moment of the past"))
        }
        // Of a day that is not over, what has happened so far.
        Ok(as_of) => {
            let as_of = as_of.min(invocation.now);
            Ok(AsOf { as_of, cut: true, revision: None, exported_at })
        }
        Err(error) => match ledger.commit_at(text)? {
            Some((id, as_of)) => {
                let revision = Some(id.to_string());
                Ok(AsOf { as_of, cut: false, revision, exported_at })
            }
            None => Err(CliError::usage(format!("--as-of: {error}")).help(
                "give a day, a moment such as 2026-11-20T17:00:00Z, or a revision of the ledger",
            )),
        },
    }
}

/// When the deals were read, or exported: now, unless the audit is of the past.
fn exported_at(
    arguments: &Arguments,
    zone: Tz,
    invocation: &Invocation,
) -> Result<DateTime<Utc>, CliError> {
    let Some(text) = arguments.exported_at.as_deref() else {
        return Ok(match arguments.as_of {
            None => invocation.now,
            Some(_) => DateTime::<Utc>::MAX_UTC,
        });
    };
    let at = read_moment(text, zone, Edge::End, invocation.now).map_err(|error| {
        CliError::usage(format!("--exported-at: {error}"))
            .help("give a day, or a moment such as 2026-11-20T17:00:00Z")
    })?;
    Ok(at.min(invocation.now))
}

/// The command that gives this audit again: with its moments and its revision
/// spelled out, so that it means the same on another day and under other settings.
fn again(arguments: &Arguments, window: Window, moment: &AsOf, population: &Population) -> String {
    let mut words = vec!["handoff".to_owned(), "audit".to_owned()];
    let mut option = |name: &str, value: &str| {
        words.push(format!("--{name}"));
        words.push(shell_word(value));
    };
    if let Some(deals) = &arguments.deals {
        option("deals", &deals.display().to_string());
    }
    let told = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    for (name, at) in [("from", window.from), ("to", window.to)] {
        if let Some(at) = at {
            option(name, &told(at));
        }
    }
    option("as-of", moment.revision.as_ref().unwrap_or(&told(moment.as_of)));
    // Deals dated ahead count by when they were read, which another day does not know.
    let is_ahead = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at > moment.as_of);
    let (deals, _) = population.deals.parts();
    if moment.exported_at <= moment.as_of && deals.iter().any(|it| is_ahead(it.closed_won_at)) {
        option("exported-at", &told(moment.exported_at));
    }
    if arguments.fail_level != Level::Error {
        option("fail-level", arguments.fail_level.severity().as_str());
    }
    for repo in &arguments.repo {
        option("repo", &repo.display().to_string());
    }
    for clock in &arguments.clock {
        option("clock", &clock.display().to_string());
    }
    if let Some(trust) = &arguments.trust {
        option("trust", &trust.display().to_string());
    }
    for (given, word) in [
        (arguments.signatures, "--signatures"),
        (arguments.require_checkpoint, "--require-checkpoint"),
        (arguments.offline, "--offline"),
    ] {
        if given {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}
