//! The workflows that a ledger on GitHub runs: made from `handoff.yaml` and the
//! connectors' rows, so that only what is configured is in them. Each file says
//! in its head what it was made as: one that a person has changed is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::WorkflowError;
use crate::config::Config;
use crate::deliver::TaskForm;
use crate::esign::{Provider, Providers};
use crate::link::LINK_KEY;
use crate::model::Check;

/// The composite action that puts handoff on a runner.
const INSTALL: &str = ".github/actions/handoff/action.yml";

/// What the program is published as; the plain name belongs to somebody else.
const PACKAGE: &str = env!("CARGO_PKG_NAME");

const VALIDATE: &str = ".github/workflows/handoff-validate.yml";
const PLAN: &str = ".github/workflows/handoff-plan.yml";
const SIGN: &str = ".github/workflows/handoff-sign.yml";
const FORM: &str = ".github/workflows/handoff-form.yml";
const SYNC: &str = ".github/workflows/handoff-sync.yml";
const AUDIT: &str = ".github/workflows/handoff-audit.yml";

/// Every file that may be made here.
const PATHS: [&str; 7] = [VALIDATE, PLAN, SIGN, FORM, SYNC, AUDIT, INSTALL];

/// The actions, by commit. Dependabot raises them in a ledger, and a ledger's
/// own pins are kept.
const PINS: &[(&str, &str)] = &[
    ("actions/checkout", "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"),
    (
        "actions/upload-artifact",
        "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    ),
    ("actions/cache", "actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5"),
];

/// The export that an audit takes where `crm:` names no place for deals.
const ADHOC_EXPORT: &str = "deals.csv";

/// How the first line of a made file ends, before its digest.
const MADE: &str = "# Made from handoff.yaml by `handoff init --workflows`, as ";

/// The line of the composite action that says where handoff comes from.
const INSTALL_FROM: &str = "# install-from: ";

/// Where a runner gets handoff from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum InstallFrom {
    /// Nobody has said yet: what is on the runner's path.
    #[default]
    Unset,
    /// A release, with its checksum.
    Url {
        /// The address: a program, or a `.tar.gz` that holds it.
        url: String,
        /// Its SHA-256.
        sha256: String,
    },
    /// A program in the ledger.
    Path(String),
    /// The published package, built on the runner.
    Cargo,
}

impl InstallFrom {
    /// Reads `https://…#sha256=…`, a path in the ledger, or `cargo`.
    ///
    /// # Errors
    /// What is missing, and how it is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "cargo" {
            return Ok(Self::Cargo);
        }
        if text.contains("://") {
            let shape = "write https://ADDRESS#sha256=CHECKSUM, with the 64 hex digits that `sha256sum FILE` prints";
            let (url, sha256) = text
                .split_once("#sha256=")
                .ok_or_else(|| format!("the checksum is missing; {shape}"))?;
            let is_hex = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
            let parsed = url::Url::parse(url).ok().filter(|url| url.scheme() == "https");
            let Some(parsed) = parsed.filter(|_| is_hex) else { return Err(shape.to_owned()) };
            if !parsed.username().is_empty() || parsed.password().is_some() {
                return Err(
                    "an address with a password in it would be committed; name one that needs none"
                        .to_owned(),
                );
            }
            if let Some(packed) = packed_as(parsed.path(), &[]) {
                return Err(format!(
                    "a program or a .tar.gz that holds it is taken, not a {packed}"
                ));
            }
            return Ok(Self::Url { url: url.to_owned(), sha256: sha256.to_ascii_lowercase() });
        }
        if let Some(packed) = packed_as(text, &[".tar.gz", ".tgz"]) {
            return Err(format!("the program itself is taken from the ledger, not a {packed}"));
        }
        let path = Path::new(text);
        let inside =
            |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
        if text.is_empty() || text.chars().any(char::is_control) || !path.components().all(inside) {
            return Err("name a file within the ledger, such as tools/handoff".to_owned());
        }
        Ok(Self::Path(text.to_owned()))
    }

    fn written(&self) -> String {
        match self {
            Self::Unset => "not set".to_owned(),
            Self::Url { url, sha256 } => format!("{url}#sha256={sha256}"),
            Self::Path(path) => path.clone(),
            Self::Cargo => "cargo".to_owned(),
        }
    }

    /// What the ledger's composite action was made with.
    fn of_ledger(dir: &Path) -> Self {
        let text = fs::read_to_string(dir.join(INSTALL)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(INSTALL_FROM));
        line.and_then(|line| Self::parse(line).ok())
            .filter(|from| {
                // The line of a ledger that does not say parses as a path.
                *from != Self::Path(Self::Unset.written())
            })
            .unwrap_or_default()
    }
}

/// What a file is packed as by its name, where that is not what a runner unpacks;
/// `more` are packings that are none here either.
fn packed_as(name: &str, more: &[&'static str]) -> Option<&'static str> {
    const OTHER: [&str; 15] = [
        ".zip", ".tar.xz", ".txz", ".xz", ".tar.zst", ".zst", ".tar.bz2", ".tbz", ".bz2", ".tar",
        ".7z", ".deb", ".rpm", ".dmg", ".msi",
    ];
    let name = name.to_ascii_lowercase();
    more.iter().chain(&OTHER).copied().find(|end| name.ends_with(end))
}

/// The files that a configuration asks for, with what a person should know.
#[derive(Debug, Default)]
pub(super) struct Workflows {
    pub(super) files: Vec<(&'static str, String)>,
    pub(super) remarks: Vec<String>,
}

/// Whether the issue form is of use: nothing else reports every deal.
pub(super) fn wants_form(config: &Config) -> bool {
    let connected = config.crm.row().is_some_and(|row| !row.workflow_secrets.is_empty());
    !connected || Providers::new(&config.esign, &[]).configured().next().is_none()
}

/// One provider whose API is asked for documents that never arrived.
#[derive(Debug, Clone, Serialize)]
struct CatchUpProvider {
    name: &'static str,
    title: &'static str,
    secrets: Vec<String>,
    /// The secret without which it cannot be asked.
    guard: String,
}

/// Makes the files for a ledger in `dir`.
///
/// # Errors
/// When the program that `from` names cannot be read.
pub(super) fn make(
    dir: &Path,
    config: &Config,
    branch: &str,
    from: Option<&InstallFrom>,
) -> Result<Workflows, WorkflowError> {
    let from = from.cloned().unwrap_or_else(|| InstallFrom::of_ledger(dir));
    let facts = WorkflowFacts::of(config, branch);
    let mut made = Workflows::default();
    let mut add = |path: &'static str, template: &str, more: Value| {
        let text = render(template, &pins(dir, path), context! { ..more, ..facts.value() })?;
        let lead = match path {
            INSTALL => format!("{INSTALL_FROM}{}\n", from.written()),
            _ => String::new(),
        };
        made.files.push((path, with_head(&format!("{lead}{text}"))));
        Ok::<_, WorkflowError>(())
    };
    let nothing = || context! {};
    add(VALIDATE, include_str!("../../templates/init/workflows/validate.yml"), nothing())?;
    add(PLAN, include_str!("../../templates/init/workflows/plan.yml"), nothing())?;
    add(SIGN, include_str!("../../templates/init/workflows/sign.yml"), nothing())?;
    if wants_form(config) {
        add(FORM, include_str!("../../templates/init/workflows/form.yml"), nothing())?;
    }
    if facts.reads_back {
        add(SYNC, include_str!("../../templates/init/workflows/sync.yml"), nothing())?;
    }
    add(AUDIT, include_str!("../../templates/init/workflows/audit.yml"), nothing())?;
    add(INSTALL, include_str!("../../templates/init/workflows/install.yml"), install(dir, &from)?)?;
    made.remarks = facts.remarks(&from);
    Ok(made)
}

/// What the composite action is filled with.
fn install(dir: &Path, from: &InstallFrom) -> Result<Value, WorkflowError> {
    let version = env!("CARGO_PKG_VERSION");
    Ok(match from {
        InstallFrom::Unset => context! { kind => "unset" },
        InstallFrom::Url { url, sha256 } => {
            context! { kind => "url", place => quoted(url), sha256 => quoted(sha256) }
        }
        InstallFrom::Path(path) => {
            let file = dir.join(path);
            let bytes = fs::read(&file).map_err(|error| WorkflowError::file(&file, &error))?;
            let sha256 = hex::encode(Sha256::digest(&bytes));
            context! { kind => "path", place => quoted(path), sha256 => quoted(&sha256) }
        }
        InstallFrom::Cargo => context! { kind => "cargo", version, package => PACKAGE },
    })
}

/// What of the configuration the workflows are made of.
struct WorkflowFacts {
    branch: String,
    esign: Vec<String>,
    asked: Vec<CatchUpProvider>,
    crm: Vec<String>,
    deliver: Vec<String>,
    readers: Vec<String>,
    reads_back: bool,
    delivers: bool,
    keeps_files: bool,
    label: Option<String>,
    form: TaskForm,
    export: Option<String>,
    /// Whether briefs are made of that export, and not only audited against it.
    deals: bool,
    scheduled: bool,
    /// Whether the ledger is on a GitHub Enterprise Server.
    on_enterprise_server: bool,
}

impl WorkflowFacts {
    fn of(config: &Config, branch: &str) -> Self {
        let named =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let providers = Providers::new(&config.esign, &[]);
        let mut esign: Vec<String> = Vec::new();
        let mut asked = Vec::new();
        for provider in providers.configured() {
            let all = secrets_of(provider);
            if let Some(guard) = provider.api_secret_names().first() {
                asked.push(CatchUpProvider {
                    name: provider.name(),
                    title: provider.title(),
                    secrets: all.clone(),
                    guard: (*guard).to_owned(),
                });
            }
            esign.extend(all);
        }
        let row = config.crm.row();
        let crm = row.map(|row| named(row.workflow_secrets)).unwrap_or_default();
        let needs = || config.deliver.workflow_needs();
        let sinks = |wanted: fn(&crate::deliver::WorkflowNeeds) -> bool| {
            let rows = needs().filter(move |(_, needs)| wanted(needs));
            rows.flat_map(|(row, _)| named(row.secrets)).collect::<Vec<_>>()
        };
        let file = config.crm.file().map(|file| file.deals.display().to_string());
        Self {
            branch: branch.to_owned(),
            esign,
            asked,
            deliver: {
                let links = config.deliver.links.as_ref().map(|_| LINK_KEY.to_owned());
                sinks(|_| true).into_iter().chain(links).collect()
            },
            readers: sinks(|needs| needs.reads_back),
            // The CRM has its own record of first touches.
            reads_back: needs().any(|(_, needs)| needs.reads_back) || !crm.is_empty(),
            // A runner is thrown away, and with it what an outbox has written.
            delivers: needs().any(|(_, needs)| !needs.keeps_files)
                || config.crm.updates_closed_won(),
            keeps_files: needs().any(|(_, needs)| needs.keeps_files),
            label: needs().find_map(|(_, needs)| needs.label),
            form: config.deliver.task_form(),
            export: match (&file, row) {
                (Some(file), _) => Some(file.clone()),
                (None, None) => Some(ADHOC_EXPORT.to_owned()),
                (None, Some(_)) => None,
            },
            deals: file.is_some(),
            // <https://docs.github.com/en/enterprise-server/rest/overview/resources-in-the-rest-api>
            on_enterprise_server: config
                .deliver
                .forge_api()
                .is_some_and(|base| base.as_str().trim_end_matches('/').ends_with("/api/v3")),
            scheduled: row.is_some(),
            crm,
        }
    }

    fn value(&self) -> Value {
        let mut permissions = vec!["contents: write # the briefs"];
        if self.label.is_some() {
            permissions.push("issues: write # the tasks");
            if self.form == TaskForm::PullRequest {
                permissions.push("pull-requests: write # the tasks");
            }
        }
        let permissions: Vec<String> = permissions.iter().map(|it| format!("      {it}")).collect();
        context! {
            branch => quoted(&self.branch),
            // `$/` is the workflow's own commit; an Enterprise Server knows the checkout alone.
            action => if self.on_enterprise_server { "./.github/actions/handoff" } else { "$/.github/actions/handoff" },
            esign => &self.esign,
            asked => Value::from(Serde(&self.asked)),
            crm => &self.crm,
            deliver => &self.deliver,
            readers => &self.readers,
            delivers => self.delivers,
            // Within an expression a quote is doubled; the text stands in a folded scalar.
            label => self.label.as_ref().map(|label| label.replace('\'', "''")),
            form => match self.form { TaskForm::Issue | TaskForm::Crm => "issue", TaskForm::PullRequest => "pull_request" },
            export => self.export.as_deref().map(quoted),
            deals => self.deals,
            adhoc => (!self.scheduled).then_some(ADHOC_EXPORT),
            scheduled => self.scheduled,
            permissions => permissions.join("\n"),
        }
    }

    fn remarks(&self, from: &InstallFrom) -> Vec<String> {
        let mut remarks = Vec::new();
        if *from == InstallFrom::Unset {
            remarks.push("the workflows use the `handoff` on the runner's PATH; `handoff init --workflows --install-from URL#sha256=CHECKSUM` names a release".to_owned());
        }
        if *from == InstallFrom::Cargo {
            remarks.push(format!("the workflows build {PACKAGE} {} from the registry: check that it is published there by those you trust", env!("CARGO_PKG_VERSION")));
        }
        if let Some(export) = &self.export {
            let who = match (self.deals, self.scheduled) {
                (true, _) => "the workflows that read deals take them",
                (false, true) => "handoff-audit.yml runs every Monday and takes the deals",
                (false, false) => {
                    "handoff-audit.yml runs when somebody starts it and takes the deals"
                }
            };
            remarks.push(format!("{who} from the address in the secret HANDOFF_DEALS_URL, else from {export} as it is committed, else from the newest artifact named handoff-deals"));
        }
        if self.on_enterprise_server {
            remarks.push("on GitHub Enterprise Server some versions of the actions have to be others: docs/github.md says which; what you pin in a workflow is kept".to_owned());
        }
        if self.keeps_files {
            remarks.push("an outbox is of no use on a runner, which is thrown away; name another target under `deliver:` for the workflows".to_owned());
        }
        remarks
    }
}

fn secrets_of(provider: &dyn Provider) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in provider.secret_names().iter().chain(provider.api_secret_names()) {
        if !all.iter().any(|known| known == name) {
            all.push((*name).to_owned());
        }
    }
    all
}

/// A text as YAML takes it for one, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The variables of a step that reads and writes the ledger's remote.
fn environment(secrets: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for name in secrets.iter().filter(|name| !name.starts_with("GITHUB_")) {
        let line = format!("{name}: ${{{{ secrets.{name} }}}}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.sort();
    lines.extend(
        [
            "GITHUB_TOKEN: ${{ secrets.HANDOFF_GITHUB_TOKEN || github.token }}",
            "# Git asks for the token when handoff fetches and pushes; it is written nowhere.",
            "GIT_CONFIG_COUNT: 1",
            "GIT_CONFIG_KEY_0: credential.${{ github.server_url }}.helper",
            "GIT_CONFIG_VALUE_0: '!f() { echo username=x-access-token; echo \"password=$GITHUB_TOKEN\"; }; f'",
        ]
        .map(str::to_owned),
    );
    lines.iter().map(|line| format!("          {line}")).collect::<Vec<_>>().join("\n")
}

fn render(
    template: &str,
    pins: &BTreeMap<String, String>,
    values: Value,
) -> Result<String, WorkflowError> {
    let mut jinja = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    // GitHub's own expressions stand in double braces.
    syntax
        .block_delimiters("[%", "%]")
        .variable_delimiters("[=", "=]")
        .comment_delimiters("[#-", "-#]")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true);
    jinja.set_syntax(syntax.build().expect("the delimiters differ"));
    let pins = pins.clone();
    jinja.add_function("pin", move |name: String| {
        let missing = || Error::new(ErrorKind::InvalidOperation, format!("{name} is not pinned"));
        pins.get(&name).cloned().ok_or_else(missing)
    });
    jinja.add_function("environment", |secrets: Vec<String>| environment(&secrets));
    jinja
        // Without an ending, by which its values would be written as JSON.
        .add_template("export", include_str!("../../templates/init/workflows/export.yml"))
        .expect("the shipped step is a template");
    jinja
        .render_str(template, values)
        .map_err(|error| WorkflowError::Template(format!("a workflow's template: {error:#}")))
}

/// The pins of a file in the ledger, and the shipped ones of what it does not use.
fn pins(dir: &Path, path: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(dir.join(path)).unwrap_or_default();
    let own = text.lines().filter_map(|line| {
        let used = line.trim().trim_start_matches("- ").strip_prefix("uses: ")?;
        let (name, _) = used.split_once('@')?;
        Some((name.to_owned(), used.to_owned()))
    });
    let shipped = PINS.iter().map(|(name, pin)| ((*name).to_owned(), (*pin).to_owned()));
    shipped.chain(own).collect()
}

/// A text below the line that says what it was made as.
fn with_head(text: &str) -> String {
    format!("{MADE}{}\n{text}", digest(text))
}

/// The digest of a made text. Versions of actions do not count: Dependabot
/// raises them.
fn digest(text: &str) -> String {
    let mut hash = Sha256::new();
    for line in text.lines() {
        let line = match line.split_once("uses: ") {
            Some((before, used)) => {
                format!("{before}uses: {}", used.split('@').next().unwrap_or(used))
            }
            None => line.to_owned(),
        };
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hex::encode(&hash.finalize()[..8])
}

/// Whether a file is as it was made, whatever it was made of.
fn is_as_made(text: &str) -> bool {
    let Some((head, rest)) = text.split_once('\n') else { return false };
    head.strip_prefix(MADE).is_some_and(|made| made.trim_end() == digest(rest))
}

/// What becomes of the made files that a ledger has.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    pub(super) write: Vec<(&'static str, String)>,
    pub(super) remove: Vec<&'static str>,
    /// Changed by a person: left alone.
    pub(super) changed: Vec<&'static str>,
}

/// What is to be written and removed, so that a ledger has what is asked for.
pub(super) fn renewal(dir: &Path, wanted: &[(&'static str, String)]) -> Renewal {
    let mut renewal = Renewal::default();
    for path in PATHS {
        let there = fs::read_to_string(dir.join(path)).ok();
        let asked = wanted.iter().find(|(name, _)| *name == path).map(|(_, text)| text);
        match (there, asked) {
            (Some(there), Some(asked)) if there == *asked => {}
            (Some(there), _) if !is_as_made(&there) => renewal.changed.push(path),
            (_, Some(asked)) => renewal.write.push((path, asked.clone())),
            (Some(_), None) => renewal.remove.push(path),
            (None, None) => {}
        }
    }
    renewal
}

/// Whether the workflows of a ledger are those that its settings ask for; one
/// without any runs somewhere else.
#[must_use]
pub fn check_workflows(dir: &Path, config: &Config, branch: &str) -> Option<Check> {
    if !PATHS.iter().any(|path| dir.join(path).is_file()) {
        return None;
    }
    let made = match make(dir, config, branch, None) {
        Ok(made) => made,
        Err(error) => {
            return Some(Check::failed(
                "workflows",
                error.to_string(),
                "name another place with `handoff init --workflows --install-from`",
            ));
        }
    };
    let renewal = renewal(dir, &made.files);
    let stale: Vec<&str> =
        renewal.write.iter().map(|(path, _)| *path).chain(renewal.remove).collect();
    if !stale.is_empty() {
        let what = format!("not as handoff.yaml asks for: {}", stale.join(", "));
        return Some(Check::warning(
            "workflows",
            what,
            "run `handoff init --workflows`, and commit what it changes",
        ));
    }
    let words = match renewal.changed.as_slice() {
        [] => "as handoff.yaml asks for".to_owned(),
        changed => format!(
            "changed by hand, so not compared with what handoff.yaml asks for: {}",
            changed.join(", ")
        ),
    };
    if InstallFrom::of_ledger(dir) == InstallFrom::Unset {
        return Some(Check::warning(
            "workflows",
            format!("{words}; they use the `handoff` on the runner's PATH"),
            "run `handoff init --workflows --install-from URL#sha256=CHECKSUM`",
        ));
    }
    Some(Check::ok("workflows", words))
}
