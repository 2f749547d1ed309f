//! One module's pending records, decided and promoted inside the caller's transaction.
//!
//! The caller commits, or rolls back for a dry run or where the guard was exceeded: nothing is visible
//! before the whole change set has been counted.

mod announced;
mod carrying;
mod claim;
mod folding;
mod known;
mod meeting;
mod merging;
mod outcome;
mod parting;
mod refusal;
mod rekeying;
mod single;
mod suspicion;
mod unmerge;
mod wave;
mod who;
mod words;
mod work;
mod write;

use work::Work;

pub use rekeying::rekey;
pub use single::staged_row;
pub use unmerge::{UnmergeError, Unmerged, unmerge};
pub use work::{Caution, ReconcileError, Reconciled, Reconciling, reconcile};
pub(crate) use write::image_text;
