//! A module's stream of pages.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod json;
mod nested;
pub(crate) mod page;
mod page_size;
mod partitions;
mod position;
mod query_depth;
mod read_ahead;
mod recheck;
mod slice;
mod stitch;
mod stop_at_known;
mod stream;

pub use page::{Cursor, Hole, Page, Record, Selection};
pub use recheck::is_there;
pub use stream::pages;
