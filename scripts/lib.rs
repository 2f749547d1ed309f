//! The programs of Concord: `concord` for people, `run_sync` for cron.

pub mod config;

pub mod commands;
pub mod process;

mod explanation;
mod table;
