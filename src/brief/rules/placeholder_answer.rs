//! `placeholder-answer`: something stands there that answers nothing.

use serde_json::Value;

use super::subject::Subject;
use crate::brief::answer::{escape, is_placeholder};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "placeholder-answer",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "An answer is a placeholder such as TBD, N/A or a question mark.",
    explain: include_str!("../../../docs/rules/placeholder-answer.md"),
};

/// Sections that handoff itself writes, with ids and names from elsewhere.
const NOT_ANSWERS: [&str; 4] = ["schema", "key", "deal", "signature"];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(sections) = subject.brief.json().as_object() else { return };
    for (name, value) in sections {
        if !NOT_ANSWERS.contains(&name.as_str()) {
            visit(subject, &format!("/{}", escape(name)), value, findings);
        }
    }
}

fn visit(subject: &Subject<'_>, pointer: &str, value: &Value, findings: &mut Vec<Finding>) {
    match value {
        Value::String(text) if is_placeholder(text) => {
            let outline = subject.context.schema.outline();
            // A word that the schema itself offers is an answer.
            let field = outline.field(pointer);
            if field.is_some_and(|field| field.choices.contains(text)) {
                return;
            }
            let message =
                format!("{} says {}, which answers nothing", Subject::field(pointer), quoted(text));
            // An item of a list stands for the list.
            let list = pointer.rsplit_once('/').and_then(|(parent, _)| outline.field(parent));
            let field = field.filter(|_| !list.is_some_and(|list| list.allows_none)).or(list);
            let help = if field.is_some_and(|field| field.allows_none) {
                "write the answer; `none` if you asked and there is none; or say who finds out: \
                 `{unknown: {why: …, owner: …, resolve_by: YYYY-MM-DD}}`"
            } else if field.is_some_and(|field| field.allows_unknown) {
                "write the answer, or say who finds out: \
                 `{unknown: {why: …, owner: …, resolve_by: YYYY-MM-DD}}`"
            } else {
                "write the answer, or leave the line out"
            };
            let finding = subject.finding(&RULE, pointer, message).help(help);
            findings.push(subject.in_draft(finding));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(subject, &format!("{pointer}/{index}"), item, findings);
            }
        }
        Value::Object(fields) => {
            for (name, inside) in fields {
                visit(subject, &format!("{pointer}/{}", escape(name)), inside, findings);
            }
        }
        _ => {}
    }
}
