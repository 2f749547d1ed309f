//! Passes over a source's stream and the checkpoint that makes them resumable.
//!
//! A pass survives its run: the next run goes on at the checkpoint. One with another strategy is closed as
//! incomplete. A repair is a pass that is never open: it moves no checkpoint, leaves an interrupted pass
//! where it waits, and never counts as complete.
//!
//! A pass is complete when no page had a hole, no id came twice, and the source's total, where it gives
//! one, equals the number of ids that came. An id that came twice may hide one that was skipped: the run
//! then reads a second time with pages of another size, and the two are compared. After the next complete
//! pass the ids of older passes are forgotten.

use sqlx::PgConnection;

use crate::database::statement::{query, query_as, query_scalar};
use crate::page_tally::PageTally;

/// One traversal of a module's stream, possibly over several runs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Pass {
    /// Identifies the pass.
    pub pass_id: i64,
    /// How it reads: `full`, `since`, `window`, `newest_first` or `repair`.
    pub strategy: String,
    /// The instant it reads from, RFC 3339; `None` reads everything.
    pub since: Option<String>,
    /// The instant it reads up to; `None` reads to the end.
    pub until: Option<String>,
    /// Pages staged so far.
    pub page: i32,
    /// The cursor to go on from; `None` at the beginning.
    pub cursor: Option<String>,
    /// Whether an earlier run began it.
    pub resumed: bool,
    /// When it began, by the database's clock.
    pub began: String,
    /// What the source said it holds, as far as this pass was told.
    pub total_count: Option<i64>,
}

impl Pass {
    /// Whether the stream was read to its end, and the pass only needs to be closed.
    pub fn is_read(&self) -> bool {
        self.page > 0 && self.cursor.is_none()
    }
}

/// The pass to continue: the open one, if a run was interrupted in it, or else a new one.
///
/// An open pass continues with the range it was opened for. One with another strategy is closed as
/// incomplete.
pub async fn open_pass(
    conn: &mut PgConnection,
    module: &str,
    strategy: &str,
    since: Option<&str>,
    until: Option<&str>,
) -> sqlx::Result<Pass> {
    let open: Option<Pass> = query_as(
        "select p.pass_id, p.strategy, p.selection ->> 'since' as since, p.selection ->> 'until' as until,
                c.page, c.cursor, true as resumed, p.started_at::text as began, p.total_count
         from staging.passes p join staging.checkpoints c on c.pass_id = p.pass_id and c.module = p.module
         where p.module = $1 and p.state = 'open' and p.strategy = $2",
    )
    .bind(module)
    .bind(strategy)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(pass) = open {
        return Ok(pass);
    }
    abandon_pass(conn, module).await?;
    let pass = insert_pass(conn, module, strategy, (since, until), "open").await?;
    move_checkpoint(conn, module, pass.pass_id, 0, None).await?;
    Ok(pass)
}

async fn insert_pass(
    conn: &mut PgConnection,
    module: &str,
    strategy: &str,
    (since, until): (Option<&str>, Option<&str>),
    state: &str,
) -> sqlx::Result<Pass> {
    let (pass_id, began) = query_as(
        "insert into staging.passes (module, strategy, selection, state)
         values ($1, $2, jsonb_strip_nulls(jsonb_build_object('since', $3::text, 'until', $4::text)), $5)
         returning pass_id, started_at::text",
    )
    .bind(module)
    .bind(strategy)
    .bind(since)
    .bind(until)
    .bind(state)
    .fetch_one(&mut *conn)
    .await?;
    Ok(Pass {
        pass_id,
        strategy: strategy.to_owned(),
        since: since.map(str::to_owned),
        until: until.map(str::to_owned),
        page: 0,
        cursor: None,
        resumed: false,
        began,
        total_count: None,
    })
}

/// Creates a pass over a range, next to the module's own. It is never open, so it is not resumed, moves no
/// checkpoint and does not affect an open pass.
pub async fn open_repair(
    conn: &mut PgConnection,
    module: &str,
    since: &str,
    until: Option<&str>,
) -> sqlx::Result<Pass> {
    insert_pass(conn, module, "repair", (Some(since), until), "incomplete").await
}

/// The number of the last page of a pass that is staged; 0 before the first.
pub async fn staged_to(conn: &mut PgConnection, pass_id: i64) -> sqlx::Result<i32> {
    query_scalar("select coalesce(max(page), 0) from staging.pages where pass_id = $1")
        .bind(pass_id)
        .fetch_one(conn)
        .await
}

/// The page and cursor where a module's open pass continues, if it is the pass with this number and start.
pub async fn resumable(
    conn: &mut PgConnection,
    module: &str,
    pass_id: i64,
    began: &str,
) -> sqlx::Result<Option<(i32, Option<String>)>> {
    query_as(
        "select c.page, c.cursor from staging.passes p
         join staging.checkpoints c on c.pass_id = p.pass_id and c.module = p.module
         where p.module = $1 and p.pass_id = $2 and p.state = 'open' and p.started_at = $3::timestamptz",
    )
    .bind(module)
    .bind(pass_id)
    .bind(began)
    .fetch_optional(conn)
    .await
}

/// How many pages a run has staged, and their counts.
pub async fn staged_by(conn: &mut PgConnection, run_id: i64) -> sqlx::Result<(i64, PageTally)> {
    let (pages, fetched, new, changed, unchanged, superseded) = query_as(
        "select count(*), coalesce(sum(fetched), 0)::int, coalesce(sum(new), 0)::int, coalesce(sum(changed), 0)::int,
                coalesce(sum(unchanged), 0)::int, coalesce(sum(superseded), 0)::int
         from staging.pages where run_id = $1",
    )
    .bind(run_id)
    .fetch_one(conn)
    .await?;
    let tally = PageTally {
        fetched,
        new,
        changed,
        unchanged,
        superseded,
    };
    Ok((pages, tally))
}

/// Stores the source's total, so that progress can be shown before the pass is closed.
pub async fn note_total(conn: &mut PgConnection, pass_id: i64, total: i64) -> sqlx::Result<()> {
    query("update staging.passes set total_count = $2 where pass_id = $1 and total_count is distinct from $2")
        .bind(pass_id)
        .bind(total)
        .execute(conn)
        .await?;
    Ok(())
}

/// Abandons the module's open pass, as when the source refuses its cursor: the next one starts anew.
pub async fn abandon_pass(conn: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    query(
        "update staging.passes set state = 'incomplete', finished_at = clock_timestamp()
         where module = $1 and state = 'open'",
    )
    .bind(module)
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the module's checkpoint past a page of its open pass; other passes have none. Called only in the
/// transaction that stages the page.
pub(crate) async fn move_checkpoint(
    conn: &mut PgConnection,
    module: &str,
    pass_id: i64,
    page: i32,
    cursor: Option<&str>,
) -> sqlx::Result<()> {
    query(
        "insert into staging.checkpoints (module, pass_id, page, cursor)
         select $1, $2, $3, $4 where exists (select from staging.passes where pass_id = $2 and state = 'open')
         on conflict (module) do update set pass_id = excluded.pass_id, page = excluded.page,
             cursor = excluded.cursor, updated_at = clock_timestamp()",
    )
    .bind(module)
    .bind(pass_id)
    .bind(page)
    .bind(cursor)
    .execute(conn)
    .await?;
    Ok(())
}

/// The result of a finished pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassEnd {
    /// Whether every record of the selection was read, as far as counts can tell.
    pub complete: bool,
    /// Why not, as a sentence.
    pub cause: Option<String>,
    /// Whether a second read may confirm it: no page had a hole, but an id came twice or the counts differ,
    /// as when rows shift between pages.
    pub unsettled: bool,
    /// Different ids seen.
    pub distinct: i64,
    /// Rows that came, repetitions included.
    pub rows: i64,
}

#[derive(sqlx::FromRow)]
struct Seen {
    rows: i64,
    distinct_ids: i64,
    holes: i64,
    first_hole: Option<serde_json::Value>,
}

/// Closes a pass whose stream was read to its end. It is complete if no page had a hole, no id came twice,
/// and the source's `total_count`, if given, equals the number of ids. An equal count alone proves nothing: a
/// repeated row may replace a skipped one.
pub async fn close_pass(
    conn: &mut PgConnection,
    module: &str,
    pass_id: i64,
    total_count: Option<i64>,
) -> sqlx::Result<PassEnd> {
    let seen: Seen = query_as(
        "select coalesce(sum(fetched), 0)::bigint as rows,
                (select count(*) from (
                     select distinct id from staging.pages q, unnest(q.source_ids) id where q.pass_id = $1) d)
                     as distinct_ids,
                coalesce(sum(jsonb_array_length(holes)), 0)::bigint as holes,
                (array_agg(holes -> 0) filter (where holes <> '[]'))[1] as first_hole
         from staging.pages where pass_id = $1",
    )
    .bind(pass_id)
    .fetch_one(&mut *conn)
    .await?;
    let cause = incomplete_because(&seen, total_count);
    let complete = cause.is_none();
    move_checkpoint(conn, module, pass_id, 0, None).await?;
    // A range proves nothing about the rest, so a repair never counts as a complete pass.
    query(
        "update staging.passes set state = case when strategy = 'repair' then state else $2 end, total_count = $3,
             finished_at = clock_timestamp() where pass_id = $1",
    )
    .bind(pass_id)
    .bind(if complete { "complete" } else { "incomplete" })
    .bind(total_count)
    .execute(&mut *conn)
    .await?;
    Ok(PassEnd {
        complete,
        cause,
        unsettled: !complete && seen.holes == 0,
        distinct: seen.distinct_ids,
        rows: seen.rows,
    })
}

fn incomplete_because(seen: &Seen, total_count: Option<i64>) -> Option<String> {
    if seen.holes > 0 {
        let first = seen
            .first_hole
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        return Some(format!(
            "The source left {} {} (first: {first}). Nothing was taken for deleted; the next run reads again.",
            seen.holes,
            if seen.holes == 1 { "hole" } else { "holes" }
        ));
    }
    match total_count {
        Some(total) if total != seen.distinct_ids => Some(format!(
            "The source says it has {total} records and {} different ones came. Nothing was taken for deleted; the next run reads again.",
            seen.distinct_ids
        )),
        _ if seen.rows > seen.distinct_ids => Some(format!(
            "{} records came twice while the pages were read, so others may have been skipped. Nothing was taken for deleted; the next run reads again.",
            seen.rows - seen.distinct_ids
        )),
        _ => None,
    }
}

/// Compares two unsettled passes with different page boundaries. If both saw the same ids, and as many as the
/// source's total, the source only repeats rows: the second pass is complete.
pub async fn settle_passes(
    conn: &mut PgConnection,
    first: i64,
    second: i64,
    total_count: Option<i64>,
) -> sqlx::Result<bool> {
    let agrees: bool = query_scalar(
        "with a as (select distinct unnest(source_ids) as id from staging.pages where pass_id = $1),
              b as (select distinct unnest(source_ids) as id from staging.pages where pass_id = $2)
         select not exists (select id from a except select id from b)
            and not exists (select id from b except select id from a)
            and coalesce($3 = (select count(*) from b), true)",
    )
    .bind(first)
    .bind(second)
    .bind(total_count)
    .fetch_one(&mut *conn)
    .await?;
    if agrees {
        query("update staging.passes set state = 'complete' where pass_id = $1")
            .bind(second)
            .execute(conn)
            .await?;
    }
    Ok(agrees)
}

/// When a module's stream was last read completely.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct LastComplete {
    /// The start of the last complete pass, RFC 3339 in UTC.
    pub started: Option<String>,
    /// The age of the last complete pass over everything, in seconds.
    pub full_age: Option<f64>,
}

/// When a module's stream was last read completely, by the database's clock.
pub async fn last_complete(conn: &mut PgConnection, module: &str) -> sqlx::Result<LastComplete> {
    query_as(
        "select to_char(max(started_at) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as started,
                extract(epoch from clock_timestamp() - max(started_at) filter (where strategy = 'full'))::float8
                    as full_age
         from staging.passes where module = $1 and state = 'complete'",
    )
    .bind(module)
    .fetch_one(conn)
    .await
}

/// Marks a complete pass as incomplete: the source showed that it had left something out.
pub async fn doubt_pass(conn: &mut PgConnection, pass_id: i64) -> sqlx::Result<()> {
    query("update staging.passes set state = 'incomplete' where pass_id = $1")
        .bind(pass_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes the pages of older passes; the last complete pass and later ones stay.
pub async fn forget_old_sightings(conn: &mut PgConnection, module: &str) -> sqlx::Result<u64> {
    let forgotten = query(
        "update staging.pages set source_ids = '{}'
         where module = $1 and source_ids <> '{}' and pass_id < (
             select max(pass_id) from staging.passes where module = $1 and state = 'complete')",
    )
    .bind(module)
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::PgPool;

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_pass_is_resumed_until_it_is_given_up(pool: PgPool) {
        let mut tx = pool.begin().await.unwrap();
        let first = open_pass(&mut tx, "clients", "full", None, None)
            .await
            .unwrap();
        assert!(!first.resumed);
        move_checkpoint(&mut tx, "clients", first.pass_id, 3, Some("c3"))
            .await
            .unwrap();
        let again = open_pass(&mut tx, "clients", "full", None, None)
            .await
            .unwrap();
        assert_eq!(
            (again.pass_id, again.page, again.cursor.as_deref()),
            (first.pass_id, 3, Some("c3"))
        );
        assert!(again.resumed);
        abandon_pass(&mut tx, "clients").await.unwrap();
        let anew = open_pass(&mut tx, "clients", "full", None, None)
            .await
            .unwrap();
        assert_ne!(anew.pass_id, first.pass_id);
        assert_eq!((anew.page, anew.cursor, anew.resumed), (0, None, false));
    }

    /// A pass that saw these ids, closed.
    async fn seen(tx: &mut PgConnection, ids: &[&str], total: Option<i64>) -> (i64, PassEnd) {
        let pass = open_pass(tx, "clients", "full", None, None).await.unwrap();
        query(
            "insert into staging.pages (pass_id, page, module, source_ids, fetched, new, changed, unchanged, superseded)
             values ($1, 1, 'clients', $2, cardinality($2), 0, 0, cardinality($2), 0)",
        )
        .bind(pass.pass_id)
        .bind(ids)
        .execute(&mut *tx)
        .await
        .unwrap();
        let end = close_pass(tx, "clients", pass.pass_id, total)
            .await
            .unwrap();
        (pass.pass_id, end)
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn doubts_are_settled_by_two_passes_that_agree(pool: PgPool) {
        type Case = (
            &'static str,
            &'static [&'static str],
            &'static [&'static str],
            Option<i64>,
            bool,
        );
        let cases: [Case; 5] = [
            (
                "a row twice in both",
                &["a", "b", "b"],
                &["a", "a", "b"],
                Some(2),
                true,
            ),
            (
                "a row twice, nothing counted",
                &["a", "b", "b"],
                &["a", "b", "b"],
                None,
                true,
            ),
            (
                "a count that hides a row",
                &["a", "b", "b"],
                &["a", "c", "c"],
                Some(2),
                false,
            ),
            (
                "a count that stays wrong",
                &["a", "b"],
                &["a", "b"],
                Some(3),
                false,
            ),
            (
                "more in the second",
                &["a", "a"],
                &["a", "b", "b"],
                Some(2),
                false,
            ),
        ];
        let mut tx = pool.begin().await.unwrap();
        for (label, one, two, total, settled) in cases {
            let (first, end) = seen(&mut tx, one, total).await;
            assert!(
                end.unsettled && !end.complete && end.cause.is_some(),
                "{label}"
            );
            let (second, end) = seen(&mut tx, two, total).await;
            assert!(end.unsettled, "{label}");
            let agrees = settle_passes(&mut tx, first, second, total).await.unwrap();
            assert_eq!(agrees, settled, "{label}");
        }
        let (_, end) = seen(&mut tx, &["a", "b"], Some(2)).await;
        assert!(end.complete && !end.unsettled);
    }
}
