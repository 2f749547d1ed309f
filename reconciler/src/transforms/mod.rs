//! Typed transforms from payload to row, one file per module.

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
