//! How reading a stream ended.

use fetcher::{Class, FetchError};
use staging::{PageTally, RunState};

/// What a read came to.
#[derive(Debug, Default)]
pub(crate) struct ReadResult {
    pub(crate) staged: PageTally,
    pub(crate) pages: i64,
    pub(crate) total_count: Option<i64>,
    pub(crate) complete: bool,
    /// Whether the stream was read again from its beginning, because the source refused its cursor.
    pub(crate) restarted: bool,
    pub(crate) stop: Option<RunState>,
    pub(crate) cause: Option<String>,
}

impl ReadResult {
    /// The source failed.
    pub(crate) fn stop_with(&mut self, failure: &FetchError) {
        let (state, cause) = state_of(failure);
        self.stop = Some(state);
        self.cause = Some(cause);
    }
}

/// How one traversal of a stream ended.
pub(crate) enum Traversal {
    /// At its end.
    Complete,
    /// The source failed.
    Stopped(FetchError),
    /// The database lost pages in an outage: the stream is read again from its checkpoint.
    ReadAgain,
}

/// The run state and cause of a failed fetch.
pub(crate) fn state_of(failure: &FetchError) -> (RunState, String) {
    let state = match failure.class() {
        Class::Waiting => RunState::Waiting,
        Class::Failed => RunState::Failed,
        Class::Partial => RunState::Partial,
    };
    (state, failure.to_string())
}
