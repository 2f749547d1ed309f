//! Records that a complete pass did not see.

use sqlx::PgConnection;

use crate::database::statement::{query, query_scalar};
use crate::planner_hints::{join_by_hash, restore};

/// Forgets the absences of records that the pass saw.
const FORGET_SEEN: &str = "
    delete from staging.absences where module = $1
    and source_id in (select unnest(source_ids) from staging.pages
        where pass_id in ($2, $3) or pass_id > $2 and module = $1)";

/// Counts one more absence of every record that the pass did not see. `not exists` is an anti-join at any
/// size, where `not in` scans the pages once for each record as soon as they outgrow `work_mem`.
const COUNT_UNSEEN: &str = "
    insert into staging.absences as a (module, source_id, pass_id)
    select r.module, r.source_id, $2 from staging.records r
    where r.module = $1 and r.gone_in is null and r.pass_id <> $2 and r.pass_id is distinct from $3
      and not exists (
          select from (select unnest(source_ids) as source_id from staging.pages
              where pass_id in ($2, $3) or pass_id > $2 and module = $1) seen
          where seen.source_id = r.source_id)
    on conflict (source_id, module) do update set passes = a.passes + 1, pass_id = excluded.pass_id
        where a.pass_id <> excluded.pass_id";

/// Counts the absence of every staged record of the module that a complete pass over everything did not see,
/// and forgets those of records it saw. Returns the ids absent in so many such passes in a row, in their
/// order.
///
/// Two kinds of record are not absent either: those that an earlier pass of the same run saw, and those that
/// a repair brought since the pass began, as they may have been on a page that was read before.
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
    let settings = join_by_hash(conn).await?;
    for statement in [FORGET_SEEN, COUNT_UNSEEN] {
        query(statement)
            .bind(module)
            .bind(pass_id)
            .bind(earlier)
            .execute(&mut *conn)
            .await?;
    }
    restore(conn, settings).await?;
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
             delete from staging.absences a using given where a.module = $1 and a.source_id = given.source_id),
         derived as (
             insert into staging.pending (module, source_id, origin)
             select i.module, i.source_id, $1 from gone cross join lateral (
                 select i.module, i.source_id from prod.identities i
                 where i.source_id = gone.source_id and i.origin = $1 and i.module <> $1 and i.valid_to is null offset 0) i
             on conflict do nothing)
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
    use crate::passes::{abandon_pass, close_pass, open_pass, open_repair};
    use crate::records::ensure_partition;

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

    /// Pages of ten records each, of three passes; the third did not see the last page.
    async fn many_pages(conn: &mut PgConnection, pages: i32) -> i64 {
        ensure_partition(conn, "clients").await.unwrap();
        let mut last = 0;
        for _ in 0..3 {
            let pass = open_pass(conn, "clients", "full", None, None)
                .await
                .unwrap();
            last = pass.pass_id;
            abandon_pass(conn, "clients").await.unwrap();
        }
        query(
            "insert into staging.pages (pass_id, page, module, source_ids, fetched, new, changed, unchanged, superseded)
             select pass, page, 'clients', array(select (page * 10 + n)::text from generate_series(0, 9) n), 10, 0, 0, 10, 0
             from generate_series($1 - 2, $1) pass, generate_series(1, $2) page where (pass, page) <> ($1, $2)",
        )
        .bind(last)
        .bind(pages)
        .execute(&mut *conn)
        .await
        .unwrap();
        query(
            "insert into staging.records (module, source_id, hash, payload, pass_id, page)
             select 'clients', (page * 10 + n)::text, '', '{}', $1 - 2, page
             from generate_series(1, $2) page, generate_series(0, 9) n",
        )
        .bind(last)
        .bind(pages)
        .execute(conn)
        .await
        .unwrap();
        last
    }

    async fn plan(conn: &mut PgConnection, statement: &'static str, pass_id: i64) -> String {
        let lines: Vec<String> = query_scalar(sqlx::AssertSqlSafe(format!("explain {statement}")))
            .bind("clients")
            .bind(pass_id)
            .bind(None::<i64>)
            .fetch_all(conn)
            .await
            .unwrap();
        lines.join("\n")
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn no_number_of_pages_makes_it_scan_them_once_for_each_record(pool: PgPool) {
        let mut tx = pool.begin().await.unwrap();
        sqlx::raw_sql("set local work_mem = '64kB'")
            .execute(&mut *tx)
            .await
            .unwrap();
        // Statistics of a time when there was one record, then of now.
        let young = many_pages(&mut tx, 2).await;
        let analyze = "analyze staging.pages, staging.records, staging.absences";
        sqlx::raw_sql(analyze).execute(&mut *tx).await.unwrap();
        sqlx::raw_sql("delete from staging.pages; delete from staging.records")
            .execute(&mut *tx)
            .await
            .unwrap();
        let pass_id = many_pages(&mut tx, 20_000).await;
        assert!(pass_id > young);
        for known in [false, true] {
            if known {
                sqlx::raw_sql(analyze).execute(&mut *tx).await.unwrap();
            }
            let settings = join_by_hash(&mut tx).await.unwrap();
            let count = plan(&mut tx, COUNT_UNSEEN, pass_id).await;
            let forget = plan(&mut tx, FORGET_SEEN, pass_id).await;
            restore(&mut tx, settings).await.unwrap();
            for per_row in ["SubPlan", "Nested Loop"] {
                assert!(!count.contains(per_row), "{count}");
                assert!(!forget.contains(per_row), "{forget}");
            }
            assert!(count.contains("Anti Join"), "{count}");
        }
        let absent = count_absences(&mut tx, "clients", pass_id, None, 1)
            .await
            .unwrap();
        let expected: Vec<String> = (200_000..200_010).map(|id| id.to_string()).collect();
        assert_eq!(absent, expected);
        let nested_loop: String = query_scalar("select current_setting('enable_nestloop')")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(nested_loop, "on", "the settings of the caller are restored");
    }
}
