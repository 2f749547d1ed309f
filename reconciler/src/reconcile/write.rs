//! From decided records to rows, identities, keys and problems.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use staging::ProblemKind;
use staging::database::{query, query_scalar};

use super::Work;
use super::claim::Claim;
use super::folding::Fold;
use super::meeting::{evidence_of, stamp};
use super::outcome::{Move, Outcome};
use super::wave::rows_now;
use super::words::Words;
use crate::definition::Definition;
use crate::history::{Operation, RowWrite, apply_images};
use crate::identities::{self};
use crate::matching::{self};
use crate::survivorship;

/// An image as the ledger takes it.
pub(crate) fn image_text(image: &Map<String, Value>) -> Box<RawValue> {
    // A map of JSON values always has a JSON text.
    serde_json::value::to_raw_value(image).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Marks as deleted what no living record stands for any more.
pub(super) async fn tombstones(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    gone: &[&Claim],
    outcome: &mut Outcome,
) -> sqlx::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let definition = work.definition;
    let ids: Vec<&str> = gone.iter().map(|c| c.source_id.as_str()).collect();
    let leaving = leaving(conn, definition, &ids).await?;
    let ended = identities::mark_gone(conn, definition, &ids).await?;
    let mut entity_ids: Vec<&str> = ended
        .iter()
        .map(|(entity_id, _)| entity_id.as_str())
        .collect();
    let is_last: HashSet<&str> = entity_ids.iter().copied().collect();
    entity_ids.extend(leaving.values().map(String::as_str));
    let mut standing = rows_now(conn, definition.entity(), &entity_ids).await?;
    let voices = match definition.survivorship {
        Some(_) => survivorship::voices(conn, definition.entity(), &entity_ids).await?,
        None => HashMap::new(),
    };
    let mut by_record: HashMap<&str, &str> = leaving
        .iter()
        .map(|(source_id, entity_id)| (source_id.as_str(), entity_id.as_str()))
        .collect();
    by_record.extend(
        ended
            .iter()
            .map(|(entity, record)| (record.as_str(), entity.as_str())),
    );
    for claim in gone {
        let row = by_record
            .get(claim.source_id.as_str())
            .and_then(|id| standing.remove_entry(*id));
        let Some((entity_id, mut image)) =
            row.filter(|(_, row)| row.get("deleted_at").is_none_or(Value::is_null))
        else {
            outcome.same(&claim.source_id);
            continue;
        };
        let words = voices
            .get(&entity_id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let changed = Words::without(definition, words, &leaving, &mut image);
        let is_last = is_last.contains(entity_id.as_str());
        if !changed && !is_last {
            outcome.same(&claim.source_id);
            continue;
        }
        if is_last {
            image.insert("deleted_at".into(), work.now.clone());
        }
        stamp(&mut image, &work.now);
        outcome.rows.push(RowWrite {
            entity_id,
            image: Some(image_text(&image)),
            operation: if is_last {
                Operation::Tombstone
            } else {
                Operation::Update
            },
            evidence: Some(evidence_of(work, claim)),
        });
        outcome.settled.push(claim.source_id.clone());
        outcome.tally.promoted += 1;
        outcome.tally.tombstoned += i64::from(is_last);
        outcome.tally.updated += i64::from(!is_last);
        outcome.extent.deleted += i64::from(is_last);
        outcome.extent.changed += i64::from(!is_last);
    }
    Ok(())
}

/// The entities whose words may change because these records are no more, by record: only where several may speak for one, and
/// only records that were still alive.
async fn leaving(
    conn: &mut PgConnection,
    definition: &Definition,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, String>> {
    if definition.survivorship.is_none() {
        return Ok(HashMap::new());
    }
    let known = identities::known(conn, definition, ids).await?;
    let alive = known.into_iter().filter(|(_, identity)| !identity.gone);
    Ok(alive
        .map(|(id, identity)| (id, identity.entity_id))
        .collect())
}

/// Writes a wave: rows with their history, identities, keys, problems, and the children that waited.
pub(super) async fn apply(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    outcome: &mut Outcome,
) -> sqlx::Result<()> {
    let definition = work.definition;
    let module = definition.name();
    if !outcome.rows.is_empty() || !outcome.arrived.is_empty() {
        let number = work.promotion(conn).await?;
        apply_images(conn, number, definition.entity(), &outcome.rows).await?;
    }
    let folded: Vec<&str> = outcome.folds.iter().map(Fold::source_id).collect();
    identities::end(conn, definition, &folded).await?;
    identities::write(
        conn,
        definition,
        work.promotion.unwrap_or(0),
        &outcome.identities,
    )
    .await?;
    identities::fall_silent(conn, definition, &outcome.suspicions.silences()).await?;
    let renewed: Vec<&str> = outcome.renewed.iter().map(String::as_str).collect();
    let keys: Vec<_> = outcome
        .keys
        .iter()
        .map(|(id, key)| (id.as_str(), key.clone()))
        .collect();
    matching::store_keys(conn, definition, &renewed, &keys).await?;
    let written: Vec<&str> = outcome
        .rows
        .iter()
        .map(|row| row.entity_id.as_str())
        .collect();
    matching::renew_blocks(conn, work.definitions, definition.entity(), &written).await?;
    let settled: Vec<&str> = outcome.settled.iter().map(String::as_str).collect();
    let over = [
        ProblemKind::Quarantine,
        ProblemKind::Parking,
        ProblemKind::Review,
    ];
    staging::resolve_problems(conn, module, &settled, &over, "concord").await?;
    let unmasked: Vec<&str> = outcome.unmasked.iter().map(String::as_str).collect();
    staging::resolve_problems(conn, module, &unmasked, &[ProblemKind::Task], "concord").await?;
    staging::report_problems(conn, work.run_id, &outcome.reports).await?;
    keep_moves(conn, module, &outcome.moves).await?;
    work.woken |= wake_children(conn, module, &outcome.arrived).await?;
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
async fn wake_children(
    conn: &mut PgConnection,
    module: &str,
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
    .bind(module)
    .bind(arrived)
    .fetch_one(conn)
    .await
}
