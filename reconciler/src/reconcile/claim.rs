//! Records taken from the pending ones, and what their payloads become.

use sqlx::PgConnection;
use staging::database::{query, query_as};

use crate::definition::Definition;
use crate::matching::Key;
use crate::{Rejection, Row};

/// One staged record to be decided.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Claim {
    pub(super) source_id: String,
    pub(super) origin: String,
    payload: Option<String>,
    raw: Option<Vec<u8>>,
    pub(super) gone: bool,
    pub(super) hash: Vec<u8>,
    pub(super) pass_id: i64,
    pub(super) page: i32,
}

impl Claim {
    /// How large the record is, as it came from the database.
    pub(super) fn bytes(&self) -> usize {
        let text = self.payload.as_ref().map_or(0, String::len);
        text + self.raw.as_ref().map_or(0, Vec::len)
    }

    /// The record as JSON.
    pub(super) fn text(&self) -> Result<&str, Rejection> {
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
pub(super) async fn take_up_again(
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
    // What a table refused may be welcome now. Some at a time, those met longest ago first: each costs a few statements.
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
             where module = $1 or (module = $2 and payload ->> $3 = any($4)) on conflict do nothing",
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
pub(super) async fn next_claims(
    conn: &mut PgConnection,
    definition: &Definition,
    after: &(String, String),
    (minted, most): (bool, i64),
) -> sqlx::Result<Vec<Claim>> {
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
             -- One look-up per claim, whatever the planner believes of the tables' sizes.
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

/// Joined by name, the planner may walk the whole module for every record, where statistics from before it was
/// staged say that it has none. The lateral lookup leaves it no other order.
const SETTLE: &str = "delete from staging.pending where ctid = any(array(
     select p.ctid from unnest($2::text[], $3::text[]) as i(source_id, origin)
     cross join lateral (
         select p.ctid from staging.pending p
         where p.module = $1 and p.source_id = i.source_id and p.origin = i.origin offset 0) p))";

/// Takes decided records from the pending ones.
pub(super) async fn settle(
    conn: &mut PgConnection,
    module: &str,
    claims: &[&Claim],
) -> sqlx::Result<()> {
    let ids: Vec<&str> = claims.iter().map(|c| c.source_id.as_str()).collect();
    let origins: Vec<&str> = claims.iter().map(|c| c.origin.as_str()).collect();
    query(SETTLE)
        .bind(module)
        .bind(&ids)
        .bind(&origins)
        .execute(conn)
        .await?;
    Ok(())
}

/// A record's row: the contract's columns, and the `_columns` that serve matching alone.
#[derive(Debug, Clone)]
pub(super) struct Shaped {
    pub(super) row: Row,
    pub(super) hints: Row,
    /// The exact keys of a record that no identity knows.
    pub(super) keys: Vec<Key>,
    /// Rules that fired without setting the record aside, as (code, why).
    pub(super) warnings: Vec<(String, String)>,
}

impl Shaped {
    /// What matching sees under a name: a hint, or a column of the row.
    pub(super) fn value(&self, column: &str) -> Option<&serde_json::Value> {
        self.hints.get(column).or_else(|| self.row.get(column))
    }
}

/// Transforms a record, holds it against the contract and runs the module's rules. `None` where a record
/// of another module holds no row for this one.
pub(super) fn shape(definition: &Definition, claim: &Claim) -> Result<Option<Shaped>, Rejection> {
    let Some(row) = definition.transform(&claim.origin, claim.text()?)? else {
        return Ok(None);
    };
    if claim.source_id.starts_with("missing-id:") {
        return Err(Rejection::new(
            "id_missing",
            "The source sent a record without an id, so nothing can be matched to it; report it to the source.",
        ));
    }
    let (hints, mut row): (serde_json::Map<_, _>, serde_json::Map<_, _>) = row
        .0
        .into_iter()
        .partition(|(column, _)| column.starts_with('_'));
    row.insert("id".into(), claim.source_id.clone().into());
    let mut row = definition.contract.check_partial(&Row(row))?;
    let warnings = definition.run_rules(&mut row)?;
    Ok(Some(Shaped {
        row,
        hints: Row(hints),
        keys: Vec::new(),
        warnings,
    }))
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "staging::MIGRATOR")]
    async fn settling_looks_up_each_record_though_statistics_know_of_another_module_only(
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
            "explain (analyze, timing off) {SETTLE}"
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
