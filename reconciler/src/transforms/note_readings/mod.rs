//! Temperature and relative humidity read out of free text, French and English, in the many spellings
//! technicians use. Every pattern runs in linear time. Where a number might be a discount, a pitch, an hour
//! or a wish, it is left alone.

mod candidate;
mod doubt;
mod humidity;
mod number;
mod pair;
mod reading;
mod temperature;

pub use candidate::{NoteReadings, Reading};
pub use reading::note_readings;
