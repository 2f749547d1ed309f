//! A number that may be a reading, and the readings of a note.

use std::ops::Range;

/// A number that may be a reading.
pub(super) struct Candidate {
    pub(super) value: f64,
    pub(super) span: Range<usize>,
    /// Whether it stands by itself; else it needs a candidate of the other quantity beside it.
    pub(super) sure: bool,
}

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
        let mut spans: Vec<_> = [&self.temperature, &self.humidity]
            .into_iter()
            .flatten()
            .map(|r| r.span.clone())
            .collect();
        spans.sort_by_key(|span| span.start);
        spans
            .into_iter()
            .filter_map(|span| text.get(span))
            .collect::<Vec<_>>()
            .join(" … ")
    }
}
