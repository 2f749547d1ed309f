//! Looks up and stores exact match keys.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as};

use super::{Candidate, Key};
use crate::definition::Definition;

#[derive(sqlx::FromRow)]
struct Found {
    label: String,
    value: Vec<u8>,
    entity_id: String,
    same_module: bool,
    taken: Vec<String>,
    lives: bool,
}

/// The entities that have any of `keys`, by key: those that live, or else those whose records have left other
/// modules.
pub(crate) async fn candidates(
    conn: &mut PgConnection,
    definition: &Definition,
    keys: &[&Key],
) -> sqlx::Result<HashMap<Key, Vec<Candidate>>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let entity = definition.entity();
    let found: Vec<Found> = query_as(AssertSqlSafe(format!(
        "select k.label, k.value, k.entity_id,
                coalesce(bool_or(i.source = $4 and i.module = $5), false) as same_module,
                bool_or(t.lives) as lives,
                coalesce(array_agg(i.evidence -> 'distinct' ->> k.label)
                    filter (where i.evidence -> 'distinct' ->> k.label is not null), '{{}}') as taken
         from unnest($2::text[], $3::bytea[]) as q(label, value)
         -- One look-up each, whatever the planner believes of the tables' sizes.
         cross join lateral (select * from prod.match_keys k
             where k.value = q.value and k.label = q.label and k.entity = $1 offset 0) k
         -- A row whose records are all gone may be met by a record of another module: it has moved there.
         cross join lateral (select t.deleted_at is null as lives from prod.\"{entity}\" t
             where t.id = k.entity_id and (t.deleted_at is null or not exists (
                 select from prod.identities o where o.entity_id = t.id and o.entity = $1 and o.valid_to is null
                   and (not o.gone or o.source = $4 and o.module = $5))
                 and not exists (select from prod.overrides w where w.entity_id = t.id and w.entity = $1
                                 and w.cell = '' and w.state <> 'released')) offset 0) t
         left join lateral (select * from prod.identities i where i.entity_id = k.entity_id and i.entity = $1
             and i.valid_to is null and not i.gone offset 0) i on true
         group by k.label, k.value, k.entity_id"
    )))
    .bind(entity)
    .bind(keys.iter().map(|k| k.label.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|k| k.value.as_slice()).collect::<Vec<_>>())
    .bind(&definition.module.source)
    .bind(definition.name())
    .fetch_all(conn)
    .await?;
    let mut by_key: HashMap<Key, Vec<(bool, Candidate)>> = HashMap::new();
    for row in found {
        let key = Key {
            label: row.label.clone(),
            value: row.value,
        };
        let candidate = Candidate {
            label: row.label,
            entity_id: row.entity_id,
            same_module: row.same_module,
            taken: row.taken,
        };
        by_key.entry(key).or_default().push((row.lives, candidate));
    }
    // One that lives comes before all that do not.
    let by_key = by_key.into_iter().map(|(key, mut found)| {
        let any_lives = found.iter().any(|(lives, _)| *lives);
        found.retain(|(lives, _)| *lives == any_lives);
        (
            key,
            found.into_iter().map(|(_, candidate)| candidate).collect(),
        )
    });
    let by_key = by_key.collect();
    Ok(by_key)
}

/// Replaces the stored keys of entities. Keys that need a transform's `_columns` are passed in, because a
/// production row does not have those columns; keys of other modules on the same table are kept.
pub(crate) async fn store_keys(
    conn: &mut PgConnection,
    definition: &Definition,
    renewed: &[&str],
    keys: &[(&str, Key)],
) -> sqlx::Result<()> {
    let entity = definition.entity();
    if !renewed.is_empty() {
        let labels: Vec<&str> = definition
            .spec
            .matching
            .keys
            .iter()
            .map(|k| k.label.as_str())
            .collect();
        query("delete from prod.match_keys where entity = $1 and entity_id = any($2) and label = any($3)")
            .bind(entity)
            .bind(renewed)
            .bind(labels)
            .execute(&mut *conn)
            .await?;
    }
    if keys.is_empty() {
        return Ok(());
    }
    query(
        "insert into prod.match_keys (entity, label, value, entity_id)
         select $1, k.label, k.value, k.entity_id
         from unnest($2::text[], $3::bytea[], $4::text[]) as k(label, value, entity_id) on conflict do nothing",
    )
    .bind(entity)
    .bind(keys.iter().map(|(_, k)| k.label.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, k)| k.value.as_slice()).collect::<Vec<_>>())
    .bind(keys.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
