//! The health of every module, read in one snapshot and judged by the one table of statuses.

mod instant;
mod module;
mod reading;
mod rows;
mod runs;
mod sources;

pub use instant::Instant;
pub use module::{Health, ModuleHealth, ModuleInfo, health};
pub use reading::{Progress, Waiting};
pub use rows::Rows;
pub use runs::{Balance, Run};
pub use sources::SourceHealth;
