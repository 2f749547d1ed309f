//! The score of one pair.

/// A scored pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// One record.
    pub one: u32,
    /// The other, with a greater number.
    pub other: u32,
    /// The logarithm of the odds for a match.
    pub score: f32,
    /// The blocking keys they share, one bit each.
    pub keys: u64,
}
