//! One run per module across hosts, fenced by the database's clock.

use sqlx::PgConnection;

use crate::database::{query, query_as, query_scalar};

/// How long a lease holds without renewal, in seconds.
pub const LEASE_SECONDS: i32 = 60;

/// The right to write for one module. Every writing transaction of the run calls [`check_lease`] with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The module.
    pub module: String,
    /// Grows with each taking; an older one is refused.
    pub token: i64,
}

/// Who holds the lease that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Holder {
    /// Host and process, `host:pid`.
    pub holder: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// This process as a lease names it: `host:pid`.
pub fn this_holder() -> String {
    format!("{}:{}", host(), std::process::id())
}

fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Whether the holder is a process of this host that no longer exists, as after `kill -9`.
fn is_dead(holder: &str) -> bool {
    let Some((on, pid)) = holder.rsplit_once(':') else {
        return false;
    };
    let pid = pid
        .parse::<i32>()
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    on == host()
        && pid.is_some_and(|pid| {
            rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
        })
}

/// Takes the module's lease: a free one, an expired one, or one whose holder died on this host.
pub async fn take_lease(
    conn: &mut PgConnection,
    module: &str,
) -> sqlx::Result<Result<Lease, Holder>> {
    let held: Option<Holder> = query_as(
        "select holder, to_char(taken_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as since
         from ops.leases where module = $1 and expires_at > clock_timestamp() for update",
    )
    .bind(module)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(held) = held.filter(|held| !is_dead(&held.holder)) {
        return Ok(Err(held));
    }
    let token = query_scalar(
        "insert into ops.leases (module, token, holder, taken_at, expires_at)
         values ($1, 1, $2, clock_timestamp(), clock_timestamp() + make_interval(secs => $3))
         on conflict (module) do update set token = leases.token + 1, holder = excluded.holder, run_id = null,
             taken_at = excluded.taken_at, expires_at = excluded.expires_at
         returning token",
    )
    .bind(module)
    .bind(this_holder())
    .bind(f64::from(LEASE_SECONDS))
    .fetch_one(conn)
    .await?;
    Ok(Ok(Lease {
        module: module.to_owned(),
        token,
    }))
}

/// Renews a lease that is still ours; `false` when it was lost.
pub async fn renew_lease(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<bool> {
    let renewed = query(
        "update ops.leases set expires_at = clock_timestamp() + make_interval(secs => $3)
         where module = $1 and token = $2",
    )
    .bind(&lease.module)
    .bind(lease.token)
    .bind(f64::from(LEASE_SECONDS))
    .execute(conn)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Whether the lease is still ours, locked against being taken until the transaction ends.
pub async fn check_lease(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<bool> {
    let ours: Option<i64> =
        query_scalar("select token from ops.leases where module = $1 and token = $2 for key share")
            .bind(&lease.module)
            .bind(lease.token)
            .fetch_optional(conn)
            .await?;
    Ok(ours.is_some())
}

/// Gives the lease back.
pub async fn release_lease(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    query("update ops.leases set expires_at = clock_timestamp() where module = $1 and token = $2")
        .bind(&lease.module)
        .bind(lease.token)
        .execute(conn)
        .await?;
    Ok(())
}
