//! One entity becomes part of another one, reversibly: a placeholder whose record is another entity, and a
//! record that its source merged into another.

mod absorbing;
mod absorption;
mod children;
mod overrides_carried;

pub(crate) mod declared;
mod detect;

mod restore;
mod unmerge;

pub(crate) use absorbing::absorb_placeholders;
pub(crate) use declared::Declared;
pub(crate) use detect::detect;
pub use unmerge::{UnmergeError, Unmerged, unmerge};
