//! The compiled conditions of all comparisons, in flat form.

use super::condition::Condition;
use super::flat::Flat;
use super::level::{Comparison, MISSING};
use super::named::Named;
use super::pair::Pair;

/// The conditions in flat form.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) named: Named,
    populations: Vec<Option<Flat>>,
    pub(super) comparisons: Vec<AskedComparison>,
}

#[derive(Debug, Clone)]
pub(super) struct AskedComparison {
    missing: Flat,
    beside: Option<Flat>,
    levels: Vec<Option<Flat>>,
}

impl Asked {
    pub(super) fn of(list: &[Comparison], populations: &[(String, Option<Condition>)]) -> Self {
        let mut asked = Self::default();
        let named = &mut asked.named;
        for (_, when) in populations {
            let flat = when.as_ref().map(|when| Flat::of(when, named));
            asked.populations.push(flat);
        }
        for comparison in list {
            // The second half of the levels (for `beside`) has the same conditions as the first.
            let half = comparison.half(0);
            let levels = comparison.levels[half].iter();
            asked.comparisons.push(AskedComparison {
                missing: Flat::of(&comparison.missing, named),
                beside: comparison
                    .beside
                    .as_ref()
                    .map(|beside| Flat::of(beside, named)),
                levels: levels
                    .map(|level| level.when.as_ref().map(|when| Flat::of(when, named)))
                    .collect(),
            });
        }
        asked
    }

    pub(super) fn population(&self, pair: &mut Pair) -> usize {
        let holds = |when: &Option<Flat>| when.as_ref().is_none_or(|when| when.holds(pair));
        self.populations.iter().position(holds).unwrap_or_default()
    }
}

impl AskedComparison {
    pub(super) fn level(&self, pair: &mut Pair) -> u8 {
        if self.missing.holds(pair) {
            return MISSING;
        }
        let holds = |when: &Option<Flat>| when.as_ref().is_none_or(|when| when.holds(pair));
        let Some(level) = self.levels.iter().position(holds) else {
            return MISSING;
        };
        let second = self
            .beside
            .as_ref()
            .is_some_and(|beside| beside.holds(pair));
        (level + if second { self.levels.len() } else { 0 }) as u8
    }
}
