//! A source: its address, credentials and limits, and one way to ask it.

mod config;
mod exchange;
mod limits;
mod open;
mod retry;

pub use config::{
    AuthConfig, AuthKind, BreakerConfig, ConfigError, Rate, RetryConfig, SecretRef, SourceConfig,
};
pub(crate) use config::{check_url, read_secret};
pub(crate) use exchange::Question;
pub(crate) use limits::{Hints, PointsHint};
pub use limits::{Priority, Standing};
pub use open::Source;
