//! The log of promotions.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use staging::database::query_as;

/// One promotion.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct LogEntry {
    /// Its number.
    pub number: i64,
    /// `sync`, `rollback` or `evolve`.
    pub kind: String,
    /// The module, for a sync.
    pub module: Option<String>,
    /// The run.
    pub run_id: Option<i64>,
    /// The target of a rollback.
    pub target: Option<i64>,
    /// The author.
    pub actor: String,
    /// The reason.
    pub reason: String,
    /// Rows by operation; `local` counts edits by hand that it found.
    pub operations: Json<BTreeMap<String, i64>>,
    /// The time, RFC 3339.
    pub created_at: String,
    /// The set hash of all rows after it, in hexadecimal.
    pub state_hash: String,
    /// Its hash in the chain, in hexadecimal.
    pub hash: String,
}

/// The latest promotions, newest first; only those before number `before`, if given.
pub async fn log(
    conn: &mut PgConnection,
    limit: i64,
    before: Option<i64>,
) -> sqlx::Result<Vec<LogEntry>> {
    query_as(
        "select number, kind, module, run_id, target, actor, reason,
                (select coalesce(jsonb_object_agg(operation, rows), '{}')
                 from (select operation, count(*) as rows from history.changes c
                       where c.number = p.number group by operation) o) as operations,
                to_char(created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as created_at,
                encode(state_hash, 'hex') as state_hash, encode(hash, 'hex') as hash
         from history.promotions p
         where $2::bigint is null or number < $2
         order by number desc limit $1",
    )
    .bind(limit)
    .bind(before)
    .fetch_all(conn)
    .await
}
