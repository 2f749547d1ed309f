//! What the database can say about its own failures: a full disk, a missing right, who holds locks.

use sqlx::PgPool;
use staging::database::{query_as, query_scalar};

use crate::error::RunError;

/// What is known of a full disk of the database: its message, how much is free where it runs on this host and
/// may say where its data are, and how large the database is. `None` where something else failed.
pub(crate) async fn full_disk(pool: &PgPool, failure: &RunError) -> Option<String> {
    let (code, message) = failure.refusal()?;
    if code != "53100" {
        return None;
    }
    let mut told = format!("Its disk is full: {message}.");
    if let Some((folder, free)) = free_space(pool).await {
        told += &format!(" {free} MB are free in {folder}.");
    }
    if let Some(size) = size(pool).await {
        told += &format!(" The database takes {size}.");
    }
    Some(told)
}

async fn size(pool: &PgPool) -> Option<String> {
    let mut tx = pool.begin().await.ok()?;
    query_scalar("select pg_size_pretty(pg_database_size(current_database()))")
        .fetch_one(&mut *tx)
        .await
        .ok()
}

/// Where the data of a server on this host are, and the megabytes that are free there.
async fn free_space(pool: &PgPool) -> Option<(String, u64)> {
    let mut tx = pool.begin().await.ok()?;
    // A role that may not know where the data are is refused.
    let folder: String = query_scalar(
        "select current_setting('data_directory') where inet_server_addr() is not distinct from inet_client_addr()",
    )
    .fetch_optional(&mut *tx)
    .await
    .ok()??;
    let free = rustix::fs::statvfs(folder.as_str()).ok()?;
    Some((folder, free.f_bavail * free.f_frsize / 1_000_000))
}

/// A right that the role lacks, in a sentence with the role's name.
pub(crate) async fn refused_role(pool: &PgPool, said: &str) -> String {
    let role = role(pool).await.unwrap_or_else(|| "of Concord".to_owned());
    format!("The database refuses the role {role}: {said}.")
}

/// Adds the role's name to an error about a right that it lacks.
pub(crate) async fn with_role<T>(pool: &PgPool, done: Result<T, RunError>) -> Result<T, RunError> {
    let Err(failure) = done else { return done };
    let refused = match failure.refusal() {
        Some((code, message)) if code == "42501" => refused_role(pool, message).await,
        _ => return Err(failure),
    };
    Err(RunError::during(refused)(failure))
}

async fn role(pool: &PgPool) -> Option<String> {
    let mut tx = pool.begin().await.ok()?;
    let role: String = query_scalar("select current_user::text")
        .fetch_one(&mut *tx)
        .await
        .ok()?;
    Some(format!("\"{role}\""))
}

/// Which transactions may stand in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blockers {
    /// Those that write: a statement waits for them.
    Writers,
    /// Those that only read, too: a change of a table waits for them.
    Readers,
}

/// `what` could not be done, and who has held locks on our tables for longest, in sentences. When the wait is
/// over, the one that was waited for is not known any more; the oldest is the one to look at.
pub(crate) async fn blocked_by(pool: &PgPool, what: &str, blockers: Blockers) -> String {
    let oldest = async {
        let mut tx = pool.begin().await?;
        query_as::<(i32, String, String, i64)>(
            "select a.pid, coalesce(a.usename::text, ''), coalesce(nullif(a.application_name, ''), 'an unnamed program'),
                    extract(epoch from clock_timestamp() - a.xact_start)::bigint
             from pg_stat_activity a
             where a.pid <> pg_backend_pid() and a.datname = current_database() and a.xact_start is not null
               and exists (select from pg_locks l join pg_class c on c.oid = l.relation
                   where l.pid = a.pid and l.granted and ($1 or l.mode <> 'AccessShareLock')
                     and c.relnamespace in (select oid from pg_namespace where nspname in ('prod', 'staging', 'history', 'ops')))
             order by a.xact_start limit 1",
        )
        .bind(blockers == Blockers::Readers)
        .fetch_optional(&mut *tx)
        .await
    }
    .await;
    let who = match oldest {
        Ok(Some((pid, user, program, age))) => format!(
            "The oldest transaction that holds locks is of process {pid} ({user}, {program}), since {age} s: end it, or have it ended (`select pg_terminate_backend({pid})`)."
        ),
        _ => "They are released now.".to_owned(),
    };
    format!("{what} {who} The next run tries again.")
}
