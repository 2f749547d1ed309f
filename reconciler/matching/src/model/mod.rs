//! A trained model: the weight of each level for or against a match.

mod file;
mod frequency;
mod score;

pub use file::{ComparisonWeights, LevelWeights, Model, Population, Thresholds};
pub use frequency::Frequencies;
pub use score::{Scorer, Sum};
