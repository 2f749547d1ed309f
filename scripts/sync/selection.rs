//! Which part of a stream a run reads.

use std::time::Duration;

use fetcher::Read;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::LastComplete;
use staging::database::query_as;

use super::{Job, Range};

/// What one pass asks for.
pub(super) struct Selected {
    /// The strategy really used, for the run record.
    pub(super) strategy: &'static str,
    /// From here on, RFC 3339; `None` reads everything.
    pub(super) since: Option<String>,
    /// Up to here.
    pub(super) until: Option<String>,
}

impl Selected {
    fn everything() -> Self {
        Self {
            strategy: Read::Full.as_str(),
            since: None,
            until: None,
        }
    }
}

/// What the job asks for. A regular run of a module that has never been read through, or not for as long as
/// `full_every` says, reads everything.
pub(super) async fn select(job: &Job<'_>, conn: &mut PgConnection) -> sqlx::Result<Selected> {
    let (definition, fetch) = (job.definition, &job.definition.module.fetch);
    match job.range {
        Range::Full => return Ok(Selected::everything()),
        Range::Repair { since, until } => {
            return Ok(Selected {
                strategy: "repair",
                since: Some(since.to_owned()),
                until: until.map(str::to_owned),
            });
        }
        Range::Incremental => {}
    }
    let last = staging::last_complete(conn, definition.name()).await?;
    let is_due = fetch.full_every.is_some_and(|every| {
        let age = last.full_age.unwrap_or(f64::INFINITY);
        age > every.as_secs_f64()
    });
    let (Some(started), false) = (&last.started, is_due) else {
        return Ok(Selected::everything());
    };
    let mark = fetch.mark();
    let mark = mark.filter(|(_, column, _)| definition.contract.column(column).is_some());
    let (since, until) = match (fetch.read, &fetch.window, mark) {
        (Read::Since | Read::NewestFirst, _, Some((_, column, overlap))) => {
            (newest(job, conn, column, overlap, started).await?, None)
        }
        (Read::Window, Some(window), _) => around_now(conn, window.reach.days(), &last).await?,
        _ => return Ok(Selected::everything()),
    };
    if since.is_none() {
        return Ok(Selected::everything());
    }
    Ok(Selected {
        strategy: fetch.read.as_str(),
        since,
        until,
    })
}

/// The newest instant in production, or the start of the last complete pass where the data claim to be from
/// later than that, less the overlap.
async fn newest(
    job: &Job<'_>,
    conn: &mut PgConnection,
    column: &str,
    overlap: Duration,
    started: &str,
) -> sqlx::Result<Option<String>> {
    let entity = job.definition.entity();
    let (since,) = query_as(AssertSqlSafe(format!(
        "select to_char((least(max(\"{column}\"), $1::timestamptz) - make_interval(secs => $2))
                        at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from prod.\"{entity}\""
    )))
    .bind(started)
    .bind(overlap.as_secs_f64())
    .fetch_one(conn)
    .await?;
    Ok(since)
}

/// A window around now by the database's clock: so many days back, but never less than to the same distance
/// before the last complete pass, so that a week without runs leaves no gap.
async fn around_now(
    conn: &mut PgConnection,
    (back, ahead): (i32, i32),
    last: &LastComplete,
) -> sqlx::Result<(Option<String>, Option<String>)> {
    query_as(
        "select to_char((least(now(), $3::timestamptz) - make_interval(days => $1)) at time zone 'UTC',
                        'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                to_char((now() + make_interval(days => $2)) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    )
    .bind(back)
    .bind(ahead)
    .bind(&last.started)
    .fetch_one(conn)
    .await
}
