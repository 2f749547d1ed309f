//! Comparing a pair of records: conditions, the facts they need, and the level each comparison reaches.

mod asked;
mod comparison;
mod condition;
mod facts;
mod flat;
mod kernel;
mod level;
mod named;
mod pair;

pub use comparison::{Comparisons, Reached};
pub use condition::{Condition, ConditionError, Measure, Test, parse};
pub use facts::{Facts, Words};
pub use flat::Flat;
pub use kernel::{edits, jaro_winkler};
pub use level::{Comparison, Level, MISSING, Pattern};
pub use named::Named;
pub use pair::Pair;
