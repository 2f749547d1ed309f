//! Records that were taken for merged by their source and are not: they are entities of their own again.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as, query_scalar};

use super::Work;
use super::announced;
use super::meeting::stamp;
use super::rekey;
use super::wave::rows_now;
use super::write::image_text;
use crate::definition::{Definition, Definitions};
use crate::history::{Operation, RowWrite, apply_images};
use crate::identities;
use crate::merge::is_empty;

/// A record that is another name of an entity since a promotion.
#[derive(sqlx::FromRow)]
pub(super) struct Alias {
    pub(super) source_id: String,
    /// The entity that it was.
    pub(super) from: String,
    /// The entity that it was merged into.
    pub(super) into: String,
    promotion: i64,
    /// What people had written into its row, and went over.
    #[sqlx(json)]
    carried: Map<String, Value>,
}

const ALIASES: &str =
    "select i.source_id, i.evidence ->> 'from' as \"from\", i.entity_id as \"into\", i.promotion,
            i.evidence -> 'carried' as carried
     from prod.identities i
     where i.module = $2 and i.source = $1 and i.method = 'merged' and i.valid_to is null";

/// The alias that a record is, if it is one.
pub(super) async fn alias_of(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> sqlx::Result<Option<Alias>> {
    query_as(AssertSqlSafe(format!("{ALIASES} and i.source_id = $3")))
        .bind(&definition.module.source)
        .bind(definition.name())
        .bind(source_id)
        .fetch_optional(conn)
        .await
}

/// Parts the records that their source shows again: it merged them for a while, or never did.
pub(super) async fn part_returned(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
) -> sqlx::Result<()> {
    let definition = work.definition;
    let back: Vec<Alias> = query_as(AssertSqlSafe(format!(
        "{ALIASES} and exists (select from staging.records r
             where r.source_id = i.source_id and r.module = $2 and r.gone_in is null)
         order by i.source_id"
    )))
    .bind(&definition.module.source)
    .bind(definition.name())
    .fetch_all(&mut *conn)
    .await?;
    for alias in announced::taken_back(conn, definition, back).await? {
        let number = work.promotion(conn).await?;
        part(
            conn,
            work.definitions,
            definition,
            number,
            &work.now,
            &alias,
        )
        .await?;
    }
    Ok(())
}

/// Makes a record again the entity that it was before promotion `alias.promotion`: what was carried from its row leaves the other one,
/// rows that others wrote lead to it again, and its children are taken up by their modules' next runs, each as its
/// source says. Its own row stays marked as deleted until the record comes.
pub(super) async fn part(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    number: i64,
    now: &Value,
    alias: &Alias,
) -> sqlx::Result<()> {
    take_back(conn, definition, number, now, alias).await?;
    restore(conn, definition, number, alias).await?;
    for child in definitions.parents_first() {
        for (column, reference) in &child.spec.references {
            if reference.to == definition.name() {
                give_back(conn, child, column, number, now, alias).await?;
            }
        }
    }
    let entities = std::iter::once(definition.entity().to_owned()).collect();
    rekey(conn, definitions, number, &entities).await
}

/// Ends the alias, and makes the record what it was before.
async fn restore(
    conn: &mut PgConnection,
    definition: &Definition,
    number: i64,
    alias: &Alias,
) -> sqlx::Result<()> {
    identities::end(conn, definition, &[&alias.source_id]).await?;
    query(
        "insert into prod.identities
             (source, module, source_id, entity, entity_id, method, evidence, author, base, leads, gone, promotion)
         select source, module, source_id, entity, entity_id, 'unmerged', jsonb_build_object('from', $4::text), author,
                base, false, true, $5
         from prod.identities where source = $1 and module = $2 and source_id = $3 and valid_to is not null
           and method <> 'merged' order by valid_to desc, valid_from desc limit 1",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(&alias.source_id)
    .bind(&alias.into)
    .bind(number)
    .execute(conn)
    .await
    .map(drop)
}

/// Takes out of the row what came from the one that was merged into it, where it stands as it came and no record says it.
async fn take_back(
    conn: &mut PgConnection,
    definition: &Definition,
    number: i64,
    now: &Value,
    alias: &Alias,
) -> sqlx::Result<()> {
    let entity = definition.entity();
    let mut standing = rows_now(conn, entity, &[&alias.into]).await?;
    let Some(mut ours) = standing.remove(&alias.into) else {
        return Ok(());
    };
    let said: Vec<(String, sqlx::types::Json<Value>)> = query_as(
        "select e.key, e.value from prod.identities i cross join lateral jsonb_each(i.base) e
         where i.entity_id = $2 and i.entity = $1 and i.valid_to is null and i.method <> 'merged'",
    )
    .bind(entity)
    .bind(&alias.into)
    .fetch_all(&mut *conn)
    .await?;
    let mut by_column: HashMap<&str, Vec<&Value>> = HashMap::new();
    for (column, value) in &said {
        by_column.entry(column).or_default().push(&value.0);
    }
    let mut changed = false;
    for (column, came) in &alias.carried {
        let said = by_column
            .get(column.as_str())
            .map_or(&[][..], Vec::as_slice);
        let stands = ours.get(column).cloned().unwrap_or_default();
        let left = without(&stands, came, said);
        if left != stands {
            ours.insert(column.clone(), left);
            changed = true;
        }
    }
    if !changed {
        return Ok(());
    }
    stamp(&mut ours, now);
    let row = RowWrite {
        entity_id: alias.into.clone(),
        image: Some(image_text(&ours)),
        operation: Operation::Update,
        evidence: None,
    };
    apply_images(conn, number, entity, &[row]).await.map(drop)
}

/// A value without what came, unless a record says it.
fn without(stands: &Value, came: &Value, said: &[&Value]) -> Value {
    match (stands, came) {
        (Value::Array(stands), Value::Array(came)) => {
            let is_said = |item: &Value| {
                let lists = said.iter().filter_map(|said| said.as_array());
                lists.flatten().any(|other| other == item)
            };
            let left = stands
                .iter()
                .filter(|item| !came.contains(item) || is_said(item));
            Value::Array(left.cloned().collect())
        }
        _ if stands == came && !is_empty(came) && !said.contains(&came) => Value::Null,
        _ => stands.clone(),
    }
}

/// The children that the merge moved: those with a record are taken up again, the others lead back at once.
async fn give_back(
    conn: &mut PgConnection,
    child: &Definition,
    column: &str,
    number: i64,
    now: &Value,
    alias: &Alias,
) -> sqlx::Result<()> {
    let entity = child.entity();
    let moved: Vec<String> = query_scalar(
        "select c.entity_id from history.changes c
         cross join lateral (select image from history.objects o where o.hash = c.before offset 0) b
         cross join lateral (select image from history.objects o where o.hash = c.after offset 0) a
         where c.number = $1 and c.entity = $2 and c.part = 1 and b.image ->> $3 = $4
           and a.image ->> $3 is distinct from $4 order by 1",
    )
    .bind(alias.promotion)
    .bind(entity)
    .bind(column)
    .bind(&alias.from)
    .fetch_all(&mut *conn)
    .await?;
    for moved in moved.chunks(1_000) {
        let ids: Vec<&str> = moved.iter().map(String::as_str).collect();
        let with_records: Vec<String> = query_scalar(
            "with known as (
                 select c.id, i.source_id from unnest($3::text[]) as c(id)
                 cross join lateral (select i.source_id from prod.identities i where i.entity_id = c.id and i.entity = $2
                     and i.module = $1 and i.valid_to is null offset 0) i),
             queued as (
                 insert into staging.pending (module, source_id, origin)
                 select $1, k.source_id, r.module from known k
                 cross join lateral (select r.module from staging.records r
                     where r.source_id = k.source_id and r.module in ($1, $4) offset 0) r
                 on conflict do nothing)
             select c.id from unnest($3::text[]) as c(id) where exists (select from prod.identities i
                 where i.entity_id = c.id and i.entity = $2 and i.valid_to is null)",
        )
        .bind(child.name())
        .bind(entity)
        .bind(&ids)
        .bind(child.spec.derive.as_ref().map(|derive| &derive.from))
        .fetch_all(&mut *conn)
        .await?;
        let mut rows = Vec::new();
        for (entity_id, mut image) in rows_now(conn, entity, &ids).await? {
            let named = image.get(column).and_then(Value::as_str);
            if with_records.contains(&entity_id) || named != Some(&alias.into) {
                continue;
            }
            image.insert(column.to_owned(), alias.from.clone().into());
            stamp(&mut image, now);
            rows.push(RowWrite {
                entity_id,
                image: Some(image_text(&image)),
                operation: Operation::Update,
                evidence: None,
            });
        }
        apply_images(conn, number, entity, &rows).await?;
    }
    Ok(())
}
