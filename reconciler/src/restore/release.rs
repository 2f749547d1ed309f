//! Releasing overrides: production follows its sources there again.

use sqlx::PgConnection;

use super::context::{context, now};
use crate::definition::Definitions;
use crate::entity_resolution::rekey;
use crate::history::{self, Promotion, PromotionKind, Sealed};
use crate::overrides::{OverrideChange, State};
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::hand_edits::take_up_rows;
use crate::reconcile::settle::settle_row;
use crate::reconcile::standing::Standing;
use crate::resolve::Claimed;
use crate::table_rules::TableRules;

/// Why nothing was released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no such override.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error("nothing was released: the database refused")]
    Sql(#[from] sqlx::Error),
}

/// What was released.
#[derive(Debug, Clone)]
pub struct Released {
    /// The cells; an empty one is the row's being there.
    pub cells: Vec<String>,
    /// The promotion that did it.
    pub sealed: Sealed,
}

/// Releases the override of one cell of a row, or all of them, by a promotion: the row becomes what its
/// records claim. The caller commits.
pub async fn release(
    conn: &mut PgConnection,
    definitions: &Definitions,
    (entity, entity_id, cell): (&str, &str, Option<&str>),
    actor: &str,
    reason: &str,
) -> Result<Released, ReleaseError> {
    let number = history::open(conn).await?.number;
    let (table, now) = (TableRules::of(definitions, entity), now(conn).await?);
    let Some(ctx) = context(definitions, &table, actor, &now) else {
        return Err(ReleaseError::Refused(format!(
            "No module fills a table `{entity}`; `concord module list` names them."
        )));
    };
    take_up_rows(&ctx, conn, &[entity_id]).await?;
    let mut set = ChangeSet::default();
    let mut standing = Standing::read(conn, entity, &[entity_id], true).await?;
    let mut row = standing.take(&ctx, entity_id, &mut set);
    let claims = row.claims();
    let claimed = Claimed::of(&table, &claims);
    let mut cells = Vec::new();
    row.overrides.retain(|of| {
        let is_released = cell.is_none_or(|cell| cell == of.cell);
        if is_released {
            cells.push(of.cell.clone());
            let mut released = of.clone();
            released.state = State::Released;
            set.overrides.push(OverrideChange {
                entity: entity.to_owned(),
                entity_id: entity_id.to_owned(),
                set: released,
                is_new: false,
            });
        }
        !is_released
    });
    if cells.is_empty() {
        let place = cell.map_or_else(String::new, |cell| format!(".{cell}"));
        return Err(ReleaseError::Refused(format!(
            "Nothing overrides {entity}/{entity_id}{place}; `concord overrides` lists what does."
        )));
    }
    let (outcome, _) = settle_row(&ctx, &mut row, &claimed, &claims, &mut set);
    if let Some(outcome) = outcome {
        set.rows.push(RowChange {
            entity: entity.to_owned(),
            entity_id: entity_id.to_owned(),
            before: row.row,
            operation: outcome.operation,
            after: outcome.image,
            evidence: None,
        });
    }
    apply(&ctx, conn, Some(number), &set).await?;
    let entities = std::iter::once(entity.to_owned()).collect();
    rekey(conn, definitions, number, &entities).await?;
    let promotion = Promotion {
        kind: PromotionKind::Release,
        module: None,
        run_id: None,
        target: None,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    };
    let sealed = history::seal(conn, number, &promotion).await?;
    Ok(Released { cells, sealed })
}
