//! Rolls production back to an earlier promotion, by a new promotion.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_scalar};

use super::chain::Sealed;
use super::images::{Shape, statement, write_rows};
use super::plan::refusals;
use super::table::EntityTable;
use super::targets::{Touched, targets};

/// The outcome of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackOutcome {
    /// Production was rolled back.
    Done {
        /// The new promotion.
        sealed: Sealed,
        /// The entities whose rows changed; their match keys must be recomputed.
        entities: BTreeSet<String>,
    },
    /// Production was already in that state; nothing was written.
    AlreadyThere,
}

/// Why a rollback failed; the caller must roll the transaction back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// There is no such promotion.
    #[error("{0}")]
    Refused(String),
    /// A remaining row refers to a removed row, or has a unique value that another row would get back.
    #[error(
        "promotion {target} cannot return: rows that were added or edited since stand in its way \
         (constraint `{constraint}`); change those rows first, or roll back to a later promotion"
    )]
    InTheWay {
        /// The target.
        target: i64,
        /// The violated constraint.
        constraint: String,
        /// PostgreSQL's message.
        source: sqlx::Error,
    },
    /// The database failed.
    #[error("the rollback stopped at a failure of the database; nothing was changed, try again")]
    Database(#[from] sqlx::Error),
}

/// Restores the rows that promotions after `n` changed, as part of promotion `number`; returns their tables.
pub(crate) async fn restore_rows(
    conn: &mut PgConnection,
    number: i64,
    n: i64,
    discard_local: bool,
) -> Result<BTreeSet<String>, RollbackError> {
    if let Some(refusal) = refusals(n, number - 1).pop() {
        return Err(RollbackError::Refused(refusal));
    }
    restore(conn, number, n, discard_local)
        .await
        .map_err(|error| in_the_way(n, error))
}

async fn restore(
    conn: &mut PgConnection,
    number: i64,
    n: i64,
    discard_local: bool,
) -> sqlx::Result<BTreeSet<String>> {
    query("set constraints all deferred")
        .execute(&mut *conn)
        .await?;
    let mut entities = BTreeSet::new();
    for step in [Step::MakeRoom, Step::Restore] {
        let mut touched = Touched::open(conn, n, number).await?;
        while let Some((entity, ids)) = touched.next(conn).await? {
            let table = EntityTable::read(conn, &entity).await?;
            let Some(given) = step.given(&table) else {
                continue;
            };
            lock(conn, &table, &ids).await?;
            let restore = query_scalar(AssertSqlSafe(statement(&table, &given, Shape::Given)))
                .bind(number)
                .bind(&entity)
                .bind(&ids)
                .bind(n)
                .bind(discard_local);
            let changed = write_rows(conn, restore).await?;
            forget_keys(conn, &table, &ids).await?;
            if changed > 0 {
                entities.insert(entity);
            }
        }
    }
    query("set constraints all immediate").execute(conn).await?;
    Ok(entities)
}

/// Unique indexes are checked row by row, and a value may have to move from one row to another. So rows that
/// give up a value are marked as deleted first; the ledger keeps only the first and last image of each row.
#[derive(Clone, Copy)]
enum Step {
    MakeRoom,
    Restore,
}

impl Step {
    /// The rows to write, as [`statement`] expects them; `None` if the table needs no such step.
    fn given(self, table: &EntityTable) -> Option<String> {
        let (image, filter) = match self {
            Self::Restore => ("wish", "true".to_owned()),
            Self::MakeRoom if table.unique.is_empty() || !table.tombstones => return None,
            Self::MakeRoom => {
                let differs = |column: &String| {
                    format!("found -> {column} is distinct from wish -> {column}")
                };
                let differ: Vec<String> = table.unique.iter().map(differs).collect();
                (
                    "case when wish is not null then found || jsonb_build_object('deleted_at', now()) end",
                    format!("found is not null and ({})", differ.join(" or ")),
                )
            }
        };
        Some(format!(
            "select entity_id, {image} as image, operation, null::text as module, null::text as source_id,
                    null::bytea as record_hash, null::bigint as pass_id, null::integer as page
             from ({}) t where {filter}",
            targets(table)
        ))
    }
}

/// Locks the existing rows, so that nobody edits them between reading and writing.
async fn lock(conn: &mut PgConnection, table: &EntityTable, ids: &[String]) -> sqlx::Result<()> {
    let sql = format!(
        "select count(*) from (select from {} where id = any($1) order by id for update) locked",
        table.name
    );
    query(AssertSqlSafe(sql))
        .bind(ids)
        .execute(conn)
        .await
        .map(drop)
}

async fn forget_keys(
    conn: &mut PgConnection,
    table: &EntityTable,
    ids: &[String],
) -> sqlx::Result<()> {
    let sql = format!(
        "delete from prod.match_keys k where entity = $1 and entity_id = any($2)
         and not exists (select from {} t where t.id = k.entity_id)",
        table.name
    );
    query(AssertSqlSafe(sql))
        .bind(&table.entity)
        .bind(ids)
        .execute(conn)
        .await
        .map(drop)
}

fn in_the_way(target: i64, error: sqlx::Error) -> RollbackError {
    let constraint = error
        .as_database_error()
        .filter(|e| {
            e.is_foreign_key_violation() || e.is_unique_violation() || e.is_check_violation()
        })
        .and_then(|e| e.constraint())
        .map(str::to_owned);
    match constraint {
        Some(constraint) => RollbackError::InTheWay {
            target,
            constraint,
            source: error,
        },
        None => RollbackError::Database(error),
    }
}
