//! `divide`: how a stream is split into partitions that are read concurrently.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::bound::Bound;
use super::path::Path;

/// `divide` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DivideFile {
    pub into: u16,
    pub at: Path,
    pub variable: Option<String>,
    pub until: Option<String>,
    #[serde(rename = "as")]
    pub scale: Option<Scale>,
    pub from: Value,
    pub to: Option<Value>,
}

/// The type of the value a stream is partitioned by, and its format in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// An instant, in RFC 3339 in UTC.
    Instant,
    /// An instant, written as its UTC day.
    Date,
    /// A whole number, such as an id.
    Number,
}

/// A stream partitioned by a value that each record has: Unix time in seconds, or a whole number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divide {
    /// The number of partitions.
    pub into: u16,
    /// Path in the record to the value.
    pub at: Path,
    /// The query variable for a partition's lower bound.
    pub variable: String,
    /// The query variable for its upper bound.
    pub until: String,
    /// The type of the value.
    pub scale: Scale,
    /// The lower end of the range; smaller values belong to the first partition.
    pub from: i64,
    /// The upper end of the range, or now; larger values belong to the last partition.
    pub to: Option<i64>,
}

impl Scale {
    /// Parses a record's value; `None` if it has another type.
    pub(crate) fn read(self, text: &str) -> Option<i64> {
        if self == Self::Number {
            return text.parse().ok();
        }
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).map(|at| at.timestamp());
        let at = text
            .parse::<Timestamp>()
            .or_else(|_| text.parse::<Date>().and_then(midnight));
        Some(at.ok()?.as_second())
    }

    /// Formats a value for the source.
    pub(crate) fn write(self, value: i64) -> Value {
        let instant = || {
            Timestamp::from_second(value)
                .unwrap_or_default()
                .to_string()
        };
        match self {
            Self::Instant => instant().into(),
            Self::Date => Bound::Date.form(&instant()).into(),
            Self::Number => value.into(),
        }
    }

    /// How far a partition's query reaches beyond its bounds, so that nothing is missed whether or not the
    /// source includes the bounds and, for days, in whatever time zone its days begin.
    pub(crate) fn step(self) -> i64 {
        match self {
            Self::Instant | Self::Number => 1,
            Self::Date => 2 * 86_400,
        }
    }

    /// How far beyond the requested range a record may lie before the source counts as ignoring the range.
    pub(crate) fn slack(self) -> i64 {
        match self {
            Self::Instant | Self::Date => 2 * 86_400,
            Self::Number => 0,
        }
    }
}
