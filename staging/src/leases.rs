//! Leases: one run per module across hosts, fenced by the database's clock.

use sqlx::PgConnection;

use crate::database::statement::{query, query_as, query_scalar};

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

/// Who holds a lease that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Holder {
    /// Host and process, `host:pid`.
    pub holder: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// This process, as named in a lease: `host:pid`.
pub fn this_holder() -> String {
    format!("{}:{}", host_name(), std::process::id())
}

/// This host's name.
pub(crate) fn host_name() -> String {
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
    on == host_name()
        && pid.is_some_and(|pid| {
            rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
        })
}

/// Takes the module's lease if it is free, expired, held by a process of this host that died, or held by this
/// process (which lost the response to its commit, or could not release it). Waits until the previous holder
/// has no transaction in progress. Returns a living holder at once.
pub async fn take_lease(
    conn: &mut PgConnection,
    module: &str,
) -> sqlx::Result<Result<Lease, Holder>> {
    // Read before locking: the holder's own transactions lock the row, for minutes during a promotion.
    if let Some(held) = living_holder(conn, module).await? {
        return Ok(Err(held));
    }
    // The row is there before it is asked for: two first runs at once would find nothing to lock.
    query(
        "insert into ops.leases (module, token, holder, taken_at, expires_at)
         values ($1, 0, '', clock_timestamp(), '-infinity') on conflict (module) do nothing",
    )
    .bind(module)
    .execute(&mut *conn)
    .await?;
    query("select from ops.leases where module = $1 for update")
        .bind(module)
        .execute(&mut *conn)
        .await?;
    if let Some(held) = living_holder(conn, module).await? {
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

/// The living holder of the module's lease, as far as this host can tell.
async fn living_holder(conn: &mut PgConnection, module: &str) -> sqlx::Result<Option<Holder>> {
    let held: Option<Holder> = query_as(
        "select holder, to_char(taken_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as since
         from ops.leases where module = $1 and expires_at > clock_timestamp()",
    )
    .bind(module)
    .fetch_optional(conn)
    .await?;
    Ok(held.filter(|held| held.holder != this_holder() && !is_dead(&held.holder)))
}

/// Renews a lease that is still ours; `false` if it was lost.
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

/// [`check_lease`], once no other transaction of the lease is in progress, such as one whose connection broke
/// at its commit. Later reads in this transaction see its outcome.
pub async fn lone_lease(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<bool> {
    let ours: Option<i64> =
        query_scalar("select token from ops.leases where module = $1 and token = $2 for update")
            .bind(&lease.module)
            .bind(lease.token)
            .fetch_optional(conn)
            .await?;
    Ok(ours.is_some())
}

/// Releases the lease.
pub async fn release_lease(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    query("update ops.leases set expires_at = clock_timestamp() where module = $1 and token = $2")
        .bind(&lease.module)
        .bind(lease.token)
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    async fn taken(pool: &PgPool) -> Result<Lease, Holder> {
        let mut tx = pool.begin().await.unwrap();
        let taken = take_lease(&mut tx, "clients").await.unwrap();
        tx.commit().await.unwrap();
        taken
    }

    async fn held_by(pool: &PgPool, holder: &str) {
        let mut tx = pool.begin().await.unwrap();
        query("update ops.leases set holder = $1")
            .bind(holder)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_holder_that_promotes_is_named_at_once(pool: PgPool) {
        let lease = taken(&pool).await.unwrap();
        held_by(&pool, "elsewhere:1").await;
        let mut promoting = pool.begin().await.unwrap();
        assert!(check_lease(&mut promoting, &lease).await.unwrap());
        // Waiting for the promotion would never end here.
        assert_eq!(taken(&pool).await.unwrap_err().holder, "elsewhere:1");
        promoting.rollback().await.unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn this_process_takes_up_its_own_lease_and_the_older_token_is_refused(pool: PgPool) {
        let first = taken(&pool).await.unwrap();
        let second = taken(&pool).await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        assert!(!check_lease(&mut tx, &first).await.unwrap());
        assert!(lone_lease(&mut tx, &second).await.unwrap());
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_is_under_way_ends_before_the_lease_changes_hands_or_is_had_alone(pool: PgPool) {
        let lease = taken(&pool).await.unwrap();
        let mut under_way = pool.begin().await.unwrap();
        assert!(check_lease(&mut under_way, &lease).await.unwrap());
        let waits = async |alone: bool| {
            let mut tx = pool.begin().await.unwrap();
            sqlx::raw_sql("set local lock_timeout = '50ms'")
                .execute(&mut *tx)
                .await
                .unwrap();
            let failure = match alone {
                true => lone_lease(&mut tx, &lease).await.unwrap_err(),
                false => take_lease(&mut tx, "clients").await.unwrap_err(),
            };
            crate::database::trouble(&failure) == Some(crate::database::Trouble::Locked)
        };
        assert!(waits(true).await && waits(false).await);
        under_way.commit().await.unwrap();
        assert!(taken(&pool).await.is_ok());
    }
}
