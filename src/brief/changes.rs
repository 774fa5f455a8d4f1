//! What changed between two versions of a brief, answer by answer.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::answer::unknown;
use super::schema::{Outline, Schema, flow};
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
    /// The answer before, on one line; `None` where there was none.
    pub before: Option<String>,
    /// The answer now; `None` where there is none any more.
    pub after: Option<String>,
}

/// The answers that differ, by question and in the schema's order. A list is
/// one answer. What belongs to no question, such as the deal's own data, is
/// no answer.
#[must_use]
pub fn changed_answers(schema: &Schema, before: &Value, after: &Value) -> Vec<ChangedAnswer> {
    let mut walk = Walk { outline: schema.outline(), changed: Vec::new() };
    for field in schema.outline().fields() {
        let (before, after) = (before.get(&field.name), after.get(&field.name));
        walk.visit(&field.name, &format!("/{}", field.name), field.question, before, after);
    }
    walk.changed.sort_by_key(|changed| changed.question);
    walk.changed
}

struct Walk<'a> {
    outline: &'a Outline,
    changed: Vec<ChangedAnswer>,
}

impl Walk<'_> {
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
            value.is_none_or(|value| value.is_object() && unknown(value).is_none())
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
        let Some(question) = question else { return };
        let told = |value: Option<&Value>| value.map(|it| shorten(&one_line(&flow(it)), LONGEST));
        let (before, after) = (told(before), told(after));
        self.changed.push(ChangedAnswer { question, field: dotted.to_owned(), before, after });
    }
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
                "4 commitments: [{promise: SSO}] > [{promise: SSO}, {promise: Okta}]",
                "6 success.metric: {unknown: {why: not asked, owner: Riley}} > Days to productive",
                "6 success.target: - > 5",
            ]
        );
        assert_eq!(changed_answers(Schema::shipped(), &after, &after), []);
    }
}
