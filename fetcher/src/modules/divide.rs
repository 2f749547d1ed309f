//! How a stream may be divided into parts that are read side by side.

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

/// What a stream is divided by, and how the source wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// A time, told in RFC 3339 in UTC.
    Instant,
    /// A time, told as its day in UTC.
    Date,
    /// A whole number, such as an id.
    Number,
}

/// A stream divided by a value that each of its records has. Values are seconds of Unix time, or whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divide {
    /// Into how many parts.
    pub into: u16,
    /// Path in the record to the value.
    pub at: Path,
    /// The query variable that takes a part's lower end.
    pub variable: String,
    /// The query variable that takes its upper end.
    pub until: String,
    /// What the value is.
    pub scale: Scale,
    /// From here the parts are measured; what lies before belongs to the first.
    pub from: i64,
    /// Up to here, else to now; what lies behind belongs to the last.
    pub to: Option<i64>,
}

impl Scale {
    /// A record's value as it came; `None` where it is none.
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

    /// The value as the source wants it.
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

    /// How far beyond its ends a part is asked for, so that nothing is missed whether the source counts the ends in or
    /// not and, for days, wherever its days begin.
    pub(crate) fn step(self) -> i64 {
        match self {
            Self::Instant | Self::Number => 1,
            Self::Date => 2 * 86_400,
        }
    }

    /// How far beyond what was asked for an answer may lie before it is no answer to that.
    pub(crate) fn slack(self) -> i64 {
        match self {
            Self::Instant | Self::Date => 2 * 86_400,
            Self::Number => 0,
        }
    }
}
