//! What the database says of each module beside its runs.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgConnection;
use staging::database::{query_as, query_scalar};

use super::Instant;

/// Moments and counts of one module.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Marks {
    pub module: String,
    pub last_complete: Option<Instant>,
    pub last_full: Option<Instant>,
    pub first_started: Option<Instant>,
    pub lease_until: Option<Instant>,
    pub leased: bool,
    pub pending: i64,
}

/// What waits for a person or a parent, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Records a rule or the contract refused.
    pub quarantined: i64,
    /// Records waiting for a parent.
    pub parked: i64,
    /// Records whose match a person must decide.
    pub in_review: i64,
    /// Change sets a person must approve.
    pub approvals: i64,
    /// Columns that changed both at the source and by hand.
    pub conflicts: i64,
    /// Other things to look after, such as placeholders.
    pub tasks: i64,
    #[serde(skip)]
    pub(crate) set_aside_since: Option<Instant>,
    #[serde(skip)]
    pub(crate) approvals_since: Option<Instant>,
}

impl Waiting {
    /// Records that came and are not in production.
    pub fn set_aside(&self) -> i64 {
        self.quarantined + self.parked + self.in_review
    }
}

/// How far a running run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The step it is in.
    pub step: Option<String>,
    /// What the step says of itself.
    pub detail: Option<String>,
    /// Pages staged in this pass, those of the run it goes on from included.
    pub pages: i64,
    /// Records staged in this pass.
    pub fetched: i64,
    /// What the source says it holds, once known.
    pub total_count: Option<i64>,
    /// How much of the step is done, in percent, where that can be known.
    pub percent: Option<i64>,
}

/// The share of a step that says of itself `done / of`, or else of the records read.
fn percent(detail: Option<&str>, fetched: i64, total_count: Option<i64>) -> Option<i64> {
    let said = detail.and_then(|detail| detail.split_once(" / "));
    let said = said.and_then(|(done, of)| Some((done.parse().ok()?, of.parse().ok()?)));
    let (done, of): (i64, i64) = said.or(total_count.map(|total| (fetched, total)))?;
    (of > 0).then(|| (done.saturating_mul(100) / of).clamp(0, 100))
}

/// The database's clock, by which everything is judged.
pub(super) async fn now(conn: &mut PgConnection) -> sqlx::Result<Instant> {
    query_scalar("select floor(extract(epoch from clock_timestamp()))::bigint")
        .fetch_one(conn)
        .await
}

/// The marks of each module; one that was never met has marks too.
pub(super) async fn marks(
    conn: &mut PgConnection,
    modules: &[String],
) -> sqlx::Result<HashMap<String, Marks>> {
    let marks: Vec<Marks> = query_as(
        "select wanted.module,
                (select floor(extract(epoch from finished_at))::bigint from ops.runs
                 where module = wanted.module and complete and state in ('OK', 'OK_Q') and mode <> 'repair'
                 order by run_id desc limit 1) as last_complete,
                (select floor(extract(epoch from finished_at))::bigint from ops.runs
                 where module = wanted.module and complete and state in ('OK', 'OK_Q') and strategy = 'full'
                 order by run_id desc limit 1) as last_full,
                (select floor(extract(epoch from started_at))::bigint from ops.runs
                 where module = wanted.module order by run_id limit 1) as first_started,
                floor(extract(epoch from l.expires_at))::bigint as lease_until,
                coalesce(l.expires_at > clock_timestamp(), false) as leased,
                (select count(*) from staging.pending p where p.module = wanted.module) as pending
         from unnest($1::text[]) as wanted(module)
         left join ops.leases l on l.module = wanted.module",
    )
    .bind(modules)
    .fetch_all(conn)
    .await?;
    Ok(marks
        .into_iter()
        .map(|marks| (marks.module.clone(), marks))
        .collect())
}

/// What waits in each module; a module without anything is absent. A record counts once, however many parents
/// it waits for, and not at all where it landed without one.
pub(super) async fn waiting(
    conn: &mut PgConnection,
    modules: &[String],
) -> sqlx::Result<HashMap<String, Waiting>> {
    let counts: Vec<(String, String, i64, Instant)> = query_as(
        "select module, kind,
                count(distinct case when kind in ('quarantine', 'parking', 'review') then source_id
                                    else problem_id::text end),
                floor(extract(epoch from min(first_seen)))::bigint
         from ops.problems
         where state = 'open' and module = any($1) and not coalesce((detail ->> 'landed')::boolean, false)
         group by module, kind",
    )
    .bind(modules)
    .fetch_all(conn)
    .await?;
    let mut waiting: HashMap<String, Waiting> = HashMap::new();
    for (module, kind, count, since) in counts {
        let of_module = waiting.entry(module).or_default();
        match kind.as_str() {
            "quarantine" => of_module.quarantined = count,
            "parking" => of_module.parked = count,
            "review" => of_module.in_review = count,
            "approval" => of_module.approvals = count,
            "conflict" => of_module.conflicts = count,
            _ => of_module.tasks = count,
        }
        let first = match kind.as_str() {
            "quarantine" | "parking" | "review" => &mut of_module.set_aside_since,
            "approval" => &mut of_module.approvals_since,
            _ => continue,
        };
        *first = Some(first.map_or(since, |earlier| earlier.min(since)));
    }
    Ok(waiting)
}

/// How far a run has come: its step, and the pages of the pass it works on.
pub(super) async fn progress(
    conn: &mut PgConnection,
    module: &str,
    run_id: i64,
) -> sqlx::Result<Progress> {
    let step: Option<(String, Option<String>)> = query_as(
        "select step, detail from ops.run_steps where run_id = $1 and state = 'RUNNING'
         order by started_at desc limit 1",
    )
    .bind(run_id)
    .fetch_optional(&mut *conn)
    .await?;
    let pass: Option<(i64, i64, Option<i64>)> = query_as(
        "select count(g.page), coalesce(sum(g.fetched), 0)::bigint, p.total_count
         from (
             select pass_id, total_count from staging.passes
             where module = $1 and (state = 'open'
                 or finished_at >= (select started_at from ops.runs where run_id = $2))
             order by pass_id desc limit 1
         ) p
         left join staging.pages g using (pass_id)
         group by p.pass_id, p.total_count",
    )
    .bind(module)
    .bind(run_id)
    .fetch_optional(conn)
    .await?;
    let (step, detail) = step.map_or((None, None), |(step, detail)| (Some(step), detail));
    let (pages, fetched, total_count) = pass.unwrap_or((0, 0, None));
    Ok(Progress {
        percent: percent(detail.as_deref(), fetched, total_count),
        step,
        detail,
        pages,
        fetched,
        total_count,
    })
}
