//! The `fetch` part of `module.yaml`, as written and as resolved against the query.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

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

/// What the source can really promise about a read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Every run reads everything.
    #[default]
    Full,
    /// The source can be asked for records since a value.
    Since,
    /// The source can be asked for what lies within some days around now.
    Window,
    /// The source answers newest first, by a time that never changes: reading stops where everything is
    /// known.
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

/// How the source hands out pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Forward cursors with `pageInfo`.
    Relay,
    /// A row offset.
    Offset,
    /// A page number.
    Page,
    /// One answer holds everything.
    List,
}

/// Paging with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// How the source hands out pages.
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
    /// Path below the connection to "is there more"; without one, a cursor means more.
    pub more: Option<Path>,
}

/// How a `since` read asks, and how far it reaches back behind the last value seen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The query variable that takes the value.
    pub variable: String,
    /// The query variable that takes the end of a range, where the source can be given one.
    #[serde(default)]
    pub until: Option<String>,
    /// How both are written.
    #[serde(default, rename = "as")]
    pub written: Bound,
    /// The contract column whose highest value is the next `since`.
    pub column: String,
    /// How far to reach back behind it.
    #[serde(default, deserialize_with = "crate::length::read")]
    pub overlap: Duration,
}

/// How the source wants a point of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// RFC 3339 in UTC.
    #[default]
    Instant,
    /// Its day in UTC, `2026-05-01`.
    Date,
}

impl Bound {
    /// An instant in RFC 3339, as the source wants it.
    pub(crate) fn form(self, instant: &str) -> &str {
        match self {
            Self::Instant => instant,
            Self::Date => instant.split('T').next().unwrap_or(instant),
        }
    }
}

/// How a `window` read asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The query variable that takes the start.
    pub variable: String,
    /// The query variable that takes the end.
    pub until: String,
    /// How both are written.
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

/// How a `newest_first` read knows where to stop: at the first page on which every record is older than the
/// newest one known, less the overlap. It never stops where records do not come newest first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewestFirst {
    /// Path in the record to the time by which the source sorts. It must never change: an edit that moves no
    /// record to the front is met by `full_every` alone.
    pub at: Path,
    /// The contract column that holds it.
    pub column: String,
    /// How far to read behind the newest one known.
    #[serde(default, deserialize_with = "crate::length::read")]
    pub overlap: Duration,
}

/// How the source is asked for one record by its id, before an absent one is taken for deleted.
#[derive(Debug, Clone)]
pub struct Recheck {
    /// The name of the query's file.
    pub file: String,
    /// The query.
    pub query: std::sync::Arc<str>,
    /// The variable that takes the id.
    pub variable: String,
    /// Path below `data` to the record: null where there is none.
    pub at: Path,
}

/// A nested connection that is followed to its end.
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
    /// The variable that takes the nested cursor.
    pub cursor_variable: String,
    /// The variable that takes the size, where the query declares it.
    pub size_variable: Option<String>,
    /// Elements asked for per nested page.
    pub size: u32,
}

/// The resolved `fetch` part: what to ask and where the answer's parts are.
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
    /// What the source can promise.
    pub read: Read,
    /// How pages are asked for.
    pub paging: Paging,
    /// Path below the connection to the number of records, where the query selects it.
    pub total: Option<Path>,
    /// Constants for the query.
    pub variables: BTreeMap<String, Value>,
    /// How a `since` read asks.
    pub since: Option<Since>,
    /// How a `window` read asks.
    pub window: Option<Window>,
    /// How a `newest_first` read stops.
    pub newest_first: Option<NewestFirst>,
    /// How the stream is divided into parts that are read side by side.
    pub divide: Option<Divide>,
    /// How old the last complete reading of everything may be before the next regular run reads everything.
    pub full_every: Option<Duration>,
    /// How an absent record is asked for by its id.
    pub recheck: Option<Recheck>,
    /// In how many complete readings of everything in a row a record must be absent to be taken for deleted.
    pub absences: NonZero<u16>,
    /// Nested connections followed to their end.
    pub nested: Vec<Nested>,
}

impl FetchSpec {
    /// The query variables for the start and the end of a range, and how points of time are written there.
    pub fn range(&self) -> (Option<&str>, Option<&str>, Bound) {
        match (self.read, &self.window, &self.since) {
            (Read::Window, Some(window), _) => {
                (Some(&window.variable), Some(&window.until), window.written)
            }
            (_, _, Some(since)) => (Some(&since.variable), since.until.as_deref(), since.written),
            _ => (None, None, Bound::Instant),
        }
    }

    /// The block that says where the next partial read begins or stops, the contract column whose highest
    /// value that is, and how far behind it to read. Of two blocks, the one of the declared strategy.
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
