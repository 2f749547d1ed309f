//! Recomputes match keys of rows after a rollback, as a run would for their records.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::{Key, keys_of, renew_blocks, store_keys};
use crate::Row;
use crate::definition::{Definition, Definitions};
use crate::reconcile::pending::StagedRecord;
use crate::reconcile::transform::transform;

/// The number of rows per round of statements.
const BATCH: i64 = 1_000;

/// Recomputes the match keys of the rows that promotion `number` changed, for every module that fills one of
/// `entities`.
pub async fn rekey(
    conn: &mut PgConnection,
    definitions: &Definitions,
    number: i64,
    entities: &BTreeSet<String>,
) -> sqlx::Result<()> {
    for entity in entities {
        reblock(conn, definitions, number, entity).await?;
    }
    for definition in definitions.parents_first() {
        if entities.contains(definition.entity()) && !definition.spec.matching.keys.is_empty() {
            rekey_module(conn, definition, number).await?;
        }
    }
    Ok(())
}

/// Recomputes the blocking keys of the rows of a table that a promotion changed.
async fn reblock(
    conn: &mut PgConnection,
    definitions: &Definitions,
    number: i64,
    entity: &str,
) -> sqlx::Result<()> {
    let mut after = String::new();
    loop {
        let ids: Vec<String> = query_scalar(
            "select entity_id from history.changes
             where number = $1 and entity = $2 and part = 1 and entity_id > $3 order by entity_id limit $4",
        )
        .bind(number)
        .bind(entity)
        .bind(&after)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        renew_blocks(conn, definitions, entity, &ids).await?;
    }
}

/// A row, and the module's record that leads it.
#[derive(sqlx::FromRow)]
struct Spoken {
    entity_id: String,
    image: Json<Map<String, Value>>,
    #[sqlx(flatten)]
    record: StagedRecord,
}

async fn rekey_module(
    conn: &mut PgConnection,
    definition: &Definition,
    number: i64,
) -> sqlx::Result<()> {
    let entity = definition.entity();
    let derived = definition.spec.derive.as_ref().map(|d| d.from.as_str());
    let mut after = String::new();
    loop {
        let rows: Vec<Spoken> = query_as(AssertSqlSafe(format!(
            "select t.id as entity_id, to_jsonb(t) as image, r.source_id, r.module as origin, r.payload::text as payload,
                    r.raw, r.gone_in is not null as gone, r.hash, r.pass_id, r.page
             from history.changes c
             join prod.\"{entity}\" t on t.id = c.entity_id
             cross join lateral (
                 select source_id from prod.identities i
                 where i.entity_id = t.id and i.entity = c.entity and i.module = $3 and i.source = $4 and i.valid_to is null
                 order by i.gone, i.origin <> i.module, i.method in ('exact_key', 'scored', 'said', 'merged'), i.source_id limit 1) i
             cross join lateral (
                 select * from staging.records r where r.source_id = i.source_id and r.module in ($3, $5)
                 order by r.module = $3 desc limit 1) r
             where c.number = $1 and c.entity = $2 and c.part = 1 and c.entity_id > $6
             order by c.entity_id limit $7"
        )))
        .bind(number)
        .bind(entity)
        .bind(definition.name())
        .bind(&definition.module.source)
        .bind(derived)
        .bind(&after)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after.clone_from(&last.entity_id);
        let ids: Vec<&str> = rows.iter().map(|row| row.entity_id.as_str()).collect();
        let keys: Vec<(&str, Key)> = rows
            .iter()
            .flat_map(|row| {
                let keys = keys_of_row(definition, row);
                keys.into_iter().map(|key| (row.entity_id.as_str(), key))
            })
            .collect();
        store_keys(conn, definition, &ids, &keys).await?;
    }
}

/// The keys of the production row, with the `_columns` of its record.
fn keys_of_row(definition: &Definition, spoken: &Spoken) -> Vec<Key> {
    let row = &spoken.image.0;
    let specs = &definition.spec.matching.keys;
    let hinted = specs
        .iter()
        .flat_map(|spec| &spec.on)
        .any(|column| column.starts_with('_'));
    let transformed = hinted.then(|| transform(definition, &spoken.record));
    let hints = match transformed {
        Some(Ok(Some(transformed))) => transformed.hints,
        _ => Row::default(),
    };
    keys_of(specs, |column| {
        hints.get(column).or_else(|| row.get(column))
    })
}
