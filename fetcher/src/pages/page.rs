//! What a stream of pages yields.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where a stream continues: opaque, and safe to store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl Cursor {
    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One response: records, and where the stream continues.
#[derive(Debug, Clone)]
pub struct Page {
    /// Counts from 1 within this stream.
    pub number: u32,
    /// The records, in the source's order.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
    /// How many records the source says there are.
    pub total_count: Option<u64>,
    /// What is missing from this page.
    pub holes: Vec<Hole>,
    /// Bytes of the answer, after decompression.
    pub bytes: usize,
}

impl Page {
    /// Whether the source gave everything it was asked for.
    pub fn is_complete(&self) -> bool {
        self.holes.is_empty()
    }
}

/// One raw record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The source's own id; `missing-id:<hash of the bytes>` where it sent none.
    pub source_id: String,
    /// The record exactly as received: a slice of the page's body.
    pub json: Bytes,
}

/// Something the source did not give: a null record, a failed field, a missing id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Where in the answer, dotted.
    pub path: String,
    /// The record it is in, where it is in one that came.
    pub source_id: Option<String>,
    /// What is missing, in a sentence.
    pub message: String,
}

/// What to read of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// For modules with a `since` block: only records since this value.
    pub since: Option<String>,
    /// For those whose block names a variable for it: only records up to this value.
    pub until: Option<String>,
    /// Overrides the module's page size, as for a second read with other page boundaries.
    pub page_size: Option<u32>,
}
