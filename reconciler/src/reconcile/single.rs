//! One staged record as matching sees it.

use serde_json::{Map, Value};
use sqlx::PgConnection;
use staging::database::query_as;

use super::pending::StagedRecord;
use super::references;
use super::transform::transform;
use crate::definition::{Definition, Definitions};

/// The row that a staged record of a module becomes, its parents resolved; `None` where no such record is
/// staged, or where it cannot be transformed.
pub async fn staged_row(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    source_id: &str,
) -> sqlx::Result<Option<Map<String, Value>>> {
    let record: Option<StagedRecord> = query_as(
        "select r.source_id, r.module as origin, r.payload::text as payload, r.raw, r.gone_in is not null as gone,
                r.hash, r.pass_id, r.page
         from staging.records r where r.source_id = $2 and r.module = $1",
    )
    .bind(definition.name())
    .bind(source_id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(Ok(Some(mut found))) = record.map(|record| transform(definition, &record)) else {
        return Ok(None);
    };
    let parents = references::parents_of(conn, definitions, definition, &[&found.row]).await?;
    references::resolve(definition, &mut found.row, &parents);
    let mut row = found.row.0;
    row.extend(found.hints.0);
    Ok(Some(row))
}
