//! What becomes of an entity's row when one of its records says something, or is gone.

use std::collections::{BTreeSet, HashMap};
use std::mem::take;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::ProblemKind;

use super::anomalies::telling;
use super::assign::Assignment;
use super::change_set::{ChangeSet, EntityKeys, Fold, Move, RowChange};
use super::claims::{NextClaim, next_claim};
use super::context::Ctx;
use super::pending::StagedRecord;
use crate::Row;
use crate::entity_resolution::{Key, keys_of};
use crate::equality::same;
use crate::history::Operation;
use crate::identities::{self, Assigned, Claiming, Identity, IdentityChange, Method, RecordId};
use crate::image::{Image, read_rows};
use crate::overrides::{self, Authors, Override, OverrideChange, PRESENCE, State, edits};
use crate::ownership::is_empty;
use crate::resolve::{Claimed, Presence, Resolved, resolve, same_or_none};
use crate::survivorship::{Claim, leads};

/// What stands of a set of entities.
pub(crate) struct Standing {
    pub(crate) rows: HashMap<String, Image>,
    identities: HashMap<String, Vec<Identity>>,
    overrides: HashMap<String, Vec<Override>>,
    authors: Authors,
}

/// One entity as it stands.
pub(crate) struct Entity {
    pub(crate) id: String,
    pub(crate) row: Option<Image>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) overrides: Vec<Override>,
}

impl Standing {
    /// Reads the rows of a table, their claims and their overrides.
    pub(crate) async fn read(
        conn: &mut PgConnection,
        entity: &str,
        ids: &[&str],
        lock: bool,
    ) -> sqlx::Result<Self> {
        Ok(Self {
            rows: read_rows(conn, entity, ids, lock).await?,
            identities: identities::by_entity(conn, entity, ids).await?,
            overrides: overrides::by_entity(conn, entity, ids).await?,
            authors: Authors::of(conn, entity, ids).await?,
        })
    }

    /// Takes one entity out as it stands.
    pub(crate) fn take_as_is(&mut self, id: &str) -> Entity {
        Entity {
            id: id.to_owned(),
            row: self.rows.remove(id),
            identities: self.identities.remove(id).unwrap_or_default(),
            overrides: self.overrides.remove(id).unwrap_or_default(),
        }
    }

    /// Takes one entity out, its edits by hand taken up as overrides.
    pub(crate) fn take(&mut self, ctx: &Ctx<'_>, id: &str, set: &mut ChangeSet) -> Entity {
        let mut entity = self.take_as_is(id);
        if entity.row.is_none() && entity.identities.is_empty() {
            return entity;
        }
        let claimed = Claimed::of(ctx.table, &entity.claims());
        let found = entity.row.as_ref().map(|row| &row.0);
        let edited = edits(
            ctx.table,
            id,
            &claimed,
            &mut entity.overrides,
            found,
            &self.authors,
        );
        if !edited.is_empty() {
            let table = ctx.table.entity.to_owned();
            let changes = edited.into_iter().map(|edit| OverrideChange {
                entity: table.clone(),
                entity_id: id.to_owned(),
                set: edit,
                is_new: true,
                carried_from: None,
            });
            set.overrides.extend(changes);
        }
        if self.authors.saw(id) {
            set.edited
                .push((ctx.table.entity.to_owned(), id.to_owned()));
        }
        entity
    }
}

impl Entity {
    /// What its records claim.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.identities
            .iter()
            .filter_map(Identity::to_claim)
            .collect()
    }

    /// The identity of a record of the module.
    pub(crate) fn identity(&self, ctx: &Ctx<'_>, source_id: &str) -> Option<&Identity> {
        self.identities.iter().find(|identity| {
            identity.source_id == source_id
                && identity.module == ctx.definition.name()
                && identity.source == ctx.definition.module.source
        })
    }
}

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
                carried_from: None,
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

/// Merges every assignment with the row it meets.
pub(crate) async fn merge_all(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    assignments: Vec<Assignment<'_>>,
    lock: bool,
    set: &mut ChangeSet,
) -> sqlx::Result<()> {
    // A new entity's id is free, so nothing stands of it.
    let ids: Vec<&str> = assignments
        .iter()
        .filter(|of| of.found.method != Method::New)
        .map(|of| of.found.entity_id.as_str())
        .collect();
    let mut standing = Standing::read(conn, ctx.table.entity, &ids, lock).await?;
    let telling = telling(ctx.definition);
    for assignment in assignments {
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
    let method = match known {
        Some(identity) => identity.method,
        None => of.found.method,
    };
    let claim = Claim {
        source: ctx.definition.module.source.clone(),
        module: ctx.definition.name().to_owned(),
        source_id: record.source_id.clone(),
        method,
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
    if let Some(placeholder) = &of.placeholder {
        set.folds.push(Fold {
            from: placeholder.entity_id.clone(),
            into: entity.id.clone(),
            evidence: ctx.evidence(record),
        });
        set.unmasked.push(record.source_id.clone());
    }
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

fn report_conflicts(
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
