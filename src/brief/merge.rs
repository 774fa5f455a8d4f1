//! A deal was corrected after its brief was written: three versions become
//! one, and what people wrote is kept.

use serde_json::{Map, Value};

use super::answer::{is_blank, unknown};

/// How deep whole answers lie: `contacts.signer` is one, `contacts.signer.email` is inside of one.
const ANSWER_DEPTH: usize = 2;

/// Merges what the machine wrote first (`base`), what is in the ledger now
/// (`ours`) and what the corrected deal gives (`theirs`), leaf by leaf; a list
/// is one leaf.
///
/// - Where `ours` still says what `base` said, or nothing, or that it is
///   unknown, `theirs` is taken.
/// - What people changed is kept.
/// - A whole answer that `theirs` no longer has is kept: a correction never
///   makes a brief less complete. Inside of an answer (a person, an amount)
///   what is gone from the deal and was not changed by people goes.
/// - Without a `base`, only what is missing is filled.
#[must_use]
pub fn merge(base: Option<&Value>, ours: &Value, theirs: &Value) -> Value {
    at(base, Some(ours), Some(theirs), 0).unwrap_or(Value::Null)
}

fn at(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    depth: usize,
) -> Option<Value> {
    let base = base.filter(|value| !is_blank(value));
    let ours = ours.filter(|value| !is_blank(value));
    let theirs = theirs.filter(|value| !is_blank(value));
    let (ours, theirs) = match (ours, theirs) {
        (None, None) => return None,
        (None, Some(theirs)) => return Some(theirs.clone()),
        (Some(ours), None) => {
            let unchanged = base == Some(ours);
            return if unchanged && depth > ANSWER_DEPTH { None } else { Some(ours.clone()) };
        }
        (Some(ours), Some(theirs)) => (ours, theirs),
    };
    // An honest gap is filled as soon as somebody knows.
    if unknown(ours).is_some() {
        return Some(theirs.clone());
    }
    if let (Value::Object(our_fields), Value::Object(their_fields)) = (ours, theirs)
        && unknown(theirs).is_none()
    {
        let mut merged = Map::new();
        let names = our_fields
            .keys()
            .chain(their_fields.keys().filter(|name| !our_fields.contains_key(name.as_str())));
        for name in names {
            let base = base.and_then(|base| base.get(name));
            let value = at(base, our_fields.get(name), their_fields.get(name), depth + 1);
            if let Some(value) = value {
                merged.insert(name.clone(), value);
            }
        }
        return (!merged.is_empty()).then_some(Value::Object(merged));
    }
    let unchanged = base == Some(ours);
    Some(if unchanged { theirs.clone() } else { ours.clone() })
}
