//! Runs: one execution for one module, its steps, its counts and the one state it ends in.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::database::{query, query_scalar};

use crate::records::PageTally;

/// The state a run ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// Complete and balanced.
    Ok,
    /// Complete, with some records set aside.
    OkQ,
    /// A stream or range was not read whole: nothing was deleted.
    Partial,
    /// A guard or a breaking schema waits for a person.
    Blocked,
    /// Back-off, limit or re-authorisation: trying again later may do.
    Waiting,
    /// Stopped with a cause.
    Failed,
    /// Stopped by a person.
    Cancelled,
}

impl RunState {
    /// The name in the database, on pages and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::OkQ => "OK_Q",
            Self::Partial => "PARTIAL",
            Self::Blocked => "BLOCKED",
            Self::Waiting => "WAITING",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The process's exit code for this state.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok | Self::OkQ => 0,
            Self::Partial => 3,
            Self::Blocked => 4,
            Self::Failed | Self::Cancelled => 5,
            Self::Waiting => 75,
        }
    }
}

/// What became of the records a run claimed. `claimed` is always the sum of the next five.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClaimTally {
    /// Records taken from the pending ones.
    pub claimed: i64,
    /// Records whose entity changed.
    pub promoted: i64,
    /// Records whose entity stood as it should.
    pub same: i64,
    /// Records refused.
    pub quarantined: i64,
    /// Records waiting for a parent.
    pub parked: i64,
    /// Records waiting for a person's match decision.
    pub in_review: i64,
    /// Entities that came to be.
    pub inserted: i64,
    /// Entities that changed.
    pub updated: i64,
    /// Entities marked deleted.
    pub tombstoned: i64,
    /// Columns that had changed on both sides.
    pub conflicts: i64,
}

impl ClaimTally {
    /// Whether every claimed record is accounted for.
    pub fn balances(&self) -> bool {
        self.claimed == self.promoted + self.same + self.quarantined + self.parked + self.in_review
    }
}

/// Everything known of a run at its end.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The state.
    pub state: RunState,
    /// Why, as a sentence with a next step; `None` for OK.
    pub cause: Option<String>,
    /// Whether the read was complete.
    pub complete: bool,
    /// What the source says it holds.
    pub total_count: Option<i64>,
    /// Pages staged.
    pub pages: i64,
    /// What came.
    pub staged: PageTally,
    /// What became of it.
    pub claims: ClaimTally,
    /// The promotion, if anything changed.
    pub promotion: Option<i64>,
}

/// Opens a run and closes the runs of the module that died without an end.
pub async fn open_run(
    conn: &mut PgConnection,
    module: &str,
    source: &str,
    mode: &str,
    strategy: &str,
) -> sqlx::Result<(i64, bool)> {
    let died = query(
        "update ops.runs set state = 'FAILED', finished_at = clock_timestamp(),
             cause = 'The process ended before the run did (killed or lost power). The next run goes on from its last page.'
         where module = $1 and state = 'RUNNING'",
    )
    .bind(module)
    .execute(&mut *conn)
    .await?;
    let resumed = died.rows_affected() > 0;
    let run_id = query_scalar(
        "insert into ops.runs (module, source, mode, strategy, holder, resumed) values ($1, $2, $3, $4, $5, $6)
         returning run_id",
    )
    .bind(module)
    .bind(source)
    .bind(mode)
    .bind(strategy)
    .bind(crate::leases::this_holder())
    .bind(resumed)
    .fetch_one(conn)
    .await?;
    Ok((run_id, resumed))
}

/// How many records came more than once in the passes that ended in this run, each time with other content.
/// The last version stands.
pub async fn came_twice(conn: &mut PgConnection, module: &str, run_id: i64) -> sqlx::Result<i64> {
    query_scalar(
        "select count(distinct s.source_id) from staging.superseded s
         where s.module = $1 and s.pass_id = any(array(
             select pass_id from staging.passes
             where module = $1 and finished_at >= (select started_at from ops.runs where run_id = $2)))",
    )
    .bind(module)
    .bind(run_id)
    .fetch_one(conn)
    .await
}

/// Opens a step of a run, or ends it with `state` other than `RUNNING`.
pub async fn mark_step(
    conn: &mut PgConnection,
    run_id: i64,
    step: &str,
    state: &str,
    detail: Option<&str>,
) -> sqlx::Result<()> {
    query(
        "insert into ops.run_steps (run_id, step, state, detail) values ($1, $2, $3, $4)
         on conflict (run_id, step) do update set state = excluded.state, detail = excluded.detail,
             finished_at = case when excluded.state = 'RUNNING' then null else clock_timestamp() end",
    )
    .bind(run_id)
    .bind(step)
    .bind(state)
    .bind(detail)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the end of a run.
pub async fn finish_run(
    conn: &mut PgConnection,
    run_id: i64,
    outcome: &Outcome,
) -> sqlx::Result<()> {
    let Outcome { staged, claims, .. } = outcome;
    query(
        "update ops.runs set state = $2, cause = $3, finished_at = clock_timestamp(), complete = $4, total_count = $5,
             pages = $6, fetched = $7, new = $8, changed = $9, unchanged = $10, superseded = $11, claimed = $12,
             promoted = $13, same = $14, quarantined = $15, parked = $16, in_review = $17, inserted = $18,
             updated = $19, tombstoned = $20, conflicts = $21, promotion = $22
         where run_id = $1",
    )
    .bind(run_id)
    .bind(outcome.state.as_str())
    .bind(&outcome.cause)
    .bind(outcome.complete)
    .bind(outcome.total_count)
    .bind(outcome.pages)
    .bind(i64::from(staged.fetched))
    .bind(i64::from(staged.new))
    .bind(i64::from(staged.changed))
    .bind(i64::from(staged.unchanged))
    .bind(i64::from(staged.superseded))
    .bind(claims.claimed)
    .bind(claims.promoted)
    .bind(claims.same)
    .bind(claims.quarantined)
    .bind(claims.parked)
    .bind(claims.in_review)
    .bind(claims.inserted)
    .bind(claims.updated)
    .bind(claims.tombstoned)
    .bind(claims.conflicts)
    .bind(outcome.promotion)
    .execute(conn)
    .await?;
    Ok(())
}

/// The state of a run from what happened in it: the one table that decides it.
///
/// A stop (an error, a guard, a wait) outranks incompleteness, which outranks records set aside.
pub fn run_state(
    stop: Option<RunState>,
    complete: bool,
    staged: PageTally,
    claims: ClaimTally,
) -> RunState {
    let staged_balances =
        staged.fetched == staged.new + staged.changed + staged.unchanged + staged.superseded;
    match stop {
        Some(state) => state,
        None if !staged_balances || !claims.balances() => RunState::Failed,
        None if !complete => RunState::Partial,
        None if claims.quarantined + claims.parked + claims.in_review > 0 => RunState::OkQ,
        None => RunState::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_run_is_decided_by_one_table() {
        let balanced = ClaimTally {
            claimed: 3,
            promoted: 3,
            ..Default::default()
        };
        let aside = ClaimTally {
            claimed: 3,
            promoted: 2,
            quarantined: 1,
            ..Default::default()
        };
        let lost = ClaimTally {
            claimed: 3,
            promoted: 2,
            ..Default::default()
        };
        let whole = PageTally {
            fetched: 3,
            new: 3,
            ..Default::default()
        };
        let torn = PageTally {
            fetched: 4,
            new: 3,
            ..Default::default()
        };
        let cases = [
            ("all is well", None, true, whole, balanced, RunState::Ok),
            ("one set aside", None, true, whole, aside, RunState::OkQ),
            (
                "incomplete",
                None,
                false,
                whole,
                balanced,
                RunState::Partial,
            ),
            (
                "incomplete and set aside",
                None,
                false,
                whole,
                aside,
                RunState::Partial,
            ),
            (
                "a claimed record is missing",
                None,
                true,
                whole,
                lost,
                RunState::Failed,
            ),
            (
                "a fetched record is missing",
                None,
                true,
                torn,
                balanced,
                RunState::Failed,
            ),
            (
                "guard",
                Some(RunState::Blocked),
                true,
                whole,
                balanced,
                RunState::Blocked,
            ),
            (
                "outage",
                Some(RunState::Waiting),
                false,
                whole,
                aside,
                RunState::Waiting,
            ),
        ];
        for (label, stop, complete, staged, claims, expected) in cases {
            assert_eq!(
                run_state(stop, complete, staged, claims),
                expected,
                "{label}"
            );
        }
    }

    #[test]
    fn exit_codes_are_those_of_the_manual() {
        let all = [
            (RunState::Ok, 0),
            (RunState::OkQ, 0),
            (RunState::Partial, 3),
            (RunState::Blocked, 4),
            (RunState::Failed, 5),
            (RunState::Cancelled, 5),
            (RunState::Waiting, 75),
        ];
        for (state, code) in all {
            assert_eq!(state.exit_code(), code, "{state:?}");
        }
    }
}
