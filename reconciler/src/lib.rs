//! Decides what each staged record means for production. No network.

mod row;
pub mod local_day;
pub mod transforms;

pub use row::{Rejection, Row};
