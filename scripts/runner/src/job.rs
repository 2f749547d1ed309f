//! What a run is asked to do.

use fetcher::Source;
use reconciler::{Definition, Definitions};
use sqlx::PgPool;

use crate::retry::Retry;
use crate::shutdown::Shutdown;

/// What a run is asked to do.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// All modules.
    pub definitions: &'a Definitions,
    /// The module to run.
    pub definition: &'a Definition,
    /// Its source; `None` reconciles what is staged without asking for more.
    pub source: Option<&'a Source>,
    /// How much of the source it reads.
    pub range: ReadRange<'a>,
    /// Whether the program is asked to end.
    pub shutdown: &'a Shutdown,
    /// What it does when the database fails.
    pub retry: &'a Retry<'a>,
    /// Who runs it, for the ledger.
    pub actor: &'a str,
    /// Called after every staged group of pages and every decided batch.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How much of a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRange<'a> {
    /// As the module declares with `read`.
    Incremental,
    /// Everything.
    Full,
    /// A range, by the module's `since` filter; the checkpoint stays.
    Repair {
        /// From here, RFC 3339.
        since: &'a str,
        /// Up to here.
        until: Option<&'a str>,
    },
}

impl ReadRange<'_> {
    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Full => "full",
            Self::Repair { .. } => "repair",
        }
    }
}

/// How far a run has come in its step.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// Records read, and how many there are where the source says so.
    Read(i64, Option<u64>),
    /// Pending records decided.
    Decided(Decided),
}

/// How many of the pending records are decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decided {
    /// Decided so far.
    pub done: i64,
    /// Pending at the beginning.
    pub pending: i64,
}
