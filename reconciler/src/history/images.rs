//! Writes production rows from their images, and records the changes in the ledger.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use staging::database::{query, query_scalar};

use super::table::EntityTable;
use crate::planner_hints;

/// The operation on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The row is new.
    Insert,
    /// The row changes.
    Update,
    /// The row is marked as deleted.
    Tombstone,
    /// The row is removed.
    Delete,
}

impl Operation {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Tombstone => "tombstone",
            Self::Delete => "delete",
        }
    }
}

/// The record that caused a change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// The module.
    pub module: String,
    /// The record's id at its source.
    pub source_id: String,
    /// The hash of its content.
    pub record_hash: Vec<u8>,
    /// The pass that fetched it.
    pub pass_id: i64,
    /// The page that contained it.
    pub page: i32,
}

/// The desired state of one row.
#[derive(Debug, Clone)]
pub struct RowWrite {
    /// The row's `id`.
    pub entity_id: String,
    /// All its columns as a JSON object (a column not in it becomes null); `None` removes the row.
    pub image: Option<Box<RawValue>>,
    /// The operation.
    pub operation: Operation,
    /// The record it comes from.
    pub evidence: Option<Evidence>,
}

/// Changes rows of one entity to the given images and records the changes under promotion `number`.
///
/// Returns how many rows changed; a row that already equals its image is not recorded. If production differs
/// from the last image in the ledger, the edit by hand is recorded first. The caller holds the head
/// ([`super::open`]) and locked the existing rows (`select … for update`) when it read them; otherwise a
/// concurrent edit would be lost. An id may occur once per call, and again in another call of the same
/// promotion: then the first image before and the last image after are kept.
pub async fn apply_images(
    conn: &mut PgConnection,
    number: i64,
    entity: &str,
    rows: &[RowWrite],
) -> sqlx::Result<u64> {
    let table = EntityTable::read(conn, entity).await?;
    apply_to(conn, number, table, rows).await
}

/// Like [`apply_images`]; columns not in `columns` keep their values, or get their defaults.
pub(crate) async fn apply_columns(
    conn: &mut PgConnection,
    number: i64,
    entity: &str,
    rows: &[RowWrite],
    columns: &BTreeSet<String>,
) -> sqlx::Result<u64> {
    let table = EntityTable::read(conn, entity).await?;
    apply_to(conn, number, table.with_only(columns), rows).await
}

/// Writes new rows to table and ledger without looking anything up; columns not in `columns` get their
/// defaults. Rows whose ids are already in the ledger are returned unwritten: they are for [`apply_columns`].
pub(crate) async fn insert_new<'r>(
    conn: &mut PgConnection,
    number: i64,
    entity: &str,
    rows: Vec<&'r RowWrite>,
    columns: &BTreeSet<String>,
) -> sqlx::Result<Vec<&'r RowWrite>> {
    let ids: Vec<&str> = rows.iter().map(|r| r.entity_id.as_str()).collect();
    let known: Vec<String> = query_scalar(
        "select q.id from unnest($2::text[]) q (id)
         cross join lateral (select from history.changes c
             where c.entity_id = q.id and c.entity = $1 limit 1) c",
    )
    .bind(entity)
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    let known: BTreeSet<String> = known.into_iter().collect();
    let (known, new): (Vec<&RowWrite>, Vec<&RowWrite>) = rows
        .into_iter()
        .partition(|row| known.contains(&row.entity_id));
    if new.is_empty() {
        return Ok(known);
    }
    let table = EntityTable::read(conn, entity).await?.with_only(columns);
    let statement = query(AssertSqlSafe(insert_statement(&table)))
        .bind(number)
        .bind(entity)
        .bind(new.iter().map(|r| r.entity_id.as_str()).collect::<Vec<_>>())
        .bind(
            new.iter()
                .map(|r| r.image.as_ref().map(Json))
                .collect::<Vec<_>>(),
        )
        .bind(texts(&new, |e| e.module.as_str()))
        .bind(texts(&new, |e| e.source_id.as_str()))
        .bind(texts(&new, |e| e.record_hash.as_slice()))
        .bind(texts(&new, |e| e.pass_id))
        .bind(texts(&new, |e| e.page));
    let before = planner_hints::by_hash(conn).await?;
    statement.execute(&mut *conn).await?;
    planner_hints::as_before(conn, before).await?;
    Ok(known)
}

/// One column of the rows' evidence.
fn texts<'r, T>(rows: &[&'r RowWrite], pick: impl Fn(&'r Evidence) -> T) -> Vec<Option<T>> {
    rows.iter()
        .map(|row| row.evidence.as_ref().map(&pick))
        .collect()
}

fn insert_statement(table: &EntityTable) -> String {
    let name = &table.name;
    let (columns, values) = (table.list(""), table.list("r."));
    format!(
        "with given as materialized (
             select * from unnest($3::text[], $4::jsonb[], $5::text[], $6::text[], $7::bytea[], $8::bigint[], $9::integer[])
                 as g (entity_id, image, module, source_id, record_hash, pass_id, page)),
         written as (
             insert into {name} as t ({columns})
             select {values} from given g cross join lateral jsonb_populate_record(null::{name}, g.image) r
             returning t.id, to_jsonb(t) as image),
         hashed as materialized (
             select id, image, sha256(convert_to(image::text, 'UTF8')) as hash from written),
         objects as (
             insert into history.objects (hash, image) select hash, image from hashed on conflict do nothing)
         insert into history.changes (number, entity, entity_id, part, operation, after, module, source_id, record_hash,
                                      pass_id, page)
         select $1, $2, h.id, 1, 'insert', h.hash, g.module, g.source_id, g.record_hash, g.pass_id, g.page
         from hashed h join given g on g.entity_id = h.id"
    )
}

/// The columns of a table with unique values.
pub(crate) async fn unique_columns(
    conn: &mut PgConnection,
    entity: &str,
) -> sqlx::Result<Vec<String>> {
    query_scalar(
        "select distinct a.attname::text from pg_index i
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
         where i.indrelid = to_regclass(format('prod.%I', $1::text)) and i.indisunique and not i.indisprimary",
    )
    .bind(entity)
    .fetch_all(conn)
    .await
}

async fn apply_to(
    conn: &mut PgConnection,
    number: i64,
    table: EntityTable,
    rows: &[RowWrite],
) -> sqlx::Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let entity = table.entity.as_str();
    let given = "select * from unnest($3::text[], $4::jsonb[], $5::text[], $6::text[], $7::text[],
                                      $8::bytea[], $9::bigint[], $10::integer[])
                 as g (entity_id, image, operation, module, source_id, record_hash, pass_id, page)";
    let sql = statement(&table, given, Shape::Table);
    let write = query_scalar(AssertSqlSafe(sql))
        .bind(number)
        .bind(entity)
        .bind(
            rows.iter()
                .map(|r| r.entity_id.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.image.as_ref().map(Json))
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.operation.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.evidence.as_ref().map(|e| e.module.as_str()))
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.evidence.as_ref().map(|e| e.source_id.as_str()))
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.evidence.as_ref().map(|e| e.record_hash.as_slice()))
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.evidence.as_ref().map(|e| e.pass_id))
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|r| r.evidence.as_ref().map(|e| e.page))
                .collect::<Vec<_>>(),
        );
    let changed = write_rows(conn, write).await?;
    Ok(changed.unsigned_abs())
}

/// How the ledger spells a row that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the row is in the table.
    Table,
    /// As given, if the only difference is columns that were added since and are null: so a rolled-back row
    /// has the same hash as before.
    Given,
}

/// Whether a row equals an older image, ignoring null columns that were added since.
pub(super) fn same_row(row: &str, image: &str) -> String {
    format!(
        "not exists (select from jsonb_each({row}) cell
                     where cell.value is distinct from coalesce({image} -> cell.key, 'null'))"
    )
}

/// The statement that writes rows and ledger, run by [`write_rows`]. `$1` is the number, `$2` the entity;
/// `given` yields `entity_id, image, operation, module, source_id, record_hash, pass_id, page`.
pub(super) fn statement(table: &EntityTable, given: &str, shape: Shape) -> String {
    let name = &table.name;
    let columns = table.list("");
    let values = table.list("r.");
    let excluded: Vec<String> = table.columns[1..]
        .iter()
        .map(|c| format!("{c} = excluded.{c}"))
        .collect();
    let excluded = excluded.join(", ");
    let same_as_known = same_row("s.found_image", "o.image");
    let new_image = match shape {
        Shape::Table => "w.image".to_owned(),
        Shape::Given => {
            format!(
                "case when w.image is null or w.image = s.image then w.image
                          when {} then s.image else w.image end",
                same_row("w.image", "s.image")
            )
        }
    };
    format!(
        "with given as materialized ({given}),
         stood as materialized (
             select given.*, f.image as found_image, sha256(convert_to(f.image::text, 'UTF8')) as found_hash,
                    last.after as known_hash
             from given
             left join lateral (select to_jsonb(t) as image from {name} t where t.id = entity_id offset 0) f on true
             left join lateral (select c.after from history.changes c
                                where c.entity = $2 and c.entity_id = given.entity_id
                                order by c.number desc, c.part desc limit 1) last on true),
         written as (
             insert into {name} as t ({columns})
             select {values} from given g, jsonb_populate_record(null::{name}, g.image) r where g.image is not null
             on conflict (id) do update set {excluded}
             returning t.id, to_jsonb(t) as image),
         removed as (
             delete from {name} where id = any(array(select entity_id from given where image is null))),
         fate as materialized (
             select s.*, {new_image} as new_image,
                    case when s.found_hash is not distinct from s.known_hash then false
                         when s.found_hash is null then true
                         else not exists (select from history.objects o where o.hash = s.known_hash and {same_as_known})
                    end as edited
             from stood s left join written w on w.id = s.entity_id),
         hashed as materialized (
             select *, case when edited then found_hash else known_hash end as before,
                    sha256(convert_to(new_image::text, 'UTF8')) as after
             from fate),
         objects as (
             insert into history.objects (hash, image)
             select after, new_image from hashed where after is not null and after is distinct from before
             union all
             select found_hash, found_image from hashed where edited and found_hash is not null
             on conflict do nothing),
         changed as (
             insert into history.changes (number, entity, entity_id, part, operation, before, after,
                                          module, source_id, record_hash, pass_id, page)
             select $1, $2, entity_id, 0, 'local', known_hash, found_hash, null, null, null, null::bigint, null::integer
             from hashed where edited
             union all
             select $1, $2, entity_id, 1, operation, before, after, module, source_id, record_hash, pass_id, page
             from hashed where after is distinct from before
             on conflict (number, entity, entity_id, part) do update set
                 after = excluded.after, module = excluded.module, source_id = excluded.source_id,
                 record_hash = excluded.record_hash, pass_id = excluded.pass_id, page = excluded.page,
                 operation = case when changes.operation = 'insert' and excluded.operation <> 'delete'
                                  then 'insert' else excluded.operation end
             returning part)
         select count(*) from changed where part = 1"
    )
}

/// Runs a [`statement`] with its arguments; given rows and written rows are joined by hash.
pub(super) async fn write_rows(
    conn: &mut PgConnection,
    statement: QueryScalar<'_, Postgres, i64, PgArguments>,
) -> sqlx::Result<i64> {
    let before = planner_hints::by_hash(conn).await?;
    let changed = statement.fetch_one(&mut *conn).await?;
    planner_hints::as_before(conn, before).await?;
    Ok(changed)
}
