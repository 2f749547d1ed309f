//! The difference of production between two promotions.

use futures::{Stream, TryStreamExt};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use staging::database::{query_as, query_scalar};

use super::cells::{Cell, Image, cells};
use super::images::Operation;

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowDiff {
    /// The entity.
    pub entity: String,
    /// The row.
    pub entity_id: String,
    /// The operation that leads from one state to the other.
    pub operation: Operation,
    /// The cells that differ.
    pub cells: Vec<Cell>,
}

/// The number of rows of an entity that differ, by operation.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct DiffTally {
    /// The entity.
    pub entity: String,
    /// `insert`, `update`, `tombstone` or `delete`.
    pub operation: String,
    /// Rows.
    pub rows: i64,
}

/// Rows whose last image up to promotion `$1` differs from the one up to `$2`. Rows that changed and changed
/// back are not included.
const DIFFERING: &str = "
    select t.entity, t.entity_id, a.after as before, b.after as after
    from (select distinct entity, entity_id from history.changes
          where number > least($1::bigint, $2::bigint) and number <= greatest($1, $2)) t
    left join lateral (select after from history.changes c
                       where c.entity = t.entity and c.entity_id = t.entity_id and c.number <= $1
                       order by number desc, part desc limit 1) a on true
    left join lateral (select after from history.changes c
                       where c.entity = t.entity and c.entity_id = t.entity_id and c.number <= $2
                       order by number desc, part desc limit 1) b on true
    where a.after is distinct from b.after";

/// The difference between the states after promotions `a` and `b`, in order of entity and id.
///
/// Either may be the later one. `after` (entity, id) continues after a row; `limit` ends early.
pub fn diff<'c>(
    conn: &'c mut PgConnection,
    a: i64,
    b: i64,
    limit: Option<i64>,
    after: Option<(&str, &str)>,
) -> impl Stream<Item = sqlx::Result<RowDiff>> + use<'c> {
    let sql = format!(
        "select d.entity, d.entity_id, o.image, n.image
         from ({DIFFERING}) d
         left join history.objects o on o.hash = d.before left join history.objects n on n.hash = d.after
         where $4::text is null or (d.entity, d.entity_id) > ($4, $5)
         order by d.entity, d.entity_id limit $3"
    );
    query_as::<(String, String, Option<Json<Image>>, Option<Json<Image>>)>(sqlx::AssertSqlSafe(sql))
        .bind(a)
        .bind(b)
        .bind(limit)
        .bind(after.map(|(entity, _)| entity.to_owned()))
        .bind(after.map(|(_, id)| id.to_owned()))
        .fetch(conn)
        .map_ok(|(entity, entity_id, before, after)| {
            row_diff(entity, entity_id, before.as_deref(), after.as_deref())
        })
}

/// The number of rows that [`diff`] would return, by entity and operation.
pub async fn diff_tally(conn: &mut PgConnection, a: i64, b: i64) -> sqlx::Result<Vec<DiffTally>> {
    let sql = format!(
        "select entity, operation, count(*) as rows
         from (select d.entity,
                      case when d.before is null then 'insert' when d.after is null then 'delete'
                           when o.image ->> 'deleted_at' is null and n.image ->> 'deleted_at' is not null
                           then 'tombstone' else 'update' end as operation
               from ({DIFFERING}) d
               left join history.objects o on o.hash = d.before
               left join history.objects n on n.hash = d.after) d
         group by 1, 2 order by 1, 2"
    );
    query_as(sqlx::AssertSqlSafe(sql))
        .bind(a)
        .bind(b)
        .fetch_all(conn)
        .await
}

/// The row after promotion `n`; `None` if it did not exist.
pub async fn state_at(
    conn: &mut PgConnection,
    n: i64,
    entity: &str,
    entity_id: &str,
) -> sqlx::Result<Option<Image>> {
    let image: Option<Json<Image>> = query_scalar(
        "select o.image from (select after from history.changes
                              where entity = $2 and entity_id = $3 and number <= $1
                              order by number desc, part desc limit 1) last
         join history.objects o on o.hash = last.after",
    )
    .bind(n)
    .bind(entity)
    .bind(entity_id)
    .fetch_optional(conn)
    .await?;
    Ok(image.map(|image| image.0))
}

/// The difference of two images.
pub(super) fn row_diff(
    entity: String,
    entity_id: String,
    before: Option<&Image>,
    after: Option<&Image>,
) -> RowDiff {
    let living = |image: &Image| {
        image
            .get("deleted_at")
            .is_none_or(serde_json::Value::is_null)
    };
    let operation = match (before, after) {
        (None, _) => Operation::Insert,
        (Some(_), None) => Operation::Delete,
        (Some(before), Some(after)) if living(before) && !living(after) => Operation::Tombstone,
        _ => Operation::Update,
    };
    RowDiff {
        entity,
        entity_id,
        operation,
        cells: cells(before, after),
    }
}
