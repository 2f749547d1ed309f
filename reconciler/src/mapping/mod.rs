//! From a record's payload to a row by jq: the mapping and the rules of a module that is only a folder.

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
