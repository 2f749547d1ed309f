//! Batches decided and written, one savepoint each. A batch that the database refuses for its data is halved
//! until the record at fault stands alone, and that one is quarantined.

use std::collections::HashSet;

use sqlx::{Connection, PgConnection};
use staging::ProblemKind;

use super::apply::apply;
use super::batch::{Decided, decide};
use super::change_set;
use super::constraint_errors;
use super::context::{Ctx, Progress};
use super::pending::{self, StagedRecord};
use crate::absorb::{absorb_placeholders, declared};
use crate::history;

/// A value that another row has.
const UNIQUE: &str = "23505";

/// Decides and writes all records, batch by batch.
pub(crate) async fn decide_all(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
    records: Vec<StagedRecord>,
) -> sqlx::Result<()> {
    let mut waiting = apart(ctx, records);
    while let Some(records) = waiting.pop() {
        if records.is_empty() {
            continue;
        }
        let promotion = progress.promotion;
        let mut attempt = conn.begin().await?;
        match take(ctx, &mut attempt, progress, &records).await {
            Ok(deferred) => {
                attempt.commit().await?;
                waiting.push(deferred);
            }
            Err(failure) if is_about_data(&failure) => {
                attempt.rollback().await?;
                // A promotion opened inside the attempt is rolled back with it; one opened before still
                // holds.
                progress.promotion = promotion;
                if let [record] = &records[..] {
                    refuse(ctx, conn, progress, record, &failure).await?;
                } else {
                    let mut first = records;
                    let second = first.split_off(first.len() / 2);
                    waiting.extend([second, first]);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// The batches that records are decided in: one, but for the suspects, each of which goes alone.
fn apart(ctx: &Ctx<'_>, records: Vec<StagedRecord>) -> Vec<Vec<StagedRecord>> {
    let suspects = ctx.caution.map_or(&[][..], |caution| caution.suspects);
    if suspects.is_empty() {
        return vec![records];
    }
    let (alone, together): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|record| suspects.contains(&record.source_id));
    let mut batches = vec![together];
    batches.extend(alone.into_iter().map(|record| vec![record]));
    batches
}

/// Whether a failure is about a value or a constraint: SQLSTATE classes 22 and 23.
pub(crate) fn is_about_data(failure: &sqlx::Error) -> bool {
    let code = failure.as_database_error().and_then(|e| e.code());
    let is_data = |code: &str| code.starts_with("22") || code.starts_with("23") || code == "P0001";
    code.is_some_and(|code| is_data(&code)) || constraint_errors::is_swallowed(failure)
}

async fn refuse(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
    record: &StagedRecord,
    failure: &sqlx::Error,
) -> sqlx::Result<()> {
    let code = failure.as_database_error().and_then(|e| e.code());
    if code.as_deref() == Some(UNIQUE) {
        progress.refused.push(record.clone());
    }
    let told = constraint_errors::told(conn, ctx.definition.entity(), failure).await?;
    let mut report = ctx.report(
        ProblemKind::Quarantine,
        record,
        "refused_by_database",
        &told.why,
    );
    report.place = told.place;
    progress.tally.quarantined += 1;
    pending::remove(conn, ctx.definition.name(), &[record]).await?;
    staging::report_problems(conn, ctx.run_id, &[report]).await
}

/// Decides one batch and writes it; returns the records that were put off. Where the batch is the first to
/// write anything, the head of the history is locked and the batch decided again: another module may have
/// written meanwhile what it read.
async fn take(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
    records: &[StagedRecord],
) -> sqlx::Result<Vec<StagedRecord>> {
    let is_open = progress.promotion.is_some();
    let mut decided = decide(ctx, conn, progress, records, is_open).await?;
    if !is_open && (decided.set.promotes() || !decided.declared.is_empty()) {
        progress.promotion = Some(history::open(conn).await?.number);
        decided = decide(ctx, conn, progress, records, true).await?;
    }
    let Decided {
        mut set,
        declared,
        deferred,
    } = decided;
    let woken = apply(ctx, conn, progress.promotion, &set).await?;
    absorb_placeholders(ctx, conn, progress.promotion, &mut set).await?;
    let woken_by_merges =
        declared::settle(ctx, conn, progress.promotion, &declared, &mut set).await?;
    let put_off: HashSet<(&str, &str)> = deferred
        .iter()
        .map(|record| (record.source_id.as_str(), record.origin.as_str()))
        .collect();
    let done: Vec<&StagedRecord> = records
        .iter()
        .filter(|record| !put_off.contains(&(record.source_id.as_str(), record.origin.as_str())))
        .collect();
    pending::remove(conn, ctx.definition.name(), &done).await?;
    // Behind the removal: a record that was parked in this batch and woken by another one of it is pending
    // again.
    progress.woken |= woken_by_merges | super::apply::wake(conn, ctx, &woken).await?;
    if let Some(caution) = &ctx.caution {
        (caution.deciding)(&[]);
    }
    change_set::add(&mut progress.tally, &set.tally);
    progress.anomalies.add(set.anomalies);
    progress.extent.add(&set.extent);
    progress.guarded.merge(set.guarded);
    progress.parked.extend(set.parked);
    Ok(deferred)
}
