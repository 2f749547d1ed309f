//! `concord runs`: the last runs and their results.

use serde::Serialize;
use staging::database::query_as;

use super::{Answer, reading};
use crate::config::Config;
use crate::table::Table;

/// The last runs, newest first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only runs of this module.
    #[arg(long)]
    module: Option<String>,
    /// One run alone, step by step, with what its source sent in place of an answer.
    #[arg(long, conflicts_with_all = ["module", "limit"])]
    run: Option<i64>,
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

#[derive(Serialize, sqlx::FromRow)]
struct Run {
    run_id: i64,
    module: String,
    mode: String,
    state: String,
    resumed: bool,
    started_at: String,
    finished_at: Option<String>,
    seconds: Option<f64>,
    fetched: i64,
    new: i64,
    changed: i64,
    unchanged: i64,
    superseded: i64,
    claimed: i64,
    promoted: i64,
    same: i64,
    quarantined: i64,
    parked: i64,
    in_review: i64,
    inserted: i64,
    updated: i64,
    tombstoned: i64,
    conflicts: i64,
    promotion: Option<i64>,
    cause: Option<String>,
}

#[derive(Serialize, sqlx::FromRow)]
struct Step {
    step: String,
    state: String,
    started_at: String,
    seconds: Option<f64>,
    detail: Option<String>,
}

/// Shows the steps of one run.
async fn steps(run_id: i64, config: &Config) -> anyhow::Result<Answer> {
    let steps: Vec<Step> = reading(config, async |tx| {
        let rows = query_as(
            "select step, state, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as started_at,
                    extract(epoch from finished_at - started_at)::double precision as seconds, detail
             from ops.run_steps where run_id = $1 order by ops.run_steps.started_at, step",
        );
        Ok(rows.bind(run_id).fetch_all(&mut **tx).await?)
    })
    .await?;
    if steps.is_empty() {
        let told = format!("Run {run_id} has no steps. `concord runs` lists the runs there are.");
        return Answer::new(told, &steps);
    }
    let mut text = String::new();
    for step in &steps {
        let seconds = step.seconds.map(|seconds| format!(", {seconds:.1} s"));
        let Step {
            step: name,
            state,
            started_at,
            detail,
            ..
        } = step;
        text += &format!(
            "{name}: {state}, {started_at}{}\n",
            seconds.unwrap_or_default()
        );
        for line in detail.iter().flat_map(|detail| detail.lines()) {
            text += &format!("    {line}\n");
        }
    }
    Answer::new(text, &steps)
}

/// Shows the last runs.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    if let Some(run_id) = args.run {
        return steps(run_id, config).await;
    }
    let runs: Vec<Run> = reading(config, async |tx| {
        let rows = query_as(
            "select run_id, module, mode, state, resumed,
                    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as started_at,
                    to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as finished_at,
                    extract(epoch from finished_at - started_at)::double precision as seconds,
                    fetched, new, changed, unchanged, superseded, claimed, promoted, same, quarantined, parked,
                    in_review, inserted, updated, tombstoned, conflicts, promotion, cause
             from ops.runs where $1::text is null or module = $1 order by run_id desc limit $2",
        );
        Ok(rows.bind(&args.module).bind(args.limit).fetch_all(&mut **tx).await?)
    })
    .await?;
    if runs.is_empty() {
        return Answer::new("No run yet. Start one with `run_sync --all`.", &runs);
    }
    let headings = [
        "run",
        "module",
        "state",
        "started",
        "seconds",
        "fetched",
        "new",
        "changed",
        "promoted",
        "set aside",
        "promotion",
        "cause",
    ];
    let mut table = Table::new(&headings);
    for run in &runs {
        table.row([
            run.run_id.to_string(),
            run.module.clone(),
            format!("{}{}", run.state, if run.resumed { " RESUMED" } else { "" }),
            run.started_at.clone(),
            run.seconds
                .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")),
            run.fetched.to_string(),
            run.new.to_string(),
            run.changed.to_string(),
            run.promoted.to_string(),
            (run.quarantined + run.parked + run.in_review).to_string(),
            run.promotion
                .map_or_else(|| "-".to_owned(), |number| number.to_string()),
            run.cause.clone().unwrap_or_default(),
        ]);
    }
    Answer::new(table.to_string(), &runs)
}
