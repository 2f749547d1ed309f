//! Fetching and staging side by side: pages that are ready together are staged together.

use fetcher::{Cursor, FetchError, Priority, Read, Selection, Source, pages};
use futures::StreamExt;
use sqlx::{PgConnection, PgPool};
use staging::database::query;
use staging::{Derivation, ExaminedPage, Lease, PagePlace, PageTally, Pass};
use tokio::sync::mpsc;

use super::absent::{absent, recheck};
use super::selection::select;
use super::{Job, Progressed, Range, ReadEnd, halt_at, stopped};

/// Records held in memory between the fetcher and the database, about; staged by one transaction where
/// they come fast.
const BUFFERED: usize = 4_000;

/// Reads the module's stream to its end, or as far as it goes, and stages it page by page. Begins anew once where
/// the source takes its cursor no more, and looks a second time, with other pages, where rows seem to have shifted.
pub(super) async fn read(
    job: &Job<'_>,
    source: &Source,
    lease: &Lease,
    run_id: i64,
) -> anyhow::Result<ReadEnd> {
    let mut end = ReadEnd::default();
    let mut earlier = None;
    loop {
        let pass = begin(job, run_id).await?;
        let place = Place {
            pool: job.pool,
            lease,
            run_id,
            pass: &pass,
        };
        let mut incoming = listen(source, job, &pass, earlier.is_some());
        match traverse(&place, job, &mut incoming, &mut end).await? {
            Went::Through => {}
            Went::Stopped(failure) => {
                let refused = matches!(failure, FetchError::CursorRefused { .. });
                if refused {
                    give_up(&place).await?;
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
        if !close(&place, job, source, &mut end, earlier).await? || earlier.is_some() {
            return Ok(end);
        }
        earlier = Some(pass.pass_id);
    }
}

/// How a traversal ended.
enum Went {
    Through,
    Stopped(FetchError),
}

async fn begin(job: &Job<'_>, run_id: i64) -> anyhow::Result<Pass> {
    let mut tx = job.pool.begin().await?;
    let pass = open_pass(job, &mut tx).await?;
    note_selection(&mut tx, run_id, &pass).await?;
    tx.commit().await?;
    Ok(pass)
}

async fn give_up(place: &Place<'_>) -> anyhow::Result<()> {
    let mut tx = place.pool.begin().await?;
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
    job: &Job<'_>,
    incoming: &mut mpsc::Receiver<Result<ExaminedPage, FetchError>>,
    end: &mut ReadEnd,
) -> anyhow::Result<Went> {
    let derivations = job.definitions.derivations();
    let mut cursor = place.pass.cursor.clone();
    let mut went = Went::Through;
    let most = pages_buffered(job);
    let mut group = Vec::with_capacity(most);
    loop {
        group.clear();
        if incoming.recv_many(&mut group, most).await == 0 {
            return Ok(went);
        }
        let mut ready = Vec::with_capacity(group.len());
        for item in group.drain(..) {
            match item {
                Ok(mut ready_page) => {
                    ready_page.page.number += u32::try_from(place.pass.page).unwrap_or(0);
                    ready.push(ready_page);
                }
                Err(failure) => went = Went::Stopped(failure),
            }
        }
        let Some(last) = ready.last().map(|ready| &ready.page) else {
            continue;
        };
        let next = last.next.clone();
        let total = last.total_count;
        halt_at("fetched");
        add(
            &mut end.staged,
            stage(place, cursor.as_deref(), &ready, &derivations).await?,
        );
        cursor = next.as_ref().map(|next| next.as_str().to_owned());
        end.pages += ready.len() as i64;
        let said = total.and_then(|total| i64::try_from(total).ok());
        if let Some(said) = said.filter(|said| end.total_count != Some(*said)) {
            let mut tx = job.pool.begin().await?;
            staging::note_total(&mut tx, place.pass.pass_id, said).await?;
            tx.commit().await?;
        }
        end.total_count = said.or(end.total_count);
        (job.progress)(Progressed::Read(i64::from(end.staged.fetched), total));
        halt_at("staged");
    }
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

struct Place<'a> {
    pool: &'a PgPool,
    lease: &'a Lease,
    run_id: i64,
    pass: &'a Pass,
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

fn pages_buffered(job: &Job<'_>) -> usize {
    let size = job.definition.module.fetch.paging.size;
    (BUFFERED / size.max(1) as usize).clamp(2, 40)
}

fn listen(
    source: &Source,
    job: &Job<'_>,
    pass: &Pass,
    again: bool,
) -> mpsc::Receiver<Result<ExaminedPage, FetchError>> {
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
    let (sender, receiver) = mpsc::channel(pages_buffered(job));
    tokio::spawn(async move {
        while let Some(item) = stream.next().await {
            // Examined here, while the database is busy with the pages before.
            if sender.send(item.map(ExaminedPage::from)).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// One transaction for the pages and the checkpoint behind them. It may be lost with the server's last
/// milliseconds: pages and checkpoint are lost together then, and the pages are read again.
async fn stage(
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    derivations: &[Derivation],
) -> anyhow::Result<PageTally> {
    let mut tx = place.pool.begin().await?;
    query("set local synchronous_commit = off")
        .execute(&mut *tx)
        .await?;
    hold(&mut tx, place.lease).await?;
    let page_place = PagePlace {
        module: &place.lease.module,
        pass_id: place.pass.pass_id,
        run_id: Some(place.run_id),
        cursor,
    };
    let tally = staging::stage_pages(&mut tx, page_place, ready, derivations).await?;
    halt_at("staging");
    tx.commit().await?;
    Ok(tally)
}

/// Fails when another process took the lease meanwhile.
pub(super) async fn hold(tx: &mut PgConnection, lease: &Lease) -> anyhow::Result<()> {
    if staging::check_lease(tx, lease).await? {
        return Ok(());
    }
    anyhow::bail!(
        "The lease of `{}` was taken by another process while this one slept; that one goes on, and this one has changed nothing more.",
        lease.module
    )
}

/// Judges the pass, together with an earlier one of this run that left doubts. Answers whether doubts are left.
async fn close(
    place: &Place<'_>,
    job: &Job<'_>,
    source: &Source,
    end: &mut ReadEnd,
    earlier: Option<i64>,
) -> anyhow::Result<bool> {
    let mut tx = place.pool.begin().await?;
    hold(&mut tx, place.lease).await?;
    let (module, pass_id) = (&place.lease.module, place.pass.pass_id);
    // Of a stream that is not read to its end, the source counts what was left alone, too.
    if place.pass.strategy == Read::NewestFirst.as_str() {
        end.total_count = None;
    }
    let mut closed = staging::close_pass(&mut tx, module, pass_id, end.total_count).await?;
    if let Some(earlier) = earlier.filter(|_| closed.unsettled)
        && staging::settle_passes(&mut tx, earlier, pass_id, end.total_count).await?
    {
        closed.complete = true;
        closed.unsettled = false;
        closed.cause = None;
    }
    end.complete = closed.complete;
    end.cause = closed.cause;
    let mut missed = Vec::new();
    if closed.complete && place.pass.strategy == "full" {
        missed = absent(job, &mut tx, pass_id, earlier).await?;
    }
    halt_at("closing");
    tx.commit().await?;
    if !missed.is_empty() {
        take_for_gone(place, job, source, end, missed).await?;
    }
    Ok(closed.unsettled)
}

/// Marks the absent records as gone that the source has no more.
async fn take_for_gone(
    place: &Place<'_>,
    job: &Job<'_>,
    source: &Source,
    end: &mut ReadEnd,
    missed: Vec<String>,
) -> anyhow::Result<()> {
    let rechecked = match recheck(job, source, missed).await {
        Ok(rechecked) => rechecked,
        Err(failure) => {
            let (state, cause) = stopped(&failure);
            end.stop = Some(state);
            end.cause = Some(cause);
            return Ok(());
        }
    };
    let mut tx = place.pool.begin().await?;
    hold(&mut tx, place.lease).await?;
    let (module, pass_id) = (&place.lease.module, place.pass.pass_id);
    staging::mark_gone(&mut tx, module, pass_id, &rechecked.gone).await?;
    if let Some(cause) = rechecked.cause() {
        staging::doubt_pass(&mut tx, pass_id).await?;
        end.complete = false;
        end.cause = Some(cause);
    }
    tx.commit().await?;
    Ok(())
}

pub(super) fn add(sum: &mut PageTally, tally: PageTally) {
    sum.fetched += tally.fetched;
    sum.new += tally.new;
    sum.changed += tally.changed;
    sum.unchanged += tally.unchanged;
    sum.superseded += tally.superseded;
}
