//! Computes match keys of rows without an identity, before records are matched.

use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as, query_scalar};

use super::blocking_keys::{renew_blocks, scorings};
use super::{Key, keys_of, store_keys};
use crate::definition::{Definition, Definitions};
use crate::planner_hints;

/// The number of rows per round of statements.
const BATCH: i64 = 1_000;

/// Computes keys for production rows without an identity, such as rows migrated from older tables, so that
/// records can match them. It covers the rows written since the last time, or all rows if the module's files
/// changed. In that case the blocking keys of all rows of the table are recomputed, too.
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
    let known = known(entity);
    if seen.is_none() && !blocked_by.is_empty() {
        query("delete from prod.blocking_keys where entity = $1")
            .bind(entity)
            .execute(&mut *conn)
            .await?;
        renew(conn, definitions, definition, &known, false).await?;
    }
    let is_new = match &seen {
        None => "true".to_owned(),
        Some(seen) => format!("age(t.xmin) <= age('{seen}'::xid)"),
    };
    let stranger = format!("{is_new} and not {known}");
    renew(conn, definitions, definition, &stranger, true).await
}

/// With fewer pending records than this, scanning the whole table would cost more than looking each one up.
const MANY: i64 = 1_000;

/// Whether matching by score can be skipped for a large load: the module has no duplicates, every row of the
/// table already has one of its own records, and no other module's records are there. Then no score could
/// match any of its records to an entity in this run.
pub(crate) async fn stands_alone(
    conn: &mut PgConnection,
    definition: &Definition,
) -> sqlx::Result<bool> {
    let own = definition.scoring.as_ref();
    if own.is_none_or(|scoring| scoring.within_source) {
        return Ok(false);
    }
    let before = planner_hints::by_hash(conn).await?;
    let alone = query_scalar(AssertSqlSafe(format!(
        "select (select count(*) from (select from staging.pending where module = $3 limit {MANY}) p) = {MANY}
            and not exists (
                select from prod.identities i where i.entity = $1 and i.valid_to is null
                and (i.source, i.module) <> ($2, $3))
            and not exists (
                select from prod.\"{}\" t where t.deleted_at is null and not exists (
                    select from prod.identities i
                    where i.entity_id = t.id and i.entity = $1 and i.valid_to is null and not i.gone))",
        definition.entity()
    )))
    .bind(definition.entity())
    .bind(&definition.module.source)
    .bind(definition.name())
    .fetch_one(&mut *conn)
    .await?;
    planner_hints::as_before(conn, before).await?;
    Ok(alone)
}

/// SQL condition: the row `t` has an identity.
fn known(entity: &str) -> String {
    format!(
        "exists (select from prod.identities i
         where i.entity_id = t.id and i.entity = '{entity}' and i.valid_to is null)"
    )
}

/// SQL query of the ids and contents of the rows that meet a condition on `t`.
fn rows_where(entity: &str, condition: &str) -> String {
    format!(
        "select t.id, to_jsonb(t) from prod.\"{entity}\" t where t.deleted_at is null and {condition}"
    )
}

/// The transaction up to which the module has processed its table with this version. `None` if the version
/// differs, or if the mark is a future transaction: then the database was restored into a server with lower
/// transaction ids. The mark moves to the oldest running transaction.
async fn seen(
    conn: &mut PgConnection,
    module: &str,
    version: &str,
) -> sqlx::Result<Option<String>> {
    let before: Option<(String, String)> = query_as(
        "select version, seen::text from prod.blocking_seen where module = $1 and age(seen) >= 0",
    )
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

/// Recomputes the keys of the rows that meet a condition on `t`: the blocking keys, and the exact ones if
/// asked. A cursor reads the rows once, so that the table may have any size.
async fn renew(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    condition: &str,
    with_exact: bool,
) -> sqlx::Result<()> {
    let entity = definition.entity();
    let before = planner_hints::by_hash(conn).await?;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "set local cursor_tuple_fraction = 1;
         declare strangers no scroll cursor for {}",
        rows_where(entity, condition)
    )))
    .execute(&mut *conn)
    .await?;
    planner_hints::as_before(conn, before).await?;
    loop {
        let rows: Vec<(String, Json<Map<String, Value>>)> =
            query_as(AssertSqlSafe(format!("fetch {BATCH} from strangers")))
                .fetch_all(&mut *conn)
                .await?;
        if rows.is_empty() {
            break;
        }
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        renew_blocks(conn, definitions, entity, &ids).await?;
        let specs = &definition.spec.matching.keys;
        if with_exact && !specs.is_empty() {
            let keys: Vec<(&str, Key)> = rows
                .iter()
                .flat_map(|(id, row)| {
                    let keys = keys_of(specs, |column| row.0.get(column));
                    keys.into_iter().map(|key| (id.as_str(), key))
                })
                .collect();
            store_keys(conn, definition, &ids, &keys).await?;
        }
    }
    sqlx::raw_sql("close strangers").execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "staging::MIGRATOR")]
    async fn rows_without_an_identity_are_found_by_one_hash_though_statistics_know_of_none(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        let mut tx = pool.begin().await?;
        sqlx::raw_sql(
            "create table prod.things (id text primary key, deleted_at timestamptz);
             analyze prod.things; analyze prod.identities;
             insert into prod.things select n from generate_series(1, 3000) n;
             insert into prod.identities (source, module, source_id, origin, entity, entity_id, method, author, promotion)
             select 's', 'm', n, 'm', 'things', n, 'new', 'a', 1 from generate_series(1, 2999) n",
        )
        .execute(&mut *tx)
        .await?;
        planner_hints::by_index(&mut tx).await?;
        planner_hints::by_hash(&mut tx).await?;
        let plan: Vec<(String,)> = query_as(AssertSqlSafe(format!(
            "explain (analyze, timing off) {}",
            rows_where("things", &format!("not {}", known("things")))
        )))
        .fetch_all(&mut *tx)
        .await?;
        let plan: Vec<String> = plan.into_iter().map(|(line,)| line).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Hash Anti Join"), "{plan}");
        assert!(plan.contains("rows=1 loops=1"), "{plan}");
        assert!(!plan.contains("loops=3000"), "{plan}");
        Ok(())
    }
}
