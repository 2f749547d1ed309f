//! References to other modules' entities: resolved by identity, or met with the declared fallback.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::database::{query_as, query_scalar};
use staging::{ProblemKind, Report};

use super::change_set::{ChangeSet, RowChange};
use super::context::{Ctx, Progress};
use super::entity_ids::free_ids;
use super::pending::StagedRecord;
use super::row_change::{Standing, settle_row};
use super::transform::Transformed;
use crate::Row;
use crate::definition::{Definition, Definitions, Missing};
use crate::history::Operation;
use crate::identities::{self, Assigned, IdentityChange, Method, RecordId};
use crate::image::Image;
use crate::overrides::{OverrideChange, PRESENCE};
use crate::planner_hints;
use crate::resolve::{Claimed, Presence};
use crate::table_rules::TableRules;

/// The parents that a set of rows refers to: (parent module, raw id) to entity.
pub(crate) type Parents = HashMap<(String, String), String>;

/// A parent that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingParent {
    pub(crate) column: String,
    pub(crate) module: String,
    pub(crate) raw: String,
    pub(crate) fallback: Missing,
}

impl MissingParent {
    fn name(&self) -> (String, String) {
        (self.module.clone(), self.raw.clone())
    }
}

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

/// The missing parents of the module itself that are staged and come later in this run: they need no
/// placeholder.
async fn staged_later(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    missing: &[&MissingParent],
) -> sqlx::Result<HashSet<String>> {
    let own = missing.iter().filter(|parent| {
        parent.fallback == Missing::Placeholder && parent.module == ctx.definition.name()
    });
    let ids: Vec<&str> = own.map(|parent| parent.raw.as_str()).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let later: Vec<String> = query_scalar(
        "select source_id from staging.pending where module = $1 and source_id = any($2)",
    )
    .bind(ctx.definition.name())
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    Ok(later.into_iter().collect())
}

/// Makes up flagged parents, each with an identity that the true record will take over and a task for the
/// operator. A row that stands under the id and that no record made is the parent; another record's is not.
async fn make_placeholders(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    missing: &[&MissingParent],
    later: &HashSet<String>,
    set: &mut ChangeSet,
) -> sqlx::Result<Parents> {
    let mut made = Parents::new();
    let mut by_module: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for parent in missing {
        let is_later = parent.module == ctx.definition.name() && later.contains(&parent.raw);
        if parent.fallback == Missing::Placeholder && !is_later {
            by_module
                .entry(&parent.module)
                .or_default()
                .insert(&parent.raw);
        }
    }
    for (module, raws) in by_module {
        let Some(parent) = ctx.definitions.get(module) else {
            continue;
        };
        let mut raws: Vec<&str> = raws.into_iter().collect();
        let known = identities::entities_of(conn, parent, &raws).await?;
        let rows: Vec<&str> = known.values().map(String::as_str).collect();
        put_in_placeholders(ctx, conn, parent, &rows, set).await?;
        raws.retain(|raw| !known.contains_key(*raw));
        for (raw, entity_id) in known {
            made.insert((module.to_owned(), raw), entity_id);
        }
        let ids = free_ids(conn, parent, &raws).await?;
        for (raw, id) in raws.iter().zip(ids) {
            let mut claim = Map::new();
            if !id.stands {
                claim = placeholder_columns(parent, raw);
                set.rows.push(RowChange {
                    entity: parent.entity().to_owned(),
                    entity_id: id.id.clone(),
                    before: None,
                    after: Some(Image::placeholder(&id.id, claim.clone(), ctx.now)),
                    operation: Operation::Insert,
                    evidence: None,
                });
                set.problems.push(unknown_parent(ctx, module, raw));
            }
            made.insert((module.to_owned(), (*raw).to_owned()), id.id.clone());
            set.identities.push(IdentityChange::Assign(Assigned {
                record: RecordId {
                    source: parent.module.source.clone(),
                    module: module.to_owned(),
                    source_id: (*raw).to_owned(),
                },
                origin: module.to_owned(),
                entity: parent.entity().to_owned(),
                entity_id: id.id,
                method: match id.stands {
                    true => Method::SourceId,
                    false => Method::Placeholder,
                },
                score: None,
                evidence: json!({ "wanted_by": ctx.definition.name() }),
                author: "concord".to_owned(),
                claim,
                kept: BTreeSet::new(),
                gone: false,
                was_known: false,
            }));
        }
    }
    Ok(made)
}

/// Puts flagged, empty rows in the place of rows that a person or a rollback took out, and that children
/// need: an override of the same kind, which gives way as that one would have.
async fn put_in_placeholders(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    parent: &Definition,
    ids: &[&str],
    set: &mut ChangeSet,
) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let table = TableRules::of(ctx.definitions, parent.entity());
    let of_parent = Ctx {
        table: &table,
        ..*ctx
    };
    let mut standing = Standing::read(conn, parent.entity(), ids, false).await?;
    for id in ids {
        let mut row = standing.take(&of_parent, id, set);
        let claims = row.claims();
        let claimed = Claimed::of(&table, &claims);
        let Some(out) = row.overrides.iter_mut().find(|of| of.cell == PRESENCE) else {
            continue;
        };
        out.value = Presence::Placeholder.as_str().into();
        set.overrides.push(OverrideChange {
            entity: parent.entity().to_owned(),
            entity_id: (*id).to_owned(),
            set: out.clone(),
            is_new: true,
            carried_from: None,
        });
        let (outcome, _) = settle_row(&of_parent, &mut row, &claimed, &claims, set);
        if let Some(outcome) = outcome {
            set.rows.push(RowChange {
                entity: parent.entity().to_owned(),
                entity_id: (*id).to_owned(),
                before: row.row,
                after: outcome.image,
                operation: outcome.operation,
                evidence: None,
            });
        }
    }
    Ok(())
}

/// What the columns of a made-up parent are declared to hold.
fn placeholder_columns(parent: &Definition, raw: &str) -> Map<String, Value> {
    let columns = parent.spec.placeholder.iter();
    columns
        .map(|(column, text)| (column.clone(), text.replace("{id}", raw).into()))
        .collect()
}

fn unknown_parent(ctx: &Ctx<'_>, module: &str, raw: &str) -> Report {
    let child = ctx.definition.name();
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
