//! Reads temperature and relative humidity from free text in French and English, in the many spellings that
//! technicians use. Every pattern runs in linear time. A number that may be a discount, a pitch, an hour or
//! advice is ignored.

mod candidate;
mod doubt;
mod humidity;
mod number;
mod pair;
mod reading;
mod temperature;

pub use candidate::{NoteReadings, Reading};
pub use reading::note_readings;
