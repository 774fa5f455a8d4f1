//! Settings that are one word or a list.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// What was written.
#[derive(Debug)]
pub(crate) enum WordOrList<T> {
    Word(String),
    List(Vec<T>),
}

/// Reads it; `expected` says in messages what belongs there.
pub(crate) fn word_or_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<WordOrList<T>, D::Error> {
    struct WordOrListVisitor<T>(&'static str, PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for WordOrListVisitor<T> {
        type Value = WordOrList<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
            Ok(WordOrList::Word(word.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                items.push(item);
            }
            Ok(WordOrList::List(items))
        }
    }
    deserializer.deserialize_any(WordOrListVisitor(expected, PhantomData))
}
