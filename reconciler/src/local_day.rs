//! The one place where an instant becomes a calendar day. Cutting the first ten letters off an instant in UTC
//! dates the work of an evening to the next day; here the account's zone decides.

use jiff::{
    Timestamp,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};

/// A zone name that the time zone database does not hold.
#[derive(Debug, thiserror::Error)]
#[error(
    "The time zone `{name}` is not in the IANA database; set `zone` to a name such as America/Montreal."
)]
pub struct UnknownZone {
    name: String,
    source: jiff::Error,
}

/// The zone of an IANA name. The database compiled in decides, so that a day is the same on every machine,
/// also where the system carries no zones or has dropped the older names.
pub fn zone_named(name: &str) -> Result<TimeZone, UnknownZone> {
    TimeZoneDatabase::bundled()
        .get(name)
        .map_err(|source| UnknownZone {
            name: name.to_owned(),
            source,
        })
}

/// The calendar day of `instant` for people who live in `zone`.
pub fn local_day(instant: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(instant).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_on_the_wall() {
        let cases = [
            ("19:59 in winter", "2025-01-15T00:59:00Z", "2025-01-14"),
            ("20:00 in winter", "2025-01-15T01:00:00Z", "2025-01-14"),
            ("23:59 in winter", "2025-01-15T04:59:59Z", "2025-01-14"),
            ("00:00 in winter", "2025-01-15T05:00:00Z", "2025-01-15"),
            ("19:59 in summer", "2025-07-14T23:59:00Z", "2025-07-14"),
            ("20:00 in summer", "2025-07-15T00:00:00Z", "2025-07-14"),
            ("23:59 in summer", "2025-07-15T03:59:59Z", "2025-07-14"),
            ("00:00 in summer", "2025-07-15T04:00:00Z", "2025-07-15"),
            ("31 December, 19:00", "2026-01-01T00:00:00Z", "2025-12-31"),
            ("31 December, 23:59", "2026-01-01T04:59:59Z", "2025-12-31"),
            ("1 January, 00:00", "2026-01-01T05:00:00Z", "2026-01-01"),
            (
                "the last minute before the spring change",
                "2025-03-09T06:59:59Z",
                "2025-03-09",
            ),
            (
                "the first minute after the spring change",
                "2025-03-09T07:00:00Z",
                "2025-03-09",
            ),
            (
                "23:59 on the short day",
                "2025-03-10T03:59:59Z",
                "2025-03-09",
            ),
            (
                "00:00 after the short day",
                "2025-03-10T04:00:00Z",
                "2025-03-10",
            ),
            (
                "23:59 before the short day, still winter",
                "2025-03-09T04:59:59Z",
                "2025-03-08",
            ),
            (
                "00:00 on the long day, still summer",
                "2025-11-02T04:00:00Z",
                "2025-11-02",
            ),
            (
                "the first 01:30 of the long day",
                "2025-11-02T05:30:00Z",
                "2025-11-02",
            ),
            (
                "the second 01:30 of the long day",
                "2025-11-02T06:30:00Z",
                "2025-11-02",
            ),
            (
                "23:59 on the long day, already winter",
                "2025-11-03T04:59:59Z",
                "2025-11-02",
            ),
            (
                "00:00 after the long day",
                "2025-11-03T05:00:00Z",
                "2025-11-03",
            ),
            (
                "an offset in the input changes nothing",
                "2025-01-14T20:00:00-05:00",
                "2025-01-14",
            ),
        ];
        let zone = zone_named("America/Montreal").expect("the zone exists");
        for (what, instant, day) in cases {
            let instant: Timestamp = instant.parse().expect("an instant");
            assert_eq!(local_day(instant, &zone).to_string(), day, "{what}");
        }
    }

    #[test]
    fn an_unknown_zone_names_itself_and_the_remedy() {
        let error = zone_named("Amerique/Montreal").expect_err("no such zone");
        assert!(error.to_string().contains("`Amerique/Montreal`"));
        assert!(error.to_string().contains("set `zone`"));
    }
}
