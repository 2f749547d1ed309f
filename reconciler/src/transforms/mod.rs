//! From a record's payload to a row: the typed transforms, one file for each module that has one.

mod appointments;
mod clients;
mod measurements;
mod note_readings;
mod payload;
mod pianos;
mod timeline;
mod users;

use crate::{Rejection, Row};
use jiff::tz::TimeZone;

pub use note_readings::{NoteReadings, Reading, note_readings};

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

    /// The row that a record of this module becomes; `zone` is the account's, for calendar days.
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

    /// The row that a record of another module, `from`, holds for this one; `None` where it holds none.
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

#[cfg(test)]
mod tests;
