//! The score of a pair.

use super::file::{Model, Population};
use crate::base::Base;
use crate::compare::{Comparisons, MISSING, Reached};
use crate::profile::Layout;

/// A model's logarithms, ready to be added.
#[derive(Debug)]
pub struct Scorer {
    populations: Vec<Weights>,
}

#[derive(Debug)]
struct Weights {
    prior: [f32; 3],
    levels: Vec<Vec<Weight>>,
    scales: Vec<f32>,
    individual: Vec<bool>,
    /// Logarithms of shares, by attribute and value; empty if no frequency counts.
    shares: Vec<Vec<f32>>,
}

#[derive(Debug, Clone, Copy)]
struct Weight {
    of: [f32; 3],
    learnt: f32,
    usual: f32,
    frequency: Option<usize>,
}

/// The maximum number of bits that rarity adds or frequency subtracts.
const RARITY: f32 = 12.0;

/// The log-likelihoods of the classes match, related and unrelated, including priors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum(pub [f32; 3]);

impl Sum {
    /// The logarithm of the odds for a match.
    pub fn score(self) -> f32 {
        let [m, r, u] = self.0;
        let (high, low) = if r > u { (r, u) } else { (u, r) };
        m - high - (1.0 + (low - high).exp2()).log2()
    }

    /// The score if it reaches a threshold. Most pairs are rejected before any logarithm is computed.
    pub fn at_least(self, least: f32) -> Option<f32> {
        let [m, r, u] = self.0;
        if m - r.max(u) < least {
            return None;
        }
        Some(self.score()).filter(|score| *score >= least)
    }

    /// Adds the evidence of a comparison.
    pub fn add(&mut self, part: [f32; 3]) {
        for (sum, part) in self.0.iter_mut().zip(part) {
            *sum += part;
        }
    }

    /// The probability of a match.
    pub fn probability(self) -> f64 {
        1.0 / (1.0 + f64::from(-self.score()).exp2())
    }
}

impl Population {
    /// How many bits the rarity of a value adds when a comparison reaches a level.
    pub fn rarity(&self, comparison: usize, level: usize, attribute: &str, value: &str) -> f32 {
        let usual = self.comparisons[comparison].levels[level].usual;
        let (Some(usual), Some(known)) = (usual, self.frequencies.get(attribute)) else {
            return 0.0;
        };
        let rarity = usual.log2() as f32 - known.share(value).log2() as f32;
        rarity.clamp(-RARITY, RARITY)
    }
}

impl Scorer {
    /// Prepares a model for the values of a base.
    pub fn new(model: &Model, comparisons: &Comparisons, layout: &Layout, base: &Base) -> Self {
        let populations = model
            .populations
            .iter()
            .enumerate()
            .map(|(number, population)| {
                let unrelated = (1.0 - population.matching - population.related).max(1e-9);
                let levels = population.comparisons.iter().zip(&comparisons.list).map(
                    |(weights, comparison)| {
                        let of = weights.levels.iter().zip(&comparison.levels);
                        of.map(|(weight, level)| Weight {
                            of: [weight.m, weight.r, weight.u].map(|share| share.log2() as f32),
                            learnt: weight.learnt as f32,
                            usual: weight.usual.map_or(0.0, |usual| usual.log2() as f32),
                            frequency: level.frequency.filter(|_| weight.usual.is_some()),
                        })
                        .collect()
                    },
                );
                let shift = population.shift.exp2();
                Weights {
                    prior: [population.matching * shift, population.related, unrelated]
                        .map(|share| share.log2() as f32),
                    levels: levels.collect(),
                    scales: population
                        .comparisons
                        .iter()
                        .map(|weights| weights.scale as f32)
                        .collect(),
                    shares: shares(population, comparisons.frequencies(number), layout, base),
                    individual: comparisons
                        .list
                        .iter()
                        .map(|comparison| comparison.individual)
                        .collect(),
                }
            });
        Self {
            populations: populations.collect(),
        }
    }

    /// How many bits the rarity of the value adds in a comparison.
    pub fn rarity(&self, reached: &Reached, comparison: usize) -> f32 {
        let level = reached.pattern.level(comparison);
        if level == MISSING {
            return 0.0;
        }
        let weights = &self.populations[reached.population];
        let weight = &weights.levels[comparison][usize::from(level)];
        let value = reached.values[comparison];
        match weight.frequency {
            Some(at) if value != 0 => {
                (weight.usual - weights.shares[at][value as usize]).clamp(-RARITY, RARITY)
            }
            _ => 0.0,
        }
    }

    /// The evidence of a comparison for each class, including the value's rarity.
    pub fn part(&self, reached: &Reached, comparison: usize) -> [f32; 3] {
        let level = reached.pattern.level(comparison);
        if level == MISSING {
            return [0.0; 3];
        }
        self.part_of(
            reached.population,
            comparison,
            level,
            self.rarity(reached, comparison),
        )
    }

    /// The evidence of a level for each class, with this many bits for the value's rarity.
    pub fn part_of(
        &self,
        population: usize,
        comparison: usize,
        level: u8,
        rarity: f32,
    ) -> [f32; 3] {
        if level == MISSING {
            return [0.0; 3];
        }
        let weights = &self.populations[population];
        let Weight {
            of: [m, r, u],
            learnt,
            ..
        } = weights.levels[comparison][usize::from(level)];
        let related = if weights.individual[comparison] {
            r - rarity
        } else {
            r
        };
        let scale = weights.scales[comparison];
        [m * scale + learnt, related * scale, (u - rarity) * scale]
    }

    /// How many bits the `individual` comparisons give against a match, without any prior.
    pub fn apart(&self, reached: &Reached) -> f32 {
        let weights = &self.populations[reached.population];
        let individual =
            (0..weights.levels.len()).filter(|comparison| weights.individual[*comparison]);
        individual
            .map(|comparison| self.part(reached, comparison))
            .map(|[m, r, _]| r - m)
            .sum()
    }

    /// The priors of a population.
    pub fn prior(&self, population: usize) -> [f32; 3] {
        self.populations[population].prior
    }

    /// The evidence of all comparisons.
    pub fn sum(&self, reached: &Reached) -> Sum {
        let weights = &self.populations[reached.population];
        let mut sum = Sum(weights.prior);
        for comparison in 0..weights.levels.len() {
            sum.add(self.part(reached, comparison));
        }
        sum
    }
}

/// The logarithms of the shares of values, for attributes whose frequency counts.
fn shares(
    population: &Population,
    counted: impl Iterator<Item = usize>,
    layout: &Layout,
    base: &Base,
) -> Vec<Vec<f32>> {
    let mut shares = vec![Vec::new(); base.columns.len()];
    for at in counted {
        if let Some(known) = population.frequencies.get(&layout.attributes[at].name) {
            shares[at] = known.logarithms(&base.columns[at]);
        }
    }
    shares
}
