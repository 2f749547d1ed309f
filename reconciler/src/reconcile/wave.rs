//! A wave: records decided side by side, no two of them about one entity.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use staging::ProblemKind;
use staging::database::query_as;

use super::Work;
use super::announced;
use super::claim::{Claim, Shaped, settle, shape};
use super::known::{Known, look_up};
use super::outcome::{self, Outcome};
use super::who::{self, Found, Who};
use super::work::Caution;
use super::{folding, meeting, refusal, write};
use crate::Rejection;
use crate::cores::on_every_core;
use crate::definition::Definition;
use crate::identities::{self, Identity, Standing};
use crate::matching::Key;

/// A record on its way to an entity.
pub(super) struct Arrival<'c> {
    pub(super) claim: &'c Claim,
    pub(super) shaped: Shaped,
    pub(super) entity_id: String,
    pub(super) identity: Option<Identity>,
    /// The placeholder that stood for the record, where the record turns out to be another entity.
    pub(super) folded: Option<Identity>,
    /// What a person had written into that placeholder.
    pub(super) by_hand: Map<String, Value>,
    pub(super) method: &'static str,
    pub(super) score: Option<f64>,
    pub(super) evidence: Value,
}

/// Decides all claims, wave by wave. A statement that the database refuses for its data halves the wave
/// until the record at fault stands alone, and that one is quarantined.
pub(super) async fn decide_all(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    claims: Vec<Claim>,
) -> sqlx::Result<()> {
    let mut waiting = apart(work, claims);
    while let Some(claims) = waiting.pop() {
        if claims.is_empty() {
            continue;
        }
        let promotion = work.promotion;
        let mut attempt = conn.begin().await?;
        match wave(work, &mut attempt, &claims).await {
            Ok((outcome, deferred)) => {
                attempt.commit().await?;
                outcome::add(&mut work.tally, &outcome.tally);
                work.suspicions.add(outcome.suspicions);
                work.extent.deleted += outcome.extent.deleted;
                work.extent.erased += outcome.extent.erased;
                work.extent.changed += outcome.extent.changed;
                work.parked.extend(outcome.parked);
                waiting.push(deferred);
            }
            Err(failure) if is_about_data(&failure) => {
                attempt.rollback().await?;
                // A promotion opened inside the attempt is rolled back with it; one opened before still holds.
                work.promotion = promotion;
                if claims.len() == 1 {
                    refuse(work, conn, &claims[0], &failure).await?;
                } else {
                    let mut first = claims;
                    let second = first.split_off(first.len() / 2);
                    waiting.extend([second, first]);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// The waves that claims are decided in: one, but for the suspects, each of which goes alone.
fn apart(work: &Work<'_>, claims: Vec<Claim>) -> Vec<Vec<Claim>> {
    let suspects = work.caution.map_or(&[][..], |caution| caution.suspects);
    if suspects.is_empty() {
        return vec![claims];
    }
    let (alone, together) = claims
        .into_iter()
        .partition(|claim| suspects.contains(&claim.source_id));
    let mut waves: Vec<Vec<Claim>> = Vec::from_iter([together]);
    let alone: Vec<Claim> = alone;
    waves.extend(alone.into_iter().map(|claim| vec![claim]));
    waves
}

/// Whether a failure is about a value or a constraint: SQLSTATE classes 22 and 23.
fn is_about_data(failure: &sqlx::Error) -> bool {
    let code = failure.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

async fn refuse(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    claim: &Claim,
    failure: &sqlx::Error,
) -> sqlx::Result<()> {
    let told = refusal::told(conn, work.definition.entity(), failure).await?;
    let mut report = work.report(
        ProblemKind::Quarantine,
        &claim.source_id,
        &claim.origin,
        "refused_by_database",
        &told.why,
    );
    report.place = told.place;
    work.tally.quarantined += 1;
    settle(conn, work.definition.name(), &[claim]).await?;
    staging::report_problems(conn, work.run_id, &[report]).await
}

async fn wave(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    claims: &[Claim],
) -> sqlx::Result<(Outcome, Vec<Claim>)> {
    let mut outcome = Outcome::default();
    let (gone, present): (Vec<&Claim>, Vec<&Claim>) = claims.iter().partition(|claim| claim.gone);
    let (present, announced) = announced::apart(work, present, &mut outcome);
    let mut shaped = shape_all(work, &present, &mut outcome);
    let mut known = look_up(work, conn, &mut shaped, &mut outcome).await?;
    who::ask_scores(work, conn, &mut shaped, &mut known).await?;
    let (arrivals, deferred) = match_all(work, shaped, &known, &mut outcome);
    meeting::merge_all(work, conn, arrivals, &mut outcome).await?;
    write::tombstones(work, conn, &gone, &mut outcome).await?;
    write::apply(work, conn, &mut outcome).await?;
    folding::apply(work, conn, &outcome).await?;
    announced::settle(work, conn, &announced, &mut outcome).await?;
    let put_off: HashSet<(&str, &str)> = deferred
        .iter()
        .map(|c| (c.source_id.as_str(), c.origin.as_str()))
        .collect();
    let done: Vec<&Claim> = claims
        .iter()
        .filter(|c| !put_off.contains(&(c.source_id.as_str(), c.origin.as_str())))
        .collect();
    settle(conn, work.definition.name(), &done).await?;
    if let Some(caution) = &work.caution {
        (caution.deciding)(&[]);
    }
    Ok((outcome, deferred.into_iter().cloned().collect()))
}

fn shape_all<'c>(
    work: &Work<'_>,
    claims: &[&'c Claim],
    outcome: &mut Outcome,
) -> Vec<(&'c Claim, Shaped)> {
    let mut shaped = Vec::with_capacity(claims.len());
    let definition = work.definition;
    let results = match &work.caution {
        None => on_every_core(claims, |claim| shape(definition, claim)),
        Some(caution) => shape_one_by_one(definition, claims, caution),
    };
    for (&claim, result) in claims.iter().zip(results) {
        match result {
            Ok(Some(row)) => {
                for (code, why) in &row.warnings {
                    outcome.reports.push(work.report(
                        ProblemKind::Task,
                        &claim.source_id,
                        &claim.origin,
                        code,
                        why,
                    ));
                }
                shaped.push((claim, row));
            }
            Ok(None) => outcome.same(&claim.source_id),
            Err(rejection) => outcome.quarantined(quarantine(work, claim, rejection)),
        }
    }
    shaped
}

/// What earlier runs died of is known by the record that was being handled.
fn shape_one_by_one(
    definition: &Definition,
    claims: &[&Claim],
    caution: &Caution<'_>,
) -> Vec<Result<Option<Shaped>, Rejection>> {
    let one = |claim: &&Claim| {
        if caution.aside == Some(&claim.source_id) {
            return Err(Rejection::new(
                "kills_the_process",
                "The process has died three times while it handled this record, so it is set aside. Look at it with `concord show --raw`, report it with the record, and correct it in the source; it is tried again when it or the module changes.",
            ));
        }
        (caution.handling)(&claim.source_id);
        shape(definition, claim)
    };
    let shaped = claims.iter().map(one).collect();
    // From here on the wave dies together.
    let wave: Vec<&str> = claims
        .iter()
        .map(|claim| claim.source_id.as_str())
        .filter(|id| caution.aside != Some(*id))
        .collect();
    (caution.deciding)(&wave);
    shaped
}

/// A record that the contract or a rule refuses.
pub(super) fn quarantine(work: &Work<'_>, claim: &Claim, rejection: Rejection) -> staging::Report {
    let mut report = work.report(
        ProblemKind::Quarantine,
        &claim.source_id,
        &claim.origin,
        &rejection.code,
        &rejection.why,
    );
    report.place = rejection.at;
    report
}

/// Decides which entity each record is. A record that another one of this wave may concern is put off to
/// the next wave, so that the order within a wave never matters.
fn match_all<'c>(
    work: &Work<'_>,
    shaped: Vec<(&'c Claim, Shaped)>,
    known: &Known,
    outcome: &mut Outcome,
) -> (Vec<Arrival<'c>>, Vec<&'c Claim>) {
    let mut arrivals = Vec::with_capacity(shaped.len());
    let mut deferred = Vec::new();
    let mut targets: HashSet<String> = HashSet::new();
    let mut new_keys: HashSet<Key> = HashSet::new();
    for (claim, shaped) in shaped {
        let mut identity = known.identities.get(&claim.source_id).cloned();
        if shaped.keys.iter().any(|key| new_keys.contains(key)) {
            deferred.push(claim);
            continue;
        }
        let decided = match &identity {
            Some(identity) if !identity.placeholder => Some(Found::known(&identity.entity_id)),
            _ => match who::decide_new(work, claim, &shaped, known, outcome) {
                Who::Entity(found) => Some(found),
                Who::Later => {
                    deferred.push(claim);
                    None
                }
                Who::Nobody => None,
            },
        };
        let Some(Found {
            entity_id,
            method,
            score,
            evidence,
        }) = decided
        else {
            continue;
        };
        if !targets.insert(entity_id.clone()) {
            deferred.push(claim);
            continue;
        }
        new_keys.extend(shaped.keys.iter().cloned());
        let folded = identity.take_if(|identity| identity.entity_id != entity_id);
        arrivals.push(Arrival {
            claim,
            shaped,
            entity_id,
            identity,
            folded,
            by_hand: Map::new(),
            method,
            score,
            evidence,
        });
    }
    (arrivals, deferred)
}

/// Production rows by id, locked until the transaction ends.
pub(super) async fn rows_now(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Map<String, Value>>> {
    let rows: Vec<(String, Json<Map<String, Value>>)> = query_as(AssertSqlSafe(format!(
        "select t.id, to_jsonb(t) from prod.\"{entity}\" t where t.id = any($1) order by t.id for update"
    )))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, row)| (id, row.0)).collect())
}

/// What other records have said of the entities that new identities join.
pub(super) async fn joined(
    conn: &mut PgConnection,
    entity: &str,
    arrivals: &[Arrival<'_>],
) -> sqlx::Result<HashMap<String, Standing>> {
    let ids: Vec<&str> = arrivals
        .iter()
        .filter(|a| a.identity.is_none() && a.method != "new")
        .map(|a| a.entity_id.as_str())
        .collect();
    if ids.is_empty() {
        Ok(HashMap::new())
    } else {
        identities::standings(conn, entity, &ids).await
    }
}
