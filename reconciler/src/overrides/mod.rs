//! What people and restores decided, cell by cell. Nothing else writes `prod.overrides`.

mod cell_override;
mod edits;
mod read;
mod write;

pub(crate) use cell_override::{Kind, Override, PRESENCE, State};
pub(crate) use edits::{Authors, edits};
pub use read::{Listed, list};
pub(crate) use read::{by_entity, listed_at, released_in, replaced_by_carried};
pub(crate) use write::{OverrideChange, mark_restored, write};
