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
    // A field that holds nothing is a field that is not there.
    let base = base.and_then(without_blanks);
    let (ours, theirs) = (without_blanks(ours), without_blanks(theirs));
    at(base.as_ref(), ours.as_ref(), theirs.as_ref(), 0)
        .unwrap_or_else(|| Value::Object(Map::new()))
}

fn at(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    depth: usize,
) -> Option<Value> {
    let unchanged = base == ours;
    let (ours, theirs) = match (ours, theirs) {
        (None, theirs) => return theirs.cloned(),
        (Some(_), None) if unchanged && depth > ANSWER_DEPTH => return None,
        (Some(ours), None) => return Some(ours.clone()),
        (Some(ours), Some(theirs)) => (ours, theirs),
    };
    // An honest gap is filled as soon as somebody knows.
    if unknown(ours).is_some() {
        return Some(theirs.clone());
    }
    let (Value::Object(our_fields), Value::Object(their_fields)) = (ours, theirs) else {
        return Some(if unchanged { theirs.clone() } else { ours.clone() });
    };
    if unknown(theirs).is_some() {
        return Some(ours.clone());
    }
    let new = their_fields.keys().filter(|name| !our_fields.contains_key(name.as_str()));
    let mut merged = Map::new();
    for name in our_fields.keys().chain(new) {
        let base = base.and_then(|base| base.get(name));
        if let Some(value) = at(base, our_fields.get(name), their_fields.get(name), depth + 1) {
            merged.insert(name.clone(), value);
        }
    }
    (!merged.is_empty()).then_some(Value::Object(merged))
}

/// The answers in which a merged brief follows people and not the machine, as
/// JSON pointers: where `merged` differs from `theirs` and `ours` from `base`.
/// A list is one answer. The next merge must take them for changed again,
/// although the merged brief is then the machine's last version.
#[must_use]
pub fn kept_answers(
    base: Option<&Value>,
    ours: &Value,
    theirs: &Value,
    merged: &Value,
) -> Vec<String> {
    let mut kept = Vec::new();
    walk_kept(base, Some(ours), Some(theirs), merged, "", &mut kept);
    kept
}

fn walk_kept(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    merged: &Value,
    pointer: &str,
    kept: &mut Vec<String>,
) {
    fn inner<'a>(side: Option<&'a Value>, name: &str) -> Option<&'a Value> {
        side.and_then(|side| side.get(name))
    }
    match merged {
        Value::Object(fields) if unknown(merged).is_none() => {
            for (name, value) in fields {
                let pointer = format!("{pointer}/{}", super::answer::escape(name));
                let (base, ours, theirs) =
                    (inner(base, name), inner(ours, name), inner(theirs, name));
                walk_kept(base, ours, theirs, value, &pointer, kept);
            }
        }
        _ if theirs != Some(merged) && ours != base => kept.push(pointer.to_owned()),
        _ => {}
    }
}

/// The value without fields that hold nothing; lists stay as they are.
fn without_blanks(value: &Value) -> Option<Value> {
    let value = match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without_blanks(value)?)))
                .collect(),
        ),
        other => other.clone(),
    };
    (!is_blank(&value)).then_some(value)
}
