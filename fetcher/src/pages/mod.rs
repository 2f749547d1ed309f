//! A module's stream of pages.

mod json;
mod known;
mod nested;
mod page;
mod position;
mod slice;
mod stream;

pub(crate) use json::{Whole, envelope, raw_at};
pub use page::{Cursor, Hole, Page, Record, Selection};
pub use stream::pages;
