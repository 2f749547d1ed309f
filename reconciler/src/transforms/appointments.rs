//! Appointments: visits, personal events and memos.

use super::payload::{self, CoreDate, CoreDateTime, Origin, source_query};
use crate::{Rejection, Row, local_day::local_day};
use jiff::tz::TimeZone;
use list_appointments::{
    EventLocationType, EventStatus, EventType, ListAppointmentsAllEventsBatchedNodes as Node,
    SchedulerTravelMode,
};
use serde::Serialize;
use validator::Validate;

source_query!(
    ListAppointments,
    "../fetcher/modules/gazelle/appointments/query.graphql",
    "Clone"
);

#[derive(Serialize, Validate)]
struct Appointment {
    #[validate(length(
        min = 1,
        code = "id_empty",
        message = "The record has an empty id; report it to the source."
    ))]
    id: String,
    client_id: Option<String>,
    user_id: Option<String>,
    piano_id: Option<String>,
    piano_ids: Option<Vec<String>>,
    is_tuning: Option<bool>,
    title: Option<String>,
    r#type: Option<EventType>,
    status: Option<EventStatus>,
    starts_at: Option<CoreDateTime>,
    starts_on: Option<CoreDate>,
    duration_minutes: Option<i64>,
    buffer_minutes: Option<i64>,
    is_all_day: Option<bool>,
    timezone: Option<String>,
    notes: Option<String>,
    booked_through: Option<String>,
    travel_mode: Option<SchedulerTravelMode>,
    confirmed_by_client: Option<bool>,
    confirmed_at: Option<CoreDateTime>,
    location_type: Option<EventLocationType>,
    street: Option<String>,
    municipality: Option<String>,
    region: Option<String>,
    postal_code: Option<String>,
    country_code: Option<String>,
    address_line: Option<String>,
    source_created_at: Option<CoreDateTime>,
    source_updated_at: Option<CoreDateTime>,
}

const ORIGINS: &[Origin] = &[
    ("client_id", &["client.id"]),
    ("user_id", &["user.id"]),
    ("piano_id", &["allEventPianos.nodes"]),
    ("piano_ids", &["allEventPianos.nodes"]),
    ("is_tuning", &["allEventPianos.nodes"]),
    ("starts_at", &["start"]),
    ("starts_on", &["start"]),
    ("duration_minutes", &["duration"]),
    ("buffer_minutes", &["buffer"]),
    ("booked_through", &["source"]),
    ("location_type", &["location.locationType"]),
    ("street", &["location.street1", "location.street2"]),
    ("municipality", &["location.municipality"]),
    ("region", &["location.region"]),
    ("postal_code", &["location.postalCode"]),
    ("country_code", &["location.countryCode"]),
    ("address_line", &["location.singleLineAddress"]),
    ("source_created_at", &["createdAt"]),
    ("source_updated_at", &["updatedAt"]),
];

pub(super) fn transform(payload: &str, zone: &TimeZone) -> Result<Row, Rejection> {
    let object = payload::object(payload)?;
    let node: Node = payload::node(&object)?;
    payload::row(&appointment(node, zone), &object, ORIGINS)
}

fn appointment(node: Node, zone: &TimeZone) -> Appointment {
    let place = node.location.as_ref();
    let pianos = payload::present(
        node.all_event_pianos
            .and_then(|connection| connection.nodes),
    );
    let is_tuning = pianos
        .as_ref()
        .and_then(|list| list.iter().filter_map(|piano| piano.is_tuning).max());
    let piano_ids: Option<Vec<String>> = pianos.map(|list| {
        list.into_iter()
            .filter_map(|entry| entry.piano.map(|piano| piano.id))
            .collect()
    });
    Appointment {
        id: node.id,
        client_id: node.client.map(|client| client.id),
        user_id: node.user.map(|user| user.id),
        piano_id: piano_ids.as_ref().and_then(|ids| ids.first().cloned()),
        piano_ids,
        is_tuning,
        title: node.title,
        r#type: node.type_,
        status: node.status,
        starts_at: node.start,
        starts_on: node.start.map(|start| local_day(start, zone)),
        duration_minutes: node.duration,
        buffer_minutes: node.buffer,
        is_all_day: node.is_all_day,
        timezone: node.timezone,
        notes: node.notes,
        booked_through: node.source,
        travel_mode: node.travel_mode,
        confirmed_by_client: node.confirmed_by_client,
        confirmed_at: node.confirmed_at,
        location_type: place.and_then(|p| p.location_type.clone()),
        street: place
            .and_then(|p| payload::full_name(&[p.street1.as_deref(), p.street2.as_deref()])),
        municipality: place.and_then(|p| p.municipality.clone()),
        region: place.and_then(|p| p.region.clone()),
        postal_code: place.and_then(|p| p.postal_code.clone()),
        country_code: place.and_then(|p| p.country_code.clone()),
        address_line: place.and_then(|p| p.single_line_address.clone()),
        source_created_at: node.created_at,
        source_updated_at: node.updated_at,
    }
}
