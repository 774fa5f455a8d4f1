//! Versions of a brief: what changed between two of them answer by answer, and
//! three become one when a deal was corrected.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{is_blank, unknown};
use super::schema::{Outline, Schema, flow};
use super::view::money_alone;
use crate::text::{one_line, shorten};

/// Longer answers are cut; the brief has the whole.
const LONGEST: usize = 300;

/// One answer that is another now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedAnswer {
    /// The question, 1 to 7.
    pub question: u8,
    /// The field, dotted: `success.metric`.
    pub field: String,
    /// What readers call it.
    pub label: String,
    /// The answer before, on one line; `None` where there was none. Of a list
    /// what is not in it any more.
    pub before: Option<String>,
    /// The answer now; `None` where there is none any more. Of a list what is new.
    pub after: Option<String>,
    /// The entries of a list that are in both.
    #[serde(skip_serializing_if = "is_zero")]
    pub kept: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The answers that differ, by question and in the schema's order. A list is
/// one answer. What belongs to no question, such as the deal's own data, is
/// no answer.
#[must_use]
pub fn changed_answers(schema: &Schema, before: &Value, after: &Value) -> Vec<ChangedAnswer> {
    let mut changed = ChangeWalk::of(schema, before, after).changed;
    changed.sort_by_key(|changed| changed.question);
    changed
}

/// Data of a brief that belongs to no question, such as the deal's owner, and
/// is other data now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedData {
    /// The field, dotted: `deal.owner.name`.
    pub field: String,
    /// What it said, on one line.
    pub before: Option<String>,
    /// What it says now.
    pub after: Option<String>,
}

/// What differs beside the answers, in the schema's order.
#[must_use]
pub fn changed_data(schema: &Schema, before: &Value, after: &Value) -> Vec<ChangedData> {
    ChangeWalk::of(schema, before, after).data
}

/// An answer for people, on one line and of at most so many characters: money
/// as `USD 48,000.00`, the rest as it is in the brief.
#[must_use]
pub fn in_one_line(answer: &Value, longest: usize) -> String {
    let text = money_alone(answer).map_or_else(|| flow(answer), |money| money.shown());
    shorten(&one_line(&text), longest)
}

/// An answer as a sentence has it.
#[must_use]
pub fn in_words(answer: &Value) -> String {
    if let Some(gap) = unknown(answer) {
        let of = |name: &str| gap.get(name).and_then(Value::as_str).map(one_line);
        let why = of("why").map(|why| format!(": {why}")).unwrap_or_default();
        let who = match (of("owner"), of("resolve_by")) {
            (Some(who), Some(day)) => format!(" ({who} finds out by {day})"),
            (Some(who), None) => format!(" ({who} finds out)"),
            (None, Some(day)) => format!(" (by {day})"),
            (None, None) => String::new(),
        };
        return format!("not known yet{why}{who}");
    }
    match answer {
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join("; "),
        Value::String(text) => text.clone(),
        Value::Object(fields) if money_alone(answer).is_none() => {
            let mut fields = fields.iter().filter(|(_, value)| !is_blank(value));
            let first = fields.next().map(|(_, value)| in_words(value)).unwrap_or_default();
            let rest: Vec<String> = fields
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), in_words(value)))
                .collect();
            if rest.is_empty() { first } else { format!("{first} ({})", rest.join(", ")) }
        }
        answer => in_one_line(answer, usize::MAX),
    }
}

/// Both answers cut to a length at which they still differ.
fn cut_apart(before: Option<&str>, after: Option<&str>) -> (Option<String>, Option<String>) {
    let cut = |text: Option<&str>| text.map(|text| shorten(text, LONGEST));
    let both = (cut(before), cut(after));
    let (Some(a), Some(b)) = (before, after) else { return both };
    if both.0 != both.1 {
        return both;
    }
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let tail = |text: &str| {
        let rest: String = text.chars().skip(same.saturating_sub(LONGEST / 5)).collect();
        Some(shorten(&format!("…{rest}"), LONGEST))
    };
    (tail(a), tail(b))
}

struct ChangeWalk<'a> {
    outline: &'a Outline,
    changed: Vec<ChangedAnswer>,
    data: Vec<ChangedData>,
}

impl<'a> ChangeWalk<'a> {
    fn of(schema: &'a Schema, before: &Value, after: &Value) -> Self {
        let mut walk = Self { outline: schema.outline(), changed: Vec::new(), data: Vec::new() };
        for field in schema.outline().fields() {
            let (before, after) = (before.get(&field.name), after.get(&field.name));
            walk.visit(&field.name, &format!("/{}", field.name), field.question, before, after);
        }
        walk
    }

    fn visit(
        &mut self,
        dotted: &str,
        pointer: &str,
        question: Option<u8>,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        if before == after {
            return;
        }
        let question = self.outline.field(pointer).and_then(|field| field.question).or(question);
        let inner = |value: Option<&Value>| {
            value.is_none_or(|it| {
                it.is_object() && unknown(it).is_none() && money_alone(it).is_none()
            })
        };
        if inner(before) && inner(after) {
            let names = [before, after].into_iter().flatten().filter_map(Value::as_object);
            let mut seen = BTreeSet::new();
            for name in names.flat_map(|object| object.keys()).filter(|name| seen.insert(*name)) {
                let of = |value: Option<&'_ Value>| value.and_then(|it| it.get(name)).cloned();
                let (before, after) = (of(before), of(after));
                let pointer = format!("{pointer}/{}", super::answer::escape(name));
                self.visit(
                    &format!("{dotted}.{name}"),
                    &pointer,
                    question,
                    before.as_ref(),
                    after.as_ref(),
                );
            }
            return;
        }
        let (mut before, mut after) = (before.cloned(), after.cloned());
        let mut kept = 0;
        if let (Some(Value::Array(was)), Some(Value::Array(is))) = (&before, &after) {
            let without = |items: &[Value], others: &[Value]| {
                items.iter().filter(|it| !others.contains(it)).cloned().collect::<Vec<_>>()
            };
            let (gone, new) = (without(was, is), without(is, was));
            // Of one that is only in another order all is told.
            if !(gone.is_empty() && new.is_empty()) {
                kept = was.len() - gone.len();
                let some = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
                (before, after) = (some(gone), some(new));
            }
        }
        let told = |value: Option<Value>| value.map(|it| one_line(&in_words(&it)));
        let (before, after) = cut_apart(told(before).as_deref(), told(after).as_deref());
        let field = dotted.to_owned();
        let Some(question) = question else {
            self.data.push(ChangedData { field, before, after });
            return;
        };
        let label = self.outline.label(pointer);
        self.changed.push(ChangedAnswer { question, field, label, before, after, kept });
    }
}

// A deal was corrected after its brief was written: three versions become
// one, and what people wrote is kept.

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_that_differ_are_named_by_question_before_and_after() {
        let before = json!({
            "deal": {"id": "1", "name": "old"},
            "customer": {"name": "Acme", "size": 10},
            "commitments": [{"promise": "SSO"}],
            "success": {"primary_goal": "Cut onboarding", "metric": {"unknown": {"why": "not asked", "owner": "Riley"}}},
        });
        let after = json!({
            "deal": {"id": "1", "name": "new"},
            "customer": {"name": "Acme", "size": 10},
            "commitments": [{"promise": "SSO"}, {"promise": "Okta"}],
            "success": {"primary_goal": "Cut onboarding", "metric": "Days\nto productive", "target": "5"},
        });
        let changed = changed_answers(Schema::shipped(), &before, &after);
        let told: Vec<String> = changed
            .iter()
            .map(|it| {
                let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                format!("{} {}: {} > {}", it.question, it.field, or(&it.before), or(&it.after))
            })
            .collect();
        assert_eq!(
            told,
            [
                "4 commitments: - > Okta",
                "6 success.metric: not known yet: not asked (Riley finds out) > Days to productive",
                "6 success.target: - > 5",
            ]
        );
        assert_eq!(changed[0].kept, 1);
        assert_eq!(changed_answers(Schema::shipped(), &after, &after), []);
        // One of two long promises is worded again at its end: what differs is told.
        let long = |end: &str| format!("{}{end}", "the same words ".repeat(40));
        let promises = |end: &str| {
            let second = json!({"promise": long(end), "due": "2027-01-15"});
            json!({"commitments": [{"promise": "SSO"}, second]})
        };
        let changed = changed_answers(Schema::shipped(), &promises("first"), &promises("second"));
        let [ChangedAnswer { before: Some(before), after: Some(after), kept: 1, .. }] = &*changed
        else {
            panic!("{changed:?}");
        };
        assert!(before.ends_with("first (due 2027-01-15)"), "{before}");
        assert!(after.ends_with("second (due 2027-01-15)"), "{after}");
        assert!(!before.contains("SSO"), "{before}");
    }
}
