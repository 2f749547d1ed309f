//! The programs of Concord: `concord` for people, `run_sync` for cron.

pub mod arguments;
pub mod choice;
pub mod config;

pub mod commands;
pub mod process;
pub mod progress;
pub mod repair;
pub mod report;
pub mod round;
pub mod sync;

mod explanation;
mod inert;
mod table;
