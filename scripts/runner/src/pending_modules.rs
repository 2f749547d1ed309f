//! Modules that have work left after a round of runs.

use sqlx::PgPool;
use staging::database::query_as;

use crate::error::RunError;
use crate::retry::Retry;

/// Modules that have pending records, for example because a parent arrived.
pub async fn modules_with_pending(
    pool: &PgPool,
    retry: &Retry<'_>,
) -> Result<Vec<String>, RunError> {
    retry
        .run(async || {
            let mut tx = pool.begin().await?;
            let rows: Vec<(String,)> =
                query_as("select distinct module from staging.pending order by module")
                    .fetch_all(&mut *tx)
                    .await?;
            Ok(rows.into_iter().map(|(module,)| module).collect())
        })
        .await
}
