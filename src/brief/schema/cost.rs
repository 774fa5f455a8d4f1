//! What a ledger's own schema would cost: nine levels of `anyOf` with six
//! references each are ten million ways to read one value. Counted before the
//! schema is compiled.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::SchemaError;

/// The largest schema that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// How often the parts of a schema may apply to one path of a brief.
const MOST_APPLIED: u64 = 5_000;

/// How many parts a schema may have when its references are followed.
const MOST_PARTS: u64 = 100_000;

/// Values in values that the outline follows, and that a brief may have.
const OUTLINE_DEPTH: usize = 9;
const BRIEF_DEPTH: usize = 64;

/// References and alternatives in each other, followed one by one.
const LONGEST_CHAIN: usize = 400;

/// Keywords whose schemas apply to the same value.
const SAME: [&str; 3] = ["not", "then", "else"];
const SAME_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords whose schemas apply to what is inside of the value.
const INSIDE: [&str; 6] = [
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Parts of a schema when its references are followed.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// All of them.
    parts: u64,
    /// Those that apply along the worst path of a brief.
    applied: u64,
}

pub(super) fn check(bytes: usize, document: &Value) -> Result<(), SchemaError> {
    let too_large = |pointer: &str, message: String| SchemaError::TooLarge {
        pointer: pointer.to_owned(),
        message,
    };
    if bytes > LARGEST {
        return Err(too_large("", format!("it has {} KiB; at most 1024 are read", bytes >> 10)));
    }
    let mut counter = CostCounter { document, known: BTreeMap::new(), open: Vec::new() };
    if counter.cost(document, "", BRIEF_DEPTH)?.applied > MOST_APPLIED {
        return Err(too_large(
            "",
            format!(
                "with its references followed, more than {MOST_APPLIED} of its parts apply to one \
                 answer; nest fewer `anyOf`, `oneOf` and `$ref` in each other"
            ),
        ));
    }
    if counter.cost(document, "", OUTLINE_DEPTH)?.parts > MOST_PARTS {
        return Err(too_large(
            "",
            format!(
                "with its references followed it has more than {MOST_PARTS} parts; refer to \
                 fewer definitions from each other"
            ),
        ));
    }
    Ok(())
}

struct CostCounter<'a> {
    document: &'a Value,
    known: BTreeMap<(usize, usize), Cost>,
    open: Vec<(usize, usize)>,
}

impl<'a> CostCounter<'a> {
    fn cost(
        &mut self,
        schema: &'a Value,
        pointer: &str,
        depth: usize,
    ) -> Result<Cost, SchemaError> {
        let Value::Object(keywords) = schema else { return Ok(Cost { parts: 1, applied: 1 }) };
        if depth == 0 {
            return Ok(Cost { parts: 1, applied: 1 });
        }
        let here = (std::ptr::from_ref(schema).addr(), depth);
        if let Some(known) = self.known.get(&here) {
            return Ok(*known);
        }
        if self.open.contains(&here) {
            return Err(SchemaError::Invalid {
                pointer: pointer.to_owned(),
                message: "a definition refers to itself and never comes to an end".to_owned(),
            });
        }
        if self.open.len() > LONGEST_CHAIN {
            return Err(SchemaError::TooLarge {
                pointer: pointer.to_owned(),
                message: format!("more than {LONGEST_CHAIN} parts lie in each other"),
            });
        }
        self.open.push(here);
        let cost = self.count(keywords, pointer, depth);
        self.open.pop();
        let cost = cost?;
        self.known.insert(here, cost);
        Ok(cost)
    }

    fn count(
        &mut self,
        keywords: &'a Map<String, Value>,
        pointer: &str,
        depth: usize,
    ) -> Result<Cost, SchemaError> {
        if !pointer.is_empty() && keywords.contains_key("$id") {
            return Err(SchemaError::Invalid {
                pointer: pointer.to_owned(),
                message: "`$id` belongs at the top alone".to_owned(),
            });
        }
        let mut cost = Cost { parts: 1, applied: 1 };
        let mut inside = Cost::default();
        for (keyword, value) in keywords {
            let below = format!("{pointer}/{keyword}");
            match keyword.as_str() {
                "$ref" | "$dynamicRef" => {
                    let target = self.target(value, &below)?;
                    let target = self.cost(target, &below, depth)?;
                    cost.add(target);
                }
                "if" => {
                    let of = self.cost(value, &below, depth)?;
                    cost.add(of);
                }
                name if SAME.contains(&name) => {
                    let of = self.cost(value, &below, depth)?;
                    cost.add(of);
                }
                name if SAME_LISTS.contains(&name) => {
                    for (at, part) in value.as_array().into_iter().flatten().enumerate() {
                        let of = self.cost(part, &format!("{below}/{at}"), depth)?;
                        cost.add(of);
                    }
                }
                "dependentSchemas" => {
                    for (name, part) in value.as_object().into_iter().flatten() {
                        let of = self.cost(part, &format!("{below}/{name}"), depth)?;
                        cost.add(of);
                    }
                }
                "properties" | "patternProperties" => {
                    let mut worst = 0;
                    for (name, part) in value.as_object().into_iter().flatten() {
                        let of = self.cost(part, &format!("{below}/{name}"), depth - 1)?;
                        inside.parts = inside.parts.saturating_add(of.parts);
                        worst = worst.max(of.applied);
                    }
                    inside.applied = inside.applied.saturating_add(worst);
                }
                "prefixItems" => {
                    for (at, part) in value.as_array().into_iter().flatten().enumerate() {
                        let of = self.cost(part, &format!("{below}/{at}"), depth - 1)?;
                        inside.add(of);
                    }
                }
                name if INSIDE.contains(&name) => {
                    let of = self.cost(value, &below, depth - 1)?;
                    inside.add(of);
                }
                // Definitions count where they are referred to.
                _ => {}
            }
        }
        cost.add(inside);
        Ok(cost)
    }

    /// Where a reference leads. Only `#/…` does: what else JSON Schema knows
    /// could not be counted.
    fn target(&self, reference: &'a Value, pointer: &str) -> Result<&'a Value, SchemaError> {
        let wrong = |message: String| SchemaError::Invalid { pointer: pointer.to_owned(), message };
        let Some(reference) = reference.as_str() else {
            return Err(wrong("a reference is a text such as `#/$defs/text`".to_owned()));
        };
        let Some(path) = reference.strip_prefix('#').filter(|p| p.is_empty() || p.starts_with('/'))
        else {
            return Err(wrong(format!(
                "the reference {} leads out of the schema; write `#/$defs/…` and put the \
                 definition into `$defs`",
                crate::text::quoted(reference)
            )));
        };
        let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        self.document.pointer(&path).ok_or_else(|| {
            wrong(format!("there is no {} in the schema", crate::text::quoted(reference)))
        })
    }
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.parts = self.parts.saturating_add(other.parts);
        self.applied = self.applied.saturating_add(other.applied);
    }
}
