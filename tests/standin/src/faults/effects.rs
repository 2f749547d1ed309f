//! What the switches do to the answer of one GraphQL request, gathered before it is executed.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    FaultName, Switchboard,
    drift::{Mask, Variant},
};
use crate::store::{Kind, Store};

/// The switches that hit one request, in the form execution needs.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) null_node: Option<usize>,
    pub(crate) same_cursor: bool,
    pub(crate) empty_page: bool,
    pub(crate) total_off: i64,
    pub(crate) repeat: usize,
    pub(crate) shift: usize,
    pub(crate) offset_cursors: bool,
    pub(crate) page_cap: usize,
    pub(crate) masks: Vec<Mask>,
    /// Enum name and the value it does not have.
    pub(crate) unknown_enum: Option<(String, String)>,
    pub(crate) vanished: HashSet<String>,
    /// Vanished events are still found by `event()`.
    pub(crate) still_found: bool,
    /// Event id to user id.
    pub(crate) reassigned: HashMap<String, String>,
    /// How many of the newest timeline entries are seen by piano only.
    pub(crate) delayed: usize,
    /// `errors` of the answer, and whether `data` goes with them.
    pub(crate) errors: Option<(String, bool)>,
}

impl Effects {
    /// Takes every switch that hits a request for `operations`.
    pub(crate) fn take(
        board: &mut Switchboard,
        operations: &[String],
        store: &Store,
        page_cap: usize,
    ) -> Effects {
        let mut take = |name| board.take(name, operations);
        let number = |value: Option<Value>, default: usize| {
            value.map(|value| value.as_u64().map_or(default, |number| number as usize))
        };
        let mut effects = Effects {
            null_node: number(take(FaultName::NullNode), 0),
            same_cursor: take(FaultName::SameCursor).is_some(),
            empty_page: take(FaultName::EmptyPage).is_some(),
            total_off: take(FaultName::TotalCount).map_or(0, |value| value.as_i64().unwrap_or(7)),
            repeat: number(take(FaultName::RepeatRows), 1).unwrap_or(0),
            shift: number(take(FaultName::ShiftRows), 1).unwrap_or(0),
            offset_cursors: take(FaultName::OffsetCursors).is_some(),
            page_cap: number(take(FaultName::PageCap), page_cap)
                .unwrap_or(page_cap)
                .max(1),
            delayed: number(take(FaultName::PropagationDelay), 3).unwrap_or(0),
            unknown_enum: take(FaultName::UnknownEnum).map(|value| {
                let text = value
                    .as_str()
                    .unwrap_or("TimelineEntryType:CONTACT_CARRIER_PIGEON");
                let (name, value) = text.split_once(':').unwrap_or(("TimelineEntryType", text));
                (name.to_owned(), value.to_owned())
            }),
            ..Effects::default()
        };
        effects.errors = errors(&mut take);
        if let Some(value) = take(FaultName::EventVanish) {
            effects.vanished.extend(events(&value, store));
        }
        if let Some(value) = take(FaultName::EventVanishFromLists) {
            effects.vanished.extend(events(&value, store));
            effects.still_found = true;
        }
        for (name, variant) in [
            (FaultName::FieldAbsent, Variant::Absent),
            (FaultName::FieldNull, Variant::Null),
            (FaultName::FieldEmpty, Variant::Empty),
        ] {
            effects.masks.extend(
                board
                    .take_all(name, operations)
                    .iter()
                    .flat_map(|value| Mask::read(value, variant)),
            );
        }
        effects.reassigned = board
            .take_all(FaultName::EventReassigned, operations)
            .iter()
            .filter_map(|value| reassigned(value, store))
            .collect();
        effects
    }
}

fn errors(take: &mut impl FnMut(FaultName) -> Option<Value>) -> Option<(String, bool)> {
    let text = |value: Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    if let Some(value) = take(FaultName::ErrorsWithoutData) {
        return Some((text(value, "Something went wrong"), false));
    }
    if let Some(value) = take(FaultName::ErrorsWithData) {
        return Some((text(value, "Something went wrong with one part"), true));
    }
    if let Some(value) = take(FaultName::ValidationFrench) {
        return Some((text(value, "Kind n'est pas inclus(e) dans la liste"), false));
    }
    take(FaultName::ServerCrash)
        .map(|value| (text(value, "undefined method 'each' for nil"), false))
}

fn events(value: &Value, store: &Store) -> Vec<String> {
    match value {
        Value::String(id) => vec![id.clone()],
        Value::Array(ids) => ids
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect(),
        other => store
            .rows(Kind::Event)
            .iter()
            .take(other.as_u64().unwrap_or(1) as usize)
            .map(|row| store.id(row).into_owned())
            .collect(),
    }
}

fn reassigned(value: &Value, store: &Store) -> Option<(String, String)> {
    if let (Some(event), Some(user)) = (value["event"].as_str(), value["user"].as_str()) {
        return Some((event.to_owned(), user.to_owned()));
    }
    let event = store
        .rows(Kind::Event)
        .iter()
        .find(|row| store.view(row)["type"] == "APPOINTMENT")?;
    let user = store
        .rows(Kind::User)
        .iter()
        .rfind(|row| !row.is_unlisted())?;
    Some((store.id(event).into_owned(), store.id(user).into_owned()))
}
