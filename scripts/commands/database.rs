//! Opens the database for one command.

use anyhow::Context;
use sqlx::{PgPool, Postgres, Transaction};

use crate::config::Config;

/// Opens the database, does the work and closes it again, even if the work failed.
pub async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&PgPool) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let database = staging::database::open(&config.database).await?;
    let done = work(&database.pool).await;
    database.close().await?;
    done
}

/// Does the work in one read-only transaction.
pub async fn reading<T>(
    config: &Config,
    work: impl AsyncFnOnce(&mut Transaction<'static, Postgres>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_database(config, async |pool| {
        let mut tx = pool
            .begin()
            .await
            .context("The database refused a transaction. Run `concord doctor`.")?;
        staging::database::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await?;
        staging::database::query("set local timezone = 'UTC'")
            .execute(&mut *tx)
            .await?;
        let done = work(&mut tx).await;
        tx.rollback().await?;
        done
    })
    .await
}
