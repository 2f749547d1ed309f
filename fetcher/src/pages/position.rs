//! The position in a stream, for each style of pagination, and the next one.

use serde_json::{Map, Value};

use super::page::Cursor;
use super::slice::Slice;
use crate::modules::spec::{Paging, Style};

/// The position of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    Start,
    After(String),
    Offset(u64),
    /// A page number, and the rows before it.
    Page {
        number: u64,
        before: u64,
    },
}

/// Why the stream cannot continue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CannotContinue {
    NoCursor,
    BadCursor,
    MoreThanOnePage,
}

impl Position {
    /// Where to begin: at the start, or at a stored cursor.
    pub(super) fn begin(
        paging: &Paging,
        from: Option<&Cursor>,
    ) -> Result<Position, CannotContinue> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| CannotContinue::BadCursor);
        match (paging.style, from) {
            (Style::Relay, Some(cursor)) => Ok(Position::After(cursor.0.clone())),
            (Style::Relay | Style::List, _) => Ok(Position::Start),
            (Style::Offset, None) => Ok(Position::Offset(0)),
            (Style::Offset, Some(cursor)) => Ok(Position::Offset(number(&cursor.0)?)),
            (Style::Page, None) => Ok(Position::Page {
                number: paging.first_page,
                before: 0,
            }),
            (Style::Page, Some(cursor)) => {
                let (page, before) = cursor.0.split_once(':').ok_or(CannotContinue::BadCursor)?;
                Ok(Position::Page {
                    number: number(page)?,
                    before: number(before)?,
                })
            }
        }
    }

    /// Sets the query's size and position variables.
    pub(super) fn fill(&self, paging: &Paging, size: u32, variables: &mut Map<String, Value>) {
        if let Some(name) = &paging.size_variable {
            variables.insert(name.clone(), size.into());
        }
        let value = match self {
            Position::Start => return,
            Position::After(cursor) => Value::from(cursor.as_str()),
            Position::Offset(offset) => Value::from(*offset),
            Position::Page { number, .. } => Value::from(*number),
        };
        variables.insert(paging.position_variable.clone(), value);
    }

    /// The same position among pages of another size; `None` if numbered pages have no such position.
    pub(super) fn among(&self, paging: &Paging, size: u32) -> Option<Position> {
        let size = u64::from(size.max(1));
        match self {
            Position::Page { before, .. } => (before % size == 0).then(|| Position::Page {
                number: paging.first_page + before / size,
                before: *before,
            }),
            other => Some(other.clone()),
        }
    }

    /// The stored form; the start has none.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        match self {
            Position::Start => None,
            Position::After(cursor) => Some(Cursor(cursor.clone())),
            Position::Offset(offset) => Some(Cursor(offset.to_string())),
            Position::Page { number, before } => Some(Cursor(format!("{number}:{before}"))),
        }
    }

    /// The position after a page; `None` after the last. A short page need not be the last one, since sources
    /// clamp sizes: only "no more", the total, or an empty page ends the stream.
    pub(super) fn after(
        &self,
        style: Style,
        slice: &Slice,
    ) -> Result<Option<Position>, CannotContinue> {
        if style == Style::List {
            return if slice.more == Some(true) {
                Err(CannotContinue::MoreThanOnePage)
            } else {
                Ok(None)
            };
        }
        let rows = slice.outer as u64;
        let ended = |seen: u64| {
            rows == 0 || slice.more == Some(false) || slice.total.is_some_and(|total| seen >= total)
        };
        match self {
            Position::Start | Position::After(_) => match (slice.more, &slice.cursor) {
                (Some(false), _) | (None, None) => Ok(None),
                (_, Some(cursor)) => Ok(Some(Position::After(cursor.clone()))),
                (Some(true), None) => Err(CannotContinue::NoCursor),
            },
            Position::Offset(offset) => {
                let next = offset + rows;
                Ok((!ended(next)).then_some(Position::Offset(next)))
            }
            Position::Page { number, before } => {
                let seen = before + rows;
                Ok((!ended(seen)).then_some(Position::Page {
                    number: number + 1,
                    before: seen,
                }))
            }
        }
    }
}

/// Tells a page from the one before it: the number of rows, the first and the last.
pub(super) type Fingerprint = (usize, Vec<u8>, Vec<u8>);

pub(super) fn fingerprint_of(cut: &Slice) -> Option<Fingerprint> {
    let ((_, first), (_, last)) = (cut.records.first()?, cut.records.last()?);
    Some((cut.outer, first.to_vec(), last.to_vec()))
}

/// Whether the response leads to another cursor than the one in the request.
pub(super) fn moves(cut: &Slice, position: &Position) -> bool {
    cut.cursor
        .as_ref()
        .is_some_and(|cursor| *position != Position::After(cursor.clone()))
}

/// An empty page that promises more with the same cursor, as from a replica that lags.
pub(super) fn stands_still(cut: &Slice, position: &Position) -> bool {
    cut.outer == 0
        && cut.more == Some(true)
        && !moves(cut, position)
        && matches!(position, Position::Start | Position::After(_))
}

/// Detects cycles of any length in a sequence of positions, with one position in memory (Brent).
#[derive(Debug, Default)]
pub(super) struct CycleDetector {
    marked: Option<[u8; 32]>,
    steps: u64,
    until: u64,
}

impl CycleDetector {
    /// Returns whether this position was seen before.
    pub(super) fn closes(&mut self, place: [u8; 32]) -> bool {
        if self.marked == Some(place) {
            return true;
        }
        if self.steps == self.until {
            self.marked = Some(place);
            self.until = (self.until * 2).max(1);
            self.steps = 0;
        }
        self.steps += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_of_any_length_are_found_soon_and_straight_ways_never() {
        let place = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            bytes
        };
        for (tail, length) in [(0, 1), (0, 2), (3, 4), (10, 7), (100, 1)] {
            let mut cycle = CycleDetector::default();
            let way = (0..tail).chain((0..).map(|n| tail + n % length));
            let steps = way.take(10_000).position(|n| cycle.closes(place(n)));
            let steps = steps.expect("the cycle is found");
            assert!(steps <= 4 * (tail + length) + 2, "{tail} {length}: {steps}");
        }
        let mut cycle = CycleDetector::default();
        assert!((0..10_000).all(|n| !cycle.closes(place(n))));
    }
}
