//! Fetching and staging side by side: pages that are ready together are staged together, by `group.rs`.

use std::sync::Arc;

use fetcher::{Cursor, FetchError, Priority, Read, Selection, Source, pages};
use futures::StreamExt;
use sqlx::PgConnection;
use staging::database::{Trouble, query};
use staging::{ExaminedPage, Lease, PageTally, Pass, PassEnd};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::absent::{absent, take_for_gone};
use super::group::{Forgotten, hold, stage_group};
use super::outages::trouble_of;
use super::selection::select;
use super::waiting::{self, Unsure};
use super::{Job, Progressed, Range, ReadEnd, halt_at, stopped};

/// Records held in memory between the fetcher and the database, about; staged by one transaction where
/// they come fast.
const BUFFERED: usize = 10_000;
/// Bytes of answers that wait for the database, at most so many that came, so many that are staged, and so
/// many whose commit is not durable yet; one page that is larger waits alone.
const BUFFERED_BYTES: usize = 16 << 20;

/// Whether these are as many as may be held together.
pub(super) fn is_much<'p>(pages: impl IntoIterator<Item = &'p ExaminedPage>) -> bool {
    let (mut records, mut bytes) = (0, 0);
    for ExaminedPage { page, .. } in pages {
        records += page.records.len();
        bytes += page.bytes;
    }
    records > BUFFERED || bytes > BUFFERED_BYTES
}

/// Reads the module's stream to its end, or as far as it goes, and stages it page by page. Begins anew once
/// where the source takes its cursor no more, and looks a second time, with other pages, where rows seem to
/// have shifted.
pub(super) async fn read(
    job: &Job<'_>,
    source: &Source,
    lease: &Lease,
    run_id: i64,
) -> anyhow::Result<ReadEnd> {
    let mut end = ReadEnd::default();
    let mut earlier = None;
    if !matches!(job.range, Range::Repair { .. }) {
        waiting::take_up(job, lease, run_id).await?;
        count_staged(job, run_id, &mut end).await?;
    }
    loop {
        let pass = job
            .outages
            .insist(async || begin(job, run_id).await)
            .await?;
        let place = Place {
            job,
            lease,
            run_id,
            pass_id: pass.pass_id,
        };
        let went = match pass.is_read() {
            true => Went::Through,
            false => {
                let mut reading = Reading::begin(source, job, &pass, earlier.is_some());
                traverse(&place, &mut reading, &mut end).await?
            }
        };
        match went {
            Went::Through => {}
            Went::Behind => continue,
            Went::Stopped(failure) => {
                let refused = matches!(failure, FetchError::CursorRefused { .. });
                if refused {
                    job.outages.insist(async || give_up(&place).await).await?;
                }
                if refused && !end.resumed {
                    tracing::warn!(module = %lease.module, reason = %failure, "the stream is read again from its beginning");
                    end.resumed = true;
                    continue;
                }
                let (state, cause) = stopped(&failure);
                end.stop = Some(state);
                end.cause = Some(cause);
                return Ok(end);
            }
        }
        end.total_count = end.total_count.or(pass.total_count);
        // Of a stream that is not read to its end, the source counts what was left alone, too.
        if pass.strategy == Read::NewestFirst.as_str() {
            end.total_count = None;
        }
        let (closed, missed) = job
            .outages
            .insist(async || close(&place, &pass, end.total_count, earlier).await)
            .await?;
        end.complete = closed.complete;
        end.cause = closed.cause;
        take_for_gone(&place, source, &mut end, &missed).await?;
        if !closed.unsettled || earlier.is_some() {
            return Ok(end);
        }
        earlier = Some(pass.pass_id);
    }
}

/// How a traversal ended.
pub(super) enum Went {
    Through,
    Stopped(FetchError),
    /// The database lost pages in an outage: on from its checkpoint.
    Behind,
}

async fn begin(job: &Job<'_>, run_id: i64) -> anyhow::Result<Pass> {
    let mut tx = job.pool.begin().await?;
    let pass = open_pass(job, &mut tx).await?;
    note_selection(&mut tx, run_id, &pass).await?;
    tx.commit().await?;
    Ok(pass)
}

async fn give_up(place: &Place<'_>) -> anyhow::Result<()> {
    let mut tx = place.job.pool.begin().await?;
    hold(&mut tx, place.lease).await?;
    staging::abandon_pass(&mut tx, &place.lease.module).await?;
    query("update ops.runs set resumed = true where run_id = $1")
        .bind(place.run_id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn traverse(
    place: &Place<'_>,
    reading: &mut Reading<'_>,
    end: &mut ReadEnd,
) -> anyhow::Result<Went> {
    let mut cursor = reading.pass.cursor.clone();
    let mut went = Went::Through;
    let mut group = Vec::with_capacity(reading.most);
    let mut unsure = Unsure::default();
    loop {
        if reading.incoming.recv_many(&mut group, reading.most).await == 0 {
            return Ok(went);
        }
        let ready = reading.sort(&mut group, &mut went);
        let Some(last) = ready.last().map(|ready| &ready.page) else {
            continue;
        };
        let (mut next, mut total) = (last.next.clone().map(|next| next.0), last.total_count);
        halt_at("fetched");
        // The end is durable, and all before it: the pass is judged by what is staged.
        let durable = is_much(unsure.pages.iter().chain(&ready)) || next.is_none();
        let pages = ready.len() as i64;
        let staged = stage_group(place, cursor.as_deref(), &ready, durable).await;
        unsure.add(cursor.take(), ready);
        match staged {
            Ok(tally) => {
                add(&mut end.staged, tally);
                end.pages += pages;
                if durable {
                    unsure = Unsure::default();
                }
            }
            Err(failure)
                if trouble_of(&failure) == Some(Trouble::Away)
                    || failure.downcast_ref::<Forgotten>().is_some() =>
            {
                let unsure = std::mem::take(&mut unsure);
                let caught = waiting::outlast(place, reading, unsure, &mut went, failure).await?;
                count_staged(place.job, place.run_id, end).await?;
                let Some(caught) = caught else {
                    return Ok(Went::Behind);
                };
                (next, total) = (caught.cursor, caught.total);
            }
            Err(failure) => return Err(failure),
        }
        cursor = next;
        let said = total.and_then(|total| i64::try_from(total).ok());
        end.total_count = said.or(end.total_count);
        (place.job.progress)(Progressed::Read(i64::from(end.staged.fetched), total));
        halt_at("staged");
    }
}

/// What the run has staged, by the database's own account.
async fn count_staged(job: &Job<'_>, run_id: i64, end: &mut ReadEnd) -> anyhow::Result<()> {
    (end.pages, end.staged) = job
        .outages
        .insist(async || {
            let mut tx = job.pool.begin().await?;
            Ok(staging::staged_by(&mut tx, run_id).await?)
        })
        .await?;
    Ok(())
}

/// The pass that answers what the job asks for.
async fn open_pass(job: &Job<'_>, tx: &mut PgConnection) -> sqlx::Result<Pass> {
    let module = job.definition.name();
    if let Range::Repair { since, until } = job.range {
        return staging::open_repair(tx, module, since, until).await;
    }
    let selected = select(job, tx).await?;
    let (since, until) = (selected.since.as_deref(), selected.until.as_deref());
    staging::open_pass(tx, module, selected.strategy, since, until).await
}

/// Where pages are staged, and for whom.
pub(super) struct Place<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) lease: &'a Lease,
    pub(super) run_id: i64,
    pub(super) pass_id: i64,
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

/// What the source sent, and the room it takes until somebody takes it up.
pub(super) struct Came {
    item: Result<ExaminedPage, FetchError>,
    _room: Option<OwnedSemaphorePermit>,
}

/// A stream that is being read ahead.
pub(super) struct Reading<'a> {
    pub(super) pass: &'a Pass,
    pub(super) incoming: mpsc::Receiver<Came>,
    /// The most pages in one group.
    pub(super) most: usize,
}

impl<'a> Reading<'a> {
    fn begin(source: &Source, job: &Job<'_>, pass: &'a Pass, again: bool) -> Self {
        let from = pass.cursor.clone().map(Cursor);
        let size = job.definition.module.fetch.paging.size;
        // Two thirds: few boundaries between pages are the same then.
        let other = (size * 2 / 3).max(1);
        // A run that reads everything may take its time; the regular ones go first.
        let priority = match job.range {
            Range::Full | Range::Repair { .. } => Priority::Backfill,
            Range::Incremental => Priority::Scheduled,
        };
        let mut stream = pages(
            &source.with_priority(priority),
            &job.definition.module,
            Selection {
                since: pass.since.clone(),
                until: pass.until.clone(),
                page_size: again.then_some(other),
            },
            from,
        );
        let most = (BUFFERED / size.max(1) as usize).clamp(2, 100);
        let (sender, incoming) = mpsc::channel(most);
        let room = Arc::new(Semaphore::new(BUFFERED_BYTES));
        tokio::spawn(async move {
            while let Some(item) = stream.next().await {
                let bytes = item
                    .as_ref()
                    .map_or(0, |page| page.bytes.min(BUFFERED_BYTES));
                let came = Came {
                    // Examined here, while the database is busy with the pages before.
                    item: item.map(ExaminedPage::from),
                    _room: room.clone().acquire_many_owned(bytes as u32).await.ok(),
                };
                if sender.send(came).await.is_err() {
                    return;
                }
            }
        });
        Self {
            pass,
            incoming,
            most,
        }
    }

    /// The pages of a group, numbered within the pass; what ended the stream goes into `went`.
    pub(super) fn sort(&self, group: &mut Vec<Came>, went: &mut Went) -> Vec<ExaminedPage> {
        let mut ready = Vec::with_capacity(group.len());
        for came in group.drain(..) {
            match came.item {
                Ok(mut ready_page) => {
                    ready_page.page.number += u32::try_from(self.pass.page).unwrap_or(0);
                    ready.push(ready_page);
                }
                Err(failure) => *went = Went::Stopped(failure),
            }
        }
        ready
    }
}

/// Judges the pass, together with an earlier one of this run that left doubts. Answers the absent records,
/// too, that may be taken for deleted.
async fn close(
    place: &Place<'_>,
    pass: &Pass,
    total_count: Option<i64>,
    earlier: Option<i64>,
) -> anyhow::Result<(PassEnd, Vec<String>)> {
    let mut tx = place.job.pool.begin().await?;
    hold(&mut tx, place.lease).await?;
    let (module, pass_id) = (&place.lease.module, place.pass_id);
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
        missed = absent(place.job, &mut tx, pass_id, earlier).await?;
    }
    halt_at("closing");
    tx.commit().await?;
    Ok((closed, missed))
}

pub(super) fn add(sum: &mut PageTally, tally: PageTally) {
    sum.fetched += tally.fetched;
    sum.new += tally.new;
    sum.changed += tally.changed;
    sum.unchanged += tally.unchanged;
    sum.superseded += tally.superseded;
}
