//! What a ledger is laid out with.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;

use super::WorkflowError;
use super::github_workflows::{InstallFrom, Workflows, make, renewal, wants_form};
use crate::brief::{Schema, issue_form};
use crate::config::{Config, ConfigProblem};
use crate::disk::{self, Access};
use crate::ledger::Ledger;
use crate::model::Remarks;
use crate::yaml::Span;

/// What the person who makes the ledger has said.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Setup {
    /// `hubspot`, `salesforce`, `pipedrive`, `file` or `none`.
    pub crm: String,
    /// The export, for `file`.
    pub deals: String,
    /// The e-sign providers.
    pub esign: Vec<String>,
    /// `owner/repo` for the CSM's tasks.
    pub github: Option<String>,
    /// The first CSMs.
    pub csms: Vec<SetupPerson>,
    /// The company's time zone.
    pub timezone: Option<String>,
    /// The working hours, Monday to Friday; none are day and night.
    pub hours: Option<String>,
    /// Words in the names of documents that are contracts.
    pub contracts: Vec<String>,
    /// Whether a contract moves its deal to Closed Won.
    pub update_closed_won: bool,
    /// Where the workflows get handoff from; what is in the ledger where `None`.
    #[serde(skip)]
    pub install_from: Option<InstallFrom>,
    /// Whether the workflows are made again, and nothing else.
    #[serde(skip)]
    pub workflows: bool,
}

/// One CSM, as told.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SetupPerson {
    /// The full name.
    pub name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The GitHub login.
    pub github: Option<String>,
}

/// What was laid down.
#[derive(Debug, Clone, Default)]
pub struct Laid {
    /// Files that were made, relative to the ledger.
    pub made: Vec<String>,
    /// Workflows that nothing asks for any more.
    pub removed: Vec<String>,
    /// Files that were there already and stay as they are.
    pub kept: Vec<String>,
    /// What a person should know.
    pub remarks: Remarks,
}

const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("../../templates/init/README.md")),
    (".gitattributes", include_str!("../../templates/init/gitattributes")),
    (".gitignore", include_str!("../../templates/init/gitignore")),
    (".github/CODEOWNERS", include_str!("../../templates/init/CODEOWNERS")),
    ("schema/brief.schema.json", include_str!("../../schema/brief.schema.json")),
    ("schema/timeline.schema.json", include_str!("../../schema/timeline.schema.json")),
    ("schema/config.schema.json", include_str!("../../schema/config.schema.json")),
    (".github/dependabot.yml", include_str!("../../templates/init/dependabot.yml")),
    ("templates/brief.md.j2", include_str!("../../templates/brief.md.j2")),
    ("templates/task.md.j2", include_str!("../../templates/task.md.j2")),
];

const CONFIG: &str = "handoff.yaml";

/// The form for companies without a CRM; made from the ledger's own schema.
const FORM: &str = ".github/ISSUE_TEMPLATE/handoff.yml";

/// The schema that the ledger has already.
fn schema_of(dir: &Path) -> Result<Option<Schema>, WorkflowError> {
    let file = dir.join("schema/brief.schema.json");
    match fs::read(&file) {
        Ok(bytes) => Ok(Some(Schema::compile(&bytes)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(WorkflowError::file(&file, &error)),
    }
}

/// The settings that a setup gives, checked, so that what cannot work is said
/// where it is answered.
///
/// # Errors
/// The first problem of the settings.
pub fn check_setup(setup: &Setup) -> Result<(), ConfigProblem> {
    let text = render(setup, "main")
        .map_err(|error| ConfigProblem::at(Span::default(), error.to_string()))?;
    match Config::parse(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(problems) => Err(problems.into_iter().next().expect("settings fail with a problem")),
    }
}

/// What is laid down for a branch: the settings as they are written, what they
/// mean, and their workflows.
fn settled(
    dir: &Path,
    setup: &Setup,
    branch: &str,
) -> Result<(Vec<u8>, Config, Workflows), WorkflowError> {
    let written = match fs::read(dir.join(CONFIG)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            render(setup, branch)?.into_bytes()
        }
        Err(error) => return Err(WorkflowError::file(&dir.join(CONFIG), &error)),
    };
    let config = Config::parse(&written).map_err(|problems| WorkflowError::Settings {
        line: problems.first().map_or(1, |problem| problem.line),
        problem: problems.first().map_or_else(String::new, |problem| problem.message.clone()),
    })?;
    let branch = config.branch.clone().unwrap_or_else(|| branch.to_owned());
    let workflows = make(dir, &config, &branch, setup.install_from.as_ref())?;
    Ok((written, config, workflows))
}

/// Makes or completes a ledger in a folder; never changes a file that is
/// there, but workflows that are as they were made where [`Setup::workflows`]
/// asks for it. What is new is committed in one commit of its own.
///
/// # Errors
/// When the folder or the repository cannot be written, or the settings cannot
/// be used; nothing is made then.
pub fn init(dir: &Path, setup: &Setup, now: DateTime<Utc>) -> Result<Laid, WorkflowError> {
    settled(dir, setup, "main")?;
    fs::create_dir_all(dir).map_err(|error| WorkflowError::file(dir, &error))?;
    let ledger = Ledger::init_within(dir)?;
    let mut laid = Laid::default();
    let (written, config, workflows) = settled(dir, setup, ledger.branch())?;
    let mut change = Vec::new();
    let mut removed = Vec::new();
    let mut files: Vec<(String, String)> = Vec::new();
    let is_within = !ledger.prefix().is_empty();
    if setup.workflows && !is_within {
        let renewal = renewal(dir, &workflows.files);
        for (path, text) in renewal.write {
            put(dir, path, &text)?;
            laid.made.push(path.to_owned());
            change.push((path.to_owned(), text));
        }
        for path in renewal.remove {
            let file = dir.join(path);
            fs::remove_file(&file).map_err(|error| WorkflowError::file(&file, &error))?;
            laid.removed.push(path.to_owned());
            removed.push(path.to_owned());
        }
        for path in renewal.changed {
            laid.remarks.push(format!(
                "{path} was changed by hand and stays as it is; delete it and run `handoff init --workflows` for a new one"
            ));
            laid.kept.push(path.to_owned());
        }
    } else if !setup.workflows {
        let text = String::from_utf8_lossy(&written).into_owned();
        files.push((CONFIG.to_owned(), text));
        files.extend(workflows.files.into_iter().map(|(path, text)| (path.to_owned(), text)));
        files.extend(FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    }
    if wants_form(&config) {
        let form = issue_form(schema_of(dir)?.as_ref().unwrap_or(Schema::shipped()));
        files.push((FORM.to_owned(), form));
    }
    if is_within {
        files.retain(|(path, _)| !path.starts_with(".github/"));
        laid.remarks.push(format!(
            "{} is a folder of a larger repository: GitHub reads workflows, forms and CODEOWNERS at the top only, so none were created; docs/ledger.md shows one that runs `handoff -C {}`",
            ledger.prefix(),
            ledger.prefix()
        ));
    }
    for (path, text) in files {
        if dir.join(&path).symlink_metadata().is_ok() {
            laid.kept.push(path);
            continue;
        }
        put(dir, &path, &text)?;
        laid.made.push(path.clone());
        change.push((path, text));
    }
    if !change.is_empty() || !removed.is_empty() {
        if setup.workflows || laid.made.iter().any(|path| path.ends_with("action.yml")) {
            laid.remarks.extend(workflows.remarks);
        }
        laid.remarks.extend(super::store::commit_setup(&ledger, change, removed, now)?);
    }
    Ok(laid)
}

fn put(dir: &Path, path: &str, text: &str) -> Result<(), WorkflowError> {
    let file = dir.join(path);
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(|error| WorkflowError::file(parent, &error))?;
    }
    write_whole(&file, text.as_bytes())
}

fn render(setup: &Setup, branch: &str) -> Result<String, WorkflowError> {
    let providers = crate::esign::Providers::default();
    let mut secrets: Vec<&str> = setup
        .esign
        .iter()
        .filter_map(|name| providers.by_name(name))
        .flat_map(|provider| provider.secret_names().iter().copied())
        .collect();
    let row = crate::crm::row(&setup.crm);
    secrets.extend(row.into_iter().flat_map(|row| row.workflow_secrets));
    if setup.github.is_some() {
        secrets.push("GITHUB_TOKEN");
    }
    let map = row.map_or(setup.crm.as_str(), |row| row.mapping.name);
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    environment.set_syntax(syntax.build().expect("the usual delimiters are valid"));
    let values = context! {
        map, secrets, branch,
        ..Value::from(Serde(setup))
    };
    environment
        .render_str(include_str!("../../templates/init/handoff.yaml.j2"), values)
        .map_err(|error| WorkflowError::Template(error.to_string()))
}

/// Writes a file whole or not at all.
pub(super) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), WorkflowError> {
    disk::write(file, bytes, Access::Shared).map_err(|error| WorkflowError::file(file, &error))
}
