//! Paging: which rows of a list one page holds, and the opaque cursors between pages.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::data::Map;

/// The last row of a page: its position when the page was made, and its id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cursor {
    pub(crate) offset: usize,
    pub(crate) id: String,
}

impl Cursor {
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}", self.offset, self.id))
    }

    pub(crate) fn decode(text: &str) -> Option<Cursor> {
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (offset, id) = plain.split_once('/')?;
        Some(Cursor {
            offset: offset.parse().ok()?,
            id: id.to_owned(),
        })
    }
}

/// The rows `from..to` of `total`, and what the page says of itself.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) total: usize,
    /// The place in the page whose node is null.
    pub(crate) null_at: Option<usize>,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
    /// The end cursor, where it is not that of the last row.
    pub(crate) end: Option<String>,
}

impl Window {
    /// The window that the paging arguments ask for; `after` says where the row behind a cursor stands.
    pub(crate) fn of(
        arguments: &Map,
        total: usize,
        cap: usize,
        behind: impl Fn(&Cursor) -> usize,
    ) -> Window {
        let number = |name: &str| {
            arguments
                .get(name)
                .and_then(Value::as_u64)
                .map(|number| number as usize)
        };
        let cursor = |name: &str| {
            arguments
                .get(name)
                .and_then(Value::as_str)
                .and_then(Cursor::decode)
        };
        let low = cursor("after").map_or(0, |cursor| behind(&cursor).min(total));
        let high = cursor("before")
            .map_or(total, |cursor| behind(&cursor).saturating_sub(1))
            .clamp(low, total);
        let (from, to) = match (number("first"), number("last")) {
            (Some(first), _) => (low, high.min(low + first.min(cap))),
            (None, Some(last)) => (high.saturating_sub(last.min(cap)).max(low), high),
            (None, None) => (low, high),
        };
        Window {
            from,
            to,
            total,
            null_at: None,
            has_next: to < total,
            has_previous: from > 0,
            end: None,
        }
    }

    /// `pageInfo` of the page.
    pub(crate) fn page_info(&self, cursor: impl Fn(usize) -> Cursor) -> Map {
        let filled = self.from < self.to;
        let start = filled.then(|| cursor(self.from).encode());
        let end = self
            .end
            .clone()
            .or_else(|| filled.then(|| cursor(self.to - 1).encode()));
        crate::data::object(
            json!({"hasNextPage": self.has_next, "hasPreviousPage": self.has_previous, "startCursor": start, "endCursor": end}),
        )
    }
}
