//! Bringing production back: to an earlier promotion, to what its sources say, to what claims and overrides
//! come to.

mod check;
mod context;
mod discard;
mod rebuild;
mod release;
mod rollback;
mod upgrade;

pub use check::{Unresolved, unresolved};
pub use discard::{WrittenByHand, written_since};
pub use rebuild::{RebuildError, Rebuilt, accept_table, rebuild};
pub use release::{ReleaseError, Released, release};
pub use rollback::rollback;
pub(crate) use upgrade::find_overrides;
