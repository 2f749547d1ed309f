//! Records, days and instants in the form the vendor writes them.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::dice::Dice;

/// One JSON record.
pub type Map = serde_json::Map<String, Value>;

/// The fields that are not null: a field that a record does not hold is answered as null.
pub(crate) fn object(value: Value) -> Map {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        _ => Map::new(),
    }
}

/// An instant as the vendor writes it, in UTC with `Z`.
pub(crate) fn instant(second: i64) -> String {
    moment(second).to_string()
}

/// The day of an instant, in UTC.
pub(crate) fn day(second: i64) -> String {
    moment(second).strftime("%Y-%m-%d").to_string()
}

pub(crate) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}

/// A weekday-like working hour on the day of `second`.
pub(crate) fn working_hour(second: i64, dice: &mut Dice) -> i64 {
    let midnight = moment(second)
        .to_zoned(TimeZone::UTC)
        .start_of_day()
        .map_or(second, |day| day.timestamp().as_second());
    midnight + dice.between(13, 21) * 3_600 + dice.between(0, 3) * 900
}
