//! Plans a rollback without writing anything.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::cells::Image;
use super::chain::settle;
use super::diff::{DiffTally, RowDiff, row_diff};
use super::table::EntityTable;
use super::targets::{Touched, targets};

/// The maximum number of rows shown and kept edits listed.
const SHOWN: usize = 20;
const NAMED: usize = 100;

/// The plan of a rollback.
#[derive(Debug, Clone, Serialize)]
pub struct RollbackPlan {
    /// The promotion to return to.
    pub target: i64,
    /// The last promotion.
    pub head: i64,
    /// Rows by entity and operation.
    pub rows: Vec<DiffTally>,
    /// The first rows.
    pub sample: Vec<RowDiff>,
    /// Edits by hand that are kept, the first hundred.
    pub kept_local: Vec<KeptLocal>,
    /// How many edits are kept.
    pub kept_local_count: i64,
    /// Edits by hand that promotions after the target recorded in the history; the rollback undoes them.
    pub undone_local_rows: i64,
    /// Why it is impossible, as sentences.
    pub refused: Vec<String>,
}

/// An edit by hand that a rollback keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptLocal {
    /// The entity.
    pub entity: String,
    /// The row.
    pub entity_id: String,
    /// The column; `None` means the whole row: a person added or removed it, or edited a row that the
    /// rollback would remove.
    pub column: Option<String>,
}

/// Plans a rollback to the state after promotion `n`; writes nothing.
pub async fn plan_rollback(
    conn: &mut PgConnection,
    n: i64,
    discard_local: bool,
) -> sqlx::Result<RollbackPlan> {
    settle(conn).await?;
    let head: i64 = query_scalar("select number from history.head")
        .fetch_one(&mut *conn)
        .await?;
    let mut plan = RollbackPlan {
        target: n,
        head,
        rows: Vec::new(),
        sample: Vec::new(),
        kept_local: Vec::new(),
        kept_local_count: 0,
        undone_local_rows: 0,
        refused: refusals(n, head),
    };
    if !plan.refused.is_empty() {
        return Ok(plan);
    }
    plan.undone_local_rows = query_scalar(
        "select count(distinct (entity, entity_id)) from history.changes c
         where number > $1 and part = 0
           and (before is not null or exists (select from history.changes e
                                              where e.entity = c.entity and e.entity_id = c.entity_id
                                                and e.number < c.number))",
    )
    .bind(n)
    .fetch_one(&mut *conn)
    .await?;
    let mut rows = BTreeMap::new();
    let mut touched = Touched::open(conn, n, head + 1).await?;
    while let Some((entity, ids)) = touched.next(conn).await? {
        add_batch(conn, &mut plan, &mut rows, &entity, &ids, discard_local).await?;
    }
    plan.rows = rows
        .into_iter()
        .map(|((entity, operation), rows)| DiffTally {
            entity,
            operation,
            rows,
        })
        .collect();
    Ok(plan)
}

/// Why a rollback to promotion `n` is impossible.
pub(super) fn refusals(n: i64, head: i64) -> Vec<String> {
    if (0..=head).contains(&n) {
        return Vec::new();
    }
    vec![format!(
        "there is no promotion {n}; name one from 0 (before all of them) to {head}, as `concord log` lists them"
    )]
}

/// The outcome for one row; images only for rows that are shown.
#[derive(sqlx::FromRow)]
struct Fate {
    entity_id: String,
    operation: String,
    kept: Vec<Option<String>>,
    differs: bool,
    found: Option<Json<Image>>,
    wish: Option<Json<Image>>,
}

async fn add_batch(
    conn: &mut PgConnection,
    plan: &mut RollbackPlan,
    rows: &mut BTreeMap<(String, String), i64>,
    entity: &str,
    ids: &[String],
    discard_local: bool,
) -> sqlx::Result<()> {
    let table = EntityTable::read(conn, entity).await?;
    let sql = format!(
        "select entity_id, operation, kept,
                found is distinct from wish as differs,
                case when shown then found end as found, case when shown then wish end as wish
         from (select t.*, found is distinct from wish
                           and row_number() over (partition by found is distinct from wish order by entity_id) <= $6 as shown
               from ({}) t) t
         order by entity_id",
        targets(&table)
    );
    let fates: Vec<Fate> = query_as(AssertSqlSafe(sql))
        .bind(plan.head + 1)
        .bind(entity)
        .bind(ids)
        .bind(plan.target)
        .bind(discard_local)
        .bind((SHOWN - plan.sample.len()) as i64)
        .fetch_all(conn)
        .await?;
    for fate in fates {
        let Fate {
            entity_id,
            operation,
            kept,
            differs,
            found,
            wish,
        } = fate;
        plan.kept_local_count += kept.len() as i64;
        for column in kept.into_iter().take(NAMED - plan.kept_local.len()) {
            plan.kept_local.push(KeptLocal {
                entity: entity.to_owned(),
                entity_id: entity_id.clone(),
                column,
            });
        }
        if differs {
            *rows.entry((entity.to_owned(), operation)).or_default() += 1;
        }
        if found.is_some() || wish.is_some() {
            plan.sample.push(row_diff(
                entity.to_owned(),
                entity_id,
                found.as_deref(),
                wish.as_deref(),
            ));
        }
    }
    Ok(())
}
