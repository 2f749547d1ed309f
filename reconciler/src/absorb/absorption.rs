//! What is absorbed, and what is left of it.

use crate::history::Evidence;

/// One entity that becomes part of another one.
#[derive(Debug, Clone)]
pub(crate) struct Absorption {
    pub(crate) from: String,
    pub(crate) into: String,
    /// The record that the entity was made for.
    pub(crate) evidence: Evidence,
    /// What is left of it.
    pub(crate) remains: Remains,
}

/// What is left of an absorbed entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Nothing: it was only made up.
    Nothing,
    /// Its row, marked as deleted.
    Tombstone,
}
