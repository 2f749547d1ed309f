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
    /// Records that landed without a link to a parent that has not come, oldest first.
    Links(List),
}

/// Lists what is parked.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    let (list, landed) = match command {
        Command::List(list) => (list, false),
        Command::Links(list) => (list, true),
    };
    let mut problems = waiting(&list, ProblemKind::Parking, config).await?;
    problems.retain(|problem| (problem.detail["landed"] == true) == landed);
    if problems.is_empty() {
        let nothing = match landed {
            false => "Nothing waits for a parent.",
            true => "No record landed without a link.",
        };
        return Answer::new(nothing, &problems);
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
