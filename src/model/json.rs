//! JSON from outside. What an object says twice and differently it does not
//! say: parsers that take the last word, or the first, would each believe
//! another half of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Number, Value};

/// Reads one JSON value. A key may stand twice in an object where it says the
/// same both times.
///
/// # Errors
/// When it is not JSON, or contradicts itself; with line and column.
pub fn read_json(bytes: &[u8]) -> Result<Value, Error> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = Consistent.deserialize(&mut from)?;
    from.end()?;
    Ok(value)
}

/// Reads JSON values that stand one behind the other; an error is the last.
pub fn read_json_stream(text: &str) -> impl Iterator<Item = Result<Value, Error>> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<ConsistentValue>()
        .map(|value| value.map(|ConsistentValue(value)| value))
}

struct ConsistentValue(Value);

impl<'de> serde::Deserialize<'de> for ConsistentValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Consistent.deserialize(from).map(Self)
    }
}

#[derive(Clone, Copy)]
struct Consistent;

impl<'de> DeserializeSeed<'de> for Consistent {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Consistent {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            let value = from.next_value_seed(self)?;
            match object.get(&key) {
                None => drop(object.insert(key, value)),
                Some(said) if *said == value => {}
                Some(_) => {
                    let why = format!("{key:?} stands twice in one object, with two values");
                    return Err(A::Error::custom(why));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test compares with it")]
    fn json_is_read_as_ever_unless_it_contradicts_itself() {
        for text in [
            "null",
            r#"{"a": [1, -2, 3.5, 1e40, "x\u00e9\ud83d\ude00", true, null, {"b": {}}], "c": 12345678901234567890}"#,
            "[] x",
            "",
            r#"{"a": 1,}"#,
            "[1, 2",
        ] {
            let (own, plain) = (read_json(text.as_bytes()), serde_json::from_str::<Value>(text));
            assert_eq!(own.is_ok(), plain.is_ok(), "{text}: {own:?}");
            if let (Ok(own), Ok(plain)) = (own, plain) {
                assert_eq!(own, plain);
            }
        }
        let same = br#"{"a": {"b": [1]}, "c": 2, "a": {"b": [1]}}"#;
        assert_eq!(read_json(same).unwrap(), serde_json::json!({"a": {"b": [1]}, "c": 2}));
        for (text, line) in [
            (r#"{"status": "completed", "status": "voided"}"#, 1),
            ("{\"deep\": [{\n\"status\": 1,\n\"status\": 1.0}]}", 3),
            (r#"{"status": null, "status": "completed"}"#, 1),
        ] {
            let error = read_json(text.as_bytes()).unwrap_err();
            let told = "\"status\" stands twice in one object, with two values";
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(error.line(), line, "{text}");
        }
        assert!(read_json("[".repeat(100_000).as_bytes()).is_err());
        let pages: Vec<bool> =
            read_json_stream(r#"{"a": 1} {"a": 1, "a": 2} {}"#).map(|page| page.is_ok()).collect();
        assert_eq!(pages, [true, false]);
    }
}
