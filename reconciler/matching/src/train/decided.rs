//! Pairs that people decided, as training data.

use serde::Deserialize;

use crate::base::Base;
use crate::compare::{Comparisons, Facts, MISSING, Pattern};
use crate::model::{Model, Scorer};
use crate::profile::Layout;

/// A decided pair whose records are available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// One record.
    pub one: u32,
    /// The other.
    pub other: u32,
    /// Whether they match.
    pub is_match: bool,
}

/// A decided pair whose records are gone or changed: the evidence that the person saw, in the form of
/// `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The evidence.
    pub evidence: Evidence,
    /// Whether they match.
    pub is_match: bool,
}

/// The part of an explanation without weights.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Evidence {
    /// The population.
    pub population: String,
    /// The comparisons in their order.
    pub steps: Vec<EvidenceStep>,
}

/// The part of a comparison's explanation without weights.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EvidenceStep {
    /// The comparison.
    pub comparison: String,
    /// The level it reached; `None` if the comparison does not apply.
    pub level: Option<String>,
    /// The value whose frequency counted.
    #[serde(default)]
    pub value: Option<String>,
}

/// The levels that a decided pair reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) population: usize,
    pub(super) pattern: Pattern,
    /// How many bits the rarity of a value adds, per comparison.
    pub(super) rarity: [f32; 15],
    pub(super) is_match: bool,
}

impl Known {
    /// Computes the levels of two records.
    pub(super) fn of_records(
        scorer: &Scorer,
        comparisons: &Comparisons,
        base: &Base,
        facts: &Facts,
        label: &Label,
    ) -> Self {
        let reached = comparisons.reach(base, facts, label.one, label.other);
        let mut rarity = [0.0; 15];
        for (at, rarity) in rarity[..comparisons.list.len()].iter_mut().enumerate() {
            *rarity = scorer.rarity(&reached, at);
        }
        Self {
            population: reached.population,
            pattern: reached.pattern,
            rarity,
            is_match: label.is_match,
        }
    }

    /// The levels that a pair reached when it was decided; `None` if the comparisons have changed since.
    pub(super) fn of_evidence(
        model: &Model,
        comparisons: &Comparisons,
        layout: &Layout,
        decided: &Decided,
    ) -> Option<Self> {
        let evidence = &decided.evidence;
        let mut names = comparisons.populations.iter();
        let population = names.position(|(name, _)| *name == evidence.population)?;
        let mut known = Self {
            population,
            pattern: Pattern((population as u64) << 60),
            rarity: [0.0; 15],
            is_match: decided.is_match,
        };
        for (at, comparison) in comparisons.list.iter().enumerate() {
            let mut level = MISSING;
            if comparison.among[population] {
                let mut steps = evidence.steps.iter();
                let step = steps.find(|step| step.comparison == comparison.name)?;
                if let Some(label) = &step.level {
                    let mut levels = comparison.levels.iter();
                    let place = levels.position(|level| level.label == *label)?;
                    level = place as u8;
                    let attribute = comparison.levels[place].frequency;
                    if let (Some(attribute), Some(value)) = (attribute, &step.value) {
                        let name = &layout.attributes[attribute].name;
                        known.rarity[at] =
                            model.populations[population].rarity(at, place, name, value);
                    }
                }
            }
            known.pattern.0 |= u64::from(level) << (4 * at);
        }
        let concerned = comparisons.list.iter().filter(|c| c.among[population]);
        (concerned.count() == evidence.steps.len()).then_some(known)
    }
}
