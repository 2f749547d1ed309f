//! The comparisons of a specification, ready to be held against pairs.

use super::condition::{Condition, ConditionError, parse};
use super::facts::Facts;
use super::pair::Pair;
use crate::base::Base;
use crate::blocking::Key;
use crate::profile::Layout;
use crate::spec::Spec;

/// The level of a comparison that says nothing.
pub const MISSING: u8 = 15;

/// The levels a pair reached, four bits per comparison, and the number of its population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(pub u64);

impl Pattern {
    /// The level of a comparison.
    pub fn level(self, comparison: usize) -> u8 {
        (self.0 >> (4 * comparison) & 15) as u8
    }
}

/// A level ready to be asked for.
#[derive(Debug, Clone)]
pub struct Level {
    /// Its label.
    pub label: String,
    /// When it holds; always without one.
    pub when: Option<Condition>,
    /// Whether it speaks against a match whatever the training says.
    pub against: bool,
    /// Whether members of one group reach it more often than chance.
    pub kin: bool,
    /// The attribute whose rarity counts.
    pub frequency: Option<usize>,
    /// Whether the value that counts is shared, and not the rarer of two.
    pub is_equal: bool,
}

/// A comparison ready to be made.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Its name.
    pub name: String,
    /// Whether it concerns the population of that number.
    pub among: Vec<bool>,
    /// When it says nothing.
    pub missing: Condition,
    /// Whether it tells members of a group apart.
    pub individual: bool,
    /// Pairs for which this holds have levels of their own: the second half of the list.
    pub beside: Option<Condition>,
    /// Its levels.
    pub levels: Vec<Level>,
}

/// All comparisons of a specification.
#[derive(Debug, Clone)]
pub struct Comparisons {
    /// The comparisons.
    pub list: Vec<Comparison>,
    /// The populations: name and condition.
    pub populations: Vec<(String, Option<Condition>)>,
}

/// What a pair reached.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// The number of its population.
    pub population: usize,
    /// Its levels.
    pub pattern: Pattern,
    /// The value whose rarity counts, per comparison.
    pub values: [u32; 15],
}

impl Comparisons {
    /// Compiles the comparisons of a specification.
    pub fn compile(spec: &Spec, layout: &Layout) -> Result<Self, ConditionError> {
        let attribute = |name: &str| layout.attribute(name);
        let read = |text: &String| parse(text, &attribute);
        let fault = |text: &str, fault: &str| ConditionError {
            text: text.to_owned(),
            fault: fault.to_owned(),
        };
        let mut populations = Vec::new();
        for population in &spec.populations {
            populations.push((
                population.population.clone(),
                population.when.as_ref().map(read).transpose()?,
            ));
        }
        if populations.last().is_none_or(|(_, when)| when.is_some()) {
            populations.push((
                if populations.is_empty() {
                    "all"
                } else {
                    "other"
                }
                .to_owned(),
                None,
            ));
        }
        if spec.comparisons.len() > 15 {
            return Err(fault(
                "comparisons",
                "at most 15 are possible; join some into one",
            ));
        }
        let mut list = Vec::new();
        for comparison in &spec.comparisons {
            if let Some(unknown) = comparison
                .among
                .iter()
                .find(|name| populations.iter().all(|(known, _)| known != *name))
            {
                return Err(fault(unknown, "is no declared population"));
            }
            if comparison.levels.is_empty() || comparison.levels.len() > 14 {
                return Err(fault(
                    &comparison.comparison,
                    "has no level, or more than 14",
                ));
            }
            let mut levels = Vec::new();
            for level in &comparison.levels {
                let frequency = level.frequency.as_ref().map(|name| {
                    attribute(name)
                        .ok_or_else(|| fault(name, "is no attribute of the declared fields"))
                });
                let frequency = frequency.transpose()?;
                let when = level.when.as_ref().map(read).transpose()?;
                let is_equal = when
                    .as_ref()
                    .is_some_and(|when| frequency.is_some_and(|at| needs_equal(when, at)));
                levels.push(Level {
                    label: level.level.clone(),
                    when,
                    against: level.against,
                    kin: level.kin,
                    frequency,
                    is_equal,
                });
            }
            if levels.last().is_some_and(|level| level.when.is_some()) {
                levels.push(Level {
                    label: "different".to_owned(),
                    when: None,
                    against: true,
                    kin: false,
                    frequency: None,
                    is_equal: false,
                });
            }
            let beside = comparison.beside.as_ref().map(read).transpose()?;
            if beside.is_some() {
                if levels.len() > 7 {
                    return Err(fault(
                        &comparison.comparison,
                        "has more than 7 levels beside another attribute",
                    ));
                }
                let again: Vec<Level> = levels
                    .iter()
                    .map(|level| Level {
                        label: format!("{} beside", level.label),
                        ..level.clone()
                    })
                    .collect();
                levels.extend(again);
            }
            let all = comparison.among.is_empty();
            let among = populations
                .iter()
                .map(|(name, _)| all || comparison.among.contains(name))
                .collect();
            list.push(Comparison {
                name: comparison.comparison.clone(),
                among,
                missing: read(&comparison.missing)?,
                individual: comparison.individual,
                beside,
                levels,
            });
        }
        Ok(Self { list, populations })
    }

    /// All conditions, for the facts they need.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let levels = self.list.iter().flat_map(|comparison| {
            std::iter::once(&comparison.missing)
                .chain(&comparison.beside)
                .chain(
                    comparison
                        .levels
                        .iter()
                        .filter_map(|level| level.when.as_ref()),
                )
        });
        levels.chain(
            self.populations
                .iter()
                .filter_map(|(_, when)| when.as_ref()),
        )
    }

    /// The attributes whose frequencies count in a population, each once.
    pub fn frequencies(&self, population: usize) -> impl Iterator<Item = usize> {
        let concerned = self
            .list
            .iter()
            .filter(move |comparison| comparison.among[population]);
        let all = concerned
            .flat_map(|comparison| comparison.levels.iter().filter_map(|level| level.frequency));
        all.collect::<std::collections::BTreeSet<usize>>()
            .into_iter()
    }

    /// Which levels hold only for pairs that a blocking key of one attribute brings together.
    pub fn covered(&self, keys: &[Key]) -> Vec<Vec<bool>> {
        let alone: Vec<usize> = keys.iter().filter_map(Key::attribute).collect();
        let covers = |level: &Level| {
            level
                .when
                .as_ref()
                .is_some_and(|when| alone.iter().any(|at| needs_equal(when, *at)))
        };
        self.list
            .iter()
            .map(|comparison| comparison.levels.iter().map(covers).collect())
            .collect()
    }

    /// The number of a pair's population.
    pub fn population(&self, base: &Base, facts: &Facts, one: u32, other: u32) -> usize {
        let pair = Pair {
            base,
            facts,
            one,
            other,
        };
        let holds = |(_, when): &(String, Option<Condition>)| {
            when.as_ref().is_none_or(|when| pair.holds(when))
        };
        self.populations.iter().position(holds).unwrap_or_default()
    }

    /// What a pair reaches.
    pub fn reach(&self, base: &Base, facts: &Facts, one: u32, other: u32) -> Reached {
        let pair = Pair {
            base,
            facts,
            one,
            other,
        };
        let population = self.population(base, facts, one, other);
        let mut pattern = (population as u64) << 60;
        let mut values = [0; 15];
        for (at, comparison) in self.list.iter().enumerate() {
            let level = if comparison.among[population] {
                comparison.level(&pair)
            } else {
                MISSING
            };
            pattern |= u64::from(level) << (4 * at);
            if level == MISSING {
                continue;
            }
            let reached = &comparison.levels[usize::from(level)];
            if let Some(frequency) = reached.frequency {
                values[at] = if reached.is_equal {
                    pair.shared(frequency)
                } else {
                    pair.rarer(frequency)
                }
                .unwrap_or_default();
            }
        }
        Reached {
            population,
            pattern: Pattern(pattern),
            values,
        }
    }
}

impl Comparison {
    fn level(&self, pair: &Pair) -> u8 {
        if pair.holds(&self.missing) {
            return MISSING;
        }
        let level = self
            .levels
            .iter()
            .position(|level| level.when.as_ref().is_none_or(|when| pair.holds(when)));
        let Some(level) = level else { return MISSING };
        let second = self
            .beside
            .as_ref()
            .is_some_and(|beside| pair.holds(beside));
        (if second {
            level + self.levels.len() / 2
        } else {
            level
        }) as u8
    }

    /// The levels whose shares add up to one with those of this level.
    pub fn half(&self, level: usize) -> std::ops::Range<usize> {
        let half = self.levels.len() / 2;
        match &self.beside {
            None => 0..self.levels.len(),
            Some(_) if level < half => 0..half,
            Some(_) => half..self.levels.len(),
        }
    }
}

/// Whether a condition can hold only where the attribute is equal.
fn needs_equal(condition: &Condition, attribute: usize) -> bool {
    match condition {
        Condition::Holds(super::condition::Test::Equal(at)) => *at == attribute,
        Condition::All(list) => list.iter().any(|inner| needs_equal(inner, attribute)),
        _ => false,
    }
}
