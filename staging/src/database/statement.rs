//! Every statement with arguments goes through these functions.
//!
//! `statement_cache_capacity(0)` alone is not enough for a pooler: sqlx would still give each statement
//! a name (`sqlx_s_1`, …) and leave it in the server session, where the next client's `sqlx_s_1` fails.
//! Only a statement that is not persistent goes unnamed.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{FromRow, Postgres, SqlSafeStr};

/// [`sqlx::query`] without a name in the server session.
pub fn query<'q>(sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

/// [`sqlx::query_as`] without a name in the server session.
pub fn query_as<'q, O>(sql: impl SqlSafeStr) -> QueryAs<'q, Postgres, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql).persistent(false)
}

/// [`sqlx::query_scalar`] without a name in the server session.
pub fn query_scalar<'q, O>(sql: impl SqlSafeStr) -> QueryScalar<'q, Postgres, O, PgArguments>
where
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(sql).persistent(false)
}
