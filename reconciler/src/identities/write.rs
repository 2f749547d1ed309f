//! Writing identities: the only statements that change `prod.identities`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::types::Json;
use staging::database::query;

use super::method::Method;

/// One change of who is who.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityChange {
    /// A record becomes an entity; what it was before ends.
    Assign(Assigned),
    /// A known record claims other things, and is alive.
    Claim(Claiming),
    /// A record is gone from its source.
    Gone(RecordId),
    /// A record is no entity any more.
    End(RecordId),
    /// Another name of an entity that was itself absorbed: it is another name of this one.
    Rename(RecordId, String),
}

/// A record by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RecordId {
    pub(crate) source: String,
    pub(crate) module: String,
    pub(crate) source_id: String,
}

/// A record and the entity it is from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Assigned {
    pub(crate) record: RecordId,
    pub(crate) origin: String,
    pub(crate) entity: String,
    pub(crate) entity_id: String,
    pub(crate) method: Method,
    pub(crate) score: Option<f64>,
    pub(crate) evidence: Value,
    pub(crate) author: String,
    pub(crate) claim: Map<String, Value>,
    pub(crate) kept: BTreeSet<String>,
    pub(crate) gone: bool,
    /// Whether the record had an identity before, which ends.
    pub(crate) was_known: bool,
}

/// What a known record claims from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claiming {
    pub(crate) record: RecordId,
    pub(crate) claim: Map<String, Value>,
    pub(crate) kept: BTreeSet<String>,
    /// Whether the record itself has come: a placeholder's becomes known, with this evidence.
    pub(crate) evidence: Option<Value>,
    /// Whether the record is gone and stays so.
    pub(crate) gone: bool,
}

/// Writes changes of who is who, as part of promotion `number`.
pub(crate) async fn write(
    conn: &mut PgConnection,
    number: i64,
    changes: &[IdentityChange],
) -> sqlx::Result<()> {
    let (mut ended, mut gone, mut claiming, mut assigned) = (vec![], vec![], vec![], vec![]);
    let mut renamed = vec![];
    for change in changes {
        match change {
            IdentityChange::Assign(to) => {
                if to.was_known {
                    ended.push(&to.record);
                }
                assigned.push(to);
            }
            IdentityChange::Claim(of) => claiming.push(of),
            IdentityChange::Gone(record) => gone.push(record),
            IdentityChange::End(record) => ended.push(record),
            IdentityChange::Rename(record, into) => renamed.push((record, into.as_str())),
        }
    }
    end(conn, &ended).await?;
    mark_gone(conn, &gone).await?;
    rename(conn, &renamed).await?;
    claim(conn, &claiming).await?;
    assign(conn, number, &assigned).await
}

/// The three columns that name records.
fn names<'r>(
    records: impl Iterator<Item = &'r RecordId>,
) -> (Vec<&'r str>, Vec<&'r str>, Vec<&'r str>) {
    let mut names = (vec![], vec![], vec![]);
    for record in records {
        names.0.push(record.source.as_str());
        names.1.push(record.module.as_str());
        names.2.push(record.source_id.as_str());
    }
    names
}

/// The current identities of the records named by `$1` to `$3`, one look-up each.
const NAMED: &str = "from unnest($1::text[], $2::text[], $3::text[]) as n(source, module, source_id)
     cross join lateral (select k.ctid as at from prod.identities k
         where k.source_id = n.source_id and k.module = n.module and k.source = n.source and k.valid_to is null
         offset 0) k";

/// An identity created in this transaction is deleted instead.
async fn end(conn: &mut PgConnection, records: &[&RecordId]) -> sqlx::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let (sources, modules, ids) = names(records.iter().copied());
    for statement in [
        format!(
            "delete from prod.identities where ctid = any(array(select k.at {NAMED})) and valid_from = now()"
        ),
        format!(
            "update prod.identities set valid_to = now() where ctid = any(array(select k.at {NAMED}))"
        ),
    ] {
        query(sqlx::AssertSqlSafe(statement))
            .bind(&sources)
            .bind(&modules)
            .bind(&ids)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn mark_gone(conn: &mut PgConnection, records: &[&RecordId]) -> sqlx::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let (sources, modules, ids) = names(records.iter().copied());
    query(sqlx::AssertSqlSafe(format!(
        "update prod.identities set gone = true where ctid = any(array(select k.at {NAMED}))"
    )))
    .bind(sources)
    .bind(modules)
    .bind(ids)
    .execute(conn)
    .await
    .map(drop)
}

/// Takes back that people took records out of entities since promotion `n`: the records are what they were
/// before, and nothing keeps the two apart.
pub(crate) async fn rejoin(conn: &mut PgConnection, n: i64) -> sqlx::Result<()> {
    query(
        "with undone as (
             update prod.identities i set valid_to = now()
             from history.promotions p
             where i.valid_to is null and i.method = 'unmerged' and i.promotion > $1
               and p.number = i.promotion and p.kind = 'unmerge'
             returning i.source, i.module, i.source_id, i.entity, i.evidence ->> 'from' as joined),
         parted as (
             update prod.links l set ended_at = clock_timestamp() from undone u
             where l.source = u.source and l.module = u.module and l.source_id = u.source_id
               and l.entity_id = u.joined and not l.is_same and l.ended_at is null)
         insert into prod.identities (source, module, source_id, origin, entity, entity_id, method, score, evidence, author,
                                      claim, kept, gone, promotion)
         select b.source, b.module, b.source_id, b.origin, b.entity, b.entity_id, b.method, b.score, b.evidence,
                b.author, b.claim, b.kept, b.gone, b.promotion
         from undone u cross join lateral (
             select * from prod.identities b
             where b.source_id = u.source_id and b.module = u.module and b.source = u.source
               and b.valid_to is not null and b.promotion <= $1
             order by b.valid_to desc, b.valid_from desc limit 1) b",
    )
    .bind(n)
    .execute(conn)
    .await
    .map(drop)
}

async fn rename(conn: &mut PgConnection, renamed: &[(&RecordId, &str)]) -> sqlx::Result<()> {
    for (record, into) in renamed {
        query(
            "update prod.identities set entity_id = $4
             where source = $1 and module = $2 and source_id = $3 and valid_to is null",
        )
        .bind(&record.source)
        .bind(&record.module)
        .bind(&record.source_id)
        .bind(into)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// One look-up per record, whatever the planner believes of the table's size.
const CLAIM: &str = "update prod.identities i set claim = r.claim, kept = r.kept, gone = r.gone,
         evidence = case when i.method = 'placeholder' then coalesce(r.evidence, i.evidence) else i.evidence end,
         method = case when i.method = 'placeholder' and r.evidence is not null then 'known' else i.method end
     from (select k.ctid as at, n.claim, n.kept, n.evidence, n.gone
           from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::jsonb[], $7::bool[])
               as n(source, module, source_id, claim, kept, evidence, gone)
           cross join lateral (select k.ctid from prod.identities k
               where k.source_id = n.source_id and k.module = n.module and k.source = n.source and k.valid_to is null
               offset 0) k) r
     where i.ctid = r.at";

async fn claim(conn: &mut PgConnection, claiming: &[&Claiming]) -> sqlx::Result<()> {
    if claiming.is_empty() {
        return Ok(());
    }
    let (sources, modules, ids) = names(claiming.iter().map(|of| &of.record));
    query(CLAIM)
        .bind(sources)
        .bind(modules)
        .bind(ids)
        .bind(
            claiming
                .iter()
                .map(|of| Json(&of.claim))
                .collect::<Vec<_>>(),
        )
        .bind(claiming.iter().map(|of| Json(&of.kept)).collect::<Vec<_>>())
        .bind(
            claiming
                .iter()
                .map(|of| of.evidence.as_ref().map(Json))
                .collect::<Vec<_>>(),
        )
        .bind(claiming.iter().map(|of| of.gone).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}

async fn assign(conn: &mut PgConnection, number: i64, assigned: &[&Assigned]) -> sqlx::Result<()> {
    if assigned.is_empty() {
        return Ok(());
    }
    let (sources, modules, ids) = names(assigned.iter().map(|to| &to.record));
    let text = |pick: fn(&Assigned) -> &str| assigned.iter().map(|to| pick(to)).collect::<Vec<_>>();
    query(
        "insert into prod.identities
             (source, module, source_id, origin, entity, entity_id, method, author, score, evidence, claim, kept, gone,
              promotion)
         select n.*, $14 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                     $8::text[], $9::float8[], $10::jsonb[], $11::jsonb[], $12::jsonb[], $13::bool[]) n",
    )
    .bind(sources)
    .bind(modules)
    .bind(ids)
    .bind(text(|to| &to.origin))
    .bind(text(|to| &to.entity))
    .bind(text(|to| &to.entity_id))
    .bind(text(|to| to.method.as_str()))
    .bind(text(|to| &to.author))
    .bind(assigned.iter().map(|to| to.score).collect::<Vec<_>>())
    .bind(assigned.iter().map(|to| Json(&to.evidence)).collect::<Vec<_>>())
    .bind(assigned.iter().map(|to| Json(&to.claim)).collect::<Vec<_>>())
    .bind(assigned.iter().map(|to| Json(&to.kept)).collect::<Vec<_>>())
    .bind(assigned.iter().map(|to| to.gone).collect::<Vec<_>>())
    .bind(number)
    .execute(conn)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, PgPool};
    use staging::database::{query_as, query_scalar};

    use super::*;
    use crate::planner_hints;

    #[sqlx::test(migrator = "staging::MIGRATOR")]
    async fn claims_are_looked_up_though_statistics_know_of_no_record(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        sqlx::raw_sql("analyze prod.identities")
            .execute(&pool)
            .await?;
        let mut tx = pool.begin().await?;
        sqlx::raw_sql(
            "insert into prod.identities (source, module, source_id, origin, entity, entity_id, method, author, promotion)
             select 'source', 'module', n, 'module', 'things', n, 'new', 'concord', 1 from generate_series(1, 3000) n",
        )
        .execute(&mut *tx)
        .await?;
        planner_hints::by_index(&mut tx).await?;
        let ids: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
        let claim = serde_json::json!({ "name": "x" });
        let plan: Vec<(String,)> = query_as(AssertSqlSafe(format!(
            "explain (analyze, timing off) {CLAIM}"
        )))
        .bind(vec!["source"; 1000])
        .bind(vec!["module"; 1000])
        .bind(&ids)
        .bind(vec![Json(&claim); 1000])
        .bind(vec![Json(["column"]); 1000])
        .bind(vec![None::<Json<Value>>; 1000])
        .bind(vec![false; 1000])
        .fetch_all(&mut *tx)
        .await?;
        let plan: Vec<String> = plan.into_iter().map(|(line,)| line).collect();
        assert!(
            !plan.iter().any(|line| line.contains("Rows Removed")),
            "{plan:#?}"
        );
        let kept: i64 =
            query_scalar("select count(*) from prod.identities where kept = '[\"column\"]'")
                .fetch_one(&mut *tx)
                .await?;
        assert_eq!(kept, 1000);
        Ok(())
    }
}
