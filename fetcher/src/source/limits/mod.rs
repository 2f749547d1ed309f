//! How fast a source may be asked, whoever asks: its limits, the retries it is spared, and when it is left
//! alone.

mod breaker;
mod gate;
mod hints;
mod hosts;
mod ledger;
mod own;
mod pace;
mod part;
mod points;
mod registry;
mod window;

#[cfg(test)]
mod tests;

pub use gate::Standing;
pub(super) use gate::{Limits, Refusal};
pub(crate) use hints::{Hints, PointsHint};
pub use hosts::{Pauses, Presence};
pub use pace::Priority;
pub use part::Part;
pub(super) use registry::{Registry, shared};
