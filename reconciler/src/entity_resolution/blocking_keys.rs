//! Stores blocking keys of production rows, and finds the rows that share one with a record.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::CopyRows;
use staging::database::{query, query_as};

use super::Scoring;
use super::scoring::Block;
use crate::definition::{Definition, Definitions};
use crate::parallel_map::parallel_map;

/// The distinct matchers of one table; modules with equal matchers share their keys.
pub(super) fn scorings<'d>(
    definitions: &'d Definitions,
    entity: &str,
) -> BTreeMap<&'d str, &'d Scoring> {
    let all = definitions.parents_first();
    all.into_iter()
        .filter(|definition| definition.entity() == entity)
        .filter_map(|definition| definition.scoring.as_ref())
        .map(|scoring| (scoring.blocked_by.as_str(), scoring))
        .collect()
}

/// The columns that matchers of a table compare, as SQL for a JSON object of the row `t`.
fn compared<'s>(scorings: impl IntoIterator<Item = &'s &'s Scoring>) -> String {
    let mut columns: Vec<&str> = scorings
        .into_iter()
        .flat_map(|scoring| scoring.columns())
        .map(String::as_str)
        .collect();
    columns.sort_unstable();
    columns.dedup();
    let pairs: Vec<String> = columns
        .iter()
        .map(|column| format!("'{column}', t.\"{column}\""))
        .collect();
    format!("jsonb_build_object({})", pairs.join(", "))
}

/// Recomputes the blocking keys of rows from production; deleted rows and placeholders get none.
pub(crate) async fn renew_blocks(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<()> {
    let scorings = scorings(definitions, entity);
    if scorings.is_empty() || ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, Json<Map<String, Value>>)> = query_as(AssertSqlSafe(format!(
        "select t.id, {} from unnest($1::text[]) q (id)
         cross join lateral (select * from prod.\"{entity}\" t where t.id = q.id
             and t.deleted_at is null and t.is_placeholder is not true offset 0) t",
        compared(scorings.values())
    )))
    .bind(ids)
    .fetch_all(&mut *conn)
    .await?;
    query(
        "delete from prod.blocking_keys where ctid = any(array(
             select k.ctid from unnest($2::text[]) q (id) cross join lateral (
                 select k.ctid from prod.blocking_keys k where k.entity_id = q.id and k.entity = $1 offset 0) k))",
    )
    .bind(entity)
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    store(conn, entity, &scorings, &rows).await
}

async fn store(
    conn: &mut PgConnection,
    entity: &str,
    scorings: &BTreeMap<&str, &Scoring>,
    rows: &[(String, Json<Map<String, Value>>)],
) -> sqlx::Result<()> {
    let mut keys = CopyRows::with_capacity(rows.len() * 600);
    for scoring in scorings.values() {
        let blocks = parallel_map(rows, |(_, row)| {
            scoring.blocks_of(&scoring.profile(|column| row.0.get(column)))
        });
        for ((id, _), blocks) in rows.iter().zip(blocks) {
            for hash in blocks.iter().map(|block| block.hash) {
                keys.row(3);
                keys.field(&[&hash.to_be_bytes()]);
                keys.field(&[entity.as_bytes()]);
                keys.field(&[id.as_bytes()]);
            }
        }
    }
    keys.send(conn, "prod.blocking_keys (hash, entity, entity_id)")
        .await
}

#[derive(sqlx::FromRow)]
struct Neighbour {
    entity_id: String,
    #[sqlx(json)]
    row: Map<String, Value>,
}

/// Per record, the living entities that share a key with it, in order of their ids, and how many of its keys
/// were ignored because too many rows share them.
pub(crate) async fn neighbours_of(
    conn: &mut PgConnection,
    entity: &str,
    blocks: &[Vec<Block>],
) -> sqlx::Result<Vec<(Vec<String>, usize)>> {
    let mut found = vec![(Vec::new(), 0); blocks.len()];
    let asked: Vec<(i32, Block)> = (0_i32..)
        .zip(blocks)
        .flat_map(|(record, blocks)| blocks.iter().map(move |block| (record, *block)))
        .collect();
    if asked.is_empty() {
        return Ok(found);
    }
    let shared: Vec<(i32, i32, Vec<String>)> = query_as(
        "select q.record, q.most, k.ids from unnest($2::int[], $3::bigint[], $4::int[]) as q(record, hash, most)
         -- One look-up each, whatever the planner believes of the tables' sizes.
         cross join lateral (
             select array_agg(s.entity_id) as ids from (
                 select k.entity_id from prod.blocking_keys k
                 where k.hash = q.hash and k.entity = $1 limit q.most + 1) s offset 0) k
         where k.ids is not null",
    )
    .bind(entity)
    .bind(asked.iter().map(|(record, _)| *record).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, block)| block.hash).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, block)| block.most).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    for (record, most, ids) in shared {
        let of = &mut found[record as usize];
        match ids.len() > most as usize {
            true => of.1 += 1,
            false => of.0.extend(ids),
        }
    }
    for (ids, _) in &mut found {
        ids.sort_unstable();
        ids.dedup();
    }
    Ok(found)
}

/// The rows of entities with the columns that a module's matcher compares, by id.
pub(super) async fn neighbours(
    conn: &mut PgConnection,
    definition: &Definition,
    scoring: &Scoring,
    ids: &[&str],
) -> sqlx::Result<BTreeMap<String, Map<String, Value>>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let entity = definition.entity();
    let rows: Vec<Neighbour> = query_as(AssertSqlSafe(format!(
        "select t.id as entity_id, {} as row from unnest($1::text[]) q (id)
         cross join lateral (select * from prod.\"{entity}\" t where t.id = q.id
             and t.deleted_at is null and t.is_placeholder is not true offset 0) t",
        compared([&scoring])
    )))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.entity_id, row.row))
        .collect())
}

/// The entities among these that already have a living record of the module.
pub(super) async fn taken(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<BTreeSet<String>> {
    let taken: Vec<(String,)> = query_as(
        "select q.id from unnest($1::text[]) q (id)
         cross join lateral (select from prod.identities i where i.entity_id = q.id and i.entity = $2
             and i.source = $3 and i.module = $4 and i.valid_to is null and not i.gone limit 1) i",
    )
    .bind(ids)
    .bind(definition.entity())
    .bind(&definition.module.source)
    .bind(definition.name())
    .fetch_all(conn)
    .await?;
    Ok(taken.into_iter().map(|(id,)| id).collect())
}
