//! `concord module`: folders of modules, listed, checked, begun and tried.

mod check;
mod fault;
mod list;
mod new;
mod preview;
mod reconcile_part;
mod schema;
mod side_by_side;
mod target;

use super::Answer;
use crate::config::Config;

/// What to do with modules.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every module that is compiled in or in a configured folder.
    List,
    /// Check a module's files, its query against the source's schema, and its mapping against both; lists
    /// every fault.
    Check(check::Args),
    /// Write the first version of a module's folder from the source's schema.
    New(new::Args),
    /// Fetch the first ten records and show them raw and transformed; writes nothing.
    Preview(preview::Args),
}

/// Does it.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    match command {
        Command::List => list::run(config),
        Command::Check(args) => check::run(args, config).await,
        Command::New(args) => new::run(args, config).await,
        Command::Preview(args) => preview::run(args, config).await,
    }
}
