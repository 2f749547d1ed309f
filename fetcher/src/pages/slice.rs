//! Cuts a page's body into records without copying them or building a tree.

use std::fmt;

use bytes::Bytes;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::json::{KeyAmong, envelope, raw_at, scalar};
use crate::failure::Found;
use crate::modules::{FetchSpec, IdPath};

/// What one answer held, cut but not yet named.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// Records, each with its index in the outermost list.
    pub records: Vec<(usize, Bytes)>,
    /// Indices in the outermost list where no object stood.
    pub nulls: Vec<usize>,
    /// Elements of the outermost list: what an offset counts.
    pub outer: usize,
    pub cursor: Option<String>,
    pub more: Option<bool>,
    pub total: Option<u64>,
    pub bytes: usize,
    /// Indices where null stood at the end of a path that goes on below the outermost list.
    bare_nulls: Vec<usize>,
    /// Whether an object stood there elsewhere in the page.
    bare_objects: bool,
}

/// Reads a body along the module's paths. A body that is not UTF-8 is not JSON.
pub(super) fn slice<'a>(
    body: &'a Bytes,
    spec: &FetchSpec,
) -> Result<Found<'a, Slice>, serde_json::Error> {
    let text = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
    let read = |single| {
        let cut = Cut { body, spec, single };
        envelope(
            text,
            Connection {
                cut,
                path: spec.connection.segments(),
            },
        )
    };
    let mut found = match read(false) {
        Err(fault) if fault.to_string().starts_with(SINGLE) => read(true)?,
        outcome => outcome?,
    };
    // Below the outermost list, a null may be a record that failed, or the empty form of a list of records.
    if let Some(slice) = &mut found.data
        && (slice.bare_objects
            || spec
                .nodes
                .segments()
                .last()
                .is_some_and(|name| name == "node"))
    {
        slice.nulls.append(&mut slice.bare_nulls);
    }
    Ok(found)
}

/// Said when a single object stands where a list was expected; the body is then read again as one record.
const SINGLE: &str = "a single object stands in place of the list";

#[derive(Clone, Copy)]
struct Cut<'c> {
    body: &'c Bytes,
    spec: &'c FetchSpec,
    single: bool,
}

/// Descends to the connection, then reads it.
struct Connection<'c> {
    cut: Cut<'c>,
    path: &'c [String],
}

impl<'de> DeserializeSeed<'de> for Connection<'_> {
    type Value = Option<Slice>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Slice>, D::Error> {
        let nodes = self.cut.spec.nodes.segments();
        if self.path.is_empty() && nodes.is_empty() {
            let mut slice = Slice {
                bytes: self.cut.body.len(),
                ..Slice::default()
            };
            let found = Nodes {
                cut: self.cut,
                path: nodes,
                index: None,
                below: false,
                slice: &mut slice,
            }
            .deserialize(deserializer)?;
            return Ok(found.then_some(slice));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Connection<'_> {
    type Value = Option<Slice>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object the module's `connection` names")
    }

    fn visit_unit<E>(self) -> Result<Option<Slice>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Slice>, A::Error> {
        let [first, rest @ ..] = self.path else {
            return read_connection(self.cut, map);
        };
        let mut found = None;
        while let Some(key) = map.next_key_seed(KeyAmong(&[first]))? {
            match key {
                Some(_) => {
                    found = map.next_value_seed(Connection {
                        cut: self.cut,
                        path: rest,
                    })?
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Reads the connection object: its nodes in one pass, and what stands beside them.
fn read_connection<'de, A: MapAccess<'de>>(
    cut: Cut<'_>,
    mut map: A,
) -> Result<Option<Slice>, A::Error> {
    let spec = cut.spec;
    let nodes = spec.nodes.segments();
    let sides = [
        Some(&spec.paging.cursor),
        spec.paging.more.as_ref(),
        spec.total.as_ref(),
    ];
    let mut names = vec![nodes[0].as_str()];
    names.extend(
        sides
            .iter()
            .flatten()
            .filter_map(|path| path.segments().first())
            .map(String::as_str),
    );
    let mut slice = Slice {
        bytes: cut.body.len(),
        ..Slice::default()
    };
    let mut found = false;
    let mut beside: Vec<(&str, &'de str)> = Vec::new();
    while let Some(key) = map.next_key_seed(KeyAmong(&names))? {
        let below = Nodes {
            cut,
            path: &nodes[1..],
            index: None,
            below: false,
            slice: &mut slice,
        };
        match key {
            // The first name may also hold the cursor or the total; then it is read twice.
            Some(0) if names[1..].contains(&names[0]) => {
                let raw: &'de RawValue = map.next_value()?;
                beside.push((names[0], raw.get()));
                let mut reader = serde_json::Deserializer::from_str(raw.get());
                found = below.deserialize(&mut reader).map_err(A::Error::custom)?;
            }
            Some(0) => found = map.next_value_seed(below)?,
            Some(other) => {
                let raw: &'de RawValue = map.next_value()?;
                beside.push((names[other], raw.get()));
            }
            None => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    let [cursor, more, total] = sides.map(|path| {
        let (first, rest) = path?.segments().split_first()?;
        let (_, raw) = beside.iter().find(|(name, _)| name == first)?;
        raw_at(raw, rest)
    });
    slice.cursor = cursor.and_then(scalar).map(String::from);
    slice.more = more.map(|raw| !matches!(raw, "false" | "null" | "0" | "\"\""));
    slice.total = total.and_then(|raw| raw.parse().ok());
    Ok(found.then_some(slice))
}

/// Descends from the connection to the records, through lists. Answers whether there was something.
struct Nodes<'c, 's> {
    cut: Cut<'c>,
    path: &'c [String],
    /// The index in the outermost list, once inside it.
    index: Option<usize>,
    /// Whether a key was followed below that list.
    below: bool,
    slice: &'s mut Slice,
}

impl<'de> DeserializeSeed<'de> for Nodes<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        if self.path.is_empty() && (self.index.is_some() || self.cut.single) {
            let raw: &'de RawValue = serde::Deserialize::deserialize(deserializer)?;
            let index = self.index.unwrap_or(0);
            self.slice.outer += usize::from(self.index.is_none());
            match raw.get() {
                "null" if self.below => self.slice.bare_nulls.push(index),
                text => {
                    self.slice.bare_objects |= self.below && text.starts_with('{');
                    leaf(self.cut.body, text, index, self.slice).map_err(D::Error::custom)?;
                }
            }
            return Ok(true);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nodes<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list or object the module's `nodes` names")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        if let Some(index) = self.index {
            self.slice.nulls.push(index);
        }
        Ok(self.index.is_some())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        for position in 0.. {
            let index = self.index.unwrap_or(position);
            let below = Nodes {
                cut: self.cut,
                path: self.path,
                index: Some(index),
                below: self.below,
                slice: self.slice,
            };
            if list.next_element_seed(below)?.is_none() {
                break;
            }
            self.slice.outer += usize::from(self.index.is_none());
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let [first, rest @ ..] = self.path else {
            return Err(A::Error::custom(SINGLE));
        };
        let mut found = false;
        while let Some(key) = map.next_key_seed(KeyAmong(&[first]))? {
            match key {
                Some(_) => {
                    found = map.next_value_seed(Nodes {
                        cut: self.cut,
                        path: rest,
                        index: self.index,
                        below: self.index.is_some(),
                        slice: self.slice,
                    })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let (false, Some(index)) = (found, self.index) {
            self.slice.nulls.push(index);
        }
        Ok(found || self.index.is_some())
    }
}

/// A record, a list of records, or a hole.
fn leaf(body: &Bytes, raw: &str, index: usize, slice: &mut Slice) -> Result<(), serde_json::Error> {
    match raw.as_bytes().first() {
        Some(b'{') => slice.records.push((index, body.slice_ref(raw.as_bytes()))),
        Some(b'[') => {
            for element in serde_json::from_str::<Vec<&RawValue>>(raw)? {
                leaf(body, element.get(), index, slice)?;
            }
        }
        _ => slice.nulls.push(index),
    }
    Ok(())
}

/// The record's id, or a name made of its bytes where it has none.
pub(super) fn source_id(json: &Bytes, id: &IdPath) -> Result<String, String> {
    // The bytes are a slice of a body already checked to be UTF-8, cut at JSON tokens.
    let text = std::str::from_utf8(json).unwrap_or_default();
    let mut joined = String::new();
    for (n, path) in id.0.iter().enumerate() {
        match raw_at(text, path.segments()).and_then(scalar) {
            Some(part) if !part.is_empty() => {
                if n > 0 {
                    joined.push(':');
                }
                joined.push_str(&part);
            }
            _ => {
                let hash = hex::encode(Sha256::digest(json));
                return Err(format!("missing-id:{}", &hash[..16]));
            }
        }
    }
    Ok(joined)
}
