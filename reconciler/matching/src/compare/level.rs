//! One comparison with its levels, and the levels that a pair reached.

use super::condition::Condition;

/// The level of a comparison that says nothing.
pub const MISSING: u8 = 15;

/// The levels a pair reached, four bits per comparison, and the number of its population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(pub u64);

impl Pattern {
    /// The level of a comparison.
    pub fn level(self, comparison: usize) -> u8 {
        (self.0 >> (4 * comparison) & 15) as u8
    }
}

/// A level ready to be asked for.
#[derive(Debug, Clone)]
pub struct Level {
    /// Its label.
    pub label: String,
    /// When it holds; always without one.
    pub when: Option<Condition>,
    /// Whether it speaks against a match whatever the training says.
    pub against: bool,
    /// Whether members of one group reach it more often than chance.
    pub kin: bool,
    /// The attribute whose rarity counts.
    pub frequency: Option<usize>,
    /// Whether the value that counts is shared, and not the rarer of two.
    pub is_equal: bool,
}

/// A comparison ready to be made.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Its name.
    pub name: String,
    /// Whether it concerns the population of that number.
    pub among: Vec<bool>,
    /// When it says nothing.
    pub missing: Condition,
    /// Whether it tells members of a group apart.
    pub individual: bool,
    /// Pairs for which this holds have levels of their own: the second half of the list.
    pub beside: Option<Condition>,
    /// Its levels.
    pub levels: Vec<Level>,
}

impl Comparison {
    /// The levels whose shares add up to one with those of this level.
    pub fn half(&self, level: usize) -> std::ops::Range<usize> {
        let half = self.levels.len() / 2;
        match &self.beside {
            None => 0..self.levels.len(),
            Some(_) if level < half => 0..half,
            Some(_) => half..self.levels.len(),
        }
    }
}
