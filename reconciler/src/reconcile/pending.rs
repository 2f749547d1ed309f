//! Staged records that wait for a decision.

use sqlx::PgConnection;
use staging::database::{query, query_as};

use crate::Rejection;
use crate::definition::Definition;

/// One staged record to be decided.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, sqlx::FromRow)]
pub(crate) struct StagedRecord {
    pub(crate) source_id: String,
    pub(crate) origin: String,
    payload: Option<String>,
    raw: Option<Vec<u8>>,
    pub(crate) gone: bool,
    pub(crate) hash: Vec<u8>,
    pub(crate) pass_id: i64,
    pub(crate) page: i32,
}

impl StagedRecord {
    /// How large the record is, as it came from the database.
    pub(crate) fn bytes(&self) -> usize {
        let text = self.payload.as_ref().map_or(0, String::len);
        text + self.raw.as_ref().map_or(0, Vec::len)
    }

    /// The record as JSON.
    pub(crate) fn text(&self) -> Result<&str, Rejection> {
        match (&self.payload, &self.raw) {
            (Some(payload), _) => Ok(payload),
            (None, Some(raw)) => std::str::from_utf8(raw).map_err(|_| {
                Rejection::new(
                    "invalid_utf8",
                    "The record's bytes are not UTF-8; report it to the source.",
                )
            }),
            (None, None) => Err(Rejection::new(
                "no_payload",
                "The staged record is empty; fetch it again.",
            )),
        }
    }
}

/// Makes pending again what waits for something that may have happened since: parked records, records in
/// review, and every record of a module whose definition is another than last time; says whether it is.
pub(crate) async fn take_up_again(
    conn: &mut PgConnection,
    definition: &Definition,
) -> sqlx::Result<bool> {
    query(
        "insert into staging.pending (module, source_id, origin)
         select distinct p.module, p.source_id, coalesce(p.detail ->> 'origin', p.module) from ops.problems p
         join staging.records r on r.module = coalesce(p.detail ->> 'origin', p.module) and r.source_id = p.source_id
         where p.module = $1 and p.state = 'open' and p.kind in ('parking', 'review')
           and p.code <> 'maybe_merged_at_source' on conflict do nothing",
    )
    .bind(definition.name())
    .execute(&mut *conn)
    .await?;
    // What a table refused may be welcome now. Some at a time, those met longest ago first: each costs a few
    // statements.
    query(
        "insert into staging.pending (module, source_id, origin)
         select p.module, p.source_id, coalesce(p.detail ->> 'origin', p.module) from ops.problems p
         join staging.records r on r.module = coalesce(p.detail ->> 'origin', p.module) and r.source_id = p.source_id
         where p.module = $1 and p.state = 'open' and p.kind = 'quarantine' and p.code = 'refused_by_database'
         order by p.last_seen limit 200 on conflict do nothing",
    )
    .bind(definition.name())
    .execute(&mut *conn)
    .await?;
    let other = query_as::<(bool,)>(
        "insert into ops.modules as m (module, source, entity, fingerprint) values ($1, $2, $3, $4)
         on conflict (module) do update set source = excluded.source, entity = excluded.entity,
             fingerprint = excluded.fingerprint, seen_at = clock_timestamp()
             where m.fingerprint <> excluded.fingerprint
         returning xmax <> 0",
    )
    .bind(definition.name())
    .bind(&definition.module.source)
    .bind(definition.entity())
    .bind(&definition.fingerprint)
    .fetch_optional(&mut *conn)
    .await?;
    if other == Some((true,)) {
        let derive = definition.spec.derive.as_ref();
        query(
            "insert into staging.pending (module, source_id, origin)
             select $1, source_id, module from staging.records
             where module = $1 or (module = $2 and payload ->> $3 = any($4))
             union select module, source_id, origin from prod.identities
             where module = $1 and origin <> $1 and valid_to is null on conflict do nothing",
        )
        .bind(definition.name())
        .bind(derive.map(|d| d.from.as_str()))
        .bind(derive.map(|d| d.field.as_str()))
        .bind(derive.map(|d| d.values.as_slice()))
        .execute(conn)
        .await?;
    }
    Ok(other == Some((true,)))
}

/// The next pending records in the order of their ids, after `after`; minted ids in a turn of their own.
pub(crate) async fn next_records(
    conn: &mut PgConnection,
    definition: &Definition,
    after: &(String, String),
    minted: bool,
    most: i64,
) -> sqlx::Result<Vec<StagedRecord>> {
    query_as(
        "select p.source_id, p.origin, r.payload::text as payload, r.raw, r.gone_in is not null as gone,
                r.hash, r.pass_id, r.page
         from (
             select source_id, origin from staging.pending
             where module = $1 and (source_id, origin) > ($2, $3)
               and exists (select from unnest($4::text[]) m where starts_with(source_id, m)) = $5
             order by module, source_id, origin limit $6
         ) p
         cross join lateral (
             -- One look-up per record, whatever the planner believes of the tables' sizes.
             select * from staging.records r where r.module = p.origin and r.source_id = p.source_id offset 0
         ) r
         order by p.source_id, p.origin",
    )
    .bind(definition.name())
    .bind(&after.0)
    .bind(&after.1)
    .bind(&definition.spec.matching.minted)
    .bind(minted)
    .bind(most)
    .fetch_all(conn)
    .await
}

/// Joined by name, the planner may walk the whole module for every record, where statistics from before it
/// was staged say that it has none. The lateral lookup leaves it no other order.
const REMOVE: &str = "delete from staging.pending where ctid = any(array(
     select p.ctid from unnest($2::text[], $3::text[]) as i(source_id, origin)
     cross join lateral (
         select p.ctid from staging.pending p
         where p.module = $1 and p.source_id = i.source_id and p.origin = i.origin offset 0) p))";

/// Takes decided records from the pending ones.
pub(crate) async fn remove(
    conn: &mut PgConnection,
    module: &str,
    records: &[&StagedRecord],
) -> sqlx::Result<()> {
    let ids: Vec<&str> = records.iter().map(|c| c.source_id.as_str()).collect();
    let origins: Vec<&str> = records.iter().map(|c| c.origin.as_str()).collect();
    query(REMOVE)
        .bind(module)
        .bind(&ids)
        .bind(&origins)
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "staging::MIGRATOR")]
    async fn removing_looks_up_each_record_though_statistics_know_of_another_module_only(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        let mut tx = pool.begin().await?;
        sqlx::raw_sql(
            "insert into staging.pending select 'before', n, 'before' from generate_series(1, 3000) n;
             analyze staging.pending;
             delete from staging.pending;
             insert into staging.pending select 'now', n, 'now' from generate_series(1, 3000) n;
             set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off",
        )
        .execute(&mut *tx)
        .await?;
        let ids: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
        let plan: Vec<(String,)> = query_as(sqlx::AssertSqlSafe(format!(
            "explain (analyze, timing off) {REMOVE}"
        )))
        .bind("now")
        .bind(&ids)
        .bind(vec!["now"; 1000])
        .fetch_all(&mut *tx)
        .await?;
        let plan: Vec<String> = plan.into_iter().map(|(line,)| line).collect();
        assert!(
            !plan.iter().any(|line| line.contains("Rows Removed")),
            "{plan:#?}"
        );
        let left: (i64,) = query_as("select count(*) from staging.pending")
            .fetch_one(&mut *tx)
            .await?;
        assert_eq!(left.0, 2000);
        Ok(())
    }
}
