//! A record taken out of an entity: it becomes one of its own, and stays so.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as, query_scalar};

use super::meeting::stamp;
use super::parting::{alias_of, part};
use super::rekey;
use super::wave::rows_now;
use super::write::image_text;
use crate::Row;
use crate::definition::{Definition, Definitions};
use crate::history::{self, Operation, Promotion, PromotionKind, RowWrite, Sealed};
use crate::matching::{self, Word};
use crate::survivorship::{self, Voice};

/// Why a record cannot be taken out of its entity.
#[derive(Debug, thiserror::Error)]
pub enum UnmergeError {
    /// There is nothing to take apart.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error("the record was not taken out: the database refused; nothing was changed")]
    Sql(#[from] sqlx::Error),
}

/// A row in the ledger.
type Image = Json<Map<String, Value>>;

/// What was taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmerged {
    /// The entity that the record was.
    pub from: String,
    /// The entity that it is now.
    pub into: String,
    /// The promotion that did it.
    pub sealed: Sealed,
}

#[derive(sqlx::FromRow)]
struct Joined {
    entity_id: String,
    method: String,
    #[sqlx(json)]
    base: Map<String, Value>,
    promotion: i64,
}

/// Makes a record the entity of its own that it would have been: what it brought to the entity it leaves goes with it,
/// and a negative link keeps the two apart. One promotion, which a rollback undoes; the caller commits.
pub async fn unmerge(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    source_id: &str,
    author: &str,
    reason: &str,
) -> Result<Unmerged, UnmergeError> {
    query("set local timezone = 'UTC'")
        .execute(&mut *conn)
        .await?;
    query("set constraints all deferred")
        .execute(&mut *conn)
        .await?;
    let number = history::open(conn).await?.number;
    let now: Value = query_scalar("select to_jsonb(now())")
        .fetch_one(&mut *conn)
        .await?;
    let (from, into) = match alias_of(conn, definition, source_id).await? {
        Some(alias) => {
            part(conn, definitions, definition, number, &now, &alias).await?;
            (alias.into, alias.from)
        }
        None => {
            let of = TakenOut {
                definitions,
                definition,
                source_id,
                author,
                reason,
            };
            take_out(conn, &of, number, &now).await?
        }
    };
    let word = Word {
        source_id,
        entity_id: &from,
        is_same: false,
        author,
        reason,
    };
    matching::say(conn, definition, word).await?;
    let promotion = Promotion {
        kind: PromotionKind::Unmerge,
        module: Some(definition.name().to_owned()),
        run_id: None,
        target: None,
        actor: author.to_owned(),
        reason: reason.to_owned(),
    };
    let sealed = history::seal(conn, number, &promotion).await?;
    Ok(Unmerged { from, into, sealed })
}

/// What is taken out, by whom and why.
struct TakenOut<'a> {
    definitions: &'a Definitions,
    definition: &'a Definition,
    source_id: &'a str,
    author: &'a str,
    reason: &'a str,
}

/// Gives a record that joined an entity a row of its own; answers both entities.
async fn take_out(
    conn: &mut PgConnection,
    of: &TakenOut<'_>,
    number: i64,
    now: &Value,
) -> Result<(String, String), UnmergeError> {
    let TakenOut {
        definition,
        source_id,
        ..
    } = *of;
    let joined = joined(conn, definition, source_id).await?;
    let entity = definition.entity();
    let into = own_id(conn, definition, source_id).await?;
    let mut rows = vec![own_row(definition, &joined, &into, now)?];
    let mut standing = rows_now(conn, entity, &[&joined.entity_id]).await?;
    if let Some(ours) = standing.remove(&joined.entity_id) {
        let row = left_behind(conn, definition, &joined, source_id, ours, now).await?;
        rows.extend(row);
    }
    history::apply_images(conn, number, entity, &rows).await?;
    move_identity(conn, of, &into, &joined, number).await?;
    let entities = BTreeSet::from([entity.to_owned()]);
    rekey(conn, of.definitions, number, &entities).await?;
    Ok((joined.entity_id, into))
}

async fn joined(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> Result<Joined, UnmergeError> {
    let name = format!("{}/{source_id}", definition.name());
    let found: Option<Joined> = query_as(
        "select entity_id, method, base, promotion from prod.identities
         where source_id = $3 and module = $2 and source = $1 and valid_to is null for update",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(source_id)
    .fetch_optional(conn)
    .await?;
    let Some(joined) = found else {
        return Err(UnmergeError::Refused(format!(
            "{name} is no entity yet, so there is nothing to take apart."
        )));
    };
    if matches!(
        joined.method.as_str(),
        "new" | "placeholder" | "known" | "unmerged"
    ) {
        return Err(UnmergeError::Refused(format!(
            "{name} joined nobody: it is the record that {} was made of. Take the records that joined it out of it instead; `concord show` lists them.",
            joined.entity_id
        )));
    }
    Ok(joined)
}

/// The id of the row that will be the record's own.
async fn own_id(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> Result<String, UnmergeError> {
    let ids = [
        source_id.to_owned(),
        format!("{}:{source_id}", definition.module.source),
    ];
    let taken: Vec<String> = query_scalar(AssertSqlSafe(format!(
        "select id from prod.\"{}\" where id = any($1)",
        definition.entity()
    )))
    .bind(&ids[..])
    .fetch_all(conn)
    .await?;
    ids.into_iter()
        .find(|id| !taken.contains(id))
        .ok_or_else(|| {
            UnmergeError::Refused(format!(
                "Rows of the ids {} stand already, so the record has no id of its own to bear.",
                taken.join(" and ")
            ))
        })
}

fn own_row(
    definition: &Definition,
    joined: &Joined,
    into: &str,
    now: &Value,
) -> Result<RowWrite, UnmergeError> {
    let mut image = joined.base.clone();
    image.insert("id".into(), into.into());
    definition
        .contract
        .check(&Row(image.clone()))
        .map_err(|rejection| {
            UnmergeError::Refused(format!(
                "The record alone is no row that the contract admits: {}",
                rejection.why
            ))
        })?;
    for column in ["created_at", "updated_at", "synced_at"] {
        image.insert(column.into(), now.clone());
    }
    image.insert("version".into(), 1.into());
    image.insert("is_placeholder".into(), false.into());
    Ok(RowWrite {
        entity_id: into.to_owned(),
        image: Some(image_text(&image)),
        operation: Operation::Insert,
        evidence: None,
    })
}

/// The entity without what only this record said: what others say of a column, else what stood before it joined.
async fn left_behind(
    conn: &mut PgConnection,
    definition: &Definition,
    joined: &Joined,
    source_id: &str,
    mut ours: Map<String, Value>,
    now: &Value,
) -> sqlx::Result<Option<RowWrite>> {
    let before: Option<(Option<Image>,)> = query_as(
        "select o.image from history.changes c left join history.objects o on o.hash = c.before
         where c.number = $1 and c.entity = $2 and c.entity_id = $3 and c.part = 1",
    )
    .bind(joined.promotion)
    .bind(definition.entity())
    .bind(&joined.entity_id)
    .fetch_optional(&mut *conn)
    .await?;
    let (won, others) = what_is_said(conn, definition, joined, source_id).await?;
    let Some((before,)) = before else {
        return Ok(None);
    };
    let before = before.map(|image| image.0).unwrap_or_default();
    let mut changed = false;
    for (column, value) in &won {
        if value.is_null() || ours.get(column) != Some(value) {
            continue;
        }
        let stood = others
            .get(column)
            .or_else(|| before.get(column))
            .unwrap_or(&Value::Null);
        if stood != value {
            ours.insert(column.clone(), stood.clone());
            changed = true;
        }
    }
    if !changed {
        return Ok(None);
    }
    stamp(&mut ours, now);
    Ok(Some(RowWrite {
        entity_id: joined.entity_id.clone(),
        image: Some(image_text(&ours)),
        operation: Operation::Update,
        evidence: None,
    }))
}

/// The words that this record brought into its entity, and those of the others, one per column: where the table has a
/// survivorship, the words that won while it was there, and those that win without it.
async fn what_is_said(
    conn: &mut PgConnection,
    definition: &Definition,
    joined: &Joined,
    source_id: &str,
) -> sqlx::Result<(Map<String, Value>, Map<String, Value>)> {
    let entity_id = joined.entity_id.as_str();
    if let Some(rule) = &definition.survivorship {
        let voices = survivorship::voices(conn, definition.entity(), &[entity_id]).await?;
        let all: Vec<&Voice> = voices.values().flatten().collect();
        let is_own =
            |voice: &&&Voice| voice.is_of(&definition.module.source, definition.name(), source_id);
        let owner = |column: &str| definition.ownership(column).own;
        let won = rule.combined(all.iter().copied(), owner);
        let others = all.iter().filter(|voice| !is_own(voice)).copied();
        return Ok((won, rule.combined(others, owner)));
    }
    let others: Vec<(Json<Map<String, Value>>,)> = query_as(
        "select base from prod.identities where entity_id = $2 and entity = $1 and valid_to is null and not gone
           and (source, module, source_id) <> ($3, $4, $5) order by leads, valid_from",
    )
    .bind(definition.entity())
    .bind(entity_id)
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(source_id)
    .fetch_all(conn)
    .await?;
    // The word of the one that leads is heard last, and stays.
    let others = others.into_iter().flat_map(|(base,)| base.0).collect();
    Ok((joined.base.clone(), others))
}

async fn move_identity(
    conn: &mut PgConnection,
    of: &TakenOut<'_>,
    into: &str,
    joined: &Joined,
    number: i64,
) -> sqlx::Result<()> {
    let TakenOut {
        definition,
        source_id,
        author,
        reason,
        ..
    } = *of;
    query(
        "update prod.identities set valid_to = now(), leads = false
         where source_id = $3 and module = $2 and source = $1 and valid_to is null",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(source_id)
    .execute(&mut *conn)
    .await?;
    query(
        "insert into prod.identities
             (source, module, source_id, entity, entity_id, method, evidence, author, base, promotion)
         values ($1, $2, $3, $4, $5, 'unmerged', $6, $7, $8, $9)",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(source_id)
    .bind(definition.entity())
    .bind(into)
    .bind(Json(json!({ "from": joined.entity_id, "reason": reason })))
    .bind(author)
    .bind(Json(&joined.base))
    .bind(number)
    .execute(&mut *conn)
    .await?;
    // The oldest living record leads what is left, where the one that goes did.
    query(
        "update prod.identities heir set leads = true
         from (select o.source, o.module, o.source_id, o.valid_from from prod.identities o
               where o.entity_id = $2 and o.entity = $1 and o.valid_to is null and not o.gone
                 and not exists (select from prod.identities l where l.entity_id = $2 and l.entity = $1
                                 and l.valid_to is null and l.leads and not l.gone)
               order by o.valid_from, o.source_id limit 1) first
         where heir.source = first.source and heir.module = first.module and heir.source_id = first.source_id
           and heir.valid_from = first.valid_from",
    )
    .bind(definition.entity())
    .bind(&joined.entity_id)
    .execute(conn)
    .await
    .map(drop)
}
