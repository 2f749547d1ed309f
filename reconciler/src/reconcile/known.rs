//! What the database knows about the records of a wave, and what becomes of those whose parent is missing.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use sqlx::PgConnection;

use super::Work;
use super::claim::{Claim, Shaped};
use super::outcome::Outcome;
use crate::Row;
use crate::cores::on_every_core;
use crate::definition::Missing;
use crate::identities::{self, Identity};
use crate::matching::{self, Candidate, Key, Said, Verdict, keys_of};
use crate::references::{self, Orphanage, Parents};

/// What the database knows about the records of a wave.
pub(super) struct Known {
    pub(super) identities: HashMap<String, Identity>,
    pub(super) candidates: HashMap<Key, Vec<Candidate>>,
    pub(super) strangers: HashMap<String, bool>,
    /// What people said of them.
    pub(super) said: HashMap<String, Said>,
    /// What the scores say of those that nothing else decides.
    pub(super) verdicts: HashMap<String, Verdict>,
}

/// Resolves references, parks or makes up parents, and asks who shares a key with the records that no
/// identity knows. Records that must wait leave `shaped`.
pub(super) async fn look_up(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    shaped: &mut Vec<(&Claim, Shaped)>,
    outcome: &mut Outcome,
) -> sqlx::Result<Known> {
    let definition = work.definition;
    let ids: Vec<&str> = shaped
        .iter()
        .map(|(claim, _)| claim.source_id.as_str())
        .collect();
    let identities = identities::known(conn, definition, &ids).await?;
    let rows: Vec<&Row> = shaped.iter().map(|(_, shaped)| &shaped.row).collect();
    let mut parents = references::parents_of(conn, work.definitions, definition, &rows).await?;
    for (claim, _) in shaped.iter() {
        // A record may refer to itself.
        let entity = identities
            .get(&claim.source_id)
            .map_or(&claim.source_id, |i| &i.entity_id);
        let own = (definition.name().to_owned(), claim.source_id.clone());
        if shaped_refers_to(shaped, &claim.source_id, definition) {
            parents.entry(own).or_insert_with(|| entity.clone());
        }
    }
    let mut orphans: Vec<Vec<Orphanage>> = Vec::with_capacity(shaped.len());
    for (_, shaped) in shaped.iter_mut() {
        orphans.push(references::resolve(definition, &mut shaped.row, &parents));
    }
    adopt(work, conn, shaped, orphans, outcome).await?;
    let mut unknown: Vec<&mut (&Claim, Shaped)> = shaped
        .iter_mut()
        .filter(|(claim, _)| {
            identities
                .get(&claim.source_id)
                .is_none_or(|identity| identity.placeholder)
        })
        .collect();
    let specs = &definition.spec.matching.keys;
    let keys = on_every_core(&unknown, |(_, shaped)| {
        keys_of(specs, |column| shaped.value(column))
    });
    for ((_, shaped), keys) in unknown.iter_mut().zip(keys) {
        shaped.keys = keys;
    }
    let keys: Vec<&Key> = unknown.iter().flat_map(|(_, s)| &s.keys).collect();
    let candidates = matching::candidates(conn, definition, &keys).await?;
    let new_ids: Vec<&str> = unknown
        .iter()
        .map(|(claim, _)| claim.source_id.as_str())
        .collect();
    let strangers = identities::bearers(conn, definition.entity(), &new_ids).await?;
    let said = matching::said(conn, definition, &new_ids).await?;
    Ok(Known {
        said,
        verdicts: HashMap::new(),
        identities,
        candidates,
        strangers,
    })
}

/// Whether the record of this id refers to itself.
fn shaped_refers_to(shaped: &[(&Claim, Shaped)], id: &str, definition: &crate::Definition) -> bool {
    let own = definition
        .spec
        .references
        .iter()
        .filter(|(_, r)| r.to == definition.name());
    let columns: Vec<&String> = own.map(|(column, _)| column).collect();
    !columns.is_empty()
        && shaped
            .iter()
            .filter(|(claim, _)| claim.source_id == id)
            .any(|(_, s)| {
                columns
                    .iter()
                    .any(|column| s.row.get(column).and_then(Value::as_str) == Some(id))
            })
}

/// Applies the declared fallback for each missing parent.
async fn adopt(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    shaped: &mut Vec<(&Claim, Shaped)>,
    orphans: Vec<Vec<Orphanage>>,
    outcome: &mut Outcome,
) -> sqlx::Result<()> {
    if orphans.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let definition = work.definition;
    let wanted: BTreeSet<(String, String)> = orphans
        .iter()
        .flatten()
        .filter(|orphan| orphan.missing == Missing::Placeholder)
        .map(|orphan| (orphan.module.clone(), orphan.raw.clone()))
        .collect();
    let mut made = Parents::new();
    if !wanted.is_empty() {
        let number = work.promotion(conn).await?;
        let (parents, tasks) = references::make_placeholders(
            conn,
            work.definitions,
            number,
            &work.now,
            &wanted,
            definition.name(),
        )
        .await?;
        made = parents;
        staging::report_problems(conn, work.run_id, &tasks).await?;
    }
    let mut kept = Vec::with_capacity(shaped.len());
    for ((claim, mut shaped), orphans) in shaped.drain(..).zip(orphans) {
        let waits = !work.unlinked.contains(&claim.source_id)
            && orphans.iter().any(|orphan| orphan.missing == Missing::Park);
        for orphan in &orphans {
            match made.get(&(orphan.module.clone(), orphan.raw.clone())) {
                Some(entity_id) if !waits => shaped.row.set(&orphan.column, entity_id.clone()),
                Some(_) => {}
                None => {
                    shaped.row.set(&orphan.column, Value::Null);
                    let report = references::waiting(
                        definition,
                        &claim.source_id,
                        &claim.origin,
                        orphan,
                        !waits,
                    );
                    outcome.reports.push(report);
                }
            }
        }
        if waits {
            outcome.tally.parked += 1;
            outcome.parked.push(claim.source_id.clone());
        } else {
            kept.push((claim, shaped));
        }
    }
    *shaped = kept;
    Ok(())
}
