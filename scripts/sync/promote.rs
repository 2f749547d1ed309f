//! Reconciling and promoting under the guard.

use reconciler::contract::contract_problems;
use reconciler::guard::Extent;
use reconciler::{Caution, Reconciling, reconcile};
use sqlx::PgConnection;
use staging::database::{Trouble, query, query_as, query_scalar};
use staging::{ClaimTally, Lease, ProblemKind, Report, RunState};
use tokio::sync::watch;

use super::group::hold;
use super::outages::{Outage, trouble_of};
use super::poison::Poison;
use super::run::lock_wait;
use super::steps::PROMOTE;
use super::waiting::hold_alone;
use super::{Job, Progressed, halt_at};

/// What promoting came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Promoted {
    pub(super) claims: ClaimTally,
    pub(super) number: Option<i64>,
    pub(super) stop: Option<RunState>,
    pub(super) cause: Option<String>,
}

/// How often a promotion is tried that crossed another module's, or whose connection broke.
const TRIES: u32 = 4;
/// The step that is written in the promotion's own transaction: it says whether the commit came through.
const COMMIT: &str = "commit the promotion";

/// Promotes what is pending. Two modules may cross, one moving the children of the other's placeholders while
/// that one writes them: the database stops one of the two, which then sees what the other did and begins
/// again. Where the connection breaks, the ledger says whether the promotion was committed before it is tried
/// again.
pub(super) async fn promote(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<(i64, i64)>,
) -> anyhow::Result<Promoted> {
    let file = job.outages.database.data_dir.join("poison");
    let file = file.join(format!("{}.json", lease.module));
    let look = async || Ok(Poison::of(job.pool, file.clone(), run_id, PROMOTE).await?);
    let poison = job.outages.insist(look).await?;
    let promoted = persist(job, lease, run_id, decided, poison.as_ref()).await?;
    if let Some(poison) = poison {
        poison.forget();
    }
    Ok(promoted)
}

async fn persist(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<(i64, i64)>,
    poison: Option<&Poison>,
) -> anyhow::Result<Promoted> {
    let mut left = TRIES;
    let mut outage = Outage::begin();
    loop {
        // What the attempt comes to, once its commit is on its way.
        let mut sent = None;
        let failure = match attempt(job, lease, run_id, decided, poison, &mut sent).await {
            Ok(promoted) => return Ok(promoted),
            Err(failure) => failure,
        };
        left -= 1;
        match trouble_of(&failure) {
            Some(Trouble::Away) if left > 0 => {
                let look = async || is_committed(job, lease, run_id).await;
                if job.outages.until_back(&mut outage, failure, look).await?
                    && let Some(promoted) = sent
                {
                    return Ok(promoted);
                }
            }
            _ if crossed(&failure) && left > 0 => {
                job.outages.cross();
                tracing::info!(
                    module = lease.module,
                    run_id,
                    "the promotion crossed another, and begins again"
                );
            }
            _ => return Err(failure),
        }
    }
}

/// A deadlock, or a parent that went between the look at it and the commit.
fn crossed(failure: &anyhow::Error) -> bool {
    let sql = failure.chain().find_map(|cause| cause.downcast_ref());
    let code = sql
        .and_then(sqlx::Error::as_database_error)
        .and_then(|error| error.code());
    trouble_of(failure) == Some(Trouble::Crossed) || code.as_deref() == Some("23503")
}

/// Whether a promotion of this run was committed, asked once none is under way any more.
async fn is_committed(job: &Job<'_>, lease: &Lease, run_id: i64) -> anyhow::Result<bool> {
    let mut tx = job.pool.begin().await?;
    hold_alone(&mut tx, lease).await?;
    let committed =
        query_scalar("select exists (select from ops.run_steps where run_id = $1 and step = $2)")
            .bind(run_id)
            .bind(COMMIT)
            .fetch_one(&mut *tx)
            .await?;
    tx.commit().await?;
    Ok(committed)
}

/// Decides and promotes what is pending in one transaction, or, where the guard objects and nobody has
/// approved it, changes nothing and leaves an approval to be given.
async fn attempt(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<(i64, i64)>,
    poison: Option<&Poison>,
    sent: &mut Option<Promoted>,
) -> anyhow::Result<Promoted> {
    let mut tx = job.pool.begin().await?;
    lock_wait(&mut tx, job).await?;
    hold(&mut tx, lease).await?;
    if let Some(cause) = other_table(&mut tx, job).await? {
        return Ok(Promoted {
            stop: Some(RunState::Blocked),
            cause: Some(cause),
            ..Promoted::default()
        });
    }
    let pending: i64 = query_scalar("select count(*) from staging.pending where module = $1")
        .bind(&lease.module)
        .fetch_one(&mut *tx)
        .await?;
    let keep = |records: &[&str]| {
        if let Some(poison) = poison {
            poison.handling(records);
        }
    };
    let handling = |record: &str| {
        keep(&[record]);
        halt_at(&format!("handling {record}"));
    };
    let deciding = |records: &[&str]| {
        keep(records);
        for record in records {
            halt_at(&format!("deciding {record}"));
        }
    };
    let of = Reconciling {
        definitions: job.definitions,
        module: &lease.module,
        run_id,
        actor: job.actor,
        decided: &|claimed| {
            (job.progress)(Progressed::Decided(claimed, pending.max(claimed)));
            decided.send_replace((claimed, pending.max(claimed)));
        },
        caution: poison.map(|poison| Caution {
            handling: &handling,
            deciding: &deciding,
            aside: poison.aside(),
            suspects: poison.suspects(),
        }),
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
        let ask = async || ask(job, run_id, objection, &reconciled.extent, &sample).await;
        return job.outages.insist(ask).await;
    }
    withdraw_approvals(&mut tx, &lease.module).await?;
    let promoted = Promoted {
        claims: reconciled.tally,
        number: reconciled.promotion.map(|sealed| sealed.number),
        ..Promoted::default()
    };
    staging::mark_step(&mut tx, run_id, COMMIT, "OK", None).await?;
    halt_at("committing");
    *sent = Some(promoted.clone());
    tx.commit().await?;
    Ok(promoted)
}

/// How the table differs from its contract, in a sentence, where it was changed since the run began.
async fn other_table(tx: &mut PgConnection, job: &Job<'_>) -> sqlx::Result<Option<String>> {
    let problems = contract_problems(tx, "prod", &job.definition.contract).await?;
    if problems.is_empty() {
        return Ok(None);
    }
    let told: Vec<String> = problems.iter().take(5).map(ToString::to_string).collect();
    Ok(Some(format!(
        "A table was changed while the run was under way: {} Nothing was promoted, and what was staged is kept for the next run.",
        told.join(" ")
    )))
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
            && extent.contradicted <= allowed.contradicted
            && extent.emptied <= allowed.emptied
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
    sample: &[String],
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
