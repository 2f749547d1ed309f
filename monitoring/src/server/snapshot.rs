//! One look at the database, bounded in time, that changes nothing.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use staging::database::query;

use super::monitor::Monitor;
use crate::health::{Health, health};

/// How long a look may take, the wait for a connection included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is nothing to show. The cause itself goes to the log and never into an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unverified {
    #[error("The database did not answer in {} seconds.", PATIENCE.as_secs())]
    Silent,
    #[error("The database could not be read.")]
    Refused(#[from] sqlx::Error),
}

/// The health of all modules now.
pub(super) async fn verified(monitor: &Monitor) -> Result<Health, Unverified> {
    look(&monitor.pool, async |conn| {
        health(conn, &monitor.modules).await
    })
    .await
}

/// Reads in one snapshot of the database.
pub(super) async fn look<T>(
    pool: &PgPool,
    read: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
) -> Result<T, Unverified> {
    let reading = async {
        let mut tx = pool.begin().await?;
        query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await?;
        // The server gives up too, so that nobody's statement outlives the interest in its answer.
        query("set local statement_timeout = '5s'")
            .execute(&mut *tx)
            .await?;
        let read = read(&mut tx).await?;
        tx.rollback().await?;
        Ok(read)
    };
    let looked = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(looked) => looked.map_err(Unverified::Refused),
        Err(_elapsed) => Err(Unverified::Silent),
    };
    if let Err(error) = &looked {
        let cause = std::error::Error::source(error);
        tracing::warn!(cause, "{error} Run `concord doctor` to learn why.");
    }
    looked
}
