//! Reconciles and promotes, under the guard.

use reconciler::contract::contract_problems;
use reconciler::guard::Guarded;
use reconciler::{Caution, Reconciled, Reconciling, lost_table, reconcile};
use sqlx::PgConnection;
use staging::database::{Trouble, query, query_as, query_scalar};
use staging::{ClaimTally, Lease, ProblemKind, Report, RunState};
use tokio::sync::watch;

use crate::crash_quarantine::CrashSuspects;
use crate::error::RunError;
use crate::job::{Decided, Job, Progress};
use crate::lease::{check_lease, check_lease_alone};
use crate::retry::Outage;
use crate::steps::PROMOTE;
use crate::test_hooks::halt_at;

/// What promoting came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promoted {
    pub(crate) claims: ClaimTally,
    pub(crate) number: Option<i64>,
    pub(crate) stop: Option<RunState>,
    pub(crate) cause: Option<String>,
}

impl Promoted {
    /// Nothing was promoted, and a person must act first.
    fn blocked(cause: String) -> Promoted {
        Promoted {
            stop: Some(RunState::Blocked),
            cause: Some(cause),
            ..Promoted::default()
        }
    }
}

/// How often a promotion is tried that conflicts with another module's, or whose connection breaks.
const ATTEMPTS: u32 = 4;
/// The step that is written in the promotion's own transaction: it says whether the commit succeeded.
const COMMIT: &str = "commit the promotion";

/// Promotes what is pending. Two modules may conflict, one moving the children of the other's placeholders
/// while that one writes them: the database stops one of the two, which then sees what the other did and
/// starts again. When the connection breaks, the steps of the run say whether the promotion was committed
/// before it is tried again.
pub(crate) async fn promote(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<Decided>,
) -> Result<Promoted, RunError> {
    let file = job.retry.database.data_dir.join("poison");
    let file = file.join(format!("{}.json", lease.module));
    let load = async || Ok(CrashSuspects::load(job.pool, file.clone(), run_id, PROMOTE).await?);
    let suspects = job.retry.run(load).await?;
    let promoted = promote_retrying(job, lease, run_id, decided, suspects.as_ref()).await?;
    if let Some(suspects) = suspects {
        suspects.forget();
    }
    Ok(promoted)
}

async fn promote_retrying(
    job: &Job<'_>,
    lease: &Lease,
    run_id: i64,
    decided: &watch::Sender<Decided>,
    suspects: Option<&CrashSuspects>,
) -> Result<Promoted, RunError> {
    let mut left = ATTEMPTS;
    let mut outage = Outage::begin();
    loop {
        // What the attempt comes to, once its commit is on its way.
        let mut sent = None;
        let failure = match attempt(job, lease, run_id, decided, suspects, &mut sent).await {
            Ok(promoted) => return Ok(promoted),
            Err(failure) => failure,
        };
        left -= 1;
        match failure.trouble() {
            Some(Trouble::Away) if left > 0 => {
                let look = async || is_committed(job, lease, run_id).await;
                if job.retry.until_back(&mut outage, failure, look).await?
                    && let Some(promoted) = sent
                {
                    return Ok(promoted);
                }
            }
            _ if is_conflict(&failure) && left > 0 => {
                job.retry.count_conflict();
                tracing::info!(
                    module = lease.module,
                    run_id,
                    "the promotion conflicted with another, and starts again"
                );
            }
            _ => return Err(failure),
        }
    }
}

/// A deadlock, or a parent that another promotion removed between the look at it and the commit.
fn is_conflict(failure: &RunError) -> bool {
    let is_orphan = failure.refusal().is_some_and(|(code, _)| code == "23503");
    is_orphan || failure.trouble() == Some(Trouble::Crossed)
}

/// Whether a promotion of this run was committed, once none is under way any more.
async fn is_committed(job: &Job<'_>, lease: &Lease, run_id: i64) -> Result<bool, RunError> {
    let mut tx = job.pool.begin().await?;
    check_lease_alone(&mut tx, lease).await?;
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
    decided: &watch::Sender<Decided>,
    suspects: Option<&CrashSuspects>,
    sent: &mut Option<Promoted>,
) -> Result<Promoted, RunError> {
    let mut tx = job.pool.begin().await?;
    job.retry.limit_lock_wait(&mut tx).await?;
    check_lease(&mut tx, lease).await?;
    if let Some(cause) = table_changed(&mut tx, job).await? {
        return Ok(Promoted::blocked(cause));
    }
    let pending: i64 = query_scalar("select count(*) from staging.pending where module = $1")
        .bind(&lease.module)
        .fetch_one(&mut *tx)
        .await?;
    let keep = |records: &[&str]| _ = suspects.map(|suspects| suspects.handling(records));
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
            let now = Decided {
                done: claimed,
                pending: pending.max(claimed),
            };
            (job.progress)(Progress::Decided(now));
            decided.send_replace(now);
        },
        caution: suspects.map(|suspects| Caution {
            handling: &handling,
            deciding: &deciding,
            aside: suspects.to_quarantine(),
            suspects: suspects.to_isolate(),
        }),
    };
    let reconciled = reconcile(&mut tx, &of).await?;
    halt_at("reconciled");
    if let Some(objection) = &reconciled.exceeded {
        match decision_of(&mut tx, &lease.module, &reconciled.guarded).await? {
            Some(Decision { state, .. }) if state == "approved" => {}
            Some(rejected) => {
                tx.rollback().await?;
                return Ok(Promoted::blocked(rejected.cause(objection)));
            }
            None => {
                tx.rollback().await?;
                let request = async || request_approval(job, run_id, &reconciled).await;
                return job.retry.run(request).await;
            }
        }
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

/// How the table differs from its contract or from what the engine left, in sentences.
async fn table_changed(tx: &mut PgConnection, job: &Job<'_>) -> sqlx::Result<Option<String>> {
    let entity = job.definition.entity();
    if let Some(lost) = lost_table(tx, job.definitions, entity).await? {
        return Ok(Some(lost.cause(entity)));
    }
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

/// What a person decided about a change set.
#[derive(sqlx::FromRow)]
struct Decision {
    state: String,
    author: Option<String>,
    reason: Option<String>,
}

impl Decision {
    /// Why a run stops at a change set that was rejected.
    fn cause(&self, objection: &str) -> String {
        format!(
            "{objection} {} rejected exactly this: {}. It is not asked again before the change differs; correct it at the source, or release what holds it.",
            self.author.as_deref().unwrap_or("Somebody"),
            self.reason
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches('.')
        )
    }
}

/// What a person decided about exactly this change set: the same changes of the same rows.
async fn decision_of(
    tx: &mut PgConnection,
    module: &str,
    guarded: &Guarded,
) -> sqlx::Result<Option<Decision>> {
    query_as(
        "select state, author, reason from ops.problems
         where kind = 'approval' and code = 'guard' and state in ('approved', 'rejected') and module = $1
           and detail ->> 'digest' = $2
         order by problem_id desc limit 1",
    )
    .bind(module)
    .bind(guarded.digest())
    .fetch_optional(tx)
    .await
}

/// An approval is for one change set: once something is promoted it is used up, and an open request is
/// closed.
async fn withdraw_approvals(tx: &mut PgConnection, module: &str) -> sqlx::Result<()> {
    query(
        "update ops.problems set state = 'resolved', resolved_at = clock_timestamp()
         where kind = 'approval' and code = 'guard' and state in ('approved', 'open', 'rejected') and module = $1",
    )
    .bind(module)
    .execute(tx)
    .await?;
    Ok(())
}

/// Rows of a change set that are shown with the question.
const SHOWN: usize = 10;

/// Leaves the change set for a person to approve. A question about another one is over.
async fn request_approval(
    job: &Job<'_>,
    run_id: i64,
    reconciled: &Reconciled,
) -> Result<Promoted, RunError> {
    let (extent, guarded) = (&reconciled.extent, &reconciled.guarded);
    let objection = reconciled.exceeded.as_deref().unwrap_or_default();
    let mut rows = guarded.rows.clone();
    rows.sort_by_key(|row| !row.starts_with("tombstone"));
    let sample = &rows[..rows.len().min(SHOWN)];
    let module = job.definition.name();
    let report = Report {
        kind: ProblemKind::Approval,
        module: module.to_owned(),
        source_id: String::new(),
        code: "guard".into(),
        why: objection.to_owned(),
        place: None,
        detail: serde_json::json!({ "extent": extent, "digest": guarded.digest(), "rows": rows, "sample": sample, "run_id": run_id }),
        waits_for: None,
    };
    let mut tx = job.pool.begin().await?;
    query(
        "update ops.problems set state = 'resolved', resolved_at = clock_timestamp()
         where kind = 'approval' and code = 'guard' and state = 'open' and module = $1
           and detail ->> 'digest' is distinct from $2",
    )
    .bind(module)
    .bind(guarded.digest())
    .execute(&mut *tx)
    .await?;
    staging::report_problems(&mut tx, run_id, &[report]).await?;
    let (problem,): (i64,) = query_as(
        "select problem_id from ops.problems where kind = 'approval' and code = 'guard' and state = 'open' and module = $1",
    )
    .bind(module)
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Promoted::blocked(format!(
        "{objection} Nothing was changed. Look at it with `run_sync --module {module} --dry-run`; if it is right, `concord approve {problem} --reason …` and run again."
    )))
}
