//! Every promotion, numbered and chained: what it changed, how rows looked before, and the way back.
//!
//! All functions work on the connection of the caller's transaction. A promotion is `open`, any number of
//! [`apply_images`], `seal`; between the first and the last the head of the chain is locked, so promotions
//! happen one after the other and their numbers have no gaps.

mod chain;
mod images;
mod table;

pub use chain::{Head, Promotion, PromotionKind, Sealed, open, seal};
pub use images::{Evidence, Operation, RowWrite, apply_images};

#[cfg(test)]
mod tests;
