//! `concord log`: every promotion, newest first.

use reconciler::history;

use super::{Answer, reading};
use crate::config::Config;
use crate::table::Table;

/// The promotions, newest first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Only those before this number.
    #[arg(long)]
    before: Option<i64>,
}

/// Runs the command.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let entries = reading(config, async |tx| {
        Ok(history::log(tx, args.limit, args.before).await?)
    })
    .await?;
    if entries.is_empty() {
        return Answer::new(
            "Nothing was promoted yet. `run_sync --all` carries the sources into production.",
            &entries,
        );
    }
    let mut table = Table::new(&[
        "number", "when", "kind", "module", "run", "rows", "actor", "reason",
    ]);
    for entry in &entries {
        let rows: Vec<String> = entry
            .operations
            .iter()
            .map(|(operation, rows)| format!("{rows} {operation}"))
            .collect();
        let or_dash = |number: Option<i64>| {
            number.map_or_else(|| "-".to_owned(), |number| number.to_string())
        };
        table.row([
            entry.number.to_string(),
            entry.created_at.clone(),
            entry.target.map_or_else(
                || entry.kind.clone(),
                |target| format!("{} to {target}", entry.kind),
            ),
            entry.module.clone().unwrap_or_else(|| "-".to_owned()),
            or_dash(entry.run_id),
            rows.join(", "),
            entry.actor.clone(),
            entry.reason.clone(),
        ]);
    }
    Answer::new(table.to_string(), &entries)
}
