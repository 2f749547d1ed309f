//! Bringing one row to what its claims and overrides come to.

use serde_json::{Map, Value, json};
use staging::ProblemKind;

use super::change_set::ChangeSet;
use super::context::Ctx;
use super::pending::StagedRecord;
use super::standing::Entity;
use crate::equality::same;
use crate::history::Operation;
use crate::identities::{Claim, Method};
use crate::image::Image;
use crate::overrides::{Override, OverrideChange, PRESENCE, State};
use crate::ownership::is_empty;
use crate::resolve::{Claimed, Presence, Resolved, resolve, same_or_none};

/// Where a row goes, and what its overrides become.
pub(crate) struct Outcome {
    pub(crate) image: Option<Image>,
    pub(crate) operation: Operation,
    /// The columns of the contract that change.
    pub(crate) changes: Map<String, Value>,
    pub(crate) unmasked: bool,
}

/// Brings an entity to what `claims` come to: its row, and the states of its overrides.
pub(crate) fn settle_row(
    ctx: &Ctx<'_>,
    entity: &mut Entity,
    before: &Claimed,
    claims: &[Claim],
    set: &mut ChangeSet,
) -> (Option<Outcome>, Vec<Override>) {
    let claimed = Claimed::of(ctx.table, claims);
    let resolved = resolve(ctx.table, &claimed, &entity.overrides);
    let conflicts = settle_overrides(ctx, entity, before, &claimed, &resolved, set);
    let is_made_up = |claim: &Claim| claim.method == Method::Placeholder;
    let is_placeholder = resolved.presence == Presence::Placeholder
        || !claims.is_empty() && claims.iter().all(is_made_up);
    (outcome(ctx, entity, &resolved, is_placeholder), conflicts)
}

/// Notes the new states of overrides; returns those that are in conflict since the claims moved.
pub(crate) fn settle_overrides(
    ctx: &Ctx<'_>,
    entity: &mut Entity,
    before: &Claimed,
    claimed: &Claimed,
    resolved: &Resolved,
    set: &mut ChangeSet,
) -> Vec<Override> {
    let mut conflicts = Vec::new();
    let states = resolved.states.iter();
    for (of, state) in entity.overrides.iter_mut().zip(states) {
        let moved = !same_or_none(
            before.against(&of.cell).as_ref(),
            claimed.against(&of.cell).as_ref(),
        );
        if *state == State::Conflict && (moved || of.state != State::Conflict) {
            conflicts.push(of.clone());
        }
        if *state == of.state {
            continue;
        }
        of.state = *state;
        // One that was taken up in this batch is set as it is now; one that gave way at once was never there.
        let is_of = |change: &&mut OverrideChange| {
            change.is_new
                && change.set.cell == of.cell
                && change.entity_id == entity.id
                && change.entity == ctx.table.entity
        };
        match set.overrides.iter_mut().find(is_of) {
            Some(new) => new.set.state = *state,
            None => set.overrides.push(OverrideChange {
                entity: ctx.table.entity.to_owned(),
                entity_id: entity.id.clone(),
                set: of.clone(),
                is_new: false,
            }),
        }
    }
    conflicts
}

/// What becomes of the row; `None` where it stands as it resolves.
fn outcome(
    ctx: &Ctx<'_>,
    entity: &Entity,
    resolved: &Resolved,
    is_placeholder: bool,
) -> Option<Outcome> {
    let Some(found) = &entity.row else {
        let stands = [Presence::Live, Presence::Placeholder].contains(&resolved.presence);
        return stands.then(|| {
            let columns = resolved.columns.clone();
            let image = match is_placeholder {
                true => Image::placeholder(&entity.id, columns.clone(), ctx.now),
                false => Image::inserted(&entity.id, columns.clone(), ctx.now),
            };
            Outcome {
                image: Some(image),
                operation: Operation::Insert,
                changes: columns,
                unmasked: false,
            }
        });
    };
    let mut changes = Map::new();
    for (column, value) in &resolved.columns {
        if found.0.contains_key(column) && !same(found.column(column), value) {
            changes.insert(column.clone(), value.clone());
        }
    }
    let unmasked = found.is_placeholder() && !is_placeholder;
    let deletes = resolved.presence == Presence::Deleted && !found.is_deleted();
    let revives = resolved.presence == Presence::Live && found.is_deleted();
    if changes.is_empty() && !unmasked && !deletes && !revives {
        return None;
    }
    let mut image = found.clone();
    image.0.extend(changes.clone());
    if unmasked {
        image.unmask();
    }
    if deletes {
        image.delete(ctx.now);
    }
    if revives {
        image.revive();
    }
    image.touch(ctx.now);
    Some(Outcome {
        image: Some(image),
        operation: match deletes {
            true => Operation::Tombstone,
            false => Operation::Update,
        },
        changes,
        unmasked,
    })
}

/// Counts a change for the guard, unless the row was made or changed in this very promotion, or only gets
/// links that waited for their parents.
pub(crate) fn count(
    ctx: &Ctx<'_>,
    entity: &Entity,
    operation: Operation,
    changes: &Map<String, Value>,
    set: &mut ChangeSet,
) {
    let Some(found) = &entity.row else { return };
    let references = &ctx.definition.spec.references;
    let is_late_link =
        |column: &String| references.contains_key(column) && found.column(column).is_null();
    let only_links = !changes.is_empty() && changes.keys().all(is_late_link);
    if found.is_of(ctx.now) || (operation == Operation::Update && only_links) {
        return;
    }
    let erased = changes
        .iter()
        .any(|(column, value)| is_empty(value) && !is_empty(found.column(column)));
    set.extent.erased += i64::from(erased);
    set.extent.deleted += i64::from(operation == Operation::Tombstone);
    set.extent.changed += i64::from(operation != Operation::Tombstone);
    set.guarded
        .add(ctx.table.entity, &entity.id, operation.as_str(), changes);
}

/// Reports overrides that the claims have moved away from.
pub(super) fn report_conflicts(
    ctx: &Ctx<'_>,
    record: &StagedRecord,
    before: &Claimed,
    claims: &[Claim],
    conflicts: Vec<Override>,
    set: &mut ChangeSet,
) {
    let claimed = Claimed::of(ctx.table, claims);
    for conflict in conflicts {
        let cell = conflict.cell.as_str();
        let (name, theirs, base) = match cell {
            PRESENCE => (
                "the row",
                Value::from(claimed.presence.as_str()),
                Some(Value::from(before.presence.as_str())),
            ),
            column => (
                column,
                claimed.columns.get(column).cloned().unwrap_or_default(),
                conflict.against.clone(),
            ),
        };
        let why = format!(
            "`{name}` changed at the source and by hand. The local value was kept; compare the two and correct one side."
        );
        let code = format!("both_changed:{cell}");
        let mut report = ctx.report(ProblemKind::Conflict, record, &code, &why);
        report.place = Some(name.to_owned());
        report.detail = json!({ "origin": record.origin, "base": base, "theirs": theirs, "ours": conflict.value });
        set.tally.conflicts += 1;
        set.problems.push(report);
    }
}
