//! A number that may be a reading, and the readings of a note.

use std::ops::Range;

/// A number that may be a reading.
pub(super) struct Candidate {
    pub(super) value: f64,
    pub(super) span: Range<usize>,
    /// Whether it is certain by itself; otherwise it needs a candidate of the other quantity next to it.
    pub(super) sure: bool,
}

/// One reading and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Degrees Celsius or per cent, to one decimal.
    pub value: f64,
    /// The byte range of its text.
    pub span: Range<usize>,
}

/// The readings in a note; a quantity is missing if it is not certain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoteReadings {
    /// Degrees Celsius.
    pub temperature: Option<Reading>,
    /// Relative humidity in per cent.
    pub humidity: Option<Reading>,
}

impl NoteReadings {
    /// The text of the readings, without what is between them.
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
