//! Decisions of people: which entity a record is, and which it is not. They overrule every model.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as};

use crate::definition::Definition;

/// The decisions of people about one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The entity that it is, with the author.
    pub is: Option<(String, String)>,
    /// The entities it is not, in order.
    pub is_not: Vec<String>,
}

/// The decisions about records of a module, by source id.
pub(crate) async fn said(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Said>> {
    let entity = definition.entity();
    let rows: Vec<(String, String, bool, String)> = query_as(AssertSqlSafe(format!(
        "select l.source_id, l.entity_id, l.is_same, l.author from prod.links l
         where l.source_id = any($3) and l.module = $2 and l.source = $1 and l.entity = $4 and l.ended_at is null
           and (not l.is_same or exists (select from prod.\"{entity}\" t where t.id = l.entity_id and t.deleted_at is null))
         order by l.source_id, l.entity_id"
    )))
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(ids)
    .bind(entity)
    .fetch_all(conn)
    .await?;
    let mut said: HashMap<String, Said> = HashMap::new();
    for (source_id, entity_id, is_same, author) in rows {
        let of = said.entry(source_id).or_default();
        match is_same {
            true => of.is = Some((entity_id, author)),
            false => of.is_not.push(entity_id),
        }
    }
    Ok(said)
}

/// One decision of a person.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// The record.
    pub source_id: &'a str,
    /// The entity.
    pub entity_id: &'a str,
    /// Whether the record is that entity.
    pub is_same: bool,
    /// The author.
    pub author: &'a str,
    /// The reason.
    pub reason: &'a str,
}

/// Stores a decision. It ends earlier decisions about the same record and entity, and an earlier decision
/// that the record is another entity.
pub async fn say(
    conn: &mut PgConnection,
    definition: &Definition,
    word: Word<'_>,
) -> sqlx::Result<()> {
    query(
        "update prod.links set ended_at = clock_timestamp()
         where source_id = $1 and module = $2 and source = $3 and ended_at is null
           and (entity_id = $4 or $5 and is_same)",
    )
    .bind(word.source_id)
    .bind(definition.name())
    .bind(&definition.module.source)
    .bind(word.entity_id)
    .bind(word.is_same)
    .execute(&mut *conn)
    .await?;
    query(
        "insert into prod.links (source, module, source_id, entity, entity_id, is_same, author, reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(word.source_id)
    .bind(definition.entity())
    .bind(word.entity_id)
    .bind(word.is_same)
    .bind(word.author)
    .bind(word.reason)
    .execute(conn)
    .await
    .map(drop)
}
