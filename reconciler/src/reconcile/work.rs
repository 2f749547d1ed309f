//! The rounds of one reconciliation, from what is pending to a sealed promotion.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_scalar};
use staging::{ClaimTally, ProblemKind, Report};

use super::suspicion::Suspicions;
use super::{claim, merging, wave};
use crate::definition::{Definition, Definitions};
use crate::guard::{Extent, exceeded};
use crate::history::{self, Promotion, PromotionKind, Sealed};
use crate::{matching, planning, references};

/// Records decided with one round of statements, at most; fewer where they are large, so that memory follows neither their number
/// nor their size.
const BATCH: usize = 1_000;
/// The first round does not know how large they are.
const FIRST: usize = 50;
/// Bytes of the records of a round, about.
const BYTES: usize = 4 << 20;

/// Why a module cannot be reconciled.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Nothing of that name is loaded.
    #[error("no module is called `{0}`")]
    UnknownModule(String),
    /// The database.
    #[error("reconciling stopped at the database")]
    Sql(#[from] sqlx::Error),
}

/// How a module is reconciled after runs of it died: record by record where records are transformed, so that the one
/// that kills the process is known; and one record to a wave among those of a wave in which a run died.
#[derive(Clone, Copy)]
pub struct Caution<'a> {
    /// Told of each record before it is transformed.
    pub handling: &'a (dyn Fn(&str) + Send + Sync),
    /// Told of the records of a wave before they are decided, and of none once they are.
    pub deciding: &'a (dyn Fn(&[&str]) + Send + Sync),
    /// The records of the wave in which a run died.
    pub suspects: &'a [String],
    /// The record that has killed the process often enough: it is set aside without being looked at.
    pub aside: Option<&'a str>,
}

/// For whom and in which run.
#[derive(Clone, Copy)]
pub struct Reconciling<'a> {
    /// All modules.
    pub definitions: &'a Definitions,
    /// The module.
    pub module: &'a str,
    /// The run.
    pub run_id: i64,
    /// Who promotes, for the ledger.
    pub actor: &'a str,
    /// Told after every batch how many records are decided.
    pub decided: &'a (dyn Fn(i64) + Send + Sync),
    /// Where earlier runs died.
    pub caution: Option<Caution<'a>>,
}

/// What became of the pending records.
#[derive(Debug)]
pub struct Reconciled {
    /// Every claimed record, in one state each.
    pub tally: ClaimTally,
    /// The change set, counted.
    pub extent: Extent,
    /// The guard's objection, if it has one: roll back and ask a person.
    pub exceeded: Option<String>,
    /// The promotion; `None` when production stood as it should.
    pub promotion: Option<Sealed>,
}

/// The state of one reconciliation.
pub(super) struct Work<'a> {
    pub(super) definitions: &'a Definitions,
    pub(super) definition: &'a Definition,
    pub(super) run_id: i64,
    pub(super) now: serde_json::Value,
    decided: &'a (dyn Fn(i64) + Send + Sync),
    pub(super) caution: Option<Caution<'a>>,
    pub(super) promotion: Option<i64>,
    pub(super) tally: ClaimTally,
    pub(super) extent: Extent,
    pub(super) suspicions: Suspicions,
    /// Whether the definition is another, so that records say other things than before of themselves.
    pub(super) replays: bool,
    /// Records that land without the parent they wait for, to break a circle.
    pub(super) unlinked: BTreeSet<String>,
    /// Whether records of this module became pending while it ran, since a parent among them arrived.
    pub(super) woken: bool,
    /// Parked records this run has counted and may yet take up again.
    pub(super) parked: BTreeSet<String>,
    /// Whether no entity is there that a record could be but those of the module itself.
    pub(super) stands_alone: bool,
}

/// Decides every pending record of a module and promotes the outcome. Any number of calls over the same
/// records gives the same production; a call that finds nothing to do writes nothing to it.
pub async fn reconcile(
    conn: &mut PgConnection,
    of: &Reconciling<'_>,
) -> Result<Reconciled, ReconcileError> {
    let definition = of
        .definitions
        .get(of.module)
        .ok_or_else(|| ReconcileError::UnknownModule(of.module.to_owned()))?;
    query("set local timezone = 'UTC'")
        .execute(&mut *conn)
        .await?;
    planning::by_index(conn).await?;
    let now: serde_json::Value = query_scalar("select to_jsonb(now())")
        .fetch_one(&mut *conn)
        .await?;
    let replays = claim::take_up_again(conn, definition).await?;
    let mut work = Work {
        definitions: of.definitions,
        definition,
        run_id: of.run_id,
        now,
        decided: of.decided,
        caution: of.caution,
        promotion: None,
        tally: ClaimTally::default(),
        extent: Extent {
            live: live_rows(conn, definition.entity()).await?,
            ..Extent::default()
        },
        suspicions: Suspicions::default(),
        replays,
        unlinked: BTreeSet::new(),
        woken: false,
        parked: BTreeSet::new(),
        stands_alone: false,
    };
    merging::settle(&mut work, conn).await?;
    if has_pending(conn, of.module).await? {
        matching::prepare_keys(conn, of.definitions, definition).await?;
        work.stands_alone = matching::stands_alone(conn, definition).await?;
        work.run(conn).await?;
    }
    let promotion = match work.promotion {
        Some(number) => Some(history::seal(conn, number, &work.promoted_by(of.actor)).await?),
        None => None,
    };
    let guard = &definition.spec.guard;
    let suspicion = work
        .suspicions
        .objection(of.module, guard, &mut work.extent);
    let exceeded = suspicion.or_else(|| exceeded(guard, &work.extent));
    Ok(Reconciled {
        tally: work.tally,
        extent: work.extent,
        exceeded,
        promotion,
    })
}

async fn live_rows(conn: &mut PgConnection, entity: &str) -> sqlx::Result<i64> {
    query_scalar(AssertSqlSafe(format!(
        "select count(*) from prod.\"{entity}\" where deleted_at is null"
    )))
    .fetch_one(conn)
    .await
}

async fn has_pending(conn: &mut PgConnection, module: &str) -> sqlx::Result<bool> {
    query_scalar("select exists (select from staging.pending where module = $1)")
        .bind(module)
        .fetch_one(conn)
        .await
}

impl Work<'_> {
    /// Rounds until nothing is pending any more and no circle of waiting records is left.
    async fn run(&mut self, conn: &mut PgConnection) -> sqlx::Result<()> {
        loop {
            self.woken = false;
            for minted in [false, true] {
                if !minted || !self.definition.spec.matching.minted.is_empty() {
                    self.round(conn, minted).await?;
                }
            }
            if self.woken {
                continue;
            }
            match references::circle(conn, self.definition.name()).await? {
                Some(source_id) if self.unlinked.insert(source_id.clone()) => {
                    staging::enqueue(conn, self.definition.name(), &[&source_id], &[]).await?;
                }
                _ => return Ok(()),
            }
        }
    }

    async fn round(&mut self, conn: &mut PgConnection, minted: bool) -> sqlx::Result<()> {
        let mut after = (String::new(), String::new());
        let mut most = FIRST;
        loop {
            let of = (minted, most as i64);
            let claims = claim::next_claims(conn, self.definition, &after, of).await?;
            let Some(last) = claims.last() else {
                return Ok(());
            };
            let bytes: usize = claims.iter().map(claim::Claim::bytes).sum();
            most = (BYTES * claims.len() / bytes.max(1)).clamp(1, BATCH);
            after = (last.source_id.clone(), last.origin.clone());
            for claim in &claims {
                // Taken up again within this run: its first outcome is superseded by the one to come.
                if self.parked.remove(&claim.source_id) {
                    self.tally.parked -= 1;
                } else {
                    self.tally.claimed += 1;
                }
            }
            wave::decide_all(self, conn, claims).await?;
            (self.decided)(self.tally.claimed);
        }
    }

    /// The number of this run's promotion, opened when there is something to write.
    pub(super) async fn promotion(&mut self, conn: &mut PgConnection) -> sqlx::Result<i64> {
        if let Some(number) = self.promotion {
            return Ok(number);
        }
        let number = history::open(conn).await?.number;
        self.promotion = Some(number);
        Ok(number)
    }

    fn promoted_by(&self, actor: &str) -> Promotion {
        Promotion {
            kind: PromotionKind::Sync,
            module: Some(self.definition.name().to_owned()),
            run_id: Some(self.run_id),
            target: None,
            actor: actor.to_owned(),
            reason: format!(
                "{} from {}",
                self.definition.name(),
                self.definition.module.source
            ),
        }
    }

    pub(super) fn report(
        &self,
        kind: ProblemKind,
        source_id: &str,
        origin: &str,
        code: &str,
        why: &str,
    ) -> Report {
        Report {
            kind,
            module: self.definition.name().to_owned(),
            source_id: source_id.to_owned(),
            code: code.to_owned(),
            why: why.to_owned(),
            place: None,
            detail: serde_json::json!({ "origin": origin }),
            waits_for: None,
        }
    }
}
