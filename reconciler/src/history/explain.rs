//! The history of one row, and the origin of each of its values.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::cells::{Cell, CellValue, Image, cells};
use super::chain::settle;
use super::table::EntityTable;

/// One change of a row.
#[derive(Debug, Clone, Serialize)]
pub struct EntityChange {
    /// The promotion that made it, or that found it if it was made by hand.
    pub number: i64,
    /// `insert`, `update`, `tombstone`, `delete`, or `local` for an edit by hand.
    pub operation: String,
    /// The promotion's kind.
    pub kind: String,
    /// The author.
    pub actor: String,
    /// The reason.
    pub reason: String,
    /// The time, RFC 3339.
    pub created_at: String,
    /// The run.
    pub run_id: Option<i64>,
    /// The module of the record.
    pub module: Option<String>,
    /// The record.
    pub source_id: Option<String>,
    /// The hash of the record's content, in hexadecimal.
    pub record_hash: Option<String>,
    /// The pass that fetched it.
    pub pass_id: Option<i64>,
    /// The page that contained it.
    pub page: Option<i32>,
    /// The changed cells.
    pub cells: Vec<Cell>,
}

/// The origin of one value.
#[derive(Debug, Clone, Serialize)]
pub struct Blame {
    /// The column.
    pub column: String,
    /// The value in production.
    pub value: CellValue,
    /// The promotion that wrote it, or that found it if `by_hand`; none if the edit is newer than the last
    /// promotion of this row.
    pub promotion: Option<i64>,
    /// Whether a person edited it in production.
    pub by_hand: bool,
    /// The module.
    pub module: Option<String>,
    /// The record.
    pub source_id: Option<String>,
    /// The pass that fetched it.
    pub pass_id: Option<i64>,
    /// The page that contained it.
    pub page: Option<i32>,
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    number: i64,
    operation: String,
    kind: String,
    actor: String,
    reason: String,
    created_at: String,
    run_id: Option<i64>,
    module: Option<String>,
    source_id: Option<String>,
    record_hash: Option<String>,
    pass_id: Option<i64>,
    page: Option<i32>,
    before: Option<Json<Image>>,
    after: Option<Json<Image>>,
}

/// All changes of a row, oldest first.
pub async fn entity_history(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
) -> sqlx::Result<Vec<EntityChange>> {
    let rows = changes_of(conn, entity, entity_id).await?;
    let changes = rows.into_iter().map(|row| EntityChange {
        cells: cells(row.before.as_deref(), row.after.as_deref()),
        number: row.number,
        operation: row.operation,
        kind: row.kind,
        actor: row.actor,
        reason: row.reason,
        created_at: row.created_at,
        run_id: row.run_id,
        module: row.module,
        source_id: row.source_id,
        record_hash: row.record_hash,
        pass_id: row.pass_id,
        page: row.page,
    });
    Ok(changes.collect())
}

/// For each column of a row in production, the change that set its value.
pub async fn blame(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
) -> sqlx::Result<Vec<Blame>> {
    settle(conn).await?;
    let table = EntityTable::read(conn, entity).await?;
    let sql = format!("select to_jsonb(t) from {} t where id = $1", table.name);
    let found: Option<Json<Image>> = query_scalar(AssertSqlSafe(sql))
        .bind(entity_id)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(Json(found)) = found else {
        return Ok(Vec::new());
    };
    let rows = changes_of(conn, entity, entity_id).await?;
    let mut authors: BTreeMap<String, &ChangeRow> = BTreeMap::new();
    for row in &rows {
        for cell in cells(row.before.as_deref(), row.after.as_deref()) {
            authors.insert(cell.column, row);
        }
    }
    let known = rows.last().and_then(|row| row.after.as_deref());
    let blames = found.into_iter().map(|(column, value)| {
        let untouched = match known.and_then(|image| image.get(&column)) {
            Some(known) => *known == value,
            None => known.is_some() && value.is_null(), // The column is younger than the row's last promotion.
        };
        let author = authors.get(&column).filter(|_| untouched);
        Blame {
            promotion: author.map(|row| row.number),
            by_hand: !untouched || author.is_some_and(|row| row.operation == "local"),
            module: author.and_then(|row| row.module.clone()),
            source_id: author.and_then(|row| row.source_id.clone()),
            pass_id: author.and_then(|row| row.pass_id),
            page: author.and_then(|row| row.page),
            value: CellValue::Present(value),
            column,
        }
    });
    Ok(blames.collect())
}

async fn changes_of(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
) -> sqlx::Result<Vec<ChangeRow>> {
    query_as(
        "select c.number, c.operation, p.kind, p.actor, p.reason, p.run_id, c.module, c.source_id,
                to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as created_at,
                encode(c.record_hash, 'hex') as record_hash, c.pass_id, c.page, b.image as before, a.image as after
         from history.changes c join history.promotions p using (number)
         left join history.objects b on b.hash = c.before left join history.objects a on a.hash = c.after
         where c.entity = $1 and c.entity_id = $2
         order by c.number, c.part",
    )
    .bind(entity)
    .bind(entity_id)
    .fetch_all(conn)
    .await
}
