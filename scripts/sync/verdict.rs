//! What is said of a run's end, and what a failure of the database makes of it.

use sqlx::PgPool;
use staging::database::{Trouble, query_as, query_scalar};
use staging::{ClaimTally, Lease, Outcome, PageTally, RunState};

use super::Job;
use super::outages::{Away, trouble_of};

/// What was staged and promoted stays; a statement under way is taken back by the database.
pub(super) fn cancelled() -> Outcome {
    ended(
        RunState::Cancelled,
        "A person or the system asked the program to end. The next run goes on from its last page."
            .to_owned(),
    )
}

pub(super) fn failed(cause: String) -> Outcome {
    ended(RunState::Failed, cause)
}

pub(super) fn ended(state: RunState, cause: String) -> Outcome {
    Outcome {
        state,
        cause: Some(cause),
        complete: false,
        total_count: None,
        pages: 0,
        staged: PageTally::default(),
        claims: ClaimTally::default(),
        promotion: None,
    }
}

/// The cause of a state that no single event explains.
pub(super) fn explain(state: RunState, staged: &PageTally, claims: &ClaimTally) -> Option<String> {
    match state {
        RunState::Failed => Some(format!(
            "The counts do not add up ({staged:?}, {claims:?}). This is a bug in Concord: report it with this line."
        )),
        _ => None,
    }
}

/// What of the module is set aside in all and, where that is not the same, of the records that the run took
/// up.
pub(super) async fn set_aside(
    job: &Job<'_>,
    claims: &ClaimTally,
    cause: Option<String>,
) -> anyhow::Result<String> {
    let count = async || {
        let mut tx = job.pool.begin().await?;
        Ok(staging::set_aside(&mut tx, job.definition.name()).await?)
    };
    let all = job.outages.insist(count).await?;
    let aside = [
        (all.quarantined, "quarantined (`concord quarantine list`)"),
        (all.parked, "parked (`concord parking list`)"),
        (all.in_review, "in review (`concord review list`)"),
    ];
    let aside = aside.iter().filter(|(records, _)| *records > 0);
    let aside: Vec<String> = aside
        .map(|(records, how)| format!("{records} {how}"))
        .collect();
    let mut told = Vec::new();
    if !aside.is_empty() {
        told.push(format!("{}.", aside.join(", ")));
    }
    let own = [claims.quarantined, claims.parked, claims.in_review].map(i64::from);
    if own != [all.quarantined, all.parked, all.in_review] {
        let [quarantined, parked, in_review] = own;
        told.push(format!(
            "Of this run's records, {quarantined} were quarantined, {parked} parked and {in_review} put in review."
        ));
    }
    told.extend(cause);
    Ok(told.join(" "))
}

/// The state and the cause of a run that the database stopped; `None` for a failure that is a bug. Of a
/// database that stayed away, `failure` says why from then on, where that is known.
pub(super) async fn verdict(
    pool: &PgPool,
    lease: &Lease,
    failure: &mut anyhow::Error,
) -> Option<(RunState, String)> {
    let full = full_disk(pool, failure).await;
    if let Some(away) = failure.downcast_mut::<Away>() {
        away.why = full;
        return Some((RunState::Waiting, away.to_string()));
    }
    if let Some(by) = taken_over(pool, lease).await {
        return Some((RunState::Failed, by));
    }
    match trouble_of(failure) {
        Some(Trouble::Locked) => {
            let what = "The promotion waited too long for locks on the tables and was taken back.";
            return Some((RunState::Waiting, blocked_by(pool, what, false).await));
        }
        Some(Trouble::Crossed) => {
            let cause = "Other transactions crossed this one again and again, and it was taken back each time. The next run tries again.";
            return Some((RunState::Waiting, cause.to_owned()));
        }
        Some(Trouble::Away) => {
            let cause = "The connection to the database broke again and again. The next run tries again; the server's own log says why.".to_owned();
            return Some((RunState::Waiting, full.unwrap_or(cause)));
        }
        None => {}
    }
    let sql = failure
        .chain()
        .find_map(|cause| cause.downcast_ref::<sqlx::Error>())?;
    let error = sql.as_database_error()?;
    let said = error.message();
    match &*error.code()? {
        "42501" => {
            let refused = refused(pool, said).await;
            let kept = "Nothing of this step was written. Grant it again and run again; what was staged is kept.";
            Some((RunState::Failed, format!("{refused} {kept}")))
        }
        // A column, a table, a type or an operator that is not what the contract says.
        "42703" | "42P01" | "42804" | "42883" | "42P10" => Some((
            RunState::Blocked,
            format!(
                "A table changed while the run was under way: {said}. Nothing of this step was written, and what was staged is kept. Give the table back what its contract says (`concord doctor` shows the difference), and run again."
            ),
        )),
        _ => None,
    }
}

/// Who took the module while this process slept; `None` where it is still ours, or nobody can say.
async fn taken_over(pool: &PgPool, lease: &Lease) -> Option<String> {
    let mut tx = pool.begin().await.ok()?;
    let (by, at): (String, String) = query_as(
        "select holder, to_char(taken_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from ops.leases
         where module = $1 and token <> $2",
    )
    .bind(&lease.module)
    .bind(lease.token)
    .fetch_optional(&mut *tx)
    .await
    .ok()??;
    Some(format!(
        "This process slept for longer than its lease: `{}` was taken over by {by} at {at}, which did the work. Nothing more was written by this one.",
        lease.module
    ))
}

/// What is known of a full disk of the database's: what it said, how much is free where it runs on this very
/// host and may say where its data lie, and how large the database is. `None` where that is not what failed.
async fn full_disk(pool: &PgPool, failure: &anyhow::Error) -> Option<String> {
    let sql = failure
        .chain()
        .find_map(|cause| cause.downcast_ref::<sqlx::Error>())?;
    let error = sql.as_database_error()?;
    if error.code()? != "53100" {
        return None;
    }
    let mut told = format!("Its disk is full: {}.", error.message());
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

/// Where the data of a server on this host lie, and the megabytes that are free there.
async fn free_space(pool: &PgPool) -> Option<(String, u64)> {
    let mut tx = pool.begin().await.ok()?;
    // A role that may not know where the data lie is refused.
    let folder: String = query_scalar(
        "select current_setting('data_directory') where inet_server_addr() is not distinct from inet_client_addr()",
    )
    .fetch_optional(&mut *tx)
    .await
    .ok()??;
    let free = rustix::fs::statvfs(folder.as_str()).ok()?;
    Some((folder, free.f_bavail * free.f_frsize / 1_000_000))
}

async fn refused(pool: &PgPool, said: &str) -> String {
    let role = role(pool).await.unwrap_or_else(|| "of Concord".to_owned());
    format!("The database refuses the role {role}: {said}.")
}

/// The same; a right that the role lacks is told with its name.
pub(super) async fn with_role<T>(pool: &PgPool, done: anyhow::Result<T>) -> anyhow::Result<T> {
    let Err(failure) = done else { return done };
    let sql = failure.chain().find_map(|cause| cause.downcast_ref());
    let error = sql.and_then(sqlx::Error::as_database_error);
    let Some(error) = error.filter(|error| error.code().as_deref() == Some("42501")) else {
        return Err(failure);
    };
    let refused = refused(pool, error.message()).await;
    Err(failure.context(refused))
}

async fn role(pool: &PgPool) -> Option<String> {
    let mut tx = pool.begin().await.ok()?;
    let role: String = query_scalar("select current_user::text")
        .fetch_one(&mut *tx)
        .await
        .ok()?;
    Some(format!("\"{role}\""))
}

/// Who has held locks on our tables for longest, in a sentence. The one that was waited for is not known any
/// more when the wait is over; the oldest is the one to look at.
///
/// `what` could not be done; whoever only reads stands in the way of nothing but a change of a table.
pub(super) async fn blocked_by(pool: &PgPool, what: &str, by_readers: bool) -> String {
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
        .bind(by_readers)
        .fetch_optional(&mut *tx)
        .await
    }
    .await;
    let who = match oldest {
        Ok(Some((pid, user, program, age))) => format!(
            "The oldest transaction that holds some is of process {pid} ({user}, {program}), since {age} s: end it, or have it ended (`select pg_terminate_backend({pid})`)."
        ),
        _ => "Whoever held them is gone.".to_owned(),
    };
    format!("{what} {who} The next run tries again.")
}
