//! The switches: their names, one setting, what is on now, and what that does to an answer.

mod board;
pub(crate) mod drift;
mod effects;
mod names;
mod spec;

pub(crate) use board::Switchboard;
pub(crate) use effects::Effects;
pub use names::FaultName;
pub use spec::FaultSpec;
