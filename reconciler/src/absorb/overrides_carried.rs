//! What people wrote into an absorbed row goes over to the row that absorbs it.

use serde_json::{Value, json};
use staging::ProblemKind;

use super::absorption::{Absorption, Remains};
use crate::equality::{holds, same};
use crate::overrides::{Override, OverrideChange, PRESENCE, State};
use crate::ownership::{Owner, is_empty};
use crate::reconcile::change_set::ChangeSet;
use crate::reconcile::context::Ctx;
use crate::reconcile::standing::Entity;
use crate::resolve::{Claimed, against_now, resolve};

/// Carries the overrides of `from` over to `into`: they fill what stands empty there and are added to lists
/// that grow. One that contradicts what stands is reported and kept with its entity as released.
pub(super) fn carry(
    ctx: &Ctx<'_>,
    of: &Absorption,
    from: &Entity,
    into: &mut Entity,
    claimed: &Claimed,
    set: &mut ChangeSet,
) {
    for carried in &from.overrides {
        let mut released = carried.clone();
        released.state = State::Released;
        push(ctx, &of.from, released, false, set);
        if carried.cell == PRESENCE {
            continue;
        }
        let stands = resolve(ctx.table, claimed, &into.overrides);
        let stands = stands
            .columns
            .get(&carried.cell)
            .cloned()
            .unwrap_or_default();
        let Some(value) = carried_value(ctx, carried, &stands) else {
            if !same(&stands, &carried.value) && !is_empty(&carried.value) {
                set.tally.conflicts += 1;
                set.problems.push(contradiction(ctx, of, carried, &stands));
            }
            continue;
        };
        let before = into
            .overrides
            .iter()
            .position(|set| set.cell == carried.cell);
        let before = before.map(|place| into.overrides.remove(place));
        let next = Override {
            against: against_now(claimed, &carried.cell, &value, before.as_ref()),
            value,
            state: State::Holds,
            carried_from: carried.carried_from.clone().or(Some(of.from.clone())),
            ..carried.clone()
        };
        into.overrides.push(next.clone());
        push(ctx, &of.into, next, true, set);
    }
}

/// The value that an override brings to a cell in which `stands` stands; `None` where it brings nothing.
fn carried_value(ctx: &Ctx<'_>, carried: &Override, stands: &Value) -> Option<Value> {
    let is_list = ctx.table.ownership(&carried.cell).own == Owner::Append;
    if let (true, Some(items)) = (is_list, carried.value.as_array()) {
        let claimed = carried.against.as_ref().and_then(Value::as_array);
        let claimed = claimed.map_or(&[][..], Vec::as_slice);
        let ours = stands.as_array().map_or(&[][..], Vec::as_slice);
        let added = items
            .iter()
            .filter(|item| !holds(claimed, item) && !holds(ours, item));
        let list: Vec<Value> = ours.iter().chain(added).cloned().collect();
        return (list.len() > ours.len()).then_some(Value::Array(list));
    }
    (is_empty(stands) && !is_empty(&carried.value)).then(|| carried.value.clone())
}

fn push(ctx: &Ctx<'_>, entity_id: &str, of: Override, is_new: bool, set: &mut ChangeSet) {
    let entity = ctx.table.entity.to_owned();
    set.overrides.push(OverrideChange {
        entity,
        entity_id: entity_id.to_owned(),
        set: of,
        is_new,
    });
}

fn contradiction(
    ctx: &Ctx<'_>,
    of: &Absorption,
    carried: &Override,
    stands: &Value,
) -> staging::Report {
    let (cell, id) = (&carried.cell, &of.evidence.source_id);
    let why = format!(
        "`{cell}` was written by hand into {}, which turned out to be {}. What stands there was kept; compare the two and correct one.",
        of.from, of.into
    );
    let code = match of.remains {
        Remains::Nothing => format!("placeholder_said:{cell}"),
        Remains::Tombstone => format!("merged_said:{cell}"),
    };
    let origin = ctx.definition.name();
    let mut report = ctx.report_of(ProblemKind::Conflict, id, origin, &code, &why);
    report.place = Some(cell.clone());
    report.detail = json!({ "origin": origin, "written": carried.value, "ours": stands });
    report
}
