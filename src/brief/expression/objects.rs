//! What templates have besides values: `namespace()` and `loop`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

/// `namespace(total=0)`: what a template sets inside of a loop and reads after it.
#[derive(Debug)]
pub(super) struct Namespace(Mutex<BTreeMap<String, Value>>);

impl Namespace {
    pub(super) fn of(named: Option<&Value>) -> Value {
        let keys = named.and_then(|named| named.try_iter().ok()).into_iter().flatten();
        let values =
            keys.filter_map(|key| Some((key.as_str()?.to_owned(), named?.get_item(&key).ok()?)));
        Value::from_object(Self(Mutex::new(values.collect())))
    }

    pub(super) fn set(&self, name: &str, value: Value) {
        if let Ok(mut values) = self.0.lock() {
            values.insert(name.to_owned(), value);
        }
    }
}

impl Object for Namespace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.lock().ok()?.get(key.as_str()?).cloned()
    }

    // Nothing to list: a namespace that holds itself would have no end.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// `loop` inside of `{% for %}`.
#[derive(Debug)]
pub(super) struct Loop {
    pub index: usize,
    pub length: usize,
    pub depth: usize,
    pub before: Value,
    pub after: Value,
}

impl Object for Loop {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "index" => Value::from(self.index + 1),
            "index0" => Value::from(self.index),
            "revindex" => Value::from(self.length - self.index),
            "revindex0" => Value::from(self.length - self.index - 1),
            "first" => Value::from(self.index == 0),
            "last" => Value::from(self.index + 1 == self.length),
            "length" => Value::from(self.length),
            "depth" => Value::from(self.depth + 1),
            "depth0" => Value::from(self.depth),
            "previtem" => self.before.clone(),
            "nextitem" => self.after.clone(),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}
