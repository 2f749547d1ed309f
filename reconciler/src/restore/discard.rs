//! What people wrote into production since a promotion, and giving it up.

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_as;

use super::context::{context, now, tables};
use crate::definition::Definitions;
use crate::history::Operation;
use crate::image::read_rows;
use crate::overrides::{Kind, OverrideChange, State};
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::context::Ctx;
use crate::reconcile::settle::settle_row;
use crate::reconcile::standing::Standing;
use crate::resolve::Claimed;
use crate::table_rules::TableRules;

/// Rows given up with one round of statements.
const BATCH: usize = 1_000;

/// A row that somebody else than the engine wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct WrittenByHand {
    /// The table.
    pub entity: String,
    /// The row.
    pub entity_id: String,
}

/// The rows that people wrote since promotion `n` and that no promotion behind it touched.
pub async fn written_since(conn: &mut PgConnection, n: i64) -> sqlx::Result<Vec<WrittenByHand>> {
    query_as(
        "select distinct e.entity, e.entity_id from history.edits e
         where e.edited_at > coalesce((select created_at from history.promotions where number = $1), '-infinity')
           and not exists (select from history.changes c
                           where c.entity_id = e.entity_id and c.entity = e.entity and c.number > $1)
         order by 1, 2",
    )
    .bind(n)
    .fetch_all(conn)
    .await
}

/// Gives up what people wrote into rows since promotion `n`, as part of promotion `number`: the rows become
/// what their records claim, with the overrides from before; a row that no record made is removed, where it
/// was added since.
pub(super) async fn discard(
    conn: &mut PgConnection,
    definitions: &Definitions,
    (n, number): (i64, i64),
    written: &[WrittenByHand],
    actor: &str,
) -> sqlx::Result<()> {
    let now = now(conn).await?;
    for (entity, _) in tables(definitions) {
        let table = TableRules::of(definitions, entity);
        let Some(ctx) = context(definitions, &table, actor, &now) else {
            continue;
        };
        let ids = written.iter().filter(|row| row.entity == entity);
        let ids: Vec<&str> = ids.map(|row| row.entity_id.as_str()).collect();
        for ids in ids.chunks(BATCH) {
            discard_rows(&ctx, conn, (n, number), ids).await?;
        }
    }
    Ok(())
}

async fn discard_rows(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    (n, number): (i64, i64),
    ids: &[&str],
) -> sqlx::Result<()> {
    let entity = ctx.table.entity;
    let mut set = ChangeSet::default();
    let mut standing = Standing::read(conn, entity, ids, true).await?;
    let mut nobodys = Vec::new();
    for id in ids {
        let mut row = standing.take(ctx, id, &mut set);
        if row.identities.is_empty() {
            nobodys.push(*id);
            continue;
        }
        let claims = row.claims();
        let claimed = Claimed::of(ctx.table, &claims);
        let since = overrides_since(conn, entity, id, n).await?;
        row.overrides.retain(|of| {
            let is_given_up = of.kind == Kind::Manual && since.contains(&of.cell);
            if is_given_up {
                let mut released = of.clone();
                released.state = State::Released;
                set.overrides.push(OverrideChange {
                    entity: entity.to_owned(),
                    entity_id: (*id).to_owned(),
                    set: released,
                    is_new: false,
                });
            }
            !is_given_up
        });
        let (outcome, _) = settle_row(ctx, &mut row, &claimed, &claims, &mut set);
        if let Some(outcome) = outcome {
            set.rows.push(RowChange {
                entity: entity.to_owned(),
                entity_id: (*id).to_owned(),
                before: row.row,
                operation: outcome.operation,
                after: outcome.image,
                evidence: None,
            });
        }
    }
    let added = added_since(conn, entity, &nobodys, n).await?;
    let added: Vec<&str> = added.iter().map(String::as_str).collect();
    for (entity_id, row) in read_rows(conn, entity, &added, true).await? {
        set.rows.push(RowChange {
            entity: entity.to_owned(),
            entity_id,
            before: Some(row),
            after: None,
            operation: Operation::Delete,
            evidence: None,
        });
    }
    apply(ctx, conn, Some(number), &set).await.map(drop)
}

/// The cells of a row whose overrides were set since promotion `n`.
async fn overrides_since(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
    n: i64,
) -> sqlx::Result<Vec<String>> {
    let cells: Vec<(String,)> = query_as(
        "select cell from prod.overrides where entity_id = $2 and entity = $1 and state <> 'released'
           and set_at > coalesce((select created_at from history.promotions where number = $3), '-infinity')",
    )
    .bind(entity)
    .bind(entity_id)
    .bind(n)
    .fetch_all(conn)
    .await?;
    Ok(cells.into_iter().map(|(cell,)| cell).collect())
}

/// Of rows that no record made, those that somebody added since promotion `n`.
async fn added_since(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
    n: i64,
) -> sqlx::Result<Vec<String>> {
    let added: Vec<(String,)> = query_as(AssertSqlSafe(
        "select distinct entity_id from history.edits
         where entity = $1 and entity_id = any($2) and operation = 'insert'
           and edited_at > coalesce((select created_at from history.promotions where number = $3), '-infinity')",
    ))
    .bind(entity)
    .bind(ids)
    .bind(n)
    .fetch_all(conn)
    .await?;
    Ok(added.into_iter().map(|(id,)| id).collect())
}
