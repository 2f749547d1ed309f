//! `concord parking`: records that wait for a parent.

use staging::ProblemKind;

use super::Answer;
use super::quarantine::{List, waiting};
use crate::config::Config;
use crate::table::Table;

/// What to do about parked records.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Records that wait, and for whom, oldest first.
    List(List),
}

/// Lists what is parked.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    let Command::List(list) = command;
    let problems = waiting(&list, ProblemKind::Parking, config).await?;
    if problems.is_empty() {
        return Answer::new("Nothing waits for a parent.", &problems);
    }
    let mut table = Table::new(&[
        "problem",
        "module",
        "record",
        "waits for",
        "times",
        "since",
        "why",
    ]);
    for problem in &problems {
        let parent =
            [&problem.waits_module, &problem.waits_id].map(|part| part.as_deref().unwrap_or("?"));
        table.row([
            problem.problem_id.to_string(),
            problem.module.clone(),
            problem.source_id.clone(),
            parent.join("/"),
            problem.attempts.to_string(),
            problem.first_seen.clone(),
            problem.why.clone(),
        ]);
    }
    Answer::new(table.to_string(), &problems)
}
