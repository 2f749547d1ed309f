//! Blocking: selects the pairs that are compared.

mod blocks;
mod key;

pub use blocks::{Blocks, KeyReport, Partner};
pub use key::Key;
pub(crate) use key::{Part, prefix};
