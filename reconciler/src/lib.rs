//! Decides what each staged record means for production. No network.

pub mod contract;
pub mod definition;
pub mod local_day;
pub mod mapping;
mod row;
pub mod transforms;

mod equality;
mod identities;
mod image;
pub mod overrides;
pub mod ownership;
mod resolve;
mod survivorship;
mod table_rules;

mod absorb;
pub mod entity_resolution;
pub mod guard;
mod reconcile;

pub mod history;
mod parallel_map;
mod planner_hints;
pub mod restore;
mod tables;

pub use absorb::{UnmergeError, Unmerged, unmerge};
pub use definition::{Definition, DefinitionError, Definitions};
pub use entity_resolution::rekey;
pub use reconcile::{Caution, ReconcileError, Reconciled, Reconciling, reconcile, staged_row};
pub use row::{Rejection, Row};
pub use tables::{LostTable, TableError, lost_table, prepare_tables};
