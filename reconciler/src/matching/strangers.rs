//! Keys of rows that runs did not write, brought into step before records look for their entities.

use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as, query_scalar};

use super::blocks::{renew_blocks, scorings};
use super::{Key, keys_of, store_keys};
use crate::definition::{Definition, Definitions};

/// Rows taken with one round of statements.
const BATCH: i64 = 1_000;

/// Gives keys to rows that stand in production without any identity, as after a migration from older tables, so that
/// records can find them: to those written since this was done last, or to all where the module is another. In
/// that case the blocking keys of all rows of the table are computed anew, too.
pub(crate) async fn prepare_keys(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
) -> sqlx::Result<()> {
    let entity = definition.entity();
    let blocked_by: Vec<&str> = scorings(definitions, entity).into_keys().collect();
    if definition.spec.matching.keys.is_empty() && blocked_by.is_empty() {
        return Ok(());
    }
    let version = format!("{} {}", definition.fingerprint, blocked_by.join(" "));
    let seen = seen(conn, definition.name(), &version).await?;
    let is_new = match &seen {
        None => "true".to_owned(),
        Some(seen) => format!("age(t.xmin) <= age('{seen}'::xid)"),
    };
    // One look-up each, whatever the planner believes of the tables' sizes.
    let is_known = "exists (select from prod.identities i
         where i.entity_id = t.id and i.entity = $1 and i.valid_to is null offset 0)";
    if seen.is_none() && !blocked_by.is_empty() {
        query("delete from prod.blocking_keys where entity = $1")
            .bind(entity)
            .execute(&mut *conn)
            .await?;
        walk(conn, definitions, definition, is_known, false).await?;
    }
    let sql = format!("select exists (select from prod.\"{entity}\" t where {is_new})");
    let some_are: bool = query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut *conn)
        .await?;
    if some_are {
        let stranger = format!("{is_new} and not {is_known}");
        walk(conn, definitions, definition, &stranger, true).await?;
    }
    Ok(())
}

/// The transaction up to which the module has seen its table by this version, none where it was another; the mark
/// moves to the oldest transaction that still runs.
async fn seen(
    conn: &mut PgConnection,
    module: &str,
    version: &str,
) -> sqlx::Result<Option<String>> {
    let before: Option<(String, String)> =
        query_as("select version, seen::text from prod.blocking_seen where module = $1")
            .bind(module)
            .fetch_optional(&mut *conn)
            .await?;
    query(
        "insert into prod.blocking_seen as s (module, version, seen)
         values ($1, $2, pg_snapshot_xmin(pg_current_snapshot())::xid)
         on conflict (module) do update set version = excluded.version, seen = excluded.seen",
    )
    .bind(module)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(before.filter(|(of, _)| of == version).map(|(_, seen)| seen))
}

/// Renews the keys of the rows that a condition on `t` holds for: the blocking keys, and the exact ones where asked.
async fn walk(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    condition: &str,
    with_exact: bool,
) -> sqlx::Result<()> {
    let entity = definition.entity();
    let specs = &definition.spec.matching.keys;
    let mut after = String::new();
    loop {
        let rows: Vec<(String, Json<Map<String, Value>>)> = query_as(AssertSqlSafe(format!(
            "select t.id, to_jsonb(t) from prod.\"{entity}\" t
             where t.id > $2 and $1 <> '' and t.deleted_at is null and {condition} order by t.id limit {BATCH}"
        )))
        .bind(entity)
        .bind(&after)
        .fetch_all(&mut *conn)
        .await?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        renew_blocks(conn, definitions, entity, &ids).await?;
        if with_exact && !specs.is_empty() {
            let of = |(id, row): &'_ (String, Json<Map<String, Value>>)| -> Vec<(String, Key)> {
                let keys = keys_of(specs, |column| row.0.get(column));
                keys.into_iter().map(|key| (id.clone(), key)).collect()
            };
            let keys: Vec<(String, Key)> = rows.iter().flat_map(of).collect();
            let keys: Vec<(&str, Key)> = keys
                .iter()
                .map(|(id, key)| (id.as_str(), key.clone()))
                .collect();
            store_keys(conn, definition, &ids, &keys).await?;
        }
    }
}
