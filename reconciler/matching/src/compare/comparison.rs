//! The comparisons of a specification, compiled.

use super::asked::Asked;
use super::condition::{Condition, ConditionError, parse};
use super::facts::Facts;
use super::level::{Comparison, Level, MISSING, Pattern};
use super::pair::Pair;
use crate::base::Base;
use crate::blocking::{Key, KeyReport};
use crate::profile::Layout;
use crate::spec::{ComparisonSpec, Spec};

/// All comparisons of a specification.
#[derive(Debug, Clone)]
pub struct Comparisons {
    /// The comparisons.
    pub list: Vec<Comparison>,
    /// The populations: name and condition.
    pub populations: Vec<(String, Option<Condition>)>,
    /// The same conditions in flat form.
    asked: Asked,
}

/// The levels that a pair reached.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// The number of its population.
    pub population: usize,
    /// Its levels.
    pub pattern: Pattern,
    /// The value whose frequency counts, per comparison.
    pub values: [u32; 15],
}

impl Comparisons {
    /// Compiles the comparisons of a specification.
    pub fn compile(spec: &Spec, layout: &Layout) -> Result<Self, ConditionError> {
        let read = |text: &String| parse(text, &|name| layout.attribute(name));
        let mut populations = Vec::new();
        for population in &spec.populations {
            let when = population.when.as_ref().map(read).transpose()?;
            populations.push((population.population.clone(), when));
        }
        if populations.last().is_none_or(|(_, when)| when.is_some()) {
            let name = if populations.is_empty() {
                "all"
            } else {
                "other"
            };
            populations.push((name.to_owned(), None));
        }
        if spec.comparisons.len() > 15 {
            return Err(fault(
                "comparisons",
                "at most 15 are possible; join some into one",
            ));
        }
        let compiled = spec.comparisons.iter().map(|declared| {
            let unknown = |name: &&String| populations.iter().all(|(known, _)| known != *name);
            if let Some(unknown) = declared.among.iter().find(unknown) {
                return Err(fault(unknown, "is no declared population"));
            }
            let all = declared.among.is_empty();
            let among = populations
                .iter()
                .map(|(name, _)| all || declared.among.contains(name));
            Ok(Comparison {
                name: declared.comparison.clone(),
                among: among.collect(),
                missing: read(&declared.missing)?,
                individual: declared.individual,
                beside: declared.beside.as_ref().map(read).transpose()?,
                levels: levels(declared, layout)?,
            })
        });
        let list: Vec<Comparison> = compiled.collect::<Result<_, _>>()?;
        let mut asked = Asked::of(&list, &populations);
        if asked.named.attributes.len() > 64 {
            return Err(fault(
                "comparisons",
                "name more than 64 attributes; leave some out",
            ));
        }
        asked.named.settle(layout);
        Ok(Self {
            list,
            populations,
            asked,
        })
    }

    /// All conditions; the facts depend on them.
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

    /// The attributes whose value frequencies count in a population, without duplicates.
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

    /// The levels that only pairs sharing a blocking key of one attribute can reach. A key that ignored
    /// blocks counts only if its attribute is shared within groups, because those blocks are sampled for
    /// training.
    pub fn covered(&self, keys: &[Key], reports: &[KeyReport]) -> Vec<Vec<bool>> {
        let complete = |(key, report): (&Key, &KeyReport)| {
            let attribute = key.attribute()?;
            (report.pairs_left_out == 0 || self.is_shared(attribute)).then_some(attribute)
        };
        let alone: Vec<usize> = keys.iter().zip(reports).filter_map(complete).collect();
        let covers = |level: &Level| {
            let when = level.when.as_ref();
            when.is_some_and(|when| alone.iter().any(|at| needs_equal(when, *at)))
        };
        self.list
            .iter()
            .map(|comparison| comparison.levels.iter().map(covers).collect())
            .collect()
    }

    /// Whether equality of an attribute is a level of a comparison that is not `individual`.
    pub fn is_shared(&self, attribute: usize) -> bool {
        let others = self.list.iter().filter(|comparison| !comparison.individual);
        let mut conditions = others.flat_map(|comparison| {
            comparison
                .levels
                .iter()
                .filter_map(|level| level.when.as_ref())
        });
        conditions.any(|when| needs_equal(when, attribute))
    }

    /// Prefetches the data for comparing these records: memory is slow to answer one read, but answers many
    /// at once.
    pub fn fetch(&self, base: &Base, facts: &Facts, records: impl Iterator<Item = u32> + Clone) {
        let named = &self.asked.named;
        let mut touched = 0;
        for record in records.clone() {
            touched ^= base.touch(record);
        }
        for record in records {
            for attribute in &named.texts {
                let id = base.one(*attribute, record);
                touched ^= base.columns[*attribute].brief(id).symbols;
            }
            for attribute in &named.facts {
                touched ^= facts.touch(*attribute, base.one(*attribute, record));
            }
        }
        std::hint::black_box(touched);
    }

    /// Computes the levels of many pairs, one after the other.
    pub fn reach_each(
        &self,
        base: &Base,
        facts: &Facts,
        pairs: &[(u32, u32)],
        mut told: impl FnMut(&Reached),
    ) {
        for pairs in pairs.chunks(64) {
            let records = pairs.iter().flat_map(|(one, other)| [*one, *other]);
            self.fetch(base, facts, records);
            for (one, other) in pairs {
                told(&self.reach(base, facts, *one, *other));
            }
        }
    }

    /// The number of a pair's population.
    pub fn population(&self, base: &Base, facts: &Facts, one: u32, other: u32) -> usize {
        self.asked
            .population(&mut self.pair(base, facts, one, other))
    }

    fn pair<'a>(&'a self, base: &'a Base, facts: &'a Facts, one: u32, other: u32) -> Pair<'a> {
        Pair::new(base, facts, &self.asked.named, one, other)
    }

    /// Computes the levels of a pair.
    pub fn reach(&self, base: &Base, facts: &Facts, one: u32, other: u32) -> Reached {
        let mut pair = self.pair(base, facts, one, other);
        let population = self.asked.population(&mut pair);
        let mut pattern = (population as u64) << 60;
        let mut values = [0; 15];
        for (at, comparison) in self.list.iter().enumerate() {
            let level = if comparison.among[population] {
                self.asked.comparisons[at].level(&mut pair)
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

fn fault(text: &str, fault: &str) -> ConditionError {
    ConditionError {
        text: text.to_owned(),
        fault: fault.to_owned(),
    }
}

/// The levels of a comparison; twice if it has `beside`.
fn levels(declared: &ComparisonSpec, layout: &Layout) -> Result<Vec<Level>, ConditionError> {
    if declared.levels.is_empty() || declared.levels.len() > 13 {
        return Err(fault(&declared.comparison, "has no level, or more than 13"));
    }
    let mut levels = Vec::new();
    for level in &declared.levels {
        let when = level
            .when
            .as_ref()
            .map(|text| parse(text, &|name| layout.attribute(name)))
            .transpose()?;
        let frequency = match &level.frequency {
            Some(name) => {
                let known = layout.attribute(name);
                Some(known.ok_or_else(|| fault(name, "is no attribute of the declared fields"))?)
            }
            None => None,
        };
        let is_equal = when
            .as_ref()
            .is_some_and(|when| frequency.is_some_and(|at| needs_equal(when, at)));
        let label = level.level.clone();
        levels.push(Level {
            label,
            when,
            against: level.against,
            kin: level.kin,
            frequency,
            is_equal,
        });
    }
    if levels.last().is_some_and(|level| level.when.is_some()) {
        let label = "different".to_owned();
        levels.push(Level {
            label,
            when: None,
            against: true,
            kin: false,
            frequency: None,
            is_equal: false,
        });
    }
    if declared.beside.is_some() {
        if levels.len() > 7 {
            return Err(fault(
                &declared.comparison,
                "has more than 7 levels beside another attribute",
            ));
        }
        let beside = |level: &Level| Level {
            label: format!("{} beside", level.label),
            // The rarity of a name and of a domain made of it counts once, in the other comparison.
            frequency: None,
            ..level.clone()
        };
        let again: Vec<Level> = levels.iter().map(beside).collect();
        levels.extend(again);
    }
    Ok(levels)
}

/// Whether a condition holds only if the attribute is equal.
fn needs_equal(condition: &Condition, attribute: usize) -> bool {
    match condition {
        Condition::Holds(super::condition::Test::Equal(at)) => *at == attribute,
        Condition::All(list) => list.iter().any(|inner| needs_equal(inner, attribute)),
        _ => false,
    }
}
