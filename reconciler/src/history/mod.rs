//! The history: numbered, chained promotions with their changes and before-images, and rollback.
//!
//! All functions use the connection of the caller's transaction. A promotion is `open`, any number of
//! [`apply_images`], then `seal`. Until `seal` the head of the chain is locked, so promotions run one after
//! the other and their numbers have no gaps.

mod chain;
mod images;
mod table;

mod log;

mod cells;
mod diff;
mod explain;

mod plan;
mod rollback;
mod targets;

mod verify;

#[cfg(test)]
mod tests;

pub use cells::{Cell, CellValue};
pub(crate) use chain::write_as_engine;
pub use chain::{Head, Promotion, PromotionKind, Sealed, open, seal};
pub use diff::{DiffTally, RowDiff, diff, diff_tally, state_at};
pub use explain::{Blame, EntityChange, blame, entity_history};
pub use images::{Evidence, Operation, RowWrite, apply_images};
pub(crate) use images::{apply_columns, insert_new, unique_columns};
pub use log::{LogEntry, log};
pub use plan::{KeptLocal, RollbackPlan, plan_rollback};
pub(crate) use rollback::restore_rows;
pub use rollback::{RollbackError, RollbackOutcome};
pub use verify::{Broken, EditedByHand, Verification, verify};
