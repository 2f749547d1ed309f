//! `/metrics` in Prometheus' text format, read from the database at each scrape.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sqlx::PgConnection;
use staging::RunState;
use staging::database::query_as;

use super::exposition::{Exposition, Kind};
use super::monitor::Monitor;
use super::snapshot::look;
use crate::health::{Health, ModuleHealth, health};

/// Upper bounds of the run durations, in seconds.
const DURATIONS: [f64; 8] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

const STATES: [RunState; 7] = [
    RunState::Ok,
    RunState::OkQ,
    RunState::Partial,
    RunState::Blocked,
    RunState::Waiting,
    RunState::Failed,
    RunState::Cancelled,
];

/// The runs of one module that ended in one state.
#[derive(sqlx::FromRow)]
struct Total {
    module: String,
    state: String,
    runs: i64,
    seconds: f64,
    new: i64,
    changed: i64,
    unchanged: i64,
    superseded: i64,
    promoted: i64,
    same: i64,
    quarantined: i64,
    parked: i64,
    in_review: i64,
}

/// Everything counted since the first run, for one module.
#[derive(Default)]
struct Counted {
    runs: HashMap<String, i64>,
    seconds: f64,
    within: [i64; DURATIONS.len()],
    outcomes: [i64; OUTCOMES.len()],
}

const OUTCOMES: [&str; 9] = [
    "new",
    "changed",
    "unchanged",
    "superseded",
    "promoted",
    "same",
    "quarantined",
    "parked",
    "in_review",
];

/// The scrape. Without a database there is no truth to tell, and a failed scrape says so (`up` is 0).
pub(super) async fn metrics(State(monitor): State<Monitor>) -> Response {
    let names: Vec<String> = monitor
        .modules
        .iter()
        .map(|module| module.name.clone())
        .collect();
    let read = look(&monitor.pool, async |conn| {
        let health = health(&mut *conn, &monitor.modules).await?;
        Ok((health, counted(conn, &names).await?))
    });
    let Ok((health, counted)) = read.await else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "The database does not answer. Run `concord doctor`.\n",
        )
            .into_response();
    };
    let mut text = Exposition::default();
    of_the_past(&mut text, &health, &counted);
    of_now(&mut text, &health);
    of_sources(&mut text, &health);
    text.family(
        "concord_db_pool_in_use",
        Kind::Gauge,
        "Database connections of this process that are at work.",
    );
    // The connection of this very scrape has been given back by now.
    let in_use = u64::from(monitor.pool.size()).saturating_sub(monitor.pool.num_idle() as u64);
    text.sample("", &[], in_use as f64);
    text.family(
        "concord_build_info",
        Kind::Gauge,
        "Always 1; the label tells the version that runs.",
    );
    text.sample("", &[("version", &monitor.version)], 1.0);
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text.finish(),
    )
        .into_response()
}

fn of_the_past(text: &mut Exposition, health: &Health, counted: &HashMap<String, Counted>) {
    let none = Counted::default();
    let modules = || {
        health
            .modules
            .iter()
            .map(|module| (&*module.name, counted.get(&module.name).unwrap_or(&none)))
    };
    text.family(
        "concord_runs_total",
        Kind::Counter,
        "Runs that ended, by the state they ended in.",
    );
    for (module, counted) in modules() {
        for state in STATES.map(RunState::as_str) {
            let runs = counted.runs.get(state).copied().unwrap_or(0);
            text.sample("", &[("module", module), ("state", state)], runs as f64);
        }
    }
    text.family(
        "concord_run_duration_seconds",
        Kind::Histogram,
        "How long runs took, from start to end.",
    );
    for (module, counted) in modules() {
        let all = counted.runs.values().sum::<i64>() as f64;
        for (bound, within) in DURATIONS.iter().zip(counted.within) {
            text.sample(
                "_bucket",
                &[("module", module), ("le", &bound.to_string())],
                within as f64,
            );
        }
        text.sample("_bucket", &[("module", module), ("le", "+Inf")], all);
        text.sample("_sum", &[("module", module)], counted.seconds);
        text.sample("_count", &[("module", module)], all);
    }
    text.family(
        "concord_records_total",
        Kind::Counter,
        "Records by what became of them: new, changed, unchanged, superseded when staged; the other outcomes when reconciled.",
    );
    for (module, counted) in modules() {
        for (outcome, records) in OUTCOMES.iter().zip(counted.outcomes) {
            text.sample(
                "",
                &[("module", module), ("outcome", outcome)],
                records as f64,
            );
        }
    }
}

fn of_now(text: &mut Exposition, health: &Health) {
    type Reading = fn(&ModuleHealth) -> Option<f64>;
    let gauges: [(&str, &str, Reading); 9] = [
        (
            "concord_last_complete_timestamp_seconds",
            "End of the last complete run in Unix time; 0 when there was none.",
            |module| Some(module.last_sync.map_or(0.0, |at| at.0 as f64)),
        ),
        (
            "concord_last_full_timestamp_seconds",
            "End of the last complete run that read everything, in Unix time; 0 when there was none.",
            |module| Some(module.last_full.map_or(0.0, |at| at.0 as f64)),
        ),
        (
            "concord_freshness_periods",
            "Age of the last complete run in expected periods; +Inf when there was none. Late above 1.5.",
            |module| {
                module
                    .expected_period
                    .map(|_| module.freshness_periods.unwrap_or(f64::INFINITY))
            },
        ),
        (
            "concord_balance_gap",
            "Records of the last run that nothing accounts for, fetched and claimed ones together; anything but 0 is a fault.",
            |module| Some((module.fetch_gap.abs() + module.claim_gap.abs()) as f64),
        ),
        (
            "concord_quarantine_open",
            "Records that a rule or the contract refused.",
            |module| Some(module.waiting.quarantined as f64),
        ),
        (
            "concord_parked_open",
            "Records that wait for a parent.",
            |module| Some(module.waiting.parked as f64),
        ),
        (
            "concord_reviews_open",
            "Records whose match a person must decide.",
            |module| Some(module.waiting.in_review as f64),
        ),
        (
            "concord_approvals_open",
            "Change sets that a person must approve.",
            |module| Some(module.waiting.approvals as f64),
        ),
        (
            "concord_records_pending",
            "Records staged and not yet reconciled.",
            |module| Some(module.records_pending as f64),
        ),
    ];
    for (name, help, reading) in gauges {
        text.family(name, Kind::Gauge, help);
        for module in &health.modules {
            if let Some(value) = reading(module) {
                text.sample("", &[("module", &module.name)], value);
            }
        }
    }
}

fn of_sources(text: &mut Exposition, health: &Health) {
    text.family(
        "concord_credentials_end_timestamp_seconds",
        Kind::Gauge,
        "When the credentials of a source end and must be renewed by a person, in Unix time; absent where nobody knows.",
    );
    for (source, health) in &health.sources {
        if let Some(end) = health.credentials_end {
            text.sample("", &[("source", source)], end.0 as f64);
        }
    }
}

async fn counted(
    conn: &mut PgConnection,
    modules: &[String],
) -> sqlx::Result<HashMap<String, Counted>> {
    let mut counted: HashMap<String, Counted> = HashMap::new();
    for total in totals(&mut *conn, modules).await? {
        let of_module = counted.entry(total.module).or_default();
        of_module.runs.insert(total.state, total.runs);
        of_module.seconds += total.seconds;
        let outcomes = [
            total.new,
            total.changed,
            total.unchanged,
            total.superseded,
            total.promoted,
            total.same,
            total.quarantined,
            total.parked,
            total.in_review,
        ];
        for (sum, count) in of_module.outcomes.iter_mut().zip(outcomes) {
            *sum += count;
        }
    }
    for (module, first_bound, runs) in durations(conn, modules).await? {
        let within = &mut counted.entry(module).or_default().within;
        // A bucket holds all runs up to its bound, those of the smaller bounds included.
        for sum in within.iter_mut().skip(first_bound.max(0) as usize) {
            *sum += runs;
        }
    }
    Ok(counted)
}

async fn totals(conn: &mut PgConnection, modules: &[String]) -> sqlx::Result<Vec<Total>> {
    query_as(
        "select module, state, count(*) as runs,
                coalesce(sum(extract(epoch from finished_at - started_at)), 0)::float8 as seconds,
                sum(new)::bigint as new, sum(changed)::bigint as changed, sum(unchanged)::bigint as unchanged,
                sum(superseded)::bigint as superseded, sum(promoted)::bigint as promoted, sum(same)::bigint as same,
                sum(quarantined)::bigint as quarantined, sum(parked)::bigint as parked,
                sum(in_review)::bigint as in_review
         from ops.runs where module = any($1) and state <> 'RUNNING' group by module, state",
    )
    .bind(modules)
    .fetch_all(conn)
    .await
}

/// How many runs have which bound as the first that they do not exceed, counted from 0.
async fn durations(
    conn: &mut PgConnection,
    modules: &[String],
) -> sqlx::Result<Vec<(String, i32, i64)>> {
    query_as(
        "select module, (select count(*) from unnest($2::float8[]) as bound where bound < seconds)::int as first, count(*)
         from (
             select module, extract(epoch from finished_at - started_at)::float8 as seconds
             from ops.runs where module = any($1) and state <> 'RUNNING'
         ) r
         group by 1, 2",
    )
    .bind(modules)
    .bind(DURATIONS.as_slice())
    .fetch_all(conn)
    .await
}
