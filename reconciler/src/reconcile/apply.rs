//! The one place that writes what was decided: rows with their history, identities, overrides, keys,
//! problems.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::PgConnection;
use staging::ProblemKind;
use staging::database::{query, query_scalar};

use super::change_set::{ChangeSet, Move, RowChange};
use super::constraint_errors;
use super::context::Ctx;
use crate::equality::same;
use crate::history::{RowWrite, apply_columns, apply_images, insert_new, unique_columns};
use crate::overrides::{self, Authors};
use crate::{entity_resolution, identities};

/// Writes a change set as part of promotion `number`; one that promotes nothing needs none. Returns the
/// records that arrived, for [`wake`].
pub(crate) async fn apply(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: Option<i64>,
    set: &ChangeSet,
) -> sqlx::Result<Vec<String>> {
    let module = ctx.definition.name();
    if let Some(number) = number {
        write_rows(conn, number, &set.rows).await?;
    }
    let since = match number {
        Some(number) => number,
        None => head(conn, set).await?,
    };
    identities::write(conn, since, &set.identities).await?;
    overrides::write(conn, since, ctx.actor, &set.overrides).await?;
    take_edits(conn, &set.edited).await?;
    store_keys(ctx, conn, set).await?;
    let over = [
        ProblemKind::Quarantine,
        ProblemKind::Parking,
        ProblemKind::Review,
    ];
    let settled: Vec<&str> = set.settled.iter().map(String::as_str).collect();
    staging::resolve_problems(conn, module, &settled, &over, "concord").await?;
    let unmasked: Vec<&str> = set.unmasked.iter().map(String::as_str).collect();
    staging::resolve_problems(conn, module, &unmasked, &[ProblemKind::Task], "concord").await?;
    staging::report_problems(conn, ctx.run_id, &set.problems).await?;
    keep_moves(conn, module, &set.moves).await?;
    Ok(set.arrived.clone())
}

/// The last promotion: what an override that was found without any change of a row is numbered by.
async fn head(conn: &mut PgConnection, set: &ChangeSet) -> sqlx::Result<i64> {
    if set.overrides.is_empty() {
        return Ok(0);
    }
    query_scalar("select number from history.head")
        .fetch_one(conn)
        .await
}

/// Writes rows, table by table, as part of promotion `number`.
pub(crate) async fn write_rows(
    conn: &mut PgConnection,
    number: i64,
    rows: &[RowChange],
) -> sqlx::Result<()> {
    let mut tables: BTreeMap<&str, Vec<&RowChange>> = BTreeMap::new();
    for row in rows {
        tables.entry(&row.entity).or_default().push(row);
    }
    for (entity, rows) in tables {
        make_room(conn, number, entity, &rows).await?;
        let (new, known): (Vec<&RowChange>, Vec<&RowChange>) =
            rows.into_iter().partition(|row| row.before.is_none());
        let known: Vec<RowWrite> = known.into_iter().map(written).collect();
        let new_columns = columns_of(&new);
        let new: Vec<RowWrite> = new.into_iter().map(written).collect();
        apply_images(conn, number, entity, &known).await?;
        let seen = insert_new(conn, number, entity, new.iter().collect(), &new_columns).await?;
        let seen: Vec<RowWrite> = seen.into_iter().cloned().collect();
        apply_columns(conn, number, entity, &seen, &new_columns).await?;
        for writes in [known, new] {
            constraint_errors::check_written(conn, entity, &writes).await?;
        }
    }
    Ok(())
}

/// The columns that rows are written with.
fn columns_of(rows: &[&RowChange]) -> BTreeSet<String> {
    let images = rows.iter().filter_map(|row| row.after.as_ref());
    images.flat_map(|image| image.0.keys()).cloned().collect()
}

fn written(row: &RowChange) -> RowWrite {
    RowWrite {
        entity_id: row.entity_id.clone(),
        image: row.after.as_ref().map(|image| image.text()),
        operation: row.operation,
        evidence: row.evidence.clone(),
    }
}

/// Unique indexes are checked row by row, and a value may have to pass from one row to another: rows that
/// give one up let go of it first.
async fn make_room(
    conn: &mut PgConnection,
    number: i64,
    entity: &str,
    rows: &[&RowChange],
) -> sqlx::Result<()> {
    if rows.iter().filter(|row| row.before.is_some()).count() < 2 {
        return Ok(());
    }
    let unique = unique_columns(conn, entity).await?;
    let mut room = Vec::new();
    for row in rows {
        let (Some(before), Some(after)) = (&row.before, &row.after) else {
            continue;
        };
        let gives_up = |column: &&String| {
            !before.column(column).is_null() && !same(before.column(column), after.column(column))
        };
        let given_up: Vec<&String> = unique.iter().filter(gives_up).collect();
        if given_up.is_empty() {
            continue;
        }
        let mut image = before.clone();
        for column in given_up {
            image.0.insert(column.clone(), Value::Null);
        }
        image
            .0
            .insert("deleted_at".into(), after.column("updated_at").clone());
        room.push(RowWrite {
            image: Some(image.text()),
            ..written(row)
        });
    }
    if room.len() > 1 {
        apply_images(conn, number, entity, &room).await?;
    }
    Ok(())
}

/// Marks edits by hand as taken up.
pub(crate) async fn take_edits(
    conn: &mut PgConnection,
    edited: &[(String, String)],
) -> sqlx::Result<()> {
    let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (entity, id) in edited {
        tables.entry(entity).or_default().push(id);
    }
    for (entity, ids) in tables {
        Authors::take(conn, entity, &ids).await?;
    }
    Ok(())
}

async fn store_keys(ctx: &Ctx<'_>, conn: &mut PgConnection, set: &ChangeSet) -> sqlx::Result<()> {
    let renewed = set.keys.iter().filter(|of| of.renew);
    let renewed: Vec<&str> = renewed.map(|of| of.entity_id.as_str()).collect();
    let keys = set.keys.iter().flat_map(|of| {
        let keys = of.keys.iter();
        keys.map(|key| (of.entity_id.as_str(), key.clone()))
    });
    let keys: Vec<_> = keys.collect();
    entity_resolution::store_keys(conn, ctx.definition, &renewed, &keys).await?;
    for entity in set.tables() {
        let of = set.rows.iter().filter(|row| row.entity == entity);
        let ids: Vec<&str> = of.map(|row| row.entity_id.as_str()).collect();
        entity_resolution::renew_blocks(conn, ctx.definitions, entity, &ids).await?;
    }
    Ok(())
}

/// Keeps which children went from one parent to another; one that goes back was never away.
async fn keep_moves(conn: &mut PgConnection, module: &str, moves: &[Move]) -> sqlx::Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&Move) -> &str| moves.iter().map(pick).collect::<Vec<&str>>();
    let statements = [
        "delete from staging.moves m
         using unnest($2::text[], $3::text[], $4::text[], $5::text[]) as n(entity, from_id, into_id, source_id)
         where m.from_id = n.into_id and m.entity = n.entity and m.source_id = n.source_id and m.module = $1
           and n.from_id <> n.into_id",
        "insert into staging.moves (entity, from_id, into_id, module, source_id)
         select distinct on (n.from_id, n.entity, n.source_id) n.entity, n.from_id, n.into_id, $1, n.source_id
         from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as n(entity, from_id, into_id, source_id)
         on conflict (from_id, entity, source_id, module) do update set into_id = excluded.into_id,
             moved_at = clock_timestamp()",
    ];
    for statement in statements {
        query(statement)
            .bind(module)
            .bind(column(|m| &m.entity))
            .bind(column(|m| &m.from))
            .bind(column(|m| &m.into))
            .bind(column(|m| &m.source_id))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Makes pending again what waited for these records; says whether records of this module are among it.
pub(crate) async fn wake(
    conn: &mut PgConnection,
    ctx: &Ctx<'_>,
    arrived: &[String],
) -> sqlx::Result<bool> {
    if arrived.is_empty() {
        return Ok(false);
    }
    query_scalar(
        "with woken as (
             insert into staging.pending (module, source_id, origin)
             select distinct p.module, p.source_id, coalesce(p.detail ->> 'origin', p.module) from ops.problems p
             where p.state = 'open' and p.kind = 'parking' and p.waits_module = $1 and p.waits_id = any($2)
             on conflict do nothing returning module
         )
         select exists (select from woken where module = $1)",
    )
    .bind(ctx.definition.name())
    .bind(arrived)
    .fetch_one(conn)
    .await
}
