//! From the facts of the database to the health of each module and of the whole.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;

use super::Instant;
use super::reading::{self, Marks, Progress, Waiting};
use super::rows::{self, Rows};
use super::runs::{self, Run, streak_start};
use super::sources::{self, SourceHealth};
use crate::status::{Activity, Facts, LATE_AFTER_PERIODS, Status, status, worst};

/// A module, as far as its health is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleInfo {
    /// Its name.
    pub name: String,
    /// The source it reads.
    pub source: String,
    /// The production table it fills.
    pub entity: String,
    /// How often it should run; `None` where nobody promised anything, and then it is never late.
    pub expected_period: Option<Duration>,
}

/// The health of everything, in one snapshot of the database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The worst status of all modules.
    pub status: Status,
    /// When this was read, by the database's clock.
    pub verified_at: Instant,
    /// One by one, in the order they were asked for.
    pub modules: Vec<ModuleHealth>,
    /// Their sources, as far as they have been asked.
    pub sources: BTreeMap<String, SourceHealth>,
}

/// The health of one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleHealth {
    /// The module.
    #[serde(skip)]
    pub name: String,
    /// The end of the last complete run.
    pub last_sync: Option<Instant>,
    /// Seconds since then.
    pub freshness: Option<i64>,
    /// The end of the last complete run that read everything, and not only what is new.
    pub last_full: Option<Instant>,
    /// What to think of it.
    pub status: Status,
    /// Records staged and not yet reconciled.
    pub records_pending: i64,
    /// The source it reads.
    pub source: String,
    /// The production table it fills.
    pub entity: String,
    /// Since when the status is what it is.
    pub since: Option<Instant>,
    /// Why the last run ended as it did, where that was not well.
    pub cause: Option<String>,
    /// How often it should run, in seconds.
    pub expected_period: Option<u64>,
    /// Periods since the last complete run.
    pub freshness_periods: Option<f64>,
    /// What waits for a person or a parent.
    #[serde(flatten)]
    pub waiting: Waiting,
    /// Live rows in production; `None` where there is no table yet or it is being altered.
    pub rows: Option<Rows>,
    /// Fetched records of the last run that nothing accounts for.
    pub fetch_gap: i64,
    /// Claimed records of the last run that nothing accounts for.
    pub claim_gap: i64,
    /// The last run that ended.
    pub last_run: Option<Run>,
    /// The latest run that did not end well, however long ago within the runs looked at.
    pub last_failure: Option<Run>,
    /// The run at work.
    pub running: Option<Run>,
    /// How far it has come.
    pub progress: Option<Progress>,
    /// What its source's schema has gained since the module was written, which it does not use.
    pub new_at_source: Vec<String>,
}

/// Reads the health of `modules`. Inside a transaction at `repeatable read`, everything is of one moment.
pub async fn health(conn: &mut PgConnection, modules: &[ModuleInfo]) -> sqlx::Result<Health> {
    let names: Vec<String> = modules.iter().map(|module| module.name.clone()).collect();
    let now = reading::now(&mut *conn).await?;
    let runs = runs::latest(&mut *conn, &names).await?;
    let mut marks = reading::marks(&mut *conn, &names).await?;
    let mut waiting = reading::waiting(&mut *conn, &names).await?;
    let mut grown = sources::grown(&mut *conn, &names).await?;
    let mut judged = Vec::with_capacity(modules.len());
    for info in modules {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.module == info.name).collect();
        let Some(marks) = marks.remove(&info.name) else {
            continue;
        };
        let waiting = waiting.remove(&info.name).unwrap_or_default();
        let mut module = judge(now, info, &runs, &marks, waiting);
        module.new_at_source = grown.remove(&info.name).unwrap_or_default();
        module.rows = rows::landed(&mut *conn, &info.entity).await?;
        if let Some(running) = &module.running {
            module.progress =
                Some(reading::progress(&mut *conn, &info.name, running.run_id).await?);
        }
        judged.push(module);
    }
    let mut of: Vec<String> = modules.iter().map(|module| module.source.clone()).collect();
    of.dedup();
    Ok(Health {
        sources: sources::sources(&mut *conn, &of).await?,
        status: worst(judged.iter().map(|module| module.status)),
        verified_at: now,
        modules: judged,
    })
}

/// Everything about a module that follows from what was read, without its rows and progress.
fn judge(
    now: Instant,
    info: &ModuleInfo,
    runs: &[&Run],
    marks: &Marks,
    waiting: Waiting,
) -> ModuleHealth {
    let running = runs.first().copied().filter(|run| run.ended().is_none());
    let ended = || runs.iter().copied().filter(|run| run.ended().is_some());
    let last_run = ended().next();
    let period = info
        .expected_period
        .map(|period| period.as_secs_f64())
        .filter(|seconds| *seconds > 0.0);
    let periods = |from: Option<Instant>| Some(now.seconds_since(from?) as f64 / period?);
    let facts = Facts {
        activity: match running {
            None => Activity::Idle,
            Some(_) if marks.leased => Activity::Running,
            Some(_) => Activity::Abandoned,
        },
        last: last_run.and_then(Run::as_last),
        periods: periods(marks.last_complete.or(marks.first_started)),
        approvals: waiting.approvals,
        set_aside: waiting.set_aside(),
    };
    let status = status(&facts);
    let since = match status {
        Status::Never | Status::Unknown => None,
        Status::OkQ => waiting.set_aside_since,
        Status::Running => running.map(|run| run.started_at),
        Status::Stuck => marks.lease_until.or(running.map(|run| run.started_at)),
        Status::Late => late_since(marks, period),
        Status::Blocked => waiting.approvals_since.or_else(|| streak_start(ended())),
        Status::Ok | Status::Waiting | Status::Cancelled | Status::Partial | Status::Failed => {
            streak_start(ended())
        }
    };
    let balance = last_run.map(|run| run.balance).unwrap_or_default();
    ModuleHealth {
        name: info.name.clone(),
        last_sync: marks.last_complete,
        freshness: marks.last_complete.map(|at| now.seconds_since(at)),
        last_full: marks.last_full,
        status,
        records_pending: marks.pending,
        source: info.source.clone(),
        entity: info.entity.clone(),
        since,
        cause: last_run.and_then(|run| run.cause.clone()),
        expected_period: info.expected_period.map(|period| period.as_secs()),
        freshness_periods: periods(marks.last_complete),
        waiting,
        rows: None,
        fetch_gap: balance.fetch_gap(),
        claim_gap: balance.claim_gap(),
        last_run: last_run.cloned(),
        last_failure: ended()
            .find(|run| run.as_last().is_some_and(|last| !went_well(last)))
            .cloned(),
        running: running.cloned(),
        progress: None,
        new_at_source: Vec::new(),
    }
}

fn late_since(marks: &Marks, period: Option<f64>) -> Option<Instant> {
    let from = marks.last_complete.or(marks.first_started)?;
    Some(Instant(
        from.0.saturating_add((period? * LATE_AFTER_PERIODS) as i64),
    ))
}

fn went_well(last: crate::status::LastRun) -> bool {
    last.state <= staging::RunState::OkQ && last.complete && last.balanced
}
