//! One batch of records: what it would write, decided side by side; no two of its records concern one entity.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::assign::{Assignment, ask_scores, assign_all};
use super::change_set::ChangeSet;
use super::context::{Ctx, Progress};
use super::lookups::look_up;
use super::pending::StagedRecord;
use super::references::{link_within, resolve_all};
use super::row_change::merge_all;
use super::transform::transform_all;
use super::withdraw::withdraw_all;
use crate::absorb::Declared;
use crate::absorb::declared;

/// What a batch comes to.
pub(crate) struct Decided<'r> {
    /// Everything it would write.
    pub(crate) set: ChangeSet,
    /// Records that their source says it merged into others: they are taken one by one behind the rest.
    pub(crate) declared: Vec<Declared<'r>>,
    /// Records that are decided in a batch of their own behind this one.
    pub(crate) deferred: Vec<StagedRecord>,
}

/// Decides a batch. Writes nothing; `lock` keeps the rows it reads as they are until the transaction ends.
pub(crate) async fn decide<'r>(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &Progress,
    records: &'r [StagedRecord],
    lock: bool,
) -> sqlx::Result<Decided<'r>> {
    let mut set = ChangeSet::default();
    let (mut gone, present): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.gone);
    let (present, declared) = declared::split(ctx, present, &mut set);
    let (rows, without) = transform_all(ctx, &present, &mut set);
    gone.extend(without);
    let mut referring = resolve_all(ctx, conn, progress, rows, &mut set).await?;
    let mut known = look_up(ctx, conn, &mut referring).await?;
    ask_scores(ctx, conn, &mut referring, &mut known).await?;
    let (assigned, deferred) = assign_all(ctx, referring, &known, &mut set);
    let (referring, mut found): (Vec<_>, HashMap<_, _>) = {
        let mut found = HashMap::with_capacity(assigned.len());
        let mut referring = Vec::with_capacity(assigned.len());
        for (of, to) in assigned {
            found.insert(of.record.source_id.as_str(), to);
            referring.push(of);
        }
        (referring, found)
    };
    let landing = found
        .iter()
        .map(|(id, to)| (*id, to.entity_id.as_str()))
        .collect();
    let (linked, _) = link_within(ctx, progress, &landing, referring, &mut set);
    let mut assignments = Vec::with_capacity(linked.len());
    for of in linked {
        let Some(to) = found.remove(of.record.source_id.as_str()) else {
            continue;
        };
        let mut identity = known.identities.remove(&of.record.source_id);
        let placeholder = identity.take_if(|identity| identity.entity_id != to.entity_id);
        assignments.push(Assignment {
            record: of.record,
            row: of.row,
            found: to,
            identity,
            placeholder,
        });
    }
    merge_all(ctx, conn, assignments, lock, &mut set).await?;
    let mut put_off: Vec<&StagedRecord> = deferred;
    put_off.extend(withdraw_all(ctx, conn, &gone, lock, &mut set).await?);
    Ok(Decided {
        set,
        declared,
        deferred: put_off.into_iter().cloned().collect(),
    })
}
