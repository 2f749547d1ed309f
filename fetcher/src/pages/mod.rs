//! A module's stream of pages.

mod ahead;
mod divided;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod json;
mod known;
mod lessened;
mod nested;
mod page;
mod position;
mod recheck;
mod slice;
mod split;
mod stitch;
mod stream;

pub(crate) use json::{Whole, envelope, raw_at};
pub use page::{Cursor, Hole, Page, Record, Selection};
pub use recheck::is_there;
pub use stream::pages;
