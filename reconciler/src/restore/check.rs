//! Whether production is what claims and overrides come to.

use std::fmt;

use serde::Serialize;
use sqlx::PgConnection;

use super::context::{context, entity_ids, now, tables};
use crate::definition::Definitions;
use crate::overrides::{Authors, edits};
use crate::reconcile::standing::Standing;
use crate::resolve::Claimed;
use crate::table_rules::TableRules;

/// Rows looked at with one round of statements.
const BATCH: i64 = 1_000;
/// Cells named, at most.
const NAMED: usize = 100;

/// A cell that stands otherwise than claims and overrides come to, although nobody wrote it by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// The table.
    pub entity: String,
    /// The row.
    pub entity_id: String,
    /// The column; empty for the row's being there.
    pub cell: String,
}

impl fmt::Display for Unresolved {
    /// `clients/cli_1.name`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.entity, self.entity_id)?;
        match self.cell.as_str() {
            "" => Ok(()),
            column => write!(f, ".{column}"),
        }
    }
}

/// The first hundred cells that stand otherwise than they resolve. What people wrote since the last run is
/// not among them: the next run makes overrides of it.
pub async fn unresolved(
    conn: &mut PgConnection,
    definitions: &Definitions,
) -> sqlx::Result<Vec<Unresolved>> {
    let now = now(conn).await?;
    let mut found = Vec::new();
    for (entity, _) in tables(definitions) {
        let table = TableRules::of(definitions, entity);
        let Some(ctx) = context(definitions, &table, "concord", &now) else {
            continue;
        };
        let mut after = String::new();
        while found.len() < NAMED {
            let ids = entity_ids(conn, entity, &after, BATCH).await?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut standing = Standing::read(conn, entity, &ids, false).await?;
            let authors = Authors::of(conn, entity, &ids).await?;
            for id in ids.into_iter().filter(|id| !authors.saw(id)) {
                let mut row = standing.take_as_is(id);
                let claimed = Claimed::of(ctx.table, &row.claims());
                let stands = row.row.as_ref().map(|row| &row.0);
                let cells = edits(
                    ctx.table,
                    id,
                    &claimed,
                    &mut row.overrides,
                    stands,
                    &authors,
                    false,
                );
                found.extend(cells.into_iter().map(|of| Unresolved {
                    entity: entity.to_owned(),
                    entity_id: id.to_owned(),
                    cell: of.cell,
                }));
            }
        }
    }
    found.truncate(NAMED);
    Ok(found)
}
