//! References to other modules' entities: resolved by identity, or met with the declared fallback.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::database::query_as;
use staging::{ProblemKind, Report};

use crate::Row;
use crate::definition::{Definition, Definitions, Missing};
use crate::history::{Operation, RowWrite, apply_images};
use crate::identities::{self, IdentityWrite};
use crate::planning;

/// The parents that a set of rows refers to: (parent module, raw id) to entity.
pub(crate) type Parents = HashMap<(String, String), String>;

/// A parent that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orphanage {
    pub(crate) column: String,
    pub(crate) module: String,
    pub(crate) raw: String,
    pub(crate) missing: Missing,
}

/// The raw id a row holds in a reference column, if any.
fn raw_id(row: &Row, column: &str) -> Option<String> {
    match row.get(column)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Looks up the parents of rows.
pub(crate) async fn parents_of(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    rows: &[&Row],
) -> sqlx::Result<Parents> {
    let mut parents = Parents::new();
    let mut wanted: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (column, reference) in &definition.spec.references {
        wanted
            .entry(&reference.to)
            .or_default()
            .extend(rows.iter().filter_map(|row| raw_id(row, column)));
    }
    for (module, ids) in wanted {
        let Some(parent) = definitions.get(module) else {
            continue;
        };
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for (raw, entity_id) in identities::entities(conn, parent, &ids).await? {
            parents.insert((module.to_owned(), raw), entity_id);
        }
    }
    Ok(parents)
}

/// Replaces the raw ids in a row by entities, and says which parents are missing.
pub(crate) fn resolve(definition: &Definition, row: &mut Row, parents: &Parents) -> Vec<Orphanage> {
    let mut missing = Vec::new();
    for (column, reference) in &definition.spec.references {
        let Some(raw) = raw_id(row, column) else {
            continue;
        };
        match parents.get(&(reference.to.clone(), raw.clone())) {
            Some(entity_id) => row.set(column, entity_id.clone()),
            None => missing.push(Orphanage {
                column: column.clone(),
                module: reference.to.clone(),
                raw,
                missing: reference.missing,
            }),
        }
    }
    missing
}

/// Makes up flagged parents, each with an identity that the true record will take over and a task for the
/// operator. A row that stands under the id without being anybody's is the parent; another source's is not.
pub(crate) async fn make_placeholders(
    conn: &mut PgConnection,
    definitions: &Definitions,
    promotion: i64,
    now: &Value,
    wanted: &BTreeSet<(String, String)>,
    child: &str,
) -> sqlx::Result<(Parents, Vec<Report>)> {
    let mut made = Parents::new();
    let mut tasks = Vec::new();
    let mut by_module: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (module, raw) in wanted {
        by_module.entry(module).or_default().push(raw);
    }
    for (module, ids) in by_module {
        let Some(parent) = definitions.get(module) else {
            continue;
        };
        let mut rows = Vec::new();
        let mut links = Vec::new();
        let bearers = identities::bearers(conn, parent.entity(), &ids).await?;
        for raw in ids {
            let (entity_id, method) = match bearers.get(raw) {
                None => (raw.to_owned(), "placeholder"),
                Some(false) => (raw.to_owned(), "source_id"),
                Some(true) => (format!("{}:{raw}", parent.module.source), "placeholder"),
            };
            let mut base = Map::new();
            if method == "placeholder" {
                base = placeholder_columns(parent, raw);
                rows.push(RowWrite {
                    entity_id: entity_id.clone(),
                    image: Some(placeholder_image(&base, &entity_id, now)),
                    operation: Operation::Insert,
                    evidence: None,
                });
                tasks.push(unknown_parent(module, raw, child));
            }
            made.insert((module.to_owned(), raw.to_owned()), entity_id.clone());
            links.push(IdentityWrite {
                source_id: raw.to_owned(),
                entity_id,
                method,
                evidence: json!({ "wanted_by": child }),
                base,
                score: None,
                leads: true,
            });
        }
        apply_images(conn, promotion, parent.entity(), &rows).await?;
        identities::write(conn, parent, promotion, &links).await?;
    }
    Ok((made, tasks))
}

fn placeholder_columns(parent: &Definition, raw: &str) -> Map<String, Value> {
    let columns = parent.spec.placeholder.iter();
    columns
        .map(|(column, text)| (column.clone(), text.replace("{id}", raw).into()))
        .collect()
}

fn placeholder_image(
    columns: &Map<String, Value>,
    entity_id: &str,
    now: &Value,
) -> Box<serde_json::value::RawValue> {
    let mut image = columns.clone();
    image.insert("id".into(), entity_id.into());
    for column in ["created_at", "updated_at", "synced_at"] {
        image.insert(column.into(), now.clone());
    }
    image.insert("version".into(), 1.into());
    image.insert("is_placeholder".into(), true.into());
    crate::reconcile::image_text(&image)
}

fn unknown_parent(module: &str, raw: &str, child: &str) -> Report {
    Report {
        kind: ProblemKind::Task,
        module: module.to_owned(),
        source_id: raw.to_owned(),
        code: "unknown_parent".into(),
        why: format!(
            "`{child}` refers to {raw}, which `{module}` has never sent. A flagged placeholder stands in its place; find out who it is, or wait until the source sends it."
        ),
        place: None,
        detail: json!({}),
        waits_for: None,
    }
}

/// A record waiting for a parent, or landed without it.
pub(crate) fn waiting(
    definition: &Definition,
    source_id: &str,
    origin: &str,
    orphan: &Orphanage,
    landed: bool,
) -> Report {
    let how = if landed {
        "It landed without that link and gets it"
    } else {
        "It waits and lands"
    };
    Report {
        kind: ProblemKind::Parking,
        module: definition.name().to_owned(),
        source_id: source_id.to_owned(),
        code: format!("missing_parent:{}", orphan.column),
        why: format!(
            "`{}` names {} {}, which has not come. {how} as soon as `{}` brings it; if it never does, correct the reference in the source.",
            orphan.column, orphan.module, orphan.raw, orphan.module
        ),
        place: Some(orphan.column.clone()),
        detail: json!({ "origin": origin, "landed": landed }),
        waits_for: Some((orphan.module.clone(), orphan.raw.clone())),
    }
}

/// A parked record of the module whose waiting leads back to itself, the first by id: landing it without
/// its link breaks the circle.
pub(crate) async fn circle(conn: &mut PgConnection, module: &str) -> sqlx::Result<Option<String>> {
    // The parked ones are joined with each other, without an index.
    let before = planning::by_hash(conn).await?;
    let found: Option<(Option<String>,)> = query_as(
        "with recursive parked as (
             select module, source_id, waits_module, waits_id from ops.problems
             where kind = 'parking' and state = 'open' and not coalesce((detail ->> 'landed')::boolean, false)
         ), way (root, module, source_id) as (
             select source_id, waits_module, waits_id from parked where module = $1
             union
             select w.root, p.waits_module, p.waits_id from way w
             join parked p on p.module = w.module and p.source_id = w.source_id
         )
         select min(root) from way where module = $1 and source_id = root",
    )
    .bind(module)
    .fetch_optional(&mut *conn)
    .await?;
    planning::as_before(conn, before).await?;
    Ok(found.and_then(|(root,)| root))
}
