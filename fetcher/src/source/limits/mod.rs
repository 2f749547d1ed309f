//! Rate limits, retry budget and circuit breaker of a source, shared by everything that asks it.

mod breaker;
mod configured_rate;
pub(crate) mod gate;
pub(crate) mod hints;
pub(crate) mod hosts;
pub(crate) mod limiter;
mod points;
pub(crate) mod rate_share;
pub(crate) mod registry;
mod state_file;
mod window;

#[cfg(test)]
mod tests;

pub use gate::Standing;
pub use hosts::{Pauses, Presence};
pub use limiter::Priority;
pub use rate_share::RateShare;
