//! What filters are given: whether it is something, its text, and how it is
//! refused.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::text::quoted;

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

/// Refuses keyword arguments that no one reads.
pub(super) fn finish(kwargs: &Kwargs) -> Result<(), Error> {
    kwargs.assert_all_used()
}
