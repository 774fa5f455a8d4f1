//! Who may own a first action.

use crate::brief::Colleague;

/// One CSM, as far as the configuration names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The full name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The GitHub login.
    pub github: Option<String>,
    /// The Slack member id.
    pub slack: Option<String>,
}

/// The CSMs of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    members: Vec<Member>,
}

impl Team {
    /// A team of these members.
    #[must_use]
    pub fn new(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// Whether no team is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order of the configuration.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether the brief's owner is one of them: by address, login, Slack id
    /// or, where the brief has nothing else, by name.
    #[must_use]
    pub fn has(&self, person: &Colleague<'_>) -> bool {
        let same = |own: &Option<String>, given: Option<&str>| {
            own.as_deref().zip(given).is_some_and(|(own, given)| {
                own.trim().to_lowercase() == given.trim().trim_start_matches('@').to_lowercase()
            })
        };
        let only_name = person.email.is_none() && person.github.is_none() && person.slack.is_none();
        self.members.iter().any(|member| {
            same(&member.email, person.email)
                || same(&member.github, person.github)
                || same(&member.slack, person.slack)
                || (only_name && same(&member.name, person.name))
        })
    }
}
