//! How large a value is.

use minijinja::Value;
use minijinja::value::ValueKind;

/// The largest value that is made, in bytes: text, or everything in a list.
pub(super) const LARGEST: usize = 4 << 20;

/// Values in values in values; a template's macros and parts in each other.
pub(super) const DEEPEST: usize = 64;

/// Whether a value fits into what is left.
pub(super) fn weigh(value: &Value, depth: usize, left: &mut usize) -> bool {
    let mut take = |size: usize| match left.checked_sub(size) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    };
    if depth > DEEPEST {
        return false;
    }
    match value.kind() {
        ValueKind::String => take(16 + value.as_str().map_or(0, str::len)),
        ValueKind::Bytes => take(16 + value.as_bytes().map_or(0, <[u8]>::len)),
        ValueKind::Seq | ValueKind::Iterable => {
            take(16)
                && value
                    .try_iter()
                    .is_ok_and(|mut items| items.all(|item| weigh(&item, depth + 1, left)))
        }
        ValueKind::Map => {
            take(16)
                && value.try_iter().is_ok_and(|mut keys| {
                    keys.all(|key| {
                        weigh(&key, depth + 1, left)
                            && value
                                .get_item(&key)
                                .is_ok_and(|inside| weigh(&inside, depth + 1, left))
                    })
                })
        }
        _ => take(16),
    }
}

/// A text that refuses to become too large.
pub(super) struct Bounded(pub String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > LARGEST {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
