//! The `deliver:` section and the sinks it stands for.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    AsanaSettings, EmailSettings, GithubSettings, JiraSettings, Messages, OutboxSettings, Reader,
    Sink, SinkContext, SlackSettings, TaskForm, TaskList, WelcomeSettings, WholeDays, asana, email,
    github, jira, outbox, slack, welcome,
};
use crate::model::Secrets;

/// `deliver:`; one line for each sink.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverConfig {
    /// Handoffs signed before this moment are left alone.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// Whether deliveries go out before the brief is on the ledger's remote.
    #[serde(default)]
    pub before_push: bool,
    /// The first-touch task on GitHub.
    #[serde(default)]
    pub github: Option<GithubSettings>,
    /// The message in the channel.
    #[serde(default)]
    pub slack: Option<SlackSettings>,
    /// The mail.
    #[serde(default)]
    pub email: Option<EmailSettings>,
    /// The onboarding project in Asana.
    #[serde(default)]
    pub asana: Option<AsanaSettings>,
    /// The onboarding epic in Jira.
    #[serde(default)]
    pub jira: Option<JiraSettings>,
    /// The customer's welcome sequence.
    #[serde(default)]
    pub welcome: Option<WelcomeSettings>,
    /// Files with what would be sent.
    #[serde(default)]
    pub outbox: Option<OutboxSettings>,
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

/// Makes the configured sinks.
///
/// # Errors
/// With every problem there is: missing secrets, values that cannot be used,
/// a broken list of tasks.
pub fn build(
    config: &DeliverConfig,
    secrets: &Secrets,
    site: &SinkContext,
) -> Result<Vec<Box<dyn Sink>>, Vec<BuildProblem>> {
    let letters = Messages::new(site.clone());
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let mut problems: Vec<BuildProblem> = Vec::new();
    let mut add = |sink: &'static str, made: Result<Vec<Box<dyn Sink>>, Vec<String>>| match made {
        Ok(made) => sinks.extend(made),
        Err(found) => {
            problems.extend(found.into_iter().map(|message| BuildProblem { sink, message }));
        }
    };
    if let Some(settings) = &config.github {
        add("github", github::sinks(settings, secrets, &letters));
    }
    if let Some(settings) = &config.slack {
        add("slack", slack::sinks(settings, secrets, &letters));
    }
    if let Some(settings) = &config.email {
        add("email", email::sinks(settings, secrets, &letters));
    }
    if let Some(settings) = &config.asana {
        add("asana", asana::sink(settings, secrets, letters.clone()).map(one));
    }
    if let Some(settings) = &config.jira {
        add("jira", jira::sink(settings, secrets, letters.clone()).map(one));
    }
    if let Some(settings) = &config.welcome {
        add("welcome", welcome::sink(settings, secrets, letters.clone()).map(one));
    }
    if let Err(error) = TaskList::read(site) {
        problems.push(BuildProblem { sink: "tasks", message: error.to_string() });
    }
    if let Some(settings) = &config.outbox {
        let others: Vec<_> = sinks.iter().map(|sink| sink.event()).collect();
        match outbox::sinks(settings, &others, &letters) {
            Ok(made) => sinks.extend(made),
            Err(message) => problems.push(BuildProblem { sink: "outbox", message }),
        }
    }
    if problems.is_empty() { Ok(sinks) } else { Err(problems) }
}

fn one(sink: Box<dyn Sink>) -> Vec<Box<dyn Sink>> {
    vec![sink]
}

/// Makes what reads back what people did about the deliveries; one line for
/// each target that tells. `days` are those of the deadlines.
///
/// # Errors
/// With every problem there is, as [`build`].
pub fn readers(
    config: &DeliverConfig,
    secrets: &Secrets,
    days: WholeDays,
) -> Result<Vec<Box<dyn Reader>>, Vec<BuildProblem>> {
    let mut readers: Vec<Box<dyn Reader>> = Vec::new();
    let mut problems: Vec<BuildProblem> = Vec::new();
    let mut add = |sink: &'static str, made: Result<Box<dyn Reader>, Vec<String>>| match made {
        Ok(made) => readers.push(made),
        Err(found) => {
            problems.extend(found.into_iter().map(|message| BuildProblem { sink, message }));
        }
    };
    if let Some(settings) = &config.github {
        add("github", github::reader(settings, secrets, days));
    }
    if let Some(settings) = &config.asana {
        add("asana", asana::reader(settings, secrets, days));
    }
    if let Some(settings) = &config.jira {
        add("jira", jira::reader(settings, secrets, days));
    }
    if problems.is_empty() { Ok(readers) } else { Err(problems) }
}

impl DeliverConfig {
    /// Whether the task is a pull request, on whose branch a signed brief waits.
    #[must_use]
    pub fn opens_pull_request(&self) -> bool {
        self.github.as_ref().is_some_and(|github| github.form == TaskForm::PullRequest)
    }

    /// Whether some sink opens the CSM's first-touch task.
    #[must_use]
    pub fn opens_task(&self) -> bool {
        self.github.is_some() || self.outbox.is_some()
    }
}
