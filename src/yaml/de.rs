//! Nodes to typed values; an error keeps the place of the value it is about,
//! and so does a [`Located`] value.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::node::{Entry, Node, Span, Value};
use super::read::Error;

/// Reads a typed value out of a node.
///
/// # Errors
/// When the node does not fit the type; the place is that of the value, or of
/// the unknown key.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Error> {
    T::deserialize(De(node)).map_err(|mut fault| {
        let span = fault.span.take().unwrap_or(node.span);
        Error { is_missing_key: fault.is_missing_key, ..Error::at(span, fault.message) }
    })
}

/// A value that knows where it stands in its file. Written outside of YAML
/// (or inside an untagged enum, which forgets places) it stands nowhere: line 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// The name by which [`Located`] asks [`De`] for the place.
const LOCATED: &str = "$handoff::yaml::Located";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WithPlace<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for WithPlace<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Located<T>, A::Error> {
                let absent = || de::Error::custom("a value without its place");
                let [line, column, end_line, end_column] =
                    parts.next_element()?.ok_or_else(absent)?;
                let value = parts.next_element()?.ok_or_else(absent)?;
                Ok(Located { value, span: Span { line, column, end_line, end_column } })
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Located<T>, D::Error> {
                let value = T::deserialize(deserializer)?;
                Ok(Located { value, span: Span::default() })
            }
        }
        deserializer.deserialize_newtype_struct(LOCATED, WithPlace(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The two parts of a [`Located`]: the place, then the value.
struct PlaceThenValue<'a> {
    node: &'a Node,
    place_given: bool,
}

impl<'de> SeqAccess<'de> for PlaceThenValue<'_> {
    type Error = PlacedMessage;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, PlacedMessage> {
        if std::mem::replace(&mut self.place_given, true) {
            return seed.deserialize(De(self.node)).map(Some);
        }
        let span = self.node.span;
        let place = [span.line, span.column, span.end_line, span.end_column];
        let place = place.map(|number| u64::try_from(number).unwrap_or(u64::MAX));
        seed.deserialize(de::value::SeqDeserializer::new(place.into_iter())).map(Some)
    }
}

/// A message that gets the place of the innermost value it passes.
#[derive(Debug)]
struct PlacedMessage {
    message: String,
    span: Option<Span>,
    is_missing_key: bool,
}

impl PlacedMessage {
    fn within(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl std::fmt::Display for PlacedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PlacedMessage {}

impl de::Error for PlacedMessage {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), span: None, is_missing_key: false }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { is_missing_key: true, ..de::Error::custom(format!("missing field `{field}`")) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = in_words(&found);
        de::Error::custom(format!("expected {}; this is {found}", expected_in_words(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// What a value is, in the words of a settings file.
fn in_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "empty".to_owned(),
        Unexpected::Bool(flag) => flag.to_string(),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text {}", crate::text::quoted(text)),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        _ => "something else".to_owned(),
    }
}

/// What was wanted, without the names of Rust's types.
fn expected_in_words(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a string" | "a character" | "str" | "string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" | "a tuple" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        words if words.starts_with("struct ") => "a mapping".to_owned(),
        words if words.contains("enum ") || words.starts_with("variant ") => {
            "one of the known words".to_owned()
        }
        words if words.starts_with("tuple ") || words.starts_with("an array") => {
            "a list".to_owned()
        }
        _ => words,
    }
}

struct De<'a>(&'a Node);

impl<'de> de::Deserializer<'de> for De<'_> {
    type Error = PlacedMessage;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlacedMessage> {
        let node = self.0;
        let result = match &node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => {
                if let Some(number) = number.as_u64() {
                    visitor.visit_u64(number)
                } else if let Some(number) = number.as_i64() {
                    visitor.visit_i64(number)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(List(items.iter())),
            Value::Map(entries) => {
                visitor.visit_map(MapReader { entries: entries.iter(), current: None })
            }
        };
        result.map_err(|fault| fault.within(node.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlacedMessage> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, PlacedMessage> {
        let span = self.0.span;
        if name == LOCATED {
            let parts = PlaceThenValue { node: self.0, place_given: false };
            return visitor.visit_seq(parts).map_err(|fault| fault.within(span));
        }
        visitor.visit_newtype_struct(self).map_err(|fault| fault.within(span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PlacedMessage> {
        let node = self.0;
        let result = match &node.value {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(MapReader {
                    entries: entries.iter(),
                    current: None,
                }))
            }
            _ => Err(de::Error::custom("expected one word, or a mapping with one key")),
        };
        result.map_err(|fault| fault.within(node.span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct List<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = PlacedMessage;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, PlacedMessage> {
        let read = |node: &Node| seed.deserialize(De(node)).map_err(|f| f.within(node.span));
        self.0.next().map(read).transpose()
    }
}

struct MapReader<'a> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for MapReader<'_> {
    type Error = PlacedMessage;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, PlacedMessage> {
        self.current = self.entries.next();
        self.current
            .map(|entry| {
                let key: StrDeserializer<'_, PlacedMessage> =
                    entry.key.as_str().into_deserializer();
                seed.deserialize(key).map_err(|fault| fault.within(entry.key_span))
            })
            .transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, PlacedMessage> {
        let entry =
            self.current.take().ok_or_else(|| de::Error::custom("a value without a key"))?;
        // A type made from a text (`try_from`) fails behind the text's own visit.
        seed.deserialize(De(&entry.node)).map_err(|fault| fault.within(entry.node.span))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::yaml::read;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[expect(dead_code, reason = "only its type matters here")]
        version: u32,
    }

    #[test]
    fn an_error_names_the_line_of_the_value_or_key() {
        let error = from_node::<Config>(&read(b"version: two\n").expect("yaml")).expect_err("type");
        assert_eq!((error.line, error.column), (1, 10), "{error}");
        let error = from_node::<Config>(&read(b"version: 1\nvresion: 2\n").expect("yaml"))
            .expect_err("key");
        assert_eq!((error.line, error.column), (2, 1), "{error}");
    }

    #[test]
    fn bounds_hold_and_doubled_keys_are_refused() {
        for (what, text) in [
            ("doubled", "a: 1\na: 2\n".to_owned()),
            ("deep", "[".repeat(200_000)),
            ("dashes", "- ".repeat(30_000)),
            (
                "bomb",
                format!(
                    "a: &a [{}]\nb: &b [{}]\nc: &c [{}]\nd: [{}]\n",
                    "x,".repeat(100),
                    "*a,".repeat(100),
                    "*b,".repeat(100),
                    "*c,".repeat(100)
                ),
            ),
            ("two", "a: 1\n---\nb: 2\n".to_owned()),
        ] {
            assert!(read(text.as_bytes()).is_err(), "{what} must be refused");
        }
    }
}
