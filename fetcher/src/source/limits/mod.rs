//! How fast a source may be asked, whoever asks: its limits, the retries it is spared, and when it is left alone.

mod breaker;
mod gate;
mod hints;
mod ledger;
mod pace;
mod points;
mod registry;
mod window;

#[cfg(test)]
mod tests;

pub use gate::Standing;
pub(super) use gate::{Limits, Refusal};
pub(crate) use hints::{Hints, PointsHint};
pub use pace::Priority;
pub(super) use registry::{Registry, shared};
