//! What a person or a monitor may ask of Concord: is it complete, since when, why, what now.
//!
//! The facts are read in one snapshot of the database, one tested table turns them into a status, and
//! the home page, the JSON, the metrics and the probes all show that same status.

mod health;
mod page;
mod server;
mod status;

#[cfg(test)]
mod tests;

pub use health::{
    Balance, Health, Instant, ModuleHealth, ModuleInfo, Progress, Rows, Run, SourceHealth, Waiting,
    health,
};
pub use server::{BindError, Monitor, bind, router, serve};
pub use status::{Activity, Facts, LATE_AFTER_PERIODS, LastRun, Status, status, worst};
