//! Opening the ledger a command works in: repository, configuration, schema,
//! templates, ports. Every problem of the configuration is told at once.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::error::CliError;
use super::invocation::Invocation;
use crate::brief::{Renderer, SHIPPED_SCHEMA, Schema};
use crate::config::{Config, ConfigProblem, FILE_NAME};
use crate::crm::export::{Detail, ExportRoot, FileCrm, FileSettings, STANDARD_INPUT};
use crate::crm::{self, Connection, Crm, RequestedProperties};
use crate::deliver::{
    self, BranchRequests, LentCrmTasks, LinkSettings, Links, Messages, Sink, SinkContext, Templates,
};
use crate::ledger::{BRIEFS, Ledger, LedgerError};
use crate::link::{LINK_KEY, LinkKeys};
use crate::model::Check;
use crate::text::nearest;
use crate::time::{HumanDuration, deadline};
use crate::workflow::{self, Context, CrmSink, LentTasks, compared_properties};

/// Which ports a command needs; what it does not need is not opened, so that
/// `validate` asks for no secret.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ports {
    pub crm: bool,
    pub sinks: bool,
    pub push: bool,
}

/// Opens the ledger around the folder of the command line.
pub(super) fn open(invocation: &Invocation, ports: Ports) -> Result<Context, CliError> {
    let (ledger, config, schema) = open_ledger(&invocation.folder)?;
    invocation.note(format!(
        "ledger {}, branch {}, settings {FILE_NAME}",
        ledger.root().display(),
        ledger.branch()
    ));
    let schema = Arc::new(schema);
    let renderer = renderer_of(template_of(&ledger, "brief.md.j2")?.as_deref(), &config)?;
    let crm = if ports.crm { open_crm(invocation, &config, &export_root(&ledger))? } else { None };
    let sinks = if ports.sinks { open_sinks(invocation, &config, &ledger)? } else { Vec::new() };
    Ok(Context {
        ledger,
        config,
        schema,
        renderer,
        crm,
        sinks,
        now: invocation.now,
        clock: invocation.run_clock(),
        push: ports.push,
    })
}

fn renderer_of(template: Option<&str>, config: &Config) -> Result<Renderer, CliError> {
    let renderer = Renderer::new(template).map_err(|error| {
        CliError::usage(error.to_string()).help("fix it, or delete it to use the shipped template")
    })?;
    Ok(renderer.in_zone(config.timezone))
}

/// The error where there is no ledger, of a command that an export is enough for.
pub(super) fn no_ledger_for(command: &str, invocation: &Invocation) -> CliError {
    CliError::usage(format!("{} is not a ledger", invocation.folder.display())).help(format!(
        "give an export of your deals: handoff {command} --deals export.csv\nor run `handoff init` to make a ledger here, or name one with `-C DIR`"
    ))
}

/// Whether there is a ledger around a folder: a repository that holds settings
/// or briefs, in its checkout or at its tip.
pub(super) fn is_in_ledger(folder: &Path) -> Result<bool, CliError> {
    let ledger = match Ledger::open(folder) {
        Ok(ledger) => ledger,
        Err(LedgerError::NotFound { .. }) => return Ok(false),
        // A repository of something else.
        Err(LedgerError::NoBranch { .. } | LedgerError::DoubtfulBranch { .. })
            if !folder.join(FILE_NAME).exists() =>
        {
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    if !ledger.is_bare() && [FILE_NAME, BRIEFS].iter().any(|name| ledger.root().join(name).exists())
    {
        return Ok(true);
    }
    if ledger.tip()?.is_none() {
        return Ok(false);
    }
    if ledger.read(FILE_NAME)?.is_some() {
        return Ok(true);
    }
    // Who means one of them is not told about another program's files, nor that nothing is here.
    if let Some(error) = ledger_below(&ledger)? {
        return Err(error);
    }
    Ok(!ledger.folders(None)?.into_parts().0.is_empty())
}

/// That the ledger is a folder of this larger repository, if it is.
fn ledger_below(ledger: &Ledger) -> Result<Option<CliError>, CliError> {
    let below = ledger.folders_with_settings()?;
    let Some(first) = below.first() else { return Ok(None) };
    let root = ledger.root().display();
    let what = format!("{root} holds no {FILE_NAME} at its top, and {} does", below.join(", "));
    Ok(Some(CliError::usage(what).help(format!("name the ledger's folder: `-C {root}/{first}`"))))
}

/// The settings of a folder that is no ledger: its own file, else the defaults.
pub(super) fn settings_beside(folder: &Path) -> Result<Config, CliError> {
    match std::fs::read(folder.join(FILE_NAME)) {
        Ok(bytes) => Config::parse(&bytes).map_err(|problems| config_error(&problems)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::empty()),
        Err(error) => Err(CliError::could_not(format!("{FILE_NAME} cannot be read: {error}"))),
    }
}

/// The ledger around a folder, on the branch that its settings name.
pub(super) fn open_ledger(folder: &Path) -> Result<(Ledger, Config, Schema), CliError> {
    let ledger = Ledger::open(folder)?;
    let (config, schema) = read_settings(&ledger)?;
    let ledger = match &config.branch {
        Some(branch) => ledger.on_branch(branch)?,
        None => ledger,
    };
    Ok((ledger.with_time_limit(config.remote_limit), config, schema))
}

/// The same ledger on the branch that its committed settings name: one that only
/// the checkout's name does not count in an audit.
pub(super) fn on_committed_branch(ledger: Ledger) -> Result<Ledger, CliError> {
    // Before the first commit the checkout's count.
    let Ok(Some(committed)) = committed_settings(&ledger, "HEAD") else { return Ok(ledger) };
    Ok(match committed.branch {
        Some(branch) if branch != ledger.branch() => ledger.on_branch(&branch)?,
        None if read_settings(&ledger)?.0.branch.is_some() => {
            Ledger::open(ledger.root())?.with_time_limit(committed.remote_limit)
        }
        _ => ledger,
    })
}

/// The settings of a ledger, checked against its schema: of its checkout, else
/// of its tip.
pub(super) fn read_settings(ledger: &Ledger) -> Result<(Config, Schema), CliError> {
    if let Some(settings) = settings_of(&|path| text_of(ledger, path))? {
        return Ok(settings);
    }
    Err(ledger_below(ledger)?.unwrap_or_else(|| {
        CliError::usage(format!("{} holds no {FILE_NAME}", ledger.root().display()))
            .help("`handoff init` makes it; `-C DIR` names another ledger")
    }))
}

/// How the settings of a ledger are read: of its checkout or of a commit.
type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Option<Vec<u8>>, CliError>;

/// Settings and schema; `None` without settings.
fn settings_of(read: ReadFile<'_>) -> Result<Option<(Config, Schema)>, CliError> {
    let Some(bytes) = read(FILE_NAME)? else { return Ok(None) };
    let config = Config::parse(&bytes).map_err(|problems| config_error(&problems))?;
    let schema = match read("schema/brief.schema.json")? {
        Some(bytes) => Schema::compile(&bytes).map_err(|error| {
            CliError::usage(format!("schema/brief.schema.json: {error}"))
                .help("correct it, or delete it to use the shipped schema")
        })?,
        None => Schema::compile(SHIPPED_SCHEMA.as_bytes())
            .map_err(|error| CliError::could_not(format!("the shipped schema: {error}")))?,
    };
    let problems = config.check(&schema);
    if problems.is_empty() { Ok(Some((config, schema))) } else { Err(config_error(&problems)) }
}

/// The same ledger with the settings, schema and templates of a commit, and
/// without ports: for comparing.
pub(super) fn open_at(
    ledger: &Ledger,
    revision: &str,
    now: DateTime<Utc>,
) -> Result<Context, CliError> {
    let snapshot = ledger.snapshot_at(revision)?;
    let read = |path: &str| Ok(snapshot.read(path)?);
    let Some((config, schema)) = settings_of(&read)? else {
        return Err(CliError::could_not(format!("{revision} holds no {FILE_NAME}"))
            .help("name a revision that has one with --base"));
    };
    let renderer = renderer_of(template(&read, "brief.md.j2")?.as_deref(), &config)?;
    Ok(Context {
        ledger: ledger.clone(),
        config,
        schema: Arc::new(schema),
        renderer,
        crm: None,
        sinks: Vec::new(),
        now,
        clock: Arc::new(move || now),
        push: false,
    })
}

/// The configuration that a commit of a ledger holds, where it holds one.
pub(super) fn config_at(ledger: &Ledger, commit: &str) -> Result<Option<Config>, CliError> {
    let Some(bytes) = ledger.snapshot_at(commit)?.read(FILE_NAME)? else { return Ok(None) };
    Config::parse(&bytes).map(Some).map_err(|problems| config_error(&problems))
}

/// The last settings up to a revision that can be read: its own, else the newest
/// ones of the branch before it. `None` where no commit ever held any.
pub(super) fn committed_settings(
    ledger: &Ledger,
    revision: &str,
) -> Result<Option<Config>, CliError> {
    if let Ok(Some(config)) = config_at(ledger, revision) {
        return Ok(Some(config));
    }
    for version in ledger.merged_versions(revision, FILE_NAME)?.versions.iter().rev() {
        let config = ledger.blob(version.blob)?.map(|bytes| Config::parse(&bytes));
        if let Some(Ok(config)) = config {
            return Ok(Some(config));
        }
    }
    Ok(None)
}

/// A warning where the checkout's settings are not those of a commit, which
/// are the ones that count in an audit. Only a history without any leaves them
/// to the checkout.
pub(super) fn uncommitted_settings(
    ledger: &Ledger,
    commit: &str,
) -> Result<Option<String>, CliError> {
    // A checkout may end its lines in another way than the repository.
    let plain = |bytes: Option<Vec<u8>>| {
        bytes.map(|bytes| bytes.into_iter().filter(|byte| *byte != b'\r').collect::<Vec<u8>>())
    };
    Ok(match plain(ledger.snapshot_at(commit)?.read(FILE_NAME)?) {
        None if !ledger.merged_versions(commit, FILE_NAME)?.versions.is_empty() => Some(format!(
            "warning: {FILE_NAME} is not on the branch any more: the audit uses the last one that was committed; commit it again"
        )),
        None => Some(format!(
            "warning: {FILE_NAME} is not committed: the audit uses the one in the checkout, so its numbers change with that file; commit it"
        )),
        committed if plain(text_of(ledger, FILE_NAME)?) == committed => None,
        Some(_) => Some(format!(
            "warning: {FILE_NAME} differs from the committed one, and an audit uses the committed one; commit it for the change to count"
        )),
    })
}

fn config_error(problems: &[ConfigProblem]) -> CliError {
    let count = crate::model::count(problems.len(), "problem");
    let mut error = CliError::usage(format!("{FILE_NAME} has {count}"));
    for problem in problems {
        let mut line =
            format!("{FILE_NAME}:{}:{}: {}", problem.line, problem.column, problem.message);
        if let Some(help) = &problem.help {
            line.push_str(&format!("\n  {help}"));
        }
        error = error.detail(line);
    }
    error.help("correct these lines; docs/configuration.md says what each key means")
}

/// A file of the checkout; of the tip where there is none.
pub(super) fn text_of(ledger: &Ledger, path: &str) -> Result<Option<Vec<u8>>, CliError> {
    if ledger.is_bare() {
        return Ok(ledger.read(path)?);
    }
    Ok(ledger.read_checkout(path)?)
}

fn template_of(ledger: &Ledger, name: &str) -> Result<Option<String>, CliError> {
    template(&|path| text_of(ledger, path), name)
}

fn template(read: ReadFile<'_>, name: &str) -> Result<Option<String>, CliError> {
    let path = format!("templates/{name}");
    read(&path)?
        .map(|bytes| {
            String::from_utf8(bytes).map_err(|_| CliError::usage(format!("{path} is not UTF-8")))
        })
        .transpose()
}

/// Where the paths of settings start: the ledger's folder, or its tip where it
/// has no checkout.
pub(super) fn export_root(ledger: &Ledger) -> ExportRoot {
    if !ledger.is_bare() {
        return ledger.root().into();
    }
    let of_tip = ledger.clone();
    let read = move |path: &str| of_tip.read(path).map_err(|error| error.to_string());
    ExportRoot::committed(ledger.root(), Arc::new(read))
}

/// The CRM of the configuration, if one is connected.
pub(super) fn open_crm(
    invocation: &Invocation,
    config: &Config,
    root: &ExportRoot,
) -> Result<Option<Box<dyn Crm>>, CliError> {
    open_crm_for(invocation, config, &requested(config), root)
}

/// As [`open_crm`], asking for these properties.
pub(super) fn open_crm_for(
    invocation: &Invocation,
    config: &Config,
    requested: &RequestedProperties,
    root: &ExportRoot,
) -> Result<Option<Box<dyn Crm>>, CliError> {
    let exports = exports_folder(invocation);
    let connection = Connection {
        secrets: &invocation.secrets()?,
        root,
        requested,
        limits: config.limits,
        company_zone: workflow::company_zone(config),
        exports: exports.as_deref(),
    };
    let crm = crm::build(&config.crm, &connection).map_err(CliError::from)?;
    if let Some(crm) = crm.as_deref() {
        refuse_absent_columns(config, crm)?;
    }
    Ok(crm)
}

/// Refuses settings that read columns which an export does not have.
fn refuse_absent_columns(config: &Config, crm: &dyn Crm) -> Result<(), CliError> {
    let problems = crm.columns().map(|columns| config.check_columns(&columns)).unwrap_or_default();
    if problems.is_empty() { Ok(()) } else { Err(config_error(&problems)) }
}

/// As whoever reads the deals of the connected export: settings that read columns
/// which it does not have are refused. An export that is not there, or cannot be
/// read, is for those who read deals.
pub(super) fn check_columns(context: &Context) -> Result<(), CliError> {
    let (config, root) = (&context.config, export_root(&context.ledger));
    let Some(settings) = config.crm.file() else { return Ok(()) };
    match crm::open_file(settings.clone(), root, None) {
        Ok(export) => refuse_absent_columns(config, &export),
        Err(_) => Ok(()),
    }
}

/// Where settings may name exports outside of the ledger, as the environment says.
fn exports_folder(invocation: &Invocation) -> Option<PathBuf> {
    invocation.environment.get("HANDOFF_EXPORTS").map(|folder| invocation.path(folder.as_ref()))
}

/// What came on standard input; a command that opens the deals twice reads it once.
fn standard_input() -> Result<&'static [u8], CliError> {
    static INPUT: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = INPUT.get() {
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(|error| {
        CliError::usage(format!("standard input cannot be read: {error}"))
            .help("give --deals FILE, an export of your deals")
    })?;
    Ok(INPUT.get_or_init(|| bytes))
}

/// The properties that the configuration reads of deals.
pub(super) fn requested(config: &Config) -> RequestedProperties {
    RequestedProperties {
        own: config.mapping.own_properties(),
        mapping: config.mapping.properties(),
        scope: config.scope_properties(),
        compared: compared_properties(config),
    }
}

/// The sinks of the configuration.
pub(super) fn open_sinks(
    invocation: &Invocation,
    config: &Config,
    ledger: &Ledger,
) -> Result<Vec<Box<dyn Sink>>, CliError> {
    let mut site = site(invocation, config, ledger, links(invocation, config)?)?;
    site.crm_tasks = crm_tasks(invocation, config, &export_root(ledger))?;
    let mut sinks =
        deliver::build(&config.deliver, &invocation.secrets()?, &site).map_err(|problems| {
            let mut error =
                CliError::usage(format!("{FILE_NAME}: `deliver:` cannot be used as it is"));
            for problem in problems {
                error = error.detail(problem.to_string());
            }
            error
        })?;
    if config.crm.updates_closed_won()
        && let Some(crm) = open_crm(invocation, config, &export_root(ledger))?
    {
        sinks.push(Box::new(CrmSink::new(crm)));
    }
    Ok(sinks)
}

/// What asks the rep for what a draft lacks.
#[derive(Default)]
pub(super) struct DraftSinks {
    /// Opens the request, where a target for it is configured.
    pub asking: Option<Box<dyn Sink>>,
    /// Tells the rep.
    pub telling: Vec<Box<dyn Sink>>,
}

/// What asks the rep for what a draft lacks.
pub(super) fn open_draft_sinks(
    invocation: &Invocation,
    context: &Context,
) -> Result<DraftSinks, CliError> {
    let links = links(invocation, &context.config)?;
    let messages = Messages::new(site(invocation, &context.config, &context.ledger, links)?);
    let (secrets, deliver) = (invocation.secrets()?, &context.config.deliver);
    let told = |problems: Vec<deliver::BuildProblem>| {
        let mut error = CliError::usage(format!("{FILE_NAME}: `deliver:` cannot be used as it is"));
        for problem in problems {
            error = error.detail(problem.to_string());
        }
        error.help("fix it, or pass --no-request: then the draft is written and pushed only")
    };
    Ok(DraftSinks {
        asking: deliver.draft_request(&secrets, &messages).map_err(told)?,
        telling: deliver.draft_notices(&secrets, &messages).map_err(told)?,
    })
}

/// What opens the pull request of a proposal, where a target is configured.
pub(super) fn open_requests(
    invocation: &Invocation,
    context: &Context,
) -> Result<Option<Box<dyn BranchRequests>>, CliError> {
    let messages = open_messages(invocation, context)?;
    let deliver = &context.config.deliver;
    deliver.branch_requests(&invocation.secrets()?, &messages).map_err(|problems| {
        let error = CliError::usage(format!("{FILE_NAME}: `deliver:` cannot be used as it is"));
        let error = problems.iter().fold(error, |error, it| error.detail(it.to_string()));
        error.help("fix it, or pass --no-push: then the branch is made here and nothing else")
    })
}

/// What people would be told; asks for no secret.
pub(super) fn open_messages(
    invocation: &Invocation,
    context: &Context,
) -> Result<Messages, CliError> {
    // What people would be told is shown without the secret, too; then without links.
    let links = links(invocation, &context.config).ok().flatten();
    Ok(Messages::new(site(invocation, &context.config, &context.ledger, links)?))
}

/// What people would be told by the templates of a revision, else of the checkout;
/// without links.
pub(super) fn messages_at(
    invocation: &Invocation,
    context: &Context,
    revision: Option<&str>,
) -> Result<Messages, CliError> {
    let ledger = &context.ledger;
    let snapshot = revision.map(|revision| ledger.snapshot_at(revision)).transpose()?;
    let read = |path: &str| match &snapshot {
        Some(snapshot) => Ok(snapshot.read(path)?),
        None => text_of(ledger, path),
    };
    Ok(Messages::new(site_of(invocation, &context.config, ledger, None, &read)?))
}

/// What the sinks are given beside their settings.
fn site(
    invocation: &Invocation,
    config: &Config,
    ledger: &Ledger,
    links: Option<Links>,
) -> Result<SinkContext, CliError> {
    site_of(invocation, config, ledger, links, &|path| text_of(ledger, path))
}

fn site_of(
    invocation: &Invocation,
    config: &Config,
    ledger: &Ledger,
    links: Option<Links>,
    read: ReadFile<'_>,
) -> Result<SinkContext, CliError> {
    let mut templates = Templates::shipped();
    for (name, _) in deliver::SHIPPED {
        if let Some(own) = template(read, name)? {
            templates =
                templates.with(name, own).map_err(|error| CliError::usage(error.to_string()))?;
        }
    }
    let calendar = config.first_touch.calendar.clone();
    let timezone = config.timezone;
    let now = invocation.now;
    Ok(SinkContext {
        templates,
        timezone,
        clock: Arc::new(move || now),
        working_days: Arc::new(move |from, days| {
            deadline(from, HumanDuration::days(days), calendar.as_ref())
                .with_timezone(&timezone)
                .date_naive()
        }),
        folder: ledger.root().to_path_buf(),
        links,
        crm_tasks: None,
    })
}

/// The tasks of the CRM, where a delivery goes there and it has tasks.
pub(super) fn crm_tasks(
    invocation: &Invocation,
    config: &Config,
    root: &ExportRoot,
) -> Result<Option<LentCrmTasks>, CliError> {
    if !config.deliver.writes_to_crm() || config.crm.file().is_some() {
        return Ok(None);
    }
    let crm = open_crm(invocation, config, root)?;
    Ok(crm.and_then(LentTasks::of).map(|tasks| Arc::new(tasks) as LentCrmTasks))
}

/// What makes links to a person's page; `None` where no page is served.
pub(super) fn links(invocation: &Invocation, config: &Config) -> Result<Option<Links>, CliError> {
    let said = invocation.public_url.clone();
    let settings = match (said, config.deliver.links.clone()) {
        (None, None) => return Ok(None),
        (None, Some(settings)) => settings,
        (Some(public_url), Some(settings)) => LinkSettings { public_url, ..settings },
        (Some(public_url), None) => LinkSettings::at(public_url),
    };
    let keys = LinkKeys::of(&invocation.secrets()?).map_err(CliError::usage)?;
    match keys {
        Some(keys) => Ok(Some(Links::new(&settings, keys))),
        None => Err(CliError::usage(format!(
            "links to {} are signed, and {LINK_KEY} is not set",
            settings.public_url.as_str()
        ))
        .help(format!(
            "set {LINK_KEY}, such as `openssl rand -hex 32` prints, wherever handoff runs"
        ))),
    }
}

/// The deals of an export file that was named, or of the configured CRM.
pub(super) fn open_deals(
    deals: Option<&PathBuf>,
    detail: Detail,
    invocation: &Invocation,
    context: &Context,
) -> Result<Box<dyn Crm>, CliError> {
    let root = &export_root(&context.ledger);
    let Some(file) = deals else {
        return open_crm(invocation, &context.config, root)?.ok_or_else(|| {
            CliError::usage("there are no deals to read")
                .help("give --deals FILE, an export of your deals, or connect a CRM under `crm:` in handoff.yaml")
        });
    };
    Ok(Box::new(open_export(file, detail, invocation, &context.config, root)?))
}

/// The deals of an export file, read with the settings of `crm.file`; settings that
/// read columns which it does not have are refused.
pub(super) fn open_export(
    file: &Path,
    detail: Detail,
    invocation: &Invocation,
    config: &Config,
    root: &ExportRoot,
) -> Result<FileCrm, CliError> {
    let export = open_given(file, invocation, config, root)?;
    // Of another CRM than the connected one an export may have other columns.
    if config.crm.file().is_some() {
        refuse_absent_columns(config, &export)?;
    }
    Ok(export.with_detail(detail))
}

/// The export that `crm.file` names, as [`open_crm`] opens it; `None` where deals
/// come from elsewhere.
pub(super) fn open_configured_export(
    detail: Detail,
    invocation: &Invocation,
    config: &Config,
    root: &ExportRoot,
) -> Result<Option<FileCrm>, CliError> {
    let Some(settings) = config.crm.file() else { return Ok(None) };
    let settings = FileSettings {
        company_zone: workflow::company_zone(config),
        exports: exports_folder(invocation),
        ..settings.clone()
    };
    let export = crm::open_file(settings, root.clone(), None)?;
    refuse_absent_columns(config, &export)?;
    Ok(Some(export.with_detail(detail)))
}

fn open_given(
    file: &Path,
    invocation: &Invocation,
    config: &Config,
    root: &ExportRoot,
) -> Result<FileCrm, CliError> {
    invocation.note(format!("deals from {}", file.display()));
    let company_zone = workflow::company_zone(config);
    let has_config = root.folder().join(FILE_NAME).is_file();
    let named = || FileSettings { has_config, ..FileSettings::of(file) };
    if file.as_os_str() == "-" {
        let mut settings = config.crm.file().cloned().unwrap_or_else(named);
        settings.deals = PathBuf::from(STANDARD_INPUT);
        settings.exports = exports_folder(invocation);
        settings.company_zone = company_zone;
        let given = standard_input()?;
        return Ok(crm::open_file(settings, root.clone(), Some(given))?);
    }
    let path = invocation.path(file);
    if path.is_dir() {
        return Err(CliError::usage(format!("{} is a folder", file.display())).help(EXPORT));
    }
    // The columns, dates and joins of the configuration are meant for this company's exports.
    let mut settings = config.crm.file().cloned().unwrap_or_else(named);
    // A path inside the ledger is told as such, so that a report says the same wherever it was made.
    settings.deals = path_within(root.folder(), &path).unwrap_or_else(|| path.clone());
    settings.named = true;
    settings.exports = exports_folder(invocation);
    settings.company_zone = company_zone;
    crm::open_file(settings, root.clone(), None).map_err(|error| match std::fs::File::open(&path) {
        Ok(_) => CliError::from(error),
        Err(_) => CliError::from(error).help(absent_export(file, &path)),
    })
}

/// A file's path from a folder that it lies in.
pub(super) fn path_within(folder: &Path, file: &Path) -> Option<PathBuf> {
    let (folder, file) = (folder.canonicalize().ok()?, file.canonicalize().ok()?);
    Some(file.strip_prefix(folder).ok()?.to_path_buf())
}

/// What `--deals` takes.
const EXPORT: &str = "name an export of your deals: a CSV, JSON or Excel file";

/// What to do where the file that was given cannot be read.
fn absent_export(given: &Path, path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let entries = path.parent().and_then(|folder| folder.read_dir().ok());
    let names: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    match nearest(name, names.iter().map(String::as_str)).filter(|_| !path.exists()) {
        Some(near) => format!("did you mean `{}`?", given.with_file_name(near).display()),
        None => EXPORT.to_owned(),
    }
}

/// What of the configuration works and may surprise.
pub(super) fn config_checks(context: &Context) -> Vec<Check> {
    let team = &context.config.team;
    let mut checks = Vec::new();
    if team.csms.is_empty() {
        checks.push(Check::warning(
            "team",
            "no CSM is named: nobody is assigned",
            "name them under `team: {csms: […]}`",
        ));
    } else if team.fallback.is_none() && team.assign.iter().all(|rule| rule.when.is_some()) {
        checks.push(Check::warning(
            "team",
            "a handoff that no rule matches is assigned to nobody",
            "add `fallback:`, or a last rule without `when`",
        ));
    }
    if !context.schema.is_shipped() {
        checks.push(Check::ok("schema", "the ledger's own copy counts"));
    }
    checks
}
