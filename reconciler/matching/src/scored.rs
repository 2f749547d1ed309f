//! The score of one pair.

/// A compared pair worth keeping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// One record.
    pub one: u32,
    /// The other, of a greater number.
    pub other: u32,
    /// The logarithm of the odds for a match.
    pub score: f32,
    /// The keys that brought them together, one bit each.
    pub keys: u64,
}
