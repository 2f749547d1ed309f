//! A group of pages into the database: one transaction, or two that are filled side by side.

use std::pin::pin;

use futures::future::{Either, join, select};
use sqlx::{PgConnection, PgTransaction};
use staging::database::{Trouble, query};
use staging::{ExaminedPage, Lease, PagePlace, PageTally};

use super::halt_at;
use super::outages::trouble_of;
use super::stage::{Place, add};

/// The database lacks pages that it had committed, or has pages that nobody here gave it.
#[derive(Debug, thiserror::Error)]
#[error("the last pages it had taken are not in the database any more")]
pub(super) struct Forgotten;

/// Stages pages that follow each other, and the checkpoint behind them. Where they seem to be new, the second
/// half of them is copied over another connection while the first is staged, since copying keeps one
/// processor of the server busy; it is committed after the first, or not at all. Unless it is `durable`, what
/// is committed may be lost with the server's last milliseconds: pages and checkpoint are lost together then,
/// and are staged or read again.
pub(super) async fn stage_group(
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durable: bool,
) -> anyhow::Result<PageTally> {
    let (first, second) = halves(ready);
    let behind = first.last().and_then(|last| last.page.next.as_ref());
    let behind = behind.map(|next| next.as_str());
    if second.is_empty() || staging::share_ids(first, second) {
        return insist(place, cursor, ready, durable).await;
    }
    let staged = pin!(stage_beside(place, cursor, first));
    let (staged, ahead) = match select(staged, pin!(place.job.pool.begin())).await {
        // No other connection was to be had meanwhile.
        Either::Left((staged, _)) => (staged, None),
        Either::Right((Ok(tx), staged)) => {
            join(staged, copy_ahead(tx, place, behind, second)).await
        }
        Either::Right((Err(_), staged)) => (staged.await, None),
    };
    let (mut tally, ahead) = match staged {
        Err(failure) if gave_way(&failure) => {
            drop(ahead);
            place.job.outages.cross();
            (insist(place, cursor, first, false).await?, None)
        }
        staged => (staged?, ahead),
    };
    let rest = match ahead {
        None => insist(place, behind, second, durable).await,
        Some(tx) => match finish(tx, place, behind, second, (durable, true)).await {
            Err(failure) if trouble_of(&failure) == Some(Trouble::Crossed) => {
                place.job.outages.cross();
                insist(place, behind, second, durable).await
            }
            rest => rest,
        },
    };
    add(&mut tally, rest?);
    Ok(tally)
}

/// Two parts with about as many records; the second is empty where there is one page.
fn halves(ready: &[ExaminedPage]) -> (&[ExaminedPage], &[ExaminedPage]) {
    let records = |pages: &[ExaminedPage]| -> usize {
        pages.iter().map(|ready| ready.page.records.len()).sum()
    };
    let all = records(ready);
    let at = (1..ready.len()).find(|&at| 2 * records(&ready[..at]) >= all);
    ready.split_at(at.unwrap_or(ready.len()))
}

/// What `stage_beside` waited for may have been what was copied ahead, or somebody else; alone it waits as
/// long as it takes.
fn gave_way(failure: &anyhow::Error) -> bool {
    let trouble = trouble_of(failure);
    matches!(trouble, Some(Trouble::Crossed | Trouble::Locked))
}

async fn insist(
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durable: bool,
) -> anyhow::Result<PageTally> {
    let outages = place.job.outages;
    outages
        .uncross(async || stage(place, cursor, ready, durable).await)
        .await
}

/// One transaction for the pages and the checkpoint behind them.
pub(super) async fn stage(
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durable: bool,
) -> anyhow::Result<PageTally> {
    let tx = place.job.pool.begin().await?;
    finish(tx, place, cursor, ready, (durable, false)).await
}

/// As `stage`, while others are copied ahead. Whoever waits for what was copied ahead would wait for this
/// transaction, which the database cannot see: it does not wait for others for long.
async fn stage_beside(
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
) -> anyhow::Result<PageTally> {
    let mut tx = place.job.pool.begin().await?;
    query("set local lock_timeout = '1s'")
        .execute(&mut *tx)
        .await?;
    finish(tx, place, cursor, ready, (false, false)).await
}

/// Copies pages whose turn has not come. None where one of the records is known: then they are staged as all
/// others are, and what failed here fails again there if it must.
async fn copy_ahead(
    mut tx: PgTransaction<'static>,
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
) -> Option<PgTransaction<'static>> {
    let copied = async {
        hold(&mut tx, place.lease).await?;
        anyhow::Ok(staging::copy_pages(&mut tx, of(place, cursor), ready).await?)
    };
    match copied.await {
        Ok(copied) => copied.then_some(tx),
        Err(error) => {
            tracing::debug!(%error, "pages were not copied ahead");
            None
        }
    }
}

/// What is left to do of a transaction, whose pages are `copied` already or are not.
async fn finish(
    mut tx: PgTransaction<'static>,
    place: &Place<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    (durable, copied): (bool, bool),
) -> anyhow::Result<PageTally> {
    if !durable {
        query("set local synchronous_commit = off")
            .execute(&mut *tx)
            .await?;
    }
    hold(&mut tx, place.lease).await?;
    let staged = staging::staged_to(&mut tx, place.pass_id).await?;
    if let Some(first) = ready.first()
        && first.page.number as i32 != staged + 1
    {
        // The connection may be another one than before without anybody's notice, and the server just
        // recovered.
        anyhow::bail!(Forgotten);
    }
    let derivations = place.job.definitions.derivations();
    let of = of(place, cursor);
    let tally = match copied {
        true => staging::stage_copied(&mut tx, of, ready, &derivations).await?,
        false => staging::stage_pages(&mut tx, of, ready, &derivations).await?,
    };
    let total = ready.iter().rev().find_map(|ready| ready.page.total_count);
    if let Some(total) = total.and_then(|total| i64::try_from(total).ok()) {
        staging::note_total(&mut tx, place.pass_id, total).await?;
    }
    halt_at("staging");
    tx.commit().await?;
    Ok(tally)
}

fn of<'a>(place: &'a Place<'_>, cursor: Option<&'a str>) -> PagePlace<'a> {
    PagePlace {
        module: &place.lease.module,
        pass_id: place.pass_id,
        run_id: Some(place.run_id),
        cursor,
    }
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
