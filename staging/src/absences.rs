//! Records that complete readings of everything did not see.

use sqlx::PgConnection;

use crate::database::{query, query_scalar};

/// Counts the absence of every staged record of the module that a complete pass over everything did not see,
/// and forgets those of records it saw. Returns the ids absent in so many such passes in a row, in their
/// order. What an earlier pass of the same run saw is not absent either, nor what a repair brought since the
/// pass began: it may have stood on a page that was read before.
pub async fn count_absences(
    conn: &mut PgConnection,
    module: &str,
    pass_id: i64,
    earlier: Option<i64>,
    in_a_row: i32,
) -> sqlx::Result<Vec<String>> {
    // What the module's first pass did not see was never there.
    let others: bool = query_scalar(
        "select exists (select from staging.passes where module = $1 and pass_id <> $2 and pass_id is distinct from $3)",
    )
    .bind(module)
    .bind(pass_id)
    .bind(earlier)
    .fetch_one(&mut *conn)
    .await?;
    if !others {
        return Ok(Vec::new());
    }
    query(
        "delete from staging.absences where module = $1
         and source_id in (select unnest(source_ids) from staging.pages
             where pass_id in ($2, $3) or pass_id > $2 and module = $1)",
    )
    .bind(module)
    .bind(pass_id)
    .bind(earlier)
    .execute(&mut *conn)
    .await?;
    query(
        "insert into staging.absences as a (module, source_id, pass_id)
         select r.module, r.source_id, $2 from staging.records r
         where r.module = $1 and r.gone_in is null and r.pass_id <> $2 and r.pass_id is distinct from $3
           -- Hashed once: a join may be planned as one loop per record while the tables are young.
           and r.source_id not in (select unnest(source_ids) from staging.pages
               where pass_id in ($2, $3) or pass_id > $2 and module = $1)
         on conflict (source_id, module) do update set passes = a.passes + 1, pass_id = excluded.pass_id
             where a.pass_id <> excluded.pass_id",
    )
    .bind(module)
    .bind(pass_id)
    .bind(earlier)
    .execute(&mut *conn)
    .await?;
    query_scalar("select source_id from staging.absences where module = $1 and passes >= $2 order by source_id")
        .bind(module)
        .bind(in_a_row)
        .fetch_all(conn)
        .await
}

/// Marks staged records as gone, and makes them pending, so that the reconciler can tombstone them with this
/// pass as evidence. Returns how many.
pub async fn mark_gone(
    conn: &mut PgConnection,
    module: &str,
    pass_id: i64,
    ids: &[String],
) -> sqlx::Result<i64> {
    let gone = query(
        "with given as (select unnest($3::text[]) as source_id),
         gone as (
             update staging.records r set gone_in = $2 from given
             where r.module = $1 and r.source_id = given.source_id and r.gone_in is null
             returning r.source_id
         ),
         settled as (
             delete from staging.absences a using given where a.module = $1 and a.source_id = given.source_id)
         insert into staging.pending (module, source_id, origin) select $1, source_id, $1 from gone
         on conflict do nothing",
    )
    .bind(module)
    .bind(pass_id)
    .bind(ids)
    .execute(conn)
    .await?;
    Ok(gone.rows_affected() as i64)
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::{abandon_pass, close_pass, ensure_partition, open_pass, open_repair};

    async fn page(conn: &mut PgConnection, pass_id: i64, page: i32, ids: &[&str]) {
        query(
            "insert into staging.pages (pass_id, page, module, source_ids, fetched, new, changed, unchanged, superseded)
             values ($1, $2, 'clients', $3, cardinality($3), 0, 0, cardinality($3), 0)",
        )
        .bind(pass_id)
        .bind(page)
        .bind(ids)
        .execute(&mut *conn)
        .await
        .unwrap();
        query(
            "insert into staging.records (module, source_id, hash, payload, pass_id, page)
             select 'clients', id, '', '{}', $1, $2 from unnest($3::text[]) id on conflict do nothing",
        )
        .bind(pass_id)
        .bind(page)
        .bind(ids)
        .execute(conn)
        .await
        .unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_a_repair_brought_while_a_pass_was_interrupted_is_not_absent_from_it(
        pool: PgPool,
    ) {
        let mut tx = pool.begin().await.unwrap();
        ensure_partition(&mut tx, "clients").await.unwrap();
        let before = open_pass(&mut tx, "clients", "full", None, None)
            .await
            .unwrap();
        page(
            &mut tx,
            before.pass_id,
            1,
            &["a", "b", "gone", "repaired before"],
        )
        .await;
        abandon_pass(&mut tx, "clients").await.unwrap();
        let early = open_repair(&mut tx, "clients", "2026-01-01", None)
            .await
            .unwrap();
        page(&mut tx, early.pass_id, 1, &["repaired before"]).await;

        let pass = open_pass(&mut tx, "clients", "full", None, None)
            .await
            .unwrap();
        page(&mut tx, pass.pass_id, 1, &["a"]).await;
        let repair = open_repair(&mut tx, "clients", "2026-01-01", None)
            .await
            .unwrap();
        page(&mut tx, repair.pass_id, 1, &["brought by the repair"]).await;
        page(&mut tx, pass.pass_id, 2, &["b"]).await;
        let end = close_pass(&mut tx, "clients", pass.pass_id, None)
            .await
            .unwrap();
        assert!(end.complete);
        let absent = count_absences(&mut tx, "clients", pass.pass_id, None, 1)
            .await
            .unwrap();
        assert_eq!(absent, ["gone", "repaired before"]);
    }
}
