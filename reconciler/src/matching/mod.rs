//! Which entity a record is: known identity, then exact strong keys, then the score, then new; ties go to review.

mod blocks;
mod decide;
mod decided;
mod judge;
mod keys;
mod links;
mod lookup;
mod normal;
mod rekey;
mod resolve;
mod scoring;
mod strangers;

pub(crate) use blocks::renew_blocks;
pub use decide::{Candidate, Decision, decide};
pub use decided::decided;
pub(crate) use judge::{Asking, judge};
pub use judge::{Likely, Verdict};
pub(crate) use keys::distinct_of;
pub use keys::{Key, keys_of};
pub(crate) use links::said;
pub use links::{Said, Word, say};
pub(crate) use lookup::{candidates, store_keys};
pub use normal::Normal;
pub use rekey::rekey;
pub use resolve::{Resolution, Side, resolve, why};
pub use scoring::Scoring;
pub(crate) use strangers::{prepare_keys, stands_alone};
