//! Back to the state after an earlier promotion, as a new promotion: the rows as the history has them, and
//! overrides for all in which they differ from what their records claim.

use sqlx::PgConnection;
use staging::database::{query, query_scalar};

use super::context::{context, now, tables};
use super::discard::{discard, written_since};
use crate::definition::Definitions;
use crate::entity_resolution::rekey;
use crate::equality::same;
use crate::history::{self, Promotion, PromotionKind, RollbackError, RollbackOutcome};
use crate::identities;
use crate::image::Image;
use crate::overrides::{self, Kind, Override, OverrideChange, PRESENCE, State};
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::ChangeSet;
use crate::reconcile::context::Ctx;
use crate::reconcile::hand_edits;
use crate::reconcile::standing::{Entity, Standing};
use crate::resolve::{Claimed, Presence, resolve};
use crate::table_rules::TableRules;

/// Rows taken with one round of statements.
const BATCH: i64 = 1_000;

/// Returns production to the state after promotion `n`, as a new promotion by `actor` for `reason`.
///
/// Every row that promotions after `n` changed becomes, byte for byte and audit columns included, what it was
/// then. What people wrote by hand since the ledger last knew a row stays, unless `discard_local`. A restored
/// value is an override: it holds until that cell changes at its source. Overrides that people had set by
/// then hold again. The caller commits.
pub async fn rollback(
    conn: &mut PgConnection,
    definitions: &Definitions,
    n: i64,
    actor: &str,
    reason: &str,
    discard_local: bool,
) -> Result<RollbackOutcome, RollbackError> {
    let number = history::open(conn).await?.number;
    let now = now(conn).await?;
    let by_hand = written_since(conn, n).await?;
    for (entity, _) in tables(definitions) {
        let table = TableRules::of(definitions, entity);
        if let Some(ctx) = context(definitions, &table, actor, &now) {
            hand_edits::take_up(&ctx, conn).await?;
        }
    }
    let entities = history::restore_rows(conn, number, n, discard_local).await?;
    identities::rejoin(conn, n).await?;
    for (entity, _) in tables(definitions) {
        let table = TableRules::of(definitions, entity);
        if let Some(ctx) = context(definitions, &table, actor, &now) {
            hold(&ctx, conn, number, n, reason).await?;
        }
    }
    if discard_local {
        discard(conn, definitions, (n, number), &by_hand, actor).await?;
    }
    let written: bool =
        query_scalar("select exists (select from history.changes where number = $1)")
            .bind(number)
            .fetch_one(&mut *conn)
            .await?;
    if !written {
        return Ok(RollbackOutcome::AlreadyThere);
    }
    rekey(conn, definitions, number, &entities).await?;
    let promotion = Promotion {
        kind: PromotionKind::Rollback,
        module: None,
        run_id: None,
        target: Some(n),
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    };
    let sealed = history::seal(conn, number, &promotion).await?;
    Ok(RollbackOutcome::Done { sealed, entities })
}

/// Sets the overrides that hold the rows of a table as promotion `number` left them.
async fn hold(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    n: i64,
    reason: &str,
) -> sqlx::Result<()> {
    let entity = ctx.table.entity;
    let mut after = String::new();
    loop {
        let ids: Vec<String> = query_scalar(
            "select distinct entity_id from history.changes
             where number = $1 and entity = $2 and entity_id > $3 order by entity_id limit $4",
        )
        .bind(number)
        .bind(entity)
        .bind(&after)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut then = overrides::listed_at(conn, entity, &ids, n).await?;
        let mut standing = Standing::read(conn, entity, &ids, true).await?;
        let mut set = ChangeSet::default();
        for id in ids {
            let row = standing.take_as_is(id);
            if !row.identities.is_empty() {
                let then = then.remove(id).unwrap_or_default();
                hold_row(ctx, row, &then, reason, &mut set);
            }
        }
        query("set constraints all deferred")
            .execute(&mut *conn)
            .await?;
        apply(ctx, conn, Some(number), &set).await?;
    }
}

fn hold_row(ctx: &Ctx<'_>, row: Entity, then: &[Override], reason: &str, set: &mut ChangeSet) {
    let claimed = Claimed::of(ctx.table, &row.claims());
    let cells = ctx.table.columns.iter().map(String::as_str);
    for cell in cells.chain([PRESENCE]) {
        let now = row.overrides.iter().find(|of| of.cell == cell);
        let then = then.iter().find(|of| of.cell == cell);
        let restored = restored(ctx, &claimed, cell, row.row.as_ref(), reason);
        let holds = |of: &&Override| gives(ctx, &claimed, of, row.row.as_ref());
        let unneeded = is_as_claimed(&claimed, cell, row.row.as_ref());
        if now.is_some_and(|of| holds(&of)) && (now == then || !unneeded) {
            continue;
        }
        let again = then.filter(holds).map(|of| Override {
            state: State::Holds,
            ..of.clone()
        });
        let next = again.or((!unneeded).then_some(restored));
        match (next, now) {
            (Some(next), _) => set.overrides.push(change(ctx, &row.id, next, true)),
            (None, Some(now)) => {
                let released = Override {
                    state: State::Released,
                    ..now.clone()
                };
                set.overrides.push(change(ctx, &row.id, released, false));
            }
            (None, None) => {}
        }
    }
}

fn change(ctx: &Ctx<'_>, entity_id: &str, set: Override, is_new: bool) -> OverrideChange {
    OverrideChange {
        entity: ctx.table.entity.to_owned(),
        entity_id: entity_id.to_owned(),
        set,
        is_new,
    }
}

/// The override that holds a cell as it stands.
fn restored(
    ctx: &Ctx<'_>,
    claimed: &Claimed,
    cell: &str,
    row: Option<&Image>,
    reason: &str,
) -> Override {
    let value = match cell {
        PRESENCE => Presence::of(row.map(|row| &row.0)).as_str().into(),
        column => row
            .map(|row| row.column(column).clone())
            .unwrap_or_default(),
    };
    Override {
        cell: cell.to_owned(),
        value,
        against: claimed.against(cell),
        kind: Kind::Restore,
        author: ctx.actor.to_owned(),
        reason: reason.to_owned(),
        set_at: None,
        state: State::Holds,
        carried_from: None,
    }
}

/// Whether a cell stands as the records claim; a row that is not there has no other cells.
fn is_as_claimed(claimed: &Claimed, cell: &str, row: Option<&Image>) -> bool {
    match (cell, row) {
        (PRESENCE, row) => Presence::of(row.map(|row| &row.0)) == claimed.presence,
        (_, None) => true,
        (column, Some(row)) => {
            let claim = claimed.columns.get(column).cloned().unwrap_or_default();
            same(row.column(column), &claim)
        }
    }
}

/// Whether an override makes its cell what stands there.
fn gives(ctx: &Ctx<'_>, claimed: &Claimed, of: &Override, row: Option<&Image>) -> bool {
    let holding = Override {
        state: State::Holds,
        ..of.clone()
    };
    let resolved = resolve(ctx.table, claimed, std::slice::from_ref(&holding));
    if resolved.states.first() == Some(&State::Released) {
        return false;
    }
    match (of.cell.as_str(), row) {
        (PRESENCE, row) => resolved.presence == Presence::of(row.map(|row| &row.0)),
        (_, None) => true,
        (column, Some(row)) => resolved
            .columns
            .get(column)
            .is_some_and(|value| same(value, row.column(column))),
    }
}
