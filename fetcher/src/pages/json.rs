//! Reads JSON text along a path without building a tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::failure::classify::{Found, Rest};

/// Reads `data` as a whole.
pub(crate) struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Option<Box<RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

/// Reads an object's key and returns the index of its name; allocates nothing.
pub(super) struct KeyAmong<'p>(pub &'p [&'p str]);

impl<'de> DeserializeSeed<'de> for KeyAmong<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyAmong<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

/// Reads the envelope in one pass; `data` goes to the seed, the rest is kept raw.
pub(crate) fn envelope<'de, S, T>(
    text: &'de str,
    seed: S,
) -> Result<Found<'de, T>, serde_json::Error>
where
    S: DeserializeSeed<'de, Value = Option<T>>,
{
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = reader.deserialize_map(Envelope { seed: Some(seed) })?;
    reader.end()?;
    Ok(found)
}

struct Envelope<S> {
    seed: Option<S>,
}

impl<'de, S, T> Visitor<'de> for Envelope<S>
where
    S: DeserializeSeed<'de, Value = Option<T>>,
{
    type Value = Found<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GraphQL answer")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Found {
            data: None,
            envelope: false,
            rest: Rest {
                errors: None,
                extensions: None,
            },
        };
        while let Some(key) = map.next_key_seed(KeyAmong(&["data", "errors", "extensions"]))? {
            found.envelope |= matches!(key, Some(0 | 1));
            match key {
                Some(0) => {
                    let seed = self.seed.take();
                    let seed =
                        seed.ok_or_else(|| A::Error::custom("`data` stands twice in the answer"))?;
                    found.data = map.next_value_seed(seed)?;
                }
                Some(1) => found.rest.errors = map.next_value()?,
                Some(2) => found.rest.extensions = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// The raw value at a path of object keys; `None` where it is absent. Stops reading once found.
pub(crate) fn raw_at<'t>(text: &'t str, path: &[String]) -> Option<&'t str> {
    let [first, rest @ ..] = path else {
        return Some(text);
    };
    let mut found = None;
    let seek = Seek {
        key: first,
        found: &mut found,
    };
    // An error here is the early stop, or a value that is not an object: `found` tells.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(seek);
    raw_at(found?, rest)
}

struct Seek<'p, 't> {
    key: &'p str,
    found: &'p mut Option<&'t str>,
}

impl<'t> Visitor<'t> for Seek<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeyAmong(&[self.key]))? {
            if key.is_some() {
                let value: &'t RawValue = map.next_value()?;
                *self.found = Some(value.get());
                return Err(A::Error::custom("found"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// A string's content or a number's digits, verbatim; `None` for anything else.
pub(super) fn scalar(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => {
            let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
            match inner.contains('\\') {
                false => Some(Cow::Borrowed(inner)),
                true => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
            }
        }
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}
