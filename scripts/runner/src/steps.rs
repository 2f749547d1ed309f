//! Writes the steps of a run, so that it can be watched, and so that one sees afterwards where it stopped.

use std::time::Duration;

use fetcher::ResponseDiagnostics;
use sqlx::PgPool;

use crate::error::RunError;
use crate::job::{Decided, Job};
use crate::read_result::ReadResult;

pub(crate) const CHECK_SCHEMA: &str = "look at the schema";
/// Written at the end of a run whose transactions were tried again.
pub(crate) const TRY_AGAIN: &str = "try again";
/// Keeps what a source sent instead of an answer.
pub(crate) const NO_ANSWER: &str = "what came in place of an answer";
pub(crate) const READ: &str = "fetch and stage";
pub(crate) const PROMOTE: &str = "reconcile and promote";

/// Marks a step; waits for a database that is away.
pub(crate) async fn step(
    job: &Job<'_>,
    run_id: i64,
    step: &str,
    state: &str,
) -> Result<(), RunError> {
    job.retry
        .run(async || Ok(mark(job.pool, run_id, step, state, None).await?))
        .await
}

/// Marks a step in a transaction of its own.
pub(crate) async fn mark(
    pool: &PgPool,
    run_id: i64,
    step: &str,
    state: &str,
    detail: Option<&str>,
) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    staging::mark_step(&mut tx, run_id, step, state, detail).await?;
    tx.commit().await
}

/// Writes how many of the pending records are decided, once a second and outside the promotion's own
/// transaction.
pub(crate) async fn write_decided(
    pool: PgPool,
    run_id: i64,
    mut decided: tokio::sync::watch::Receiver<Decided>,
) {
    while decided.changed().await.is_ok() {
        let Decided { done, pending } = *decided.borrow_and_update();
        let detail = format!("{done} / {pending}");
        // If this one is lost, the next one comes soon.
        let _ = mark(&pool, run_id, PROMOTE, "RUNNING", Some(&detail)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Diagnostics of the source's answers. What came instead of one is kept where it ended the read.
pub(crate) fn diagnostics(
    job: &Job<'_>,
    run_id: i64,
    read: &mut ReadResult,
) -> ResponseDiagnostics {
    let module = job.definition.name();
    let mut noticed = job
        .source
        .map(|source| source.take_diagnostics(module))
        .unwrap_or_default();
    if read.stop.is_none() {
        noticed.unusable = None;
    }
    if let (Some(_), Some(cause)) = (&noticed.unusable, &mut read.cause) {
        cause.push_str(&format!(
            " What came is kept: `concord runs --run {run_id}`."
        ));
    }
    noticed
}

/// Ends the step, with notes on records that came more than once with other content, and on repeated answers;
/// keeps what came instead of an answer.
pub(crate) async fn end_reading(
    job: &Job<'_>,
    run_id: i64,
    noticed: &ResponseDiagnostics,
) -> sqlx::Result<()> {
    let mut tx = job.pool.begin().await?;
    let records = staging::came_twice(&mut tx, job.definition.name(), run_id).await?;
    let note = format!(
        "{records} records came again in this read with other content; the last version stands, the others are in staging.superseded."
    );
    let repeated = format!(
        "{} answers were the page before once more, as a cache on the way gives them; the page was asked for again.",
        noticed.repeated
    );
    let notes = [(records > 0, note), (noticed.repeated > 0, repeated)];
    let notes = notes.into_iter().filter(|(stands, _)| *stands);
    let told: Vec<String> = notes.map(|(_, note)| note).collect();
    let told = (!told.is_empty()).then(|| told.join(" "));
    staging::mark_step(&mut tx, run_id, READ, "OK", told.as_deref()).await?;
    if let Some(kept) = &noticed.unusable {
        staging::mark_step(&mut tx, run_id, NO_ANSWER, "FAILED", Some(kept)).await?;
    }
    tx.commit().await
}
