//! Reconciling and promoting under the guard.

use reconciler::guard::Extent;
use reconciler::{Reconciling, reconcile};
use sqlx::PgConnection;
use staging::database::{query, query_as, query_scalar};
use staging::{ClaimTally, Lease, ProblemKind, Report, RunState};
use tokio::sync::watch;

use super::stage::hold;
use super::{Job, Progressed, halt_at};

/// What promoting came to.
#[derive(Debug, Default)]
pub(super) struct Promoted {
    pub(super) claims: ClaimTally,
    pub(super) number: Option<i64>,
    pub(super) stop: Option<RunState>,
    pub(super) cause: Option<String>,
}

/// How often a promotion that crossed another module's is tried.
const TRIES: u32 = 3;

/// Promotes what is pending. Two modules may cross, one moving the children of the other's placeholders while that
/// one writes them: the database stops one of the two, which then sees what the other did and begins again.
pub(super) async fn promote(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<(i64, i64)>,
) -> anyhow::Result<Promoted> {
    for _ in 1..TRIES {
        match attempt(job, lease, run_id, decided).await {
            Err(failure) if crossed(&failure) => {
                tracing::info!(
                    module = lease.module,
                    run_id,
                    "the promotion crossed another, and begins again"
                );
            }
            outcome => return outcome,
        }
    }
    attempt(job, lease, run_id, decided).await
}

/// A deadlock, or a parent that went between the look at it and the commit.
fn crossed(failure: &anyhow::Error) -> bool {
    let sql = failure.chain().find_map(|cause| cause.downcast_ref());
    let code = sql
        .and_then(sqlx::Error::as_database_error)
        .and_then(|error| error.code());
    code.is_some_and(|code| ["40P01", "40001", "23503"].contains(&&*code))
}

/// Decides and promotes what is pending in one transaction, or, where the guard objects and nobody has
/// approved it, changes nothing and leaves an approval to be given.
async fn attempt(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<(i64, i64)>,
) -> anyhow::Result<Promoted> {
    let mut tx = job.pool.begin().await?;
    hold(&mut tx, lease).await?;
    let pending: i64 = query_scalar("select count(*) from staging.pending where module = $1")
        .bind(&lease.module)
        .fetch_one(&mut *tx)
        .await?;
    let of = Reconciling {
        definitions: job.definitions,
        module: &lease.module,
        run_id,
        actor: job.actor,
        decided: &|claimed| {
            (job.progress)(Progressed::Decided(claimed, pending.max(claimed)));
            decided.send_replace((claimed, pending.max(claimed)));
        },
    };
    let reconciled = reconcile(&mut tx, &of).await?;
    halt_at("reconciled");
    if let Some(objection) = &reconciled.exceeded
        && !is_approved(&mut tx, &lease.module, &reconciled.extent).await?
    {
        let sample = sample(
            &mut tx,
            reconciled.promotion.as_ref().map(|sealed| sealed.number),
        )
        .await;
        tx.rollback().await?;
        return ask(job, run_id, objection, &reconciled.extent, sample).await;
    }
    withdraw_approvals(&mut tx, &lease.module).await?;
    halt_at("committing");
    tx.commit().await?;
    let number = reconciled.promotion.map(|sealed| sealed.number);
    Ok(Promoted {
        claims: reconciled.tally,
        number,
        ..Promoted::default()
    })
}

/// Whether a person has approved a change set at least as large.
async fn is_approved(tx: &mut PgConnection, module: &str, extent: &Extent) -> sqlx::Result<bool> {
    let approved: Vec<(sqlx::types::Json<Extent>,)> = query_as(
        "select detail -> 'extent' from ops.problems
         where kind = 'approval' and code = 'guard' and state = 'approved' and module = $1",
    )
    .bind(module)
    .fetch_all(tx)
    .await?;
    Ok(approved.iter().any(|(allowed,)| {
        extent.deleted <= allowed.deleted
            && extent.erased <= allowed.erased
            && extent.changed <= allowed.changed
    }))
}

/// An approval is for one change set: whatever came through, it is used up, and what was asked is over.
async fn withdraw_approvals(tx: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    query(
        "update ops.problems set state = 'resolved', resolved_at = clock_timestamp()
         where kind = 'approval' and code = 'guard' and state in ('approved', 'open') and module = $1",
    )
    .bind(module)
    .execute(tx)
    .await?;
    Ok(())
}

/// Up to ten rows of the change set, by entity and operation.
async fn sample(tx: &mut PgConnection, number: Option<i64>) -> Vec<String> {
    let rows: Result<Vec<(String,)>, _> = query_as(
        "select operation || ' ' || entity || '/' || entity_id from history.changes
         where number = $1 and part = 1 order by operation <> 'tombstone', entity, entity_id limit 10",
    )
    .bind(number)
    .fetch_all(tx)
    .await;
    rows.unwrap_or_default()
        .into_iter()
        .map(|(line,)| line)
        .collect()
}

async fn ask(
    job: &Job<'_>,
    run_id: i64,
    objection: &str,
    extent: &Extent,
    sample: Vec<String>,
) -> anyhow::Result<Promoted> {
    let module = job.definition.name();
    let report = Report {
        kind: ProblemKind::Approval,
        module: module.to_owned(),
        source_id: String::new(),
        code: "guard".into(),
        why: objection.to_owned(),
        place: None,
        detail: serde_json::json!({ "extent": extent, "sample": sample, "run_id": run_id }),
        waits_for: None,
    };
    let mut tx = job.pool.begin().await?;
    staging::report_problems(&mut tx, run_id, &[report]).await?;
    let (problem,): (i64,) = query_as(
        "select problem_id from ops.problems where kind = 'approval' and code = 'guard' and state = 'open' and module = $1",
    )
    .bind(module)
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Promoted {
        stop: Some(RunState::Blocked),
        cause: Some(format!(
            "{objection} Nothing was changed. Look at it with `run_sync --module {module} --dry-run`; if it is right, `concord approve {problem} --reason …` and run again."
        )),
        ..Promoted::default()
    })
}
