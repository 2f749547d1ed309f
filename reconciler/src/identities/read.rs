//! Reading identities. Every look-up is lateral, so that it stays an index probe whatever the planner
//! believes of the table's size.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_as;

use super::claim::Claim;
use super::method::Method;
use crate::definition::Definition;

/// What is known of one record.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Identity {
    pub(crate) source: String,
    pub(crate) module: String,
    /// The module whose staged record it is: another one where it is derived.
    pub(crate) origin: String,
    pub(crate) source_id: String,
    pub(crate) entity_id: String,
    pub(crate) method: Method,
    /// What the record says, column by column; values that it no longer mentions are kept.
    #[sqlx(json)]
    pub(crate) claim: Map<String, Value>,
    /// The columns of the claim of which the record says nothing any more.
    #[sqlx(json)]
    pub(crate) kept: BTreeSet<String>,
    /// Whether the record is gone from its source.
    pub(crate) gone: bool,
}

impl Identity {
    /// Whether the entity was only made up for a child of the record, which has not come yet.
    pub(crate) fn is_placeholder(&self) -> bool {
        self.method == Method::Placeholder
    }

    /// What it claims; nothing where it is only another name of its entity.
    pub(crate) fn to_claim(&self) -> Option<Claim> {
        (self.method != Method::Merged).then(|| Claim {
            source: self.source.clone(),
            module: self.module.clone(),
            source_id: self.source_id.clone(),
            method: self.method,
            derived: self.origin != self.module,
            gone: self.gone,
            columns: self.claim.clone(),
        })
    }
}

const COLUMNS: &str =
    "i.source, i.module, i.origin, i.source_id, i.entity_id, i.method, i.claim, i.kept, i.gone";

/// The identities of records of a module, by source id.
pub(crate) async fn by_record(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Identity>> {
    let rows: Vec<Identity> = query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from unnest($3::text[]) as q(source_id)
         cross join lateral (select * from prod.identities i
             where i.source_id = q.source_id and i.module = $2 and i.source = $1 and i.valid_to is null offset 0) i"
    )))
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.source_id.clone(), row))
        .collect())
}

/// The identities of entities, by entity.
pub(crate) async fn by_entity(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Vec<Identity>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Identity> = query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from (select distinct unnest($2::text[]) as entity_id) e
         cross join lateral (select * from prod.identities i
             where i.entity_id = e.entity_id and i.entity = $1 and i.valid_to is null offset 0) i
         order by i.entity_id, i.module, i.source_id"
    )))
    .bind(entity)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<String, Vec<Identity>> = HashMap::new();
    for row in rows {
        found.entry(row.entity_id.clone()).or_default().push(row);
    }
    Ok(found)
}

/// The entities of records of a module, by source id, whether their rows stand or not.
pub(crate) async fn entities_of(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> = query_as(
        "select i.source_id, i.entity_id from unnest($3::text[]) as q(source_id)
         cross join lateral (select * from prod.identities i
             where i.source_id = q.source_id and i.module = $2 and i.source = $1 and i.valid_to is null offset 0) i",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The rows that records of a module stand for, by source id; none where the row is not there.
pub(crate) async fn parents_of(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> = query_as(AssertSqlSafe(format!(
        "select i.source_id, i.entity_id from unnest($3::text[]) as q(source_id)
         cross join lateral (select * from prod.identities i
             where i.source_id = q.source_id and i.module = $2 and i.source = $1 and i.valid_to is null offset 0) i
         cross join lateral (select from prod.\"{}\" t where t.id = i.entity_id offset 0) t",
        definition.entity()
    )))
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Which ids of a table are taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Ids that some record's identity has, whether the row stands or not.
    pub(crate) by_record: HashSet<String>,
    /// Ids of rows that no record has made.
    pub(crate) by_hand: HashSet<String>,
}

impl Taken {
    /// Whether a new entity may have the id.
    pub(crate) fn is_free(&self, id: &str) -> bool {
        !self.by_record.contains(id) && !self.by_hand.contains(id)
    }
}

/// Which of these ids of a table are taken. An id that an entity had once stays its own: history knows it by
/// that.
pub(crate) async fn taken_ids(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<Taken> {
    let mut taken = Taken::default();
    if ids.is_empty() {
        return Ok(taken);
    }
    let rows: Vec<(String, bool)> = query_as(AssertSqlSafe(format!(
        "select q.id, i.known from unnest($2::text[]) as q(id)
         cross join lateral (select exists (select from prod.identities i
             where i.entity_id = q.id and i.entity = $1 and i.valid_to is null) as known offset 0) i
         left join lateral (select t.id from prod.\"{entity}\" t where t.id = q.id offset 0) t on true
         where i.known or t.id is not null"
    )))
    .bind(entity)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    for (id, known) in rows {
        match known {
            true => taken.by_record.insert(id),
            false => taken.by_hand.insert(id),
        };
    }
    Ok(taken)
}

/// What a record claimed once.
#[derive(Debug, Default, sqlx::FromRow)]
pub(crate) struct PreviousClaim {
    #[sqlx(json)]
    pub(crate) claim: Map<String, Value>,
    /// The columns of it that the record did not mention any more.
    #[sqlx(json)]
    pub(crate) kept: BTreeSet<String>,
}

/// What a record claimed before its present identity.
pub(crate) async fn previous_claim(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> sqlx::Result<Option<PreviousClaim>> {
    query_as(
        "select claim, kept from prod.identities
         where source = $1 and module = $2 and source_id = $3 and valid_to is not null and method <> 'merged'
         order by valid_to desc, valid_from desc limit 1",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(source_id)
    .fetch_optional(conn)
    .await
}
