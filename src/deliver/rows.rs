//! The sinks there are, and the `deliver:` section, which is read through
//! their rows.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::links::LinkSettings;
use super::messages::{Messages, TaskForm, TaskList};
use super::read_back::Reader;
use super::row::{Made, ReaderContext, SinkRow, SinkSettings, WorkflowNeeds};
use super::sink::{BranchRequests, Sink, SinkContext};
use super::{asana, crm_task, email, events, github, jira, outbox, slack, teams, welcome};
use crate::brief::EventKind;
use crate::http::BaseUrl;
use crate::link::LINK_KEY;
use crate::model::Secrets;
use crate::settings::{self, ConfigProblem};
use crate::text;
use crate::yaml::{Node, Value as Yaml, from_node};

/// Every kind of sink, in the order in which sinks are made.
pub const SINKS: &[SinkRow] = &[
    github::ROW,
    crm_task::ROW,
    slack::ROW,
    teams::ROW,
    email::ROW,
    asana::ROW,
    jira::ROW,
    welcome::ROW,
    events::ROW,
    // Last: it takes what no other delivers.
    outbox::ROW,
];

/// The names of the secrets that sinks may read.
pub fn secret_names() -> impl Iterator<Item = &'static str> {
    SINKS.iter().flat_map(|row| row.secrets.iter().copied()).chain([LINK_KEY])
}

/// `deliver:`: the configured sinks.
#[derive(Debug, Default)]
pub struct DeliverConfig {
    /// Handoffs signed before this moment are left alone.
    pub since: Option<DateTime<Utc>>,
    /// Whether deliveries go out before the brief is on the ledger's remote.
    pub before_push: bool,
    /// The page behind a link.
    pub links: Option<LinkSettings>,
    sinks: Vec<(&'static SinkRow, Box<dyn SinkSettings>)>,
}

/// Why a sink cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("deliver.{sink}: {message}")]
pub struct BuildProblem {
    /// The sink's name in the configuration.
    pub sink: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

const SINCE: &str = "since";
const BEFORE_PUSH: &str = "before_push";
const LINKS: &str = "links";

impl DeliverConfig {
    /// Reads the section.
    ///
    /// # Errors
    /// Every problem in it, with its line.
    pub fn read(node: &Node) -> Result<Self, Vec<ConfigProblem>> {
        let mut config = Self::default();
        if node.value == Yaml::Null {
            return Ok(config);
        }
        let Some(entries) = node.as_map() else {
            let names = SINKS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            let problem = ConfigProblem::at(node.span, "expected a mapping of sinks");
            return Err(vec![problem.help(format!("the sinks are {names}"))]);
        };
        let mut problems = Vec::new();
        for entry in entries {
            let node = &entry.node;
            let read = match entry.key.as_str() {
                SINCE => value(node).map(|since| config.since = since),
                BEFORE_PUSH => value(node).map(|before_push| config.before_push = before_push),
                LINKS => settings::read(node).map(|links| config.links = Some(links)),
                key => match SINKS.iter().find(|row| row.name == key) {
                    Some(row) => row.settings.read(node).map(|it| config.sinks.push((row, it))),
                    None => {
                        let keys = [SINCE, BEFORE_PUSH, LINKS];
                        let keys = SINKS.iter().map(|row| row.name).chain(keys);
                        let problem =
                            ConfigProblem::at(entry.key_span, format!("there is no sink `{key}`"));
                        Err(vec![problem.help(text::did_you_mean(key, keys))])
                    }
                },
            };
            problems.extend(read.err().into_iter().flatten());
        }
        let place = |name| SINKS.iter().position(|row| row.name == name);
        config.sinks.sort_by_key(|(row, _)| place(row.name));
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// The section's JSON Schema.
    #[must_use]
    pub fn schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        properties.insert(
            SINCE.to_owned(),
            json!({
                "description": "Handoffs signed before this moment are left alone.",
                "type": ["string", "null"],
                "format": "date-time",
            }),
        );
        properties.insert(
            BEFORE_PUSH.to_owned(),
            json!({
                "description": "Whether deliveries go out before the brief is on the ledger's remote. Default: false, they wait for the push.",
                "type": "boolean",
                "default": false,
            }),
        );
        properties.insert(LINKS.to_owned(), generator.subschema_for::<LinkSettings>().into());
        for row in SINKS {
            properties.insert(row.name.to_owned(), row.settings.schema(generator).into());
        }
        json_schema!({
            "description": "What a signed brief sets off.",
            "type": ["object", "null"],
            "properties": Value::Object(properties),
            "additionalProperties": false,
        })
    }

    /// The rows of the configured sinks.
    pub fn rows(&self) -> impl Iterator<Item = &'static SinkRow> + '_ {
        self.sinks.iter().map(|(row, _)| *row)
    }

    /// What each configured sink needs of the workflows of a ledger on GitHub.
    pub fn workflow_needs(&self) -> impl Iterator<Item = (&'static SinkRow, WorkflowNeeds)> + '_ {
        self.sinks.iter().map(|(row, settings)| (*row, settings.workflow_needs()))
    }

    /// Whether messages that belong to no handoff can go out.
    #[must_use]
    pub fn sends_notices(&self) -> bool {
        self.sinks.iter().any(|(_, settings)| settings.sends_notices())
    }

    /// Whether a sink delivers to the CRM that deals come from.
    #[must_use]
    pub fn writes_to_crm(&self) -> bool {
        self.workflow_needs().any(|(_, needs)| needs.is_crm)
    }

    /// Whether the task is a pull request, on whose branch a signed brief waits.
    #[must_use]
    pub fn opens_pull_request(&self) -> bool {
        self.task_form() == TaskForm::PullRequest
    }

    /// The form of the first-touch task.
    #[must_use]
    pub fn task_form(&self) -> TaskForm {
        let mut tasks = self.sinks.iter().filter(|(row, _)| opens_task(row));
        tasks.next().map_or(TaskForm::Issue, |(_, settings)| settings.task_form())
    }

    /// Whether some sink opens the CSM's first-touch task.
    #[must_use]
    pub fn opens_task(&self) -> bool {
        self.rows().any(opens_task)
    }

    /// Who gets the text of an event: the sinks that make it, else the one
    /// that takes the rest.
    #[must_use]
    pub fn targets(&self, event: EventKind) -> Vec<&'static SinkRow> {
        let makes = |row: &SinkRow| row.events.contains(&event);
        let of = |rest: bool| -> Vec<&'static SinkRow> {
            let sinks = self.sinks.iter().filter(|(_, it)| it.takes_the_rest() == rest);
            sinks.map(|(row, _)| *row).filter(|row| makes(row)).collect()
        };
        let targets = of(false);
        if targets.is_empty() { of(true) } else { targets }
    }

    /// The forge that a ledger's remote lies on, to be asked about it.
    ///
    /// # Errors
    /// When it is none that can be asked, or no credentials are there.
    pub fn forge(&self, project: &str, secrets: &Secrets) -> Result<github::Forge, String> {
        github::Forge::new(project, self.forge_api(), secrets)
    }

    /// The forge's API, where it is not the public one.
    #[must_use]
    pub fn forge_api(&self) -> Option<&BaseUrl> {
        self.sinks.iter().find_map(|(_, settings)| settings.forge_api())
    }

    /// Makes what opens the pull request of a draft; `None` where no target is
    /// configured.
    ///
    /// # Errors
    /// With every problem there is, as [`build`].
    pub fn draft_request(
        &self,
        secrets: &Secrets,
        messages: &Messages,
    ) -> Result<Option<Box<dyn Sink>>, Vec<BuildProblem>> {
        self.first(|it| it.draft_request(secrets, messages))
    }

    /// Makes what opens pull requests of other branches; `None` where no
    /// target is configured.
    ///
    /// # Errors
    /// With every problem there is, as [`build`].
    pub fn branch_requests(
        &self,
        secrets: &Secrets,
        messages: &Messages,
    ) -> Result<Option<Box<dyn BranchRequests>>, Vec<BuildProblem>> {
        self.first(|it| it.branch_requests(secrets, messages))
    }

    /// What the first sink makes that makes such a thing.
    fn first<T: ?Sized>(
        &self,
        make: impl Fn(&dyn SinkSettings) -> Made<T>,
    ) -> Result<Option<Box<T>>, Vec<BuildProblem>> {
        for (row, settings) in &self.sinks {
            if let Some(made) = make(settings.as_ref()).map_err(|found| told(row, found))? {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }
    /// Makes what tells the rep of a draft what it lacks.
    ///
    /// # Errors
    /// With every problem there is, as [`build`].
    pub fn draft_notices(
        &self,
        secrets: &Secrets,
        messages: &Messages,
    ) -> Result<Vec<Box<dyn Sink>>, Vec<BuildProblem>> {
        let mut notices = Vec::new();
        for (row, settings) in &self.sinks {
            notices.extend(settings.draft_notice(secrets, messages).map_err(|it| told(row, it))?);
        }
        Ok(notices)
    }
}

fn value<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<ConfigProblem>> {
    from_node(node).map_err(|error| vec![error.into()])
}

fn opens_task(row: &SinkRow) -> bool {
    row.events.contains(&EventKind::TaskOpened)
}

fn told(row: &SinkRow, found: Vec<String>) -> Vec<BuildProblem> {
    found.into_iter().map(|message| BuildProblem { sink: row.name, message }).collect()
}

/// Makes the configured sinks.
///
/// # Errors
/// With every problem there is: missing secrets, values that cannot be used,
/// a broken list of tasks.
pub fn build(
    config: &DeliverConfig,
    secrets: &Secrets,
    context: &SinkContext,
) -> Result<Vec<Box<dyn Sink>>, Vec<BuildProblem>> {
    let messages = Messages::new(context.clone());
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let mut problems: Vec<BuildProblem> = Vec::new();
    for (row, settings) in &config.sinks {
        let others: BTreeSet<EventKind> = sinks.iter().map(|sink| sink.event()).collect();
        match settings.sinks(secrets, &messages, &Vec::from_iter(others)) {
            Ok(made) => sinks.extend(made),
            Err(found) => problems.extend(told(row, found)),
        }
    }
    if let Err(error) = TaskList::read(context) {
        problems.push(BuildProblem { sink: "tasks", message: error.to_string() });
    }
    if problems.is_empty() { Ok(sinks) } else { Err(problems) }
}

/// Makes what reads back what people did about the deliveries.
///
/// # Errors
/// With every problem there is, as [`build`].
pub fn readers(
    config: &DeliverConfig,
    secrets: &Secrets,
    context: &ReaderContext,
) -> Result<Vec<Box<dyn Reader>>, Vec<BuildProblem>> {
    let mut readers: Vec<Box<dyn Reader>> = Vec::new();
    let mut problems: Vec<BuildProblem> = Vec::new();
    for (row, settings) in &config.sinks {
        match settings.reader(secrets, context) {
            Ok(made) => readers.extend(made),
            Err(found) => problems.extend(told(row, found)),
        }
    }
    if problems.is_empty() { Ok(readers) } else { Err(problems) }
}
