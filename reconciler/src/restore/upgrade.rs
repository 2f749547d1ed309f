//! Overrides of a table that the engine has known since before there were any: everything in which its rows
//! differ from what their records claim.

use sqlx::PgConnection;

use super::context::{context, entity_ids, now};
use crate::definition::Definitions;
use crate::overrides;
use crate::reconcile::hand_edits::take_up_rows;
use crate::table_rules::TableRules;

/// Rows looked at with one round of statements.
const BATCH: i64 = 1_000;

/// Makes overrides of all that holds a table's rows away from what their records claim. Production stays as
/// it is. What the last promotion of a row was a rollback brought back is a restored value, everything else
/// was written by hand.
pub(crate) async fn find_overrides(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
) -> sqlx::Result<()> {
    let (table, now) = (TableRules::of(definitions, entity), now(conn).await?);
    let Some(ctx) = context(definitions, &table, "concord", &now) else {
        return Ok(());
    };
    let mut after = String::new();
    loop {
        let ids = entity_ids(conn, entity, &after, BATCH).await?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        take_up_rows(&ctx, conn, &ids).await?;
    }
    overrides::mark_restored(conn, entity).await
}
