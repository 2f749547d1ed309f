//! Records meeting rows: the merge, and what it leaves to be written.

use std::collections::HashMap;
use std::mem::take;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::{ProblemKind, Report};

use super::Work;
use super::claim::{Claim, Shaped};
use super::folding::{self, Fold};
use super::outcome::{Move, Outcome};
use super::suspicion::telling;
use super::wave::{Arrival, joined, quarantine, rows_now};
use super::words::Words;
use super::write::image_text;
use crate::definition::Definition;
use crate::history::{self, Evidence, Operation, RowWrite};
use crate::identities::IdentityWrite;
use crate::matching::{Key, keys_of};
use crate::merge::{Conflict, Merged, is_empty, merge};
use crate::survivorship;

/// Merges every arrival with the row it meets.
pub(super) async fn merge_all(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    arrivals: Vec<Arrival<'_>>,
    outcome: &mut Outcome,
) -> sqlx::Result<()> {
    let entity = work.definition.entity();
    let made_up = arrivals.iter().filter_map(|a| a.folded.as_ref());
    let ids: Vec<&str> = arrivals
        .iter()
        .map(|a| a.entity_id.as_str())
        .chain(made_up.map(|placeholder| placeholder.entity_id.as_str()))
        .collect();
    let mut standing = rows_now(conn, entity, &ids).await?;
    let others = joined(conn, entity, &arrivals).await?;
    let returned = history::returned(conn, entity, &ids).await?;
    let mut voices = match work.definition.survivorship {
        Some(_) => survivorship::voices(conn, entity, &ids).await?,
        None => HashMap::new(),
    };
    let telling = telling(work.definition);
    for mut arrival in arrivals {
        let derived = arrival.claim.origin != work.definition.name();
        let other = others.get(&arrival.entity_id);
        let leads = match &arrival.identity {
            Some(identity) => identity.leads || identity.gone && !derived,
            None => !derived && !other.is_some_and(|other| other.led),
        };
        let base = match &arrival.identity {
            Some(identity) => identity.base.clone(),
            None => other.map(|other| other.said.clone()).unwrap_or_default(),
        };
        if let Some(before) = arrival.identity.as_ref().filter(|i| !i.placeholder)
            && !derived
        {
            let now = &arrival.shaped.row;
            let of = work.definition;
            outcome
                .suspicions
                .look(of, &telling, before, now, work.replays);
        }
        match standing.remove(&arrival.entity_id) {
            Some(ours) => {
                let voices = voices.remove(&arrival.entity_id);
                let mut words = Words::of(work.definition, &mut arrival, base, voices, leads);
                let returned = returned.get(&arrival.entity_id);
                if let Some(returned) = returned {
                    words.heed_returned(work.definition, &ours, returned);
                }
                let overruled = words.overruled(work.definition, &ours, returned);
                if !overruled.is_empty() {
                    for column in left_by_runs(conn, entity, &arrival.entity_id, overruled).await? {
                        let stands = ours.get(&column).cloned().unwrap_or_default();
                        words.give_way(column, stands);
                    }
                }
                if let Some(made_up) = &arrival.folded {
                    outcome.folds.push(Fold::of(work, &arrival, made_up));
                    outcome.unmasked.push(arrival.claim.source_id.clone());
                    let row = standing.remove(&made_up.entity_id);
                    arrival.by_hand = folding::written_by_hand(row, made_up);
                }
                meet(work, arrival, words, ours, leads, outcome);
            }
            None if is_repeated(&arrival) => outcome.same(&arrival.claim.source_id),
            None => insert(work, arrival, leads, outcome),
        }
    }
    Ok(())
}

/// Of these columns, those whose value no person wrote. Asked where a changed order of survivorship finds the word of a former
/// winner, and where somebody took a loser's word by hand; seldom, so one row at a time.
async fn left_by_runs(
    conn: &mut PgConnection,
    entity: &str,
    entity_id: &str,
    columns: Vec<String>,
) -> sqlx::Result<Vec<String>> {
    let blames = history::blame(conn, entity, entity_id).await?;
    let is_by_hand = |column: &String| {
        let mut of = blames.iter().filter(|blame| blame.column == *column);
        of.all(|blame| blame.by_hand)
    };
    Ok(columns
        .into_iter()
        .filter(|column| !is_by_hand(column))
        .collect())
}

/// Whether a known record says nothing new. Its row was taken out of production by a person or a rollback
/// then, and stays out until the source changes the record.
fn is_repeated(arrival: &Arrival<'_>) -> bool {
    let Some(identity) = arrival.identity.as_ref().filter(|identity| !identity.gone) else {
        return false;
    };
    let said = arrival
        .shaped
        .row
        .0
        .iter()
        .filter(|(column, value)| *column != "id" && !is_empty(value));
    said.into_iter()
        .all(|(column, value)| identity.base.get(column) == Some(value))
}

fn insert(work: &Work<'_>, mut arrival: Arrival<'_>, leads: bool, outcome: &mut Outcome) {
    let definition = work.definition;
    if let Err(rejection) = definition.contract.check(&arrival.shaped.row) {
        outcome.quarantined(quarantine(work, arrival.claim, rejection));
        return;
    }
    let base = source_columns(take(&mut arrival.shaped.row.0));
    let mut image = base.clone();
    image.insert("id".into(), arrival.entity_id.clone().into());
    for column in ["created_at", "updated_at", "synced_at"] {
        image.insert(column.into(), work.now.clone());
    }
    image.insert("version".into(), 1.into());
    image.insert("is_placeholder".into(), false.into());
    outcome.tally.promoted += 1;
    outcome.tally.inserted += 1;
    let keys = if arrival.identity.is_none() {
        take(&mut arrival.shaped.keys)
    } else {
        keys_as_written(definition, &arrival.shaped, &image)
    };
    outcome.index(&arrival.entity_id, keys, false);
    finish(
        work,
        arrival,
        Some((image, Operation::Insert)),
        base,
        leads,
        outcome,
    );
}

/// A record meets a row: merge, and write only what changes.
fn meet(
    work: &Work<'_>,
    arrival: Arrival<'_>,
    words: Words,
    mut ours: Map<String, Value>,
    leads: bool,
    outcome: &mut Outcome,
) {
    let definition = work.definition;
    note_moves(work, &arrival, &words, outcome);
    let mut merged = merge(
        &words.before,
        &words.now,
        &ours,
        |column| definition.ownership(column),
        words.leads,
    );
    words.settle(definition, &ours, &mut merged);
    let contradicted = folding::carry(work, &arrival, &mut merged, &ours);
    let Merged {
        changes,
        conflicts,
        erased,
    } = merged;
    outcome.tally.conflicts += (conflicts.len() + contradicted.len()) as i64;
    outcome.reports.extend(contradicted);
    let claim = arrival.claim;
    let reports = conflicts
        .iter()
        .map(|conflict| conflict_report(work, claim, conflict));
    outcome.reports.extend(reports);
    let next_base = words.next_base;
    let unmasked = leads && ours.get("is_placeholder") == Some(&Value::Bool(true));
    let returns = arrival
        .identity
        .as_ref()
        .is_some_and(|identity| identity.gone)
        && ours.get("deleted_at").is_some_and(|at| !at.is_null());
    if unmasked {
        outcome.unmasked.push(arrival.claim.source_id.clone());
    }
    if changes.is_empty() && !unmasked && !returns {
        if arrival
            .identity
            .as_ref()
            .is_some_and(|identity| identity.base == next_base && !identity.gone)
        {
            outcome.same(&arrival.claim.source_id);
            return;
        }
        match arrival.folded {
            Some(_) => outcome.tally.promoted += 1,
            None => outcome.tally.same += 1,
        }
        finish(work, arrival, None, next_base, leads, outcome);
        return;
    }
    outcome.extent.erased += i64::from(erased > 0);
    // A placeholder that finds its record is news, not a change of what stood.
    outcome.extent.changed += i64::from(!unmasked && arrival.folded.is_none());
    outcome.tally.promoted += 1;
    outcome.tally.updated += 1;
    let keys = &definition.spec.matching.keys;
    let rekey = keys
        .iter()
        .any(|key| key.on.iter().any(|column| changes.contains_key(column)));
    advance(work, &mut ours, changes, unmasked, returns);
    if rekey && words.leads || unmasked {
        let keys = keys_as_written(definition, &arrival.shaped, &ours);
        outcome.index(&arrival.entity_id, keys, true);
    }
    finish(
        work,
        arrival,
        Some((ours, Operation::Update)),
        next_base,
        leads,
        outcome,
    );
}

/// Notes which parents the record leaves for others: should one of them vanish, its children say where it went.
fn note_moves(work: &Work<'_>, arrival: &Arrival<'_>, words: &Words, outcome: &mut Outcome) {
    let Some(identity) = &arrival.identity else {
        return;
    };
    for (column, reference) in &work.definition.spec.references {
        let named = |said: &Map<String, Value>| said.get(column)?.as_str().map(str::to_owned);
        let (Some(from), Some(into)) = (named(&identity.base), named(&words.next_base)) else {
            continue;
        };
        if from != into
            && let Some(parent) = work.definitions.get(&reference.to)
        {
            outcome.moves.push(Move {
                entity: parent.entity().to_owned(),
                from,
                into,
                source_id: arrival.claim.source_id.clone(),
            });
        }
    }
}

/// The keys of a row as it will stand, with the hints of the record that speaks for it.
fn keys_as_written(
    definition: &Definition,
    shaped: &Shaped,
    image: &Map<String, Value>,
) -> Vec<Key> {
    keys_of(&definition.spec.matching.keys, |column| {
        shaped.hints.get(column).or_else(|| image.get(column))
    })
}

/// The next version of a row that changes, is unmasked or returns.
fn advance(
    work: &Work<'_>,
    ours: &mut Map<String, Value>,
    changes: Map<String, Value>,
    unmasked: bool,
    returns: bool,
) {
    ours.extend(changes);
    if returns {
        ours.insert("deleted_at".into(), Value::Null);
    }
    if unmasked {
        ours.insert("is_placeholder".into(), false.into());
    }
    stamp(ours, &work.now);
}

/// The next version of a row, written now.
pub(super) fn stamp(image: &mut Map<String, Value>, now: &Value) {
    let version = image.get("version").and_then(Value::as_i64).unwrap_or(0) + 1;
    image.insert("version".into(), version.into());
    image.insert("updated_at".into(), now.clone());
    image.insert("synced_at".into(), now.clone());
}

/// The base holds what the source says, and the row's own id is not the source's to say.
pub(super) fn source_columns(mut row: Map<String, Value>) -> Map<String, Value> {
    row.shift_remove("id");
    row
}

fn finish(
    work: &Work<'_>,
    arrival: Arrival<'_>,
    write: Option<(Map<String, Value>, Operation)>,
    base: Map<String, Value>,
    leads: bool,
    outcome: &mut Outcome,
) {
    let Arrival {
        claim,
        entity_id,
        identity,
        method,
        score,
        evidence,
        ..
    } = arrival;
    if let Some((image, operation)) = write {
        outcome.rows.push(RowWrite {
            entity_id: entity_id.clone(),
            image: Some(image_text(&image)),
            operation,
            evidence: Some(evidence_of(work, claim)),
        });
    }
    if identity.is_none() {
        outcome.arrived.push(claim.source_id.clone());
    }
    outcome.settled.push(claim.source_id.clone());
    outcome.identities.push(IdentityWrite {
        source_id: claim.source_id.clone(),
        entity_id,
        method,
        score,
        evidence,
        base,
        leads,
    });
}

pub(super) fn evidence_of(work: &Work<'_>, claim: &Claim) -> Evidence {
    let module = if claim.origin.is_empty() {
        work.definition.name()
    } else {
        &claim.origin
    };
    Evidence {
        module: module.to_owned(),
        source_id: claim.source_id.clone(),
        record_hash: claim.hash.clone(),
        pass_id: claim.pass_id,
        page: claim.page,
    }
}

fn conflict_report(work: &Work<'_>, claim: &Claim, conflict: &Conflict) -> Report {
    let why = format!(
        "`{}` changed at the source and by hand. The local value was kept; compare the two and correct one side.",
        conflict.column
    );
    let code = format!("both_changed:{}", conflict.column);
    let mut report = work.report(
        ProblemKind::Conflict,
        &claim.source_id,
        &claim.origin,
        &code,
        &why,
    );
    report.place = Some(conflict.column.clone());
    report.detail = json!({ "origin": claim.origin, "base": conflict.base, "theirs": conflict.theirs, "ours": conflict.ours });
    report
}
