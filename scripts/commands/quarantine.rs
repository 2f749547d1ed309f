//! `concord quarantine`: records that a rule or the contract refused.

use staging::{Problem, ProblemKind, open_problems};

use super::{Answer, reading};
use crate::config::Config;
use crate::table::Table;

/// What to do about quarantined records.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Records set aside, and why, oldest first.
    List(List),
}

/// Which problems to list.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only records of this module.
    #[arg(long)]
    pub module: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    pub limit: i64,
}

/// Lists what is in quarantine.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    let Command::List(list) = command;
    let problems = waiting(&list, ProblemKind::Quarantine, config).await?;
    if problems.is_empty() {
        return Answer::new("Nothing is in quarantine.", &problems);
    }
    let mut table = Table::new(&[
        "problem", "module", "record", "code", "at", "times", "since", "why",
    ]);
    for problem in &problems {
        table.row([
            problem.problem_id.to_string(),
            problem.module.clone(),
            problem.source_id.clone(),
            problem.code.clone(),
            problem.place.clone().unwrap_or_default(),
            problem.attempts.to_string(),
            problem.first_seen.clone(),
            problem.why.clone(),
        ]);
    }
    Answer::new(table.to_string(), &problems)
}

/// The open problems of one kind.
pub async fn waiting(
    list: &List,
    kind: ProblemKind,
    config: &Config,
) -> anyhow::Result<Vec<Problem>> {
    reading(config, async |tx| {
        Ok(open_problems(tx, kind, list.module.as_deref(), list.limit).await?)
    })
    .await
}
