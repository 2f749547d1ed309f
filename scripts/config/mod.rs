//! `concord.toml` and its overrides from the environment.
//!
//! Secrets are only referred to here; they are read when a source is opened.

mod settings;

mod environment;
mod load;
mod opening;
mod problem;

#[cfg(test)]
mod tests;

pub use opening::{open_source, open_sources};
pub use problem::ConfigError;
pub use settings::{Config, ServeConfig};
