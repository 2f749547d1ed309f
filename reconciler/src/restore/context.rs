//! What the verbs of this folder read.

use serde_json::Value;
use sqlx::PgConnection;
use staging::database::query_scalar;

use crate::definition::{Definition, Definitions};
use crate::reconcile::context::Ctx;
use crate::table_rules::{TableRules, modules_of};

/// The moment of the transaction, as PostgreSQL writes it.
pub(super) async fn now(conn: &mut PgConnection) -> sqlx::Result<Value> {
    query_scalar("select to_jsonb(now())").fetch_one(conn).await
}

/// The tables of all modules, with the first module of each.
pub(super) fn tables(definitions: &Definitions) -> Vec<(&str, &Definition)> {
    let mut tables: Vec<(&str, &Definition)> = Vec::new();
    for definition in definitions.parents_first() {
        if tables
            .iter()
            .all(|(entity, _)| *entity != definition.entity())
        {
            tables.push((definition.entity(), definition));
        }
    }
    tables
}

/// What every step reads, for a table.
pub(super) fn context<'a>(
    definitions: &'a Definitions,
    table: &'a TableRules<'a>,
    actor: &'a str,
    now: &'a Value,
) -> Option<Ctx<'a>> {
    let definition = modules_of(definitions, table.entity).next()?;
    Some(Ctx {
        definitions,
        definition,
        table,
        run_id: 0,
        actor,
        now,
        replays: false,
        stands_alone: false,
        caution: None,
    })
}

/// The ids of a table's entities, page by page, in their order.
pub(super) async fn entity_ids(
    conn: &mut PgConnection,
    entity: &str,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    query_scalar(
        "select distinct entity_id from prod.identities
         where entity = $1 and valid_to is null and method <> 'merged' and entity_id > $2 order by entity_id limit $3",
    )
    .bind(entity)
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await
}
