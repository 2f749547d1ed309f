//! Measurements: temperature and relative humidity beside an instrument, from the API and from service notes.

use super::{
    note_readings::{NoteReadings, note_readings},
    payload::{self, CoreDate, CoreDateTime, Origin, source_query},
    timeline,
};
use crate::{Rejection, Row, local_day::local_day};
use jiff::tz::TimeZone;
use list_measurements::ListMeasurementsAllPianosNodesAllPianoMeasurements as Node;
use serde::Serialize;
use serde_json::Value;
use validator::Validate;

source_query!(
    ListMeasurements,
    "../fetcher/modules/gazelle/measurements/query.graphql"
);

/// The ranges are those of `contract.yaml`; these checks give the fault its name.
#[derive(Serialize, Validate)]
struct Measurement {
    #[validate(length(
        min = 1,
        code = "id_empty",
        message = "The record has an empty id; report it to the source."
    ))]
    id: String,
    piano_id: Option<String>,
    taken_on: Option<CoreDate>,
    #[validate(range(
        min = 0.0,
        max = 100.0,
        code = "humidity_out_of_range",
        message = "Relative humidity lies between 0 and 100 per cent; correct the measurement in the source."
    ))]
    humidity: Option<f64>,
    #[validate(range(
        min = -40.0,
        max = 60.0,
        code = "temperature_out_of_range",
        message = "No instrument stands in less than -40 or more than 60 degrees Celsius; correct the measurement in the source (was it Fahrenheit?)."
    ))]
    temperature: Option<f64>,
    origin: &'static str,
    note_excerpt: Option<String>,
    source_created_at: Option<CoreDateTime>,
    source_updated_at: Option<CoreDateTime>,
    /// Set only on rows from the API: an entity may have one of them and any number of notes.
    _api: Option<&'static str>,
}

const ORIGINS: &[Origin] = &[
    ("origin", &[]),
    ("source_created_at", &["createdAt"]),
    ("source_updated_at", &["updatedAt"]),
    ("_api", &[]),
];

pub(super) fn transform(payload: &str) -> Result<Row, Rejection> {
    let object = payload::object(payload)?;
    let node: Node = payload::node(&object)?;
    let measurement = Measurement {
        id: node.id,
        piano_id: node.piano_id,
        taken_on: node.taken_on,
        humidity: node.humidity.map(|percent| percent as f64),
        temperature: node.temperature.map(|degrees| degrees as f64),
        origin: "api",
        note_excerpt: None,
        source_created_at: node.created_at,
        source_updated_at: node.updated_at,
        _api: Some("api"),
    };
    payload::row(&measurement, &object, ORIGINS)
}

/// The measurement in a service note about one instrument, if it has one. Quantities that the note does not
/// state are absent.
pub(super) fn from_timeline(payload: &str, zone: &TimeZone) -> Result<Option<Row>, Rejection> {
    let object = payload::object(payload)?;
    if !object
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.starts_with("SERVICE_ENTRY_"))
    {
        return Ok(None);
    }
    let node: timeline::Node = payload::node(&object)?;
    let (Some(piano), Some(occurred_at)) = (node.piano, node.occurred_at) else {
        return Ok(None);
    };
    let text = [node.summary, node.comment]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n");
    let readings = note_readings(&text);
    if readings == NoteReadings::default() {
        return Ok(None);
    }
    let measurement = Measurement {
        id: node.id,
        piano_id: Some(piano.id),
        taken_on: Some(local_day(occurred_at, zone)),
        humidity: readings.humidity.as_ref().map(|reading| reading.value),
        temperature: readings.temperature.as_ref().map(|reading| reading.value),
        origin: "note",
        note_excerpt: Some(readings.excerpt(&text)),
        source_created_at: None,
        source_updated_at: None,
        _api: None,
    };
    let mut row = payload::whole_row(&measurement)?;
    row.0.retain(|_, value| !value.is_null());
    Ok(Some(row))
}
