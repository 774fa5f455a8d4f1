//! `deliver.github`: what a company configures, whom the task is given to, and a
//! task's address as the timeline keeps it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::deliver::messages::{TaskForm, answer};
use crate::deliver::sink::Handoff;
use crate::http::BaseUrl;
use crate::text;

/// A repository, `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct RepositoryName {
    owner: String,
    name: String,
}

impl RepositoryName {
    /// Parses `owner/name`.
    ///
    /// # Errors
    /// When it is not of that form, or holds characters that GitHub has not.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
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
    pub(super) fn owner(&self) -> &str {
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

impl TryFrom<String> for RepositoryName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl std::fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A project (the new kind, of an organisation or a person) that tasks are put on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectSettings {
    /// The organisation or person that owns it.
    pub owner: String,
    /// Its number, as in its address.
    pub number: u32,
    /// A date field that gets the day of the deadline.
    pub due_field: Option<String>,
}

/// `deliver.github`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GithubSettings {
    /// Where the tasks are opened, `owner/name`.
    #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$"))]
    pub repository: RepositoryName,
    /// An issue or a pull request.
    #[serde(default, rename = "as")]
    pub form: TaskForm,
    /// The labels; the first one marks handoff's own tasks.
    #[serde(default = "default_labels")]
    pub labels: Vec<String>,
    /// The number of the milestone for new tasks.
    pub milestone: Option<u64>,
    /// A project that tasks are put on.
    pub project: Option<ProjectSettings>,
    /// The branch that pull requests aim at; the repository's default when absent.
    pub base: Option<String>,
    /// The API of GitHub Enterprise, `https://github.example.com/api/v3`.
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
    pub(super) fn of(repository: RepositoryName) -> Self {
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

/// An issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskUrl {
    address: String,
    repository: RepositoryName,
    number: u64,
    pull_request: bool,
}

impl TaskUrl {
    /// Reads `https://github.com/acme/handoffs/issues/12` or `…/pull/12`, of
    /// whichever host: Enterprise has its own.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let url = url::Url::parse(address).ok()?;
        let parts: Vec<&str> = url.path_segments()?.collect();
        let [owner, name, kind, number] = parts.as_slice() else { return None };
        let pull_request = match *kind {
            "issues" => false,
            "pull" => true,
            _ => return None,
        };
        let repository = RepositoryName::parse(&format!("{owner}/{name}")).ok()?;
        let number = number.parse().ok()?;
        Some(Self { address: address.to_owned(), repository, number, pull_request })
    }

    /// The address as it was given.
    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// Whether it is a pull request.
    pub(super) fn is_pull_request(&self) -> bool {
        self.pull_request
    }

    /// Whether another address names the same task.
    pub(super) fn is(&self, address: &str) -> bool {
        Self::parse(address).is_some_and(|other| {
            self.number == other.number && self.repository.is(&other.repository)
        })
    }

    /// Its repository, as the address names it.
    pub(super) fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// Whether an address is this task's in a repository by another name.
    pub(super) fn is_in(&self, repository: &str, address: &str) -> bool {
        Self::parse(address).is_some_and(|other| {
            self.number == other.number
                && RepositoryName::parse(repository).is_ok_and(|now| now.is(&other.repository))
        })
    }

    /// The path of something of it in the API; `kind` is `issues` or `pulls`.
    pub(super) fn api(&self, kind: &str, rest: &str) -> String {
        self.repository.path(&format!("/{kind}/{}{rest}", self.number))
    }
}

impl std::fmt::Display for TaskUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_task_or_nothing() {
        let issue = TaskUrl::parse("https://github.com/acme/handoffs/issues/12").expect("a task");
        assert_eq!(issue.to_string(), "acme/handoffs#12");
        assert_eq!(issue.api("issues", "/comments"), "/repos/acme/handoffs/issues/12/comments");
        assert!(issue.is("https://github.com/Acme/Handoffs/issues/12"));
        assert!(!issue.is("https://github.com/acme/other/issues/12"));
        assert!(
            TaskUrl::parse("https://ghe.example.com/a/b/pull/3").expect("a task").is_pull_request()
        );
        for nothing in [
            "",
            "C01/17.3",
            "https://github.com/acme",
            "https://github.com/a/b/issues/x",
            "https://github.com/../b/issues/1",
            "https://github.com/a/b/issues/1/comments",
        ] {
            assert_eq!(TaskUrl::parse(nothing), None, "{nothing}");
        }
    }
}
