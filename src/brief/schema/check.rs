//! What a brief breaks. The validator finds it; the words come from `explain`.

use std::collections::BTreeSet;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::explain;
use super::outline::Outline;
use crate::brief::answer::{escape, is_blank};

/// One point in which a brief does not follow its schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, as a JSON pointer; for a missing field, where it should be.
    pub pointer: String,
    /// What is wrong, a full sentence.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// Whether an answer is simply not there (missing, empty, an empty list),
    /// which is unanswered and not wrong.
    pub absent: bool,
    /// Whether it is about the key and not about the value.
    pub of_key: bool,
}

/// Everything the brief breaks, each thing once.
pub(super) fn violations(
    validator: &Validator,
    outline: &Outline,
    brief: &Value,
) -> Vec<Violation> {
    if validator.is_valid(brief) {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    for error in validator.iter_errors(brief) {
        collect(&error, outline, &mut found);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    // An absent answer is one fact, whichever keywords it offends.
    let absent: BTreeSet<_> =
        found.iter().filter(|v| v.absent).map(|v| v.pointer.clone()).collect();
    found.retain(|violation| violation.absent || !absent.contains(&violation.pointer));
    found.dedup_by(|a, b| a.pointer == b.pointer && (a.absent || a.message == b.message));
    found
}

fn collect(error: &ValidationError<'_>, outline: &Outline, found: &mut BTreeSet<Violation>) {
    let pointer = error.instance_path().to_string();
    let instance = error.instance();
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            if is_blank(instance) {
                found.insert(absent(&pointer, outline));
                return;
            }
            match meant(context, &pointer) {
                Some(branch) => {
                    for inner in branch {
                        collect(inner, outline, found);
                    }
                }
                None => {
                    found.insert(explain::no_alternative(&pointer, instance, outline));
                }
            }
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            found.insert(absent(&format!("{pointer}/{}", escape(name)), outline));
        }
        Kind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                found.insert(explain::unexpected(&pointer, name, outline));
            }
        }
        _ if is_blank(instance) && !pointer.is_empty() => {
            found.insert(absent(&pointer, outline));
        }
        _ => {
            found.insert(explain::one(error, &pointer, outline));
        }
    }
}

/// The alternative the author evidently meant: the one whose complaints begin
/// furthest inside the value. An alternative of another type, or whose very
/// first key is missing, is not meant. `None` when no one stands out.
fn meant<'c, 'e>(
    context: &'c [Vec<ValidationError<'e>>],
    pointer: &str,
) -> Option<&'c [ValidationError<'e>]> {
    let rank = |branch: &[ValidationError<'_>]| {
        let here = |error: &ValidationError<'_>| error.instance_path().as_str() == pointer;
        let (mut misfit, mut shallow) = (false, 0);
        for error in branch.iter().filter(|error| here(error)) {
            match error.kind() {
                Kind::Type { .. } | Kind::Constant { .. } => misfit = true,
                Kind::Required { .. } | Kind::AdditionalProperties { .. } => shallow += 1,
                _ => {}
            }
        }
        (misfit, shallow, branch.len())
    };
    let best = context.iter().map(|branch| rank(branch)).min()?;
    if best.0 {
        return None;
    }
    context.iter().find(|branch| rank(branch) == best).map(Vec::as_slice)
}

fn absent(pointer: &str, outline: &Outline) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        message: format!("{} is missing", explain::name(pointer)),
        help: explain::how_to_answer(pointer, outline),
        absent: true,
        of_key: false,
    }
}
