//! One run of a module: its steps in order, and how its end is recorded.

use fetcher::Source;
use staging::{Holder, Lease, Outcome, RunState};

use crate::account_check::check_account;
use crate::database_cause::with_role;
use crate::error::RunError;
use crate::fetch_and_stage::read;
use crate::job::{Decided, Job};
use crate::lease::renew_lease;
use crate::open_run::{BackupCheck, Opened, mark_resumed, open_run};
use crate::promote::promote;
use crate::read_result::ReadResult;
use crate::run_cause::{cancelled, cause_of, ended, set_aside, unexplained};
use crate::schema_drift::{SchemaCheck, check_schema};
use crate::steps::{CHECK_SCHEMA, PROMOTE, READ, TRY_AGAIN};
use crate::steps::{diagnostics, end_reading, mark, step, write_decided};
use crate::test_hooks::halt_at;

/// How a run ended, or who holds the module.
#[derive(Debug)]
pub enum Ended {
    /// It ran.
    Ran {
        /// The run's number.
        run_id: i64,
        /// Whether it went on where another had stopped.
        resumed: bool,
        /// Its outcome, as recorded.
        outcome: Box<Outcome>,
    },
    /// Another process runs the module.
    Held(Holder),
}

/// What the steps of a run came to.
struct Finished {
    outcome: Outcome,
    /// Whether the stream was read again from its beginning.
    restarted: bool,
}

impl From<Outcome> for Finished {
    fn from(outcome: Outcome) -> Self {
        Finished {
            outcome,
            restarted: false,
        }
    }
}

/// Runs a module and records how it ended. An error is a database that stayed away or a bug; everything a
/// source or a record can do wrong is an outcome.
pub async fn run_module(job: &Job<'_>) -> Result<Ended, RunError> {
    job.retry.reset();
    let opened = job.retry.run(async || open_run(job).await).await;
    let opened = with_role(job.pool, opened).await;
    let Opened {
        lease,
        run_id,
        resumed,
        backup,
    } = match opened.map_err(RunError::during("The run could not be opened."))? {
        Ok(opened) => opened,
        Err(holder) => return Ok(Ended::Held(holder)),
    };
    halt_at("opened");
    if let BackupCheck::Blocked(cause) = backup {
        let outcome = ended(RunState::Blocked, cause);
        return end(job, &lease, run_id, outcome, resumed).await;
    }
    let renewal = tokio::spawn(renew_lease(job.pool.clone(), lease.clone()));
    let finished = tokio::select! {
        finished = run_steps(job, &lease, run_id) => finished,
        () = job.shutdown.requested() => Ok(cancelled().into()),
    };
    renewal.abort();
    let mut finished = match finished {
        Ok(finished) => finished,
        Err(failure) => outcome_of(job, &lease, run_id, failure).await?.into(),
    };
    if let BackupCheck::Approved(why) = &backup {
        let rest = finished.outcome.cause.map(|cause| format!(" {cause}"));
        finished.outcome.cause = Some(format!("{why}{}", rest.unwrap_or_default()));
    }
    let resumed = resumed || finished.restarted || backup != BackupCheck::Current;
    end(job, &lease, run_id, finished.outcome, resumed).await
}

/// The outcome of a run that the database stopped. A database that stays away, and a bug, are errors.
async fn outcome_of(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    mut failure: RunError,
) -> Result<Outcome, RunError> {
    let cause = cause_of(job.pool, lease, &mut failure).await;
    match cause {
        Some((state, cause)) if failure.away_mut().is_none() => Ok(ended(state, cause)),
        cause => {
            let (state, cause) = cause.unwrap_or((RunState::Failed, failure.in_one_line()));
            // The database is what failed: the next run finds this one unfinished and says so.
            let _ = finish(job, lease, run_id, &ended(state, cause)).await;
            Err(failure)
        }
    }
}

async fn end(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    outcome: Outcome,
    resumed: bool,
) -> Result<Ended, RunError> {
    let doing = RunError::during("The end of the run could not be recorded.");
    job.retry
        .run(async || Ok(finish(job, lease, run_id, &outcome).await?))
        .await
        .map_err(doing)?;
    tracing::info!(
        module = job.definition.name(),
        run_id,
        state = outcome.state.as_str(),
        "run ended"
    );
    Ok(Ended::Ran {
        run_id,
        // As its end was recorded, too.
        resumed: resumed || job.retry.had_outage(),
        outcome: Box::new(outcome),
    })
}

async fn run_steps(job: &Job<'_>, lease: &Lease, run_id: i64) -> Result<Finished, RunError> {
    if let Some(source) = job.source
        && let Some(blocked) = check_source(job, source, run_id).await?
    {
        return Ok(blocked.into());
    }
    step(job, run_id, READ, "RUNNING").await?;
    let mut reading = match job.source {
        Some(source) => read(job, source, lease, run_id)
            .await
            .map_err(RunError::during("Staging stopped."))?,
        None => ReadResult {
            complete: true,
            ..ReadResult::default()
        },
    };
    let noticed = diagnostics(job, run_id, &mut reading);
    job.retry
        .run(async || Ok(end_reading(job, run_id, &noticed).await?))
        .await?;
    halt_at("read");
    step(job, run_id, PROMOTE, "RUNNING").await?;
    let (decided, changes) = tokio::sync::watch::channel(Decided::default());
    let writing = tokio::spawn(write_decided(job.pool.clone(), run_id, changes));
    let promoted = promote(job, lease, run_id, &decided)
        .await
        .map_err(RunError::during("Promoting stopped."));
    writing.abort();
    let _ = writing.await;
    let promoted = promoted?;
    step(job, run_id, PROMOTE, "OK").await?;
    halt_at("promoted");
    let stop = promoted.stop.or(reading.stop);
    let claims = promoted.claims;
    let state = staging::run_state(stop, reading.complete, reading.staged, claims);
    let cause = promoted
        .cause
        .or(reading.cause)
        .or_else(|| unexplained(state, &reading.staged, &claims));
    let cause = match state {
        RunState::OkQ => Some(set_aside(job, &claims, cause).await?),
        _ => cause,
    };
    let outcome = Outcome {
        state,
        cause,
        complete: reading.complete,
        total_count: reading.total_count,
        pages: reading.pages,
        staged: reading.staged,
        claims,
        promotion: promoted.number,
    };
    Ok(Finished {
        outcome,
        restarted: reading.restarted,
    })
}

/// The outcome of a module whose source answers for another account or has another schema now; `None` where
/// it can be read.
async fn check_source(
    job: &Job<'_>,
    source: &Source,
    run_id: i64,
) -> Result<Option<Outcome>, RunError> {
    let doing = RunError::during("The source's account could not be checked.");
    let account = check_account(job, source, run_id).await.map_err(doing)?;
    if let Some((state, cause)) = account {
        return Ok(Some(ended(state, cause)));
    }
    let doing = RunError::during("The source's schema could not be checked.");
    let schema = check_schema(job, source, run_id).await.map_err(doing)?;
    let (state, detail) = match &schema {
        SchemaCheck::Fits(note) => ("OK", note.as_deref()),
        SchemaCheck::Breaks(cause) => ("BLOCKED", Some(cause.as_str())),
    };
    job.retry
        .run(async || Ok(mark(job.pool, run_id, CHECK_SCHEMA, state, detail).await?))
        .await?;
    if let Some(note) = detail {
        tracing::info!(module = job.definition.name(), run_id, note, "schema");
    }
    match schema {
        SchemaCheck::Fits(_) => Ok(None),
        SchemaCheck::Breaks(cause) => Ok(Some(ended(RunState::Blocked, cause))),
    }
}

/// Records the end of the run and gives the lease back.
async fn finish(job: &Job<'_>, lease: &Lease, run_id: i64, outcome: &Outcome) -> sqlx::Result<()> {
    let mut tx = job.pool.begin().await?;
    staging::finish_run(&mut tx, run_id, outcome).await?;
    if job.retry.had_outage() {
        mark_resumed(&mut tx, run_id).await?;
    }
    let conflicts = job.retry.conflicts();
    if conflicts > 0 {
        let detail =
            format!("{conflicts} transactions conflicted with others and were tried again");
        staging::mark_step(&mut tx, run_id, TRY_AGAIN, "OK", Some(&detail)).await?;
    }
    if outcome.complete {
        staging::forget_old_sightings(&mut tx, &lease.module).await?;
    }
    if let Some(source) = job.source {
        // Hosts that share the source wait for its row, so it is written last.
        let standing = serde_json::to_value(source.standing()).unwrap_or_default();
        staging::keep_standing(&mut tx, source.name(), &standing).await?;
    }
    staging::release_lease(&mut tx, lease).await?;
    tx.commit().await
}
