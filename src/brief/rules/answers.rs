//! `uncited-proposal`: a tool proposed an answer and does not say where it is taken from.

use chrono::NaiveDate;
use serde_json::Value;

use super::subject::{Checked, Subject, place_of};
use crate::brief::answer::{escape, is_blank, is_placeholder};
use crate::brief::proposed::{PROPOSED_SCHEMA, Proposals};
use crate::brief::{Absence, question};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::{quoted, shorten};

pub(super) static UNCITED_PROPOSAL: Rule = Rule {
    id: "uncited-proposal",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "A tool proposed an answer without saying where it is taken from.",
    explain: include_str!("../../../docs/rules/uncited-proposal.md"),
};

pub(super) fn uncited_proposal(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    let file = Proposals::FILE;
    findings.extend(checked.refused(&UNCITED_PROPOSAL, file));
    let Some(source) = checked.files.proposed else { return };
    let finding =
        |message: String, help: &str| checked.finding(&UNCITED_PROPOSAL, file, message).help(help);
    let proposals = match Proposals::parse(source) {
        Ok(proposals) => proposals,
        Err(error) => {
            let message = format!("{file} cannot be read: {}", shorten(&error.message, 160));
            let help =
                "a proposal that cannot be read has no citation; make it with `handoff propose`";
            findings.push(finding(message, help).at(place_of(&error, checked.file(file), source)));
            return;
        }
    };
    if proposals.schema != PROPOSED_SCHEMA || checked.key().is_some_and(|key| key != proposals.key)
    {
        let message = format!(
            "{file} is of the schema {} and of the handoff {}",
            quoted(&proposals.schema),
            proposals.key
        );
        findings.push(finding(message, "make it with `handoff propose`"));
    }
    for proposal in &proposals.proposals {
        for answer in proposal.answers.iter().filter(|answer| answer.citation().is_none()) {
            let message = format!(
                "{} proposed {} without a citation",
                quoted(&proposal.proposed_by),
                quoted(&answer.field)
            );
            let help = "say under `cite:` where it is taken from, such as a recording with the minute, or leave the answer out";
            findings.push(finding(message, help));
        }
    }
}

// The rules about answers: those that are missing, and those that are none.

pub(super) static UNANSWERED_QUESTION: Rule = Rule {
    id: "unanswered-question",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "One of the seven questions lacks an answer that the schema asks for.",
    explain: include_str!("../../../docs/rules/unanswered-question.md"),
};

pub(super) fn unanswered_question(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
        let finding =
            subject.finding(&UNANSWERED_QUESTION, &pointer, message).help(help).question(number);
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

// `placeholder-answer`: something stands there that answers nothing.

pub(super) static PLACEHOLDER_ANSWER: Rule = Rule {
    id: "placeholder-answer",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "An answer is a placeholder such as TBD, N/A or a question mark.",
    explain: include_str!("../../../docs/rules/placeholder-answer.md"),
};

/// Sections that handoff itself writes, with ids and names from elsewhere.
const NOT_ANSWERS: [&str; 4] = ["schema", "key", "deal", "signature"];

pub(super) fn placeholder_answer(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
            let finding = subject.finding(&PLACEHOLDER_ANSWER, pointer, message).help(help);
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

// `unknown-overdue`: an honest gap was to be closed by now.

pub(super) static UNKNOWN_OVERDUE: Rule = Rule {
    id: "unknown-overdue",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "An answer marked unknown was to be found out by a day that has passed.",
    explain: include_str!("../../../docs/rules/unknown-overdue.md"),
};

pub(super) fn unknown_overdue(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let today = subject.context.now.date_naive();
    for gap in &subject.completeness.unknown {
        let day = gap.resolve_by.as_deref();
        let Some(by) = day.and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()) else {
            continue;
        };
        if by >= today {
            continue;
        }
        let days = (today - by).num_days();
        let plural = if days == 1 { "day" } else { "days" };
        let message = format!(
            "{} was to be known by {by}, {days} {plural} ago",
            Subject::field(&gap.pointer)
        );
        let help = match &gap.owner {
            Some(owner) => format!("ask {} for the answer, or agree on a new day", quoted(owner)),
            None => "find the answer out, or agree on a new day".to_owned(),
        };
        let pointer = format!("{}/unknown/resolve_by", gap.pointer);
        findings.push(subject.finding(&UNKNOWN_OVERDUE, &pointer, message).help(help));
    }
}

// `one-person-every-role`: three roles and one name usually mean that nobody asked.

pub(super) static ONE_PERSON_EVERY_ROLE: Rule = Rule {
    id: "one-person-every-role",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "Every contact role is held by the same person.",
    explain: include_str!("../../../docs/rules/one-person-every-role.md"),
};

pub(super) fn one_person_every_role(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
    findings.push(subject.finding(&ONE_PERSON_EVERY_ROLE, "/contacts", message).help(help));
}

// `commitment-without-owner`: a promise that nobody has to keep.

pub(super) static COMMITMENT_WITHOUT_OWNER: Rule = Rule {
    id: "commitment-without-owner",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "A promise to the customer has no owner on our side.",
    explain: include_str!("../../../docs/rules/commitment-without-owner.md"),
};

pub(super) fn commitment_without_owner(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for commitment in subject.view.commitments() {
        let pointer = format!("/commitments/{}", commitment.index);
        // Somebody may have said honestly that the owner is not known yet.
        let owner = subject.brief.json().pointer(&format!("{pointer}/owner"));
        if owner.is_some_and(|owner| !is_blank(owner)) {
            continue;
        }
        let Some(promise) = commitment.promise else { continue };
        let message = format!("the promise {} has no owner", quoted(promise));
        let help = "add `owner:` with the person or team that keeps it";
        findings.push(
            subject
                .finding(&COMMITMENT_WITHOUT_OWNER, &format!("{pointer}/promise"), message)
                .help(help),
        );
    }
}
