//! Comparing a pair of records: conditions, the facts they need, and the level each comparison reaches.

mod asked;
mod comparison;
mod condition;
mod facts;
mod flat;
mod kernel;
mod pair;

pub use comparison::{Comparison, Comparisons, Level, MISSING, Pattern, Reached};
pub use condition::{Condition, ConditionError, Measure, Test, parse};
pub use facts::{Facts, Words};
pub use flat::{Flat, Named};
pub use kernel::{edits, jaro_winkler};
pub use pair::Pair;
