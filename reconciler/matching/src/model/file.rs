//! The model file: a version in review like code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::frequency::Frequencies;
use crate::spec::Spec;

/// A trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The version of this layout of the file.
    pub version: u32,
    /// What the model was trained for.
    pub spec: Spec,
    /// How many records it was trained on.
    pub records: u64,
    /// Scores from which a pair is a match, and from which a person is asked.
    pub thresholds: Thresholds,
    /// The weights, by population.
    pub populations: Vec<Population>,
    /// Words that stand in the columns of given names and of surnames, with how often they do.
    pub lexicon: Vec<(String, u32, u32)>,
}

/// Scores in bits: the logarithm of the odds for a match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// From here on it is a match.
    #[serde(rename = "match")]
    pub is_match: f32,
    /// From here on a person is asked.
    pub review: f32,
}

/// Weights among one sort of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Its name.
    pub population: String,
    /// All pairs there are, compared or not.
    pub pairs: f64,
    /// The share of them that match.
    pub matching: f64,
    /// The share of them that are of one household or group and do not match.
    pub related: f64,
    /// What labels add to every score.
    #[serde(default)]
    pub shift: f64,
    /// The comparisons.
    pub comparisons: Vec<ComparisonWeights>,
    /// How frequent values are among its records, by attribute.
    pub frequencies: BTreeMap<String, Frequencies>,
}

/// The levels of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonWeights {
    /// Its name.
    pub comparison: String,
    /// How much its weight counts: less than one where it repeats what others say; learnt from labels.
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

/// How often a level is reached by pairs of each class.
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
    /// What labels add for a match, in bits.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub learnt: f64,
    /// The chance of agreement to which the rarity of a value is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<f64>,
}
