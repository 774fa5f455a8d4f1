//! The filters and functions that mapping expressions have besides
//! minijinja's own; `docs/brief.md` describes each.

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::{people, promises, record, values};
use crate::text::quoted;

/// The filters of [`register`], sorted.
const OWN: [&str; 18] = [
    "choice", "dated", "day", "each", "lines", "money", "months", "number", "others", "person",
    "plain", "products", "promises", "property", "role", "time", "website", "words",
];

/// Filters and tests of minijinja that mappings often use.
const OFTEN_USED: [&str; 17] = [
    "default",
    "first",
    "join",
    "last",
    "list",
    "lower",
    "map",
    "replace",
    "select",
    "selectattr",
    "sort",
    "split",
    "title",
    "trim",
    "unique",
    "upper",
    "defined",
];

/// The names that a misspelt one may have meant.
pub(super) fn likely_names() -> impl Iterator<Item = &'static str> {
    OWN.into_iter().chain(OFTEN_USED)
}

/// Puts the filters and functions into the environment.
pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("choice", choice);
    environment.add_filter("dated", values::dated);
    environment.add_filter("day", values::day);
    environment.add_filter("each", promises::each);
    environment.add_filter("lines", promises::lines);
    environment.add_filter("money", values::money);
    environment.add_filter("months", values::months);
    environment.add_filter("number", values::number);
    environment.add_filter("others", people::others);
    environment.add_filter("person", people::person);
    environment.add_filter("plain", plain);
    environment.add_filter("products", record::products);
    environment.add_filter("promises", promises::promises);
    environment.add_filter("property", record::property);
    environment.add_filter("role", people::role);
    environment.add_filter("time", values::time);
    environment.add_filter("website", record::website);
    environment.add_filter("words", words);
    environment.add_function("signer", people::signer);
}

/// Whether there is nothing: undefined, none, an empty or white text or list.
pub(super) fn is_absent(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => true,
        ValueKind::String => value.as_str().is_some_and(|text| text.trim().is_empty()),
        ValueKind::Seq | ValueKind::Map => value.len() == Some(0),
        _ => false,
    }
}

/// The text of a value as CRMs give it: a text, a number, an option with a
/// label, or several of them.
pub(super) fn text_of(value: &Value) -> Option<String> {
    if is_absent(value) {
        return None;
    }
    let text = match value.kind() {
        ValueKind::Map => {
            let named = ["label", "name", "value"]
                .into_iter()
                .find_map(|key| value.get_attr(key).ok().filter(|inside| !is_absent(inside)))?;
            return text_of(&named);
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().ok()?.filter_map(|item| text_of(&item)).collect::<Vec<_>>().join(", ")
        }
        _ => value.to_string(),
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A refusal that names the value, shortened.
pub(super) fn refuse(value: &Value, wanted: &str) -> Error {
    let text = text_of(value).unwrap_or_default();
    Error::new(ErrorKind::InvalidOperation, format!("{} is {wanted}", quoted(&text)))
}

/// `plain`: the text of whatever the CRM gives.
fn plain(value: &Value) -> Option<String> {
    text_of(value)
}

/// `words`: `INDUSTRIAL_AUTOMATION` as people write it, `Industrial
/// automation`; text that is no such code stays as it is.
fn words(value: &Value) -> Option<String> {
    let text = text_of(value)?;
    let code = text.contains('_') && !text.contains(' ')
        || (text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase()));
    if !code {
        return Some(text);
    }
    let words = text.replace('_', " ").to_lowercase();
    let mut chars = words.trim().chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect())
}

/// `choice("low", "medium", "high")`: the one of these words that the value
/// is, whatever its case; anything else is refused.
fn choice(value: &Value, choices: Rest<String>) -> Result<Option<String>, Error> {
    let Some(text) = text_of(value) else { return Ok(None) };
    let folded = text.to_lowercase();
    match choices.iter().find(|choice| choice.to_lowercase() == folded) {
        Some(choice) => Ok(Some(choice.clone())),
        None => Err(refuse(value, &format!("none of {}", choices.join(", ")))),
    }
}

/// Refuses keyword arguments that no one reads.
pub(super) fn finish(kwargs: &Kwargs) -> Result<(), Error> {
    kwargs.assert_all_used()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_registered_and_has_its_line_in_the_docs() {
        let mut environment = Environment::empty();
        register(&mut environment);
        let docs = include_str!("../../../docs/brief.md");
        for name in OWN {
            let used = environment.compile_expression("x|NAME".replace("NAME", name).leak());
            let failed = used.expect("compiles").eval(()).err().map(|error| error.kind());
            assert_ne!(failed, Some(ErrorKind::UnknownFilter), "{name} is not registered");
            assert!(docs.contains(&format!("| `{name}")), "docs/brief.md lacks `{name}`");
        }
    }
}
