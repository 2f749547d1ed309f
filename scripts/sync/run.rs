//! The sequence of a run, and how its end is recorded.

use std::time::Duration;

use anyhow::Context;
use fetcher::{Class, FetchError, Source};
use reconciler::{Definition, Definitions};
use sqlx::PgPool;
use staging::database::query;
use staging::{Holder, Lease, Outcome, PageTally, RunState};

use super::approval::{ask, taken};
use super::drift::{self, Look};
use super::outages::{Away, Outages};
use super::steps::{CROSSED, LOOK, PROMOTE, READ, end_reading, mark, noticed, step, tell_decided};
use super::verdict::{cancelled, ended, explain, failed, set_aside, verdict, with_role};
use super::{Stop, account, halt_at, older, promote, stage};

/// What a run is asked to do.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// All modules.
    pub definitions: &'a Definitions,
    /// The module to run.
    pub definition: &'a Definition,
    /// Its source; `None` reconciles what is staged without asking for more.
    pub source: Option<&'a Source>,
    /// How much of the source it reads.
    pub range: Range<'a>,
    /// Whether somebody asks the program to end.
    pub stop: &'a Stop,
    /// What it does while the database is away.
    pub outages: &'a Outages<'a>,
    /// Who runs it, for the ledger.
    pub actor: &'a str,
    /// Told of every staged group of pages and every decided batch.
    pub progress: &'a (dyn Fn(Progressed) + Sync),
}

/// How much of a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range<'a> {
    /// As the module declares with `read`.
    Incremental,
    /// Everything.
    Full,
    /// A range, by the module's `since` filter; the checkpoint stays.
    Repair {
        /// From here, RFC 3339.
        since: &'a str,
        /// Up to here.
        until: Option<&'a str>,
    },
}

impl Range<'_> {
    fn mode(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Full => "full",
            Self::Repair { .. } => "repair",
        }
    }
}

/// How far a run has come in the step it is in.
#[derive(Debug, Clone, Copy)]
pub enum Progressed {
    /// Records read, of so many where the source says how many there are.
    Read(i64, Option<u64>),
    /// Pending records decided, of so many.
    Decided(i64, i64),
}

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

/// What a read came to.
#[derive(Debug, Default)]
pub(super) struct ReadEnd {
    pub(super) staged: PageTally,
    pub(super) pages: i64,
    pub(super) total_count: Option<i64>,
    pub(super) complete: bool,
    /// Whether the stream was begun anew because the source took its cursor no more.
    pub(super) resumed: bool,
    pub(super) stop: Option<RunState>,
    pub(super) cause: Option<String>,
}

/// Runs a module and records how it ended. An error is a database that stayed away or a bug; everything a
/// source or a record can do wrong is an outcome.
pub async fn sync_module(job: &Job<'_>) -> anyhow::Result<Ended> {
    job.outages.forget();
    let opened = job.outages.insist(async || open(job).await).await;
    let opened = with_role(job.pool, opened).await;
    let Opened {
        lease,
        run_id,
        resumed,
        older,
    } = match opened.context("The run could not be opened.")? {
        Ok(opened) => opened,
        Err(holder) => return Ok(Ended::Held(holder)),
    };
    halt_at("opened");
    if let Older::Blocks(cause) = older {
        let outcome = ended(RunState::Blocked, cause);
        return end(job, &lease, run_id, outcome, resumed).await;
    }
    let renewal = tokio::spawn(keep_lease(job.pool.clone(), lease.clone()));
    let outcome = tokio::select! {
        outcome = run(job, &lease, run_id) => outcome,
        () = job.stop.asked() => Ok((cancelled(), false)),
    };
    renewal.abort();
    let (mut outcome, again) = match outcome {
        Ok(outcome) => outcome,
        Err(mut failure) => match verdict(job.pool, &lease, &mut failure).await {
            Some((state, cause)) if failure.downcast_ref::<Away>().is_none() => {
                (ended(state, cause), false)
            }
            said => {
                let (state, cause) = said.unwrap_or((RunState::Failed, format!("{failure:#}")));
                // The database is what failed: the next run finds this one unfinished and says so.
                let _ = finish(job, &lease, run_id, &ended(state, cause)).await;
                return Err(failure);
            }
        },
    };
    if let Older::Agreed(why) = &older {
        let rest = outcome.cause.map(|cause| format!(" {cause}"));
        outcome.cause = Some(format!("{why}{}", rest.unwrap_or_default()));
    }
    let resumed = resumed || again || older != Older::Not;
    end(job, &lease, run_id, outcome, resumed).await
}

async fn end(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    outcome: Outcome,
    resumed: bool,
) -> anyhow::Result<Ended> {
    job.outages
        .insist(async || Ok(finish(job, lease, run_id, &outcome).await?))
        .await
        .context("The end of the run could not be recorded.")?;
    tracing::info!(
        module = job.definition.name(),
        run_id,
        state = outcome.state.as_str(),
        "run ended"
    );
    Ok(Ended::Ran {
        run_id,
        // As its end was recorded, too.
        resumed: resumed || job.outages.outlived(),
        outcome: Box::new(outcome),
    })
}

/// A run that has begun.
struct Opened {
    lease: Lease,
    run_id: i64,
    resumed: bool,
    older: Older,
}

/// Whether the database is older than the run before.
#[derive(PartialEq)]
enum Older {
    Not,
    /// It is, and a person must agree first.
    Blocks(String),
    /// It is, and a person has agreed that the module is read from its beginning.
    Agreed(String),
}

async fn open(job: &Job<'_>) -> anyhow::Result<Result<Opened, Holder>> {
    let name = job.definition.name();
    let mut tx = job.pool.begin().await?;
    lock_wait(&mut tx, job).await?;
    let lease = match staging::take_lease(&mut tx, name).await? {
        Ok(lease) => lease,
        Err(holder) => return Ok(Err(holder)),
    };
    staging::ensure_partition(&mut tx, name).await?;
    let mode = job.range.mode();
    let strategy = match (job.source, job.range) {
        (None, _) => "staged",
        (_, Range::Repair { .. }) => "repair",
        (_, Range::Incremental) => job.definition.module.fetch.read.as_str(),
        (_, Range::Full) => "full",
    };
    let source = &job.definition.module.source;
    let forgotten = older::forgotten(&mut tx, job).await?;
    let (run_id, resumed) = staging::open_run(&mut tx, name, source, mode, strategy).await?;
    let older = match forgotten {
        None => Older::Not,
        Some(of) if taken(&mut tx, &of.question).await? => {
            staging::abandon_pass(&mut tx, name).await?;
            mark_resumed(&mut tx, run_id).await?;
            Older::Agreed(format!(
                "{} The module was read from its beginning; what was done by hand or decided since the backup is not in it.",
                of.why
            ))
        }
        Some(of) => {
            let number = ask(&mut tx, &of.question, run_id, &of.why).await?;
            Older::Blocks(format!(
                "{} Nothing was read. If it is the right one, `concord approve {number} --reason …` and run again: the module is read from its beginning.",
                of.why
            ))
        }
    };
    let last = match older {
        Older::Blocks(_) => None,
        _ => older::last_run(&mut tx, job, run_id).await?,
    };
    tx.commit().await?;
    // Not before: a run whose commit is lost would be missed later.
    older::remember(job, last);
    Ok(Ok(Opened {
        lease,
        run_id,
        resumed,
        older,
    }))
}

async fn mark_resumed(tx: &mut sqlx::PgConnection, run_id: i64) -> sqlx::Result<()> {
    query("update ops.runs set resumed = true where run_id = $1")
        .bind(run_id)
        .execute(tx)
        .await
        .map(drop)
}

/// How long the transaction waits for a lock at most.
pub(super) async fn lock_wait(tx: &mut sqlx::PgConnection, job: &Job<'_>) -> sqlx::Result<()> {
    query("select set_config('lock_timeout', $1, true)")
        .bind(format!("{}s", job.outages.database.lock_wait_seconds))
        .execute(tx)
        .await
        .map(drop)
}

async fn keep_lease(pool: PgPool, lease: Lease) {
    let mut beat = tokio::time::interval(Duration::from_secs(15));
    loop {
        beat.tick().await;
        if let Ok(mut tx) = pool.begin().await
            && staging::renew_lease(&mut tx, &lease).await.is_ok()
        {
            let _ = tx.commit().await;
        }
    }
}

/// The outcome, and whether the stream had to be begun anew.
async fn run(job: &Job<'_>, lease: &Lease, run_id: i64) -> anyhow::Result<(Outcome, bool)> {
    if let Some(source) = job.source
        && let Some(blocked) = look(job, source, run_id).await?
    {
        return Ok((blocked, false));
    }
    step(job, run_id, READ, "RUNNING").await?;
    let mut read = match job.source {
        Some(source) => stage::read(job, source, lease, run_id)
            .await
            .context("Staging stopped.")?,
        None => ReadEnd {
            complete: true,
            ..ReadEnd::default()
        },
    };
    let noticed = noticed(job, run_id, &mut read);
    job.outages
        .insist(async || Ok(end_reading(job, run_id, &noticed).await?))
        .await?;
    halt_at("read");
    step(job, run_id, PROMOTE, "RUNNING").await?;
    let (decided, changes) = tokio::sync::watch::channel((0, 0));
    let telling = tokio::spawn(tell_decided(job.pool.clone(), run_id, changes));
    let promoted = promote::promote(job, lease, run_id, &decided)
        .await
        .context("Promoting stopped.");
    telling.abort();
    let _ = telling.await;
    let promoted = promoted?;
    step(job, run_id, PROMOTE, "OK").await?;
    halt_at("promoted");
    let stop = promoted.stop.or(read.stop);
    let claims = promoted.claims;
    let state = staging::run_state(stop, read.complete, read.staged, claims);
    let cause = promoted
        .cause
        .or(read.cause)
        .or_else(|| explain(state, &read.staged, &claims));
    let cause = match state {
        RunState::OkQ => Some(set_aside(job, &claims, cause).await?),
        _ => cause,
    };
    let outcome = Outcome {
        state,
        cause,
        complete: read.complete,
        total_count: read.total_count,
        pages: read.pages,
        staged: read.staged,
        claims,
        promotion: promoted.number,
    };
    Ok((outcome, read.resumed))
}

/// The outcome of a module whose source has another schema now; `None` where it can be read.
async fn look(job: &Job<'_>, source: &Source, run_id: i64) -> anyhow::Result<Option<Outcome>> {
    let account = account::look(job, source, run_id)
        .await
        .context("The source's account could not be looked at.")?;
    if let Some((state, cause)) = account {
        return Ok(Some(Outcome {
            state,
            ..failed(cause)
        }));
    }
    let found = drift::look(job, source, run_id)
        .await
        .context("The source's schema could not be looked at.")?;
    let (state, detail) = match &found {
        Look::Fits(note) => ("OK", note.as_deref()),
        Look::Breaks(cause) => ("BLOCKED", Some(cause.as_str())),
    };
    job.outages
        .insist(async || Ok(mark(job.pool, run_id, LOOK, state, detail).await?))
        .await?;
    if let Some(note) = detail {
        tracing::info!(module = job.definition.name(), run_id, note, "schema");
    }
    match found {
        Look::Fits(_) => Ok(None),
        Look::Breaks(cause) => Ok(Some(Outcome {
            state: RunState::Blocked,
            ..failed(cause)
        })),
    }
}

/// Says which step the run is in, so that "where did it stop" and "what took so long" have an answer.
async fn finish(job: &Job<'_>, lease: &Lease, run_id: i64, outcome: &Outcome) -> sqlx::Result<()> {
    let mut tx = job.pool.begin().await?;
    staging::finish_run(&mut tx, run_id, outcome).await?;
    if job.outages.outlived() {
        mark_resumed(&mut tx, run_id).await?;
    }
    let crossed = job.outages.crossed();
    if crossed > 0 {
        let detail = format!("{crossed} transactions crossed others and were tried again");
        staging::mark_step(&mut tx, run_id, CROSSED, "OK", Some(&detail)).await?;
    }
    if outcome.complete {
        staging::forget_old_sightings(&mut tx, &lease.module).await?;
    }
    if let Some(source) = job.source {
        // Hosts that share the source wait for its row: it is held for as short as can be.
        let standing = serde_json::to_value(source.standing()).unwrap_or_default();
        staging::keep_standing(&mut tx, source.name(), &standing).await?;
    }
    staging::release_lease(&mut tx, lease).await?;
    tx.commit().await
}

/// The run state and cause of a failed fetch.
pub(super) fn stopped(failure: &FetchError) -> (RunState, String) {
    let state = match failure.class() {
        Class::Waiting => RunState::Waiting,
        Class::Failed => RunState::Failed,
        Class::Partial => RunState::Partial,
    };
    (state, failure.to_string())
}
