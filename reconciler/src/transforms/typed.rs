//! The closed list of typed transforms; the compiler lists what a new one still needs.

use super::{appointments, clients, measurements, pianos, timeline, users};
use crate::{Rejection, Row};
use jiff::tz::TimeZone;

/// The modules whose transform is written in Rust (`transform: rust` in `module.yaml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the module of its name")]
pub enum Typed {
    Users,
    Clients,
    Pianos,
    Timeline,
    Measurements,
    Appointments,
}

impl Typed {
    /// The typed transform registered under a module's name.
    pub fn named(module: &str) -> Option<Self> {
        Some(match module {
            "users" => Self::Users,
            "clients" => Self::Clients,
            "pianos" => Self::Pianos,
            "timeline" => Self::Timeline,
            "measurements" => Self::Measurements,
            "appointments" => Self::Appointments,
            _ => return None,
        })
    }

    /// Transforms a record of this module to a row; `zone` is the account's, for calendar days.
    pub fn transform(self, payload: &str, zone: &TimeZone) -> Result<Row, Rejection> {
        match self {
            Self::Users => users::transform(payload),
            Self::Clients => clients::transform(payload),
            Self::Pianos => pianos::transform(payload),
            Self::Timeline => timeline::transform(payload),
            Self::Measurements => measurements::transform(payload),
            Self::Appointments => appointments::transform(payload, zone),
        }
    }

    /// Transforms a record of another module, `from`, to a row of this one; `None` if it has none.
    pub fn derive(
        self,
        from: &str,
        payload: &str,
        zone: &TimeZone,
    ) -> Result<Option<Row>, Rejection> {
        match (self, from) {
            (Self::Measurements, "timeline") => measurements::from_timeline(payload, zone),
            _ => Ok(None),
        }
    }
}
