//! Assigns an entity to a record without an identity, or with only a placeholder's.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::ProblemKind;

use super::change_set::ChangeSet;
use super::context::Ctx;
use super::lookups::Known;
use super::pending::StagedRecord;
use super::references::Referring;
use super::transform::Transformed;
use crate::definition::KeySpec;
use crate::entity_resolution::{
    Asking, Candidate, Decision, Key, Likely, Said, Verdict, decide, distinct_of, judge,
};
use crate::identities::{Identity, Method};
use crate::parallel_map::parallel_map;

/// An entity found for a record, and how.
pub(crate) struct Found {
    pub(crate) entity_id: String,
    pub(crate) method: Method,
    pub(crate) score: Option<f64>,
    pub(crate) evidence: Value,
}

/// What is decided of a record.
pub(crate) enum Resolution {
    /// It is this entity, of its own or another's making.
    Match(Found),
    /// A person must say.
    Review,
    /// Another record of the batch comes first.
    Deferred,
}

/// A record on its way to an entity.
pub(crate) struct Assignment<'r> {
    pub(crate) record: &'r StagedRecord,
    pub(crate) row: Transformed,
    pub(crate) found: Found,
    /// What the record was before, where that is this entity.
    pub(crate) identity: Option<Identity>,
    /// The placeholder that stood for the record, where the record turns out to be another entity.
    pub(crate) placeholder: Option<Identity>,
}

/// Asks the scores about the records that nothing else decides. Those they decide leave their place to
/// records with exact keys, which come first.
pub(crate) async fn ask_scores(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    records: &mut [Referring<'_>],
    known: &mut Known,
) -> sqlx::Result<()> {
    let scoring = ctx.definition.scoring.as_ref();
    let Some(scoring) = scoring.filter(|_| !ctx.stands_alone) else {
        return Ok(());
    };
    let nothing = Said::default();
    let undecided: Vec<&Referring<'_>> = records
        .iter()
        .filter(|of| is_undecided(ctx, of.record, &of.row, known))
        .collect();
    let known_now: &Known = known;
    let asking = parallel_map(&undecided, |of| Asking {
        source_id: &of.record.source_id,
        profile: scoring.profile(|column| of.row.value(column)),
        refused: &known_now
            .said
            .get(&of.record.source_id)
            .unwrap_or(&nothing)
            .is_not,
    });
    let verdicts = judge(conn, ctx.definition, scoring, &asking).await?;
    let verdicts = asking
        .iter()
        .zip(verdicts)
        .map(|(asked, verdict)| (asked.source_id.to_owned(), verdict))
        .collect();
    known.verdicts = verdicts;
    records.sort_by_key(|of| {
        matches!(
            known.verdicts.get(&of.record.source_id),
            Some(Verdict::Match(_))
        )
    });
    Ok(())
}

fn is_undecided(ctx: &Ctx<'_>, record: &StagedRecord, row: &Transformed, known: &Known) -> bool {
    let id = &record.source_id;
    let is_row = known.new_ids.get(id).is_some_and(|new| new.stands);
    let is_known = known
        .identities
        .get(id)
        .is_some_and(|identity| !identity.is_placeholder());
    let is_said = known.said.get(id).is_some_and(|said| said.is.is_some());
    !is_known && !is_row && !is_said && by_keys(ctx, record, row, known) == Decision::NoMatch
}

/// Assigns entities to records side by side. A record that another one of the batch may concern is put off,
/// so that the order within a batch never matters.
pub(crate) fn assign_all<'r>(
    ctx: &Ctx<'_>,
    records: Vec<Referring<'r>>,
    known: &Known,
    set: &mut ChangeSet,
) -> (Vec<(Referring<'r>, Found)>, Vec<&'r StagedRecord>) {
    let mut assigned = Vec::with_capacity(records.len());
    let mut deferred = Vec::new();
    let mut targets: HashSet<String> = HashSet::new();
    let mut new_keys: HashSet<Key> = HashSet::new();
    for of in records {
        if of.row.keys.iter().any(|key| new_keys.contains(key)) {
            deferred.push(of.record);
            continue;
        }
        let resolution = match known.identities.get(&of.record.source_id) {
            Some(identity) if !identity.is_placeholder() => {
                found(&identity.entity_id, Method::Known, None, json!({}))
            }
            _ => decide_new(ctx, of.record, &of.row, known, set),
        };
        let found = match resolution {
            Resolution::Match(found) => found,
            Resolution::Review => continue,
            Resolution::Deferred => {
                deferred.push(of.record);
                continue;
            }
        };
        if !targets.insert(found.entity_id.clone()) {
            deferred.push(of.record);
            continue;
        }
        new_keys.extend(of.row.keys.iter().cloned());
        assigned.push((of, found));
    }
    (assigned, deferred)
}

/// What the exact keys say, within what people said.
fn by_keys(ctx: &Ctx<'_>, record: &StagedRecord, row: &Transformed, known: &Known) -> Decision {
    let made_up = known.identities.get(&record.source_id);
    let refused: HashSet<&str> = known
        .said
        .get(&record.source_id)
        .into_iter()
        .flat_map(|said| said.is_not.iter().map(String::as_str))
        .collect();
    let candidates: Vec<Candidate> = row
        .keys
        .iter()
        .filter_map(|key| known.candidates.get(key))
        .flatten()
        .filter(|candidate| made_up.is_none_or(|own| own.entity_id != candidate.entity_id))
        .filter(|candidate| !refused.contains(candidate.entity_id.as_str()))
        .cloned()
        .collect();
    let own = |spec: &KeySpec| distinct_of(spec, |column| row.value(column));
    decide(&ctx.definition.spec.matching.keys, &candidates, own)
}

/// The entity of a record without an identity: what a person said, then the exact keys, then the score, then
/// new.
fn decide_new(
    ctx: &Ctx<'_>,
    record: &StagedRecord,
    row: &Transformed,
    known: &Known,
    set: &mut ChangeSet,
) -> Resolution {
    let made_up = known.identities.get(&record.source_id);
    let evidence = evidence_of(ctx, row, made_up.map(|own| own.entity_id.as_str()));
    let said = known.said.get(&record.source_id);
    if let Some((entity_id, author)) = said.and_then(|said| said.is.as_ref()) {
        return found(
            entity_id,
            Method::Said,
            None,
            evidence(&[], json!({ "by": author })),
        );
    }
    match by_keys(ctx, record, row, known) {
        Decision::Match { entity_id, keys } => found(
            &entity_id,
            Method::ExactKey,
            None,
            evidence(&keys, Value::Null),
        ),
        Decision::NoMatch => match known.verdicts.get(&record.source_id) {
            Some(Verdict::Match(likely)) => {
                let evidence = evidence(&[], likely.evidence.clone());
                found(
                    &likely.entity_id,
                    Method::Scored,
                    Some(likely.score),
                    evidence,
                )
            }
            Some(Verdict::Later) => Resolution::Deferred,
            Some(Verdict::Review { candidates }) => {
                set.tally.in_review += 1;
                set.problems.push(doubt(ctx, record, candidates));
                Resolution::Review
            }
            Some(Verdict::NoMatch) | None => {
                let (id, method) = match made_up {
                    Some(own) => (own.entity_id.clone(), Method::Known),
                    None => new_entity(record, known),
                };
                found(&id, method, None, evidence(&[], Value::Null))
            }
        },
        Decision::Review { entities } => {
            let why = format!(
                "The record shares exact keys with {} entities; say which of them it is with `concord review accept`, or correct the source.",
                entities.len()
            );
            let mut report = ctx.report(
                ProblemKind::Review,
                record,
                "several_entities_share_its_keys",
                &why,
            );
            report.detail = json!({ "origin": record.origin, "entities": entities });
            set.tally.in_review += 1;
            set.problems.push(report);
            Resolution::Review
        }
    }
}

fn found(id: &str, method: Method, score: Option<f64>, evidence: Value) -> Resolution {
    Resolution::Match(Found {
        entity_id: id.to_owned(),
        method,
        score,
        evidence,
    })
}

/// What is kept of a decision: the keys, the levels with their weights, and what stood in for the record
/// before.
fn evidence_of<'e>(
    ctx: &Ctx<'_>,
    row: &Transformed,
    made_up: Option<&'e str>,
) -> impl Fn(&[String], Value) -> Value + use<'e> {
    let specs = &ctx.definition.spec.matching.keys;
    let distinct: Map<String, Value> = specs
        .iter()
        .filter_map(|spec| {
            let own = distinct_of(spec, |column| row.value(column))?;
            Some((spec.label.clone(), own.into()))
        })
        .collect();
    move |keys, found| {
        let mut evidence = json!({ "keys": keys, "distinct": distinct });
        let is_found = !keys.is_empty() || !found.is_null();
        if let Some(own) = made_up.filter(|_| is_found) {
            evidence["placeholder"] = own.into();
        }
        if !found.is_null() {
            evidence["why"] = found;
        }
        evidence
    }
}

fn new_entity(record: &StagedRecord, known: &Known) -> (String, Method) {
    match known.new_ids.get(&record.source_id) {
        Some(new) if new.stands => (new.id.clone(), Method::SourceId),
        Some(new) => (new.id.clone(), Method::New),
        None => (record.source_id.clone(), Method::New),
    }
}

fn doubt(ctx: &Ctx<'_>, record: &StagedRecord, candidates: &[Likely]) -> staging::Report {
    let best = candidates.first().map_or("", |best| &best.entity_id);
    let why = format!(
        "The record may be {best}{}. Say which it is: concord review accept or reject {}/{}.",
        match candidates.len() {
            0 | 1 => String::new(),
            more => format!(" or one of {} others", more - 1),
        },
        ctx.definition.name(),
        record.source_id
    );
    let mut report = ctx.report(ProblemKind::Review, record, "match_in_doubt", &why);
    let thresholds = ctx
        .definition
        .scoring
        .as_ref()
        .map(|scoring| scoring.model.thresholds);
    report.detail = json!({
        "origin": record.origin,
        "entities": candidates.iter().map(|likely| &likely.entity_id).collect::<Vec<_>>(),
        "candidates": candidates,
        "thresholds": thresholds,
    });
    report
}
