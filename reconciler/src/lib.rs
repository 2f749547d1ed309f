//! Decides what each staged record means for production. No network.

pub mod contract;
pub mod history;
pub mod mapping;
pub mod local_day;
mod row;
pub mod transforms;

pub use row::{Rejection, Row};
