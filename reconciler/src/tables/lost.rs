//! Tables and columns that are not what the engine left: dropped, renamed, made anew, or emptied by hand.
//! Nothing is decided for such a table before it is put back or filled again.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use crate::contract::is_audit;
use crate::definition::Definitions;
use crate::guard::{Guard, share};
use crate::table_rules::{TableRules, modules_of};

/// A table that is not what the engine left, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum LostTable {
    /// It is not there.
    Dropped,
    /// It has another name or schema.
    Renamed {
        /// What it is called now.
        to: String,
    },
    /// Another table has its name.
    Remade,
    /// Columns are not there, under another name, or made anew.
    Columns {
        /// Which.
        columns: Vec<String>,
    },
    /// Rows were deleted by hand.
    Emptied {
        /// How many.
        deleted: i64,
        /// How many are left.
        left: i64,
        /// Who did it last, as far as the database knows.
        author: String,
    },
}

impl LostTable {
    /// What happened, as a sentence about the table `entity` with what to do.
    pub fn cause(&self, entity: &str) -> String {
        let remedy = format!(
            "`concord rebuild {entity} --reason …` fills it again from what was claimed and decided."
        );
        match self {
            Self::Dropped => format!("The table prod.{entity} was dropped. {remedy}"),
            Self::Renamed { to } => format!(
                "The table prod.{entity} is called {to} now. Give it its name back, or run a rebuild: {remedy}"
            ),
            Self::Remade => format!(
                "The table prod.{entity} was dropped and another one has its name. {remedy}"
            ),
            Self::Columns { columns } => format!(
                "Columns of prod.{entity} were dropped, renamed or made anew: {}. Give them their names back, or run a rebuild: {remedy}",
                columns.join(", ")
            ),
            Self::Emptied {
                deleted,
                left,
                author,
            } => format!(
                "{deleted} rows of prod.{entity} were deleted by hand (by {author}), {left} are left. {remedy} With --accept they stay deleted."
            ),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Known {
    columns: Json<BTreeMap<String, i16>>,
    same: Option<bool>,
    elsewhere: Option<String>,
    found: Option<Json<BTreeMap<String, i16>>>,
}

/// How a table differs from what the engine left; `None` where it does not, or where the engine never made
/// it.
pub async fn lost_table(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
) -> sqlx::Result<Option<LostTable>> {
    if let Some(lost) = lost_shape(conn, definitions, entity).await? {
        return Ok(Some(lost));
    }
    let guard = modules_of(definitions, entity)
        .next()
        .map(|of| of.spec.guard);
    emptied(conn, entity, &guard.unwrap_or_default()).await
}

/// Whether a table is the one that the engine left, with all its columns: only then is it brought to its
/// contracts.
pub(crate) async fn keeps_table(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
) -> sqlx::Result<bool> {
    Ok(lost_shape(conn, definitions, entity).await?.is_none())
}

async fn lost_shape(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
) -> sqlx::Result<Option<LostTable>> {
    let known: Option<Known> = query_as(
        "select t.columns, c.oid = t.oid as same,
                (select o.oid::regclass::text from pg_class o where o.oid = t.oid and o.oid is distinct from c.oid) as elsewhere,
                (select jsonb_object_agg(a.attname, a.attnum) from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as found
         from ops.tables t
         left join pg_class c on c.relnamespace = 'prod'::regnamespace and c.relname = t.entity and c.relkind in ('r', 'p')
         where t.entity = $1",
    )
    .bind(entity)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(known) = known else { return Ok(None) };
    if let (Some(to), false) = (&known.elsewhere, known.same == Some(true)) {
        return Ok(Some(LostTable::Renamed { to: to.clone() }));
    }
    match known.same {
        None => return Ok(Some(LostTable::Dropped)),
        Some(false) => return Ok(Some(LostTable::Remade)),
        Some(true) => {}
    }
    let found = known.found.map(|found| found.0).unwrap_or_default();
    let rules = TableRules::of(definitions, entity);
    let ours = |column: &str| {
        column == "id" || is_audit(column) || rules.columns.iter().any(|name| name == column)
    };
    let columns = known.columns.0.iter();
    let lost = columns.filter(|(name, number)| ours(name) && found.get(*name) != Some(number));
    let columns: Vec<String> = lost.map(|(name, _)| name.clone()).collect();
    Ok((!columns.is_empty()).then_some(LostTable::Columns { columns }))
}

/// Whether more rows were deleted by hand than the guard lets a run mark as deleted, or all of them.
async fn emptied(
    conn: &mut PgConnection,
    entity: &str,
    guard: &Guard,
) -> sqlx::Result<Option<LostTable>> {
    let (deleted, author): (i64, Option<String>) = query_as(AssertSqlSafe(format!(
        "select count(distinct e.entity_id), (array_agg(e.author order by e.edit_id desc))[1]
         from history.edits e
         where e.entity = $1 and not e.taken and e.operation in ('delete', 'truncate')
           and not exists (select from prod.\"{entity}\" t where t.id = e.entity_id)
           and exists (select from prod.identities i
                       where i.entity_id = e.entity_id and i.entity = $1 and i.valid_to is null)"
    )))
    .bind(entity)
    .fetch_one(&mut *conn)
    .await?;
    if deleted == 0 && is_filled(conn, entity).await? {
        return Ok(None);
    }
    let left: i64 = query_scalar(AssertSqlSafe(format!(
        "select count(*) from prod.\"{entity}\""
    )))
    .fetch_one(&mut *conn)
    .await?;
    let expected = match deleted {
        0 => expected_rows(conn, entity).await?,
        deleted => deleted,
    };
    let much = expected > guard.free && share(expected, left + expected) > guard.delete_percent;
    Ok(
        (expected > 0 && (left == 0 || much)).then(|| LostTable::Emptied {
            deleted: expected,
            left,
            author: author.unwrap_or_else(|| "unknown".to_owned()),
        }),
    )
}

async fn is_filled(conn: &mut PgConnection, entity: &str) -> sqlx::Result<bool> {
    query_scalar(AssertSqlSafe(format!(
        "select exists (select from prod.\"{entity}\")"
    )))
    .fetch_one(conn)
    .await
}

/// How many rows an empty table should have: those of entities that no override holds out of it.
async fn expected_rows(conn: &mut PgConnection, entity: &str) -> sqlx::Result<i64> {
    query_scalar(
        "select count(distinct i.entity_id) from prod.identities i
         where i.entity = $1 and i.valid_to is null and i.method <> 'merged'
           and not exists (select from prod.overrides o where o.entity_id = i.entity_id and o.entity = $1
                           and o.cell = '' and o.value = '\"absent\"' and o.state <> 'released')",
    )
    .bind(entity)
    .fetch_one(conn)
    .await
}
