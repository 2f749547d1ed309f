//! The initial model, before training.

use std::collections::BTreeMap;

use super::sample::Seen;
use crate::base::Base;
use crate::compare::{Comparisons, Level};
use crate::model::{ComparisonWeights, Frequencies, LevelWeights, Population};
use crate::profile::Layout;

/// A level with at least this many random pairs takes its u from them.
pub(super) const ENOUGH: f64 = 200.0;

/// The initial model: u from random pairs, m and r guessed from the order of the levels.
pub fn start(
    comparisons: &Comparisons,
    layout: &Layout,
    base: &Base,
    seen: &Seen,
    frequencies: Vec<BTreeMap<String, Frequencies>>,
) -> Vec<Population> {
    let records = f64::from(base.records);
    let all = match base.second_table {
        Some(second) => f64::from(second) * (records - f64::from(second)),
        None => records * (records - 1.0) / 2.0,
    };
    let populations = comparisons
        .populations
        .iter()
        .zip(frequencies)
        .enumerate()
        .map(|(number, ((name, _), frequencies))| {
            let share = seen.shares[number].max(0.5 / seen.looked_at.max(1.0));
            let pairs = (share * all).max(1.0);
            let guess = (0.1 * records * share.sqrt() / pairs).clamp(1e-12, 0.1);
            let comparisons = comparisons.list.iter().enumerate().map(|(at, comparison)| {
                let counts = &seen.levels[number][at];
                let half = comparison.half(0).len();
                let m = guessed(&comparison.levels[..half]).repeat(counts.len() / half);
                let levels = comparison
                    .levels
                    .iter()
                    .enumerate()
                    .map(|(level, declared)| {
                        let u = chance(counts, &comparison.half(level), level);
                        let usual = declared.frequency.and_then(|attribute| {
                            let known = frequencies.get(&layout.attributes[attribute].name)?;
                            let inverse = seen.inverse[number][at][level];
                            let measured =
                                counts[level] / inverse.max(1e-12) / known.records.max(1) as f64;
                            if declared.is_equal || counts[level] < 50.0 {
                                Some(known.agreement)
                            } else {
                                Some(measured)
                            }
                        });
                        let r = if comparison.individual {
                            u
                        } else {
                            f64::midpoint(m[level], u)
                        };
                        LevelWeights {
                            level: declared.label.clone(),
                            m: m[level],
                            r,
                            u,
                            learnt: 0.0,
                            usual,
                        }
                    });
                ComparisonWeights {
                    comparison: comparison.name.clone(),
                    scale: 1.0,
                    levels: levels.collect(),
                }
            });
            let comparisons = comparisons.collect();
            Population {
                population: name.clone(),
                pairs,
                matching: guess,
                related: guess,
                shift: 0.0,
                comparisons,
                frequencies,
            }
        });
    populations.collect()
}

/// The guess for matches: mostly the first levels, and a contradiction in one of ten cases.
fn guessed(levels: &[Level]) -> Vec<f64> {
    let contradicts = |at: usize| levels[at].against || at + 1 == levels.len();
    let mut rank = 0;
    let weights: Vec<f64> = (0..levels.len())
        .map(|at| {
            rank += i32::from(!contradicts(at));
            if contradicts(at) {
                0.0
            } else {
                0.55_f64.powi(rank)
            }
        })
        .collect();
    let agreeing: f64 = weights.iter().sum();
    let against = weights.iter().filter(|weight| **weight == 0.0).count() as f64;
    if agreeing == 0.0 {
        return vec![1.0 / against; levels.len()];
    }
    weights
        .iter()
        .map(|weight| {
            if *weight == 0.0 {
                0.1 / against
            } else {
                0.9 * weight / agreeing
            }
        })
        .collect()
}

/// The share of unrelated pairs that reach a level, from random pairs.
fn chance(counts: &[f64], half: &std::ops::Range<usize>, level: usize) -> f64 {
    let total: f64 = counts[half.clone()].iter().sum();
    if half.start == 0 || total > 10.0 * ENOUGH {
        return (counts[level] + 0.5) / (total + 0.5 * half.len() as f64);
    }
    if level + 1 == counts.len() {
        return 0.9;
    }
    // Pairs for `beside` are too rare among random ones; the other levels stand in for them at first.
    let first: f64 = counts[..half.start].iter().sum();
    ((counts[level - half.start] + 0.5) / (first + 0.5)).max(0.01)
}
