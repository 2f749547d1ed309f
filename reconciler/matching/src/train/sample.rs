//! Samples of pairs for training: random ones, and a share of the blocked ones.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::Base;
use crate::blocking::Blocks;
use crate::compare::{Comparisons, Facts, MISSING, Pattern, Reached};
use crate::model::{Model, Scorer};
use crate::profile::Layout;

/// The number of random pairs.
const RANDOM: u64 = 600_000;
/// The approximate maximum number of blocked pairs.
const BLOCKED: u64 = 1_000_000;

/// The levels that random pairs reach, per population.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The number of pairs.
    pub looked_at: f64,
    /// The share of all pairs in each population.
    pub shares: Vec<f64>,
    /// The number of pairs in each population.
    pub pairs: Vec<f64>,
    /// The number that reached each level of each comparison, by population.
    pub levels: Vec<Vec<Vec<f64>>>,
    /// The mean inverse share of the values whose frequency counts, by population, comparison and level.
    pub inverse: Vec<Vec<Vec<f64>>>,
}

/// A pseudo-random number from a counter, always the same.
pub(super) fn mixed(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Samples random pairs of all records, and of those within each population. The selection depends only on
/// the number of records.
///
/// `own` is the population of each record by itself.
pub fn random(base: &Base, facts: &Facts, comparisons: &Comparisons, own: &[usize]) -> Seen {
    let everyone: Vec<u32> = (0..base.records).collect();
    let mut seen = looked_at(base, facts, comparisons, &everyone, 0);
    if comparisons.populations.len() > 1 {
        for population in 0..comparisons.populations.len() {
            let members: Vec<u32> = everyone
                .iter()
                .copied()
                .filter(|record| own[*record as usize] == population)
                .collect();
            if members.len() > 1 && members.len() * 2 < everyone.len() {
                let within = looked_at(base, facts, comparisons, &members, 1 + population as u64);
                seen.take_levels(&within, population);
            }
        }
    }
    seen
}

fn looked_at(
    base: &Base,
    facts: &Facts,
    comparisons: &Comparisons,
    among: &[u32],
    salt: u64,
) -> Seen {
    let records = among.len() as u64;
    let wanted = RANDOM.min(records * records);
    let chunks = 64_u64;
    let parts: Vec<Seen> = (0..chunks)
        .into_par_iter()
        .map(|chunk| {
            let mut seen = Seen::empty(comparisons);
            let drawn = |number: u64| among[(mixed(number ^ salt << 40) % records) as usize];
            let turns = (chunk * wanted / chunks)..((chunk + 1) * wanted / chunks);
            let pairs = turns.map(|turn| (drawn(turn * 2), drawn(turn * 2 + 1)));
            let pairs: Vec<(u32, u32)> = pairs
                .filter(|(one, other)| one != other && base.comparable(*one, *other))
                .collect();
            comparisons.reach_each(base, facts, &pairs, |reached| {
                seen.count(comparisons, base, reached)
            });
            seen
        })
        .collect();
    let mut all = Seen::empty(comparisons);
    parts.iter().for_each(|part| all.add(part));
    all.shares = all
        .pairs
        .iter()
        .map(|pairs| pairs / all.looked_at.max(1.0))
        .collect();
    all
}

impl Seen {
    fn empty(comparisons: &Comparisons) -> Self {
        let levels: Vec<Vec<f64>> = comparisons
            .list
            .iter()
            .map(|comparison| vec![0.0; comparison.levels.len()])
            .collect();
        let populations = comparisons.populations.len();
        Self {
            looked_at: 0.0,
            shares: vec![0.0; populations],
            pairs: vec![0.0; populations],
            levels: vec![levels.clone(); populations],
            inverse: vec![levels; populations],
        }
    }

    fn count(&mut self, comparisons: &Comparisons, base: &Base, reached: &Reached) {
        self.looked_at += 1.0;
        self.pairs[reached.population] += 1.0;
        for (at, comparison) in comparisons.list.iter().enumerate() {
            let level = usize::from(reached.pattern.level(at));
            if level == usize::from(MISSING) {
                continue;
            }
            self.levels[reached.population][at][level] += 1.0;
            if let Some(frequency) = comparison.levels[level].frequency {
                let count = base.columns[frequency].counts[reached.values[at] as usize].max(3);
                self.inverse[reached.population][at][level] += 1.0 / f64::from(count);
            }
        }
    }

    fn take_levels(&mut self, within: &Self, population: usize) {
        if within.pairs[population] > self.pairs[population] {
            self.pairs[population] = within.pairs[population];
            self.levels[population].clone_from(&within.levels[population]);
            self.inverse[population].clone_from(&within.inverse[population]);
        }
    }

    fn add(&mut self, other: &Self) {
        self.looked_at += other.looked_at;
        self.pairs
            .iter_mut()
            .zip(&other.pairs)
            .for_each(|(sum, part)| *sum += part);
        for (sums, parts) in [
            (&mut self.levels, &other.levels),
            (&mut self.inverse, &other.inverse),
        ] {
            let sums = sums.iter_mut().flatten().flatten();
            sums.zip(parts.iter().flatten().flatten())
                .for_each(|(sum, part)| *sum += part);
        }
    }
}

/// Distinct patterns of blocked pairs with the bits that rarity adds (all comparisons, `individual` ones),
/// and their counts.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    /// The patterns in order.
    pub list: Vec<(PatternKey, f64)>,
}

/// A pattern and the rarity of its values in half bits, for unrelated and for related pairs.
pub type PatternKey = (Pattern, i16, i16);

/// Counts the patterns of a share of the blocked pairs. A record's position alone selects it, so the result
/// does not depend on threads.
pub fn blocked(
    model: &Model,
    comparisons: &Comparisons,
    layout: &Layout,
    base: &Base,
    facts: &Facts,
    blocks: &Blocks,
) -> Patterns {
    let scorer = Scorer::new(model, comparisons, layout, base);
    let estimate = estimated_pairs(base, blocks);
    let one_in = (estimate / BLOCKED).max(1);
    let chunk = 4096_u32;
    let parts: Vec<FxHashMap<PatternKey, u32>> = (0..base.records.div_ceil(chunk))
        .into_par_iter()
        .map(|number| {
            let mut counts: FxHashMap<PatternKey, u32> = FxHashMap::default();
            let mut partners = Vec::new();
            for record in number * chunk..((number + 1) * chunk).min(base.records) {
                if !mixed(u64::from(record)).is_multiple_of(one_in) {
                    continue;
                }
                blocks.partners(base, record, &mut partners);
                comparisons.fetch(base, facts, partners.iter().map(|(record, _)| *record));
                for (other, _) in &partners {
                    let reached = comparisons.reach(base, facts, record, *other);
                    *counts
                        .entry(key(comparisons, &scorer, &reached))
                        .or_default() += 1;
                }
            }
            counts
        })
        .collect();
    let mut all: FxHashMap<PatternKey, f64> = FxHashMap::default();
    for (key, count) in parts.into_iter().flatten() {
        *all.entry(key).or_default() += f64::from(count) * one_in as f64;
    }
    for (key, weight) in left_out(&scorer, comparisons, base, facts, blocks) {
        *all.entry(key).or_default() += weight;
    }
    let mut list: Vec<_> = all.into_iter().collect();
    list.par_sort_unstable_by_key(|(key, _)| *key);
    Patterns { list }
}

fn key(comparisons: &Comparisons, scorer: &Scorer, reached: &Reached) -> PatternKey {
    let (mut all, mut individual) = (0.0_f32, 0.0_f32);
    for (at, comparison) in comparisons.list.iter().enumerate() {
        let rarity = scorer.rarity(reached, at);
        all += rarity;
        if comparison.individual {
            individual += rarity;
        }
    }
    (
        reached.pattern,
        (all * 2.0).round() as i16,
        (individual * 2.0).round() as i16,
    )
}

/// The maximum weight of a sampled pair: a greater one would decide by itself.
const EACH: f64 = 1000.0;

/// A few pairs of every ignored block represent all of its pairs: otherwise attributes that unrelated records
/// share would seem rare.
fn left_out(
    scorer: &Scorer,
    comparisons: &Comparisons,
    base: &Base,
    facts: &Facts,
    blocks: &Blocks,
) -> Vec<(PatternKey, f64)> {
    const LEAST: u64 = 24;
    const MOST: u64 = 20_000;
    let sampled = |(attribute, members): &(usize, Vec<u32>)| {
        if !comparisons.is_shared(*attribute) {
            return Vec::new();
        }
        let count = members.len() as u64;
        let pairs = (count * (count - 1) / 2) as f64;
        let drawn = |number: u64| members[(mixed(number) % count) as usize];
        let turns = 0..((pairs / EACH) as u64).clamp(LEAST, MOST);
        let sample = turns.map(|turn| (drawn(turn * 2), drawn(turn * 2 + 1)));
        let sample: Vec<(u32, u32)> = sample
            .filter(|(one, other)| one != other && base.comparable(*one, *other))
            .map(|(one, other)| (one.min(other), one.max(other)))
            .collect();
        let mut found = Vec::with_capacity(sample.len());
        comparisons.reach_each(base, facts, &sample, |reached| {
            found.push((key(comparisons, scorer, reached), pairs));
        });
        let share = 1.0 / found.len().max(1) as f64;
        found.iter_mut().for_each(|(_, weight)| *weight *= share);
        found
    };
    let parts: Vec<_> = blocks.left_out().par_iter().map(sampled).collect();
    parts.concat()
}

fn estimated_pairs(base: &Base, blocks: &Blocks) -> u64 {
    let step = (base.records / 2000).max(1);
    let mut partners = Vec::new();
    let (mut pairs, mut looked_at) = (0_u64, 0_u64);
    for record in (0..base.records).step_by(step as usize) {
        blocks.partners(base, record, &mut partners);
        pairs += partners.len() as u64;
        looked_at += 1;
    }
    pairs * u64::from(base.records) / looked_at.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::spec::Spec;
    use crate::tests::records::{Row, SPEC, written};

    #[test]
    fn a_large_block_is_sampled_by_its_size() {
        let row = |person: usize| {
            let id = format!("r{person:04}");
            Row {
                line: format!("{id},\"Anabel Aubertin{person}\",514 555 0101,Alma"),
                id,
                person,
            }
        };
        let rows: Vec<Row> = (0..2000).map(row).collect();
        let path = written(&rows, "large-block");
        let spec = Spec::parse(SPEC).expect("a specification");
        let batch = Batch::read(&spec, &[&path], None, &mut |_| {}).expect("a batch");
        let model = batch.train(&spec);
        let scorer = Scorer::new(&model, &batch.comparisons, &batch.layout, &batch.base);
        let (comparisons, facts) = (&batch.comparisons, &batch.facts);
        let sample = left_out(&scorer, comparisons, &batch.base, facts, &batch.blocks);
        let weights = sample.iter().map(|(_, weight)| *weight);
        let all: f64 = weights.clone().sum();
        assert!((all - 1_999_000.0).abs() < 1.0, "{all}");
        // A pair of a record with itself is skipped.
        let most = weights.fold(0.0, f64::max);
        assert!(most < 1.01 * EACH, "{most}");
    }
}
