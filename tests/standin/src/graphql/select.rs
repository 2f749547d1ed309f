//! Which rows a list holds, and in which order: filters and sorts.

use std::cmp::Ordering;

use serde_json::Value;

use super::{filters, root::Refusal};
use crate::{
    data::{Ids, Map},
    faults::Effects,
    store::{Kind, Row, Store},
};

/// The rows of a list, by their position in the table.
#[derive(Debug)]
pub(crate) enum Rows {
    /// The whole table from a position on, in its own order.
    From(usize),
    These(Vec<u32>),
}

impl Rows {
    pub(crate) fn len(&self, table: usize) -> usize {
        match self {
            Rows::From(start) => table.saturating_sub(*start),
            Rows::These(positions) => positions.len(),
        }
    }

    /// The position in the table of the row at `place`.
    pub(crate) fn at(&self, place: usize) -> usize {
        match self {
            Rows::From(start) => start + place,
            Rows::These(positions) => positions[place] as usize,
        }
    }

    pub(crate) fn iter(&self, table: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.len(table)).map(|place| self.at(place))
    }
}

/// The rows that the arguments of a root field select.
pub(crate) fn rows(
    store: &Store,
    kind: Kind,
    arguments: &Map,
    effects: &Effects,
) -> Result<Rows, Refusal> {
    if kind == Kind::Timeline {
        return timeline(store, arguments, effects);
    }
    let none = Map::new();
    let given = arguments
        .get("filters")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let tests = filters::tests(kind, given)?;
    let table = store.rows(kind);
    let mut positions: Vec<u32> = Vec::with_capacity(table.len());
    for (position, row) in table.iter().enumerate() {
        let hidden = row.is_unlisted()
            || (kind == Kind::Event && effects.vanished.contains(store.id(row).as_ref()));
        if !hidden
            && tests
                .iter()
                .all(|test| test.passes(store, &store.view(row)))
        {
            positions.push(position as u32);
        }
    }
    if let Some(sorts) = arguments.get("sortBy").and_then(Value::as_array) {
        let keys: Vec<(&str, bool)> = sorts
            .iter()
            .filter_map(Value::as_str)
            .filter_map(sort_key)
            .collect();
        positions.sort_by(|&a, &b| compare(store, &table[a as usize], &table[b as usize], &keys));
    }
    Ok(Rows::These(positions))
}

/// The path a sort compares, and whether it descends.
fn sort_key(sort: &str) -> Option<(&'static str, bool)> {
    let (name, descending) = sort
        .strip_suffix("_DESC")
        .map_or((sort.strip_suffix("_ASC")?, false), |name| (name, true));
    let path = match name {
        "STATUS" => "status",
        "CLIENT_NAME" => "searchString",
        "CREATED_AT" | "INVOICE_DATE" => "createdAt",
        "POSTAL_CODE" => "defaultContact.defaultLocation.postalCode",
        "CITY" | "MUNICIPALITY" => "defaultContact.defaultLocation.municipality",
        "STATE" | "REGION" => "region",
        "LAST_SERVICE" => "calculatedLastService",
        "NEXT_SERVICE" | "DUE_NEAR_TODAY" | "NEXT_SCHEDULED_TUNING" => "calculatedNextService",
        "MAKE" => "make",
        "MODEL" => "model",
        "START" | "EVENT_NEAR_TODAY" => "start",
        "USER_LAST_NAME" => "user",
        "NUMBER" => "number",
        "TOTAL" => "total",
        "DUE_TOTAL" => "dueTotal",
        "DUE_DATE" => "dueOn",
        "RECOMMENDED_TIER_TOTAL" | "PRIMARY_TIER_TOTAL" => "recommendedTierTotal",
        "EXPIRES_ON" => "expiresOn",
        "ESTIMATED_ON" => "estimatedOn",
        _ => return None,
    };
    Some((path, descending))
}

fn compare(store: &Store, a: &Row, b: &Row, keys: &[(&str, bool)]) -> Ordering {
    let (a, b) = (store.view(a), store.view(b));
    keys.iter()
        .fold(Ordering::Equal, |order, (path, descending)| {
            order.then_with(|| {
                let own = filters::order(filters::at(&a, path), filters::at(&b, path));
                if *descending { own.reverse() } else { own }
            })
        })
}

fn timeline(store: &Store, arguments: &Map, effects: &Effects) -> Result<Rows, Refusal> {
    let table = store.rows(Kind::Timeline);
    let until = match arguments.get("occurredAtGet").and_then(Value::as_str) {
        Some(at) => {
            let at = filters::instant("occurredAtGet", at)?;
            // Newest first: what is not older is a prefix of the table.
            table.partition_point(|row| row.at() >= at)
        }
        None => table.len(),
    };
    let wanted = Wanted::of(store, arguments);
    let delayed = if wanted.piano.is_some() {
        0
    } else {
        effects.delayed.min(until)
    };
    if wanted.is_everything() && until == table.len() {
        return Ok(Rows::From(delayed));
    }
    let passing = (delayed..until).filter(|&position| wanted.holds(&store.ids, &table[position]));
    Ok(Rows::These(
        passing.map(|position| position as u32).collect(),
    ))
}

/// What the arguments ask of a timeline entry; ids also by their number, as compact entries hold them.
struct Wanted<'a> {
    client: Option<(&'a str, u32)>,
    piano: Option<(&'a str, u32)>,
    invoice: Option<&'a str>,
    estimate: Option<&'a str>,
    types: Option<&'a Vec<Value>>,
    search: Option<String>,
}

impl<'a> Wanted<'a> {
    fn of(store: &Store, arguments: &'a Map) -> Self {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let numbered = |ids: &[String], id: Option<&'a str>| {
            let id = id?;
            // No entry holds this number.
            let nobody = u32::MAX - 1;
            let number = ids.iter().position(|own| own == id);
            Some((id, number.map_or(nobody, |number| number as u32)))
        };
        Wanted {
            client: numbered(&store.ids.clients, text("clientId")),
            piano: numbered(&store.ids.pianos, text("pianoId")),
            invoice: text("invoiceId"),
            estimate: text("estimateId"),
            types: arguments.get("types").and_then(Value::as_array),
            search: text("search").map(str::to_lowercase),
        }
    }

    fn is_everything(&self) -> bool {
        self.client.is_none()
            && self.piano.is_none()
            && self.invoice.is_none()
            && self.estimate.is_none()
            && self.types.is_none()
            && self.search.is_none()
    }

    fn holds(&self, ids: &Ids, row: &Row) -> bool {
        match row {
            Row::Entry(entry) => {
                self.client.is_none_or(|(_, number)| entry.client == number)
                    && self.piano.is_none_or(|(_, number)| entry.piano == number)
                    && self
                        .types
                        .is_none_or(|types| types.iter().any(|wanted| wanted == entry.kind()))
                    && self.estimate.is_none()
                    && self
                        .invoice
                        .is_none_or(|wanted| entry.invoice(ids) == Some(wanted))
                    && self
                        .search
                        .as_deref()
                        .is_none_or(|needle| entry.mentions(needle))
            }
            Row::Whole(map) => {
                let text = |name: &str| map.get(name).and_then(Value::as_str);
                let is = |name: &str, wanted: Option<&str>| {
                    wanted.is_none_or(|wanted| text(name) == Some(wanted))
                };
                is("client", self.client.map(|(id, _)| id))
                    && is("piano", self.piano.map(|(id, _)| id))
                    && is("invoice", self.invoice)
                    && is("estimate", self.estimate)
                    && self
                        .types
                        .is_none_or(|types| map.get("type").is_some_and(|own| types.contains(own)))
                    && self.search.as_deref().is_none_or(|needle| {
                        ["summary", "comment"]
                            .into_iter()
                            .filter_map(text)
                            .any(|text| text.to_lowercase().contains(needle))
                    })
            }
        }
    }
}
