//! Training without labels: u from random pairs, m and r by expectation maximisation over the patterns of
//! blocked pairs.

mod whole;

mod decided;
mod em;
mod guess;
mod labels;
mod logistic;
mod sample;

pub use decided::{Decided, Evidence, EvidenceStep, Label};
pub use labels::{FEWEST, Lesson, learn, worth_asking};
pub use sample::{Patterns, Seen, random};
pub use whole::train;
