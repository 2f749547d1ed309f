//! Changes at a source that a person must agree to before a module reads on.

use serde_json::Value;
use sqlx::PgConnection;
use staging::database::{query, query_as};
use staging::{ProblemKind, Report};

/// What is asked: of which sort, and exactly what would be agreed to.
pub(super) struct Question<'a> {
    pub(super) module: &'a str,
    pub(super) code: &'a str,
    pub(super) change: Value,
}

/// Uses up an approval of exactly this change, if one was given.
pub(super) async fn taken(tx: &mut PgConnection, of: &Question<'_>) -> sqlx::Result<bool> {
    let taken = query(
        "update ops.problems set state = 'resolved', resolved_at = clock_timestamp()
         where kind = 'approval' and code = $2 and state = 'approved' and module = $1 and detail -> 'change' = $3",
    )
    .bind(of.module)
    .bind(of.code)
    .bind(&of.change)
    .execute(tx)
    .await?;
    Ok(taken.rows_affected() > 0)
}

/// Leaves the question to be answered; gives its number.
pub(super) async fn ask(
    tx: &mut PgConnection,
    of: &Question<'_>,
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
