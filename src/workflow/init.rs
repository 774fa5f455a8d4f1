//! What a ledger is laid out with.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;

use super::{Remarks, WorkflowError};
use crate::brief::{Schema, issue_form};
use crate::disk::{self, Access};
use crate::ledger::Ledger;

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
    /// Files that were there already and stay as they are.
    pub kept: Vec<String>,
    /// What a person should know.
    pub remarks: Remarks,
}

const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("../../templates/init/README.md")),
    (".gitattributes", include_str!("../../templates/init/gitattributes")),
    (".github/CODEOWNERS", include_str!("../../templates/init/CODEOWNERS")),
    ("schema/brief.schema.json", include_str!("../../schema/brief.schema.json")),
    ("schema/timeline.schema.json", include_str!("../../schema/timeline.schema.json")),
    ("schema/config.schema.json", include_str!("../../schema/config.schema.json")),
    ("templates/brief.md.j2", include_str!("../../templates/brief.md.j2")),
    ("templates/task.md.j2", include_str!("../../templates/task.md.j2")),
];

const RENDERED: &[(&str, &str)] = &[
    ("handoff.yaml", include_str!("../../templates/init/handoff.yaml.j2")),
    (
        ".github/workflows/handoff-validate.yml",
        include_str!("../../templates/init/workflows/validate.yml"),
    ),
    (".github/workflows/handoff-sign.yml", include_str!("../../templates/init/workflows/sign.yml")),
    (".github/workflows/handoff-form.yml", include_str!("../../templates/init/workflows/form.yml")),
    (".github/workflows/handoff-sync.yml", include_str!("../../templates/init/workflows/sync.yml")),
    (
        ".github/workflows/handoff-audit.yml",
        include_str!("../../templates/init/workflows/audit.yml"),
    ),
];

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

/// Makes or completes a ledger in a folder; never changes a file that is
/// there. The new files are committed in one commit of their own.
///
/// # Errors
/// When the folder or the repository cannot be written.
pub fn init(dir: &Path, setup: &Setup, now: DateTime<Utc>) -> Result<Laid, WorkflowError> {
    fs::create_dir_all(dir).map_err(|error| WorkflowError::file(dir, &error))?;
    let ledger = Ledger::init(dir)?;
    let mut laid = Laid::default();
    let mut made = Vec::new();
    let rendered = RENDERED
        .iter()
        .map(|(path, template)| Ok((*path, render(template, setup, ledger.branch())?)))
        .collect::<Result<Vec<_>, WorkflowError>>()?;
    let form = (FORM, issue_form(schema_of(dir)?.as_ref().unwrap_or(Schema::shipped())));
    let plain = FILES.iter().map(|(path, text)| (*path, (*text).to_owned()));
    for (path, text) in rendered.into_iter().chain(plain).chain([form]) {
        let file = dir.join(path);
        if file.symlink_metadata().is_ok() {
            laid.kept.push(path.to_owned());
            continue;
        }
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(|error| WorkflowError::file(parent, &error))?;
        }
        write_whole(&file, text.as_bytes())?;
        made.push((path.to_owned(), text));
        laid.made.push(path.to_owned());
    }
    if !made.is_empty() {
        laid.remarks.extend(super::store::commit_setup(&ledger, made, now)?);
    }
    Ok(laid)
}

fn render(template: &str, setup: &Setup, branch: &str) -> Result<String, WorkflowError> {
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
        repository => env!("CARGO_PKG_REPOSITORY"), version => env!("CARGO_PKG_VERSION"),
        ..Value::from(Serde(setup))
    };
    environment
        .render_str(template, values)
        .map_err(|error| WorkflowError::Template(error.to_string()))
}

/// Writes a file whole or not at all.
pub(super) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), WorkflowError> {
    disk::write(file, bytes, Access::Shared).map_err(|error| WorkflowError::file(file, &error))
}
