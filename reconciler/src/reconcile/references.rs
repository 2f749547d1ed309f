//! References to other modules' entities: resolved by identity, or met with the declared fallback.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};
use sqlx::PgConnection;
use staging::database::query_as;
use staging::{ProblemKind, Report};

use super::change_set::ChangeSet;
use super::context::{Ctx, Progress};
use super::missing_parent::{MissingParent, Parents};
use super::pending::StagedRecord;
use super::placeholders::{make_placeholders, staged_later};
use super::transform::Transformed;
use crate::Row;
use crate::definition::{Definition, Definitions, Missing};
use crate::identities;
use crate::planner_hints;

/// The raw id a row holds in a reference column, if any.
pub(crate) fn raw_id(row: &Row, column: &str) -> Option<String> {
    match row.get(column)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Looks up the parents of rows: those whose row stands.
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
        for (raw, entity_id) in identities::parents_of(conn, parent, &ids).await? {
            parents.insert((module.to_owned(), raw), entity_id);
        }
    }
    Ok(parents)
}

/// Replaces the raw ids in a row by entities, and says which parents are missing.
pub(crate) fn resolve(
    definition: &Definition,
    row: &mut Row,
    parents: &Parents,
) -> Vec<MissingParent> {
    let mut missing = Vec::new();
    for (column, reference) in &definition.spec.references {
        let Some(raw) = raw_id(row, column) else {
            continue;
        };
        match parents.get(&(reference.to.clone(), raw.clone())) {
            Some(entity_id) => row.set(column, entity_id.clone()),
            None => missing.push(MissingParent {
                column: column.clone(),
                module: reference.to.clone(),
                raw,
                fallback: reference.missing,
            }),
        }
    }
    missing
}

/// A record with its row, and the parents of it that are missing.
pub(crate) struct Referring<'r> {
    pub(crate) record: &'r StagedRecord,
    pub(crate) row: Transformed,
    pub(crate) missing: Vec<MissingParent>,
}

/// Resolves the references of records. A parent among the records themselves stays as its raw id, and is
/// linked by [`link_within`] once the records have their entities; every other missing parent takes its
/// fallback.
pub(crate) async fn resolve_all<'r>(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &Progress,
    mut rows: Vec<(&'r StagedRecord, Transformed)>,
    set: &mut ChangeSet,
) -> sqlx::Result<Vec<Referring<'r>>> {
    let definition = ctx.definition;
    if definition.spec.references.is_empty() {
        let plain = rows.into_iter().map(|(record, row)| Referring {
            record,
            row,
            missing: Vec::new(),
        });
        return Ok(plain.collect());
    }
    let given: Vec<&Row> = rows.iter().map(|(_, row)| &row.row).collect();
    let parents = parents_of(conn, ctx.definitions, definition, &given).await?;
    let missing: Vec<Vec<MissingParent>> = rows
        .iter_mut()
        .map(|(_, row)| resolve(definition, &mut row.row, &parents))
        .collect();
    let here: HashSet<&str> = rows
        .iter()
        .filter(|(record, _)| record.origin == definition.name())
        .map(|(record, _)| record.source_id.as_str())
        .collect();
    let is_within = |parent: &MissingParent| {
        parent.module == definition.name() && here.contains(parent.raw.as_str())
    };
    let outside = missing.iter().flatten().filter(|parent| !is_within(parent));
    let outside: Vec<&MissingParent> = outside.collect();
    let later = staged_later(ctx, conn, &outside).await?;
    let made = make_placeholders(ctx, conn, &outside, &later, set).await?;
    let mut kept = Vec::with_capacity(rows.len());
    for ((record, mut row), missing) in rows.into_iter().zip(missing) {
        let (within, outside): (Vec<_>, Vec<_>) = missing.into_iter().partition(is_within);
        let waits = !progress.unlinked.contains(&record.source_id)
            && outside
                .iter()
                .any(|parent| parent.fallback == Missing::Park);
        for parent in &outside {
            match made.get(&parent.name()) {
                Some(entity_id) if !waits => row.row.set(&parent.column, entity_id.clone()),
                Some(_) => {}
                None => {
                    row.unlink(&parent.column);
                    set.problems.push(waiting(ctx, record, parent, !waits));
                }
            }
        }
        if waits {
            set.tally.parked += 1;
            set.parked.push(record.source_id.clone());
        } else {
            kept.push(Referring {
                record,
                row,
                missing: within,
            });
        }
    }
    Ok(kept)
}

/// Links records to parents among them that land, entity by source id. The others take their fallback: a
/// record that waits for its parent is parked, and so is who waits for it; the others land without the link.
pub(crate) fn link_within<'r>(
    ctx: &Ctx<'_>,
    progress: &Progress,
    landing: &HashMap<&str, &str>,
    mut records: Vec<Referring<'r>>,
    set: &mut ChangeSet,
) -> (Vec<Referring<'r>>, HashSet<String>) {
    let mut parked: HashSet<String> = HashSet::new();
    if records.iter().all(|record| record.missing.is_empty()) {
        return (records, parked);
    }
    let lands =
        |raw: &str, parked: &HashSet<String>| landing.contains_key(raw) && !parked.contains(raw);
    loop {
        let waits = |of: &&Referring<'_>| -> bool {
            let id = &of.record.source_id;
            !parked.contains(id)
                && !progress.unlinked.contains(id)
                && of
                    .missing
                    .iter()
                    .any(|parent| parent.fallback == Missing::Park && !lands(&parent.raw, &parked))
        };
        let more: Vec<String> = records
            .iter()
            .filter(waits)
            .map(|of| of.record.source_id.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        parked.extend(more);
    }
    for of in &mut records {
        let is_parked = parked.contains(&of.record.source_id);
        for parent in std::mem::take(&mut of.missing) {
            match landing.get(parent.raw.as_str()) {
                Some(entity_id) if lands(&parent.raw, &parked) && !is_parked => {
                    of.row.row.set(&parent.column, (*entity_id).to_owned());
                }
                _ if lands(&parent.raw, &parked) => {}
                _ => {
                    of.row.unlink(&parent.column);
                    set.problems
                        .push(waiting(ctx, of.record, &parent, !is_parked));
                }
            }
        }
    }
    set.tally.parked += parked.len() as i64;
    set.parked.extend(parked.iter().cloned());
    records.retain(|of| !parked.contains(&of.record.source_id));
    (records, parked)
}

/// A record waiting for a parent, or landed without it.
fn waiting(ctx: &Ctx<'_>, record: &StagedRecord, parent: &MissingParent, landed: bool) -> Report {
    let how = if landed {
        "It landed without that link and gets it"
    } else {
        "It waits and lands"
    };
    let MissingParent {
        column,
        module,
        raw,
        ..
    } = parent;
    let why = format!(
        "`{column}` names {module} {raw}, which has not come. {how} as soon as `{module}` brings it; if it never does, correct the reference in the source."
    );
    let code = format!("missing_parent:{column}");
    let mut report = ctx.report(ProblemKind::Parking, record, &code, &why);
    report.place = Some(column.clone());
    report.detail = json!({ "origin": record.origin, "landed": landed });
    report.waits_for = Some(parent.name());
    report
}

/// A parked record of the module whose waiting leads back to itself, the first by id: landing it without
/// its link breaks the circle.
pub(crate) async fn circle(conn: &mut PgConnection, module: &str) -> sqlx::Result<Option<String>> {
    // The parked ones are joined with each other, without an index.
    let before = planner_hints::by_hash(conn).await?;
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
    planner_hints::as_before(conn, before).await?;
    Ok(found.and_then(|(root,)| root))
}
