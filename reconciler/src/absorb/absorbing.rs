//! Absorbing entities: their children follow, what people wrote into them is carried over, and they go or
//! stay deleted.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use staging::database::query_scalar;

use super::absorption::{Absorption, Remains};
use super::children::{self, Into};
use super::overrides_carried::carry;
use crate::history::Operation;
use crate::identities;
use crate::image::read_rows;
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::context::Ctx;
use crate::reconcile::hand_edits;
use crate::reconcile::settle::{Outcome, settle_row};
use crate::reconcile::standing::Standing;
use crate::resolve::Claimed;

/// Absorbs the placeholders of a batch whose records turned out to be other entities, behind the batch's own
/// changes.
pub(crate) async fn absorb_placeholders(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: Option<i64>,
    set: &mut ChangeSet,
) -> sqlx::Result<()> {
    let (Some(number), false) = (number, set.folds.is_empty()) else {
        return Ok(());
    };
    let folds: Vec<Absorption> = std::mem::take(&mut set.folds)
        .into_iter()
        .map(|fold| Absorption {
            from: fold.from,
            into: fold.into,
            evidence: fold.evidence,
            remains: Remains::Nothing,
        })
        .collect();
    absorb(ctx, conn, number, &folds, set).await
}

/// Absorbs entities as part of promotion `number`; conflicts are counted in `counted`.
pub(crate) async fn absorb(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    absorptions: &[Absorption],
    counted: &mut ChangeSet,
) -> sqlx::Result<()> {
    let by_id: BTreeMap<&str, &Absorption> = absorptions
        .iter()
        .map(|of| (of.from.as_str(), of))
        .collect();
    let gone = absorptions
        .iter()
        .filter(|of| of.remains == Remains::Nothing);
    let gone: BTreeMap<&str, &Absorption> = gone.map(|of| (of.from.as_str(), of)).collect();
    let shared = stand_for_others(ctx, conn, &gone).await?;
    let mut set = ChangeSet::default();
    carry_overrides(ctx, conn, absorptions, &mut set).await?;
    counted.tally.conflicts += set.tally.conflicts;
    counted.extent.add(&set.extent);
    apply(ctx, conn, Some(number), &set).await?;
    let into: Into<'_> = by_id
        .iter()
        .map(|(from, of)| (*from, (of.into.as_str(), &of.evidence)))
        .collect();
    children::move_all(ctx, conn, number, &into, &shared).await?;
    remove(ctx, conn, number, &gone, &shared).await
}

/// Brings what people wrote into the absorbed rows over to those that absorb them.
async fn carry_overrides(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    absorptions: &[Absorption],
    set: &mut ChangeSet,
) -> sqlx::Result<()> {
    let ids = absorptions
        .iter()
        .flat_map(|of| [of.from.as_str(), of.into.as_str()]);
    let ids: Vec<&str> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    hand_edits::take_up_rows(ctx, conn, &ids).await?;
    let mut standing = Standing::read(conn, ctx.table.entity, &ids, true).await?;
    let mut targets = BTreeMap::new();
    for of in absorptions {
        let from = standing.take_as_is(&of.from);
        if !targets.contains_key(&of.into) {
            let into = standing.take_as_is(&of.into);
            let claimed = Claimed::of(ctx.table, &into.claims());
            targets.insert(of.into.clone(), (into, claimed, of.evidence.clone()));
        }
        let Some((into, claimed, _)) = targets.get_mut(&of.into) else {
            continue;
        };
        carry(ctx, of, &from, into, claimed, set);
    }
    for (id, (mut into, claimed, evidence)) in targets {
        let claims = into.claims();
        let (outcome, _) = settle_row(ctx, &mut into, &claimed, &claims, set);
        let Some(Outcome {
            image,
            operation: Operation::Update,
            ..
        }) = outcome
        else {
            continue;
        };
        set.extent.changed += i64::from(into.row.as_ref().is_some_and(|row| !row.is_of(ctx.now)));
        set.rows.push(RowChange {
            entity: ctx.table.entity.to_owned(),
            entity_id: id,
            before: into.row,
            after: image,
            operation: Operation::Update,
            evidence: Some(evidence),
        });
    }
    Ok(())
}

/// The placeholders that also stand for a record of another module: they stay for it.
async fn stand_for_others(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    absorptions: &BTreeMap<&str, &Absorption>,
) -> sqlx::Result<BTreeSet<String>> {
    let ids: Vec<&str> = absorptions.keys().copied().collect();
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let known = identities::by_entity(conn, ctx.table.entity, &ids).await?;
    Ok(known.into_keys().collect())
}

/// Takes the placeholders away. Where something that no module declares may still name one, it stays, marked
/// as deleted.
async fn remove(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    absorptions: &BTreeMap<&str, &Absorption>,
    shared: &BTreeSet<String>,
) -> sqlx::Result<()> {
    if absorptions.is_empty() {
        return Ok(());
    }
    let entity = ctx.table.entity;
    let named = is_named_elsewhere(ctx, conn).await?;
    let ids = absorptions.keys().copied();
    let ids: Vec<&str> = ids.filter(|id| !shared.contains(*id)).collect();
    let mut set = ChangeSet::default();
    for (id, row) in read_rows(conn, entity, &ids, true).await? {
        let mut image = row.clone();
        image.delete(ctx.now);
        image.touch(ctx.now);
        set.rows.push(RowChange {
            entity: entity.to_owned(),
            before: Some(row),
            after: named.then_some(image),
            operation: match named {
                true => Operation::Tombstone,
                false => Operation::Delete,
            },
            evidence: absorptions.get(id.as_str()).map(|of| of.evidence.clone()),
            entity_id: id,
        });
    }
    apply(ctx, conn, Some(number), &set).await.map(drop)
}

/// Whether a foreign key that no module declares leads to the table.
async fn is_named_elsewhere(ctx: &Ctx<'_>, conn: &mut PgConnection) -> sqlx::Result<bool> {
    let declared: Vec<String> = ctx
        .definitions
        .parents_first()
        .iter()
        .flat_map(|child| {
            let columns = child.spec.references.keys();
            columns.map(|column| crate::tables::link_name(child.entity(), column))
        })
        .collect();
    query_scalar(
        "select exists (select from pg_constraint
                        where contype = 'f' and confrelid = to_regclass($1) and conname <> all($2))",
    )
    .bind(format!("prod.\"{}\"", ctx.table.entity))
    .bind(declared)
    .fetch_one(conn)
    .await
}
