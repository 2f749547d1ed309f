//! Settings that keep a join linear where the planner's statistics lag behind the tables.

use sqlx::PgConnection;

use crate::database::statement::{query, query_as};

/// The settings before [`join_by_hash`], for [`restore`].
pub(crate) struct PlannerSettings {
    hash_join: String,
    nested_loop: String,
}

/// From here on, joins use hash or merge, whatever sizes the planner estimates: a nested loop over two large
/// sets takes quadratic time.
pub(crate) async fn join_by_hash(conn: &mut PgConnection) -> sqlx::Result<PlannerSettings> {
    let (hash_join, nested_loop) =
        query_as("select current_setting('enable_hashjoin'), current_setting('enable_nestloop')")
            .fetch_one(&mut *conn)
            .await?;
    sqlx::raw_sql("set local enable_hashjoin = on; set local enable_nestloop = off")
        .execute(conn)
        .await?;
    Ok(PlannerSettings {
        hash_join,
        nested_loop,
    })
}

/// Restores what [`join_by_hash`] changed.
pub(crate) async fn restore(conn: &mut PgConnection, before: PlannerSettings) -> sqlx::Result<()> {
    query(
        "select set_config('enable_hashjoin', $1, true), set_config('enable_nestloop', $2, true)",
    )
    .bind(before.hash_join)
    .bind(before.nested_loop)
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses indexes only: they are right for the statements of staging at any size, and a first load fills the
/// tables before their statistics are updated.
pub(crate) async fn keep_to_index(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "set local enable_hashjoin = off; set local enable_mergejoin = off;
         set local enable_bitmapscan = off; set local enable_seqscan = off",
    )
    .execute(conn)
    .await?;
    Ok(())
}
