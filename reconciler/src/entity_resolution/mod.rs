//! Entity resolution: by known identity, then exact match keys, then the score, else a new entity. Ties are
//! reviewed.

mod blocking_keys;
mod decide;
mod exact_key_lookup;
mod keys;
mod match_decisions;
mod normal_form;
mod rekey;
mod resolve;
mod score_decision;
mod scoring;
mod training_decisions;
mod unlinked_rows;

pub(crate) use blocking_keys::renew_blocks;
pub use decide::{Candidate, Decision, decide};
pub(crate) use exact_key_lookup::{candidates, store_keys};
pub(crate) use keys::distinct_of;
pub use keys::{Key, keys_of};
pub(crate) use match_decisions::said;
pub use match_decisions::{Said, Word, say};
pub use normal_form::Normal;
pub use rekey::rekey;
pub use resolve::{Resolution, Side, resolve, why};
pub(crate) use score_decision::{Asking, judge};
pub use score_decision::{Likely, Verdict};
pub use scoring::Scoring;
pub use training_decisions::decided;
pub(crate) use unlinked_rows::{prepare_keys, stands_alone};
