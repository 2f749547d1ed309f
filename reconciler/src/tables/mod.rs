//! The production tables: brought to their contracts, watched, and noticed when they are not what the engine
//! left.

mod lost;
mod prepare;
mod watch;

pub use lost::{LostTable, lost_table};
pub use prepare::{TableError, prepare_tables};
pub(crate) use prepare::{link_all, link_name};
pub(crate) use watch::watch;
