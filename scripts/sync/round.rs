//! What a round of runs needs of the database before them and between them.

use reconciler::{Definitions, prepare_tables};
use sqlx::PgPool;
use staging::database::query_as;

use super::Outages;

/// Brings the production tables to their contracts.
pub async fn bring_tables(
    pool: &PgPool,
    outages: &Outages<'_>,
    definitions: &Definitions,
) -> anyhow::Result<()> {
    outages
        .insist(async || {
            let mut tx = pool.begin().await?;
            prepare_tables(&mut tx, definitions).await?;
            Ok(tx.commit().await?)
        })
        .await
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
