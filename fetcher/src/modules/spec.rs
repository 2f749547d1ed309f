//! The `fetch` part of `module.yaml`, as written and as resolved against the query.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::bound::Bound;
use super::divide::{Divide, DivideFile};
use super::path::{IdPath, Path};

/// `module.yaml` as a whole; `reconcile` is read by the reconciler from the same text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModuleFile {
    pub module: String,
    pub source: String,
    pub fetch: FetchFile,
    #[serde(default, rename = "reconcile")]
    pub _reconcile: Option<IgnoredAny>,
}

/// The `fetch` part as written, before defaults are taken from the query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FetchFile {
    #[serde(default = "query_file")]
    pub query: String,
    pub connection: Path,
    pub nodes: Option<Path>,
    #[serde(default)]
    pub id: IdPath,
    #[serde(default)]
    pub read: Read,
    #[serde(default)]
    pub paging: PagingFile,
    pub total: Option<Path>,
    #[serde(default)]
    pub variables: BTreeMap<String, Value>,
    pub since: Option<Since>,
    pub window: Option<Window>,
    pub newest_first: Option<NewestFirst>,
    pub divide: Option<DivideFile>,
    #[serde(default, deserialize_with = "crate::length::read_some")]
    pub full_every: Option<Duration>,
    pub recheck: Option<RecheckFile>,
    pub absences: Option<NonZero<u16>>,
    #[serde(default)]
    pub nested: Vec<NestedFile>,
}

/// `recheck` as written; `query` names a file in the module's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecheckFile {
    pub query: String,
    pub variable: String,
    pub at: Path,
}

fn query_file() -> String {
    "query.graphql".to_owned()
}

/// `paging` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PagingFile {
    pub style: Option<Style>,
    pub size: Option<u32>,
    pub size_variable: Option<String>,
    pub cursor_variable: Option<String>,
    pub offset_variable: Option<String>,
    pub page_variable: Option<String>,
    pub first_page: Option<u64>,
    pub cursor: Option<Path>,
    pub more: Option<Path>,
}

/// One entry of `nested` as written; `query` names a file in the module's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NestedFile {
    pub at: Path,
    pub query: String,
    pub connection: Path,
    #[serde(default)]
    pub variables: BTreeMap<String, Value>,
    pub cursor_variable: Option<String>,
    pub size_variable: Option<String>,
    pub size: Option<u32>,
}

/// The read strategy that the source supports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Every run reads everything.
    #[default]
    Full,
    /// The source can filter records changed since a value.
    Since,
    /// The source can filter records within some days around now.
    Window,
    /// The source sorts newest first, by a time that never changes: reading stops at known records.
    NewestFirst,
}

impl Read {
    /// Its name in `module.yaml` and in the run record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Since => "since",
            Self::Window => "window",
            Self::NewestFirst => "newest_first",
        }
    }
}

/// The source's style of pagination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Forward cursors with `pageInfo`.
    Relay,
    /// A row offset.
    Offset,
    /// A page number.
    Page,
    /// One response holds everything.
    List,
}

/// Paging with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// The source's style of pagination.
    pub style: Style,
    /// Records asked for per page.
    pub size: u32,
    /// The query variable for the size, where the query declares one.
    pub size_variable: Option<String>,
    /// The query variable for the cursor, offset or page number; empty for a list.
    pub position_variable: String,
    /// The number of the first page, for `page`.
    pub first_page: u64,
    /// Path below the connection to the next cursor.
    pub cursor: Path,
    /// Path below the connection to "has more"; without one, a cursor means more.
    pub more: Option<Path>,
}

/// How a `since` read filters, and how far it reaches back before the last value seen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The query variable for the value.
    pub variable: String,
    /// The query variable for the end of a range, if the source supports one.
    #[serde(default)]
    pub until: Option<String>,
    /// The format of both.
    #[serde(default, rename = "as")]
    pub written: Bound,
    /// The contract column whose highest value is the next `since`.
    pub column: String,
    /// How far to reach back before it.
    #[serde(default, deserialize_with = "crate::length::read")]
    pub overlap: Duration,
}

/// How a `window` read filters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The query variable for the start.
    pub variable: String,
    /// The query variable for the end.
    pub until: String,
    /// The format of both.
    #[serde(default, rename = "as")]
    pub written: Bound,
    /// How far it reaches.
    #[serde(default)]
    pub reach: Reach,
}

/// How far a window reaches around now. Its past is widened to the time since the last complete run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// 7 days back, 30 ahead.
    Fast,
    /// 30 days back, 90 ahead.
    #[default]
    Balanced,
    /// 60 days back, 365 ahead.
    Exhaustive,
}

impl Reach {
    /// Days back and days ahead.
    pub fn days(self) -> (i32, i32) {
        match self {
            Self::Fast => (7, 30),
            Self::Balanced => (30, 90),
            Self::Exhaustive => (60, 365),
        }
    }
}

/// Where a `newest_first` read stops: at the first page on which every record is older than the newest known
/// one, minus the overlap. It reads to the end if records do not come newest first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewestFirst {
    /// Path in the record to the time the source sorts by. It must never change: an edit that does not move a
    /// record to the front is only found by `full_every`.
    pub at: Path,
    /// The contract column that holds it.
    pub column: String,
    /// How far to read past the newest known one.
    #[serde(default, deserialize_with = "crate::length::read")]
    pub overlap: Duration,
}

/// How one record is requested by its id, before an absent record is marked as deleted.
#[derive(Debug, Clone)]
pub struct Recheck {
    /// The name of the query's file.
    pub file: String,
    /// The query.
    pub query: std::sync::Arc<str>,
    /// The query variable for the id.
    pub variable: String,
    /// Path below `data` to the record: null where there is none.
    pub at: Path,
}

/// A nested connection that is read to its end.
#[derive(Debug, Clone)]
pub struct Nested {
    /// Path in the record to the nested connection.
    pub at: Path,
    /// The name of the query's file.
    pub file: String,
    /// The query that reads its further pages.
    pub query: std::sync::Arc<str>,
    /// Path below `data` of that query to the same connection.
    pub connection: Path,
    /// Query variables: paths into the record (`.id`) or constants.
    pub variables: BTreeMap<String, Value>,
    /// The query variable for the nested cursor.
    pub cursor_variable: String,
    /// The query variable for the size, if the query declares it.
    pub size_variable: Option<String>,
    /// Elements per nested page.
    pub size: u32,
}

/// The resolved `fetch` part: what to request and where the parts of the response are.
#[derive(Debug, Clone)]
pub struct FetchSpec {
    /// The name of the query's file.
    pub query_file: String,
    /// Path below `data` to the connection, list or wrapper object.
    pub connection: Path,
    /// Path below the connection to the records; lists on the way are flattened.
    pub nodes: Path,
    /// Where a record's id is.
    pub id: IdPath,
    /// The read strategy.
    pub read: Read,
    /// The pagination.
    pub paging: Paging,
    /// Path below the connection to the number of records, where the query selects it.
    pub total: Option<Path>,
    /// Constants for the query.
    pub variables: BTreeMap<String, Value>,
    /// How a `since` read filters.
    pub since: Option<Since>,
    /// How a `window` read filters.
    pub window: Option<Window>,
    /// How a `newest_first` read stops.
    pub newest_first: Option<NewestFirst>,
    /// How the stream is partitioned.
    pub divide: Option<Divide>,
    /// How old the last complete full read may be before the next regular run reads everything.
    pub full_every: Option<Duration>,
    /// How an absent record is requested by its id.
    pub recheck: Option<Recheck>,
    /// In how many consecutive complete full reads a record must be absent to be marked as deleted.
    pub absences: NonZero<u16>,
    /// Nested connections that are read to their end.
    pub nested: Vec<Nested>,
}

impl FetchSpec {
    /// The query variables for the start and the end of a range, and the format of instants.
    pub fn range(&self) -> (Option<&str>, Option<&str>, Bound) {
        match (self.read, &self.window, &self.since) {
            (Read::Window, Some(window), _) => {
                (Some(&window.variable), Some(&window.until), window.written)
            }
            (_, _, Some(since)) => (Some(&since.variable), since.until.as_deref(), since.written),
            _ => (None, None, Bound::Instant),
        }
    }

    /// The block that bounds the next partial read, the contract column whose highest value is the bound, and
    /// the overlap. Of two blocks, the one of the declared strategy.
    pub fn mark(&self) -> Option<(Read, &str, Duration)> {
        let since = self
            .since
            .iter()
            .map(|of| (Read::Since, &of.column, of.overlap));
        let newest = self.newest_first.iter();
        let newest = newest.map(|of| (Read::NewestFirst, &of.column, of.overlap));
        let mut marks: Vec<_> = since.chain(newest).collect();
        marks.sort_by_key(|(read, ..)| *read != self.read);
        let (read, column, overlap) = marks.first()?;
        Some((*read, column, *overlap))
    }
}
