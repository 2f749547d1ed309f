//! Decides what each staged record means for production. No network.

pub mod contract;
pub mod definition;
pub mod guard;
pub mod local_day;
pub mod mapping;
pub mod matching;
pub mod merge;
mod row;
pub mod transforms;

pub use definition::{Definition, DefinitionError, Definitions};
pub use row::{Rejection, Row};
