//! What a few reviewed pairs would be, and what a model learns from them.

use std::collections::HashSet;

use matching::batch::{Batch, Scored};
use matching::decide::{Decisions, Links, thresholds};
use matching::evaluate::{Gold, evaluate, evaluate_clusters};
use matching::model::Model;
use matching::train::{Label, learn, worth_asking};
use serde_json::{Value, json};

/// The least score of a pair that is looked at.
const LEAST: f32 = super::LEAST;

/// Teaches a copy of the model so many pairs, decided by the truth, and measures it before and after on all
/// others.
pub fn taught(
    batch: &Batch,
    model: &Model,
    gold: &Gold,
    scored: &[Scored],
    count: usize,
) -> serde_json::Result<Value> {
    let asked = worth_asking(scored, model.thresholds, count);
    let label = |(one, other): &(u32, u32)| Label {
        one: *one,
        other: *other,
        is_match: gold.pairs.contains(&(*one, *other)),
    };
    let labels: Vec<Label> = asked.iter().map(label).collect();
    let mut better = model.clone();
    let lesson = learn(
        &mut better,
        &batch.comparisons,
        &batch.layout,
        &batch.base,
        &batch.facts,
        &labels,
        &[],
    );
    let again = batch.score(&better, LEAST);
    better.thresholds = thresholds(&better.spec.decide, &again);
    let asked: HashSet<(u32, u32)> = asked.into_iter().collect();
    let measured = |model: &Model, scored: &[Scored]| {
        let decisions = batch.decide(model, scored, &Links::default());
        rest(gold, scored, &asked, model, &decisions)
    };
    Ok(json!({
        "labels": lesson.labels, "gain": lesson.gain, "error": lesson.error, "adopted": lesson.is_adopted,
        "before": measured(model, scored)?, "after": measured(&better, &again)?,
    }))
}

/// How well it went, but for the pairs that were asked about.
fn rest(
    gold: &Gold,
    scored: &[Scored],
    asked: &HashSet<(u32, u32)>,
    model: &Model,
    decisions: &Decisions,
) -> serde_json::Result<Value> {
    let mut others = Gold {
        pairs: gold.pairs.clone(),
        entities: Vec::new(),
        groups: Vec::new(),
    };
    others.pairs.retain(|pair| !asked.contains(pair));
    let mut left = scored.to_vec();
    left.retain(|pair| !asked.contains(&(pair.one, pair.other)));
    let found = evaluate(&others, &left, &[model.thresholds.is_match]);
    let mut told = serde_json::to_value(found)?;
    told["clusters"] = serde_json::to_value(evaluate_clusters(gold, &decisions.clusters))?;
    told["reviews"] = decisions.reviews.len().into();
    Ok(told)
}
