//! Keeps pages while the database is away: reads on into a spool, and stages it when the database is back.
//!
//! Most groups of pages are staged with `synchronous_commit = off`; a page, its records and its checkpoint
//! are one transaction, so a server that loses its last milliseconds loses all three. The run keeps those
//! pages until a later group is committed synchronously, and each staging transaction checks that the page
//! before its first is there. So pages are given again to a server that recovered unnoticed, and a commit
//! whose answer was lost needs no other proof than the number of the last staged page.

use sqlx::Connection;
use staging::database::query;
use staging::{ExaminedPage, Lease, Spool, SpoolOf, SpooledPage};

use crate::error::RunError;
use crate::job::Job;
use crate::lease::{check_lease, check_lease_alone};
use crate::page_group::{Durability, stage};
use crate::read_ahead::{ReadAhead, is_full_batch};
use crate::read_result::Traversal;
use crate::retry::Outage;
use crate::staging_target::StagingTarget;
use crate::test_hooks::halt_at;

/// Pages that the database may turn out to lack: their commit is not durable yet, or was not answered.
#[derive(Default)]
pub(crate) struct UnconfirmedPages {
    /// The cursor with which the first of them was asked.
    pub(crate) cursor: Option<String>,
    pub(crate) pages: Vec<ExaminedPage>,
}

impl UnconfirmedPages {
    /// Adds pages; the first of them was asked with `cursor`.
    pub(crate) fn add(&mut self, cursor: Option<String>, pages: Vec<ExaminedPage>) {
        if self.pages.is_empty() {
            self.cursor = cursor;
        }
        self.pages.extend(pages);
    }
}

/// Where a stream goes on behind its last staged page.
pub(crate) struct CaughtUp {
    pub(crate) cursor: Option<String>,
    pub(crate) total: Option<u64>,
}

/// Pages on disk, or in memory where the disk takes none.
struct OutageBuffer {
    spool: Option<Spool>,
    held: Vec<SpooledPage>,
    /// The cursor with which the next page was asked.
    cursor: Option<String>,
    last: u32,
}

impl OutageBuffer {
    fn begin(target: &StagingTarget<'_>, began: &str) -> OutageBuffer {
        let of = SpoolOf {
            module: target.lease.module.clone(),
            run_id: target.run_id,
            pass_id: target.pass_id,
            began: began.to_owned(),
        };
        let database = target.job.retry.database;
        let spool = Spool::create(&database.spool(), of, database.spool_bytes);
        OutageBuffer {
            spool: spool.inspect_err(warn).ok(),
            held: Vec::new(),
            cursor: None,
            last: 0,
        }
    }

    /// Whether reading should pause.
    fn is_full(&self) -> bool {
        !self.held.is_empty() || self.spool.as_ref().is_none_or(Spool::is_full)
    }

    fn add(&mut self, pages: Vec<ExaminedPage>) {
        let Some(last) = pages.last().map(|last| &last.page) else {
            return;
        };
        let asked = self.cursor.clone();
        self.cursor = last.next.as_ref().map(|next| next.0.clone());
        self.last = last.number;
        if self.held.is_empty()
            && let Some(spool) = &mut self.spool
            && spool
                .append(asked.clone(), pages.iter().map(|p| &p.page))
                .inspect_err(warn)
                .is_ok()
        {
            halt_at("spooled");
            return;
        }
        let mut cursor = asked;
        for ExaminedPage { page, .. } in pages {
            let next = page.next.as_ref().map(|next| next.0.clone());
            self.held.push(SpooledPage { cursor, page });
            cursor = next;
        }
    }
}

fn warn(error: &std::io::Error) {
    tracing::warn!(%error, "pages cannot be kept on disk; reading pauses until the database is back");
}

/// Reads on into a spool until the database is back, then stages it. `None` where the database turns out to
/// lack pages that are not in memory any more: the stream must be read again from its checkpoint.
pub(crate) async fn buffer_until_back(
    target: &StagingTarget<'_>,
    reading: &mut ReadAhead<'_>,
    unconfirmed: UnconfirmedPages,
    traversal: &mut Traversal,
    mut failure: RunError,
) -> Result<Option<CaughtUp>, RunError> {
    let mut buffer = OutageBuffer::begin(target, &reading.pass.began);
    buffer.cursor = unconfirmed.cursor;
    buffer.add(unconfirmed.pages);
    let mut outage = Outage::begin();
    loop {
        let retry = target.job.retry;
        let back = retry.until_back(&mut outage, failure, async || staged_to(target).await);
        let staged = match read_on(reading, &mut buffer, traversal, back).await {
            Ok(staged) => staged,
            Err(gone) => {
                spool_rest(reading, &mut buffer, traversal).await;
                return Err(gone);
            }
        };
        let pages = pages_of(&buffer).map_err(unreadable)?;
        match replay(target, pages, staged).await {
            Ok((reached, caught)) => {
                if let Some(spool) = buffer.spool {
                    remove(spool)?;
                }
                return Ok(caught.filter(|_| reached >= i64::from(buffer.last)));
            }
            Err(again) if again.trouble().is_some() => failure = again,
            Err(other) => return Err(other),
        }
    }
}

/// Adds pages to the buffer until `back` is done; pauses when the spool is full.
async fn read_on(
    reading: &mut ReadAhead<'_>,
    buffer: &mut OutageBuffer,
    traversal: &mut Traversal,
    back: impl Future<Output = Result<i64, RunError>>,
) -> Result<i64, RunError> {
    tokio::pin!(back);
    let mut group = Vec::with_capacity(reading.most);
    let mut over = false;
    loop {
        tokio::select! {
            staged = &mut back => return staged,
            received = reading.incoming.recv_many(&mut group, reading.most), if !over && !buffer.is_full() => {
                over = received == 0;
                buffer.add(reading.take_pages(&mut group, traversal));
            }
        }
    }
}

/// Writes what is still in memory to the disk before the run gives up.
async fn spool_rest(
    reading: &mut ReadAhead<'_>,
    buffer: &mut OutageBuffer,
    traversal: &mut Traversal,
) {
    reading.incoming.close();
    let mut group = Vec::with_capacity(reading.most);
    while reading.incoming.recv_many(&mut group, reading.most).await > 0 {
        buffer.add(reading.take_pages(&mut group, traversal));
    }
    let pages = buffer.spool.as_ref().map_or(0, Spool::last);
    tracing::warn!(
        up_to_page = pages,
        "pages are kept on disk for the next run"
    );
}

fn pages_of(
    buffer: &OutageBuffer,
) -> std::io::Result<impl Iterator<Item = std::io::Result<SpooledPage>> + '_> {
    let spooled = buffer.spool.as_ref().map(Spool::pages).transpose()?;
    Ok(spooled
        .into_iter()
        .flatten()
        .chain(buffer.held.iter().cloned().map(Ok)))
}

/// The last page that is staged, once no transaction of this run is under way any more. A connection that
/// fails here is not used again: it may lead to a server that takes no writes any more.
async fn staged_to(target: &StagingTarget<'_>) -> Result<i64, RunError> {
    let mut connection = target.job.pool.acquire().await?;
    let told: Result<i64, RunError> = async {
        let mut tx = connection.begin().await?;
        query("set local lock_timeout = '5s'")
            .execute(&mut *tx)
            .await?;
        check_lease_alone(&mut tx, target.lease).await?;
        let staged = staging::staged_to(&mut tx, target.pass_id).await?;
        tx.commit().await?;
        Ok(i64::from(staged))
    }
    .await;
    if told.is_err() {
        drop(connection.detach());
    }
    told
}

/// Stages the pages behind `staged`, as far as they follow each other. Returns the last that is staged, and
/// where the stream goes on behind the last of all.
async fn replay(
    target: &StagingTarget<'_>,
    pages: impl Iterator<Item = std::io::Result<SpooledPage>>,
    staged: i64,
) -> Result<(i64, Option<CaughtUp>), RunError> {
    let (mut staged, mut ready) = (staged, UnconfirmedPages::default());
    let mut caught = None;
    for spooled in pages {
        let SpooledPage { cursor, page } = spooled.map_err(unreadable)?;
        caught = Some(CaughtUp {
            cursor: page.next.as_ref().map(|next| next.0.clone()),
            total: page.total_count,
        });
        let number = i64::from(page.number);
        let follows = staged + ready.pages.len() as i64 + 1;
        if number > follows {
            break;
        }
        if number == follows {
            ready.add(cursor, vec![ExaminedPage::from(page)]);
        }
        if is_full_batch(&ready.pages) {
            staged += stage_ready(target, &mut ready).await?;
        }
    }
    staged += stage_ready(target, &mut ready).await?;
    Ok((staged, caught))
}

async fn stage_ready(
    target: &StagingTarget<'_>,
    ready: &mut UnconfirmedPages,
) -> Result<i64, RunError> {
    let UnconfirmedPages { cursor, pages } = std::mem::take(ready);
    if pages.is_empty() {
        return Ok(0);
    }
    stage(target, cursor.as_deref(), &pages, Durability::Durable).await?;
    halt_at("replayed");
    Ok(pages.len() as i64)
}

/// Stages what earlier runs of the module left on disk, where its pass still ends exactly there; other pages
/// are read again from the source.
pub(crate) async fn stage_left_over(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
) -> Result<(), RunError> {
    let left = match Spool::left_by(&job.retry.database.spool(), &lease.module) {
        Ok(left) => left,
        Err(error) => {
            tracing::warn!(%error, "pages that an earlier run left cannot be read; they are asked for again");
            return Ok(());
        }
    };
    for spool in left {
        let staged = job
            .retry
            .run(async || stage_spool(job, lease, run_id, &spool).await)
            .await?;
        tracing::info!(
            module = lease.module,
            run_id,
            staged,
            "pages of an earlier run were staged"
        );
        remove(spool)?;
    }
    Ok(())
}

async fn stage_spool(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    spool: &Spool,
) -> Result<i64, RunError> {
    let of = spool.of();
    let mut tx = job.pool.begin().await?;
    check_lease(&mut tx, lease).await?;
    let stands = staging::resumable(&mut tx, &lease.module, of.pass_id, &of.began).await?;
    tx.commit().await?;
    let Some((page, cursor)) = stands else {
        return Ok(0);
    };
    let mut pages = spool.pages().map_err(unreadable)?.filter_map(Result::ok);
    let next = pages.find(|spooled| i64::from(spooled.page.number) > i64::from(page));
    if next.is_none_or(|next| next.cursor != cursor || next.page.number != page as u32 + 1) {
        return Ok(0);
    }
    let target = StagingTarget {
        job,
        lease,
        run_id,
        pass_id: of.pass_id,
    };
    let (staged, _) = replay(&target, spool.pages().map_err(unreadable)?, i64::from(page)).await?;
    let staged = staged - i64::from(page);
    let mut tx = job.pool.begin().await?;
    query(
        "update ops.runs set state = 'WAITING', cause = $2
         where run_id = $1 and state = 'FAILED' and exists (select from ops.runs where run_id = $3)",
    )
    .bind(of.run_id)
    .bind(format!(
        "The database was away when this run ended. {staged} pages waited on disk, and run {run_id} staged them."
    ))
    .bind(run_id)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(staged)
}

fn unreadable(cause: std::io::Error) -> RunError {
    RunError::Spool {
        doing: "The spool cannot be read.",
        cause,
    }
}

fn remove(spool: Spool) -> Result<(), RunError> {
    spool.remove().map_err(|cause| RunError::Spool {
        doing: "The spool cannot be removed.",
        cause,
    })
}
