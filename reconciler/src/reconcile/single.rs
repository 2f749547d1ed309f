//! One staged record as matching sees it.

use serde_json::{Map, Value};
use sqlx::PgConnection;
use staging::database::query_as;

use super::claim::{Claim, shape};
use crate::definition::{Definition, Definitions};
use crate::references;

/// The row that a staged record of a module becomes, its parents resolved; `None` where no such record is staged, or
/// where it cannot be transformed.
pub async fn staged_row(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    source_id: &str,
) -> sqlx::Result<Option<Map<String, Value>>> {
    let claim: Option<Claim> = query_as(
        "select r.source_id, r.module as origin, r.payload::text as payload, r.raw, r.gone_in is not null as gone,
                r.hash, r.pass_id, r.page
         from staging.records r where r.source_id = $2 and r.module = $1",
    )
    .bind(definition.name())
    .bind(source_id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(Ok(Some(mut shaped))) = claim.map(|claim| shape(definition, &claim)) else {
        return Ok(None);
    };
    let parents = references::parents_of(conn, definitions, definition, &[&shaped.row]).await?;
    references::resolve(definition, &mut shaped.row, &parents);
    let mut row = shaped.row.0;
    row.extend(shaped.hints.0);
    Ok(Some(row))
}
