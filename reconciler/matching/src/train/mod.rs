//! Training without labels: u from random pairs, m and r by expectation maximisation over the patterns of blocked pairs.

mod whole;

mod em;
mod guess;
mod labels;
mod sample;

pub use em::{Case, Class, Learning, fitted, taught};
pub use labels::{Label, learn};
pub use sample::{Patterns, Seen, random};
pub use whole::train;
