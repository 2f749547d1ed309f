//! Planner settings for statements over tables that the same transaction fills: PostgreSQL has no statistics
//! about those rows yet.

use sqlx::PgConnection;
use staging::database::{query, query_scalar};

/// The settings before [`by_hash`], for [`as_before`].
pub(crate) struct Before(String);

/// For looking up a batch in indexed tables: joins run in the written order, through indexes, which is right
/// at any size.
pub(crate) async fn by_index(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "set local join_collapse_limit = 1; set local from_collapse_limit = 1; set local enable_hashjoin = off;
         set local enable_mergejoin = off; set local enable_seqscan = off; set local enable_sort = off;
         set local jit = off",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// For joining two sets of similar size: a hash join, whatever the planner's estimate; a nested loop would
/// take quadratic time.
pub(crate) async fn by_hash(conn: &mut PgConnection) -> sqlx::Result<Before> {
    let hash = query_scalar("select current_setting('enable_hashjoin')")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::raw_sql("set local enable_hashjoin = on; set local enable_nestloop = off")
        .execute(conn)
        .await?;
    Ok(Before(hash))
}

/// Restores the settings that [`by_hash`] changed.
pub(crate) async fn as_before(conn: &mut PgConnection, before: Before) -> sqlx::Result<()> {
    query(
        "select set_config('enable_hashjoin', $1, true), set_config('enable_nestloop', 'on', true)",
    )
    .bind(before.0)
    .execute(conn)
    .await?;
    Ok(())
}
