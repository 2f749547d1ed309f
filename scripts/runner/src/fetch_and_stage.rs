//! Fetches and stages side by side: pages that are ready together are staged together, by `page_group.rs`.

use fetcher::{FetchErrorKind, Read, Source};
use sqlx::PgConnection;
use staging::database::{Trouble, query};
use staging::{Lease, Pass, PassEnd};

use crate::error::RunError;
use crate::job::{Job, Progress, ReadRange};
use crate::lease::check_lease;
use crate::outage_buffer::{UnconfirmedPages, buffer_until_back, stage_left_over};
use crate::page_group::{Durability, stage_group};
use crate::read_ahead::{PageSize, ReadAhead, is_full_batch};
use crate::read_result::{ReadResult, Traversal};
use crate::recheck::{absent_ids, mark_gone};
use crate::selection::select;
use crate::staging_target::StagingTarget;
use crate::test_hooks::halt_at;

/// Reads the module's stream to its end, or as far as it goes, and stages it page by page. Starts again once
/// when the source refuses its cursor, and reads a second time, with pages of another size, when rows seem to
/// have shifted.
pub(crate) async fn read(
    job: &Job<'_>,
    source: &Source,
    lease: &Lease,
    run_id: i64,
) -> Result<ReadResult, RunError> {
    let mut end = ReadResult::default();
    let mut earlier = None;
    if !matches!(job.range, ReadRange::Repair { .. }) {
        stage_left_over(job, lease, run_id).await?;
        count_staged(job, run_id, &mut end).await?;
    }
    loop {
        let pass = job.retry.run(async || begin(job, run_id).await).await?;
        let target = StagingTarget {
            job,
            lease,
            run_id,
            pass_id: pass.pass_id,
        };
        let traversal = match pass.is_read() {
            true => Traversal::Complete,
            false => {
                let size = match earlier {
                    None => PageSize::Declared,
                    Some(_) => PageSize::Other,
                };
                let mut reading = ReadAhead::begin(source, job, &pass, size);
                traverse(&target, &mut reading, &mut end).await?
            }
        };
        match traversal {
            Traversal::Complete => {}
            Traversal::ReadAgain => continue,
            Traversal::Stopped(failure) => {
                let refused = matches!(failure.kind, FetchErrorKind::CursorRefused { .. });
                if refused {
                    job.retry.run(async || give_up(&target).await).await?;
                }
                if refused && !end.restarted {
                    tracing::warn!(module = %lease.module, reason = %failure, "the stream is read again from its beginning");
                    end.restarted = true;
                    continue;
                }
                end.stop_with(&failure);
                return Ok(end);
            }
        }
        end.total_count = end.total_count.or(pass.total_count);
        // Of a stream that is not read to its end, the source counts what was left alone, too.
        if pass.strategy == Read::NewestFirst.as_str() {
            end.total_count = None;
        }
        let (closed, missed) = job
            .retry
            .run(async || close(&target, &pass, end.total_count, earlier).await)
            .await?;
        end.complete = closed.complete;
        end.cause = closed.cause;
        mark_gone(&target, source, &mut end, &missed).await?;
        if !closed.unsettled || earlier.is_some() {
            return Ok(end);
        }
        earlier = Some(pass.pass_id);
    }
}

async fn begin(job: &Job<'_>, run_id: i64) -> Result<Pass, RunError> {
    let mut tx = job.pool.begin().await?;
    let pass = open_pass(job, &mut tx).await?;
    note_selection(&mut tx, run_id, &pass).await?;
    tx.commit().await?;
    Ok(pass)
}

async fn give_up(target: &StagingTarget<'_>) -> Result<(), RunError> {
    let mut tx = target.job.pool.begin().await?;
    check_lease(&mut tx, target.lease).await?;
    staging::abandon_pass(&mut tx, &target.lease.module).await?;
    query("update ops.runs set resumed = true where run_id = $1")
        .bind(target.run_id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn traverse(
    target: &StagingTarget<'_>,
    reading: &mut ReadAhead<'_>,
    end: &mut ReadResult,
) -> Result<Traversal, RunError> {
    let mut cursor = reading.pass.cursor.clone();
    let mut traversal = Traversal::Complete;
    let mut group = Vec::with_capacity(reading.most);
    let mut unconfirmed = UnconfirmedPages::default();
    loop {
        if reading.incoming.recv_many(&mut group, reading.most).await == 0 {
            return Ok(traversal);
        }
        let ready = reading.take_pages(&mut group, &mut traversal);
        let Some(last) = ready.last().map(|ready| &ready.page) else {
            continue;
        };
        let (mut next, mut total) = (last.next.clone().map(|next| next.0), last.total_count);
        halt_at("fetched");
        // The last commit must be durable, and with it all before it: the pass is judged by what is staged.
        let is_full = is_full_batch(unconfirmed.pages.iter().chain(&ready));
        let durability = match is_full || next.is_none() {
            true => Durability::Durable,
            false => Durability::Fast,
        };
        let pages = ready.len() as i64;
        let staged = stage_group(target, cursor.as_deref(), &ready, durability).await;
        unconfirmed.add(cursor.take(), ready);
        match staged {
            Ok(tally) => {
                end.staged += tally;
                end.pages += pages;
                if durability == Durability::Durable {
                    unconfirmed = UnconfirmedPages::default();
                }
            }
            Err(failure)
                if failure.trouble() == Some(Trouble::Away)
                    || matches!(failure, RunError::PagesLost) =>
            {
                let unconfirmed = std::mem::take(&mut unconfirmed);
                let caught_up =
                    buffer_until_back(target, reading, unconfirmed, &mut traversal, failure)
                        .await?;
                count_staged(target.job, target.run_id, end).await?;
                let Some(caught_up) = caught_up else {
                    return Ok(Traversal::ReadAgain);
                };
                (next, total) = (caught_up.cursor, caught_up.total);
            }
            Err(failure) => return Err(failure),
        }
        cursor = next;
        let said = total.and_then(|total| i64::try_from(total).ok());
        end.total_count = said.or(end.total_count);
        (target.job.progress)(Progress::Read(i64::from(end.staged.fetched), total));
        halt_at("staged");
    }
}

/// Counts in the database what the run has staged.
async fn count_staged(job: &Job<'_>, run_id: i64, end: &mut ReadResult) -> Result<(), RunError> {
    (end.pages, end.staged) = job
        .retry
        .run(async || {
            let mut tx = job.pool.begin().await?;
            Ok(staging::staged_by(&mut tx, run_id).await?)
        })
        .await?;
    Ok(())
}

/// Opens the pass that the job asks for, or resumes it.
async fn open_pass(job: &Job<'_>, tx: &mut PgConnection) -> sqlx::Result<Pass> {
    let module = job.definition.name();
    if let ReadRange::Repair { since, until } = job.range {
        return staging::open_repair(tx, module, since, until).await;
    }
    let selected = select(job, tx).await?;
    let (since, until) = (selected.since.as_deref(), selected.until.as_deref());
    staging::open_pass(tx, module, selected.strategy, since, until).await
}

async fn note_selection(tx: &mut PgConnection, run_id: i64, pass: &Pass) -> sqlx::Result<()> {
    query(
        "update ops.runs set strategy = $2, resumed = resumed or $4,
             selection = jsonb_strip_nulls(jsonb_build_object('since', $3::text, 'until', $5::text)) where run_id = $1",
    )
    .bind(run_id)
    .bind(&pass.strategy)
    .bind(&pass.since)
    .bind(pass.resumed && pass.page > 0)
    .bind(&pass.until)
    .execute(tx)
    .await?;
    Ok(())
}

/// Decides whether the pass was complete, together with an earlier one of this run that left doubts. Returns
/// the absent records, too, that may be taken for deleted.
async fn close(
    target: &StagingTarget<'_>,
    pass: &Pass,
    total_count: Option<i64>,
    earlier: Option<i64>,
) -> Result<(PassEnd, Vec<String>), RunError> {
    let mut tx = target.job.pool.begin().await?;
    check_lease(&mut tx, target.lease).await?;
    let (module, pass_id) = (&target.lease.module, target.pass_id);
    let mut closed = staging::close_pass(&mut tx, module, pass_id, total_count).await?;
    if let Some(earlier) = earlier.filter(|_| closed.unsettled)
        && staging::settle_passes(&mut tx, earlier, pass_id, total_count).await?
    {
        closed.complete = true;
        closed.unsettled = false;
        closed.cause = None;
    }
    let mut missed = Vec::new();
    if closed.complete && pass.strategy == "full" {
        missed = absent_ids(target.job, &mut tx, pass_id, earlier).await?;
    }
    halt_at("closing");
    tx.commit().await?;
    Ok((closed, missed))
}
