//! Finds the line and column of a value in a YAML text, for error messages.

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;

/// One step of a path from the root of a YAML document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The value of a key.
    Key(String),
    /// An item of a list, counted from zero.
    Item(usize),
}

/// Line and column (both from 1) of the value at `path`, or of the nearest existing parent. It is called only
/// to report an error, so it parses the text again; no value has to carry its position.
pub fn position_of(text: &str, path: &[Place]) -> (usize, usize) {
    (0..=path.len())
        .rev()
        .find_map(|length| exact_position(text, &path[..length]))
        .unwrap_or((1, 1))
}

fn exact_position(text: &str, path: &[Place]) -> Option<(usize, usize)> {
    let error = Seek(path)
        .deserialize(serde_norway::Deserializer::from_str(text))
        .err()?;
    if !error.to_string().contains(FOUND) {
        return None;
    }
    error.location().map(|at| (at.line(), at.column()))
}

/// The error message that stops the search.
const FOUND: &str = "the value that was looked for";

struct Seek<'p>(&'p [Place]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        match self.0 {
            [] => input.deserialize_any(Stop),
            [Place::Key(_), ..] => input.deserialize_map(self),
            [Place::Item(_), ..] => input.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<serde_norway::Value>()? {
            match &self.0[0] {
                Place::Key(wanted) if key.as_str() == Some(wanted) => {
                    map.next_value_seed(Seek(&self.0[1..]))?
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let found = match &self.0[0] {
                Place::Item(wanted) if *wanted == index => {
                    items.next_element_seed(Seek(&self.0[1..]))?
                }
                _ => items.next_element::<IgnoredAny>()?.map(drop),
            };
            if found.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Fails on any value: the error carries the position.
struct Stop;

impl<'de> Visitor<'de> for Stop {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(FOUND)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(FOUND))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(FOUND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let text = "a: 1\nb:\n  - x: one\n    y: two\n  - x: three\n    list: [1, 2]\n";
        let key = |k: &str| Place::Key(k.to_owned());
        let cases: [(Vec<Place>, (usize, usize)); 5] = [
            (vec![key("a")], (1, 4)),
            (vec![key("b"), Place::Item(0), key("y")], (4, 8)),
            (vec![key("b"), Place::Item(1), key("x")], (5, 8)),
            (vec![key("b"), Place::Item(1), key("missing")], (5, 5)),
            (vec![key("nothing")], (1, 1)),
        ];
        for (path, at) in cases {
            assert_eq!(position_of(text, &path), at, "{path:?}");
        }
    }
}
