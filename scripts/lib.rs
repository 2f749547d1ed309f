//! The program of Concord: `concord` for people, and `run_sync` for cron, which is the same program by
//! another name.

pub mod commands;
pub mod config;
pub mod process;
pub mod scheduled_job;

mod arguments;
mod module_selection;
mod parse_error;
mod progress;
mod repair_range;
mod report;
mod round;
mod table;
mod terminal_escape;
mod watch;
