//! The rules about the first action: what is to be done, by when, by whom.

use std::collections::HashSet;

use serde_json::Value;

use super::subject::Subject;
use crate::brief::Colleague;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::model::is_same_person;
use crate::text::{nearest, quoted};

pub(super) static VAGUE_FIRST_ACTION: Rule = Rule {
    id: "vague-first-action",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action fits any brief: it names neither the customer nor what they want.",
    explain: include_str!("../../../docs/rules/vague-first-action.md"),
};

/// An instruction this long says something, whatever it says.
const ENOUGH_WORDS: usize = 12;
/// Shorter than this, nobody knows what to do.
const FEWEST_WORDS: usize = 4;

pub(super) fn vague_first_action(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(instruction) = subject.view.instruction() else { return };
    // A placeholder has its own rule.
    if crate::brief::is_placeholder(instruction) {
        return;
    }
    let count = count_words(instruction);
    let specific = names_something(subject, instruction);
    let message = if count < FEWEST_WORDS {
        format!("the first action {} is too short to act on", quoted(instruction))
    } else if count < ENOUGH_WORDS && !specific {
        format!(
            "the first action {} names neither the customer nor what they want",
            quoted(instruction)
        )
    } else {
        return;
    };
    let customer = subject.view.customer_name().unwrap_or("the customer");
    let help = format!(
        "say what to do, with whom and about what: \"Introduce yourself to {} within 24 hours and \
         reference their primary goal: …\"",
        crate::text::shorten(&crate::text::one_line(customer), 40)
    );
    findings.push(
        subject.finding(&VAGUE_FIRST_ACTION, "/first_action/instruction", message).help(help),
    );
}

/// Words; in scripts that put no spaces between them, letters count as words:
/// who cannot tell the words apart should not complain of them.
fn count_words(text: &str) -> usize {
    let dense = text.chars().filter(|c| *c >= '\u{2E80}' && c.is_alphabetic()).count();
    text.split_whitespace().count() + dense
}

/// Whether the instruction shares a telling word or a number with what the
/// brief says of customer, people, goods, promises and goal.
fn names_something(subject: &Subject<'_>, instruction: &str) -> bool {
    if instruction.chars().any(|c| c.is_ascii_digit()) {
        return true;
    }
    let lower = instruction.to_lowercase();
    if subject.view.customer_name().is_some_and(|name| lower.contains(&name.to_lowercase())) {
        return true;
    }
    let own = telling_words(instruction);
    let mut known = HashSet::new();
    for section in ["customer", "contacts", "purchase", "commitments", "success", "implementation"]
    {
        if let Some(section) = subject.brief.json().get(section) {
            collect(section, &mut known);
        }
    }
    own.iter().any(|word| known.contains(word))
}

fn collect(value: &Value, words: &mut HashSet<String>) {
    match value {
        Value::String(text) => words.extend(telling_words(text)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, words)),
        _ => {}
    }
}

/// Words of every sales text tell nothing.
const EVERYWHERE: [&str; 34] = [
    "about",
    "account",
    "action",
    "after",
    "asap",
    "before",
    "call",
    "check",
    "client",
    "contact",
    "customer",
    "email",
    "first",
    "follow",
    "from",
    "intro",
    "introduce",
    "kickoff",
    "meeting",
    "onboard",
    "onboarding",
    "reach",
    "schedule",
    "soon",
    "team",
    "that",
    "their",
    "them",
    "they",
    "this",
    "touch",
    "will",
    "with",
    "yourself",
];

fn telling_words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= 4)
        .map(str::to_lowercase)
        .filter(|word| !EVERYWHERE.contains(&word.as_str()))
        .collect()
}

// `first-action-too-late`: the deadline is past the limit of the first touch.

pub(super) static FIRST_ACTION_TOO_LATE: Rule = Rule {
    id: "first-action-too-late",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action is due later than first_touch.within allows.",
    explain: include_str!("../../../docs/rules/first-action-too-late.md"),
};

pub(super) fn first_action_too_late(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(limit) = subject.context.first_touch else { return };
    let (Some(signed), Some(due)) = (subject.view.signed_at(), subject.view.first_action_due())
    else {
        return;
    };
    let latest = limit(signed);
    if due <= latest {
        return;
    }
    let form = "%Y-%m-%d %H:%M UTC";
    let message = format!(
        "the first action is due {}, and the first touch must be made by {}",
        due.format(form),
        latest.format(form)
    );
    let help = format!("set `due: {}` or earlier", latest.format("%Y-%m-%dT%H:%M:%SZ"));
    findings.push(subject.finding(&FIRST_ACTION_TOO_LATE, "/first_action/due", message).help(help));
}

// `owner-not-in-team`: the first action belongs to somebody who is no CSM here.

pub(super) static OWNER_NOT_IN_TEAM: Rule = Rule {
    id: "owner-not-in-team",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action's owner is not one of team.csms in handoff.yaml.",
    explain: include_str!("../../../docs/rules/owner-not-in-team.md"),
};

pub(super) fn owner_not_in_team(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
    findings.push(subject.finding(&OWNER_NOT_IN_TEAM, "/first_action/owner", message).help(help));
}

/// One CSM, as far as the configuration names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedMember {
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
pub struct TeamNames {
    members: Vec<NamedMember>,
}

impl TeamNames {
    /// A team of these members.
    #[must_use]
    pub fn new(members: Vec<NamedMember>) -> Self {
        Self { members }
    }

    /// Whether no team is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order of the configuration.
    #[must_use]
    pub fn members(&self) -> &[NamedMember] {
        &self.members
    }

    /// Whether the brief's owner is one of them: by address, login, Slack id
    /// or, where the brief has nothing else, by name.
    #[must_use]
    pub fn has(&self, person: &Colleague<'_>) -> bool {
        let same = |own: &Option<String>, given: Option<&str>| {
            own.as_deref().zip(given).is_some_and(|(own, given)| is_same_person(own, given))
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
