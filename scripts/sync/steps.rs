//! What a run writes of its steps, for whoever looks while it works and asks afterwards where it stopped.

use std::time::Duration;

use fetcher::Noticed;
use sqlx::PgPool;

use super::{Job, ReadEnd};

pub(super) const LOOK: &str = "look at the schema";
/// Written at the end of a run of which something had to be tried again.
pub(super) const CROSSED: &str = "try again";
/// Holds what came in place of an answer.
pub(super) const NO_ANSWER: &str = "what came in place of an answer";
pub(super) const READ: &str = "fetch and stage";
pub(super) const PROMOTE: &str = "reconcile and promote";

/// Marks a step, whatever the database does meanwhile.
pub(super) async fn step(
    job: &Job<'_>,
    run_id: i64,
    step: &str,
    state: &str,
) -> anyhow::Result<()> {
    job.outages
        .insist(async || Ok(mark(job.pool, run_id, step, state, None).await?))
        .await
}

/// Marks a step in a transaction of its own.
pub(super) async fn mark(
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

/// Writes how many of the pending records are decided, beside the promotion's own transaction and no more
/// often than anybody would look.
pub(super) async fn tell_decided(
    pool: PgPool,
    run_id: i64,
    mut decided: tokio::sync::watch::Receiver<(i64, i64)>,
) {
    while decided.changed().await.is_ok() {
        let (done, of) = *decided.borrow_and_update();
        let detail = format!("{done} / {of}");
        // Whoever looks sees the next one, if this one is lost.
        let _ = mark(&pool, run_id, PROMOTE, "RUNNING", Some(&detail)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What was noticed of the source's answers. What came in place of one is kept where that ended the read.
pub(super) fn noticed(job: &Job<'_>, run_id: i64, read: &mut ReadEnd) -> Noticed {
    let module = job.definition.name();
    let mut noticed = job
        .source
        .map(|source| source.noticed(module))
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

/// Ends the step, with what there is to say of records that came more than once, each time with other
/// content, and of answers; keeps what came in place of one.
pub(super) async fn end_reading(job: &Job<'_>, run_id: i64, noticed: &Noticed) -> sqlx::Result<()> {
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
