//! Writing overrides: the only statements that change `prod.overrides`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use staging::database::query;

use super::cell_override::{Override, State};

/// One change of what people and restores decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OverrideChange {
    /// The table.
    pub(crate) entity: String,
    /// The row.
    pub(crate) entity_id: String,
    /// The override: a new one where `is_new`, else the current one of its cell in its new state.
    pub(crate) set: Override,
    /// Whether it replaces the current one of its cell.
    pub(crate) is_new: bool,
}

/// Writes changes of overrides as part of promotion `number`, by `actor`.
pub(crate) async fn write(
    conn: &mut PgConnection,
    number: i64,
    actor: &str,
    changes: &[OverrideChange],
) -> sqlx::Result<()> {
    let is_ended = |change: &&OverrideChange| change.is_new || change.set.state == State::Released;
    let ended: Vec<&OverrideChange> = changes.iter().filter(is_ended).collect();
    release(conn, number, actor, &ended).await?;
    let moved: Vec<&OverrideChange> = changes.iter().filter(|c| !is_ended(c)).collect();
    restate(conn, &moved).await?;
    // Of one cell the last one set counts.
    let mut seen = HashSet::new();
    let mut set: Vec<&OverrideChange> = changes
        .iter()
        .rev()
        .filter(|change| change.is_new)
        .filter(|change| seen.insert((&change.entity, &change.entity_id, &change.set.cell)))
        .filter(|change| change.set.state != State::Released)
        .collect();
    set.reverse();
    insert(conn, number, &set).await
}

type Text<'c> = Vec<&'c str>;

fn cells<'c>(changes: &[&'c OverrideChange]) -> (Text<'c>, Text<'c>, Text<'c>) {
    let mut cells = (vec![], vec![], vec![]);
    for change in changes {
        cells.0.push(change.entity.as_str());
        cells.1.push(change.entity_id.as_str());
        cells.2.push(change.set.cell.as_str());
    }
    cells
}

const NAMED: &str = "from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as n(entity, entity_id, cell, state)
     cross join lateral (select k.ctid as at from prod.overrides k
         where k.entity_id = n.entity_id and k.entity = n.entity and k.cell = n.cell and k.state <> 'released'
         offset 0) k";

async fn release(
    conn: &mut PgConnection,
    number: i64,
    actor: &str,
    ended: &[&OverrideChange],
) -> sqlx::Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let (entities, ids, names) = cells(ended);
    query(sqlx::AssertSqlSafe(format!(
        "update prod.overrides set state = 'released', released_in = $5, released_by = $6, released_at = clock_timestamp()
         where ctid = any(array(select k.at {NAMED}))"
    )))
    .bind(entities)
    .bind(ids)
    .bind(&names)
    .bind(vec!["released"; names.len()])
    .bind(number)
    .bind(actor)
    .execute(conn)
    .await
    .map(drop)
}

async fn restate(conn: &mut PgConnection, moved: &[&OverrideChange]) -> sqlx::Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let (entities, ids, names) = cells(moved);
    let states = moved.iter().map(|change| change.set.state.as_str());
    query(sqlx::AssertSqlSafe(format!(
        "update prod.overrides o set state = r.state from (select k.at, n.state {NAMED}) r where o.ctid = r.at"
    )))
    .bind(entities)
    .bind(ids)
    .bind(names)
    .bind(states.collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

async fn insert(
    conn: &mut PgConnection,
    number: i64,
    changes: &[&OverrideChange],
) -> sqlx::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let (entities, ids, names) = cells(changes);
    let text = |pick: fn(&Override) -> &str| {
        let picked = changes.iter().map(|change| pick(&change.set));
        picked.collect::<Vec<_>>()
    };
    query(
        "insert into prod.overrides (entity, entity_id, cell, value, against, kind, author, reason, set_at, state,
                                     carried_from, promotion)
         select n.entity, n.entity_id, n.cell, n.value, n.against, n.kind, n.author, n.reason,
                coalesce(n.set_at::timestamptz, clock_timestamp()), n.state, n.carried_from, $12
         from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::text[])
             as n(entity, entity_id, cell, value, against, kind, author, reason, set_at, state, carried_from)",
    )
    .bind(entities)
    .bind(ids)
    .bind(names)
    .bind(changes.iter().map(|c| Json(&c.set.value)).collect::<Vec<_>>())
    .bind(
        changes
            .iter()
            .map(|c| c.set.against.as_ref().map(Json))
            .collect::<Vec<_>>(),
    )
    .bind(text(|set| set.kind.as_str()))
    .bind(text(|set| &set.author))
    .bind(text(|set| &set.reason))
    .bind(
        changes
            .iter()
            .map(|c| c.set.set_at.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(text(|set| set.state.as_str()))
    .bind(
        changes
            .iter()
            .map(|c| c.set.carried_from.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(number)
    .execute(conn)
    .await
    .map(drop)
}

/// Makes restored values of those overrides of a table, found by an upgrade, whose cell stands as a rollback
/// left it: the last promotion of the row.
pub(crate) async fn mark_restored(conn: &mut PgConnection, entity: &str) -> sqlx::Result<()> {
    query(
        "update prod.overrides o set kind = 'restore', author = r.actor, reason = r.reason
         from (select o.override_id, p.actor, p.reason, o.cell, o.value,
                      history.image(o.entity, o.entity_id, c.after) as image
               from prod.overrides o
               cross join lateral (
                   select c.number, c.after from history.changes c
                   where c.entity_id = o.entity_id and c.entity = o.entity and c.part = 1
                   order by c.number desc limit 1) c
               join history.promotions p on p.number = c.number and p.kind = 'rollback'
               where o.entity = $1 and o.state <> 'released') r
         where o.override_id = r.override_id
           and case when r.cell <> '' then r.image -> r.cell is not distinct from r.value
                    when r.image is null then r.value = '\"absent\"'
                    when r.image ->> 'deleted_at' is null then r.value = '\"live\"'
                    else r.value = '\"deleted\"' end",
    )
    .bind(entity)
    .execute(conn)
    .await
    .map(drop)
}
