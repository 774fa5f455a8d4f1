//! `one-person-every-role`: three roles and one name usually mean that nobody asked.

use super::subject::Subject;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "one-person-every-role",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "Every contact role is held by the same person.",
    explain: include_str!("../../../docs/rules/one-person-every-role.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let contacts = subject.view.contacts();
    let Some(first) = contacts.first() else { return };
    let identity = |email: Option<&str>, name: Option<&str>| {
        email.or(name).map(|text| text.trim().to_lowercase())
    };
    let who = identity(first.email, first.name);
    let same = contacts.iter().all(|contact| identity(contact.email, contact.name) == who);
    if contacts.len() < 3 || !same {
        return;
    }
    let roles: Vec<_> = contacts.iter().map(|contact| format!("`{}`", contact.role)).collect();
    let name = first.name.or(first.email).unwrap_or_default();
    let message = format!("{} is {} all at once", quoted(name), roles.join(", "));
    let help = "ask who works with us from day to day and who decides about the renewal; for a \
                company that really is one person, leave it as it is";
    findings.push(subject.finding(&RULE, "/contacts", message).help(help));
}
