//! Opens a run: takes the lease, and makes sure that the database is not older than the run before.

use reconciler::Definition;
use staging::database::query;
use staging::{Holder, Lease};

use crate::approval::{request_approval, take_approval};
use crate::backup_restore_check::{MissingRun, last_run, missing_run, remember};
use crate::error::RunError;
use crate::job::{Job, ReadRange};

/// A run that has begun.
pub(crate) struct Opened {
    pub(crate) lease: Lease,
    pub(crate) run_id: i64,
    pub(crate) resumed: bool,
    pub(crate) backup: BackupCheck,
}

/// Whether the database is older than the run before.
#[derive(PartialEq)]
pub(crate) enum BackupCheck {
    /// It is not.
    Current,
    /// It is, and a person must approve first.
    Blocked(String),
    /// It is, and a person has approved that the module is read from its beginning.
    Approved(String),
}

/// Opens a run, or says who holds the module.
pub(crate) async fn open_run(job: &Job<'_>) -> Result<Result<Opened, Holder>, RunError> {
    let name = job.definition.name();
    let mut tx = job.pool.begin().await?;
    job.retry.limit_lock_wait(&mut tx).await?;
    let lease = match staging::take_lease(&mut tx, name).await? {
        Ok(lease) => lease,
        Err(holder) => return Ok(Err(holder)),
    };
    staging::ensure_partition(&mut tx, name).await?;
    let source = &job.definition.module.source;
    let missing = missing_run(&mut tx, job).await?;
    let (mode, strategy) = (job.range.mode(), strategy(job, job.definition));
    let (run_id, resumed) = staging::open_run(&mut tx, name, source, mode, strategy).await?;
    let backup = match missing {
        None => BackupCheck::Current,
        Some(missing) => approved(&mut tx, name, run_id, missing).await?,
    };
    let last = match backup {
        BackupCheck::Blocked(_) => None,
        _ => last_run(&mut tx, job, run_id).await?,
    };
    tx.commit().await?;
    // Not before: a run whose commit is lost would be missing later.
    remember(job, last);
    Ok(Ok(Opened {
        lease,
        run_id,
        resumed,
        backup,
    }))
}

fn strategy(job: &Job<'_>, definition: &Definition) -> &'static str {
    match (job.source, job.range) {
        (None, _) => "staged",
        (_, ReadRange::Repair { .. }) => "repair",
        (_, ReadRange::Incremental) => definition.module.fetch.read.as_str(),
        (_, ReadRange::Full) => "full",
    }
}

async fn approved(
    tx: &mut sqlx::PgConnection,
    module: &str,
    run_id: i64,
    MissingRun { approval, why }: MissingRun<'_>,
) -> Result<BackupCheck, RunError> {
    if take_approval(tx, &approval).await? {
        staging::abandon_pass(tx, module).await?;
        mark_resumed(tx, run_id).await?;
        return Ok(BackupCheck::Approved(format!(
            "{why} The module was read from its beginning; what was done by hand or decided since the backup is not in it."
        )));
    }
    let number = request_approval(tx, &approval, run_id, &why).await?;
    Ok(BackupCheck::Blocked(format!(
        "{why} Nothing was read. If it is the right one, `concord approve {number} --reason …` and run again: the module is read from its beginning."
    )))
}

/// Marks the run as one that went on where another had stopped.
pub(crate) async fn mark_resumed(tx: &mut sqlx::PgConnection, run_id: i64) -> sqlx::Result<()> {
    query("update ops.runs set resumed = true where run_id = $1")
        .bind(run_id)
        .execute(tx)
        .await
        .map(drop)
}
