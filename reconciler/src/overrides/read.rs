//! Reading overrides.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_as;

use super::cell_override::Override;

const COLUMNS: &str = "o.cell, o.value, o.against, o.kind, o.author, o.reason, to_json(o.set_at) #>> '{}' as set_at, o.state,
     o.carried_from";

#[derive(sqlx::FromRow)]
struct OfEntity {
    entity_id: String,
    #[sqlx(flatten)]
    set: Override,
}

/// The overrides of entities that count, by entity, in the order of their cells.
pub(crate) async fn by_entity(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Vec<Override>>> {
    of_entities(conn, entity, ids, "o.state <> 'released' and $3 = $3", 0).await
}

/// The overrides of entities that counted after promotion `number`.
pub(crate) async fn listed_at(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
    number: i64,
) -> sqlx::Result<HashMap<String, Vec<Override>>> {
    let counted = "o.promotion <= $3 and (o.released_in is null or o.released_in > $3)";
    of_entities(conn, entity, ids, counted, number).await
}

async fn of_entities(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
    counts: &str,
    number: i64,
) -> sqlx::Result<HashMap<String, Vec<Override>>> {
    let mut found: HashMap<String, Vec<Override>> = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let rows: Vec<OfEntity> = query_as(AssertSqlSafe(format!(
        "select q.id as entity_id, {COLUMNS} from (select distinct unnest($2::text[]) as id) q
         cross join lateral (select * from prod.overrides o
             where o.entity_id = q.id and o.entity = $1 and {counts} offset 0) o
         order by q.id, o.cell, o.override_id"
    )))
    .bind(entity)
    .bind(ids)
    .bind(number)
    .fetch_all(conn)
    .await?;
    for OfEntity { entity_id, set } in rows {
        let of = found.entry(entity_id).or_default();
        // Of one cell the last one set counts.
        of.retain(|other| other.cell != set.cell);
        of.push(set);
    }
    Ok(found)
}

/// What overrides that were carried over from an absorbed entity replaced in the one that absorbed it.
pub(crate) async fn replaced_by_carried(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
    from: &str,
) -> sqlx::Result<Vec<Override>> {
    query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from prod.overrides c
         join prod.overrides o on o.entity_id = c.entity_id and o.entity = c.entity and o.cell = c.cell
             and o.released_in = c.promotion and o.carried_from is null
         where c.entity_id = $2 and c.entity = $1 and c.carried_from = $3 and c.state <> 'released' order by o.cell"
    )))
    .bind(entity)
    .bind(entity_id)
    .bind(from)
    .fetch_all(conn)
    .await
}

/// The overrides of an entity that a promotion released.
pub(crate) async fn released_in(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
    number: i64,
) -> sqlx::Result<Vec<Override>> {
    query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from prod.overrides o
         where o.entity_id = $2 and o.entity = $1 and o.released_in = $3 order by o.cell"
    )))
    .bind(entity)
    .bind(entity_id)
    .bind(number)
    .fetch_all(conn)
    .await
}

/// An override as people see it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Listed {
    /// The table.
    pub entity: String,
    /// The row.
    pub entity_id: String,
    /// The column; empty for the row's being there.
    pub cell: String,
    /// What stands there.
    #[sqlx(json)]
    pub value: Value,
    /// What the claims came to when it was set.
    #[sqlx(json(nullable))]
    pub against: Option<Value>,
    /// `manual` or `restore`.
    pub kind: String,
    /// Who set it.
    pub author: String,
    /// Why, or with which program.
    pub reason: String,
    /// When, RFC 3339.
    pub set_at: String,
    /// `holds` or `conflict`.
    pub state: String,
}

/// Everything that holds production away from its sources, of one table or of all, `limit` at most.
pub async fn list(
    conn: &mut PgConnection,
    entity: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    query_as(
        "select entity, entity_id, cell, value, against, kind, author, reason,
                to_char(set_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as set_at, state
         from prod.overrides where state <> 'released' and ($1::text is null or entity = $1)
         order by entity, entity_id, cell limit $2",
    )
    .bind(entity)
    .bind(limit)
    .fetch_all(conn)
    .await
}
