//! Records that are gone from their source, or hold no row here any more.

use std::collections::BTreeSet;
use std::mem::take;

use sqlx::PgConnection;

use super::change_set::{ChangeSet, RowChange};
use super::context::Ctx;
use super::pending::StagedRecord;
use super::settle::{Outcome, count, report_conflicts, settle_row};
use super::standing::{Entity, Standing};
use crate::history::Operation;
use crate::identities::{self, IdentityChange, Method, RecordId};
use crate::resolve::Claimed;

/// Withdraws the claims of records that are gone from their source, or that hold no row here any more. A row
/// for which no record is left is marked as deleted; else it becomes what the others say.
pub(crate) async fn withdraw_all<'r>(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    gone: &[&'r StagedRecord],
    lock: bool,
    set: &mut ChangeSet,
) -> sqlx::Result<Vec<&'r StagedRecord>> {
    let ids: Vec<&str> = gone
        .iter()
        .map(|record| record.source_id.as_str())
        .collect();
    let mut known = identities::by_record(conn, ctx.definition, &ids).await?;
    known.retain(|_, identity| identity.method != Method::Merged && !identity.gone);
    let entities: Vec<&str> = known.values().map(|i| i.entity_id.as_str()).collect();
    let mut standing = Standing::read(conn, ctx.table.entity, &entities, lock).await?;
    let (mut seen, mut deferred) = (BTreeSet::new(), Vec::new());
    for &record in gone {
        let identity = known.get(&record.source_id);
        let Some(identity) = identity.filter(|identity| identity.origin == record.origin) else {
            set.same(&record.source_id);
            continue;
        };
        if !seen.insert(identity.entity_id.clone()) {
            deferred.push(record);
            continue;
        }
        let entity = standing.take(ctx, &identity.entity_id, set);
        withdraw(ctx, record, entity, set);
    }
    Ok(deferred)
}

fn withdraw(ctx: &Ctx<'_>, record: &StagedRecord, mut entity: Entity, set: &mut ChangeSet) {
    let claimed = Claimed::of(ctx.table, &entity.claims());
    let own = entity.identity(ctx, &record.source_id).cloned();
    for identity in &mut entity.identities {
        identity.gone |= own.as_ref() == Some(identity);
    }
    let claims = entity.claims();
    let (outcome, conflicts) = settle_row(ctx, &mut entity, &claimed, &claims, set);
    report_conflicts(ctx, record, &claimed, &claims, conflicts, set);
    set.settled.push(record.source_id.clone());
    set.identities.push(IdentityChange::Gone(RecordId {
        source: ctx.definition.module.source.clone(),
        module: ctx.definition.name().to_owned(),
        source_id: record.source_id.clone(),
    }));
    let Some(Outcome {
        image,
        operation,
        changes,
        ..
    }) = outcome
    else {
        set.tally.same += 1;
        return;
    };
    count(ctx, &entity, operation, &changes, set);
    set.tally.promoted += 1;
    set.tally.tombstoned += i64::from(operation == Operation::Tombstone);
    set.tally.updated += i64::from(operation != Operation::Tombstone);
    set.rows.push(RowChange {
        entity: ctx.table.entity.to_owned(),
        entity_id: take(&mut entity.id),
        before: entity.row,
        after: image,
        operation,
        evidence: Some(ctx.evidence(record)),
    });
}
