//! What counts as an answer: blanks, `none`, `unknown` and placeholders.

use serde_json::Value;

use crate::model::is_unseen;

/// Words that fill a field and answer nothing. Compared without case, white
/// space at the ends, and the punctuation around them. The one list of them.
const PLACEHOLDERS: &[&str] = &[
    "tbd",
    "tba",
    "tbc",
    "t.b.d",
    "t.b.c",
    "to be defined",
    "to be determined",
    "to be decided",
    "to be confirmed",
    "to be announced",
    "to be discussed",
    "to follow",
    "not confirmed",
    "not yet confirmed",
    "not known",
    "not sure",
    "not available",
    "not applicable",
    "n/a",
    "n.a",
    "unknown",
    "unclear",
    "pending",
    "todo",
    "to do",
    "fixme",
    "xxx",
    "see notes",
    "see crm",
    "ask rep",
    "ask sales",
    "dunno",
    "idk",
    "placeholder",
    "lorem ipsum",
    "asdf",
];

/// A text without what nobody sees at its ends: white space, joiners, byte order marks.
fn seen(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unseen(c))
}

/// Whether the text says where something is taken from: something to read, and no
/// word that only fills the field or says that there is nothing.
#[must_use]
pub(super) fn is_citation(text: &str) -> bool {
    let core = text.trim_matches(|c: char| !c.is_alphanumeric() || is_unseen(c));
    let folded: String =
        core.chars().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase).collect();
    let says_nothing = ["", "none", "no", "nothing", "null", "nil", "na", "yes", "true", "false"];
    !says_nothing.contains(&&*folded) && !is_placeholder(text)
}

/// Whether the text only fills the field: `TBD`, `?`, `to be confirmed`, `-`.
#[must_use]
pub fn is_placeholder(text: &str) -> bool {
    let text = seen(text);
    if text.is_empty() || text.chars().count() > 40 {
        return false;
    }
    let core = text.trim_matches(|c: char| !c.is_alphanumeric());
    if core.is_empty() {
        // Nothing but `?`, `-`, `...`: punctuation, yet not an emoji or a sign in another script.
        return text.chars().all(|c| c.is_ascii_punctuation() || c == '…' || c == '–' || c == '—');
    }
    // Most texts begin with a word that none of them begins with.
    let first = core.split_whitespace().next().unwrap_or_default().as_bytes();
    let begins = |known: &&str| {
        known.as_bytes().get(..first.len()).is_some_and(|start| start.eq_ignore_ascii_case(first))
    };
    if first.iter().all(u8::is_ascii_graphic) && !PLACEHOLDERS.iter().any(begins) {
        return false;
    }
    let mut folded = String::with_capacity(core.len());
    for word in core.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        let letters = word.chars().filter(|c| !is_unseen(*c));
        folded.extend(letters.flat_map(char::to_lowercase));
    }
    PLACEHOLDERS.contains(&folded.as_str())
}

/// Whether nothing is there: null, an empty text, list or mapping.
#[must_use]
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => seen(text).is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The inside of `{unknown: {why, owner, resolve_by}}`.
#[must_use]
pub(super) fn unknown(value: &Value) -> Option<&Value> {
    let fields = value.as_object()?;
    if fields.len() == 1 { fields.get("unknown").filter(|inside| inside.is_object()) } else { None }
}

/// One segment of a JSON pointer.
#[must_use]
pub(super) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// A JSON pointer as people write it: `/commitments/0/due` is `commitments[0].due`.
#[must_use]
pub(super) fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if !out.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            out.push('[');
            out.push_str(&token);
            out.push(']');
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&token);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_recognised_and_answers_are_not() {
        let longest = format!("{:.>40}", "TBD");
        for text in [
            "TBD",
            " tbc. ",
            "N/A",
            "?",
            "???",
            "(to be  confirmed)",
            "-",
            "Unknown",
            "…",
            &longest,
        ] {
            assert!(is_placeholder(text), "{text:?} answers nothing");
        }
        for text in [
            "none",
            "no",
            "0",
            "TBD Systems",
            "Pending approvals must drop by half",
            "株式会社",
            "🎉",
            "X",
            "NA",
            "Testing",
            "",
            // Longer than any of the words, whatever stands around it.
            &format!("{:.>41}", "TBD"),
        ] {
            assert!(!is_placeholder(text), "{text:?} is an answer");
        }
    }

    #[test]
    fn pointers_read_as_people_write_them() {
        assert_eq!(dotted("/commitments/0/due"), "commitments[0].due");
        assert_eq!(dotted("/a~1b"), "a/b");
    }
}
