//! What a round of runs needs of the database before them and between them.

use std::time::{Duration, Instant};

use reconciler::{Definitions, prepare_tables};
use sqlx::PgPool;
use staging::database::{Trouble, query, query_as};

use super::Outages;
use super::outages::trouble_of;
use super::verdict::blocked_by;

/// Between two attempts at a table that others read, so that who waits behind us comes through.
const PAUSE: Duration = Duration::from_millis(200);

/// Brings the production tables to their contracts. Who would change a table waits for all who read it, and
/// all who come later wait for him: so each attempt is short, and they end after `lock_wait_seconds`.
pub async fn bring_tables(
    pool: &PgPool,
    outages: &Outages<'_>,
    definitions: &Definitions,
) -> anyhow::Result<()> {
    let (began, patience) = (Instant::now(), outages.database.lock_wait_seconds);
    loop {
        match outages
            .insist(async || bring(pool, definitions).await)
            .await
        {
            Err(failure) if trouble_of(&failure) == Some(Trouble::Locked) => {
                if began.elapsed() >= Duration::from_secs(patience) {
                    let what = "A table could not be brought to its contract, since others hold locks on it.";
                    return Err(failure.context(blocked_by(pool, what, true).await));
                }
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn bring(pool: &PgPool, definitions: &Definitions) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    query("set local lock_timeout = '1s'")
        .execute(&mut *tx)
        .await?;
    prepare_tables(&mut tx, definitions).await?;
    Ok(tx.commit().await?)
}

/// Modules that have pending records, as when a parent of theirs has arrived.
pub async fn woken(pool: &PgPool, outages: &Outages<'_>) -> anyhow::Result<Vec<String>> {
    outages
        .insist(async || {
            let mut tx = pool.begin().await?;
            let rows: Vec<(String,)> =
                query_as("select distinct module from staging.pending order by module")
                    .fetch_all(&mut *tx)
                    .await?;
            Ok(rows.into_iter().map(|(module,)| module).collect())
        })
        .await
}
