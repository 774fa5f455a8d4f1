//! A task's address as the timeline keeps it.

use super::settings::Repository;

/// An issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskUrl {
    address: String,
    repository: Repository,
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
        let repository = Repository::parse(&format!("{owner}/{name}")).ok()?;
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
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Whether an address is this task's in a repository by another name.
    pub(super) fn is_in(&self, repository: &str, address: &str) -> bool {
        Self::parse(address).is_some_and(|other| {
            self.number == other.number
                && Repository::parse(repository).is_ok_and(|now| now.is(&other.repository))
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
