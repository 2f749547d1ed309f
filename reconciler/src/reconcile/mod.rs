//! One module's pending records, decided and promoted inside the caller's transaction.
//!
//! Each batch is decided into a [`change_set::ChangeSet`], a value, before [`apply`] writes any of it.

pub(crate) mod context;
mod rounds;

mod bisect;
pub(crate) mod pending;

mod anomalies;
mod assign;
mod batch;
mod claims;
mod entity_ids;
pub(crate) mod hand_edits;
mod lookups;
mod missing_parent;
mod placeholders;
pub(crate) mod references;
mod row_change;
pub(crate) mod settle;
pub(crate) mod standing;
pub(crate) mod transform;
pub(crate) mod withdraw;

pub(crate) mod apply;
pub(crate) mod change_set;
mod constraint_errors;

mod single;

pub use context::{Caution, ReconcileError, Reconciled, Reconciling};
pub use rounds::reconcile;
pub use single::staged_row;
