//! Decides what each staged record means for production. No network.

pub mod contract;
pub mod mapping;
mod row;
pub mod transforms;

pub use row::{Rejection, Row};
