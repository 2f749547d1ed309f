//! Which rows a list holds, and in which order: filters and sorts.

use std::cmp::Ordering;

use serde_json::Value;

use super::{filters, root::Refusal};
use crate::{
    data::Map,
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
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let (client, piano, invoice, estimate) = (
        text("clientId"),
        text("pianoId"),
        text("invoiceId"),
        text("estimateId"),
    );
    let types = arguments.get("types").and_then(Value::as_array);
    let search = text("search").map(str::to_lowercase);
    let until = match text("occurredAtGet") {
        Some(at) => {
            let at = filters::instant("occurredAtGet", at)?;
            // Newest first: what is not older is a prefix of the table.
            table.partition_point(|row| row.at() >= at)
        }
        None => table.len(),
    };
    let delayed = if piano.is_some() {
        0
    } else {
        effects.delayed.min(until)
    };
    if client.is_none()
        && piano.is_none()
        && invoice.is_none()
        && estimate.is_none()
        && types.is_none()
        && search.is_none()
        && until == table.len()
    {
        return Ok(Rows::From(delayed));
    }
    let number = |ids: &[String], id: Option<&str>| {
        id.map(|id| {
            ids.iter()
                .position(|own| own == id)
                .map_or(u32::MAX - 1, |number| number as u32)
        })
    };
    let (client_number, piano_number) = (
        number(&store.ids.clients, client),
        number(&store.ids.pianos, piano),
    );
    let field = |map: &Map, name: &str, wanted: Option<&str>| {
        wanted.is_none_or(|wanted| map.get(name).and_then(Value::as_str) == Some(wanted))
    };
    let passes = |row: &Row| match row {
        Row::Entry(entry) => {
            client_number.is_none_or(|wanted| entry.client == wanted)
                && piano_number.is_none_or(|wanted| entry.piano == wanted)
                && types.is_none_or(|types| types.iter().any(|wanted| wanted == entry.kind()))
                && estimate.is_none()
                && invoice.is_none_or(|wanted| entry.invoice(&store.ids) == Some(wanted))
                && search
                    .as_deref()
                    .is_none_or(|needle| entry.mentions(needle))
        }
        Row::Whole(map) => {
            field(map, "client", client)
                && field(map, "piano", piano)
                && field(map, "invoice", invoice)
                && field(map, "estimate", estimate)
                && types.is_none_or(|types| map.get("type").is_some_and(|own| types.contains(own)))
                && search.as_deref().is_none_or(|needle| {
                    ["summary", "comment"].iter().any(|name| {
                        map.get(*name)
                            .and_then(Value::as_str)
                            .is_some_and(|text| text.to_lowercase().contains(needle))
                    })
                })
        }
    };
    Ok(Rows::These(
        (delayed..until)
            .filter(|&position| passes(&table[position]))
            .map(|position| position as u32)
            .collect(),
    ))
}
