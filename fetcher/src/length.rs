//! Durations as people write them: `30d`, `12h`, `15s`.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

/// Parses a duration; the error is a sentence.
pub fn length_of_time(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is not a length of time; write `30d` or `12h`");
    let span: jiff::Span = text.parse().map_err(|_| refuse())?;
    let length = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| refuse())?;
    Duration::try_from(length).map_err(|_| refuse())
}

/// Deserialises a duration.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(LengthVisitor)
}

/// Deserialises an optional duration.
pub(crate) fn read_some<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    read(deserializer).map(Some)
}

struct LengthVisitor;

impl Visitor<'_> for LengthVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as `30d` or `12h`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        length_of_time(text).map_err(E::custom)
    }
}
