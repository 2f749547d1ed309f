//! Which entity a record is: known identity, then exact strong keys, then new; ties go to review.

mod decide;
mod keys;
mod normal;

pub use decide::{Candidate, Decision, decide};
pub use keys::{Key, keys_of};
pub use normal::Normal;
