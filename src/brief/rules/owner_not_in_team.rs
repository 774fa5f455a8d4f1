//! `owner-not-in-team`: the first action belongs to somebody who is no CSM here.

use super::subject::Subject;
use crate::brief::Colleague;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::{nearest, quoted};

pub(super) static RULE: Rule = Rule {
    id: "owner-not-in-team",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action's owner is not one of team.csms in handoff.yaml.",
    explain: include_str!("../../../docs/rules/owner-not-in-team.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let team = subject.context.team;
    let Some(owner) = subject.view.first_action_owner() else { return };
    if team.is_empty() || team.has(&owner) {
        return;
    }
    let given = owner.email.or(owner.github).or(owner.slack).or(owner.name).unwrap_or_default();
    let known = team.members().iter().flat_map(|member| {
        [&member.email, &member.github, &member.name].into_iter().flatten().map(String::as_str)
    });
    let help = match nearest(given, known) {
        Some(known) => format!("did you mean {}?", quoted(known)),
        None => "name one of team.csms, or add this person to it in handoff.yaml".to_owned(),
    };
    let message = format!("{} is not in the team that handoff.yaml names", quoted(given));
    findings.push(subject.finding(&RULE, "/first_action/owner", message).help(help));
}

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
