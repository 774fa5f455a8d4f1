//! A typed value out of a node, with every problem there is.

use serde::de::DeserializeOwned;

use super::Problem;
use crate::yaml::{Error, Node, Value, from_node};

/// More problems than anybody fixes in one go; the rest is reported next time.
const MOST_PROBLEMS: usize = 100;

/// Reads a section into its type.
///
/// # Errors
/// Every value of another shape and every unknown key, in the order of the
/// file: what was refused is taken out and the rest is read again.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut rest = node.clone();
    loop {
        match from_node::<T>(&rest) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => {
                let taken_out = take_out(&mut rest, &error);
                problems.push(Problem::from(error));
                if !taken_out || problems.len() >= MOST_PROBLEMS {
                    break;
                }
            }
        }
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.dedup();
    Err(problems)
}

/// Takes out the entry or item at the error's place; false when there is none
/// below the root, as for a missing field.
fn take_out(node: &mut Node, error: &Error) -> bool {
    let is_at = |line: usize, column: usize| (line, column) == (error.line, error.column);
    match &mut node.value {
        Value::Map(entries) => {
            // The innermost value first: a mapping and its first value may begin at one place.
            if entries.iter_mut().any(|entry| take_out(&mut entry.node, error)) {
                return true;
            }
            let before = entries.len();
            entries.retain(|entry| {
                !is_at(entry.key_span.line, entry.key_span.column)
                    && !is_at(entry.node.span.line, entry.node.span.column)
            });
            entries.len() < before
        }
        Value::List(items) => {
            if items.iter_mut().any(|item| take_out(item, error)) {
                return true;
            }
            let before = items.len();
            items.retain(|item| !is_at(item.span.line, item.span.column));
            items.len() < before
        }
        _ => false,
    }
}
