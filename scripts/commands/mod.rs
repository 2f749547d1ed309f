//! The commands of `concord`, one file each.

pub mod approve;
pub mod doctor;
pub mod fetch;
pub mod migrate;
pub mod module;
pub mod parking;
pub mod quarantine;
pub mod runs;
pub mod source;

mod actor;
mod answer;
mod database;

pub use answer::Answer;
use database::{reading, with_database};

use crate::config::Config;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The last runs, newest first.
    Runs(runs::Args),
    /// Records that a rule or the contract refused.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Records that wait for a parent.
    #[command(subcommand)]
    Parking(parking::Command),
    /// Let a change set pass that a guard stopped; the next run applies it.
    Approve(approve::Args),
    /// Folders of modules: list, check, begin and try them.
    #[command(subcommand)]
    Module(module::Command),
    /// Sources: test, introspect, log in.
    #[command(subcommand)]
    Source(source::Command),
    /// Read a module's records from its source into a file; needs no database.
    Fetch(fetch::Args),
    /// Bring the database to this program's schema and every production table to its contract.
    Migrate(migrate::Args),
    /// Look at programs, database, contracts, history, sources and tokens.
    Doctor(doctor::Args),
}

/// Does it.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    match command {
        Command::Runs(args) => runs::run(args, config).await,
        Command::Quarantine(command) => quarantine::run(command, config).await,
        Command::Parking(command) => parking::run(command, config).await,
        Command::Approve(args) => approve::run(args, config).await,
        Command::Module(command) => module::run(command, config).await,
        Command::Source(command) => source::run(command, config).await,
        Command::Fetch(args) => fetch::run(args, config).await,
        Command::Migrate(args) => migrate::run(args, config).await,
        Command::Doctor(args) => doctor::run(args, config).await,
    }
}
