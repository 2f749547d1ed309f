//! Expectation maximisation over three classes: match, related (of one household or group, but another), unrelated.
//!
//! What tells members of a group apart (`individual`) agrees between related pairs by chance only, as it does between
//! unrelated ones. That one assumption keeps shared telephones and addresses from being taken for identity.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::sample::{Patterns, Seen};
use crate::base::Base;
use crate::compare::{Comparison, Comparisons, Level, MISSING};
use crate::model::{ComparisonWeights, Frequencies, LevelWeights, Model, Population};
use crate::profile::Layout;

/// A class of pairs, by its place in a triple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The same.
    Match,
    /// Of one household or group, but another.
    Related,
    /// Nothing to do with each other.
    Unrelated,
}

/// A level seen so often among random pairs has its u from there.
const ENOUGH: f64 = 200.0;
/// So many pairs is what the first guess counts as.
const GUESS: f64 = 4.0;
/// Matches contradict in what tells members of a group apart in so many cases at most; else the training has taken
/// households for matches.
const CONTRADICTING: f64 = 0.05;
/// And so often in anything else.
const DIFFERING: f64 = 0.2;
/// So many matches reach a level that is declared to speak against them.
const AGAINST: f64 = 0.01;
const ROUNDS: usize = 80;

/// The model before anything is learnt: u as random pairs have it, m and r guessed from the order of the levels.
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
                        let total: f64 = counts[comparison.half(level)].iter().sum();
                        let first: f64 = counts[..half].iter().sum();
                        // Pairs that agree in the other attribute are too rare among random ones; others stand for them at first.
                        let u = match level < half || total > 10.0 * ENOUGH {
                            true => (counts[level] + 0.5) / (total + 0.5 * half as f64),
                            false if level + 1 < counts.len() => {
                                ((counts[level - half] + 0.5) / (first + 0.5)).max(0.01)
                            }
                            false => 0.9,
                        };
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

/// Matches are guessed to reach the first levels most, and to contradict in one case of ten.
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

/// Learns m, r and the shares of the classes.
///
/// `covered` says which levels blocking brings together without exception: their u is counted, not sampled.
pub fn fit(
    model: &mut Model,
    comparisons: &Comparisons,
    covered: &[Vec<bool>],
    seen: &Seen,
    patterns: &Patterns,
) {
    for (number, population) in model.populations.iter_mut().enumerate() {
        let list: Vec<Case> = patterns
            .list
            .iter()
            .filter(|((pattern, ..), _)| pattern.0 >> 60 == number as u64)
            .map(|((pattern, all, individual), count)| Case {
                levels: (0..comparisons.list.len())
                    .map(|at| pattern.level(at))
                    .collect(),
                rarity: [0.0, -f64::from(*individual) / 2.0, -f64::from(*all) / 2.0],
                count: *count,
            })
            .collect();
        let learning = Learning {
            comparisons,
            covered,
            seen: &seen.levels[number],
            looked_at: seen.pairs[number],
            is_taught: false,
        };
        fitted(population, &learning, &list);
    }
}

/// What is known beside the patterns.
#[derive(Debug, Clone, Copy)]
pub struct Learning<'a> {
    /// The comparisons.
    pub comparisons: &'a Comparisons,
    /// Which levels blocking brings together without exception.
    pub covered: &'a [Vec<bool>],
    /// How many random pairs reached each level.
    pub seen: &'a [Vec<f64>],
    /// How many were looked at.
    pub looked_at: f64,
    /// Whether the classes are known, and nothing need be assumed of them.
    pub is_taught: bool,
}

/// A pattern as it is learnt from.
#[derive(Debug, Clone)]
pub struct Case {
    /// The level of each comparison.
    pub levels: Vec<u8>,
    /// What rarity adds to each class, in bits.
    pub rarity: [f64; 3],
    /// How many pairs have it.
    pub count: f64,
}

/// Fits one population to its cases.
pub fn fitted(population: &mut Population, learning: &Learning, cases: &[Case]) {
    let guess = population.clone();
    let mut last = f64::MIN;
    for _ in 0..ROUNDS {
        let tally = expected(population, cases);
        maximise(population, &guess, learning, &tally);
        if (tally.likelihood - last).abs() < 3e-7 * tally.likelihood.abs() {
            break;
        }
        last = tally.likelihood;
    }
}

/// Fits one population to cases whose class is known.
pub fn taught(population: &mut Population, learning: &Learning, cases: &[(Case, usize)]) {
    let guess = population.clone();
    let mut tally = Tally::empty(population);
    for (case, class) in cases {
        tally.classes[*class] += case.count;
        for (levels, level) in tally
            .levels
            .iter_mut()
            .zip(&case.levels)
            .filter(|(_, level)| **level != MISSING)
        {
            levels[usize::from(*level)][*class] += case.count;
        }
    }
    maximise(population, &guess, learning, &tally);
}

struct Tally {
    classes: [f64; 3],
    /// By comparison, level and class.
    levels: Vec<Vec<[f64; 3]>>,
    likelihood: f64,
}

impl Tally {
    fn empty(population: &Population) -> Self {
        let levels = population
            .comparisons
            .iter()
            .map(|comparison| vec![[0.0; 3]; comparison.levels.len()]);
        Self {
            classes: [0.0; 3],
            levels: levels.collect(),
            likelihood: 0.0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.likelihood += other.likelihood;
        let sums = self
            .levels
            .iter_mut()
            .flatten()
            .chain(std::iter::once(&mut self.classes));
        for (sums, parts) in sums.zip(
            other
                .levels
                .iter()
                .flatten()
                .chain(std::iter::once(&other.classes)),
        ) {
            sums.iter_mut()
                .zip(parts)
                .for_each(|(sum, part)| *sum += part);
        }
    }
}

/// What the classes are expected to have, summed up in parts that do not depend on the threads.
fn expected(population: &Population, cases: &[Case]) -> Tally {
    let logarithms: Vec<Vec<[f64; 3]>> = population
        .comparisons
        .iter()
        .map(|comparison| {
            comparison
                .levels
                .iter()
                .map(|level| [level.m, level.r, level.u].map(f64::log2))
                .collect()
        })
        .collect();
    let unrelated = 1.0 - population.matching - population.related;
    let priors = [population.matching, population.related, unrelated].map(f64::log2);
    let part = |cases: &[Case]| {
        let mut tally = Tally::empty(population);
        cases
            .iter()
            .for_each(|case| tally.count(case, &logarithms, priors));
        tally
    };
    let parts: Vec<Tally> = cases.par_chunks(4096).map(part).collect();
    let mut tally = Tally::empty(population);
    parts.iter().for_each(|part| tally.add(part));
    tally
}

impl Tally {
    fn count(&mut self, case: &Case, logarithms: &[Vec<[f64; 3]>], priors: [f64; 3]) {
        let mut sums = priors;
        for (levels, level) in logarithms
            .iter()
            .zip(&case.levels)
            .filter(|(_, level)| **level != MISSING)
        {
            for (sum, part) in sums.iter_mut().zip(levels[usize::from(*level)]) {
                *sum += part;
            }
        }
        for (sum, rarity) in sums.iter_mut().zip(case.rarity) {
            *sum += rarity;
        }
        let highest = sums.iter().copied().fold(f64::MIN, f64::max);
        let likely = sums.map(|sum| (sum - highest).exp2());
        let total: f64 = likely.iter().sum();
        self.likelihood += case.count * (highest + total.log2());
        let shares = likely.map(|part| part / total * case.count);
        for (sum, share) in self.classes.iter_mut().zip(shares) {
            *sum += share;
        }
        for (levels, level) in self
            .levels
            .iter_mut()
            .zip(&case.levels)
            .filter(|(_, level)| **level != MISSING)
        {
            for (sum, share) in levels[usize::from(*level)].iter_mut().zip(shares) {
                *sum += share;
            }
        }
    }
}

/// The share of related pairs that reach the levels of kin.
fn kin(
    declared: &Comparison,
    half: std::ops::Range<usize>,
    counts: &[[f64; 3]],
    total: f64,
) -> f64 {
    half.filter(|level| declared.levels[*level].kin)
        .map(|level| counts[level][1] / (total + GUESS))
        .sum()
}

fn maximise(population: &mut Population, guess: &Population, learning: &Learning, tally: &Tally) {
    population.matching = (tally.classes[0] / population.pairs).clamp(1e-13, 0.5);
    population.related = (tally.classes[1] / population.pairs).clamp(1e-13, 0.4);
    for (at, comparison) in population.comparisons.iter_mut().enumerate() {
        let counts = &tally.levels[at];
        let declared = &learning.comparisons.list[at];
        let random: f64 = learning.seen[at].iter().sum();
        // Of all pairs, those that could be compared at all.
        let present = population.pairs * random / learning.looked_at.max(1.0);
        for (level, weights) in comparison.levels.iter_mut().enumerate() {
            let half = declared.half(level);
            let total = |class: usize| {
                counts[half.clone()]
                    .iter()
                    .map(|level| level[class])
                    .sum::<f64>()
            };
            let first = &guess.comparisons[at].levels[level];
            weights.m = (counts[level][0] + GUESS * first.m) / (total(0) + GUESS);
            if half.start > 0 {
                // All pairs that agree in the other attribute are brought together by it, as far as its blocks are not too large.
                let least = 0.5 / (total(2) + 1.0);
                weights.u = (counts[level][2] + GUESS * first.u).max(least) / (total(2) + GUESS);
            } else if learning.covered[at][level] && learning.seen[at][level] < ENOUGH {
                let least = 0.001 / random.max(1000.0);
                weights.u = ((counts[level][2] + 0.5) / present.max(1.0)).clamp(least, 1.0);
            }
            if level + 1 == half.end && !learning.is_taught {
                let most = if declared.individual {
                    CONTRADICTING
                } else {
                    DIFFERING
                };
                weights.m = weights.m.min(most);
            }
            if declared.levels[level].against && level + 1 < half.end {
                weights.m = weights.m.min(weights.u / 2.0).min(AGAINST);
            }
            let learnt = (counts[level][1] + GUESS * first.r) / (total(1) + GUESS);
            weights.r = match declared.individual && !learning.is_taught {
                true if declared.levels[level].kin => learnt.max(weights.u),
                // What kin reach is taken from the last level.
                true if level + 1 == half.end => (weights.u
                    - kin(declared, half.clone(), counts, total(1)))
                .max(weights.u / 10.0),
                true => weights.u.max(1e-7),
                false => learnt,
            };
        }
    }
}
