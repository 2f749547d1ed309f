//! Writes a group of pages: one transaction, or two that are filled side by side.

use std::pin::pin;

use futures::future::{Either, join, select};
use sqlx::PgTransaction;
use staging::database::{Trouble, query};
use staging::{ExaminedPage, PageTally};

use crate::error::RunError;
use crate::lease::check_lease;
use crate::staging_target::StagingTarget;
use crate::test_hooks::halt_at;

/// What a commit promises.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It is on the disk.
    Durable,
    /// It may be lost with the server's last milliseconds. Pages and checkpoint are lost together then, and
    /// are staged or read again.
    Fast,
}

/// Whether a transaction already holds the pages that it is to commit.
#[derive(Clone, Copy)]
enum Pages {
    ToStage,
    Copied,
}

/// Stages pages that follow each other, and the checkpoint behind them. Where they seem to be new, the second
/// half is copied over another connection while the first is staged, since copying keeps one processor of the
/// server busy; it is committed after the first, or not at all.
pub(crate) async fn stage_group(
    target: &StagingTarget<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durability: Durability,
) -> Result<PageTally, RunError> {
    let (first, second) = halves(ready);
    let behind = first.last().and_then(|last| last.page.next.as_ref());
    let behind = behind.map(|next| next.as_str());
    if second.is_empty() || staging::share_ids(first, second) {
        return stage_retrying(target, cursor, ready, durability).await;
    }
    let staged = pin!(stage_beside(target, cursor, first));
    let (staged, ahead) = match select(staged, pin!(target.job.pool.begin())).await {
        // No other connection was free meanwhile.
        Either::Left((staged, _)) => (staged, None),
        Either::Right((Ok(tx), staged)) => {
            join(staged, copy_ahead(tx, target, behind, second)).await
        }
        Either::Right((Err(_), staged)) => (staged.await, None),
    };
    let (mut tally, ahead) = match staged {
        Err(failure) if gave_way(&failure) => {
            drop(ahead);
            target.job.retry.count_conflict();
            let staged = stage_retrying(target, cursor, first, Durability::Fast);
            (staged.await?, None)
        }
        staged => (staged?, ahead),
    };
    let rest = match ahead {
        None => stage_retrying(target, behind, second, durability).await,
        Some(tx) => match commit(tx, target, behind, second, durability, Pages::Copied).await {
            Err(failure) if failure.trouble() == Some(Trouble::Crossed) => {
                target.job.retry.count_conflict();
                stage_retrying(target, behind, second, durability).await
            }
            rest => rest,
        },
    };
    tally += rest?;
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

/// Whether `stage_beside` gave up waiting. It may have waited for what was copied ahead, or for somebody
/// else; alone it waits as long as it takes.
fn gave_way(failure: &RunError) -> bool {
    matches!(failure.trouble(), Some(Trouble::Crossed | Trouble::Locked))
}

async fn stage_retrying(
    target: &StagingTarget<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durability: Durability,
) -> Result<PageTally, RunError> {
    let work = async || stage(target, cursor, ready, durability).await;
    target.job.retry.on_conflict(work).await
}

/// One transaction for the pages and the checkpoint behind them.
pub(crate) async fn stage(
    target: &StagingTarget<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durability: Durability,
) -> Result<PageTally, RunError> {
    let tx = target.job.pool.begin().await?;
    commit(tx, target, cursor, ready, durability, Pages::ToStage).await
}

/// As `stage`, while other pages are copied ahead. Whoever waits for what was copied ahead would wait for
/// this transaction, which the database cannot see: so it does not wait for others for long.
async fn stage_beside(
    target: &StagingTarget<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
) -> Result<PageTally, RunError> {
    let mut tx = target.job.pool.begin().await?;
    query("set local lock_timeout = '1s'")
        .execute(&mut *tx)
        .await?;
    commit(tx, target, cursor, ready, Durability::Fast, Pages::ToStage).await
}

/// Copies pages before their turn. None where one of the records is known: then they are staged as all others
/// are, and what failed here fails again there if it must.
async fn copy_ahead(
    mut tx: PgTransaction<'static>,
    target: &StagingTarget<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
) -> Option<PgTransaction<'static>> {
    let copied: Result<bool, RunError> = async {
        check_lease(&mut tx, target.lease).await?;
        Ok(staging::copy_pages(&mut tx, target.at(cursor), ready).await?)
    }
    .await;
    match copied {
        Ok(copied) => copied.then_some(tx),
        Err(error) => {
            tracing::debug!(%error, "pages were not copied ahead");
            None
        }
    }
}

/// Stages the pages in a transaction, unless it holds them already, and commits it.
async fn commit(
    mut tx: PgTransaction<'static>,
    target: &StagingTarget<'_>,
    cursor: Option<&str>,
    ready: &[ExaminedPage],
    durability: Durability,
    pages: Pages,
) -> Result<PageTally, RunError> {
    if durability == Durability::Fast {
        query("set local synchronous_commit = off")
            .execute(&mut *tx)
            .await?;
    }
    check_lease(&mut tx, target.lease).await?;
    let staged = staging::staged_to(&mut tx, target.pass_id).await?;
    if let Some(first) = ready.first()
        && first.page.number as i32 != staged + 1
    {
        // The connection may be a new one without notice, and the server may just have recovered.
        return Err(RunError::PagesLost);
    }
    let derivations = target.job.definitions.derivations();
    let at = target.at(cursor);
    let tally = match pages {
        Pages::Copied => staging::stage_copied(&mut tx, at, ready, &derivations).await?,
        Pages::ToStage => staging::stage_pages(&mut tx, at, ready, &derivations).await?,
    };
    let total = ready.iter().rev().find_map(|ready| ready.page.total_count);
    if let Some(total) = total.and_then(|total| i64::try_from(total).ok()) {
        staging::note_total(&mut tx, target.pass_id, total).await?;
    }
    halt_at("staging");
    tx.commit().await?;
    Ok(tally)
}
