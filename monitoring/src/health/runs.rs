//! The latest runs of each module, newest first.

use serde::Serialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as UnknownState, StrDeserializer};
use sqlx::PgConnection;
use staging::RunState;
use staging::database::query_as;

use super::Instant;
use crate::status::LastRun;

/// One run, as it stands in `ops.runs`.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct Run {
    #[serde(skip)]
    pub(crate) module: String,
    /// Its number.
    pub run_id: i64,
    /// `RUNNING` or the state it ended in.
    pub state: String,
    /// Why it ended so, as a sentence with a next step.
    pub cause: Option<String>,
    /// Whether it went on from an interrupted run.
    pub resumed: bool,
    /// When it began.
    pub started_at: Instant,
    /// When it ended.
    pub finished_at: Option<Instant>,
    /// Whether it read everything.
    pub complete: bool,
    /// What the source said it holds.
    pub total_count: Option<i64>,
    /// Pages staged.
    pub pages: i64,
    /// What came, and what became of it.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub balance: Balance,
}

/// The counts of a run. Two equations hold in a run that lost nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Balance {
    /// Records that came: the sum of the next four.
    pub fetched: i64,
    /// Records never seen before.
    pub new: i64,
    /// Records that differ from what was staged.
    pub changed: i64,
    /// Records that are as they were.
    pub unchanged: i64,
    /// Records that came twice in one read.
    pub superseded: i64,
    /// Records the reconciler took: the sum of the next five.
    pub claimed: i64,
    /// Records whose entity changed.
    pub promoted: i64,
    /// Records whose entity stood as it should.
    pub same: i64,
    /// Records refused.
    pub quarantined: i64,
    /// Records that wait for a parent.
    pub parked: i64,
    /// Records whose match a person must decide.
    pub in_review: i64,
}

impl Balance {
    /// Fetched records that nothing accounts for.
    pub fn fetch_gap(&self) -> i64 {
        self.fetched - (self.new + self.changed + self.unchanged + self.superseded)
    }

    /// Claimed records that nothing accounts for.
    pub fn claim_gap(&self) -> i64 {
        self.claimed - (self.promoted + self.same + self.quarantined + self.parked + self.in_review)
    }

    /// Both gaps together, without sign, so that they cannot cancel each other out.
    pub fn gap(&self) -> i64 {
        self.fetch_gap().abs() + self.claim_gap().abs()
    }
}

impl Run {
    /// The state this run ended in; `None` while it runs.
    pub fn ended(&self) -> Option<RunState> {
        let state: StrDeserializer<'_, UnknownState> = self.state.as_str().into_deserializer();
        serde::Deserialize::deserialize(state).ok()
    }

    /// What the table of statuses wants to know of it.
    pub(crate) fn as_last(&self) -> Option<LastRun> {
        let state = self.ended()?;
        Some(LastRun {
            state,
            complete: self.complete,
            balanced: self.balance.gap() == 0,
        })
    }
}

/// How many runs of each module are looked at to say since when a state lasts.
const LOOK_BACK: i64 = 100;

/// The latest runs of the modules, newest first.
pub(super) async fn latest(conn: &mut PgConnection, modules: &[String]) -> sqlx::Result<Vec<Run>> {
    query_as(
        "select r.module, r.run_id, r.state, r.cause, r.resumed, r.complete, r.total_count, r.pages,
                floor(extract(epoch from r.started_at))::bigint as started_at,
                floor(extract(epoch from r.finished_at))::bigint as finished_at,
                r.fetched, r.new, r.changed, r.unchanged, r.superseded,
                r.claimed, r.promoted, r.same, r.quarantined, r.parked, r.in_review
         from unnest($1::text[]) as wanted(module)
         cross join lateral (
             select * from ops.runs where module = wanted.module order by run_id desc limit $2
         ) r
         order by r.run_id desc",
    )
    .bind(modules)
    .bind(LOOK_BACK)
    .fetch_all(conn)
    .await
}

/// The end of the first of the latest runs that ended as well, or as badly, as the newest one did.
/// OK and OK_Q are one kind here: what is set aside has a date of its own.
pub(super) fn streak_start<'a>(ended: impl IntoIterator<Item = &'a Run>) -> Option<Instant> {
    let kind = |run: &Run| match run.ended() {
        Some(RunState::OkQ) => Some(RunState::Ok),
        other => other,
    };
    let mut ended = ended.into_iter().peekable();
    let newest = kind(ended.peek()?);
    ended
        .take_while(|run| kind(run) == newest)
        .last()?
        .finished_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: &str, finished_at: i64) -> Run {
        Run {
            module: "clients".into(),
            run_id: finished_at,
            state: state.into(),
            cause: None,
            resumed: false,
            started_at: Instant(0),
            finished_at: Some(Instant(finished_at)),
            complete: true,
            total_count: None,
            pages: 1,
            balance: Balance::default(),
        }
    }

    #[test]
    fn gaps_do_not_cancel_each_other_out() {
        let balance = Balance {
            fetched: 3,
            new: 4,
            claimed: 4,
            promoted: 3,
            ..Default::default()
        };
        assert_eq!(
            (balance.fetch_gap(), balance.claim_gap(), balance.gap()),
            (-1, 1, 2)
        );
    }

    #[test]
    fn a_state_lasts_since_the_first_run_that_ended_so() {
        type Case = (&'static str, &'static [(&'static str, i64)], Option<i64>);
        let cases: [Case; 5] = [
            ("no run", &[], None),
            ("one run", &[("OK", 9)], Some(9)),
            (
                "failing for a while",
                &[("FAILED", 9), ("FAILED", 8), ("OK", 7)],
                Some(8),
            ),
            (
                "one kind of failure after another",
                &[("FAILED", 9), ("PARTIAL", 8)],
                Some(9),
            ),
            (
                "good, with and without records set aside",
                &[("OK", 9), ("OK_Q", 8), ("OK", 7)],
                Some(7),
            ),
        ];
        for (label, runs, expected) in cases {
            let runs: Vec<Run> = runs.iter().map(|(state, at)| run(state, *at)).collect();
            assert_eq!(streak_start(&runs), expected.map(Instant), "{label}");
        }
    }

    #[test]
    fn a_run_at_work_has_not_ended() {
        assert_eq!(run("RUNNING", 1).ended(), None);
        assert_eq!(run("OK_Q", 1).ended(), Some(RunState::OkQ));
    }
}
