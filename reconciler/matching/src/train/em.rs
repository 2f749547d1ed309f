//! Expectation maximisation over three classes: match, related (different entities of one household or group)
//! and unrelated.
//!
//! `individual` comparisons agree between related pairs only by chance, as between unrelated ones. This
//! assumption keeps shared telephones and addresses from being taken for identity.

use rayon::prelude::*;

use super::guess::ENOUGH;
use super::sample::{Patterns, Seen};
use crate::compare::{Comparison, Comparisons, MISSING};
use crate::model::{Model, Population};

/// The weight of the first guess, as a number of pairs.
const GUESS: f64 = 4.0;
/// The maximum share of matches that contradict in an `individual` comparison; otherwise the training has
/// taken households for matches.
const CONTRADICTING: f64 = 0.05;
/// The same for any other comparison.
const DIFFERING: f64 = 0.2;
/// Related pairs agree in shared attributes at least this often, relative to matches; otherwise the training
/// has taken coincidences for relations.
const SHARED: f64 = 0.25;
/// The maximum share of matches that reach a level declared as evidence against them.
const AGAINST: f64 = 0.01;
const ROUNDS: usize = 80;

/// Learns m, r and the shares of the classes.
///
/// `covered` is which levels blocking finds completely: their u is counted, not sampled.
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
                levels: std::array::from_fn(|at| pattern.level(at)),
                rarity: [0.0, -f64::from(*individual) / 2.0, -f64::from(*all) / 2.0],
                count: *count,
            })
            .collect();
        let learning = Learning {
            comparisons,
            covered,
            seen: &seen.levels[number],
            looked_at: seen.pairs[number],
        };
        fitted(population, &learning, &list);
    }
}

/// The data besides the patterns.
#[derive(Debug, Clone, Copy)]
struct Learning<'a> {
    /// The comparisons.
    comparisons: &'a Comparisons,
    /// Which levels blocking finds completely.
    covered: &'a [Vec<bool>],
    /// The number of random pairs that reached each level.
    seen: &'a [Vec<f64>],
    /// The number of random pairs.
    looked_at: f64,
}

/// A pattern prepared for training.
#[derive(Debug, Clone)]
struct Case {
    /// The level of each comparison; entries after the last comparison are unused.
    levels: [u8; 15],
    /// The bits that rarity adds to each class.
    rarity: [f64; 3],
    /// The number of pairs with it.
    count: f64,
}

/// Fits one population to its cases.
fn fitted(population: &mut Population, learning: &Learning, cases: &[Case]) {
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

/// The expected counts of the classes, summed in fixed parts so that they do not depend on threads.
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

/// The share of related pairs that reach the `kin` levels.
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
    // There are at most as many matching pairs as records; otherwise coincidences were taken for matches.
    let most = (2.0 * population.pairs).sqrt() / population.pairs;
    population.matching = (tally.classes[0] / population.pairs).clamp(1e-13, most.min(0.5));
    population.related = (tally.classes[1] / population.pairs).clamp(1e-13, 0.4);
    for (at, comparison) in population.comparisons.iter_mut().enumerate() {
        let counts = &tally.levels[at];
        let declared = &learning.comparisons.list[at];
        let random: f64 = learning.seen[at].iter().sum();
        // The pairs that could be compared at all.
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
                // Blocking by the other attribute finds all pairs that agree in it, except in blocks that are
                // too large.
                let least = 0.5 / (total(2) + 1.0);
                weights.u = (counts[level][2] + GUESS * first.u).max(least) / (total(2) + GUESS);
            } else if learning.covered[at][level] && learning.seen[at][level] < ENOUGH {
                let least = 0.001 / random.max(1000.0);
                weights.u = ((counts[level][2] + 0.5) / present.max(1.0)).clamp(least, 1.0);
            }
            if level + 1 == half.end {
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
            weights.r = match declared.individual {
                true if declared.levels[level].kin => learnt.max(weights.u),
                // The share of the `kin` levels is taken from the last level.
                true if level + 1 == half.end => (weights.u
                    - kin(declared, half.clone(), counts, total(1)))
                .max(weights.u / 10.0),
                true => weights.u.max(1e-7),
                false => learnt.max(SHARED * weights.m),
            };
        }
    }
}
