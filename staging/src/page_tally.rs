//! Where pages belong, and their counts in staging.

use std::ops::AddAssign;

/// Counts of one page, or of several staged together. `fetched` is always the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PageTally {
    /// Records received.
    pub fetched: i32,
    /// Ids never seen before.
    pub new: i32,
    /// Known ids with other content, and vanished ids that came back.
    pub changed: i32,
    /// Known ids with the same content.
    pub unchanged: i32,
    /// Further versions of an id that the same batch of pages had already brought.
    pub superseded: i32,
}

/// Where a page belongs.
#[derive(Debug, Clone, Copy)]
pub struct PagePlace<'a> {
    /// The module whose stream it is.
    pub module: &'a str,
    /// The pass over the stream.
    pub pass_id: i64,
    /// The run that fetched it; `None` in a dry run.
    pub run_id: Option<i64>,
    /// The cursor the first page was asked with.
    pub cursor: Option<&'a str>,
}

impl AddAssign for PageTally {
    fn add_assign(&mut self, other: PageTally) {
        self.fetched += other.fetched;
        self.new += other.new;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.superseded += other.superseded;
    }
}
