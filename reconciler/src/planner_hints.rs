//! How PostgreSQL plans statements over tables that the very transaction fills, of which its statistics know
//! nothing yet.

use sqlx::PgConnection;
use staging::database::{query, query_scalar};

/// What [`by_hash`] found set, for [`as_before`].
pub(crate) struct Before(String);

/// From here on a batch is looked up in indexed tables: joins in the order written, through indexes, are
/// right at any size.
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

/// From here on two sets of one size meet by hash, whatever the planner believes of their number: a loop over
/// both would cost the square of it.
pub(crate) async fn by_hash(conn: &mut PgConnection) -> sqlx::Result<Before> {
    let hash = query_scalar("select current_setting('enable_hashjoin')")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::raw_sql("set local enable_hashjoin = on; set local enable_nestloop = off")
        .execute(conn)
        .await?;
    Ok(Before(hash))
}

/// Sets back what [`by_hash`] changed.
pub(crate) async fn as_before(conn: &mut PgConnection, before: Before) -> sqlx::Result<()> {
    query(
        "select set_config('enable_hashjoin', $1, true), set_config('enable_nestloop', 'on', true)",
    )
    .bind(before.0)
    .execute(conn)
    .await?;
    Ok(())
}
