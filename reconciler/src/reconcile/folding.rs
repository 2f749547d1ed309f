//! Placeholders whose true record turns out to be another entity: what hung on them moves there, and they go.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_scalar};
use staging::{ProblemKind, Report};

use super::Work;
use super::meeting::{evidence_of, stamp};
use super::outcome::Outcome;
use super::wave::{Arrival, rows_now};
use super::write::image_text;
use crate::contract::is_audit;
use crate::definition::Definition;
use crate::history::{Evidence, Operation, RowWrite, apply_images};
use crate::identities::Identity;
use crate::merge::{Merged, is_empty};

/// Rows moved with one round of statements.
const BATCH: i64 = 1_000;

/// An entity that becomes part of another one: a placeholder, or one that its source merged away.
pub(super) struct Fold {
    pub(super) from: String,
    pub(super) into: String,
    pub(super) evidence: Evidence,
}

impl Fold {
    pub(super) fn of(work: &Work<'_>, arrival: &Arrival, made_up: &Identity) -> Self {
        Self {
            from: made_up.entity_id.clone(),
            into: arrival.entity_id.clone(),
            evidence: evidence_of(work, arrival.claim),
        }
    }

    /// The record that the placeholder stood for.
    pub(super) fn source_id(&self) -> &str {
        &self.evidence.source_id
    }
}

/// What a person wrote into a placeholder: its columns that are not as they were made up.
pub(super) fn written_by_hand(
    row: Option<Map<String, Value>>,
    made_up: &Identity,
) -> Map<String, Value> {
    let mut row = row.unwrap_or_default();
    row.retain(|column, value| {
        column != "id"
            && !is_audit(column)
            && !is_empty(value)
            && made_up.base.get(column) != Some(value)
    });
    row
}

/// Adds what a person wrote into the placeholder to the merge of the row that survives: it fills what stands
/// empty, and what it contradicts is told.
pub(super) fn carry(
    work: &Work<'_>,
    arrival: &Arrival,
    merged: &mut Merged,
    ours: &Map<String, Value>,
) -> Vec<Report> {
    let mut contradicted = Vec::new();
    for (column, value) in &arrival.by_hand {
        let stands = merged.changes.get(column).or_else(|| ours.get(column));
        match stands.filter(|stands| !is_empty(stands)) {
            None => {
                merged.changes.insert(column.clone(), value.clone());
            }
            Some(stands) if stands != value => {
                contradicted.push(contradiction(work, arrival, column, value, stands));
            }
            Some(_) => {}
        }
    }
    contradicted
}

fn contradiction(
    work: &Work<'_>,
    arrival: &Arrival,
    column: &str,
    written: &Value,
    stands: &Value,
) -> Report {
    let claim = &arrival.claim;
    let why = format!(
        "`{column}` was written by hand into the placeholder of {}, which turned out to be {}. What stands there was kept; compare the two and correct one.",
        claim.source_id, arrival.entity_id
    );
    let code = format!("placeholder_said:{column}");
    let mut report = work.report(
        ProblemKind::Conflict,
        &claim.source_id,
        &claim.origin,
        &code,
        &why,
    );
    report.place = Some(column.to_owned());
    report.detail = json!({ "origin": claim.origin, "written": written, "ours": stands });
    report
}

/// Moves the children of folded placeholders to the entities that survive, and takes the placeholders away, as
/// changes of this promotion with the arriving records as their evidence.
pub(super) async fn apply(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    outcome: &Outcome,
) -> sqlx::Result<()> {
    if outcome.folds.is_empty() {
        return Ok(());
    }
    let folds: BTreeMap<&str, &Fold> = outcome
        .folds
        .iter()
        .map(|fold| (fold.from.as_str(), fold))
        .collect();
    let shared = stand_for_others(work, conn, &folds).await?;
    move_links(work, conn, &folds, &shared).await?;
    remove(work, conn, &folds, &shared).await
}

/// Moves the children of folded entities to those that survive. Of a `shared` one, which stays for another module's record,
/// only this module's children go.
pub(super) async fn move_links(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    folds: &BTreeMap<&str, &Fold>,
    shared: &BTreeSet<String>,
) -> sqlx::Result<()> {
    let (definition, definitions) = (work.definition, work.definitions);
    let mut links = BTreeSet::new();
    for child in definitions.parents_first() {
        for (column, reference) in &child.spec.references {
            if reference.to == definition.name() {
                move_bases(conn, child, column, folds).await?;
            }
            let parent = definitions.get(&reference.to);
            if parent.is_some_and(|parent| parent.entity() == definition.entity()) {
                links.insert((child.entity(), column.as_str()));
            }
        }
    }
    for (entity, column) in links {
        let own = Children {
            entity,
            column,
            modules: referring_modules(work, entity, column),
        };
        move_children(work, conn, &own, folds, shared).await?;
    }
    Ok(())
}

/// The modules that fill `entity` and refer to this module with `column`.
fn referring_modules(work: &Work<'_>, entity: &str, column: &str) -> Vec<String> {
    let refers = |child: &&Definition| {
        let reference = child.spec.references.get(column);
        child.entity() == entity && reference.is_some_and(|r| r.to == work.definition.name())
    };
    let modules = work.definitions.parents_first().into_iter();
    modules
        .filter(refers)
        .map(|child| child.name().to_owned())
        .collect()
}

/// The placeholders that also stand for a record of another module: they stay for it.
async fn stand_for_others(
    work: &Work<'_>,
    conn: &mut PgConnection,
    folds: &BTreeMap<&str, &Fold>,
) -> sqlx::Result<BTreeSet<String>> {
    let shared: Vec<String> = query_scalar(
        "select distinct entity_id from prod.identities
         where entity = $1 and entity_id = any($2) and valid_to is null",
    )
    .bind(work.definition.entity())
    .bind(folds.keys().copied().collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(shared.into_iter().collect())
}

/// What the source said of its link stays what it said: the same record, under the entity it now is.
async fn move_bases(
    conn: &mut PgConnection,
    child: &Definition,
    column: &str,
    folds: &BTreeMap<&str, &Fold>,
) -> sqlx::Result<()> {
    query(
        "update prod.identities i set base = jsonb_set(i.base, array[$1], to_jsonb(f.into_id))
         from unnest($2::text[], $3::text[]) as f(from_id, into_id)
         where i.module = $4 and i.valid_to is null and i.base ->> $1 = f.from_id",
    )
    .bind(column)
    .bind(folds.keys().copied().collect::<Vec<_>>())
    .bind(folds.values().map(|f| f.into.as_str()).collect::<Vec<_>>())
    .bind(child.name())
    .execute(conn)
    .await?;
    Ok(())
}

/// Rows of one table that may name a placeholder.
struct Children<'a> {
    entity: &'a str,
    column: &'a str,
    modules: Vec<String>,
}

async fn move_children(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    children: &Children<'_>,
    folds: &BTreeMap<&str, &Fold>,
    shared: &BTreeSet<String>,
) -> sqlx::Result<()> {
    let Children { entity, column, .. } = children;
    let whole: Vec<&str> = folds
        .keys()
        .copied()
        .filter(|id| !shared.contains(*id))
        .collect();
    let mut after = String::new();
    loop {
        // Of a placeholder that stays for another module's record, only the children of this module's go.
        let ids: Vec<String> = query_scalar(AssertSqlSafe(format!(
            "select t.id from prod.\"{entity}\" t
             where t.id > $1 and t.\"{column}\" = any($2) and (t.\"{column}\" = any($3) or exists (
                 select from prod.identities i
                 where i.entity_id = t.id and i.entity = $4 and i.module = any($5) and i.valid_to is null))
             order by t.id limit $6"
        )))
        .bind(&after)
        .bind(folds.keys().copied().collect::<Vec<_>>())
        .bind(&whole)
        .bind(entity)
        .bind(&children.modules)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut rows = Vec::with_capacity(ids.len());
        for (id, mut image) in rows_now(conn, entity, &ids).await? {
            let named = image.get(*column).and_then(Value::as_str);
            let Some(fold) = named.and_then(|named| folds.get(named)) else {
                continue;
            };
            image.insert((*column).to_owned(), fold.into.clone().into());
            stamp(&mut image, &work.now);
            rows.push(written(id, Some(image), Operation::Update, fold));
        }
        let number = work.promotion(conn).await?;
        apply_images(conn, number, entity, &rows).await?;
    }
}

/// Takes the placeholders away. Where something that no module declares may still name one, it stays, marked as
/// deleted.
async fn remove(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    folds: &BTreeMap<&str, &Fold>,
    shared: &BTreeSet<String>,
) -> sqlx::Result<()> {
    let entity = work.definition.entity();
    let named = is_named_elsewhere(work, conn).await?;
    let ids: Vec<&str> = folds
        .keys()
        .copied()
        .filter(|id| !shared.contains(*id))
        .collect();
    let mut rows = Vec::with_capacity(ids.len());
    for (id, mut image) in rows_now(conn, entity, &ids).await? {
        let fold = folds[id.as_str()];
        if named {
            image.insert("deleted_at".into(), work.now.clone());
            stamp(&mut image, &work.now);
            rows.push(written(id, Some(image), Operation::Tombstone, fold));
        } else {
            rows.push(written(id, None, Operation::Delete, fold));
        }
    }
    let number = work.promotion(conn).await?;
    apply_images(conn, number, entity, &rows).await?;
    Ok(())
}

/// Whether a foreign key that no module declares leads to the table.
async fn is_named_elsewhere(work: &Work<'_>, conn: &mut PgConnection) -> sqlx::Result<bool> {
    let declared: Vec<String> = work
        .definitions
        .parents_first()
        .iter()
        .flat_map(|child| {
            let columns = child.spec.references.keys();
            columns.map(|column| crate::tables::link_name(child.entity(), column))
        })
        .collect();
    query_scalar(
        "select exists (select from pg_constraint
                        where contype = 'f' and confrelid = to_regclass($1) and conname <> all($2))",
    )
    .bind(format!("prod.\"{}\"", work.definition.entity()))
    .bind(declared)
    .fetch_one(conn)
    .await
}

fn written(
    entity_id: String,
    image: Option<Map<String, Value>>,
    operation: Operation,
    fold: &Fold,
) -> RowWrite {
    RowWrite {
        entity_id,
        image: image.as_ref().map(image_text),
        operation,
        evidence: Some(fold.evidence.clone()),
    }
}
