//! `unanswered-question`: an answer that the schema asks for is not there.

use super::subject::Subject;
use crate::brief::{Absence, question};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "unanswered-question",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "One of the seven questions lacks an answer that the schema asks for.",
    explain: include_str!("../../../docs/rules/unanswered-question.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for number in 1..=7 {
        let missing: Vec<_> = subject
            .completeness
            .missing
            .iter()
            .filter(|field| field.question == number && field.absence == Absence::Missing)
            .collect();
        let Some(first) = missing.first() else { continue };
        let wording = question(number).unwrap_or_default();
        let fields: Vec<_> = missing.iter().map(|field| format!("`{}`", field.field)).collect();
        let message =
            format!("question {number}, \"{wording}\", is not answered: {} missing", list(&fields));
        // One field is pointed at where it should be; several at their section.
        let section = first.pointer.split('/').nth(1).unwrap_or_default();
        let pointer =
            if missing.len() == 1 { first.pointer.clone() } else { format!("/{section}") };
        let mut help = match &first.ask {
            Some(ask) => format!("ask {ask}"),
            None => "find out".to_owned(),
        };
        if let Some(example) = &first.example {
            let key = first.field.rsplit('.').next().unwrap_or(&first.field);
            help.push_str(&format!("; for example `{key}: {example}`"));
        }
        let field = subject.context.schema.outline().field(&first.pointer);
        if field.is_some_and(|field| field.allows_none) {
            help.push_str("; write `none` if there is none");
        }
        if field.is_some_and(|field| field.allows_unknown) {
            help.push_str(
                "; if nobody knows yet, `{unknown: {why: …, owner: …, resolve_by: YYYY-MM-DD}}`",
            );
        }
        let finding = subject.finding(&RULE, &pointer, message).help(help).question(number);
        findings.push(subject.in_draft(finding));
    }
}

fn list(fields: &[String]) -> String {
    match fields {
        [one] => format!("{one} is"),
        [most @ .., last] => format!("{} and {last} are", most.join(", ")),
        [] => String::new(),
    }
}
