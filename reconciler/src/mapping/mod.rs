//! jq mappings: payload to row, and the rules of modules without Rust code.

mod budget;
mod fence;
mod natives;
mod payload;
mod predicate;
mod program;
mod reach;
mod row_mapping;
mod selection;

pub use predicate::{Predicate, Seen};
pub use program::MappingError;
pub use row_mapping::{Expression, Mapping};
