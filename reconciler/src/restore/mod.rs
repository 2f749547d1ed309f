//! Bringing production back: to an earlier promotion, to what its sources say, to what claims and overrides come to.

mod context;
mod rollback;
mod discard;
mod release;
mod rebuild;
mod upgrade;

pub use rebuild::{RebuildError, Rebuilt, accept_table, rebuild};
pub use release::{ReleaseError, Released, release};
pub use rollback::rollback;
pub use discard::{WrittenByHand, written_since};
pub(crate) use upgrade::find_overrides;
