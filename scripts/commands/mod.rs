//! The commands of `concord`, one file each.

mod command;

mod approve;
mod decisions;
mod diff;
mod doctor;
mod fetch;
mod log;
mod matching;
mod migrate;
mod module;
mod overrides;
mod parking;
mod quarantine;
mod rebuild;
mod resolve;
mod review;
mod rollback;
mod runs;
mod serve;
mod show;
mod source;
mod status;
mod unmerge;
mod why_match;

mod actor;
mod answer;
mod database;

pub use answer::Answer;
pub use command::{Command, run};
use database::{reading, with_database};
