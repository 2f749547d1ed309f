//! Pages that wait for the database: read on into a spool while it is away, and staged once it is back.

use anyhow::Context;
use sqlx::Connection;
use staging::database::query;
use staging::{ExaminedPage, Lease, Spool, SpoolOf, SpooledPage};

use super::Job;
use super::group::{hold, stage};
use super::halt_at;
use super::outages::{Outage, trouble_of};
use super::stage::{Place, Reading, Went, is_much};

/// Pages whose commit the disk may not have yet, or has no answer: what the database may turn out to lack.
#[derive(Default)]
pub(super) struct Unsure {
    /// What the first of them was asked with.
    pub(super) cursor: Option<String>,
    pub(super) pages: Vec<ExaminedPage>,
}

impl Unsure {
    /// Takes pages in; `cursor` is what the first of them was asked with.
    pub(super) fn add(&mut self, cursor: Option<String>, pages: Vec<ExaminedPage>) {
        if self.pages.is_empty() {
            self.cursor = cursor;
        }
        self.pages.extend(pages);
    }
}

/// Where a stream stands behind its last staged page.
pub(super) struct Caught {
    pub(super) cursor: Option<String>,
    pub(super) total: Option<u64>,
}

/// Pages on disk, or in memory where the disk takes none.
struct Waiting {
    spool: Option<Spool>,
    held: Vec<SpooledPage>,
    /// What the next page was asked with.
    cursor: Option<String>,
    last: u32,
}

impl Waiting {
    fn begin(place: &Place<'_>, began: &str) -> Waiting {
        let of = SpoolOf {
            module: place.lease.module.clone(),
            run_id: place.run_id,
            pass_id: place.pass_id,
            began: began.to_owned(),
        };
        let database = place.job.outages.database;
        let spool = Spool::create(&database.spool(), of, database.spool_bytes);
        Waiting {
            spool: spool.inspect_err(complain).ok(),
            held: Vec::new(),
            cursor: None,
            last: 0,
        }
    }

    /// Whether reading should pause.
    fn is_full(&self) -> bool {
        !self.held.is_empty() || self.spool.as_ref().is_none_or(Spool::is_full)
    }

    fn take(&mut self, pages: Vec<ExaminedPage>) {
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
                .inspect_err(complain)
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

fn complain(error: &std::io::Error) {
    tracing::warn!(%error, "pages cannot be kept on disk; reading pauses until the database is back");
}

/// Reads on into a spool until the database is back, then stages what waits. `None` where the database turns
/// out to lack pages that cannot be given to it any more: the stream must be read again from its checkpoint.
pub(super) async fn outlast(
    place: &Place<'_>,
    read: &mut Reading<'_>,
    unsure: Unsure,
    went: &mut Went,
    mut failure: anyhow::Error,
) -> anyhow::Result<Option<Caught>> {
    let mut waiting = Waiting::begin(place, &read.pass.began);
    waiting.cursor = unsure.cursor;
    waiting.take(unsure.pages);
    let mut outage = Outage::begin();
    loop {
        let outages = place.job.outages;
        let back = outages.until_back(&mut outage, failure, async || staged_to(place).await);
        let staged = match read_on(read, &mut waiting, went, back).await {
            Ok(staged) => staged,
            Err(gone) => {
                keep_all(read, &mut waiting, went).await;
                return Err(gone);
            }
        };
        let pages = pages_of(&waiting)?;
        match replay(place, pages, staged).await {
            Ok((reached, caught)) => {
                if let Some(spool) = waiting.spool {
                    spool.remove().context("The spool cannot be removed.")?;
                }
                return Ok(caught.filter(|_| reached >= i64::from(waiting.last)));
            }
            Err(again) if trouble_of(&again).is_some() => failure = again,
            Err(other) => return Err(other),
        }
    }
}

/// Takes pages in until `back` is done; pauses where the spool is full.
async fn read_on(
    read: &mut Reading<'_>,
    waiting: &mut Waiting,
    went: &mut Went,
    back: impl Future<Output = anyhow::Result<i64>>,
) -> anyhow::Result<i64> {
    tokio::pin!(back);
    let mut group = Vec::with_capacity(read.most);
    let mut over = false;
    loop {
        tokio::select! {
            staged = &mut back => return staged,
            came = read.incoming.recv_many(&mut group, read.most), if !over && !waiting.is_full() => {
                over = came == 0;
                waiting.take(read.sort(&mut group, went));
            }
        }
    }
}

/// What is in memory goes to the disk as well before the run gives up.
async fn keep_all(read: &mut Reading<'_>, waiting: &mut Waiting, went: &mut Went) {
    read.incoming.close();
    let mut group = Vec::with_capacity(read.most);
    while read.incoming.recv_many(&mut group, read.most).await > 0 {
        waiting.take(read.sort(&mut group, went));
    }
    let pages = waiting.spool.as_ref().map_or(0, Spool::last);
    tracing::warn!(
        up_to_page = pages,
        "pages are kept on disk for the next run"
    );
}

fn pages_of(
    waiting: &Waiting,
) -> std::io::Result<impl Iterator<Item = std::io::Result<SpooledPage>> + '_> {
    let spooled = waiting.spool.as_ref().map(Spool::pages).transpose()?;
    Ok(spooled
        .into_iter()
        .flatten()
        .chain(waiting.held.iter().cloned().map(Ok)))
}

/// The last page that is staged, once nothing of this run is under way any more. A connection that could not
/// tell is not used again: it may lead to a server that takes no writes any more.
async fn staged_to(place: &Place<'_>) -> anyhow::Result<i64> {
    let mut connection = place.job.pool.acquire().await?;
    let told = async {
        let mut tx = connection.begin().await?;
        query("set local lock_timeout = '5s'")
            .execute(&mut *tx)
            .await?;
        hold_alone(&mut tx, place.lease).await?;
        let staged = staging::staged_to(&mut tx, place.pass_id).await?;
        tx.commit().await?;
        anyhow::Ok(i64::from(staged))
    }
    .await;
    if told.is_err() {
        drop(connection.detach());
    }
    told
}

/// Fails when another process took the lease meanwhile; waits until no other transaction of this one is under
/// way.
pub(super) async fn hold_alone(tx: &mut sqlx::PgConnection, lease: &Lease) -> anyhow::Result<()> {
    staging::lone_lease(tx, lease).await?;
    hold(tx, lease).await
}

/// Stages the pages behind `staged`, as far as they follow each other. Answers the last that is staged, and
/// where the stream goes on behind the last of all.
async fn replay(
    place: &Place<'_>,
    pages: impl Iterator<Item = std::io::Result<SpooledPage>>,
    staged: i64,
) -> anyhow::Result<(i64, Option<Caught>)> {
    let (mut staged, mut ready) = (staged, Unsure::default());
    let mut caught = None;
    for spooled in pages {
        let SpooledPage { cursor, page } = spooled.context("The spool cannot be read.")?;
        caught = Some(Caught {
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
        if is_much(&ready.pages) {
            staged += stage_ready(place, &mut ready).await?;
        }
    }
    staged += stage_ready(place, &mut ready).await?;
    Ok((staged, caught))
}

async fn stage_ready(place: &Place<'_>, ready: &mut Unsure) -> anyhow::Result<i64> {
    let Unsure { cursor, pages } = std::mem::take(ready);
    if pages.is_empty() {
        return Ok(0);
    }
    stage(place, cursor.as_deref(), &pages, true).await?;
    halt_at("replayed");
    Ok(pages.len() as i64)
}

/// Stages what earlier runs of the module left on disk, where its pass still stands exactly there; pages that
/// fit no more are read again from the source.
pub(super) async fn take_up(job: &Job<'_>, lease: &Lease, run_id: i64) -> anyhow::Result<()> {
    let left = match Spool::left_by(&job.outages.database.spool(), &lease.module) {
        Ok(left) => left,
        Err(error) => {
            tracing::warn!(%error, "pages that an earlier run left cannot be read; they are asked for again");
            return Ok(());
        }
    };
    for spool in left {
        let staged = job
            .outages
            .insist(async || take_up_one(job, lease, run_id, &spool).await)
            .await?;
        tracing::info!(
            module = lease.module,
            run_id,
            staged,
            "pages of an earlier run were staged"
        );
        spool.remove().context("The spool cannot be removed.")?;
    }
    Ok(())
}

async fn take_up_one(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    spool: &Spool,
) -> anyhow::Result<i64> {
    let of = spool.of();
    let mut tx = job.pool.begin().await?;
    hold(&mut tx, lease).await?;
    let stands = staging::resumable(&mut tx, &lease.module, of.pass_id, &of.began).await?;
    tx.commit().await?;
    let Some((page, cursor)) = stands else {
        return Ok(0);
    };
    let mut pages = spool.pages()?.filter_map(Result::ok);
    let next = pages.find(|spooled| i64::from(spooled.page.number) > i64::from(page));
    if next.is_none_or(|next| next.cursor != cursor || next.page.number != page as u32 + 1) {
        return Ok(0);
    }
    let place = Place {
        job,
        lease,
        run_id,
        pass_id: of.pass_id,
    };
    let (staged, _) = replay(&place, spool.pages()?, i64::from(page)).await?;
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
