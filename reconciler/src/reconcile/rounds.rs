//! The rounds of one reconciliation, from what is pending to a sealed promotion.

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_scalar};

use super::bisect::decide_all;
use super::context::{Ctx, Progress, ReconcileError, Reconciled, Reconciling};
use super::pending::{self, StagedRecord};
use super::{hand_edits, references};
use crate::absorb;
use crate::guard::{Extent, exceeded};
use crate::history::{self, Promotion, PromotionKind, Sealed};
use crate::table_rules::TableRules;
use crate::{entity_resolution, planner_hints};

/// Records decided with one round of statements, at most; fewer where they are large, so that memory follows
/// neither their number nor their size.
const BATCH: usize = 1_000;
/// The first round does not know how large they are.
const FIRST: usize = 50;
/// Bytes of the records of a round, about.
const BYTES: usize = 4 << 20;

/// Decides every pending record of a module and promotes the outcome. Any number of calls over the same
/// records gives the same production; a call that finds nothing to do writes nothing to it.
///
/// The caller commits, or rolls back for a dry run or where the guard was exceeded: nothing is visible before
/// the whole change set has been counted.
pub async fn reconcile(
    conn: &mut PgConnection,
    of: &Reconciling<'_>,
) -> Result<Reconciled, ReconcileError> {
    let definition = of
        .definitions
        .get(of.module)
        .ok_or_else(|| ReconcileError::UnknownModule(of.module.to_owned()))?;
    history::write_as_engine(conn).await?;
    planner_hints::by_index(conn).await?;
    let now: serde_json::Value = query_scalar("select to_jsonb(now())")
        .fetch_one(&mut *conn)
        .await?;
    let table = TableRules::of(of.definitions, definition.entity());
    let mut ctx = Ctx {
        definitions: of.definitions,
        definition,
        table: &table,
        run_id: of.run_id,
        actor: of.actor,
        now: &now,
        replays: pending::take_up_again(conn, definition).await?,
        stands_alone: false,
        caution: of.caution,
    };
    let mut progress = Progress {
        extent: Extent {
            live: live_rows(conn, definition.entity()).await?,
            ..Extent::default()
        },
        ..Progress::default()
    };
    hand_edits::take_up(&ctx, conn).await?;
    absorb::detect(&ctx, conn, &mut progress).await?;
    if has_pending(conn, of.module).await? {
        entity_resolution::prepare_keys(conn, of.definitions, definition).await?;
        ctx.stands_alone = entity_resolution::stands_alone(conn, definition).await?;
        run(&ctx, conn, &mut progress, of.decided).await?;
    }
    let promotion = seal(&ctx, conn, &progress).await?;
    let guard = &definition.spec.guard;
    let anomaly = progress
        .anomalies
        .objection(of.module, guard, &mut progress.extent);
    let exceeded = anomaly.or_else(|| exceeded(guard, &progress.extent));
    progress.guarded.add_anomalies(&progress.anomalies.named());
    Ok(Reconciled {
        tally: progress.tally,
        extent: progress.extent,
        guarded: progress.guarded,
        exceeded,
        promotion,
    })
}

async fn seal(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &Progress,
) -> sqlx::Result<Option<Sealed>> {
    let Some(number) = progress.promotion else {
        return Ok(None);
    };
    let promotion = Promotion {
        kind: PromotionKind::Sync,
        module: Some(ctx.definition.name().to_owned()),
        run_id: Some(ctx.run_id),
        target: None,
        actor: ctx.actor.to_owned(),
        reason: format!(
            "{} from {}",
            ctx.definition.name(),
            ctx.definition.module.source
        ),
    };
    history::seal(conn, number, &promotion).await.map(Some)
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

/// Rounds until nothing is pending any more and no circle of waiting records is left.
async fn run(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
    decided: &(dyn Fn(i64) + Send + Sync),
) -> sqlx::Result<()> {
    let name = ctx.definition.name();
    loop {
        progress.woken = false;
        for minted in [false, true] {
            if !minted || !ctx.definition.spec.matching.minted.is_empty() {
                round(ctx, conn, progress, decided, minted).await?;
            }
        }
        if progress.woken {
            continue;
        }
        if progress.refused.len() > 1 {
            retry_refused(ctx, conn, progress).await?;
            continue;
        }
        match references::circle(conn, name).await? {
            Some(source_id) if progress.unlinked.insert(source_id.clone()) => {
                staging::enqueue(conn, name, &[&source_id], &[]).await?;
            }
            _ => return Ok(()),
        }
    }
}

/// Records that were refused one by one since other rows have their unique values may land together: those
/// rows may be among them.
async fn retry_refused(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
) -> sqlx::Result<()> {
    let records = std::mem::take(&mut progress.refused);
    progress.tally.quarantined -= records.len() as i64;
    query("set constraints all deferred")
        .execute(&mut *conn)
        .await?;
    decide_all(ctx, conn, progress, records).await?;
    // What is still refused stays in quarantine.
    progress.refused.clear();
    Ok(())
}

async fn round(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
    decided: &(dyn Fn(i64) + Send + Sync),
    minted: bool,
) -> sqlx::Result<()> {
    let mut after = (String::new(), String::new());
    let mut most = FIRST;
    loop {
        let records =
            pending::next_records(conn, ctx.definition, &after, minted, most as i64).await?;
        let Some(last) = records.last() else {
            return Ok(());
        };
        let bytes: usize = records.iter().map(StagedRecord::bytes).sum();
        most = (BYTES * records.len() / bytes.max(1)).clamp(1, BATCH);
        after = (last.source_id.clone(), last.origin.clone());
        for record in &records {
            // Taken up again within this run: its first outcome is superseded by the one to come.
            if progress.parked.remove(&record.source_id) {
                progress.tally.parked -= 1;
            } else {
                progress.tally.claimed += 1;
            }
        }
        decide_all(ctx, conn, progress, records).await?;
        decided(progress.tally.claimed);
    }
}
