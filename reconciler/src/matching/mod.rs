//! Which entity a record is: known identity, then exact strong keys, then new; ties go to review.

mod decide;
mod keys;
mod lookup;
mod normal;

pub use decide::{Candidate, Decision, decide};
pub(crate) use keys::distinct_of;
pub use keys::{Key, keys_of};
pub(crate) use lookup::{candidates, index_strangers, store_keys};
pub use normal::Normal;
