//! Staging of pages: every record a source sends is accepted, losslessly, once.

use std::collections::HashMap;

use sqlx::{Connection, PgConnection};

use crate::database::{query, query_as, query_scalar};

use crate::copy::copy_new;
use crate::pending::{Derivation, derive, enqueue, enqueue_new};
use crate::versions::{ExaminedPage, Verdict, Version, count, ids, versions_of, with_verdict};

/// What one page, or several staged together, meant for staging. `fetched` is always the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PageTally {
    /// Records that came.
    pub fetched: i32,
    /// Ids never seen before.
    pub new: i32,
    /// Known ids with other content, and vanished ids that came back.
    pub changed: i32,
    /// Known ids with the same content.
    pub unchanged: i32,
    /// Further versions of an id that the same batch of pages had already brought.
    pub superseded: i32,
}

/// Where a page belongs.
#[derive(Debug, Clone, Copy)]
pub struct PagePlace<'a> {
    /// The module whose stream it is.
    pub module: &'a str,
    /// The pass over the stream.
    pub pass_id: i64,
    /// The run that fetched it; `None` in a dry run.
    pub run_id: Option<i64>,
    /// The cursor the first page was asked with.
    pub cursor: Option<&'a str>,
}

/// Makes sure that the module has its partition, `staging.stg_<module>`.
pub async fn ensure_partition(conn: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    assert!(
        is_name(module),
        "module names are checked where modules are loaded"
    );
    let exists: bool = query_scalar("select to_regclass($1) is not null")
        .bind(format!("staging.stg_{module}"))
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        let ddl = format!(
            "create table if not exists staging.stg_{module} partition of staging.records for values in ('{module}')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(ddl))
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn is_name(module: &str) -> bool {
    !module.is_empty()
        && module
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Stages pages and moves the checkpoint behind the last of them; the caller's transaction makes the two
/// one. Staging the same pages again changes no record.
///
/// Order of versions: of several versions of one id the last received is kept, the others go to
/// `staging.superseded`.
pub async fn stage_pages(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    pages: &[ExaminedPage],
    derivations: &[Derivation],
) -> sqlx::Result<PageTally> {
    let mut versions = versions_of(pages);
    keep_to_index(conn).await?;
    if !copy_unasked(conn, place, &versions).await? {
        judge(conn, place.module, &mut versions).await?;
        let new = with_verdict(&versions, Verdict::New);
        copy_new(conn, place, &new).await?;
        enqueue_new(conn, place.module, &ids(&new)).await?;
    }
    let changed = with_verdict(&versions, Verdict::Changed);
    replace_changed(conn, place, &changed).await?;
    enqueue(conn, place.module, &ids(&changed), derivations).await?;
    conclude(conn, place, pages, &versions, derivations).await
}

/// Copies pages that may be staged later in this transaction, by [`stage_copied`], and at the earliest when
/// those before them are. False, and nothing copied, where one of their records is known or the page before
/// had one that was.
///
/// It writes new keys only. Others can have to wait for them, and they for others, only through the ids they
/// have in common: see [`crate::share_ids`].
pub async fn copy_pages(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    pages: &[ExaminedPage],
) -> sqlx::Result<bool> {
    keep_to_index(conn).await?;
    copy_unasked(conn, place, &versions_of(pages)).await
}

/// Stages pages that [`copy_pages`] has copied, as [`stage_pages`] does.
pub async fn stage_copied(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    pages: &[ExaminedPage],
    derivations: &[Derivation],
) -> sqlx::Result<PageTally> {
    conclude(conn, place, pages, &versions_of(pages), derivations).await
}

/// A first load fills the table within one statistics interval: for every statement of staging the index is
/// right at any size.
async fn keep_to_index(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "set local enable_hashjoin = off; set local enable_mergejoin = off;
         set local enable_bitmapscan = off; set local enable_seqscan = off",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is left when the records are written.
async fn conclude(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    pages: &[ExaminedPage],
    versions: &[Version<'_>],
    derivations: &[Derivation],
) -> sqlx::Result<PageTally> {
    let new = with_verdict(versions, Verdict::New);
    derive(conn, place.module, &ids(&new), derivations).await?;
    record_pages(conn, place, pages, versions).await
}

/// Copies the records, and that they wait, without asking which of them are known, where the page before had
/// none that was, as in a first load. False when one of them is known after all, and nothing was copied.
async fn copy_unasked(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    versions: &[Version<'_>],
) -> sqlx::Result<bool> {
    let before: Option<bool> = query_scalar(
        "select new = fetched and new > 0 from staging.pages where pass_id = $1 order by page desc limit 1",
    )
    .bind(place.pass_id)
    .fetch_optional(&mut *conn)
    .await?;
    if before != Some(true) {
        return Ok(false);
    }
    let mut attempt = conn.begin().await?;
    let new = with_verdict(versions, Verdict::New);
    match copy_new(&mut attempt, place, &new).await {
        Ok(()) => {
            enqueue_new(&mut attempt, place.module, &ids(&new)).await?;
            attempt.commit().await.map(|()| true)
        }
        Err(known)
            if known
                .as_database_error()
                .is_some_and(|e| e.is_unique_violation()) =>
        {
            attempt.rollback().await.map(|()| false)
        }
        Err(failure) => Err(failure),
    }
}

/// Compares the latest version of each id with what is staged. A vanished record that comes back counts
/// as changed, so that the reconciler sees it again.
async fn judge(
    conn: &mut PgConnection,
    module: &str,
    versions: &mut [Version<'_>],
) -> sqlx::Result<()> {
    let live: Vec<usize> = (0..versions.len())
        .filter(|&n| versions[n].verdict == Verdict::New)
        .collect();
    let ids: Vec<&str> = live.iter().map(|&n| versions[n].id).collect();
    let known: Vec<(String, Vec<u8>, bool)> = query_as(
        "select source_id, hash, gone_in is not null from staging.records where module = $1 and source_id = any($2)",
    )
    .bind(module)
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    if known.is_empty() {
        return Ok(());
    }
    let places: HashMap<&str, usize> = live.iter().map(|&n| (versions[n].id, n)).collect();
    for (id, hash, gone) in known {
        let same = versions[places[id.as_str()]].examined.hash[..] == hash && !gone;
        let n = places[id.as_str()];
        versions[n].verdict = if same {
            Verdict::Unchanged
        } else {
            Verdict::Changed
        };
    }
    Ok(())
}

async fn replace_changed(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    changed: &[&Version<'_>],
) -> sqlx::Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = changed.iter().map(|v| v.id).collect();
    let hashes: Vec<&[u8]> = changed.iter().map(|v| &v.examined.hash[..]).collect();
    let payloads: Vec<Option<&str>> = changed
        .iter()
        .map(|v| {
            v.examined
                .defect
                .is_none()
                .then(|| std::str::from_utf8(v.json).unwrap_or_default())
        })
        .collect();
    let raws: Vec<Option<&[u8]>> = changed
        .iter()
        .map(|v| v.examined.defect.is_some().then_some(v.json))
        .collect();
    let defects: Vec<Option<&str>> = changed.iter().map(|v| v.examined.defect).collect();
    let numbers: Vec<i32> = changed.iter().map(|v| v.page.number as i32).collect();
    query(
        "with incoming as (
             select * from unnest($2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::text[], $7::int[])
                 as i(source_id, hash, payload, raw, defect, page)
         ), kept as (
             insert into staging.superseded (module, source_id, hash, payload, raw, pass_id, page, changed_at)
             select r.module, r.source_id, r.hash, r.payload, r.raw, r.pass_id, r.page, r.changed_at
             from staging.records r join incoming i on r.module = $1 and r.source_id = i.source_id
             where r.hash <> i.hash
         )
         update staging.records r
         set hash = i.hash, payload = i.payload::jsonb, raw = i.raw, defect = i.defect,
             pass_id = $8, page = i.page, changed_at = clock_timestamp(), gone_in = null
         from incoming i where r.module = $1 and r.source_id = i.source_id",
    )
    .bind(place.module)
    .bind(&ids)
    .bind(&hashes)
    .bind(&payloads)
    .bind(&raws)
    .bind(&defects)
    .bind(&numbers)
    .bind(place.pass_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// One page as `staging.pages` keeps it.
#[derive(serde::Serialize)]
struct PageRow<'a> {
    page: u32,
    cursor: Option<&'a str>,
    source_ids: Vec<&'a str>,
    #[serde(flatten)]
    tally: PageTally,
    holes: &'a [fetcher::Hole],
}

/// Writes one row per page, the superseded versions that never reached `staging.records`, and the checkpoint.
async fn record_pages(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    pages: &[ExaminedPage],
    versions: &[Version<'_>],
) -> sqlx::Result<PageTally> {
    let mut total = PageTally::default();
    let mut cursor = place.cursor;
    let mut rest = versions;
    let mut rows = Vec::with_capacity(pages.len());
    for ExaminedPage { page, .. } in pages {
        let (own, others) = rest.split_at(page.records.len());
        rest = others;
        let tally = count(own);
        keep_superseded(conn, place, own).await?;
        rows.push(PageRow {
            page: page.number,
            cursor,
            source_ids: own.iter().map(|v| v.id).collect(),
            tally,
            holes: &page.holes,
        });
        cursor = page.next.as_ref().map(|next| next.as_str());
        total.fetched += tally.fetched;
        total.new += tally.new;
        total.changed += tally.changed;
        total.unchanged += tally.unchanged;
        total.superseded += tally.superseded;
    }
    let Some(last) = rows.last().map(|row| row.page as i32) else {
        return Ok(total);
    };
    query(
        "insert into staging.pages
             (pass_id, page, module, run_id, cursor, source_ids, fetched, new, changed, unchanged, superseded, holes)
         select $1, r.page, $2, $3, r.cursor, r.source_ids, r.fetched, r.new, r.changed, r.unchanged, r.superseded, r.holes
         from jsonb_to_recordset($4) as r(page integer, cursor text, source_ids text[], fetched integer, new integer,
             changed integer, unchanged integer, superseded integer, holes jsonb)
         on conflict (pass_id, page) do update set
             run_id = excluded.run_id, cursor = excluded.cursor, source_ids = excluded.source_ids,
             fetched = excluded.fetched, new = excluded.new, changed = excluded.changed,
             unchanged = excluded.unchanged, superseded = excluded.superseded, holes = excluded.holes,
             fetched_at = clock_timestamp()",
    )
    .bind(place.pass_id)
    .bind(place.module)
    .bind(place.run_id)
    .bind(sqlx::types::Json(&rows))
    .execute(&mut *conn)
    .await?;
    crate::passes::move_checkpoint(conn, place.module, place.pass_id, last, cursor).await?;
    Ok(total)
}

async fn keep_superseded(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    own: &[Version<'_>],
) -> sqlx::Result<()> {
    for version in own.iter().filter(|v| v.verdict == Verdict::Superseded) {
        query(
            "insert into staging.superseded (module, source_id, hash, raw, pass_id, page, changed_at)
             values ($1, $2, $3, $4, $5, $6, clock_timestamp())",
        )
        .bind(place.module)
        .bind(version.id)
        .bind(&version.examined.hash[..])
        .bind(version.json)
        .bind(place.pass_id)
        .bind(version.page.number as i32)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fetcher::{Page, Record};
    use sqlx::PgPool;

    use super::*;
    use crate::versions::share_ids;

    fn page(number: u32, records: &[(&str, &str)]) -> ExaminedPage {
        let records = records.iter().map(|(id, json)| Record {
            source_id: (*id).to_owned(),
            json: (*json).to_owned().into(),
        });
        ExaminedPage::from(Page {
            number,
            records: records.collect(),
            next: None,
            total_count: None,
            holes: Vec::new(),
            bytes: 0,
        })
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn of_one_id_twice_the_last_version_stands_and_the_others_are_kept(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        let mut tx = pool.begin().await?;
        ensure_partition(&mut tx, "clients").await?;
        let pass = crate::open_pass(&mut tx, "clients", "full", None, None).await?;
        let place = PagePlace {
            module: "clients",
            pass_id: pass.pass_id,
            run_id: None,
            cursor: None,
        };
        let pages = [
            page(
                1,
                &[
                    ("a", r#"{"n":1}"#),
                    ("b", r#"{"n":1}"#),
                    ("a", r#"{"n":2}"#),
                ],
            ),
            page(2, &[("a", r#"{"n":3}"#)]),
        ];
        let tally = stage_pages(&mut tx, place, &pages, &[]).await?;
        assert_eq!((tally.fetched, tally.new, tally.superseded), (4, 2, 2));
        let rows = async |tx: &mut PgConnection, of: &str| -> sqlx::Result<Vec<(String, String)>> {
            let sql = format!(
                "select source_id, coalesce(payload, convert_from(raw, 'utf8')::jsonb) ->> 'n' from staging.{of} order by 1, 2"
            );
            query_as(sqlx::AssertSqlSafe(sql)).fetch_all(tx).await
        };
        let pairs = |of: &[(&str, &str)]| -> Vec<(String, String)> {
            of.iter()
                .map(|(id, n)| ((*id).to_owned(), (*n).to_owned()))
                .collect()
        };
        assert_eq!(
            rows(&mut tx, "records").await?,
            pairs(&[("a", "3"), ("b", "1")])
        );
        assert_eq!(
            rows(&mut tx, "superseded").await?,
            pairs(&[("a", "1"), ("a", "2")])
        );
        Ok(())
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_known_record_behind_a_page_of_new_ones_is_still_known(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        let mut tx = pool.begin().await?;
        ensure_partition(&mut tx, "clients").await?;
        let mut tallies = Vec::new();
        // The second pass stages in two batches what the first did in one.
        for batches in [
            vec![vec![page(1, &[("a", "{}"), ("b", r#"{"n":1}"#)])]],
            vec![
                vec![page(1, &[("c", "{}")])],
                vec![page(2, &[("a", "{}"), ("b", r#"{"n":2}"#), ("d", "{}")])],
            ],
        ] {
            let pass = crate::open_pass(&mut tx, "clients", "full", None, None).await?;
            for pages in &batches {
                let place = PagePlace {
                    module: "clients",
                    pass_id: pass.pass_id,
                    run_id: None,
                    cursor: None,
                };
                let tally = stage_pages(&mut tx, place, pages, &[]).await?;
                tallies.push((tally.new, tally.changed, tally.unchanged));
            }
            crate::close_pass(&mut tx, "clients", pass.pass_id, None).await?;
        }
        assert_eq!(tallies, [(2, 0, 0), (1, 0, 0), (1, 1, 1)]);
        let staged: Vec<String> = query_scalar(
            "select source_id || coalesce(payload ->> 'n', '') from staging.records order by source_id",
        )
        .fetch_all(&mut *tx)
        .await?;
        assert_eq!(staged, ["a", "b2", "c", "d"]);
        Ok(())
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn pages_copied_ahead_are_staged_as_all_others_once_it_is_their_turn(
        pool: PgPool,
    ) -> sqlx::Result<()> {
        let mut tx = pool.begin().await?;
        ensure_partition(&mut tx, "clients").await?;
        let pass = crate::open_pass(&mut tx, "clients", "full", None, None).await?;
        let place = PagePlace {
            module: "clients",
            pass_id: pass.pass_id,
            run_id: None,
            cursor: None,
        };
        stage_pages(&mut tx, place, &[page(1, &[("a", "{}")])], &[]).await?;
        tx.commit().await?;
        let before = [page(2, &[("b", "{}"), ("c", "{}")])];
        let ahead = [
            page(3, &[("d", "{}"), ("d", "[]")]),
            page(4, &[("e", "{}")]),
        ];
        let known = [page(5, &[("f", "{}"), ("b", "{}")])];
        assert!(share_ids(&before, &known) && !share_ids(&before, &ahead));

        let mut later = pool.begin().await?;
        assert!(copy_pages(&mut later, place, &ahead).await?);
        let mut tx = pool.begin().await?;
        stage_pages(&mut tx, place, &before, &[]).await?;
        tx.commit().await?;
        let tally = stage_copied(&mut later, place, &ahead, &[]).await?;
        assert_eq!((tally.fetched, tally.new, tally.superseded), (3, 2, 1));
        later.commit().await?;

        let mut tx = pool.begin().await?;
        assert!(!copy_pages(&mut tx, place, &known).await?);
        tx.commit().await?;
        for of in ["records", "pending"] {
            let sql =
                format!("select string_agg(source_id, '' order by source_id) from staging.{of}");
            let ids: String = query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_one(&pool)
                .await?;
            assert_eq!(ids, "abcde", "{of}");
        }
        let page: i32 =
            query_scalar("select page from staging.checkpoints where module = 'clients'")
                .fetch_one(&pool)
                .await?;
        assert_eq!(page, 4);
        Ok(())
    }
}
