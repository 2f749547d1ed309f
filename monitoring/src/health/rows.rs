//! How many rows of an entity stand in production.

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use staging::database::{query, query_scalar};

/// Above this many rows the planner's estimate is taken, so that looking never becomes a load.
const COUNT_UP_TO: f64 = 1_000_000.0;

/// PostgreSQL's code for a lock that could not be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Rows that are not marked deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// How many.
    pub count: i64,
    /// Whether they were counted; otherwise the database's estimate is given.
    pub exact: bool,
}

/// The live rows of an entity's table; `None` while there is no such table, or while it is being altered.
pub(super) async fn landed(conn: &mut PgConnection, entity: &str) -> sqlx::Result<Option<Rows>> {
    // Only an entity's table carries the audit column; the other tables of the schema do not count.
    let estimate: Option<f64> = query_scalar(
        "select c.reltuples::float8 from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'deleted_at' and not a.attisdropped
         where n.nspname = 'prod' and c.relname = $1 and c.relkind in ('r', 'p')",
    )
    .bind(entity)
    .fetch_optional(&mut *conn)
    .await?;
    match estimate {
        None => Ok(None),
        Some(estimate) if estimate > COUNT_UP_TO => Ok(Some(Rows {
            count: estimate as i64,
            exact: false,
        })),
        Some(_) => count(conn, entity).await,
    }
}

/// Counts inside a savepoint, so that a table locked by a promotion costs a moment and not the answer.
async fn count(conn: &mut PgConnection, entity: &str) -> sqlx::Result<Option<Rows>> {
    let mut tx = conn.begin().await?;
    query("set local lock_timeout = '200ms'")
        .execute(&mut *tx)
        .await?;
    let sql = format!(
        "select count(*) from prod.{} where deleted_at is null",
        quoted(entity)
    );
    let counted = query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await;
    tx.rollback().await?;
    match counted {
        Ok(count) => Ok(Some(Rows { count, exact: true })),
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
