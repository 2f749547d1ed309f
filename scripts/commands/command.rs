//! The list of commands.

use super::{
    Answer, approve, diff, doctor, fetch, log, matching, migrate, module, overrides, parking,
    quarantine, rebuild, review, rollback, runs, serve, show, source, status, unmerge, why_match,
};
use crate::config::Config;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Each module's state, last complete run and rows, and what waits for a person.
    Status(status::Args),
    /// The last runs, newest first.
    Runs(runs::Args),
    /// One row of production: values, identities, problems, history.
    Show(show::Args),
    /// Records that a rule or the contract refused.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Records that wait for a parent.
    #[command(subcommand)]
    Parking(parking::Command),
    /// Records whose match a person decides: list, accept, reject, put off.
    #[command(subcommand)]
    Review(review::Command),
    /// Why two are, or are not, one.
    WhyMatch(why_match::Args),
    /// Take a record out of the entity it joined.
    Unmerge(unmerge::Args),
    /// Approve a blocked change, which the next run applies, or reject it.
    Approve(approve::Args),
    /// The promotions, newest first.
    Log(log::Args),
    /// What differs between production after two promotions, cell by cell.
    Diff(diff::Args),
    /// Return production to the state after an earlier promotion, as a new promotion.
    Rollback(rollback::Args),
    /// What holds production away from its sources: edits by hand and restored values.
    Overrides(overrides::Args),
    /// Fill a production table again that was dropped, emptied or made anew by hand.
    Rebuild(rebuild::Args),
    /// Module folders: list, check, create and preview them.
    #[command(subcommand)]
    Module(module::Command),
    /// Sources: test, introspect, log in.
    #[command(subcommand)]
    Source(source::Command),
    /// Read a module's records from its source into a file; needs no database.
    Fetch(fetch::Args),
    /// Models that tell records apart: train, evaluate, explain; needs no database.
    #[command(subcommand)]
    Matching(matching::Command),
    /// Bring the database to this program's schema and every production table to its contract.
    Migrate(migrate::Args),
    /// Look at programs, database, contracts, history, sources and tokens.
    Doctor(doctor::Args),
    /// Serve the health page, its JSON and metrics, for this machine alone.
    Serve(serve::Args),
}

/// Runs the command.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    match command {
        Command::Status(args) => status::run(args, config).await,
        Command::Runs(args) => runs::run(args, config).await,
        Command::Show(args) => show::run(args, config).await,
        Command::Quarantine(command) => quarantine::run(command, config).await,
        Command::Parking(command) => parking::run(command, config).await,
        Command::Review(command) => review::run(command, config).await,
        Command::WhyMatch(args) => why_match::run(args, config).await,
        Command::Unmerge(args) => unmerge::run(args, config).await,
        Command::Approve(args) => approve::run(args, config).await,
        Command::Log(args) => log::run(args, config).await,
        Command::Diff(args) => diff::run(args, config).await,
        Command::Rollback(args) => rollback::run(args, config).await,
        Command::Overrides(args) => overrides::run(args, config).await,
        Command::Rebuild(args) => rebuild::run(args, config).await,
        Command::Module(command) => module::run(command, config).await,
        Command::Source(command) => source::run(command, config).await,
        Command::Fetch(args) => fetch::run(args, config).await,
        Command::Matching(command) => matching::run(command, config).await,
        Command::Migrate(args) => migrate::run(args, config).await,
        Command::Doctor(args) => doctor::run(args, config).await,
        Command::Serve(args) => serve::run(args, config).await,
    }
}
