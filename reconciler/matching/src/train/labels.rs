//! Learning from pairs that people decided: how much each comparison's weight is worth.
//!
//! The weights themselves come from all records; a few hundred labels only say how far to trust each. That is a logistic
//! regression on the weights, held to one by a prior, so that few labels move little.

use crate::base::Base;
use crate::compare::{Comparisons, Facts};
use crate::model::{Model, Scorer};
use crate::profile::Layout;

/// A decided pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// One record.
    pub one: u32,
    /// The other.
    pub other: u32,
    /// Whether they are one.
    pub is_match: bool,
}

/// How firmly a scale is held to one.
const HELD: f64 = 12.0;
const ROUNDS: usize = 400;

/// Improves the scales of a model, all populations together; the order of the labels does not matter.
pub fn learn(
    model: &mut Model,
    comparisons: &Comparisons,
    layout: &Layout,
    base: &Base,
    facts: &Facts,
    labels: &[Label],
) {
    let scorer = Scorer::new(model, comparisons, layout, base);
    let mut labels = labels.to_vec();
    labels.sort_unstable_by_key(|label| (label.one.min(label.other), label.one.max(label.other)));
    let width = comparisons.list.len();
    // The weights of each label's comparisons against the likelier rival, and what is not scaled.
    let rows: Vec<(Vec<f64>, f64, f64)> = labels
        .iter()
        .map(|label| {
            let reached = comparisons.reach(
                base,
                facts,
                label.one.min(label.other),
                label.one.max(label.other),
            );
            let sum = scorer.sum(&reached);
            let rival = if sum.0[1] > sum.0[2] { 1 } else { 2 };
            let weights: Vec<f64> = (0..width)
                .map(|at| {
                    let part = scorer.part(&reached, at);
                    f64::from(part[0] - part[rival])
                })
                .collect();
            let rest = f64::from(sum.score()) - weights.iter().sum::<f64>();
            (weights, rest, f64::from(u8::from(label.is_match)))
        })
        .collect();
    let mut scales = vec![1.0_f64; width];
    let mut shift = 0.0_f64;
    for round in 0..ROUNDS {
        let step = 0.5 / (1.0 + round as f64 / 100.0) / (rows.len() as f64 + HELD);
        let mut slopes: Vec<f64> = scales.iter().map(|scale| HELD * (scale - 1.0)).collect();
        let mut slope = HELD * shift / 9.0;
        for (weights, rest, is_match) in &rows {
            let score = rest
                + shift
                + weights
                    .iter()
                    .zip(&scales)
                    .map(|(weight, scale)| weight * scale)
                    .sum::<f64>();
            let error = 1.0 / (1.0 + (-score).exp2()) - is_match;
            slope += error;
            for (slope, weight) in slopes.iter_mut().zip(weights) {
                *slope += error * weight / 4.0;
            }
        }
        shift -= step * slope;
        for (scale, slope) in scales.iter_mut().zip(slopes) {
            *scale = (*scale - step * slope).clamp(0.2, 2.0);
        }
    }
    for population in &mut model.populations {
        for (comparison, scale) in population.comparisons.iter_mut().zip(&scales) {
            comparison.scale *= *scale;
        }
        population.shift += shift;
    }
}
