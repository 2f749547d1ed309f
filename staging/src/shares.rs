//! Which part of a source's limits each host may use, by the database's clock, and which pauses all of them
//! keep.

use std::time::Duration;

use fetcher::{Part, Pauses, Presence};
use sqlx::PgConnection;

use crate::database::{query, query_as};
use crate::leases::host_name;

/// How long a host's part stays its own after it last said that it is there, in seconds.
const SHARE_SECONDS: f64 = 15.0;

/// A host's place among those that ask a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Its part, as far as others have made room; nothing while it asks nothing and others do.
    pub part: Part,
    /// The part it would have if all had made room.
    pub due: Part,
    /// For how long nobody should ask, as far as any host knows.
    pub pauses: Pauses,
}

/// Says that this host is there, takes its part of the source's limits, and tells and hears of pauses.
///
/// The part must not be used before the transaction is committed, and what was given up not after that.
pub async fn take_share(
    conn: &mut PgConnection,
    source: &str,
    presence: &Presence,
) -> sqlx::Result<Share> {
    // One host after the other.
    query("insert into ops.sources (source) values ($1) on conflict do nothing")
        .bind(source)
        .execute(&mut *conn)
        .await?;
    query("select from ops.sources where source = $1 for update")
        .bind(source)
        .execute(&mut *conn)
        .await?;
    let host = host(presence);
    let held: Vec<(String, i32, i32)> = query_as(
        "select host, from_part, to_part from ops.shares
         where source = $1 and (host = $2 or expires_at > clock_timestamp()) order by joined_at, host",
    )
    .bind(source)
    .bind(&host)
    .fetch_all(&mut *conn)
    .await?;
    let part = |from: i32, to: i32| Part {
        from: from.unsigned_abs(),
        to: to.unsigned_abs(),
    };
    let others = held.iter().filter(|(name, ..)| *name != host);
    let taken: Vec<Part> = others.map(|(_, from, to)| part(*from, *to)).collect();
    let ours = held.iter().position(|(name, ..)| *name == host);
    let due = due(ours.unwrap_or(taken.len()), taken.len() + 1);
    let part = match presence.wanted || taken.is_empty() {
        true => free(due, &taken),
        false => Part::NONE,
    };
    keep(
        conn,
        source,
        &host,
        (presence.wanted || taken.is_empty()).then_some(part),
    )
    .await?;
    let pauses = hear(conn, source, &presence.pauses).await?;
    Ok(Share { part, due, pauses })
}

/// Gives this host's part back after so long, unless another of its processes renews it until then.
pub async fn leave_share(
    conn: &mut PgConnection,
    source: &str,
    presence: &Presence,
    after: Duration,
) -> sqlx::Result<()> {
    query(
        "update ops.shares set expires_at = clock_timestamp() + make_interval(secs => $3)
         where source = $1 and host = $2",
    )
    .bind(source)
    .bind(host(presence))
    .bind(after.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(())
}

/// The name keeps apart two hosts one of which began as a copy of the other.
fn host(presence: &Presence) -> String {
    format!("{}:{}", host_name(), presence.id)
}

/// The part of the host at this place among so many.
fn due(place: usize, hosts: usize) -> Part {
    let edge = |number: usize| {
        u32::try_from(u64::from(Part::WHOLE) * number as u64 / hosts as u64).unwrap_or(Part::WHOLE)
    };
    Part {
        from: edge(place),
        to: edge(place + 1),
    }
}

/// The largest piece of `due` that nobody has taken.
fn free(due: Part, taken: &[Part]) -> Part {
    let mut taken: Vec<Part> = taken.to_vec();
    taken.sort_by_key(|part| part.from);
    let (mut from, mut best) = (due.from, Part::NONE);
    let ends = Part {
        from: due.to,
        to: due.to,
    };
    for part in taken.into_iter().chain([ends]) {
        let gap = Part {
            from,
            to: part.from.min(due.to),
        };
        if gap.size() > best.size() {
            best = gap;
        }
        from = from.max(part.to);
    }
    best
}

async fn keep(
    conn: &mut PgConnection,
    source: &str,
    host: &str,
    part: Option<Part>,
) -> sqlx::Result<()> {
    query(
        "delete from ops.shares where source = $1
         and ((host = $2 and $3) or (host <> $2 and expires_at <= clock_timestamp()))",
    )
    .bind(source)
    .bind(host)
    .bind(part.is_none())
    .execute(&mut *conn)
    .await?;
    let Some(part) = part else {
        return Ok(());
    };
    query(
        "insert into ops.shares (source, host, from_part, to_part, expires_at)
         values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
         on conflict (source, host) do update set from_part = excluded.from_part, to_part = excluded.to_part,
             expires_at = excluded.expires_at",
    )
    .bind(source)
    .bind(host)
    .bind(part.from as i32)
    .bind(part.to as i32)
    .bind(SHARE_SECONDS)
    .execute(conn)
    .await?;
    Ok(())
}

/// Brings what this host knows of pauses and what all know together.
async fn hear(conn: &mut PgConnection, source: &str, ours: &Pauses) -> sqlx::Result<Pauses> {
    type Known = (Option<f64>, Option<f64>, Option<f64>, Option<String>);
    let (held, since, until, cause): Known = query_as(
        "select extract(epoch from held_until - clock_timestamp())::float8,
                extract(epoch from clock_timestamp() - left_alone_since)::float8,
                extract(epoch from left_alone_until - clock_timestamp())::float8, left_alone_cause
         from ops.sources where source = $1",
    )
    .bind(source)
    .fetch_one(&mut *conn)
    .await?;
    let known = Pauses {
        held: held.unwrap_or(0.0).max(0.0),
        left_alone: since
            .zip(until.filter(|until| *until > 0.0))
            .map(|(since, until)| (since, until, cause.unwrap_or_default())),
    };
    if ours.exceed(&known) {
        let left_alone = ours.left_alone.as_ref();
        query(
            "update ops.sources set
                 held_until = greatest(held_until, clock_timestamp() + make_interval(secs => $2)),
                 left_alone_since = case when $4 is null then left_alone_since
                     else clock_timestamp() - make_interval(secs => $3) end,
                 left_alone_until = greatest(left_alone_until, clock_timestamp() + make_interval(secs => $4)),
                 left_alone_cause = coalesce($5, left_alone_cause)
             where source = $1",
        )
        .bind(source)
        .bind(ours.held)
        .bind(left_alone.map(|(since, ..)| *since))
        .bind(left_alone.map(|(_, until, _)| *until))
        .bind(left_alone.map(|(.., cause)| cause))
        .execute(conn)
        .await?;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    const W: u32 = Part::WHOLE;

    fn part(from: u32, to: u32) -> Part {
        Part { from, to }
    }

    async fn beat(pool: &PgPool, id: &str, wanted: bool, pauses: Pauses) -> Share {
        let presence = Presence {
            id: id.to_owned(),
            wanted,
            pauses,
        };
        let mut tx = pool.begin().await.unwrap();
        let share = take_share(&mut tx, "gazelle", &presence).await.unwrap();
        tx.commit().await.unwrap();
        share
    }

    async fn asks(pool: &PgPool, id: &str) -> Part {
        beat(pool, id, true, Pauses::default()).await.part
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn hosts_take_only_what_others_have_given_up(pool: PgPool) {
        assert_eq!(asks(&pool, "a").await, Part::ALL);
        assert_eq!(
            asks(&pool, "b").await,
            Part::NONE,
            "a has not made room yet"
        );
        assert_eq!(asks(&pool, "a").await, part(0, W / 2));
        assert_eq!(asks(&pool, "b").await, part(W / 2, W));
        assert_eq!(asks(&pool, "c").await, Part::NONE);
        assert_eq!(asks(&pool, "b").await, part(W / 2, W / 3 * 2));
        assert_eq!(asks(&pool, "c").await, part(W / 3 * 2, W));
        assert_eq!(asks(&pool, "a").await, part(0, W / 3));
        assert_eq!(asks(&pool, "b").await, part(W / 3, W / 3 * 2));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn who_asks_nothing_leaves_its_part_to_those_who_do_and_who_dies_in_a_while(
        pool: PgPool,
    ) {
        let idle = async |id| beat(&pool, id, false, Pauses::default()).await.part;
        assert_eq!(idle("a").await, Part::ALL, "nobody else is there");
        assert_eq!(asks(&pool, "b").await, Part::NONE);
        assert_eq!(idle("a").await, Part::NONE);
        assert_eq!(asks(&pool, "b").await, Part::ALL);
        assert_eq!(idle("a").await, Part::NONE);
        assert_eq!(
            asks(&pool, "b").await,
            Part::ALL,
            "it loses nothing to one that only looks"
        );
        assert_eq!(asks(&pool, "a").await, Part::NONE);
        assert_eq!(asks(&pool, "b").await, part(0, W / 2));
        assert_eq!(asks(&pool, "a").await, part(W / 2, W));
        let mut tx = pool.begin().await.unwrap();
        query("update ops.shares set expires_at = clock_timestamp() where host like '%:b'")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(asks(&pool, "a").await, Part::ALL);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn pauses_are_told_once_and_the_longest_stands(pool: PgPool) {
        let told = |held: f64, until: f64| Pauses {
            held,
            left_alone: (until > 0.0).then(|| (7.0, until, "HTTP 503".to_owned())),
        };
        assert_eq!(
            beat(&pool, "a", true, told(0.0, 0.0)).await.pauses,
            told(0.0, 0.0)
        );
        beat(&pool, "a", true, told(120.0, 0.0)).await;
        beat(&pool, "b", true, told(30.0, 60.0)).await;
        let heard = beat(&pool, "c", true, told(0.0, 0.0)).await.pauses;
        assert!((110.0..=120.0).contains(&heard.held), "{heard:?}");
        let (since, until, cause) = heard.left_alone.unwrap();
        assert!(
            since >= 7.0 && (50.0..=60.0).contains(&until),
            "{since} {until}"
        );
        assert_eq!(cause, "HTTP 503");
    }
}
