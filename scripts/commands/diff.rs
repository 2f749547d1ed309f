//! `concord diff`: what differs between production after two promotions, cell by cell.

use futures::TryStreamExt;
use reconciler::history::{self, DiffTally, RowDiff};
use serde::Serialize;
use sqlx::PgConnection;
use staging::database::query_scalar;

use super::{Answer, reading};
use crate::config::Config;
use crate::process::UsageError;

/// What differs between the states after two promotions; 0 is before the first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// From the state after this promotion …
    from: i64,
    /// … to the state after this one.
    to: i64,
    /// How many rows to show.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    limit: i64,
}

#[derive(Serialize)]
struct Difference {
    from: i64,
    to: i64,
    tally: Vec<DiffTally>,
    rows: Vec<RowDiff>,
}

/// Shows it.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let Args { from, to, limit } = args;
    let difference = reading(config, async |tx| {
        for number in [from, to] {
            require_promotion(tx, number).await?;
        }
        let tally = history::diff_tally(tx, from, to).await?;
        let rows = history::diff(tx, from, to, Some(limit), None)
            .try_collect()
            .await?;
        Ok(Difference {
            from,
            to,
            tally,
            rows,
        })
    })
    .await?;
    Answer::new(said(&difference), &difference)
}

/// Refuses a number that no promotion bears; 0 is the empty state before the first.
pub async fn require_promotion(conn: &mut PgConnection, number: i64) -> anyhow::Result<()> {
    let last: i64 = query_scalar("select number from history.head")
        .fetch_one(conn)
        .await?;
    if (0..=last).contains(&number) {
        return Ok(());
    }
    let why = match last {
        0 => format!("There is no promotion {number}: nothing was promoted yet."),
        _ => format!(
            "There is no promotion {number}. They go from 1 to {last}; `concord log` shows them."
        ),
    };
    Err(UsageError(why).into())
}

fn said(difference: &Difference) -> String {
    if difference.tally.is_empty() {
        return format!(
            "Production after {} and after {} is the same.",
            difference.from, difference.to
        );
    }
    let mut text = String::new();
    for row in &difference.rows {
        text.push_str(&row_text(row));
    }
    let total: i64 = difference.tally.iter().map(|tally| tally.rows).sum();
    let counts: Vec<String> = difference
        .tally
        .iter()
        .map(|tally| format!("{} {} {}", tally.entity, tally.operation, tally.rows))
        .collect();
    text.push_str(&format!("{total} rows differ: {}.", counts.join(", ")));
    if total > difference.rows.len() as i64 {
        text.push_str(&format!(
            " {} are shown; --limit shows more.",
            difference.rows.len()
        ));
    }
    text
}

/// One row's cells; absent, null and empty are written differently.
pub fn row_text(row: &RowDiff) -> String {
    let mut text = format!(
        "{}/{} {}\n",
        row.entity,
        row.entity_id,
        row.operation.as_str()
    );
    for cell in &row.cells {
        text.push_str(&format!(
            "  {}: {} -> {}\n",
            cell.column, cell.before, cell.after
        ));
    }
    text
}
