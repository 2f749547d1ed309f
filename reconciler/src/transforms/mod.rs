//! From a record's payload to a row: the typed transforms, one file for each module that has one.

mod appointments;
mod clients;
mod measurements;
mod note_readings;
mod payload;
mod pianos;
mod timeline;
mod typed;
mod users;

pub use note_readings::{NoteReadings, Reading, note_readings};
pub use typed::Typed;

#[cfg(test)]
mod tests;
