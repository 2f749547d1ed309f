//! `concord source`: test, introspect and log in to a source.

mod introspect;
mod login;
mod test;

use super::Answer;
use crate::config::Config;

/// What to do with a source.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask for one record of each of its modules: address, credentials and queries in one go.
    Test(test::Args),
    /// Write down the source's schema.
    Introspect(introspect::Args),
    /// Log in by OAuth2 and keep the tokens, encrypted.
    Login(login::Args),
}

/// Runs the command.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    match command {
        Command::Test(args) => test::run(args, config).await,
        Command::Introspect(args) => introspect::run(args, config).await,
        Command::Login(args) => login::run(args, config).await,
    }
}

pub use test::{first_reply, opened_once};
