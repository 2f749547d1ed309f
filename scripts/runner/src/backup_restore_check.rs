//! Notices a database that was restored from a backup: it is older than what this host remembers.
//!
//! The data directory holds the number and the start of each module's last run, in `runs/<module>.json`. A
//! database without that run is an older one, or another one than was meant: nothing is read until a person
//! approves. What the missing runs did is gone with them, so an open pass and pages on disk that belong to
//! one of them are given up then, and the module is read from its beginning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use staging::database::{query_as, query_scalar};

use crate::approval::ChangeApproval;
use crate::job::{Job, ReadRange};

/// A run, as a file of this host remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRun {
    /// When its database was created: another database is not compared with this.
    database: String,
    run_id: i64,
    started_at: String,
}

/// Whether the run is remembered: it reads its module's own stream.
fn is_remembered(job: &Job<'_>) -> bool {
    job.source.is_some() && !matches!(job.range, ReadRange::Repair { .. })
}

fn file(job: &Job<'_>) -> PathBuf {
    let folder = job.retry.database.data_dir.join("runs");
    folder.join(format!("{}.json", job.definition.name()))
}

/// A run that this host remembers and the database lacks.
pub(crate) struct MissingRun<'a> {
    /// What a person must approve.
    pub(crate) approval: ChangeApproval<'a>,
    /// The same as a sentence.
    pub(crate) why: String,
}

/// `None` where the database has the last run. Called before a run is opened, which may take the number of a
/// missing one.
pub(crate) async fn missing_run<'a>(
    conn: &mut PgConnection,
    job: &Job<'a>,
) -> sqlx::Result<Option<MissingRun<'a>>> {
    let read = std::fs::read(file(job)).unwrap_or_default();
    let Ok(last) = serde_json::from_slice::<LastRun>(&read) else {
        return Ok(None);
    };
    if !is_remembered(job) || last.database != created_at(conn).await? {
        return Ok(None);
    }
    let module = job.definition.name();
    let (known, newest): (bool, Option<i64>) = query_as(
        "select coalesce(bool_or(run_id = $2 and started_at = $3::timestamptz), false),
                max(run_id) filter (where state is distinct from 'BLOCKED')
         from ops.runs where module = $1",
    )
    .bind(module)
    .bind(last.run_id)
    .bind(&last.started_at)
    .fetch_one(&mut *conn)
    .await?;
    if known {
        return Ok(None);
    }
    let newest = match newest {
        Some(run_id) => format!("it ends with run {run_id}"),
        None => "it has none".to_owned(),
    };
    let why = format!(
        "The database is older than run {} of {}, which this host remembers: {newest}. It was restored from a backup, or is another than was meant.",
        last.run_id, last.started_at
    );
    let change = json!({ "run_id": last.run_id, "started_at": last.started_at });
    Ok(Some(MissingRun {
        approval: ChangeApproval {
            module,
            code: "restored",
            change,
        },
        why,
    }))
}

/// The run that is being opened, where it is one to remember.
pub(crate) async fn last_run(
    conn: &mut PgConnection,
    job: &Job<'_>,
    run_id: i64,
) -> sqlx::Result<Option<LastRun>> {
    if !is_remembered(job) {
        return Ok(None);
    }
    let started_at = query_scalar(
        "select (started_at at time zone 'UTC')::text || 'Z' from ops.runs where run_id = $1",
    )
    .bind(run_id)
    .fetch_one(&mut *conn)
    .await?;
    let database = created_at(conn).await?;
    Ok(Some(LastRun {
        database,
        run_id,
        started_at,
    }))
}

/// Writes the run that was opened to its file. Without the file an older database is not noticed, and read
/// from its checkpoint.
pub(crate) fn remember(job: &Job<'_>, last: Option<LastRun>) {
    let Some(last) = last else { return };
    let file = file(job);
    let kept = || {
        std::fs::create_dir_all(file.parent().unwrap_or(&file))?;
        let beside = file.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(&last)?)?;
        std::fs::rename(&beside, &file)
    };
    if let Err(error) = kept() {
        tracing::warn!(%error, "the run cannot be remembered on this host, and a database restored from a backup is not noticed");
    }
}

/// When Concord created its first table in the database; the same for a copy of it.
async fn created_at(conn: &mut PgConnection) -> sqlx::Result<String> {
    query_scalar("select min(installed_on at time zone 'UTC')::text from concord.migrations")
        .fetch_one(conn)
        .await
}
