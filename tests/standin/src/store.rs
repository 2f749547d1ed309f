//! The account while the server runs: tables of records that the admin face may edit.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde::Deserialize;
use serde_json::Value;

use crate::data::{Account, Ids, Map, people, timeline::Entry};

/// A kind of record with a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `usr_…`
    User,
    /// `cli_…`
    Client,
    /// `ins_…`
    Piano,
    /// `pms_…`
    Measurement,
    /// `evt_…`
    Event,
    /// `tme_…` and `tle_…`
    Timeline,
    /// `inv_…`
    Invoice,
    /// `est_…`
    Estimate,
}

const KINDS: usize = 8;

impl Kind {
    /// The table behind a GraphQL type.
    pub(crate) fn of_type(name: &str) -> Option<Kind> {
        Some(match name {
            "PrivateUser" => Kind::User,
            "PrivateClient" => Kind::Client,
            "PrivatePiano" => Kind::Piano,
            "PianoMeasurement" => Kind::Measurement,
            "PrivateEvent" => Kind::Event,
            "PrivateTimelineEntry" => Kind::Timeline,
            "PrivateInvoice" => Kind::Invoice,
            "PrivateEstimate" => Kind::Estimate,
            _ => return None,
        })
    }

    /// The field that holds the parent by which children are looked up.
    fn parent(self) -> Option<&'static str> {
        match self {
            Kind::Piano => Some("client"),
            Kind::Measurement => Some("pianoId"),
            _ => None,
        }
    }
}

/// A record: whole, or a compact timeline entry.
#[derive(Debug)]
pub(crate) enum Row {
    Whole(Map),
    Entry(Entry),
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    by_id: HashMap<String, usize>,
    children: HashMap<String, Vec<usize>>,
}

/// All tables, and the short lists.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) ids: Ids,
    tables: [Table; KINDS],
    lists: BTreeMap<&'static str, Vec<Map>>,
}

impl Store {
    pub(crate) fn new(account: Account) -> Store {
        let whole = |records: Vec<Map>| records.into_iter().map(Row::Whole).collect();
        let mut store = Store {
            ids: account.ids,
            tables: Default::default(),
            lists: account.lists.into_iter().collect(),
        };
        for (kind, rows) in [
            (Kind::User, whole(account.users)),
            (Kind::Client, whole(account.clients)),
            (Kind::Piano, whole(account.pianos)),
            (Kind::Measurement, whole(account.measurements)),
            (Kind::Event, whole(account.events)),
            (Kind::Invoice, whole(account.invoices)),
            (Kind::Estimate, whole(account.estimates)),
            (
                Kind::Timeline,
                account.timeline.into_iter().map(Row::Entry).collect(),
            ),
        ] {
            store.tables[kind as usize].rows = rows;
            store.index(kind);
        }
        store
    }

    fn index(&mut self, kind: Kind) {
        let table = &mut self.tables[kind as usize];
        table.by_id.clear();
        table.children.clear();
        for (position, row) in table.rows.iter().enumerate() {
            let Row::Whole(map) = row else { continue };
            if let Some(Value::String(id)) = map.get("id") {
                table.by_id.insert(id.clone(), position);
            }
            if let Some(Value::String(parent)) = kind.parent().and_then(|field| map.get(field)) {
                table
                    .children
                    .entry(parent.clone())
                    .or_default()
                    .push(position);
            }
        }
    }

    /// The records of a kind, in the order they are listed.
    pub(crate) fn rows(&self, kind: Kind) -> &[Row] {
        &self.tables[kind as usize].rows
    }

    /// A short list by the name of its root field.
    pub(crate) fn list(&self, field: &str) -> Option<&[Map]> {
        self.lists.get(field).map(Vec::as_slice)
    }

    /// A record as JSON.
    pub(crate) fn view<'a>(&self, row: &'a Row) -> Cow<'a, Map> {
        match row {
            Row::Whole(map) => Cow::Borrowed(map),
            Row::Entry(entry) => Cow::Owned(entry.to_map(&self.ids)),
        }
    }

    /// The id of a record.
    pub(crate) fn id<'a>(&self, row: &'a Row) -> Cow<'a, str> {
        match row {
            Row::Whole(map) => Cow::Borrowed(map.get("id").and_then(Value::as_str).unwrap_or("")),
            Row::Entry(entry) => Cow::Owned(entry.id()),
        }
    }

    /// Where a record stands in its table.
    pub(crate) fn position(&self, kind: Kind, id: &str) -> Option<usize> {
        let table = &self.tables[kind as usize];
        table.by_id.get(id).copied().or_else(|| {
            let entries = kind == Kind::Timeline;
            entries
                .then(|| {
                    table
                        .rows
                        .iter()
                        .position(|row| matches!(row, Row::Entry(entry) if entry.id() == id))
                })
                .flatten()
        })
    }

    /// A record by its id, listed or not.
    pub(crate) fn find(&self, kind: Kind, id: &str) -> Option<&Row> {
        self.position(kind, id)
            .map(|position| &self.rows(kind)[position])
    }

    /// The pianos of a client, or the measurements of a piano.
    pub(crate) fn children(&self, kind: Kind, parent: &str) -> &[usize] {
        self.tables[kind as usize]
            .children
            .get(parent)
            .map_or(&[], Vec::as_slice)
    }

    /// Puts a record in place of the one with its id, or adds it where its kind lists new ones.
    pub(crate) fn upsert(&mut self, kind: Kind, id: &str, mut value: Map) {
        value.entry("id").or_insert_with(|| id.into());
        let existing = self.position(kind, id);
        let place = match (existing, kind) {
            (Some(position), _) => position,
            (None, Kind::Timeline) => {
                let at = occurred(&value);
                self.rows(kind).partition_point(|row| row.at() > at)
            }
            (None, Kind::Invoice | Kind::Estimate) => 0,
            (None, _) => self.rows(kind).len(),
        };
        let rows = &mut self.tables[kind as usize].rows;
        match existing {
            Some(position) => rows[position] = Row::Whole(value),
            None => rows.insert(place, Row::Whole(value)),
        }
        self.index(kind);
    }

    /// Sets the given fields of a record, by name or by dotted path; false when there is no such record.
    pub(crate) fn patch(&mut self, kind: Kind, id: &str, fields: Map) -> bool {
        let Some(position) = self.position(kind, id) else {
            return false;
        };
        let mut value = self.view(&self.rows(kind)[position]).into_owned();
        for (path, field) in fields {
            put(&mut value, &path, field);
        }
        self.tables[kind as usize].rows[position] = Row::Whole(value);
        self.index(kind);
        true
    }

    /// Removes a record; false when there is no such record.
    pub(crate) fn delete(&mut self, kind: Kind, id: &str) -> bool {
        let Some(position) = self.position(kind, id) else {
            return false;
        };
        self.tables[kind as usize].rows.remove(position);
        self.index(kind);
        true
    }

    /// Gives everything of one client to another and removes the first; false when either is unknown.
    pub(crate) fn merge_clients(&mut self, from: &str, to: &str) -> bool {
        let (Some(source), Some(target)) = (
            self.position(Kind::Client, from),
            self.position(Kind::Client, to),
        ) else {
            return false;
        };
        if source == target {
            return false;
        }
        let tags = merged_tags(
            &self.view(&self.rows(Kind::Client)[source]),
            &self.view(&self.rows(Kind::Client)[target]),
        );
        let number = |ids: &Ids, id: &str| {
            ids.clients
                .iter()
                .position(|client| client == id)
                .map(|number| number as u32)
        };
        let (old, new) = (number(&self.ids, from), number(&self.ids, to));
        for kind in [
            Kind::Piano,
            Kind::Event,
            Kind::Invoice,
            Kind::Estimate,
            Kind::Timeline,
        ] {
            for row in &mut self.tables[kind as usize].rows {
                match row {
                    Row::Whole(map) => {
                        if map.get("client").and_then(Value::as_str) == Some(from) {
                            map.insert("client".into(), to.into());
                        }
                    }
                    Row::Entry(entry) => {
                        if let (Some(old), Some(new)) = (old, new)
                            && entry.client == old
                        {
                            entry.client = new;
                        }
                    }
                }
            }
            self.index(kind);
        }
        self.patch(
            Kind::Client,
            to,
            Map::from_iter([("tags".to_owned(), tags)]),
        );
        self.delete(Kind::Client, from)
    }
}

fn put(map: &mut Map, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = map.entry(first).or_insert(Value::Null);
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn merged_tags(from: &Map, to: &Map) -> Value {
    let mut tags: Vec<Value> = Vec::new();
    for tag in [to, from]
        .into_iter()
        .filter_map(|client| client.get("tags")?.as_array())
        .flatten()
    {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags.into()
}

impl Row {
    /// When a timeline entry occurred, in seconds; 0 for other records.
    pub(crate) fn at(&self) -> i64 {
        match self {
            Row::Entry(entry) => entry.at,
            Row::Whole(map) => occurred(map),
        }
    }

    /// True for a record that can be reached by reference but is in no list.
    pub(crate) fn is_unlisted(&self) -> bool {
        matches!(self, Row::Whole(map) if map.contains_key(people::UNLISTED))
    }
}

fn occurred(map: &Map) -> i64 {
    map.get("occurredAt")
        .and_then(Value::as_str)
        .and_then(|at| at.parse::<jiff::Timestamp>().ok())
        .map_or(0, |at| at.as_second())
}
