//! Parses instants in the many formats that APIs use. A text without a time zone is rejected: a guess could
//! be wrong by hours, and nobody would notice.

use crate::Rejection;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Parses ISO 8601 and similar formats with `Z`, `UTC`, `GMT` or an offset. Microseconds are kept, as in
/// PostgreSQL; finer digits are cut off.
pub fn instant(text: &str) -> Result<Timestamp, Rejection> {
    let mut scan = Scan(text.trim().as_bytes());
    let date = date(&mut scan).ok_or_else(not_an_instant)?;
    if scan.0.is_empty() {
        return Err(Rejection::new(
            "timestamp_without_time",
            "The text is a day, not an instant. Map it to a column of type date.",
        ));
    }
    scan.separator().ok_or_else(not_an_instant)?;
    let time = time_of_day(&mut scan).ok_or_else(not_an_instant)?;
    scan.spaces();
    if scan.0.is_empty() {
        return Err(Rejection::new(
            "timestamp_without_zone",
            "The time names no zone, so the instant is unknown. Ask the source for UTC, or append the offset in the mapping.",
        ));
    }
    let offset = zone(&mut scan).ok_or_else(not_an_instant)?;
    bracketed_name(&mut scan);
    if !scan.0.is_empty() {
        return Err(not_an_instant());
    }
    shift(date, time, offset).ok_or_else(|| {
        Rejection::new(
            "timestamp_out_of_range",
            "The instant is outside the years 1 to 9999. Correct it in the source.",
        )
    })
}

/// A calendar day: `2026-01-31` or `20260131`.
pub(super) fn day(text: &str) -> Option<Date> {
    let mut scan = Scan(text.trim().as_bytes());
    date(&mut scan).filter(|_| scan.0.is_empty())
}

/// The spelling of PostgreSQL's `to_jsonb(timestamptz)` in UTC, so that a row read back compares equal.
pub(super) fn spelled(instant: Timestamp) -> String {
    let text = instant.to_string();
    format!("{}+00:00", text.strip_suffix('Z').unwrap_or(&text))
}

fn not_an_instant() -> Rejection {
    Rejection::new(
        "not_a_timestamp",
        "The text is not an instant such as 2026-01-31T12:00:00Z. Correct the mapping or the source.",
    )
}

fn shift(date: Date, time: SignedDuration, offset: SignedDuration) -> Option<Timestamp> {
    let midnight = Offset::UTC.to_timestamp(DateTime::from(date)).ok()?;
    let at = midnight.checked_add(time).ok()?.checked_sub(offset).ok()?;
    let year = Offset::UTC.to_datetime(at).year();
    let micros = at.as_microsecond();
    let at = Timestamp::from_microsecond(micros).ok()?;
    (1..=9999).contains(&year).then_some(at)
}

fn date(scan: &mut Scan) -> Option<Date> {
    let year = scan.digits(4)?;
    let dashed = scan.eat(b"-");
    let month = scan.digits(2)?;
    if dashed && !scan.eat(b"-") {
        return None;
    }
    let day = scan.digits(2)?;
    if year == 0 {
        return None;
    }
    Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()
}

/// Hours and minutes, with optional seconds and fraction; `24:00` is the end of the day and `:60` the end of
/// the minute.
fn time_of_day(scan: &mut Scan) -> Option<SignedDuration> {
    let hour = scan.digits(2)?;
    let colons = scan.eat(b":");
    let minute = scan.digits(2)?;
    let has_seconds = if colons {
        scan.eat(b":")
    } else {
        scan.0.first().is_some_and(u8::is_ascii_digit)
    };
    let (mut second, mut nanos) = (0, 0);
    if has_seconds {
        second = scan.digits(2)?;
        if scan.eat(b".") || scan.eat(b",") {
            nanos = scan.fraction()?;
        }
    }
    let ends_day = hour == 24 && minute == 0 && second == 0 && nanos == 0;
    if (hour > 23 && !ends_day) || minute > 59 || second > 60 {
        return None;
    }
    Some(SignedDuration::new(
        hour * 3600 + minute * 60 + second,
        nanos,
    ))
}

fn zone(scan: &mut Scan) -> Option<SignedDuration> {
    if scan.eat(b"Z") || scan.eat(b"z") {
        return Some(SignedDuration::ZERO);
    }
    let named = scan.eat(b"UTC") || scan.eat(b"GMT");
    if named && (scan.0.is_empty() || scan.0[0] == b'[') {
        return Some(SignedDuration::ZERO);
    }
    let sign = match () {
        () if scan.eat(b"+") => 1,
        () if scan.eat(b"-") || scan.eat("\u{2212}".as_bytes()) => -1,
        () => return None,
    };
    let hours = scan.digits(2)?;
    let mut seconds = hours * 3600;
    let colons = scan.eat(b":");
    if colons || scan.0.first().is_some_and(u8::is_ascii_digit) {
        let minutes = scan.digits(2)?;
        seconds += minutes * 60;
        if minutes > 59 {
            return None;
        }
        if colons && scan.eat(b":") {
            seconds += scan.digits(2).filter(|s| *s < 60)?;
        }
    }
    (hours <= 18).then(|| SignedDuration::from_secs(sign * seconds))
}

/// `[America/Montreal]` after an offset only adds a name.
fn bracketed_name(scan: &mut Scan) {
    if scan.0.first() == Some(&b'[') && scan.0.last() == Some(&b']') {
        scan.0 = &[];
    }
}

/// The rest of the text.
struct Scan<'t>(&'t [u8]);

impl Scan<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let part = self
            .0
            .get(..count)
            .filter(|part| part.iter().all(u8::is_ascii_digit))?;
        let number = part.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
        self.0 = &self.0[count..];
        Some(number)
    }

    /// Digits after the point, as nanoseconds.
    fn fraction(&mut self) -> Option<i32> {
        let length = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        if digits.is_empty() {
            return None;
        }
        Some((0..9).fold(0, |sum, at| {
            sum * 10 + i32::from(digits.get(at).map_or(0, |b| b - b'0'))
        }))
    }

    fn eat(&mut self, word: &[u8]) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn separator(&mut self) -> Option<()> {
        if self.eat(b"T") || self.eat(b"t") {
            return Some(());
        }
        let before = self.0.len();
        self.spaces();
        (self.0.len() < before).then_some(())
    }

    fn spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_with_a_zone_is_one_instant() {
        let noon = "2026-01-31T12:00:00+00:00";
        let fraction = "2026-01-31T12:00:00.12345+00:00";
        let cases = [
            ("2026-01-31T12:00:00Z", noon),
            ("2026-01-31t12:00:00z", noon),
            ("2026-01-31 12:00:00Z", noon),
            ("2026-01-31 12:00:00 UTC", noon),
            ("2026-01-31 12:00:00 GMT", noon),
            ("2026-01-31 12:00:00 GMT+00:00", noon),
            ("2026-01-31T12:00:00+00:00", noon),
            ("2026-01-31T12:00:00-00:00", noon),
            ("2026-01-31 12:00:00+00", noon),
            ("2026-01-31 12:00:00 +0000", noon),
            ("2026-01-31T12:00Z", noon),
            ("2026-01-31 12:00+00", noon),
            ("2026-01-31T07:00:00-05:00", noon),
            ("2026-01-31T07:00:00-0500", noon),
            ("2026-01-31T07:00:00-05", noon),
            ("2026-01-31T07:00:00\u{2212}05:00", noon),
            ("2026-01-31T07:00:00-05:00[America/Montreal]", noon),
            ("2026-01-31T12:00:00Z[Etc/UTC]", noon),
            ("2026-01-31T17:45:00+05:45", noon),
            ("2026-02-01T02:00:00+14:00", noon),
            ("2026-01-31T12:09:21+00:09:21", noon),
            ("20260131T120000Z", noon),
            ("20260131T1200Z", noon),
            ("2026-01-31T120000Z", noon),
            ("  2026-01-31T12:00:00Z  ", noon),
            ("2026-01-31T12:00:00.000Z", noon),
            ("2026-01-31T12:00:00.0000000Z", noon),
            ("2026-01-31T12:00:00.12345Z", fraction),
            ("2026-01-31T12:00:00,12345Z", fraction),
            ("2026-01-31 12:00:00.12345+00", fraction),
            ("2026-01-31T12:00:00.1Z", "2026-01-31T12:00:00.1+00:00"),
            (
                "2026-01-31T12:00:00.123456789Z",
                "2026-01-31T12:00:00.123456+00:00",
            ),
            ("2026-01-31T24:00:00Z", "2026-02-01T00:00:00+00:00"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
            ("2024-02-29T23:59:59-05:00", "2024-03-01T04:59:59+00:00"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5+00:00"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                instant(text).map(spelled).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_instant_says_why() {
        let cases = [
            ("2026-01-31T12:00:00", "timestamp_without_zone"),
            ("2026-01-31 12:00", "timestamp_without_zone"),
            ("2026-01-31 12:00:00.12345 ", "timestamp_without_zone"),
            ("2026-01-31", "timestamp_without_time"),
            ("20260131", "timestamp_without_time"),
            ("0001-01-01T00:00:00+01:00", "timestamp_out_of_range"),
            ("9999-12-31T23:59:59-05:00", "timestamp_out_of_range"),
            ("", "not_a_timestamp"),
            ("yesterday", "not_a_timestamp"),
            ("2026-02-30T12:00:00Z", "not_a_timestamp"),
            ("2026-13-01T12:00:00Z", "not_a_timestamp"),
            ("2026-01-31T25:00:00Z", "not_a_timestamp"),
            ("2026-01-31T24:00:01Z", "not_a_timestamp"),
            ("2026-01-31T12:60:00Z", "not_a_timestamp"),
            ("2026-01-31T12Z", "not_a_timestamp"),
            ("2026-01-31T12:00:00.Z", "not_a_timestamp"),
            ("2026-01-31T12:00:00Z tail", "not_a_timestamp"),
            ("2026-01-31T12:00:00 EST", "not_a_timestamp"),
            ("2026-01-31T12:00:00+99:00", "not_a_timestamp"),
            ("2026-0131T12:00:00Z", "not_a_timestamp"),
            ("31/01/2026 12:00", "not_a_timestamp"),
            ("1769860800", "not_a_timestamp"),
            ("infinity", "not_a_timestamp"),
        ];
        for (text, code) in cases {
            assert_eq!(
                instant(text).map_err(|r| r.code),
                Err(code.to_owned()),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_instant_survives_any_offset(micros in -62_000_000_000_000_000i64..250_000_000_000_000_000, quarter in -56i32..=56) {
            let at = Timestamp::from_microsecond(micros).expect("in range");
            let offset = Offset::from_seconds(quarter * 900).expect("in range");
            let text = format!("{}{offset}", offset.to_datetime(at));
            prop_assert_eq!(instant(&text), Ok(at), "{}", text);
            prop_assert_eq!(instant(&spelled(at)), Ok(at));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}|[0-9TZ:+. \\[\\]-]{0,40}") {
            let _ = instant(&text);
        }
    }
}
