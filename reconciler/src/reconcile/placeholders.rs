//! Parents that are made up so that a child can land.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::database::query_scalar;
use staging::{ProblemKind, Report};

use super::change_set::{ChangeSet, RowChange};
use super::context::Ctx;
use super::entity_ids::free_ids;
use super::missing_parent::{MissingParent, Parents};
use super::settle::settle_row;
use super::standing::Standing;
use crate::definition::{Definition, Missing};
use crate::history::Operation;
use crate::identities::{self, Assigned, IdentityChange, Method, RecordId};
use crate::image::Image;
use crate::overrides::{OverrideChange, PRESENCE};
use crate::resolve::{Claimed, Presence};
use crate::table_rules::TableRules;

/// The missing parents of the module itself that are staged and come later in this run: they need no
/// placeholder.
pub(super) async fn staged_later(
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
pub(super) async fn make_placeholders(
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
