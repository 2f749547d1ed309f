//! A trained model: how much each level speaks for or against a match.

mod file;
mod frequency;
mod score;

pub use file::{ComparisonWeights, LevelWeights, Model, Population, Thresholds};
pub use frequency::Frequencies;
pub use score::{Scorer, Sum};
