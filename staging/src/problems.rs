//! What waits for a person or a parent: quarantine, parking, review, approvals, conflicts and tasks.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::database::statement::{query, query_as};

/// The kinds of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A record that a rule or the contract refused.
    Quarantine,
    /// A record that waits for its parent.
    Parking,
    /// A record whose match a person must decide.
    Review,
    /// A change set that a person must approve.
    Approval,
    /// A column that changed both at the source and by hand.
    Conflict,
    /// A task for the operator, such as a placeholder.
    Task,
}

impl ProblemKind {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Parking => "parking",
            Self::Review => "review",
            Self::Approval => "approval",
            Self::Conflict => "conflict",
            Self::Task => "task",
        }
    }
}

/// A problem to be reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What kind it is.
    pub kind: ProblemKind,
    /// The module it was met in.
    pub module: String,
    /// The record.
    pub source_id: String,
    /// The fault's stable name.
    pub code: String,
    /// One sentence: what is wrong and what to do.
    pub why: String,
    /// Column or path at fault.
    pub place: Option<String>,
    /// Evidence.
    pub detail: serde_json::Value,
    /// The parent waited for, as (module, source id).
    pub waits_for: Option<(String, String)>,
}

/// Reports problems of a run. A problem that is already open is counted again, not added twice.
pub async fn report_problems(
    conn: &mut PgConnection,
    run_id: i64,
    reports: &[Report],
) -> sqlx::Result<()> {
    if reports.is_empty() {
        return Ok(());
    }
    query(
        "insert into ops.problems (kind, module, source_id, code, why, place, detail, waits_module, waits_id, run_id)
         select distinct on (2, 3, 1, 4) * from (
             select r ->> 'kind', r ->> 'module', r ->> 'source_id', r ->> 'code', r ->> 'why', r ->> 'place',
                    r -> 'detail', r -> 'waits_for' ->> 0, r -> 'waits_for' ->> 1, $2::bigint
             from unnest($1::jsonb[]) r) rows
         on conflict (module, source_id, kind, code) where state = 'open' do update set
             why = excluded.why, place = excluded.place, detail = excluded.detail,
             waits_module = excluded.waits_module, waits_id = excluded.waits_id, run_id = excluded.run_id,
             attempts = problems.attempts + 1, last_seen = clock_timestamp()",
    )
    .bind(reports.iter().map(sqlx::types::Json).collect::<Vec<_>>())
    .bind(run_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes the open problems of `kinds` of a module's records, as these are decided now.
pub async fn resolve_problems(
    conn: &mut PgConnection,
    module: &str,
    ids: &[&str],
    kinds: &[ProblemKind],
    author: &str,
) -> sqlx::Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    let kinds: Vec<&str> = kinds.iter().map(|k| k.as_str()).collect();
    let resolved = query(
        "update ops.problems set state = 'resolved', resolved_at = clock_timestamp(), author = $4
         where module = $1 and source_id = any($2) and kind = any($3) and state = 'open'",
    )
    .bind(module)
    .bind(ids)
    .bind(&kinds)
    .bind(author)
    .execute(conn)
    .await?;
    Ok(resolved.rows_affected())
}

/// How many records of a module are set aside, by any run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct SetAside {
    /// Records refused.
    pub quarantined: i64,
    /// Records that wait for a parent; one that landed without its link is not set aside.
    pub parked: i64,
    /// Records that wait for a person's match decision.
    pub in_review: i64,
}

/// Counts the records of a module that are set aside.
pub async fn set_aside(conn: &mut PgConnection, module: &str) -> sqlx::Result<SetAside> {
    query_as(
        "select count(distinct source_id) filter (where kind = 'quarantine') as quarantined,
                count(distinct source_id) filter (
                    where kind = 'parking' and not coalesce((detail ->> 'landed')::boolean, false)) as parked,
                count(distinct source_id) filter (where kind = 'review') as in_review
         from ops.problems where module = $1 and state = 'open'",
    )
    .bind(module)
    .fetch_one(conn)
    .await
}

/// One problem as people see it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Problem {
    /// Its number.
    pub problem_id: i64,
    /// Its kind.
    pub kind: String,
    /// The module.
    pub module: String,
    /// The record.
    pub source_id: String,
    /// The fault's stable name.
    pub code: String,
    /// One sentence.
    pub why: String,
    /// Column or path at fault.
    pub place: Option<String>,
    /// Evidence.
    pub detail: serde_json::Value,
    /// How often it was met.
    pub attempts: i32,
    /// When first, RFC 3339.
    pub first_seen: String,
    /// When last, RFC 3339.
    pub last_seen: String,
    /// The parent waited for.
    pub waits_module: Option<String>,
    /// Its id.
    pub waits_id: Option<String>,
}

/// The open problems of one kind, oldest first, of all modules or one.
pub async fn open_problems(
    conn: &mut PgConnection,
    kind: ProblemKind,
    module: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Problem>> {
    query_as(
        "select problem_id, kind, module, source_id, code, why, place, detail, attempts, waits_module, waits_id,
                to_char(first_seen at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as first_seen,
                to_char(last_seen at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as last_seen
         from ops.problems where state = 'open' and kind = $1 and ($2::text is null or module = $2)
         order by problem_id limit $3",
    )
    .bind(kind.as_str())
    .bind(module)
    .bind(limit)
    .fetch_all(conn)
    .await
}
