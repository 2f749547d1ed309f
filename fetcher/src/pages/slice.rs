//! Slices a page's body into records without copying them or building a tree.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::json::{KeyAmong, envelope, raw_at, scalar};
use crate::failure::classify::Found;
use crate::modules::path::{IdPath, Path, join_id};
use crate::modules::spec::FetchSpec;

/// One response, sliced into records that have no ids yet.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// Records, each with its index in the outermost list.
    pub records: Vec<(usize, Bytes)>,
    /// Indices in the outermost list without an object.
    pub nulls: Vec<usize>,
    /// Elements of the outermost list: what an offset counts.
    pub outer: usize,
    pub cursor: Option<String>,
    pub more: Option<bool>,
    pub total: Option<u64>,
    pub bytes: usize,
    /// Indices with null at the end of a path that continues below the outermost list.
    bare_nulls: Vec<usize>,
    /// Whether another element of the page has an object there.
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

/// The error for a single object in place of a list; the body is then read again as one record.
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

/// Reads the connection object: its nodes and its other fields, in one pass.
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

/// Descends from the connection to the records, through lists. Returns whether something was found.
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

/// The record's id, or one made from its content if it has none.
pub(super) fn source_id(json: &Bytes, id: &IdPath) -> Result<String, String> {
    // The bytes are a slice of a body already checked to be UTF-8, cut at JSON tokens.
    let text = std::str::from_utf8(json).unwrap_or_default();
    let part = |path: &Path| {
        raw_at(text, path.segments())
            .and_then(scalar)
            .filter(|part| !part.is_empty())
    };
    let id = match id.0.as_slice() {
        [path] => part(path).map(Cow::into_owned),
        paths => paths
            .iter()
            .map(part)
            .collect::<Option<Vec<_>>>()
            .map(|parts| join_id(&parts)),
    };
    id.ok_or_else(|| {
        let hash = hex::encode(Sha256::digest(json));
        format!("missing-id:{}", &hash[..16])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::modules::spec::{Paging, Read, Style};

    fn spec(connection: &str, nodes: &str, id: &[&str]) -> FetchSpec {
        let path = |text: &str| Path::parse(text).unwrap();
        FetchSpec {
            query_file: "query.graphql".to_owned(),
            connection: path(connection),
            nodes: path(nodes),
            id: IdPath(id.iter().map(|text| path(text)).collect()),
            read: Read::Full,
            paging: Paging {
                style: Style::Relay,
                size: 100,
                size_variable: None,
                position_variable: "after".to_owned(),
                first_page: 1,
                cursor: path("pageInfo.endCursor"),
                more: Some(path("pageInfo.hasNextPage")),
            },
            total: Some(path("info.count")),
            variables: std::collections::BTreeMap::new(),
            since: None,
            window: None,
            newest_first: None,
            divide: None,
            full_every: None,
            recheck: None,
            absences: std::num::NonZero::<u16>::MIN,
            nested: Vec::new(),
        }
    }

    /// Any JSON without duplicate keys, some with the keys the module names.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("id".to_owned()),
            Just("ref".to_owned()),
            "[a-z\"\\\\é]{0,4}"
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(key.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The id, read from a parsed tree.
    fn id_by_tree(record: &Value, paths: &[&str]) -> Option<String> {
        let parts = paths.iter().map(|path| {
            let at = path
                .split('.')
                .try_fold(record, |value, key| value.as_object()?.get(key))?;
            match at {
                Value::String(text) if !text.is_empty() => Some(Cow::from(text.as_str())),
                Value::Number(number) => Some(Cow::from(number.to_string())),
                _ => None,
            }
        });
        parts
            .collect::<Option<Vec<_>>>()
            .map(|parts| join_id(&parts))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn slices_and_ids_are_what_a_tree_says(
            nodes in prop::collection::vec(any_json(), 0..8),
            beside in any_json(),
            pretty in any::<bool>(),
        ) {
            let whole = json!({ "extensions": beside, "data": { "x": beside, "viewer": { "all": {
                "skipped": beside, "pageInfo": { "endCursor": "é\"", "hasNextPage": true, "x": beside },
                "list": nodes, "info": { "x": beside, "count": 42 } } } } });
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) };
            let body = Bytes::from(text.unwrap());
            for ids in [&["id"][..], &["ref.id", "id"]] {
                let spec = spec("viewer.all", "list", ids);
                let cut = slice(&body, &spec).unwrap().data.unwrap();
                let mut flat = Vec::new();
                let mut nulls = 0;
                for node in &nodes {
                    flatten(node, &mut flat, &mut nulls);
                }
                prop_assert_eq!((cut.outer, cut.nulls.len()), (nodes.len(), nulls));
                prop_assert_eq!(cut.cursor.as_deref(), Some("é\""));
                prop_assert_eq!((cut.more, cut.total), (Some(true), Some(42)));
                prop_assert_eq!(cut.records.len(), flat.len());
                for ((_, json), record) in cut.records.iter().zip(flat) {
                    prop_assert_eq!(&serde_json::from_slice::<Value>(json).unwrap(), record);
                    prop_assert_eq!(source_id(json, &spec.id).ok(), id_by_tree(record, ids));
                }
            }
        }

        #[test]
        fn no_body_makes_it_panic(body in any::<Vec<u8>>(), cut in 0..200_usize) {
            let spec = spec("all", "edges.node", &["id"]);
            let _ = slice(&Bytes::from(body), &spec);
            let good = br#"{"data":{"all":{"edges":[{"node":{"id":"a"}},null],"pageInfo":{"hasNextPage":false}}}}"#;
            let _ = slice(&Bytes::copy_from_slice(&good[..cut.min(good.len())]), &spec);
        }
    }

    fn flatten<'v>(node: &'v Value, records: &mut Vec<&'v Value>, nulls: &mut usize) {
        match node {
            Value::Object(_) => records.push(node),
            Value::Array(list) => list.iter().for_each(|node| flatten(node, records, nulls)),
            _ => *nulls += 1,
        }
    }

    #[test]
    fn records_are_slices_of_the_body() {
        let body = Bytes::from_static(br#"{"data":{"all":[{"id":1},{"id":2}]}}"#);
        let cut = slice(&body, &spec("all", "", &["id"]))
            .unwrap()
            .data
            .unwrap();
        assert_eq!(cut.records[1].1.as_ptr(), body[25..].as_ptr());
    }

    #[test]
    fn a_hundred_thousand_nested_arrays_pass() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = Bytes::from(format!(r#"{{"data":{{"all":[{{"x":{deep},"id":1}}]}}}}"#));
        let cut = slice(&body, &spec("all", "", &["id"]))
            .unwrap()
            .data
            .unwrap();
        assert_eq!(
            source_id(&cut.records[0].1, &IdPath::default()).unwrap(),
            "1"
        );
    }
}
