//! A database that is older than what this host remembers: restored from a backup, with the data directory
//! left as it was.
//!
//! Of each module's last run its number and beginning are kept in `runs/<module>.json` in the data directory.
//! A database that does not have that run any more is an older one, or another one than was meant: nothing is
//! read until a person agrees. What the runs between did is gone with them, so the pass that it may have
//! open, and pages on disk that belong to one of theirs, are given up then, and the module is read from its
//! beginning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use staging::database::{query_as, query_scalar};

use super::approval::Question;
use super::{Job, Range};

/// A run, as a file of this host remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRun {
    /// When its database came to be: another one says nothing of this.
    database: String,
    run_id: i64,
    started_at: String,
}

/// Whether the run is one of those that the memory is about: it reads its module's own stream.
fn counts(job: &Job<'_>) -> bool {
    job.source.is_some() && !matches!(job.range, Range::Repair { .. })
}

fn file(job: &Job<'_>) -> PathBuf {
    let folder = job.outages.database.data_dir.join("runs");
    folder.join(format!("{}.json", job.definition.name()))
}

/// What this host remembers and the database has forgotten.
pub(super) struct Forgotten<'a> {
    /// What a person must agree to.
    pub(super) question: Question<'a>,
    /// It, as a sentence.
    pub(super) why: String,
}

/// `None` where all is as it was. Asked before the run is opened, which may take the number of a forgotten
/// one.
pub(super) async fn forgotten<'a>(
    conn: &mut PgConnection,
    job: &Job<'a>,
) -> sqlx::Result<Option<Forgotten<'a>>> {
    let read = std::fs::read(file(job)).unwrap_or_default();
    let Ok(last) = serde_json::from_slice::<LastRun>(&read) else {
        return Ok(None);
    };
    if !counts(job) || last.database != born(conn).await? {
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
    Ok(Some(Forgotten {
        question: Question {
            module,
            code: "restored",
            change,
        },
        why,
    }))
}

/// The run that is being opened, to be remembered; `None` where it is none of those.
pub(super) async fn last_run(
    conn: &mut PgConnection,
    job: &Job<'_>,
    run_id: i64,
) -> sqlx::Result<Option<LastRun>> {
    if !counts(job) {
        return Ok(None);
    }
    let started_at = query_scalar(
        "select (started_at at time zone 'UTC')::text || 'Z' from ops.runs where run_id = $1",
    )
    .bind(run_id)
    .fetch_one(&mut *conn)
    .await?;
    let database = born(conn).await?;
    Ok(Some(LastRun {
        database,
        run_id,
        started_at,
    }))
}

/// Keeps the run that was opened. Without the file an older database is not noticed, and read from its
/// checkpoint.
pub(super) fn remember(job: &Job<'_>, last: Option<LastRun>) {
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

/// When the database got its first table of ours; a copy of it says the same.
async fn born(conn: &mut PgConnection) -> sqlx::Result<String> {
    query_scalar("select min(installed_on at time zone 'UTC')::text from concord.migrations")
        .fetch_one(conn)
        .await
}
