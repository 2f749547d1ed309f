//! One comparison with its levels, and the levels that a pair reached.

use super::condition::Condition;

/// The level of a comparison that does not apply.
pub const MISSING: u8 = 15;

/// The levels that a pair reached, four bits per comparison, and the number of its population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(pub u64);

impl Pattern {
    /// The level of a comparison.
    pub fn level(self, comparison: usize) -> u8 {
        (self.0 >> (4 * comparison) & 15) as u8
    }
}

/// A compiled level.
#[derive(Debug, Clone)]
pub struct Level {
    /// Its label.
    pub label: String,
    /// Its condition; without one it always holds.
    pub when: Option<Condition>,
    /// Whether it is evidence against a match whatever the training finds.
    pub against: bool,
    /// Whether members of one group reach it more often than chance.
    pub kin: bool,
    /// The attribute whose value frequency counts.
    pub frequency: Option<usize>,
    /// Whether the counted value is shared; otherwise it is the rarer of two.
    pub is_equal: bool,
}

/// A compiled comparison.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Its name.
    pub name: String,
    /// Whether it applies to each population, by number.
    pub among: Vec<bool>,
    /// The condition under which it does not apply.
    pub missing: Condition,
    /// Whether it distinguishes members of a group.
    pub individual: bool,
    /// Pairs that meet this condition have their own levels: the second half of the list.
    pub beside: Option<Condition>,
    /// Its levels.
    pub levels: Vec<Level>,
}

impl Comparison {
    /// The levels whose probabilities sum to one with this level's.
    pub fn half(&self, level: usize) -> std::ops::Range<usize> {
        let half = self.levels.len() / 2;
        match &self.beside {
            None => 0..self.levels.len(),
            Some(_) if level < half => 0..half,
            Some(_) => half..self.levels.len(),
        }
    }
}
