//! Which columns of an export may hold which answers: by their names, and by
//! whether what stands in them reads as such an answer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::apply::evaluate;
use super::{Mapping, MappingInput};
use crate::brief::answer::is_blank;
use crate::brief::expression::{Expression, fold_property};
use crate::model::{Deal, Properties};
use crate::yaml::Span;

/// The words of a column's name that point to a field, the better ones first,
/// and how its text is read.
struct Hint {
    field: &'static str,
    words: &'static [&'static str],
    read: &'static str,
}

const HINTS: &[Hint] = &[
    Hint {
        field: "customer.tier",
        words: &["tier", "segment", "service level", "support level", "plan tier"],
        read: "plain",
    },
    Hint {
        field: "customer.size",
        words: &["employees", "headcount", "company size", "number of seats"],
        read: "number",
    },
    Hint {
        field: "customer.industry",
        words: &["industry", "sector", "vertical", "branche"],
        read: "words",
    },
    Hint {
        field: "purchase.term.months",
        words: &[
            "term months",
            "contract length",
            "contract duration",
            "term",
            "laufzeit",
            "duration",
        ],
        read: "months",
    },
    Hint {
        field: "purchase.term.starts",
        words: &[
            "start date",
            "contract start",
            "subscription start",
            "term start",
            "vertragsbeginn",
        ],
        read: "day",
    },
    Hint {
        field: "purchase.term.ends",
        words: &[
            "end date",
            "contract end",
            "renewal date",
            "subscription end",
            "term end",
            "vertragsende",
        ],
        read: "day",
    },
    Hint {
        field: "purchase.special_terms",
        words: &[
            "special terms",
            "special conditions",
            "non standard",
            "legal notes",
            "deal terms",
            "sonderkonditionen",
        ],
        read: "lines",
    },
    Hint {
        field: "commitments",
        words: &[
            "promises",
            "promised",
            "commitments",
            "committed",
            "agreed with customer",
            "concessions",
            "zusagen",
        ],
        read: "promises(made_by=deal.owner.name)",
    },
    Hint {
        field: "implementation.complexity",
        words: &["complexity", "implementation effort", "onboarding effort", "effort"],
        read: "choice(\"low\", \"medium\", \"high\")",
    },
    Hint {
        field: "implementation.requirements",
        words: &["requirements", "technical requirements", "must haves", "anforderungen"],
        read: "lines",
    },
    Hint {
        field: "implementation.integrations",
        words: &["integrations", "integration", "systems", "tech stack", "schnittstellen"],
        read: "lines",
    },
    Hint {
        field: "implementation.custom_configuration",
        words: &[
            "custom configuration",
            "customization",
            "customisation",
            "custom work",
            "configuration",
        ],
        read: "lines",
    },
    Hint {
        field: "success.primary_goal",
        words: &[
            "primary goal",
            "business goal",
            "goal",
            "goals",
            "objective",
            "objectives",
            "use case",
            "desired outcome",
            "pain",
            "pains",
            "why they bought",
            "what they want",
            "ziel",
        ],
        read: "plain",
    },
    Hint {
        field: "success.metric",
        words: &[
            "success metric",
            "success criteria",
            "metric",
            "metrics",
            "kpi",
            "kpis",
            "how success is measured",
        ],
        read: "plain",
    },
    Hint {
        field: "success.baseline",
        words: &["baseline", "current state", "today"],
        read: "plain",
    },
    Hint {
        field: "success.target",
        words: &["success target", "target value", "target"],
        read: "plain",
    },
    Hint {
        field: "success.by",
        words: &["success by", "target date", "goal date", "achieve by"],
        read: "day",
    },
    Hint {
        field: "context.why_now",
        words: &["why now", "compelling event", "trigger", "urgency"],
        read: "plain",
    },
    Hint {
        field: "context.replaces",
        words: &[
            "replaces",
            "replacing",
            "current vendor",
            "current solution",
            "incumbent",
            "competitor",
        ],
        read: "plain",
    },
    Hint {
        field: "context.risks",
        words: &["risks", "risk", "concerns", "red flags", "risiken"],
        read: "each(\"risk\")",
    },
    Hint { field: "context.objections", words: &["objections", "objection"], read: "lines" },
    Hint {
        field: "context.notes",
        words: &[
            "handoff notes",
            "onboarding notes",
            "notes for cs",
            "cs notes",
            "sales notes",
            "notes",
        ],
        read: "lines",
    },
];

/// The smallest part of a column's texts that must read as the answer.
const FITS: (usize, usize) = (3, 5);

/// A line for `brief:` and what it gives.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Proposal {
    /// The field, dotted.
    pub field: String,
    /// The expression.
    pub expression: String,
    /// The column.
    pub column: String,
    /// For how many of the deals it gives an answer.
    pub fills: usize,
    /// How many the mapping in force answers.
    pub now: usize,
}

/// Looks for answers in columns that nothing reads. Each field and each column
/// is proposed once, the better name first; a line that answers no more deals
/// than `mapping` does is left out. Where the line of `mapping` answers any, or reads
/// one of the columns that there are (`known`, folded), it comes first in the new one:
/// a line in the settings takes its place.
#[must_use]
pub fn propose(
    columns: &[String],
    known: &BTreeSet<String>,
    deals: &[&Deal],
    mapping: &Mapping,
) -> Vec<Proposal> {
    let mut candidates: Vec<(usize, usize, Proposal)> = Vec::new();
    let answered = |mapping: &Mapping, field: &str| -> usize {
        let pointer = format!("/{}", field.replace('.', "/"));
        deals
            .iter()
            .filter(|deal| {
                let mapped =
                    mapping.apply(&MappingInput { deal: Some(**deal), ..MappingInput::default() });
                let sections = Value::Object(mapped.sections);
                sections.pointer(&pointer).is_some_and(|value| !is_blank(value))
            })
            .count()
    };
    for column in columns {
        let texts = deals
            .iter()
            .filter(|deal| deal.properties.get(column).is_some_and(|value| !is_blank(value)))
            .count();
        if texts == 0 {
            continue;
        }
        let name = words(column);
        for hint in HINTS {
            let Some(rank) = hint.words.iter().position(|word| holds(&name, &words(word))) else {
                continue;
            };
            if is_prose(hint.read) && !holds_prose(column, deals) {
                continue;
            }
            let quoted = serde_json::to_string(column).unwrap_or_default();
            let own = format!("deal | property({quoted}) | {}", hint.read);
            let now = answered(mapping, hint.field);
            let reads_one = |read: &Properties| {
                read.deal.iter().any(|name| known.contains(&fold_property(name)))
            };
            let before = mapping.line(hint.field).filter(|(_, read)| now > 0 || reads_one(read));
            let given = (hint.field.to_owned(), own.clone(), Span::default());
            let Ok(alone) = Mapping::compile(None, &[given]) else { continue };
            if answered(&alone, hint.field) * FITS.1 < texts * FITS.0 {
                continue;
            }
            let Some(expression) = (match before {
                Some((before, _)) => beside(before, &own, hint.read, known),
                None => Some(own),
            }) else {
                continue;
            };
            let given = (hint.field.to_owned(), expression.clone(), Span::default());
            let Ok(line) = Mapping::compile(None, &[given]) else { continue };
            let fills = answered(&line, hint.field);
            if fills > now {
                let proposal = Proposal {
                    field: hint.field.to_owned(),
                    expression,
                    column: column.clone(),
                    fills,
                    now,
                };
                // The more of its name is the hint, the surer it is.
                let rest = name.len() - words(hint.words[rank]).len();
                candidates.push((rest, rank, proposal));
            }
        }
    }
    candidates.sort_by(|a, b| {
        (a.0, a.1, std::cmp::Reverse(a.2.fills), &a.2.column).cmp(&(
            b.0,
            b.1,
            std::cmp::Reverse(b.2.fills),
            &b.2.column,
        ))
    });
    let mut chosen: Vec<Proposal> = Vec::new();
    for (_, _, proposal) in candidates {
        if !chosen.iter().any(|it| it.field == proposal.field || it.column == proposal.column) {
            chosen.push(proposal);
        }
    }
    let place = |field: &str| HINTS.iter().position(|hint| hint.field == field);
    chosen.sort_by_key(|proposal| place(&proposal.field));
    chosen
}

/// The line in force, of its properties those that there are, and the new one behind
/// it; `None` where nothing of the one in force can stay.
fn beside(before: &str, own: &str, read: &str, known: &BTreeSet<String>) -> Option<String> {
    let mut kept = String::new();
    let mut rest = before;
    while let Some((ahead, inside)) = rest.split_once("property(") {
        let (names, behind) = arguments(inside)?;
        let of_company = ahead.trim_end_matches(['|', ' ']).ends_with("company");
        let names = Expression::compile(&format!("[{names}]")).ok()?;
        let names = evaluate(&names, &minijinja::Value::UNDEFINED).ok()??;
        let names: Vec<&str> = names.as_array()?.iter().filter_map(Value::as_str).collect();
        let there = |name: &&&str| of_company || known.contains(&fold_property(name));
        let there: Vec<String> =
            names.iter().filter(there).map(|name| Value::from(*name).to_string()).collect();
        if there.is_empty() {
            return None;
        }
        kept.push_str(&format!("{ahead}property({})", there.join(", ")));
        rest = behind;
    }
    kept.push_str(rest);
    // Of one shape they are one line.
    let names = |line: &str| {
        let names = line.strip_prefix("deal | property(")?;
        Some(names.strip_suffix(&format!(") | {read}"))?.to_owned())
    };
    Some(match (names(&kept), names(own)) {
        (Some(first), Some(second)) if !first.contains(')') => {
            format!("deal | property({first}, {second}) | {read}")
        }
        _ => format!("({kept}) or ({own})"),
    })
}

/// What stands in a call's brackets, and what follows them. A bracket in quotes is none.
fn arguments(inside: &str) -> Option<(&str, &str)> {
    let (mut quote, mut is_escaped) = (None, false);
    for (at, sign) in inside.char_indices() {
        match (quote, sign) {
            _ if std::mem::take(&mut is_escaped) => {}
            (Some(_), '\\') => is_escaped = true,
            (Some(open), sign) if sign == open => quote = None,
            (None, '"' | '\'') => quote = Some(sign),
            (None, ')') => return Some((&inside[..at], &inside[at + 1..])),
            _ => {}
        }
    }
    None
}

/// A name's words in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn holds(name: &[String], hint: &[String]) -> bool {
    name.windows(hint.len()).any(|part| part == hint)
}

fn is_prose(read: &str) -> bool {
    matches!(read, "plain" | "lines") || read.starts_with("promises") || read.starts_with("each")
}

/// Whether most of a column's texts are words: no numbers, days, links or flags.
fn holds_prose(column: &str, deals: &[&Deal]) -> bool {
    let texts: Vec<&str> =
        deals.iter().filter_map(|deal| deal.properties.get(column)?.as_str()).collect();
    let is_prose = |text: &&&str| {
        let text = text.trim();
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let flag =
            matches!(text.to_lowercase().as_str(), "true" | "false" | "yes" | "no" | "y" | "n");
        letters * 2 > text.chars().count() && !flag && !text.contains("://") && !text.contains('@')
    };
    let prose = texts.iter().filter(is_prose).count();
    prose * 2 > texts.len()
}
