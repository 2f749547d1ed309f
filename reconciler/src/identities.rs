//! Who is who: which entity each record is, and the row it last gave.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use staging::database::{query, query_as, query_scalar};

use crate::definition::Definition;

/// What is known of one record.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Identity {
    pub(crate) source_id: String,
    pub(crate) entity_id: String,
    #[sqlx(json)]
    pub(crate) base: Map<String, Value>,
    /// The columns of the base in which the record says nothing any more.
    #[sqlx(json)]
    pub(crate) silent: BTreeSet<String>,
    pub(crate) leads: bool,
    pub(crate) gone: bool,
    /// Whether the entity was only made up for a child of the record, which has not come yet.
    pub(crate) placeholder: bool,
    /// Whether the record is another name of an entity, into which its source merged it.
    pub(crate) merged: bool,
}

/// The identities of records of a module, by source id.
pub(crate) async fn known(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Identity>> {
    const COLUMNS: &str = "source_id, entity_id, base, silent, leads, gone,
        method = 'placeholder' as placeholder, method = 'merged' as merged";
    let rows: Vec<Identity> = of_records(conn, definition, ids, COLUMNS).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.source_id.clone(), row))
        .collect())
}

/// The entities of records of a module, by source id.
pub(crate) async fn entities(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> =
        of_records(conn, definition, ids, "source_id, entity_id").await?;
    Ok(rows.into_iter().collect())
}

async fn of_records<T>(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
    columns: &str,
) -> sqlx::Result<Vec<T>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    query_as(AssertSqlSafe(format!(
        "select {columns} from prod.identities
         where source = $1 and module = $2 and source_id = any($3) and valid_to is null"
    )))
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .fetch_all(conn)
    .await
}

/// What entities are known by: whether a living record leads them, and what their records have said.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Standing {
    pub(crate) entity_id: String,
    pub(crate) led: bool,
    #[sqlx(json)]
    pub(crate) said: Map<String, Value>,
}

/// The standing of entities that have any identity.
pub(crate) async fn standings(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Standing>> {
    let rows: Vec<Standing> = query_as(
        "select i.entity_id, bool_or(i.leads and not i.gone) as led,
                (select coalesce(jsonb_object_agg(e.key, e.value order by o.leads, o.valid_from), '{}')
                 from prod.identities o, jsonb_each(o.base) e
                 where o.entity = $1 and o.entity_id = i.entity_id and o.valid_to is null) as said
         from prod.identities i where i.entity = $1 and i.entity_id = any($2) and i.valid_to is null
         group by i.entity_id",
    )
    .bind(entity)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.entity_id.clone(), row))
        .collect())
}

/// Rows that stand under these ids, and whether some identity is theirs.
pub(crate) async fn bearers(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, bool>> {
    let rows: Vec<(String, bool)> = query_as(AssertSqlSafe(format!(
        "select t.id, exists (select from prod.identities i
                              where i.entity = $1 and i.entity_id = t.id and i.valid_to is null)
         from prod.\"{entity}\" t where t.id = any($2)"
    )))
    .bind(entity)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// A new or changed identity to be written.
#[derive(Debug)]
pub(crate) struct IdentityWrite {
    pub(crate) source_id: String,
    pub(crate) entity_id: String,
    pub(crate) method: &'static str,
    pub(crate) score: Option<f64>,
    pub(crate) evidence: Value,
    pub(crate) base: Map<String, Value>,
    pub(crate) leads: bool,
}

/// Writes identities; of a record already known only the base moves, and it is alive again.
pub(crate) async fn write(
    conn: &mut PgConnection,
    definition: &Definition,
    promotion: i64,
    rows: &[IdentityWrite],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&IdentityWrite) -> &str| rows.iter().map(pick).collect::<Vec<&str>>();
    query(
        "insert into prod.identities as i
             (source, module, source_id, entity, entity_id, method, score, evidence, author, base, leads, promotion)
         select $1, $2, r.source_id, $3, r.entity_id, r.method, r.score, r.evidence, 'concord', r.base, r.leads, $4
         from unnest($5::text[], $6::text[], $7::text[], $8::jsonb[], $9::jsonb[], $10::bool[], $11::float8[])
             as r(source_id, entity_id, method, evidence, base, leads, score)
         on conflict (source, module, source_id) where valid_to is null
         do update set base = excluded.base, leads = excluded.leads, gone = false,
             evidence = case when i.method = 'placeholder' then excluded.evidence else i.evidence end,
             method = case when i.method = 'placeholder' then 'known' else i.method end",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(definition.entity())
    .bind(promotion)
    .bind(column(|r| &r.source_id))
    .bind(column(|r| &r.entity_id))
    .bind(column(|r| r.method))
    .bind(rows.iter().map(|r| Json(&r.evidence)).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| Json(&r.base)).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.leads).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.score).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// One look-up per record, whatever the planner believes of the table's size.
const FALL_SILENT: &str = "update prod.identities i set silent = r.silent
     from (select k.ctid as at, n.silent from unnest($3::text[], $4::jsonb[]) as n(source_id, silent)
           cross join lateral (
               select k.ctid from prod.identities k
               where k.source_id = n.source_id and k.module = $2 and k.source = $1 and k.valid_to is null offset 0
           ) k) r
     where i.ctid = r.at";

/// Remembers in which columns records say nothing any more.
pub(crate) async fn fall_silent(
    conn: &mut PgConnection,
    definition: &Definition,
    rows: &[(String, BTreeSet<String>)],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    query(FALL_SILENT)
        .bind(&definition.module.source)
        .bind(definition.name())
        .bind(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
        .bind(
            rows.iter()
                .map(|(_, silent)| Json(silent))
                .collect::<Vec<_>>(),
        )
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends what was held of records that turn out to be other entities; one held since this very transaction
/// never was.
pub(crate) async fn end(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<()> {
    for sql in [
        "delete from prod.identities
         where source = $1 and module = $2 and source_id = any($3) and valid_to is null and valid_from = now()",
        "update prod.identities set valid_to = now()
         where source = $1 and module = $2 and source_id = any($3) and valid_to is null",
    ] {
        query(sql)
            .bind(&definition.module.source)
            .bind(definition.name())
            .bind(ids)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Marks records as gone from their source. Returns the entities that no living record stands for any
/// more, with the record that was the last. Where a living one is left, the oldest of them leads.
pub(crate) async fn mark_gone(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<Vec<(String, String)>> {
    // Said once: whoever takes a tombstone back later, by hand or by a rollback, is not contradicted.
    let newly: Vec<String> = query_scalar(
        "update prod.identities set gone = true, leads = false
         where source = $1 and module = $2 and source_id = any($3) and valid_to is null and not gone
         returning source_id",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .fetch_all(&mut *conn)
    .await?;
    query(
        "update prod.identities heir set leads = true
         from (select distinct on (o.entity_id) o.source, o.module, o.source_id, o.valid_from
               from prod.identities o
               where o.entity = $1 and o.valid_to is null and not o.gone and o.entity_id in (
                   select entity_id from prod.identities
                   where source = $2 and module = $3 and source_id = any($4) and valid_to is null)
               and not exists (select from prod.identities l where l.entity = $1 and l.entity_id = o.entity_id
                               and l.valid_to is null and l.leads and not l.gone)
               order by o.entity_id, o.valid_from, o.source_id) first
         where heir.source = first.source and heir.module = first.module and heir.source_id = first.source_id
           and heir.valid_from = first.valid_from",
    )
    .bind(definition.entity())
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    query_as(
        "select distinct on (i.entity_id) i.entity_id, i.source_id from prod.identities i
         where i.source = $1 and i.module = $2 and i.source_id = any($3) and i.valid_to is null
           and not exists (select from prod.identities o where o.entity = i.entity and o.entity_id = i.entity_id
                           and o.valid_to is null and not o.gone)
         order by i.entity_id, i.source_id",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(&newly)
    .fetch_all(conn)
    .await
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::planning;

    #[sqlx::test(migrator = "staging::MIGRATOR")]
    async fn who_falls_silent_is_looked_up_though_statistics_know_of_no_record(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        sqlx::raw_sql("analyze prod.identities")
            .execute(&pool)
            .await?;
        let mut tx = pool.begin().await?;
        sqlx::raw_sql(
            "insert into prod.identities (source, module, source_id, entity, entity_id, method, author, promotion)
             select 'source', 'module', n, 'things', n, 'new', 'concord', 1 from generate_series(1, 3000) n",
        )
        .execute(&mut *tx)
        .await?;
        planning::by_index(&mut tx).await?;
        let ids: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
        let plan: Vec<(String,)> = query_as(AssertSqlSafe(format!(
            "explain (analyze, timing off) {FALL_SILENT}"
        )))
        .bind("source")
        .bind("module")
        .bind(&ids)
        .bind(vec![Json(["column"]); 1000])
        .fetch_all(&mut *tx)
        .await?;
        let plan: Vec<String> = plan.into_iter().map(|(line,)| line).collect();
        assert!(
            !plan.iter().any(|line| line.contains("Rows Removed")),
            "{plan:#?}"
        );
        let silent: i64 =
            query_scalar("select count(*) from prod.identities where silent = '[\"column\"]'")
                .fetch_one(&mut *tx)
                .await?;
        assert_eq!(silent, 1000);
        Ok(())
    }
}
