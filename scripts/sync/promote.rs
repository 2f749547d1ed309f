//! Reconciling and promoting under the guard.

use reconciler::guard::Extent;
use reconciler::{Reconciling, reconcile};
use sqlx::PgConnection;
use staging::database::{query, query_as};
use staging::{ClaimTally, Lease, ProblemKind, Report, RunState};

use super::stage::hold;
use super::{Job, halt_at};

/// What promoting came to.
#[derive(Debug, Default)]
pub(super) struct Promoted {
    pub(super) claims: ClaimTally,
    pub(super) number: Option<i64>,
    pub(super) stop: Option<RunState>,
    pub(super) cause: Option<String>,
}

/// Decides and promotes what is pending in one transaction, or, where the guard objects and nobody has
/// approved it, changes nothing and leaves an approval to be given.
pub(super) async fn promote(job: &Job<'_>, lease: &Lease, run_id: i64) -> anyhow::Result<Promoted> {
    let mut tx = job.pool.begin().await?;
    hold(&mut tx, lease).await?;
    let of = Reconciling {
        definitions: job.definitions,
        module: &lease.module,
        run_id,
        actor: job.actor,
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
