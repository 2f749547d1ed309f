//! How a source wants a point of time.

use serde::Deserialize;

/// How the source wants a point of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// RFC 3339 in UTC.
    #[default]
    Instant,
    /// Its day in UTC, `2026-05-01`.
    Date,
}

impl Bound {
    /// An instant in RFC 3339, as the source wants it.
    pub(crate) fn form(self, instant: &str) -> &str {
        match self {
            Self::Instant => instant,
            Self::Date => instant.split('T').next().unwrap_or(instant),
        }
    }
}
