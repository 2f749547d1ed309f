//! Changes at a source that a person must approve before a module reads on.

use serde_json::Value;
use sqlx::PgConnection;
use staging::database::{query, query_as};
use staging::{ProblemKind, Report};

/// What is to be approved: its kind, and exactly which change.
pub(crate) struct ChangeApproval<'a> {
    pub(crate) module: &'a str,
    pub(crate) code: &'a str,
    pub(crate) change: Value,
}

/// Uses up an approval of exactly this change; `false` where none was given.
pub(crate) async fn take_approval(
    tx: &mut PgConnection,
    of: &ChangeApproval<'_>,
) -> sqlx::Result<bool> {
    let used = query(
        "update ops.problems set state = 'resolved', resolved_at = clock_timestamp()
         where kind = 'approval' and code = $2 and state = 'approved' and module = $1 and detail -> 'change' = $3",
    )
    .bind(of.module)
    .bind(of.code)
    .bind(&of.change)
    .execute(tx)
    .await?;
    Ok(used.rows_affected() > 0)
}

/// Asks for approval; returns the number of the request.
pub(crate) async fn request_approval(
    tx: &mut PgConnection,
    of: &ChangeApproval<'_>,
    run_id: i64,
    why: &str,
) -> sqlx::Result<i64> {
    let report = Report {
        kind: ProblemKind::Approval,
        module: of.module.to_owned(),
        source_id: String::new(),
        code: of.code.to_owned(),
        why: why.to_owned(),
        place: None,
        detail: serde_json::json!({ "change": of.change, "run_id": run_id }),
        waits_for: None,
    };
    staging::report_problems(tx, run_id, &[report]).await?;
    let (number,): (i64,) = query_as(
        "select problem_id from ops.problems where kind = 'approval' and code = $2 and state = 'open' and module = $1",
    )
    .bind(of.module)
    .bind(of.code)
    .fetch_one(tx)
    .await?;
    Ok(number)
}
