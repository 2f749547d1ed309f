//! The format in which a source expects an instant.

use serde::Deserialize;

/// The format in which a source expects an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// RFC 3339 in UTC.
    #[default]
    Instant,
    /// The UTC day, `2026-05-01`.
    Date,
}

impl Bound {
    /// Formats an instant given in RFC 3339.
    pub(crate) fn form(self, instant: &str) -> &str {
        match self {
            Self::Instant => instant,
            Self::Date => instant.split('T').next().unwrap_or(instant),
        }
    }
}
