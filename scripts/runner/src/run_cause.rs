//! The state and the cause that a run ends with.

use sqlx::PgPool;
use staging::database::{Trouble, query_as};
use staging::{ClaimTally, Lease, Outcome, PageTally, RunState};

use crate::database_cause::{Blockers, blocked_by, full_disk, refused_role};
use crate::error::RunError;
use crate::job::Job;

/// A run that was asked to end. What was staged and promoted stays; the database rolls back what was under
/// way.
pub(crate) fn cancelled() -> Outcome {
    ended(
        RunState::Cancelled,
        "A person or the system asked the program to end. The next run goes on from its last page."
            .to_owned(),
    )
}

/// A run that ended before it read anything, or that cannot say what it did.
pub(crate) fn ended(state: RunState, cause: String) -> Outcome {
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
pub(crate) fn unexplained(
    state: RunState,
    staged: &PageTally,
    claims: &ClaimTally,
) -> Option<String> {
    match state {
        RunState::Failed => Some(format!(
            "The counts do not add up ({staged:?}, {claims:?}). This is a bug in Concord: report it with this line."
        )),
        _ => None,
    }
}

/// How many records of the module are set aside in all and, where that differs, by this run.
pub(crate) async fn set_aside(
    job: &Job<'_>,
    claims: &ClaimTally,
    cause: Option<String>,
) -> Result<String, RunError> {
    let count = async || {
        let mut tx = job.pool.begin().await?;
        Ok(staging::set_aside(&mut tx, job.definition.name()).await?)
    };
    let all = job.retry.run(count).await?;
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

/// The state and the cause of a run that the database stopped; `None` for a failure that is a bug. An outage
/// gets its reason here, where it is known.
pub(crate) async fn cause_of(
    pool: &PgPool,
    lease: &Lease,
    failure: &mut RunError,
) -> Option<(RunState, String)> {
    let full = full_disk(pool, failure).await;
    if let Some(away) = failure.away_mut() {
        away.why = full;
        return Some((RunState::Waiting, away.to_string()));
    }
    if let Some(by) = taken_over(pool, lease).await {
        return Some((RunState::Failed, by));
    }
    match failure.trouble() {
        Some(Trouble::Locked) => {
            let what = "The promotion waited too long for locks on the tables and was rolled back.";
            let cause = blocked_by(pool, what, Blockers::Writers).await;
            return Some((RunState::Waiting, cause));
        }
        Some(Trouble::Crossed) => {
            let cause = "The transaction conflicted with others several times, and was rolled back each time. The next run tries again.";
            return Some((RunState::Waiting, cause.to_owned()));
        }
        Some(Trouble::Away) => {
            let cause = "The connection to the database broke several times. The next run tries again; the server's own log says why.".to_owned();
            return Some((RunState::Waiting, full.unwrap_or(cause)));
        }
        None => {}
    }
    let (code, said) = failure.refusal()?;
    match &*code {
        "42501" => {
            let refused = refused_role(pool, said).await;
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
