//! The model file; it is under version control like code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::frequency::Frequencies;
use crate::compare::Comparisons;
use crate::spec::Spec;

/// A trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The version of the file's layout.
    pub version: u32,
    /// The specification that the model was trained for.
    pub spec: Spec,
    /// The number of records it was trained on.
    pub records: u64,
    /// The thresholds for a match and for a review.
    pub thresholds: Thresholds,
    /// The weights, by population.
    pub populations: Vec<Population>,
    /// How often words occur as given names and as surnames.
    pub lexicon: Vec<(String, u32, u32)>,
}

impl Model {
    /// Checks that it has valid weights for exactly these populations, comparisons and levels; returns what
    /// is wrong otherwise.
    pub fn check(&self, comparisons: &Comparisons) -> Result<(), String> {
        if self.version != 1 {
            return Err(format!("its version {} is not known", self.version));
        }
        let mut names = comparisons.populations.iter().map(|(name, _)| name);
        let fits = self.populations.len() == comparisons.populations.len()
            && self
                .populations
                .iter()
                .all(|of| names.next() == Some(&of.population));
        if !fits {
            return Err("its populations are not those of its specification".to_owned());
        }
        let thresholds = [self.thresholds.is_match, self.thresholds.review];
        if thresholds.iter().any(|threshold| threshold.is_nan()) {
            return Err("a threshold is no number".to_owned());
        }
        self.populations
            .iter()
            .try_for_each(|of| of.check(comparisons))
    }
}

impl Population {
    fn check(&self, comparisons: &Comparisons) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{what} of the population `{}`", self.population));
        let fits = self.comparisons.len() == comparisons.list.len()
            && self
                .comparisons
                .iter()
                .zip(&comparisons.list)
                .all(|(of, declared)| {
                    let labels = declared.levels.iter().map(|level| &level.label);
                    of.comparison == declared.name
                        && labels.eq(of.levels.iter().map(|of| &of.level))
                });
        if !fits {
            return wrong("its specification has other comparisons or levels than the weights");
        }
        let is_share = |share: f64| share > 1e-300 && share <= 1.0;
        let is_bits = |bits: f64| bits.abs() <= 1000.0;
        let levels = || self.comparisons.iter().flat_map(|of| &of.levels);
        let shares = levels().flat_map(|of| [of.m, of.r, of.u, of.usual.unwrap_or(1.0)]);
        let known = self.frequencies.values();
        let listed = known.flat_map(|of| of.values.values().chain([&of.rest]).copied());
        let mut shares = shares.chain([self.matching, self.related]).chain(listed);
        let scales = self.comparisons.iter().map(|of| of.scale);
        let mut bits = scales
            .chain(levels().map(|of| of.learnt))
            .chain([self.shift]);
        if !shares.all(is_share) || !bits.all(is_bits) {
            return wrong("there is an impossible number among the weights");
        }
        Ok(())
    }
}

/// Thresholds in bits: the logarithm of the odds for a match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// From this score on a pair is a match.
    #[serde(rename = "match")]
    pub is_match: f32,
    /// From this score on a pair is reviewed.
    pub review: f32,
}

/// The weights of one population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Its name.
    pub population: String,
    /// The number of all pairs, compared or not.
    pub pairs: f64,
    /// The share of matches.
    pub matching: f64,
    /// The share of related pairs: of one household or group, but not matches.
    pub related: f64,
    /// The correction that labels add to every score.
    #[serde(default)]
    pub shift: f64,
    /// The comparisons.
    pub comparisons: Vec<ComparisonWeights>,
    /// The frequencies of values among its records, by attribute.
    pub frequencies: BTreeMap<String, Frequencies>,
}

/// The weights of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonWeights {
    /// Its name.
    pub comparison: String,
    /// The factor of its weight: less than one if it repeats the evidence of others; learnt from labels.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub scale: f64,
    /// The levels.
    pub levels: Vec<LevelWeights>,
}

fn whole() -> f64 {
    1.0
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_nought(bits: &f64) -> bool {
    bits.abs() < 1e-12
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_whole(scale: &f64) -> bool {
    (*scale - 1.0).abs() < 1e-12
}

/// The probabilities of a level for each class of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelWeights {
    /// Its label.
    pub level: String,
    /// Among matches.
    pub m: f64,
    /// Among pairs of one household or group.
    pub r: f64,
    /// Among unrelated pairs.
    pub u: f64,
    /// The correction that labels add for a match, in bits.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub learnt: f64,
    /// The chance of agreement that the rarity of a value is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<f64>,
}
