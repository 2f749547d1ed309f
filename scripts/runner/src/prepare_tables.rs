//! Brings the production tables to their contracts before a round of runs.

use std::time::{Duration, Instant};

use reconciler::Definitions;
use sqlx::PgPool;
use staging::database::{Trouble, query};

use crate::database_cause::{Blockers, blocked_by};
use crate::error::RunError;
use crate::retry::Retry;

/// Between two attempts at a table that others read, so that those who wait behind this one get their turn.
const PAUSE: Duration = Duration::from_millis(200);

/// Brings the production tables to their contracts. A change of a table waits for all its readers, and all
/// later readers wait for the change: so each attempt is short, and they end after `lock_wait_seconds`.
pub async fn prepare_tables(
    pool: &PgPool,
    retry: &Retry<'_>,
    definitions: &Definitions,
) -> Result<(), RunError> {
    let (began, patience) = (Instant::now(), retry.database.lock_wait_seconds);
    loop {
        match retry.run(async || try_once(pool, definitions).await).await {
            Err(failure) if failure.trouble() == Some(Trouble::Locked) => {
                if began.elapsed() >= Duration::from_secs(patience) {
                    let what = "A table could not be brought to its contract, since others hold locks on it.";
                    let doing = blocked_by(pool, what, Blockers::Readers).await;
                    return Err(RunError::during(doing)(failure));
                }
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn try_once(pool: &PgPool, definitions: &Definitions) -> Result<(), RunError> {
    let mut tx = pool.begin().await?;
    query("set local lock_timeout = '1s'")
        .execute(&mut *tx)
        .await?;
    reconciler::prepare_tables(&mut tx, definitions).await?;
    Ok(tx.commit().await?)
}
