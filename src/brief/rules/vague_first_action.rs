//! `vague-first-action`: the instruction could stand in any brief.

use std::collections::HashSet;

use serde_json::Value;

use super::subject::Subject;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "vague-first-action",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action could stand in any brief: it names neither the customer nor what they want.",
    explain: include_str!("../../../docs/rules/vague-first-action.md"),
};

/// An instruction this long says something, whatever it says.
const ENOUGH_WORDS: usize = 12;
/// Shorter than this, nobody knows what to do.
const FEWEST_WORDS: usize = 4;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
    findings.push(subject.finding(&RULE, "/first_action/instruction", message).help(help));
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
