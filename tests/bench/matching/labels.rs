//! What a few reviewed pairs would be, and what a model learns from them.

use matching::batch::{Batch, Scored};
use matching::evaluate::Gold;
use matching::model::Model;
use matching::train::{Label, learn};

/// Improves the model with so many pairs, decided by the truth.
pub fn improve(batch: &Batch, model: &mut Model, gold: &Gold, count: usize) {
    let labels = near(batch, model, gold, count);
    learn(
        model,
        &batch.comparisons,
        &batch.layout,
        &batch.base,
        &batch.facts,
        &labels,
    );
}

/// Pairs a person would be asked about, evenly over the scores.
fn near(batch: &Batch, model: &Model, gold: &Gold, count: usize) -> Vec<Label> {
    let mut pairs = batch.score(model, -6.0);
    pairs.retain(|pair| pair.score < 9.0);
    pairs.sort_by(|one, other| one.score.total_cmp(&other.score));
    let step = (pairs.len() / count).max(1);
    let label = |pair: &Scored| Label {
        one: pair.one,
        other: pair.other,
        is_match: gold.pairs.contains(&(pair.one, pair.other)),
    };
    pairs.iter().step_by(step).take(count).map(label).collect()
}
