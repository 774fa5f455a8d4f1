//! `deliver.github`: what a company configures, and whom the task is given to.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::deliver::messages::{TaskForm, answer};
use crate::deliver::sink::Handoff;
use crate::http::BaseUrl;
use crate::text;

/// A repository, `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Parses `owner/name`.
    ///
    /// # Errors
    /// When it is not of that form, or holds characters that GitHub has not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part != "."
                && part != ".."
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match text.split_once('/') {
            Some((owner, name)) if part(owner) && part(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err("give the repository as owner/name, such as acme/handoffs".to_owned()),
        }
    }

    /// The owner's login.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether it is the same one; GitHub takes no notice of case.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }

    /// The path of something in this repository's API.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.owner, self.name)
    }
}

impl TryFrom<String> for Repository {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A project (the new kind, of an organisation or a person) that tasks are put on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectSettings {
    /// The organisation or person that owns it.
    pub owner: String,
    /// Its number, as in its address.
    pub number: u32,
    /// A date field that gets the day of the deadline.
    #[serde(default)]
    pub due_field: Option<String>,
}

/// `deliver.github`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubSettings {
    /// Where the tasks are opened, `owner/name`.
    #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$"))]
    pub repository: Repository,
    /// An issue or a pull request.
    #[serde(default, rename = "as")]
    pub form: TaskForm,
    /// The labels; the first one marks handoff's own tasks.
    #[serde(default = "default_labels")]
    pub labels: Vec<String>,
    /// The number of the milestone for new tasks.
    #[serde(default)]
    pub milestone: Option<u64>,
    /// A project that tasks are put on.
    #[serde(default)]
    pub project: Option<ProjectSettings>,
    /// The branch that pull requests aim at; the repository's default when absent.
    #[serde(default)]
    pub base: Option<String>,
    /// The API of GitHub Enterprise, `https://github.example.com/api/v3`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
    /// The pause between two writes; GitHub asks for one second.
    #[serde(default = "default_pause")]
    pub seconds_between_writes: u64,
}

fn default_labels() -> Vec<String> {
    vec!["handoff".to_owned()]
}

fn default_pause() -> u64 {
    1
}

impl GithubSettings {
    /// The settings of a repository of which nothing else is said.
    pub(super) fn of(repository: Repository) -> Self {
        Self {
            repository,
            form: TaskForm::default(),
            labels: default_labels(),
            milestone: None,
            project: None,
            base: None,
            base_url: None,
            seconds_between_writes: default_pause(),
        }
    }

    /// What is wrong with values that are of the right type.
    pub(in crate::deliver) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.labels.is_empty() {
            problems.push("labels: give at least one; the first marks handoff's own tasks".into());
        }
        for label in &self.labels {
            let fits = !label.trim().is_empty() && label.chars().count() <= 50;
            if !fits || label.contains(',') {
                problems.push(format!(
                    "labels: {} is not a label; GitHub takes 1 to 50 characters without a comma",
                    text::quoted(label)
                ));
            }
        }
        problems
    }
}

/// The login of the brief's owner, or why there is none. Whether it may be
/// assigned is asked by assigning it: GitHub refuses the whole task when not,
/// and that refusal makes nothing, so the task is sent again without.
pub(super) fn assignee(handoff: &Handoff) -> Result<String, String> {
    let Some(login) = answer(&handoff.brief, "first_action.owner.github") else {
        return Err("the brief's owner has no GitHub login".to_owned());
    };
    let login = self::login(&login);
    let plain = !login.is_empty()
        && login.len() <= 100
        && login.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if plain { Ok(login) } else { Err(format!("{} is not a GitHub login", text::quoted(&login))) }
}

/// A login as GitHub writes it.
pub(super) fn login(text: &str) -> String {
    text.trim().trim_start_matches('@').to_owned()
}
