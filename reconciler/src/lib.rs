//! Decides what each staged record means for production. No network.

pub mod contract;
mod cores;
pub mod definition;
pub mod guard;
pub mod history;
mod identities;
pub mod local_day;
pub mod mapping;
pub mod matching;
pub mod merge;
mod planning;
mod reconcile;
mod references;
mod row;
mod survivorship;
mod tables;
pub mod transforms;

pub use definition::{Definition, DefinitionError, Definitions};
pub use reconcile::{
    Caution, ReconcileError, Reconciled, Reconciling, UnmergeError, Unmerged, reconcile, rekey,
    staged_row, unmerge,
};
pub use row::{Rejection, Row};
pub use tables::{TableError, prepare_tables};
