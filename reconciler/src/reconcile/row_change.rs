//! What becomes of an entity's row when one of its records says something.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::anomalies::telling;
use super::assign::Assignment;
use super::change_set::{ChangeSet, EntityKeys, Fold, Move, RowChange};
use super::claims::{NextClaim, next_claim};
use super::context::Ctx;
use super::settle::{Outcome, count, report_conflicts, settle_row};
use super::standing::{Entity, Standing};
use crate::Row;
use crate::entity_resolution::{Key, keys_of};
use crate::history::Operation;
use crate::identities::{Assigned, Claim, Claiming, Identity, IdentityChange, Method, RecordId};
use crate::image::Image;
use crate::resolve::Claimed;
use crate::survivorship::leads;

/// Merges every assignment with the row it meets.
pub(crate) async fn merge_all(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    assignments: Vec<Assignment<'_>>,
    lock: bool,
    set: &mut ChangeSet,
) -> sqlx::Result<()> {
    // A new entity's id is free, so nothing stands of it.
    let known = assignments
        .iter()
        .filter(|of| of.found.method != Method::New)
        .map(|of| of.found.entity_id.as_str());
    let made_up = assignments.iter().filter_map(|of| of.placeholder.as_ref());
    let made_up = made_up.map(|identity| identity.entity_id.as_str());
    let ids: Vec<&str> = known.chain(made_up).collect();
    let mut standing = Standing::read(conn, ctx.table.entity, &ids, lock).await?;
    let telling = telling(ctx.definition);
    for assignment in assignments {
        if let Some(placeholder) = &assignment.placeholder {
            // What people wrote into it is taken up while it is still known what it was made up of.
            standing.take(ctx, &placeholder.entity_id, set);
        }
        let id = assignment.found.entity_id.clone();
        let entity = standing.take(ctx, &id, set);
        merge(ctx, assignment, entity, &telling, set);
    }
    Ok(())
}

fn merge(
    ctx: &Ctx<'_>,
    mut of: Assignment<'_>,
    mut entity: Entity,
    telling: &BTreeSet<&str>,
    set: &mut ChangeSet,
) {
    let record = of.record;
    let derived = record.origin != ctx.definition.name();
    let before = entity.claims();
    let claimed = Claimed::of(ctx.table, &before);
    let said = Row(of.row.row.0.clone());
    let next = next_claim(ctx.definition, of.identity.as_ref(), derived, &mut of.row);
    let known = of
        .identity
        .as_ref()
        .filter(|identity| !identity.is_placeholder());
    if let Some(identity) = known.filter(|_| !derived) {
        set.anomalies
            .look(telling, identity, &said, &next.kept, ctx.replays);
    }
    note_moves(ctx, &of, &next, set);
    let claim = Claim {
        source: ctx.definition.module.source.clone(),
        module: ctx.definition.name().to_owned(),
        source_id: record.source_id.clone(),
        method: known.map_or(of.found.method, |identity| identity.method),
        derived,
        gone: false,
        columns: next.claim.clone(),
    };
    let is_own = |other: &Claim| {
        other.source_id == claim.source_id
            && other.module == claim.module
            && other.source == claim.source
    };
    let mut claims: Vec<Claim> = before.iter().filter(|c| !is_own(c)).cloned().collect();
    claims.push(claim.clone());
    let is_led = leads(ctx.table, &claims, &claim);
    let overrides_before = set.overrides.len();
    let (outcome, conflicts) = settle_row(ctx, &mut entity, &claimed, &claims, set);
    if let Some(Outcome {
        image: Some(image),
        operation: Operation::Insert,
        ..
    }) = &outcome
        && let Err(rejection) = ctx.definition.contract.check(&contract_row(ctx, image))
    {
        set.overrides.truncate(overrides_before);
        set.quarantine(ctx, record, rejection);
        return;
    }
    report_conflicts(ctx, record, &claimed, &claims, conflicts, set);
    fold(ctx, &of, set);
    let unchanged = known.is_some_and(|identity| {
        identity.claim == next.claim && identity.kept == next.kept && !identity.gone
    });
    match outcome {
        None if unchanged => {
            set.same(&record.source_id);
            return;
        }
        None => match of.placeholder {
            Some(_) => set.tally.promoted += 1,
            None => set.tally.same += 1,
        },
        Some(outcome) => write(ctx, &of, &entity, outcome, is_led, set),
    }
    set.settled.push(record.source_id.clone());
    assign(ctx, of, next, set);
}

/// Notes a placeholder to be absorbed, where the record turns out to be another entity.
fn fold(ctx: &Ctx<'_>, of: &Assignment<'_>, set: &mut ChangeSet) {
    let Some(placeholder) = &of.placeholder else {
        return;
    };
    set.folds.push(Fold {
        from: placeholder.entity_id.clone(),
        into: of.found.entity_id.clone(),
        evidence: ctx.evidence(of.record),
    });
    set.unmasked.push(of.record.source_id.clone());
}

/// The row that the contract judges: the columns it names.
fn contract_row(ctx: &Ctx<'_>, image: &Image) -> Row {
    let columns = image
        .0
        .iter()
        .filter(|(column, _)| ctx.definition.contract.column(column).is_some());
    Row(columns
        .map(|(column, value)| (column.clone(), value.clone()))
        .collect())
}

/// Notes a row to be written, its keys, and what the guard counts.
fn write(
    ctx: &Ctx<'_>,
    of: &Assignment<'_>,
    entity: &Entity,
    outcome: Outcome,
    is_led: bool,
    set: &mut ChangeSet,
) {
    let Outcome {
        image,
        operation,
        changes,
        unmasked,
    } = outcome;
    let Some(image) = image else { return };
    set.tally.promoted += 1;
    let keys = &ctx.definition.spec.matching.keys;
    if operation == Operation::Insert {
        set.tally.inserted += 1;
        set.arrived.push(of.record.source_id.clone());
        let keys = match of.identity.is_none() {
            true => of.row.keys.clone(),
            false => keys_as_written(of, &image, ctx),
        };
        set.keys.push(EntityKeys {
            entity_id: entity.id.clone(),
            keys,
            renew: of.identity.is_some(),
        });
    } else {
        set.tally.updated += 1;
        if unmasked {
            set.unmasked.push(of.record.source_id.clone());
            set.arrived.push(of.record.source_id.clone());
        }
        let is_key = |column: &String| changes.contains_key(column);
        let rekeys = is_led && keys.iter().any(|key| key.on.iter().any(is_key));
        if rekeys || unmasked {
            set.keys.push(EntityKeys {
                entity_id: entity.id.clone(),
                keys: keys_as_written(of, &image, ctx),
                renew: true,
            });
        }
        // A placeholder that finds its record is news, not a change of what stood.
        if !unmasked && of.placeholder.is_none() {
            count(ctx, entity, operation, &changes, set);
        }
    }
    set.rows.push(RowChange {
        entity: ctx.table.entity.to_owned(),
        entity_id: entity.id.clone(),
        before: entity.row.clone(),
        after: Some(image),
        operation,
        evidence: Some(ctx.evidence(of.record)),
    });
}

/// The keys of a row as it will stand, with the hints of the record that speaks for it.
fn keys_as_written(of: &Assignment<'_>, image: &Image, ctx: &Ctx<'_>) -> Vec<Key> {
    keys_of(&ctx.definition.spec.matching.keys, |column| {
        of.row.hints.get(column).or_else(|| image.0.get(column))
    })
}

fn assign(ctx: &Ctx<'_>, of: Assignment<'_>, next: NextClaim, set: &mut ChangeSet) {
    let Assignment {
        record,
        found,
        identity,
        placeholder,
        ..
    } = of;
    let id = RecordId {
        source: ctx.definition.module.source.clone(),
        module: ctx.definition.name().to_owned(),
        source_id: record.source_id.clone(),
    };
    let NextClaim { claim, kept } = next;
    if identity.is_some() {
        let evidence = identity
            .filter(Identity::is_placeholder)
            .map(|_| found.evidence);
        set.identities.push(IdentityChange::Claim(Claiming {
            record: id,
            claim,
            kept,
            evidence,
            gone: false,
        }));
        return;
    }
    if set.arrived.last() != Some(&record.source_id) {
        set.arrived.push(record.source_id.clone());
    }
    set.identities.push(IdentityChange::Assign(Assigned {
        record: id,
        origin: record.origin.clone(),
        entity: ctx.table.entity.to_owned(),
        entity_id: found.entity_id,
        method: found.method,
        score: found.score,
        evidence: found.evidence,
        author: "concord".to_owned(),
        claim,
        kept,
        gone: false,
        was_known: placeholder.is_some(),
    }));
}

/// Notes which parents the record leaves for others: should one of them vanish, its children say where it
/// went.
fn note_moves(ctx: &Ctx<'_>, of: &Assignment<'_>, next: &NextClaim, set: &mut ChangeSet) {
    let Some(identity) = &of.identity else {
        return;
    };
    for (column, reference) in &ctx.definition.spec.references {
        let named = |claim: &Map<String, Value>| claim.get(column)?.as_str().map(str::to_owned);
        let (Some(from), Some(into)) = (named(&identity.claim), named(&next.claim)) else {
            continue;
        };
        if from != into
            && let Some(parent) = ctx.definitions.get(&reference.to)
        {
            set.moves.push(Move {
                entity: parent.entity().to_owned(),
                from,
                into,
                source_id: of.record.source_id.clone(),
            });
        }
    }
}
