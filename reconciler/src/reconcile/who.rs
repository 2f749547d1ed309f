//! Which entity a record is that no identity knows, or only a placeholder's.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::ProblemKind;

use super::Work;
use super::claim::{Claim, Shaped};
use super::known::Known;
use super::outcome::Outcome;
use crate::cores::on_every_core;
use crate::definition::KeySpec;
use crate::matching::{
    Asking, Candidate, Decision, Likely, Said, Verdict, decide, distinct_of, judge,
};

/// An entity found for a record, and how.
pub(super) struct Found {
    pub(super) entity_id: String,
    pub(super) method: &'static str,
    pub(super) score: Option<f64>,
    pub(super) evidence: Value,
}

impl Found {
    /// The entity that an identity names.
    pub(super) fn known(entity_id: &str) -> Self {
        Self {
            entity_id: entity_id.to_owned(),
            method: "known",
            score: None,
            evidence: json!({}),
        }
    }
}

/// What is decided.
pub(super) enum Who {
    /// It is this entity.
    Entity(Found),
    /// A person must say.
    Nobody,
    /// Another record of the wave comes first.
    Later,
}

/// Asks the scores about the records that nothing else decides. Those they decide leave their place to records
/// with exact keys, which come first.
pub(super) async fn ask_scores(
    work: &Work<'_>,
    conn: &mut PgConnection,
    shaped: &mut [(&Claim, Shaped)],
    known: &mut Known,
) -> sqlx::Result<()> {
    let scoring = work.definition.scoring.as_ref();
    let Some(scoring) = scoring.filter(|_| !work.stands_alone) else {
        return Ok(());
    };
    let nothing = Said::default();
    let undecided: Vec<&(&Claim, Shaped)> = shaped
        .iter()
        .filter(|(claim, shaped)| is_undecided(work, claim, shaped, known))
        .collect();
    let known_now: &Known = known;
    let asking = on_every_core(&undecided, |(claim, shaped)| Asking {
        source_id: &claim.source_id,
        profile: scoring.profile(|column| shaped.value(column)),
        refused: &known_now
            .said
            .get(&claim.source_id)
            .unwrap_or(&nothing)
            .is_not,
    });
    let verdicts = judge(conn, work.definition, scoring, &asking).await?;
    let verdicts = asking
        .iter()
        .zip(verdicts)
        .map(|(asked, verdict)| (asked.source_id.to_owned(), verdict))
        .collect();
    known.verdicts = verdicts;
    shaped.sort_by_key(|(claim, _)| {
        matches!(
            known.verdicts.get(&claim.source_id),
            Some(Verdict::Match(_))
        )
    });
    Ok(())
}

fn is_undecided(work: &Work<'_>, claim: &Claim, shaped: &Shaped, known: &Known) -> bool {
    let of_a_stranger = known.strangers.get(&claim.source_id) == Some(&false);
    let is_known = known
        .identities
        .get(&claim.source_id)
        .is_some_and(|identity| !identity.placeholder);
    let is_said = known
        .said
        .get(&claim.source_id)
        .is_some_and(|said| said.is.is_some());
    !is_known
        && !of_a_stranger
        && !is_said
        && by_keys(work, claim, shaped, known) == Decision::NoMatch
}

/// What the exact keys say, within what people said.
fn by_keys(work: &Work<'_>, claim: &Claim, shaped: &Shaped, known: &Known) -> Decision {
    let made_up = known.identities.get(&claim.source_id);
    let refused: HashSet<&str> = known
        .said
        .get(&claim.source_id)
        .into_iter()
        .flat_map(|said| said.is_not.iter().map(String::as_str))
        .collect();
    let candidates: Vec<Candidate> = shaped
        .keys
        .iter()
        .filter_map(|key| known.candidates.get(key))
        .flatten()
        .filter(|candidate| made_up.is_none_or(|own| own.entity_id != candidate.entity_id))
        .filter(|candidate| !refused.contains(candidate.entity_id.as_str()))
        .cloned()
        .collect();
    let own = |spec: &KeySpec| distinct_of(spec, |column| shaped.value(column));
    decide(&work.definition.spec.matching.keys, &candidates, own)
}

/// The entity of a record that no identity knows: what a person said, then the exact keys, then the score, then new.
pub(super) fn decide_new(
    work: &Work<'_>,
    claim: &Claim,
    shaped: &Shaped,
    known: &Known,
    outcome: &mut Outcome,
) -> Who {
    let made_up = known.identities.get(&claim.source_id);
    let evidence = evidence_of(work, shaped, made_up.map(|own| own.entity_id.as_str()));
    let said = known.said.get(&claim.source_id);
    if let Some((entity_id, author)) = said.and_then(|said| said.is.as_ref()) {
        return entity(
            entity_id,
            "said",
            None,
            evidence(&[], json!({ "by": author })),
        );
    }
    match by_keys(work, claim, shaped, known) {
        Decision::Match { entity_id, keys } => {
            entity(&entity_id, "exact_key", None, evidence(&keys, Value::Null))
        }
        Decision::NoMatch => match known.verdicts.get(&claim.source_id) {
            Some(Verdict::Match(likely)) => {
                let evidence = evidence(&[], likely.evidence.clone());
                entity(&likely.entity_id, "scored", Some(likely.score), evidence)
            }
            Some(Verdict::Later) => Who::Later,
            Some(Verdict::Review { candidates }) => {
                outcome.tally.in_review += 1;
                outcome.reports.push(doubt(work, claim, candidates));
                Who::Nobody
            }
            Some(Verdict::NoMatch) | None => {
                let (id, method) = match made_up {
                    Some(own) => (own.entity_id.clone(), "known"),
                    None => new_entity(work, claim, known),
                };
                entity(&id, method, None, evidence(&[], Value::Null))
            }
        },
        Decision::Review { entities } => {
            let why = format!(
                "The record shares exact keys with {} entities; say which of them it is with `concord review accept`, or correct the source.",
                entities.len()
            );
            let mut report = work.report(
                ProblemKind::Review,
                &claim.source_id,
                &claim.origin,
                "several_entities_share_its_keys",
                &why,
            );
            report.detail = json!({ "origin": claim.origin, "entities": entities });
            outcome.tally.in_review += 1;
            outcome.reports.push(report);
            Who::Nobody
        }
    }
}

fn entity(id: &str, method: &'static str, score: Option<f64>, evidence: Value) -> Who {
    Who::Entity(Found {
        entity_id: id.to_owned(),
        method,
        score,
        evidence,
    })
}

/// What is kept of a decision: the keys, the levels with their weights, and what stood in for the record before.
fn evidence_of<'e>(
    work: &Work<'_>,
    shaped: &Shaped,
    made_up: Option<&'e str>,
) -> impl Fn(&[String], Value) -> Value + use<'e> {
    let specs = &work.definition.spec.matching.keys;
    let distinct: Map<String, Value> = specs
        .iter()
        .filter_map(|spec| {
            let own = distinct_of(spec, |column| shaped.value(column))?;
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

fn new_entity(work: &Work<'_>, claim: &Claim, known: &Known) -> (String, &'static str) {
    let source = &work.definition.module.source;
    match known.strangers.get(&claim.source_id) {
        None => (claim.source_id.clone(), "new"),
        Some(false) => (claim.source_id.clone(), "source_id"),
        // Another record bears this id already: ids are unique within a source only.
        Some(true) => (format!("{source}:{}", claim.source_id), "new"),
    }
}

fn doubt(work: &Work<'_>, claim: &Claim, candidates: &[Likely]) -> staging::Report {
    let best = candidates.first().map_or("", |best| &best.entity_id);
    let why = format!(
        "The record may be {best}{}. Say which it is: concord review accept or reject {}/{}.",
        match candidates.len() {
            0 | 1 => String::new(),
            more => format!(" or one of {} others", more - 1),
        },
        work.definition.name(),
        claim.source_id
    );
    let mut report = work.report(
        ProblemKind::Review,
        &claim.source_id,
        &claim.origin,
        "match_in_doubt",
        &why,
    );
    let thresholds = work
        .definition
        .scoring
        .as_ref()
        .map(|scoring| scoring.model.thresholds);
    report.detail = json!({
        "origin": claim.origin,
        "entities": candidates.iter().map(|likely| &likely.entity_id).collect::<Vec<_>>(),
        "candidates": candidates,
        "thresholds": thresholds,
    });
    report
}
